/* crypto/etm.c - AES-CBC, or nothing, and HMAC-SHA2 over OpenSSL EVP.
 *
 * Obeys RFC 3602 2.3 and 3 (CBC; an IV that cannot be predicted), RFC 4868 2.1 (key lengths,
 * truncation), RFC 4303 3.4.4.1 (integrity is judged first). The IV is the
 * caller's number, encrypted with the cipher's own key: the first of the two ways of
 * NIST SP 800-38A appendix C. So no random source is needed, and two numbers never make one
 * IV. Padding, and that a number is never used twice, is the caller's matter. NULL (RFC 2410
 * 2) is the identity: no key, no IV, blocks of one octet.
 */
#include "crypto/etm.h"

#include "base/secret.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

enum { DIGEST_MAX = 64, KEY_MAX = 32 };

struct etm {
	const struct etm_alg *alg;
	EVP_CIPHER_CTX *cbc; /* NULL: no cipher */
	EVP_MAC_CTX *hmac;
	int direction; /* 1: keyed for encryption, 0: for decryption, -1: not yet */
	uint8_t key[KEY_MAX];
};

static EVP_MAC_CTX *hmac_new(const struct etm_alg *alg, const uint8_t *key)
{
	char digest[16];
	OSSL_PARAM params[2] = {OSSL_PARAM_END, OSSL_PARAM_END};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);

	EVP_MAC_free(hmac); /* ctx holds its own reference */
	assert(strlen(alg->digest) < sizeof digest);
	strcpy(digest, alg->digest); /* the parameter's type is not const */
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	if (ctx != NULL && EVP_MAC_init(ctx, key, alg->mac_key_len, params) == 1)
		return ctx;
	EVP_MAC_CTX_free(ctx);
	return NULL;
}

static EVP_CIPHER_CTX *cbc_new(const struct etm_alg *alg)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, alg->cipher, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	bool ok = ctx != NULL && cipher != NULL &&
		  EVP_CipherInit_ex(ctx, cipher, NULL, NULL, NULL, 1) == 1 &&
		  EVP_CIPHER_CTX_set_padding(ctx, 0) == 1;

	EVP_CIPHER_free(cipher);
	if (ok)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

struct etm *etm_new(const struct etm_alg *alg, const uint8_t *keymat)
{
	struct etm *e = calloc(1, sizeof *e);

	assert(alg->key_len <= KEY_MAX);
	if (e == NULL)
		return NULL;
	e->alg = alg;
	e->direction = -1;
	memcpy(e->key, keymat, alg->key_len);
	if (alg->cipher != NULL)
		e->cbc = cbc_new(alg);
	e->hmac = hmac_new(alg, keymat + alg->key_len);
	if ((e->cbc == NULL && alg->cipher != NULL) || e->hmac == NULL) {
		etm_free(e);
		return NULL;
	}
	return e;
}

size_t etm_block_len(const struct etm_alg *alg)
{
	return alg->cipher != NULL ? ETM_BLOCK_LEN : 0;
}

void etm_free(struct etm *e)
{
	if (e == NULL)
		return;
	EVP_CIPHER_CTX_free(e->cbc); /* both wipe what they know of the keys */
	EVP_MAC_CTX_free(e->hmac);
	wipe(e, sizeof *e);
	free(e);
}

/* A context serves one direction as a rule, and is then keyed once. */
static bool crypt(
	struct etm *e, int direction, const uint8_t *iv, struct span in, uint8_t *out)
{
	const uint8_t *key = e->direction == direction ? NULL : e->key;
	int n = 0;

	assert(in.len <= INT_MAX);
	if (e->cbc == NULL) {
		memmove(out, in.at, in.len);
		return true;
	}
	if (EVP_CipherInit_ex(e->cbc, NULL, NULL, key, iv, direction) != 1)
		return false;
	e->direction = direction;
	return in.len == 0 ||
	       (EVP_CipherUpdate(e->cbc, out, &n, in.at, (int)in.len) == 1 &&
		       n == (int)in.len);
}

