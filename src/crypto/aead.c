/* crypto/aead.c - AES-GCM, AES-GMAC and ChaCha20-Poly1305 over OpenSSL EVP; what is composed
 * is left to etm.c.
 *
 * Obeys RFC 4106 (GCM in ESP), RFC 5282 (in IKE), RFC 7634 and RFC 4543 3.2 to 3.4 (GMAC: all
 * of the packet is additional data, the IV included): the 12-octet nonce is the
 * salt followed by the 8-octet IV. The cipher is fetched and the key scheduled once, when
 * the context is made; a packet then costs one change of the IV (about 390 ns against 880
 * with a new context, 1400 octets). What the additional data contains, and that an IV is
 * never used twice, is the caller's matter.
 */
#include "crypto/aead.h"

#include "base/secret.h"
#include "crypto/etm.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include <openssl/evp.h>

enum { NONCE_LEN = AEAD_SALT_LEN + AEAD_IV_LEN };

struct aead {
	EVP_CIPHER_CTX *ctx; /* keyed; holds its own reference to the cipher */
	struct etm *etm; /* composed: this, and nothing else */
	bool gmac;
	uint8_t nonce[NONCE_LEN]; /* the salt stays, the IV changes */
};

struct alg_row {
	const char *name;
	const char *fetch_name;
	size_t key_len; /* of the cipher */
	struct etm_alg etm; /* composed */
	bool gmac;
};

#define AEAD(row_name, evp, octets)                                    \
	{                                                              \
		.name = row_name, .fetch_name = evp, .key_len = octets \
	}
#define GMAC(row_name, evp, octets)                                                  \
	{                                                                            \
		.name = row_name, .fetch_name = evp, .key_len = octets, .gmac = true \
	}
#define COMPOSED(row_name, cipher, octets, hash)                             \
	{                                                                    \
		.name = row_name, .key_len = octets,                         \
		.etm = {cipher, "SHA2-" #hash, octets, hash / 8, hash / 16}, \
	}

static const struct alg_row algs[] = {
	[AEAD_NONE] = {.name = "none"},
	[AEAD_AES128_GCM16] = AEAD("aes128gcm16", "AES-128-GCM", 16),
	[AEAD_AES256_GCM16] = AEAD("aes256gcm16", "AES-256-GCM", 32),
	[AEAD_CHACHA20_POLY1305] = AEAD("chacha20poly1305", "ChaCha20-Poly1305", 32),
	[AEAD_AES128_SHA256] = COMPOSED("aes128-sha256", "AES-128-CBC", 16, 256),
	[AEAD_AES128_SHA384] = COMPOSED("aes128-sha384", "AES-128-CBC", 16, 384),
	[AEAD_AES128_SHA512] = COMPOSED("aes128-sha512", "AES-128-CBC", 16, 512),
	[AEAD_AES256_SHA256] = COMPOSED("aes256-sha256", "AES-256-CBC", 32, 256),
	[AEAD_AES256_SHA384] = COMPOSED("aes256-sha384", "AES-256-CBC", 32, 384),
	[AEAD_AES256_SHA512] = COMPOSED("aes256-sha512", "AES-256-CBC", 32, 512),
	[AEAD_NULL_SHA256] = COMPOSED("null-sha256", NULL, 0, 256),
	[AEAD_NULL_SHA384] = COMPOSED("null-sha384", NULL, 0, 384),
	[AEAD_NULL_SHA512] = COMPOSED("null-sha512", NULL, 0, 512),
	[AEAD_AES128_GMAC] = GMAC("aes128gmac", "AES-128-GCM", 16),
	[AEAD_AES256_GMAC] = GMAC("aes256gmac", "AES-256-GCM", 32),
};

static const struct alg_row *row_of(enum aead_alg alg)
{
	assert((size_t)alg < sizeof algs / sizeof algs[0]);
	return &algs[alg];
}

static bool is_composed(const struct alg_row *row)
{
	return row->etm.mac_key_len != 0;
}

size_t aead_keymat_len(enum aead_alg alg)
{
	const struct alg_row *row = row_of(alg);

	if (is_composed(row))
		return row->key_len + row->etm.mac_key_len;
	return row->key_len == 0 ? 0 : row->key_len + AEAD_SALT_LEN;
}

size_t aead_mac_key_len(enum aead_alg alg)
{
	return row_of(alg)->etm.mac_key_len;
}

struct aead_shape aead_shape(enum aead_alg alg)
{
	const struct alg_row *row = row_of(alg);

	if (!is_composed(row))
		return (struct aead_shape){AEAD_IV_LEN, AEAD_TAG_LEN, 1};
	uint8_t block = (uint8_t)etm_block_len(&row->etm);
	return (struct aead_shape){
		block, (uint8_t)row->etm.tag_len, block != 0 ? block : 1};
}

const char *aead_name(enum aead_alg alg)
{
	return row_of(alg)->name;
}

const char *aead_mac_name(enum aead_alg alg)
{
	const struct alg_row *row = row_of(alg);

	assert(is_composed(row));
	return strchr(row->name, '-') + 1;
}

bool aead_encrypts(enum aead_alg alg)
{
	const struct alg_row *row = row_of(alg);

	return is_composed(row) ? row->etm.cipher != NULL : !row->gmac;
}

static struct aead *composed_new(const struct etm_alg *alg, const uint8_t *keymat)
{
	struct aead *a = calloc(1, sizeof *a);

	if (a != NULL)
		a->etm = etm_new(alg, keymat);
	if (a != NULL && a->etm == NULL) {
		free(a);
		return NULL;
	}
	return a;
}

struct aead *aead_new(enum aead_alg alg, struct span keymat)
{
	const struct alg_row *row = row_of(alg);
	assert(alg != AEAD_NONE && keymat.len == aead_keymat_len(alg));

	if (is_composed(row))
		return composed_new(&row->etm, keymat.at);
	struct aead *a = calloc(1, sizeof *a);
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, row->fetch_name, NULL);
	if (a == NULL || cipher == NULL)
		goto refused;
	a->gmac = row->gmac;
	/* RFC 4106 8.1, RFC 7634 2, RFC 4543 5.4: the salt is what follows the key. */
	memcpy(a->nonce, keymat.at + row->key_len, AEAD_SALT_LEN);
	a->ctx = EVP_CIPHER_CTX_new();
	if (a->ctx == NULL ||
		EVP_CipherInit_ex(a->ctx, cipher, NULL, keymat.at, NULL, 1) != 1)
		goto refused;
	assert(EVP_CIPHER_CTX_get_iv_length(a->ctx) == NONCE_LEN);
	EVP_CIPHER_free(cipher);
	return a;

refused:
	EVP_CIPHER_free(cipher);
	aead_free(a);
	return NULL;
}

