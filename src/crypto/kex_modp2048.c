/* crypto/kex_modp2048.c - the 2048-bit MODP group (RFC 3526 3), group 14.
 *
 * The private exponent has 320 bits, what RFC 3526 8 asks for at the group's higher
 * strength estimate; its top bit is set, so that its length, and with it the time of
 * the exponentiation, is the same for every key. Values are 256 octets, padded with
 * leading zeros (RFC 7296 2.14, 3.4). RFC 6989 2.1: the peer's value lies in [2, p-2];
 * p is a safe prime, so no more is needed.
 */
#include "crypto/kex_group.h"

#include <stdlib.h>

#include <openssl/bn.h>

enum { MODP_LEN = 256, EXPONENT_LEN = 40 };

struct modp_key {
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

static bool exponent_draw(BIGNUM *x, const struct entropy *e)
{
	uint8_t octets[EXPONENT_LEN];

	entropy_fill(e, octets, sizeof octets);
	octets[0] |= 0x80;
	bool ok = BN_bin2bn(octets, sizeof octets, x) != NULL;
	BN_set_flags(x, BN_FLG_CONSTTIME);
	wipe(octets, sizeof octets);
	return ok;
}

/* base^x mod p as MODP_LEN octets. */
static bool power(struct modp_key *key, const BIGNUM *base, uint8_t *out)
{
	BIGNUM *r = BN_secure_new();
	bool ok = r != NULL &&
		  BN_mod_exp_mont_consttime(
			  r, base, key->x, key->p, key->ctx, key->mont) == 1 &&
		  BN_bn2binpad(r, out, MODP_LEN) == MODP_LEN;

	BN_clear_free(r);
	return ok;
}

static bool modp_prepare(struct modp_key *key)
{
	key->ctx = BN_CTX_secure_new();
	key->mont = BN_MONT_CTX_new();
	key->p = BN_get_rfc3526_prime_2048(NULL);
	key->x = BN_secure_new();
	return key->ctx != NULL && key->mont != NULL && key->p != NULL &&
	       key->x != NULL && BN_MONT_CTX_set(key->mont, key->p, key->ctx) == 1;
}

static void *modp_make(const struct entropy *e, uint8_t *public)
{
	struct modp_key *key = calloc(1, sizeof *key);
	BIGNUM *g = BN_new();

	if (key == NULL || g == NULL || !modp_prepare(key) || BN_set_word(g, 2) != 1 ||
		!exponent_draw(key->x, e) || !power(key, g, public)) {
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

const struct kex_group kex_group_modp2048 = {
	.id = KE_MODP_2048,
	.name = "modp2048",
	.public_len = MODP_LEN,
	.secret_len = MODP_LEN,
	.make = modp_make,
	.agree = modp_agree,
	.free = modp_free,
};
