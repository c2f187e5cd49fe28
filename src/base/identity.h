/* base/identity.h - who an IKE peer says it is (RFC 7296 3.5), as a value.
 *
 * Identities are compared octet by octet: the AUTH payload signs those octets, and what
 * looks alike is not the same. Type ID_ANY is ours, for "any" in the configuration; it
 * never appears on the wire.
 *
 * Floor 0.
 */
#ifndef VIPSEC_BASE_IDENTITY_H
#define VIPSEC_BASE_IDENTITY_H

#include "base/addr.h"
#include "base/span.h"

#define IDENTITY_MAX 256
#define IDENTITY_TEXT_MAX (2 * IDENTITY_MAX + 8) /* with the NUL */

enum { ID_ANY = 0 };

struct identity {
	uint8_t type; /* enum id_type, or ID_ANY */
	uint16_t len;
	uint8_t b[IDENTITY_MAX]; /* unused octets are zero */
};

/* False, and *out untouched, when bytes do not fit, an address has the wrong length, or a
 * type that needs a value has none. Unknown types are accepted: they equal themselves. */
bool identity_from_bytes(uint8_t type, struct span bytes, struct identity *out);
/* a must be set. */
struct identity identity_from_addr(const struct addr *a);
bool identity_is_any(const struct identity *i);
bool identity_equal(const struct identity *a, const struct identity *b);
/* want is ID_ANY, or equal. */
bool identity_matches(const struct identity *want, const struct identity *is);
/* want is a host name beginning with "*.", and is a host name with one more label instead:
 * "*.example" fits "mail.example". Else as identity_equal(), but that case does not count
 * in host names. */
bool identity_fits(const struct identity *want, const struct identity *is);
/* A total order: by type, then length, then octets. */
int identity_cmp(const struct identity *a, const struct identity *b);

/* "any", an address, "mail.example" (FQDN), "user@mail.example" (RFC 822), "@#c0ffee"
 * (key id), or TYPE#HEX for everything else. False, and *out untouched, when malformed. */
bool identity_parse(const char *text, struct identity *out);
/* Text that parses to the same identity, with nothing unprintable in it. Returns out. */
const char *identity_format(const struct identity *i, char out[IDENTITY_TEXT_MAX]);

#endif