void aead_free(struct aead *a)
{
	if (a == NULL)
		return;
	etm_free(a->etm);
	EVP_CIPHER_CTX_free(a->ctx); /* wipes its key schedule */
	wipe(a, sizeof *a);
	free(a);
}

static bool add(struct aead *a, struct span aad)
{
	int n;

	assert(aad.len <= INT_MAX);
	return aad.len == 0 ||
	       EVP_CipherUpdate(a->ctx, NULL, &n, aad.at, (int)aad.len) == 1;
}

static bool start(struct aead *a, uint64_t iv, struct span aad, bool seal)
{
	for (size_t i = 0; i < AEAD_IV_LEN; i++)
		a->nonce[AEAD_SALT_LEN + i] =
			(uint8_t)(iv >> (8 * (AEAD_IV_LEN - 1 - i)));
	return EVP_CipherInit_ex(a->ctx, NULL, NULL, NULL, a->nonce, seal) == 1 &&
	       add(a, aad);
}

static bool crypt(struct aead *a, const uint8_t *in, size_t len, uint8_t *out)
{
	int n = 0;

	assert(len <= INT_MAX);
	if (len == 0)
		return true;
	return EVP_CipherUpdate(a->ctx, out, &n, in, (int)len) == 1 && n == (int)len;
}

static bool get_tag(struct aead *a, uint8_t *tag)
{
	int n;

	return EVP_CipherFinal_ex(a->ctx, tag, &n) == 1 &&
	       EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_LEN, tag) == 1;
}

static bool set_tag(struct aead *a, uint8_t *tag)
{
	return EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_LEN, tag) == 1;
}

/* After set_tag() and all that it is about. tag: 16 octets that may be spoilt. */
static bool proves_right(struct aead *a, uint8_t *tag)
{
	int n;

	return EVP_CipherFinal_ex(a->ctx, tag, &n) == 1;
}

