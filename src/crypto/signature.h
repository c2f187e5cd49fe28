/* crypto/signature.h - the AUTH payload's digital signatures, made and checked.
 *
 * What is signed is the caller's matter (RFC 7296 2.15); which algorithm, and how it is
 * told to the peer, is decided here: RFC 7427 with its AlgorithmIdentifier where the peer
 * has it, else the old methods of ECDSA (RFC 4754). SHA-1 is neither made nor believed.
 *
 * Floor 1.
 */
#ifndef VIPSEC_CRYPTO_SIGNATURE_H
#define VIPSEC_CRYPTO_SIGNATURE_H

#include "crypto/private_key.h"

/* Sets of RFC 7427 hash algorithms: bit n is number n of IANA's registry. */
#define HASH_BIT(id) ((uint16_t)(1u << (id)))
enum signature_hash { HASH_SHA2_256 = 2, HASH_SHA2_384, HASH_SHA2_512, HASH_IDENTITY };
enum {
	HASHES_OURS = 1 << HASH_SHA2_256 | 1 << HASH_SHA2_384 | 1 << HASH_SHA2_512 |
		      1 << HASH_IDENTITY
};

enum { SIGNATURE_MAX = 1200 }; /* RSA with 8192 bits, and the algorithm's name */

struct signature {
	uint8_t method; /* enum auth_method */
	size_t len;
	uint8_t b[SIGNATURE_MAX]; /* Authentication Data */
};

/* hashes: the peer's; 0: it has not said that it knows RFC 7427. On refusal why says what
 * is missing (static text). */
enum crypto_err signature_make(const struct private_key *key, uint16_t hashes,
	const struct span *parts, size_t n, struct signature *out,
	const char **why) CRYPTO_CHECKED;
/* CRYPTO_FORGED: it is not this certificate's signature of the parts. CRYPTO_REFUSED: of a
 * kind that is not accepted, see why (static text). */
enum crypto_err signature_check(const struct certificate *c, uint8_t method,
	struct span data, const struct span *parts, size_t n,
	const char **why) CRYPTO_CHECKED;

#endif
