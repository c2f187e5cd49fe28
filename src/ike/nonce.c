/* ike/nonce.c - nonces (RFC 7296 2.8.1, 2.10). */
#include "ike/nonce.h"

#include <assert.h>
#include <string.h>

void nonce_draw(struct nonce *n, const struct entropy *e)
{
	n->len = IKE_NONCE_OURS;
	entropy_fill(e, n->b, n->len);
}

void nonce_set(struct nonce *n, struct span bytes)
{
	assert(bytes.len <= sizeof(n->b));
	n->len = (uint16_t)bytes.len;
	memcpy(n->b, bytes.at, bytes.len);
}

struct span nonce_span(const struct nonce *n)
{
	return span_of(n->b, n->len);
}

int nonce_cmp(const struct nonce *a, const struct nonce *b)
{
	size_t n = a->len < b->len ? a->len : b->len;
	int order = memcmp(a->b, b->b, n);

	return order != 0 ? order : (int)a->len - (int)b->len;
}

const struct nonce *nonce_lower(const struct nonce *a, const struct nonce *b)
{
	return nonce_cmp(a, b) < 0 ? a : b;
}

size_t nonce_join(
	const struct nonce *a, const struct nonce *b, uint8_t out[2 * IKE_NONCE_MAX])
{
	memcpy(out, a->b, a->len);
	memcpy(out + a->len, b->b, b->len);
	return (size_t)a->len + b->len;
}
