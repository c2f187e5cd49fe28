/* xfrm/algorithm.c - a row for each algorithm of ESP. Keys are laid out alike: RFC 4106 8.1,
 * RFC 7634 2, RFC 4543 5.4; of a composed one the cipher's key stands first, the integrity key behind.
 */
#include "config.h"

#include "xfrm/algorithm.h"

#define WITH_HMAC(name, hash, bits)                                       \
	{                                                                 \
		.cipher = name, .mac = "hmac(" hash ")", .tag_bits = bits \
	}
#define CBC(hash, bits) WITH_HMAC("cbc(aes)", hash, bits)
/* RFC 2410: the key has no octets, but the attribute is there. */
#define NOT_ENCRYPTED(hash, bits) WITH_HMAC(ALGORITHM_NULL, hash, bits)

static const struct algorithm algorithms[AEAD_ALGS] = {
	[AEAD_AES128_GCM16] = {.aead = "rfc4106(gcm(aes))", .tag_bits = 128},
	[AEAD_AES256_GCM16] = {.aead = "rfc4106(gcm(aes))", .tag_bits = 128},
	[AEAD_CHACHA20_POLY1305] = {.aead = "rfc7539esp(chacha20,poly1305)",
		.tag_bits = 128},
	[AEAD_AES128_SHA256] = CBC("sha256", 128),
	[AEAD_AES128_SHA384] = CBC("sha384", 192),
	[AEAD_AES128_SHA512] = CBC("sha512", 256),
	[AEAD_AES256_SHA256] = CBC("sha256", 128),
	[AEAD_AES256_SHA384] = CBC("sha384", 192),
	[AEAD_AES256_SHA512] = CBC("sha512", 256),
	[AEAD_NULL_SHA256] = NOT_ENCRYPTED("sha256", 128),
	[AEAD_NULL_SHA384] = NOT_ENCRYPTED("sha384", 192),
	[AEAD_NULL_SHA512] = NOT_ENCRYPTED("sha512", 256),
	[AEAD_AES128_GMAC] = {.aead = "rfc4543(gcm(aes))", .tag_bits = 128},
	[AEAD_AES256_GMAC] = {.aead = "rfc4543(gcm(aes))", .tag_bits = 128},
};

const struct algorithm *algorithm_of(enum aead_alg alg)
{
	const struct algorithm *a = &algorithms[alg];

	return a->aead || a->cipher ? a : NULL;
}
