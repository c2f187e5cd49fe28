/* crypto/hash.c - plain digests: SHA-1 for NAT detection (RFC 7296 2.23), SHA-256 for
 * everything of our own.
 */
#include "crypto/prf.h"

#include <openssl/evp.h>

static enum crypto_err digest(
	const char *name, const struct span *parts, size_t n, uint8_t *out)
{
	EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = md != NULL && ctx != NULL && EVP_DigestInit_ex2(ctx, md, NULL) == 1;

	for (size_t i = 0; ok && i < n; i++)
		ok = EVP_DigestUpdate(ctx, parts[i].at, parts[i].len) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_MD_free(md);
	return ok ? CRYPTO_OK : CRYPTO_REFUSED;
}

enum crypto_err sha1(const struct span *parts, size_t n, uint8_t *out)
{
	return digest("SHA1", parts, n, out);
}

enum crypto_err sha256(const struct span *parts, size_t n, uint8_t *out)
{
	return digest("SHA2-256", parts, n, out);
}
