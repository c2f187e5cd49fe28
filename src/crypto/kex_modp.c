/* crypto/kex_modp.c - the MODP groups of 2048, 3072 and 4096 bits (RFC 3526 3, 4, 5).
 *
 * The private exponent is as long as RFC 3526 8 asks for at the group's higher
 * strength estimate; its top bit is set, so that its length, and with it the time of
 * the exponentiation, is the same for every key. Values are as long as the prime, padded
 * with leading zeros (RFC 7296 2.14, 3.4). RFC 6989 2.1: the peer's value lies in [2, p-2];
 * p is a safe prime, so no more is needed.
 */
#include "crypto/kex_group.h"

#include <stdlib.h>

#include <openssl/bn.h>

enum { EXPONENT_MAX = 60 };

struct prime {
	BIGNUM *(*get)(BIGNUM *);
	size_t len, exponent_len; /* octets */
};

struct modp_key {
	const struct prime *prime;
	BN_CTX *ctx;
	BN_MONT_CTX *mont;
	BIGNUM *p;
	BIGNUM *x;
};

static void modp_free(void *private)
{
	struct modp_key *key = private;

	if (key == NULL)
		return;
	BN_clear_free(key->x);
	BN_free(key->p);
	BN_MONT_CTX_free(key->mont);
	BN_CTX_free(key->ctx);
	free(key);
}

static bool exponent_draw(BIGNUM *x, size_t len, const struct entropy *e)
{
	uint8_t octets[EXPONENT_MAX];

	entropy_fill(e, octets, len);
	octets[0] |= 0x80;
	bool ok = BN_bin2bn(octets, (int)len, x) != NULL;
	BN_set_flags(x, BN_FLG_CONSTTIME);
	wipe(octets, sizeof octets);
	return ok;
}

/* base^x mod p, as long as p. */
static bool power(struct modp_key *key, const BIGNUM *base, uint8_t *out)
{
	BIGNUM *r = BN_secure_new();
	int len = (int)key->prime->len;
	bool ok = r != NULL &&
		  BN_mod_exp_mont_consttime(
			  r, base, key->x, key->p, key->ctx, key->mont) == 1 &&
		  BN_bn2binpad(r, out, len) == len;

	BN_clear_free(r);
	return ok;
}

static bool modp_prepare(struct modp_key *key)
{
	key->ctx = BN_CTX_secure_new();
	key->mont = BN_MONT_CTX_new();
	key->p = key->prime->get(NULL);
	key->x = BN_secure_new();
	return key->ctx != NULL && key->mont != NULL && key->p != NULL &&
	       key->x != NULL && BN_MONT_CTX_set(key->mont, key->p, key->ctx) == 1;
}

static void *modp_make(
	const struct prime *prime, const struct entropy *e, uint8_t *public)
{
	struct modp_key *key = calloc(1, sizeof *key);
	BIGNUM *g = BN_new();

	if (key != NULL)
		key->prime = prime;
	if (key == NULL || g == NULL || !modp_prepare(key) || BN_set_word(g, 2) != 1 ||
		!exponent_draw(key->x, prime->exponent_len, e) ||
		!power(key, g, public)) {
		modp_free(key);
		key = NULL;
	}
	BN_free(g);
	return key;
}

/* RFC 6989 2.1: 1 < y < p - 1. */
static bool in_range(const BIGNUM *y, const BIGNUM *p)
{
	BIGNUM *top = BN_dup(p);
	bool ok = top != NULL && BN_sub_word(top, 1) == 1 &&
		  BN_cmp(y, BN_value_one()) > 0 && BN_cmp(y, top) < 0;

	BN_free(top);
	return ok;
}

static enum crypto_err modp_agree(void *private, struct span peer, uint8_t *out)
{
	struct modp_key *key = private;
	BIGNUM *y = BN_bin2bn(peer.at, (int)peer.len, NULL);
	enum crypto_err err = CRYPTO_REFUSED;

	if (y == NULL)
		return CRYPTO_REFUSED;
	if (!in_range(y, key->p))
		err = CRYPTO_FORGED;
	else if (power(key, y, out))
		err = CRYPTO_OK;
	BN_free(y);
	return err;
}

static const struct prime prime_2048 = {BN_get_rfc3526_prime_2048, 256, 40};
static const struct prime prime_3072 = {BN_get_rfc3526_prime_3072, 384, 53};
static const struct prime prime_4096 = {BN_get_rfc3526_prime_4096, 512, 60};

static void *make_2048(const struct entropy *e, uint8_t *public)
{
	return modp_make(&prime_2048, e, public);
}

static void *make_3072(const struct entropy *e, uint8_t *public)
{
	return modp_make(&prime_3072, e, public);
}

static void *make_4096(const struct entropy *e, uint8_t *public)
{
	return modp_make(&prime_4096, e, public);
}

const struct kex_group kex_group_modp2048 = {
	.id = KE_MODP_2048,
	.name = "modp2048",
	.work = 10,
	.public_len = 256,
	.secret_len = 256,
	.make = make_2048,
	.agree = modp_agree,
	.free = modp_free,
};

const struct kex_group kex_group_modp3072 = {
	.id = KE_MODP_3072,
	.name = "modp3072",
	.work = 30,
	.public_len = 384,
	.secret_len = 384,
	.make = make_3072,
	.agree = modp_agree,
	.free = modp_free,
};

const struct kex_group kex_group_modp4096 = {
	.id = KE_MODP_4096,
	.name = "modp4096",
	.work = 60,
	.public_len = 512,
	.secret_len = 512,
	.make = make_4096,
	.agree = modp_agree,
	.free = modp_free,
};
