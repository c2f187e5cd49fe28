/* wire/redirect.h - what the notices REDIRECT and REDIRECTED_FROM carry (RFC 5685 9.2, 9.3).
 *
 * Floor 1.
 */
#ifndef VIPSEC_WIRE_REDIRECT_H
#define VIPSEC_WIRE_REDIRECT_H

#include "base/addr.h"
#include "wire/reader.h"
#include "wire/wire.h"
#include "wire/writer.h"

struct wire_redirect {
	uint8_t type; /* enum gateway_type */
	struct addr addr; /* IPv4, IPv6 */
	struct span name; /* FQDN: 1 to 255 octets, printable */
	struct span nonce; /* 16 to 256 octets; empty: none */
};

/* Malformed: another type, a length that does not go with it. */
enum wire_err redirect_read(struct span data, struct wire_redirect *out) WIRE_CHECKED;
void redirect_write(struct writer *w, const struct wire_redirect *r);
struct wire_redirect redirect_to(const struct addr *a);

#endif
