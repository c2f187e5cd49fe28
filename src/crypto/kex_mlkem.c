/* crypto/kex_mlkem.c - ML-KEM-512, ML-KEM-768 and ML-KEM-1024 (FIPS 203, as
 * draft-ietf-ipsecme-ikev2-mlkem has them in IKEv2), by OpenSSL 3.5 or later.
 *
 * The initiator sends an encapsulation key, the responder a ciphertext; a ciphertext that was
 * not made for the key gives another secret, and no error. What FIPS 203 7.2 asks of a key is
 * checked by the library when it is read. Keys are made of a seed of ours, and so is the
 * randomness of encapsulation, so that a run can be repeated.
 *
 * Built only where OpenSSL has it; otherwise kex_mlkem_none.c is.
 */
#include "crypto/kex_group.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

enum { SEED_LEN = 64, M_LEN = 32, SECRET_LEN = 32 };

/* OSSL_PKEY_PARAM_ML_KEM_SEED: d | z; OSSL_KEM_PARAM_IKME: m. Written out, for the test of
 * this file is built with an older OpenSSL, too. */
static const char PARAM_SEED[] = "seed", PARAM_M[] = "ikme";

struct set {
	const char *name;
	size_t key_len, ciphertext_len;
};
static const struct set set_512 = {"ML-KEM-512", 800, 768};
static const struct set set_768 = {"ML-KEM-768", 1184, 1088};
static const struct set set_1024 = {"ML-KEM-1024", 1568, 1568};

static void mlkem_free(void *private)
{
	EVP_PKEY_free(private);
}

static EVP_PKEY *key_from_seed(const struct set *s, uint8_t *seed)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, s->name, NULL);
	EVP_PKEY *key = NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(PARAM_SEED, seed, SEED_LEN),
		OSSL_PARAM_construct_end()};

	if (ctx == NULL || EVP_PKEY_keygen_init(ctx) != 1 ||
		EVP_PKEY_CTX_set_params(ctx, params) != 1 ||
		EVP_PKEY_keygen(ctx, &key) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void *make(const struct set *s, const struct entropy *e, uint8_t *public)
{
	uint8_t seed[SEED_LEN];
	size_t len = 0;

	entropy_fill(e, seed, sizeof seed);
	EVP_PKEY *key = key_from_seed(s, seed);
	wipe(seed, sizeof seed);
	if (key != NULL &&
		EVP_PKEY_get_octet_string_param(
			key, OSSL_PKEY_PARAM_PUB_KEY, public, s->key_len, &len) == 1 &&
		len == s->key_len)
		return key;
	mlkem_free(key);
	return NULL;
}

static enum crypto_err decapsulate(void *private, struct span peer, uint8_t *out)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, private, NULL);
	size_t len = SECRET_LEN;
	enum crypto_err err = CRYPTO_REFUSED;

	if (ctx != NULL && EVP_PKEY_decapsulate_init(ctx, NULL) == 1)
		err = EVP_PKEY_decapsulate(ctx, out, &len, peer.at, peer.len) == 1 &&
				      len == SECRET_LEN
			      ? CRYPTO_OK
			      : CRYPTO_FORGED;
	EVP_PKEY_CTX_free(ctx);
	return err;
}

static enum crypto_err encapsulate_to(
	const struct set *s, EVP_PKEY *theirs, uint8_t *m, uint8_t *answer, uint8_t *out)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, theirs, NULL);
	size_t answer_len = s->ciphertext_len, len = SECRET_LEN;
	OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(PARAM_M, m, M_LEN),
		OSSL_PARAM_construct_end()};
	bool ok = ctx != NULL && EVP_PKEY_encapsulate_init(ctx, params) == 1 &&
		  EVP_PKEY_encapsulate(ctx, answer, &answer_len, out, &len) == 1 &&
		  answer_len == s->ciphertext_len && len == SECRET_LEN;

	EVP_PKEY_CTX_free(ctx);
	return ok ? CRYPTO_OK : CRYPTO_REFUSED;
}

static enum crypto_err encapsulate(const struct set *s, const struct entropy *e,
	struct span peer, uint8_t *answer, uint8_t *out)
{
	uint8_t m[M_LEN];
	EVP_PKEY *theirs =
		EVP_PKEY_new_raw_public_key_ex(NULL, s->name, NULL, peer.at, peer.len);

	if (theirs == NULL)
		return CRYPTO_FORGED;
	entropy_fill(e, m, sizeof m);
	enum crypto_err err = encapsulate_to(s, theirs, m, answer, out);
	wipe(m, sizeof m);
	EVP_PKEY_free(theirs);
	return err;
}

static void *make_512(const struct entropy *e, uint8_t *public)
{
	return make(&set_512, e, public);
}

static enum crypto_err encapsulate_512(
	const struct entropy *e, struct span peer, uint8_t *answer, uint8_t *out)
{
	return encapsulate(&set_512, e, peer, answer, out);
}

static void *make_768(const struct entropy *e, uint8_t *public)
{
	return make(&set_768, e, public);
}

static enum crypto_err encapsulate_768(
	const struct entropy *e, struct span peer, uint8_t *answer, uint8_t *out)
{
	return encapsulate(&set_768, e, peer, answer, out);
}

static void *make_1024(const struct entropy *e, uint8_t *public)
{
	return make(&set_1024, e, public);
}

static enum crypto_err encapsulate_1024(
	const struct entropy *e, struct span peer, uint8_t *answer, uint8_t *out)
{
	return encapsulate(&set_1024, e, peer, answer, out);
}

static const struct kex_group mlkem512 = {
	.id = KE_ML_KEM_512,
	.name = "mlkem512",
	.work = 2,
	.public_len = 800,
	.answer_len = 768,
	.secret_len = SECRET_LEN,
	.make = make_512,
	.agree = decapsulate,
	.encapsulate = encapsulate_512,
	.free = mlkem_free,
};

static const struct kex_group mlkem768 = {
	.id = KE_ML_KEM_768,
	.name = "mlkem768",
	.work = 2,
	.public_len = 1184,
	.answer_len = 1088,
	.secret_len = SECRET_LEN,
	.make = make_768,
	.agree = decapsulate,
	.encapsulate = encapsulate_768,
	.free = mlkem_free,
};

static const struct kex_group mlkem1024 = {
	.id = KE_ML_KEM_1024,
	.name = "mlkem1024",
	.work = 2,
	.public_len = 1568,
	.answer_len = 1568,
	.secret_len = SECRET_LEN,
	.make = make_1024,
	.agree = decapsulate,
	.encapsulate = encapsulate_1024,
	.free = mlkem_free,
};

const struct kex_group *const kex_groups_mlkem[] = {
	&mlkem512, &mlkem768, &mlkem1024, NULL};
