/* crypto/kex_montgomery.c - Curve25519 and Curve448 (RFC 7748 5, RFC 8031).
 *
 * The private key is 32 or 56 octets of entropy; the clamping of RFC 7748 5 happens inside
 * OpenSSL. Public values are as long, and any of them is a point or its twist's; an all-zero
 * result is refused (RFC 6989 has no test for these curves, RFC 7748 6.1 and 6.2 have).
 */
#include "crypto/kex_group.h"

#include <openssl/evp.h>

enum { X25519_LEN = 32, X448_LEN = 56 };

static void montgomery_free(void *private)
{
	EVP_PKEY_free(private);
}

static void *make(const char *curve, size_t len, const struct entropy *e, uint8_t *public)
{
	uint8_t octets[X448_LEN];
	size_t got = len;

	entropy_fill(e, octets, len);
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, curve, NULL, octets, len);
	wipe(octets, sizeof octets);
	if (key == NULL || EVP_PKEY_get_raw_public_key(key, public, &got) != 1 ||
		got != len) {
		montgomery_free(key);
		return NULL;
	}
	return key;
}

static enum crypto_err agree(
	const char *curve, void *private, struct span peer, uint8_t *out)
{
	enum crypto_err err = CRYPTO_REFUSED;
	size_t len = peer.len;
	EVP_PKEY *theirs =
		EVP_PKEY_new_raw_public_key_ex(NULL, curve, NULL, peer.at, peer.len);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, private, NULL);

	if (theirs == NULL || ctx == NULL || EVP_PKEY_derive_init(ctx) != 1 ||
		EVP_PKEY_derive_set_peer(ctx, theirs) != 1)
		goto out;
	/* The library fails exactly when the result is all zero: a point of low order. */
	err = EVP_PKEY_derive(ctx, out, &len) == 1 && len == peer.len ? CRYPTO_OK
								      : CRYPTO_FORGED;
out:
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(theirs);
	return err;
}

static void *x25519_make(const struct entropy *e, uint8_t *public)
{
	return make("X25519", X25519_LEN, e, public);
}

static enum crypto_err x25519_agree(void *private, struct span peer, uint8_t *out)
{
	return agree("X25519", private, peer, out);
}

static void *x448_make(const struct entropy *e, uint8_t *public)
{
	return make("X448", X448_LEN, e, public);
}

static enum crypto_err x448_agree(void *private, struct span peer, uint8_t *out)
{
	return agree("X448", private, peer, out);
}

const struct kex_group kex_group_x25519 = {
	.id = KE_CURVE25519,
	.name = "x25519",
	.public_len = X25519_LEN,
	.secret_len = X25519_LEN,
	.make = x25519_make,
	.agree = x25519_agree,
	.free = montgomery_free,
};

const struct kex_group kex_group_x448 = {
	.id = KE_CURVE448,
	.name = "x448",
	.work = 6,
	.public_len = X448_LEN,
	.secret_len = X448_LEN,
	.make = x448_make,
	.agree = x448_agree,
	.free = montgomery_free,
};