enum crypto_err aead_seal(
	struct aead *a, uint64_t iv, struct span aad, struct span text, uint8_t *out)
{
	uint8_t *tag = out + text.len;

	assert(a->etm == NULL && !a->gmac);
	if (!start(a, iv, aad, true) || !crypt(a, text.at, text.len, out) ||
		!get_tag(a, tag)) {
		/* Half a ciphertext must not leave by mistake. */
		wipe(out, text.len + AEAD_TAG_LEN);
		return CRYPTO_REFUSED;
	}
	return CRYPTO_OK;
}

enum crypto_err aead_open(
	struct aead *a, uint64_t iv, struct span aad, struct span sealed, uint8_t *out)
{
	uint8_t tag[AEAD_TAG_LEN];

	assert(a->etm == NULL && !a->gmac);
	if (sealed.len < AEAD_TAG_LEN)
		return CRYPTO_FORGED;
	size_t len = sealed.len - AEAD_TAG_LEN;
	/* A copy: the library wants a writable tag, and out may be where it stands. */
	memcpy(tag, sealed.at + len, AEAD_TAG_LEN);
	if (!start(a, iv, aad, false) || !crypt(a, sealed.at, len, out) ||
		!set_tag(a, tag)) {
		wipe(out, len);
		return CRYPTO_REFUSED;
	}
	if (!proves_right(a, tag)) {
		wipe(out, len);
		return CRYPTO_FORGED;
	}
	return CRYPTO_OK;
}

/* ---- RFC 4543: the text stays as it is, and stands in the additional data */

static enum crypto_err gmac_seal(struct aead *a, uint64_t n, struct span clear,
	const uint8_t *iv, uint8_t *text, size_t len)
{
	bool done = start(a, n, clear, true) && add(a, span_of(iv, AEAD_IV_LEN)) &&
		    add(a, span_of(text, len)) && get_tag(a, text + len);

	return done ? CRYPTO_OK : CRYPTO_REFUSED;
}

static enum crypto_err gmac_open(struct aead *a, uint64_t n, struct span clear,
	const uint8_t *iv, struct span sealed, uint8_t *out)
{
	uint8_t tag[AEAD_TAG_LEN];

	if (sealed.len < AEAD_TAG_LEN)
		return CRYPTO_FORGED;
	struct span text = span_of(sealed.at, sealed.len - AEAD_TAG_LEN);
	memcpy(tag, sealed.at + text.len, AEAD_TAG_LEN);
	if (!start(a, n, clear, false) || !set_tag(a, tag) ||
		!add(a, span_of(iv, AEAD_IV_LEN)) || !add(a, text))
		return CRYPTO_REFUSED;
	if (!proves_right(a, tag))
		return CRYPTO_FORGED;
	memmove(out, text.at, text.len);
	return CRYPTO_OK;
}

/* ---- whole packets */

enum crypto_err aead_tag(struct aead *a, const struct span *parts, size_t n, uint8_t *tag)
{
	assert(a->etm != NULL);
	return etm_tag(a->etm, parts, n, tag);
}

enum crypto_err aead_seal_packet(struct aead *a, uint64_t n, struct span clear,
	struct span tail, uint8_t *iv, uint8_t *text, size_t len)
{
	if (a->etm != NULL)
		return etm_seal(a->etm, n, clear, tail, iv, text, len);
	for (size_t i = 0; i < AEAD_IV_LEN; i++)
		iv[i] = (uint8_t)(n >> (8 * (AEAD_IV_LEN - 1 - i)));
	if (a->gmac)
		return gmac_seal(a, n, clear, iv, text, len);
	return aead_seal(a, n, clear, span_of(text, len), text);
}

enum crypto_err aead_open_packet(struct aead *a, struct span clear, struct span tail,
	const uint8_t *iv, struct span sealed, uint8_t *out)
{
	uint64_t n = 0;

	if (a->etm != NULL)
		return etm_open(a->etm, clear, tail, iv, sealed, out);
	for (size_t i = 0; i < AEAD_IV_LEN; i++)
		n = n << 8 | iv[i];
	if (a->gmac)
		return gmac_open(a, n, clear, iv, sealed, out);
	return aead_open(a, n, clear, sealed, out);
}
