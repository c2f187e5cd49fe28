/* wire/redirect.c - the data of REDIRECT and REDIRECTED_FROM (RFC 5685 9.2, 9.3).
 *
 * Leaves to ike/ where a nonce must be, and must not.
 */
#include "wire/redirect.h"

#include "base/iana.h"

#include <assert.h>

enum { NONCE_MIN = 16, NONCE_MAX = 256 };

static bool is_printable(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] <= ' ' || name.at[i] > '~')
			return false;
	return name.len > 0;
}

enum wire_err redirect_read(struct span data, struct wire_redirect *out)
{
	struct reader r = rd_over(data);
	struct wire_redirect read = {.type = rd_u8(&r)};
	struct span who = rd_bytes(&r, rd_u8(&r));

	read.nonce = rd_rest(&r);
	if (!rd_done(&r) || (read.nonce.len > 0 && (read.nonce.len < NONCE_MIN ||
							   read.nonce.len > NONCE_MAX)))
		return WIRE_MALFORMED;
	if ((read.type == GATEWAY_IPV4 && who.len == 4) ||
		(read.type == GATEWAY_IPV6 && who.len == 16))
		read.addr = addr_from_bytes(who.at, who.len);
	else if (read.type == GATEWAY_FQDN && is_printable(who))
		read.name = who;
	else
		return WIRE_MALFORMED;
	*out = read;
	return WIRE_OK;
}

void redirect_write(struct writer *w, const struct wire_redirect *r)
{
	struct span who = r->type == GATEWAY_FQDN
				  ? r->name
				  : span_of(r->addr.b, addr_len(&r->addr));

	assert(who.len <= UINT8_MAX);
	wr_u8(w, r->type);
	wr_u8(w, (uint8_t)who.len);
	wr_bytes(w, who);
	wr_bytes(w, r->nonce);
}

struct wire_redirect redirect_to(const struct addr *a)
{
	return (struct wire_redirect){
		.type = a->family == ADDR_V4 ? GATEWAY_IPV4 : GATEWAY_IPV6, .addr = *a};
}
