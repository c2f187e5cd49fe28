/* wire/auth_payload.c - the Identification and Authentication payloads (RFC 7296 3.5, 3.8).
 *
 * Leaves the verification of either to ike/.
 */
#include "wire/auth_payload.h"

#include <assert.h>

enum { RESERVED_LEN = 3 };

enum wire_err id_payload_read(struct reader body, struct identity *out)
{
	uint8_t type = rd_u8(&body);
	rd_skip(&body, RESERVED_LEN);
	struct span data = rd_rest(&body);

	if (!rd_ok(&body) || type == ID_ANY || !identity_from_bytes(type, data, out))
		return WIRE_MALFORMED;
	return WIRE_OK;
}

void id_payload_write(struct writer *w, const struct identity *id)
{
	assert(!identity_is_any(id));
	wr_u8(w, id->type);
	wr_zeros(w, RESERVED_LEN);
	wr_bytes(w, span_of(id->b, id->len));
}

enum wire_err auth_payload_read(struct reader body, struct wire_auth *out)
{
	uint8_t method = rd_u8(&body);
	rd_skip(&body, RESERVED_LEN);
	struct span data = rd_rest(&body);

	if (!rd_ok(&body) || data.len == 0)
		return WIRE_MALFORMED;
	*out = (struct wire_auth){.method = method, .data = data};
	return WIRE_OK;
}

void auth_payload_write(struct writer *w, const struct wire_auth *auth)
{
	wr_u8(w, auth->method);
	wr_zeros(w, RESERVED_LEN);
	wr_bytes(w, auth->data);
}