/* RFC 3602 3: the IV must not be predictable. */
static bool make_iv(struct etm *e, uint64_t n, uint8_t *iv)
{
	static const uint8_t zero[ETM_BLOCK_LEN];
	uint8_t block[ETM_BLOCK_LEN] = {0};

	if (e->cbc == NULL)
		return true;
	for (size_t i = ETM_BLOCK_LEN; n != 0; n >>= 8)
		block[--i] = (uint8_t)n;
	return crypt(e, 1, zero, span_of(block, sizeof block), iv);
}

static bool authenticate(
	struct etm *e, const struct span *parts, size_t n, uint8_t digest[DIGEST_MAX])
{
	size_t got = 0;
	/* Without a key: the one of last time. */
	bool ok = EVP_MAC_init(e->hmac, NULL, 0, NULL) == 1;

	for (size_t i = 0; ok && i < n; i++)
		ok = parts[i].len == 0 ||
		     EVP_MAC_update(e->hmac, parts[i].at, parts[i].len) == 1;
	return ok && EVP_MAC_final(e->hmac, digest, &got, DIGEST_MAX) == 1 &&
	       got == e->alg->mac_key_len;
}

static bool authenticate_packet(struct etm *e, struct span clear, const uint8_t *iv,
	struct span ciphertext, struct span tail, uint8_t digest[DIGEST_MAX])
{
	const struct span parts[] = {
		clear, span_of(iv, etm_block_len(e->alg)), ciphertext, tail};

	return authenticate(e, parts, 4, digest);
}

enum crypto_err etm_tag(struct etm *e, const struct span *parts, size_t n, uint8_t *tag)
{
	uint8_t digest[DIGEST_MAX];
	bool ok = authenticate(e, parts, n, digest);

	if (ok)
		memcpy(tag, digest, e->alg->tag_len);
	wipe(digest, sizeof digest);
	return ok ? CRYPTO_OK : CRYPTO_REFUSED;
}

static bool is_whole(const struct etm *e, size_t len)
{
	return e->cbc == NULL || len % ETM_BLOCK_LEN == 0;
}

enum crypto_err etm_seal(struct etm *e, uint64_t n, struct span clear, struct span tail,
	uint8_t *iv, uint8_t *text, size_t len)
{
	struct span in_place = span_of(text, len);
	uint8_t digest[DIGEST_MAX];

	assert(is_whole(e, len));
	if (!make_iv(e, n, iv) || !crypt(e, 1, iv, in_place, text) ||
		!authenticate_packet(e, clear, iv, in_place, tail, digest)) {
		/* What is not wholly sealed must not leave by mistake. */
		wipe(text, len + e->alg->tag_len);
		return CRYPTO_REFUSED;
	}
	memcpy(text + len, digest, e->alg->tag_len);
	return CRYPTO_OK;
}

enum crypto_err etm_open(struct etm *e, struct span clear, struct span tail,
	const uint8_t *iv, struct span sealed, uint8_t *out)
{
	size_t tag_len = e->alg->tag_len;
	uint8_t digest[DIGEST_MAX], iv_copy[ETM_BLOCK_LEN] = {0};

	if (sealed.len < tag_len || !is_whole(e, sealed.len - tag_len))
		return CRYPTO_FORGED;
	struct span ciphertext = span_of(sealed.at, sealed.len - tag_len);
	if (!authenticate_packet(e, clear, iv, ciphertext, tail, digest))
		return CRYPTO_REFUSED;
	/* RFC 4303 3.4.4.1: before anything is decrypted, and in constant time. */
	bool authentic = secret_equal(
		span_of(digest, tag_len), span_of(sealed.at + ciphertext.len, tag_len));
	wipe(digest, sizeof digest);
	if (!authentic)
		return CRYPTO_FORGED;
	memcpy(iv_copy, iv, etm_block_len(e->alg));
	return crypt(e, 0, iv_copy, ciphertext, out) ? CRYPTO_OK : CRYPTO_REFUSED;
}
