/* crypto/kex_x25519.c - Curve25519 (RFC 7748 5, RFC 8031).
 *
 * The private key is 32 octets of entropy; the clamping of RFC 7748 5 happens inside
 * OpenSSL. Public values are 32 octets, any of which is a point or its twist's; an
 * all-zero result is refused (RFC 6989 has no test for this curve, RFC 7748 6.1 has).
 */
#include "crypto/kex_group.h"

#include <openssl/evp.h>

enum { X25519_LEN = 32 };

static void x25519_free(void *private)
{
	EVP_PKEY_free(private);
}

static void *x25519_make(const struct entropy *e, uint8_t *public)
{
	uint8_t octets[X25519_LEN];
	size_t len = X25519_LEN;

	entropy_fill(e, octets, sizeof octets);
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(
		NULL, "X25519", NULL, octets, sizeof octets);
	wipe(octets, sizeof octets);
	if (key == NULL || EVP_PKEY_get_raw_public_key(key, public, &len) != 1 ||
		len != X25519_LEN) {
		x25519_free(key);
		return NULL;
	}
	return key;
}

static enum crypto_err x25519_agree(void *private, struct span peer, uint8_t *out)
{
	enum crypto_err err = CRYPTO_REFUSED;
	size_t len = X25519_LEN;
	EVP_PKEY *theirs =
		EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, peer.at, peer.len);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, private, NULL);

	if (theirs == NULL || ctx == NULL || EVP_PKEY_derive_init(ctx) != 1 ||
		EVP_PKEY_derive_set_peer(ctx, theirs) != 1)
		goto out;
	/* The library fails exactly when the result is all zero: a point of low order. */
	err = EVP_PKEY_derive(ctx, out, &len) == 1 && len == X25519_LEN ? CRYPTO_OK
									: CRYPTO_FORGED;
out:
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(theirs);
	return err;
}

const struct kex_group kex_group_x25519 = {
	.id = KE_CURVE25519,
	.name = "x25519",
	.public_len = X25519_LEN,
	.secret_len = X25519_LEN,
	.make = x25519_make,
	.agree = x25519_agree,
	.free = x25519_free,
};
