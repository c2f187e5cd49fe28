/* wire/ke_payload.c - the Key Exchange and Nonce payloads (RFC 7296 3.4, 3.9).
 *
 * Leaves the public value to crypto/kex.
 */
#include "wire/ke_payload.h"

#include <assert.h>

enum wire_err ke_payload_read(struct reader body, struct wire_ke *out)
{
	uint16_t group = rd_u16(&body);
	rd_skip(&body, 2);
	struct span public = rd_rest(&body);

	if (!rd_ok(&body) || public.len == 0)
		return WIRE_MALFORMED;
	*out = (struct wire_ke){.group = group, .public = public};
	return WIRE_OK;
}

bool ke_payload_is_empty(struct reader body)
{
	rd_skip(&body, 4);
	return rd_done(&body);
}

void ke_payload_write(struct writer *w, const struct wire_ke *ke)
{
	wr_u16(w, ke->group);
	wr_u16(w, 0);
	wr_bytes(w, ke->public);
}

enum wire_err nonce_payload_read(struct reader body, struct span *out)
{
	struct span nonce = rd_rest(&body);

	if (!rd_ok(&body) || nonce.len < NONCE_MIN || nonce.len > NONCE_MAX)
		return WIRE_MALFORMED;
	*out = nonce;
	return WIRE_OK;
}

void nonce_payload_write(struct writer *w, struct span nonce)
{
	assert(nonce.len >= NONCE_MIN && nonce.len <= NONCE_MAX);
	wr_bytes(w, nonce);
}
