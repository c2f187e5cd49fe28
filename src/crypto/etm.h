/* crypto/etm.h - AES-CBC and HMAC-SHA2, encrypted first and authenticated then, as ESP and
 * the SK payload of IKE use them (RFC 3602, 4868, RFC 7296 3.14); or HMAC-SHA2 alone, as ESP
 * uses it with NULL for the cipher (RFC 2410).
 *
 * Keying material is the cipher's key and then the HMAC's (RFC 4303 and RFC 7296 2.17). What
 * is authenticated: clear | IV | ciphertext | tail. Private to the room: aead.h is its face.
 *
 * Contexts are on the heap and not thread-safe.
 */
#ifndef VIPSEC_CRYPTO_ETM_H
#define VIPSEC_CRYPTO_ETM_H

#include "base/span.h"
#include "crypto/crypto.h"

enum { ETM_BLOCK_LEN = 16 };

struct etm_alg {
	const char *cipher; /* NULL: none, and so no IV and no blocks */
	const char *digest;
	size_t key_len;
	size_t mac_key_len; /* RFC 4868 2.1.1: as long as the digest */
	size_t tag_len; /* RFC 4868 2.1.3: half of it */
};

struct etm;

/* NULL: the library refuses. */
struct etm *etm_new(const struct etm_alg *alg, const uint8_t *keymat);
void etm_free(struct etm *e);

size_t etm_block_len(const struct etm_alg *alg); /* of text and IV: 16; 0: no cipher */

/* Writes the IV that n makes: as unpredictable as the key is secret, and never the same for
 * two n. text, a multiple of the block, is encrypted in place; the tag goes behind. */
enum crypto_err etm_seal(struct etm *e, uint64_t n, struct span clear, struct span tail,
	uint8_t *iv, uint8_t *text, size_t len) CRYPTO_CHECKED;
/* sealed: ciphertext and tag. Nothing is decrypted before the tag proved right. out may be
 * sealed.at. */
enum crypto_err etm_open(struct etm *e, struct span clear, struct span tail,
	const uint8_t *iv, struct span sealed, uint8_t *out) CRYPTO_CHECKED;

/* The HMAC alone, of these octets, one behind the other. */
enum crypto_err etm_tag(
	struct etm *e, const struct span *parts, size_t n, uint8_t *tag) CRYPTO_CHECKED;

#endif
