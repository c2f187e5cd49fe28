/* wire/auth_payload.h - who one is and the proof of it: ID and AUTH (RFC 7296 3.5, 3.8).
 *
 * The octets that AUTH signs include the body of the ID payload as it was on the wire
 * (RFC 7296 2.15): take them from the payload, or from id_payload_write().
 *
 * Floor 1.
 */
#ifndef VIPSEC_WIRE_AUTH_PAYLOAD_H
#define VIPSEC_WIRE_AUTH_PAYLOAD_H

#include "base/identity.h"
#include "wire/reader.h"
#include "wire/wire.h"
#include "wire/writer.h"

enum { ID_PAYLOAD_MAX = 4 + IDENTITY_MAX }; /* octets of its body */

/* Malformed also: an address of the wrong length, an identity beyond IDENTITY_MAX. */
enum wire_err id_payload_read(struct reader body, struct identity *out) WIRE_CHECKED;
/* id is not ID_ANY. */
void id_payload_write(struct writer *w, const struct identity *id);

struct wire_auth {
	uint8_t method; /* enum auth_method */
	struct span data;
};

enum wire_err auth_payload_read(struct reader body, struct wire_auth *out) WIRE_CHECKED;
void auth_payload_write(struct writer *w, const struct wire_auth *auth);

#endif
