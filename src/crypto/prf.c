/* crypto/prf.c - HMAC-SHA2 as IKEv2's pseudorandom function, and prf+.
 *
 * Obeys RFC 4868 2.1.2 (a PRF's HMAC takes keys of any length and is not truncated) and
 * RFC 7296 2.13. Which keys and seeds make SKEYSEED, KEYMAT or AUTH is ike/'s matter.
 */
#include "crypto/prf.h"

#include <assert.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

struct prf_row {
	const char *name;
	const char *digest;
	size_t len;
};

static const struct prf_row prfs[] = {
	[PRF_NONE] = {"none", NULL, 0},
	[PRF_SHA256] = {"sha256", "SHA2-256", 32},
	[PRF_SHA384] = {"sha384", "SHA2-384", 48},
	[PRF_SHA512] = {"sha512", "SHA2-512", 64},
};

static const struct prf_row *row_of(enum prf_alg alg)
{
	assert((size_t)alg < sizeof prfs / sizeof prfs[0]);
	return &prfs[alg];
}

size_t prf_len(enum prf_alg alg)
{
	return row_of(alg)->len;
}

const char *prf_name(enum prf_alg alg)
{
	return row_of(alg)->name;
}

/* An HMAC that knows its digest and waits for a key. NULL: the library refuses. */
static EVP_MAC_CTX *hmac_new(const struct prf_row *row)
{
	char digest[16];
	OSSL_PARAM params[2] = {OSSL_PARAM_END, OSSL_PARAM_END};

	assert(row->digest != NULL && strlen(row->digest) < sizeof digest);
	strcpy(digest, row->digest); /* the parameter's type is not const */
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);

	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (hmac == NULL)
		return NULL;
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);
	EVP_MAC_free(hmac); /* ctx holds its own reference */
	if (ctx != NULL && EVP_MAC_CTX_set_params(ctx, params) != 1) {
		EVP_MAC_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static bool hmac_run(EVP_MAC_CTX *ctx, struct span key, const struct span *parts,
	size_t n, uint8_t *out, size_t out_len)
{
	static const uint8_t empty[1];
	size_t got = 0;

	/* NULL would mean "the key of last time". */
	if (EVP_MAC_init(ctx, key.len == 0 ? empty : key.at, key.len, NULL) != 1)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (parts[i].len != 0 &&
			EVP_MAC_update(ctx, parts[i].at, parts[i].len) != 1)
			return false;
	}
	return EVP_MAC_final(ctx, out, &got, out_len) == 1 && got == out_len;
}

enum crypto_err prf(enum prf_alg alg, struct span key, const struct span *parts, size_t n,
	uint8_t *out)
{
	const struct prf_row *row = row_of(alg);
	EVP_MAC_CTX *ctx = hmac_new(row);
	bool ok = ctx != NULL && hmac_run(ctx, key, parts, n, out, row->len);

	EVP_MAC_CTX_free(ctx);
	return ok ? CRYPTO_OK : CRYPTO_REFUSED;
}

/* RFC 7296 2.13: T1 = prf(K, S | 1), Tn = prf(K, Tn-1 | S | n). */
enum crypto_err prf_plus(
	enum prf_alg alg, struct span key, struct span seed, uint8_t *out, size_t len)
{
	const struct prf_row *row = row_of(alg);
	uint8_t t[PRF_OUT_MAX];
	uint8_t count = 0;

	assert(row->len != 0 && len <= 255 * row->len);
	EVP_MAC_CTX *ctx = hmac_new(row);
	bool ok = ctx != NULL;
	while (ok && len > 0) {
		struct span parts[] = {
			span_of(t, count == 0 ? 0 : row->len), seed, span_of(&count, 1)};
		size_t take = len < row->len ? len : row->len;

		count++;
		ok = hmac_run(ctx, key, parts, 3, t, row->len);
		memcpy(out, t, take);
		out += take;
		len -= take;
	}
	wipe(t, sizeof t);
	EVP_MAC_CTX_free(ctx);
	return ok ? CRYPTO_OK : CRYPTO_REFUSED;
}
