/* crypto/aead.h - authenticated encryption for ESP and for the SK payload: AES-GCM,
 * ChaCha20-Poly1305, and AES-CBC with HMAC-SHA2, for peers that have nothing better; and, for
 * ESP alone, integrity without encryption (RFC 2410, RFC 4543).
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

enum aead_alg {
	AEAD_NONE,
	AEAD_AES128_GCM16,
	AEAD_AES256_GCM16,
	AEAD_CHACHA20_POLY1305,
	/* composed of a cipher and an integrity algorithm, encrypted first (etm.h) */
	AEAD_AES128_SHA256,
	AEAD_AES128_SHA384,
	AEAD_AES128_SHA512,
	AEAD_AES256_SHA256,
	AEAD_AES256_SHA384,
	AEAD_AES256_SHA512,
	/* integrity only: what they seal everybody can read. The first three composed, too */
	AEAD_NULL_SHA256,
	AEAD_NULL_SHA384,
	AEAD_NULL_SHA512,
	AEAD_AES128_GMAC,
	AEAD_AES256_GMAC,
	AEAD_ALGS
};

/* Of the ones that are not composed. */
enum { AEAD_IV_LEN = 8, AEAD_TAG_LEN = 16, AEAD_SALT_LEN = 4 };
/* Of all. */
enum { AEAD_IV_MAX = 16, AEAD_TAG_MAX = 32, AEAD_BLOCK_MAX = 16 };

/* What a packet looks like around its text. */
struct aead_shape {
	uint8_t iv_len, tag_len;
	uint8_t block_len; /* the text is padded to a multiple of it; 1: not at all */
};
struct aead_shape aead_shape(enum aead_alg alg); /* AEAD_NONE: that of most */

struct aead;

/* Octets of keying material: salt, or the integrity key, included; 0 for AEAD_NONE. */
size_t aead_keymat_len(enum aead_alg alg);
/* Of these the ones at the end that are an integrity key; 0: not composed. */
size_t aead_mac_key_len(enum aead_alg alg);
const char *aead_name(enum aead_alg alg); /* "aes128gcm16", "aes256-sha256", ... */
const char *aead_mac_name(enum aead_alg alg); /* of a composed one: "sha256", ... */
bool aead_encrypts(enum aead_alg alg); /* false: integrity only */

/* Aborts on a wrong length (our fault); NULL when OpenSSL refuses (the world's). */
struct aead *aead_new(enum aead_alg alg, struct span keymat);
void aead_free(struct aead *a);

/* A whole packet, of every algorithm: clear | IV | text | tag. Writes IV and tag, seals len
 * octets in place. n is what was said of the IV above, from which it is made. tail is
 * authenticated behind the text where the algorithm is composed, and else ignored. */
enum crypto_err aead_seal_packet(struct aead *a, uint64_t n, struct span clear,
	struct span tail, uint8_t *iv, uint8_t *text, size_t len) CRYPTO_CHECKED;
/* sealed: ciphertext and tag; the text goes to out, which may be sealed.at. */
enum crypto_err aead_open_packet(struct aead *a, struct span clear, struct span tail,
	const uint8_t *iv, struct span sealed, uint8_t *out) CRYPTO_CHECKED;

/* Of NULL with HMAC-SHA2, the HMAC alone, as AH wants it: the tag of these octets, one behind
 * the other. */
enum crypto_err aead_tag(
	struct aead *a, const struct span *parts, size_t n, uint8_t *tag) CRYPTO_CHECKED;

/* Not for composed ones, nor without encryption. Writes text.len octets of ciphertext and the 16 of the tag to out. out may be
 * text.at (in place); otherwise they may not overlap. */
enum crypto_err aead_seal(struct aead *a, uint64_t iv, struct span aad, struct span text,
	uint8_t *out) CRYPTO_CHECKED;
/* sealed is ciphertext and tag; writes sealed.len - 16 octets. In place allowed. On
 * CRYPTO_FORGED the octets at out are wiped. */
enum crypto_err aead_open(struct aead *a, uint64_t iv, struct span aad,
	struct span sealed, uint8_t *out) CRYPTO_CHECKED;

#endif
