/* ike/nonce.h - nonces (RFC 7296 2.10, 3.9). Private to ike/. */
#ifndef VIPSEC_IKE_NONCE_H
#define VIPSEC_IKE_NONCE_H

#include "base/entropy.h"
#include "base/span.h"

enum {
	IKE_NONCE_MAX = 256, /* RFC 7296 3.9: 16 to 256 octets */
	IKE_NONCE_OURS = 32
};

struct nonce {
	uint16_t len;
	uint8_t b[IKE_NONCE_MAX];
};

void nonce_draw(struct nonce *n, const struct entropy *e);
void nonce_set(struct nonce *n, struct span bytes);
struct span nonce_span(const struct nonce *n);
/* RFC 7296 2.8.1: octet by octet; one that begins another is the lower. */
int nonce_cmp(const struct nonce *a, const struct nonce *b);
const struct nonce *nonce_lower(const struct nonce *a, const struct nonce *b);
/* a | b; returns the length. */
size_t nonce_join(
	const struct nonce *a, const struct nonce *b, uint8_t out[2 * IKE_NONCE_MAX]);

#endif
