/* wire/ke_payload.h - what a key exchange is made of: KE and Nonce (RFC 7296 3.4, 3.9).
 *
 * Floor 1.
 */
#ifndef VIPSEC_WIRE_KE_PAYLOAD_H
#define VIPSEC_WIRE_KE_PAYLOAD_H

#include "wire/reader.h"
#include "wire/wire.h"
#include "wire/writer.h"

enum { NONCE_MIN = 16, NONCE_MAX = 256 };

struct wire_ke {
	uint16_t group; /* enum ke_id */
	struct span public; /* never empty; its length is judged by crypto/ */
};

enum wire_err ke_payload_read(struct reader body, struct wire_ke *out) WIRE_CHECKED;
/* A group and no value. */
bool ke_payload_is_empty(struct reader body);
void ke_payload_write(struct writer *w, const struct wire_ke *ke);

/* 16 to 256 octets. */
enum wire_err nonce_payload_read(struct reader body, struct span *out) WIRE_CHECKED;
void nonce_payload_write(struct writer *w, struct span nonce);

#endif
