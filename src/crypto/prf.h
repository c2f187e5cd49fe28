/* crypto/prf.h - pseudorandom functions and what IKEv2 derives with them.
 *
 * RFC 7296 2.13 (prf+), 2.14, 2.15, 2.17; RFC 4868 for the HMACs.
 * Floor 1.
 */
#ifndef VIPSEC_CRYPTO_PRF_H
#define VIPSEC_CRYPTO_PRF_H

#include "base/secret.h"
#include "crypto/crypto.h"

enum prf_alg { PRF_NONE, PRF_SHA256, PRF_SHA384, PRF_SHA512 };

#define PRF_OUT_MAX 64

size_t prf_len(enum prf_alg alg); /* output and preferred key length, octets */
const char *prf_name(enum prf_alg alg);

/* prf(key, parts[0] | parts[1] | ...); out takes prf_len(alg) octets. */
enum crypto_err prf(enum prf_alg alg, struct span key, const struct span *parts, size_t n,
	uint8_t *out) CRYPTO_CHECKED;
/* prf+(key, seed), RFC 7296 2.13. len <= 255 * prf_len. */
enum crypto_err prf_plus(enum prf_alg alg, struct span key, struct span seed,
	uint8_t *out, size_t len) CRYPTO_CHECKED;

/* SHA-1, for NAT detection only (RFC 7296 2.23); out takes 20 octets. */
enum { SHA1_LEN = 20, SHA256_LEN = 32 };
enum crypto_err sha1(const struct span *parts, size_t n, uint8_t *out) CRYPTO_CHECKED;
enum crypto_err sha256(const struct span *parts, size_t n, uint8_t *out) CRYPTO_CHECKED;

#endif
