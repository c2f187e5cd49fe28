/* crypto/aead.h - authenticated encryption for ESP and for the SK payload.
 *
 * One context per key and direction, reused for every packet: only the IV changes. The
 * IV on the wire is 8 octets, chosen by the caller, who answers for never using one
 * twice with one key (RFC 4106 3.1, RFC 5282, RFC 7634). Keying material is key plus
 * 4 octets of salt, as RFC 4106 8.1 and RFC 7634 2 take it from KEYMAT.
 *
 * Floor 1. Contexts are on the heap and not thread-safe.
 */
#ifndef VIPSEC_CRYPTO_AEAD_H
#define VIPSEC_CRYPTO_AEAD_H

#include "base/span.h"
#include "crypto/crypto.h"

enum aead_alg { AEAD_NONE, AEAD_AES128_GCM16, AEAD_AES256_GCM16, AEAD_CHACHA20_POLY1305 };

enum { AEAD_IV_LEN = 8, AEAD_TAG_LEN = 16, AEAD_SALT_LEN = 4 };

struct aead;

/* Octets of keying material, salt included; 0 for AEAD_NONE. */
size_t aead_keymat_len(enum aead_alg alg);
const char *aead_name(enum aead_alg alg); /* "aes128gcm16", ... */

/* Aborts on a wrong length (our fault); NULL when OpenSSL refuses (the world's). */
struct aead *aead_new(enum aead_alg alg, struct span keymat);
void aead_free(struct aead *a);

/* Writes text.len octets of ciphertext and the 16 of the tag to out. out may be
 * text.at (in place); otherwise they may not overlap. */
enum crypto_err aead_seal(struct aead *a, uint64_t iv, struct span aad, struct span text,
	uint8_t *out) CRYPTO_CHECKED;
/* sealed is ciphertext and tag; writes sealed.len - 16 octets. In place allowed. On
 * CRYPTO_FORGED the octets at out are wiped. */
enum crypto_err aead_open(struct aead *a, uint64_t iv, struct span aad,
	struct span sealed, uint8_t *out) CRYPTO_CHECKED;

#endif
