/* crypto/aead.c - AES-GCM and ChaCha20-Poly1305 over OpenSSL EVP; what is composed is left
 * to etm.c.
 *
 * Obeys RFC 4106 (GCM in ESP), RFC 5282 (in IKE) and RFC 7634: the 12-octet nonce is the
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
	uint8_t nonce[NONCE_LEN]; /* the salt stays, the IV changes */
};

struct alg_row {
	const char *name;
	const char *fetch_name;
	size_t key_len;
	struct etm_alg etm; /* composed */
};

static const struct alg_row algs[] = {
	[AEAD_NONE] = {.name = "none"},
	[AEAD_AES128_GCM16] = {"aes128gcm16", "AES-128-GCM", 16, {0}},
	[AEAD_AES256_GCM16] = {"aes256gcm16", "AES-256-GCM", 32, {0}},
	[AEAD_CHACHA20_POLY1305] = {"chacha20poly1305", "ChaCha20-Poly1305", 32, {0}},
	[AEAD_AES128_SHA256] = {"aes128-sha256", NULL, 16,
		{"AES-128-CBC", "SHA2-256", 16, 32, 16}},
	[AEAD_AES128_SHA384] = {"aes128-sha384", NULL, 16,
		{"AES-128-CBC", "SHA2-384", 16, 48, 24}},
	[AEAD_AES128_SHA512] = {"aes128-sha512", NULL, 16,
		{"AES-128-CBC", "SHA2-512", 16, 64, 32}},
	[AEAD_AES256_SHA256] = {"aes256-sha256", NULL, 32,
		{"AES-256-CBC", "SHA2-256", 32, 32, 16}},
	[AEAD_AES256_SHA384] = {"aes256-sha384", NULL, 32,
		{"AES-256-CBC", "SHA2-384", 32, 48, 24}},
	[AEAD_AES256_SHA512] = {"aes256-sha512", NULL, 32,
		{"AES-256-CBC", "SHA2-512", 32, 64, 32}},
};

static const struct alg_row *row_of(enum aead_alg alg)
{
	assert((size_t)alg < sizeof algs / sizeof algs[0]);
	return &algs[alg];
}

size_t aead_keymat_len(enum aead_alg alg)
{
	const struct alg_row *row = row_of(alg);

	if (row->etm.cipher != NULL)
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

	if (row->etm.cipher == NULL)
		return (struct aead_shape){AEAD_IV_LEN, AEAD_TAG_LEN, 1};
	return (struct aead_shape){
		ETM_BLOCK_LEN, (uint8_t)row->etm.tag_len, ETM_BLOCK_LEN};
}

const char *aead_name(enum aead_alg alg)
{
	return row_of(alg)->name;
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
	assert(row->key_len != 0 && keymat.len == aead_keymat_len(alg));

	if (row->etm.cipher != NULL)
		return composed_new(&row->etm, keymat.at);
	struct aead *a = calloc(1, sizeof *a);
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, row->fetch_name, NULL);
	if (a == NULL || cipher == NULL)
		goto refused;
	/* RFC 4106 8.1, RFC 7634 2: the salt is what follows the key. */
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

static bool start(struct aead *a, uint64_t iv, struct span aad, bool seal)
{
	int n;

	assert(aad.len <= INT_MAX);
	for (size_t i = 0; i < AEAD_IV_LEN; i++)
		a->nonce[AEAD_SALT_LEN + i] =
			(uint8_t)(iv >> (8 * (AEAD_IV_LEN - 1 - i)));
	if (EVP_CipherInit_ex(a->ctx, NULL, NULL, NULL, a->nonce, seal) != 1)
		return false;
	return aad.len == 0 ||
	       EVP_CipherUpdate(a->ctx, NULL, &n, aad.at, (int)aad.len) == 1;
}

static bool crypt(struct aead *a, const uint8_t *in, size_t len, uint8_t *out)
{
	int n = 0;

	assert(len <= INT_MAX);
	if (len == 0)
		return true;
	return EVP_CipherUpdate(a->ctx, out, &n, in, (int)len) == 1 && n == (int)len;
}

enum crypto_err aead_seal(
	struct aead *a, uint64_t iv, struct span aad, struct span text, uint8_t *out)
{
	uint8_t *tag = out + text.len;
	int n;

	if (!start(a, iv, aad, true) || !crypt(a, text.at, text.len, out) ||
		EVP_CipherFinal_ex(a->ctx, tag, &n) != 1 ||
		EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_LEN, tag) !=
			1) {
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
	int n;

	if (sealed.len < AEAD_TAG_LEN)
		return CRYPTO_FORGED;
	size_t len = sealed.len - AEAD_TAG_LEN;
	/* A copy: the library wants a writable tag, and out may be where it stands. */
	memcpy(tag, sealed.at + len, AEAD_TAG_LEN);
	if (!start(a, iv, aad, false) || !crypt(a, sealed.at, len, out) ||
		EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_LEN, tag) !=
			1) {
		wipe(out, len);
		return CRYPTO_REFUSED;
	}
	if (EVP_CipherFinal_ex(a->ctx, tag, &n) != 1) {
		wipe(out, len);
		return CRYPTO_FORGED;
	}
	return CRYPTO_OK;
}

enum crypto_err aead_seal_packet(struct aead *a, uint64_t n, struct span clear,
	struct span tail, uint8_t *iv, uint8_t *text, size_t len)
{
	if (a->etm != NULL)
		return etm_seal(a->etm, n, clear, tail, iv, text, len);
	for (size_t i = 0; i < AEAD_IV_LEN; i++)
		iv[i] = (uint8_t)(n >> (8 * (AEAD_IV_LEN - 1 - i)));
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
	return aead_open(a, n, clear, sealed, out);
}
