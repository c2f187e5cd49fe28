/* crypto/kex_ecp256.c - the 256-bit random ECP group (NIST P-256, RFC 5903).
 *
 * A public value is x | y, 64 octets (RFC 5903 7); the shared secret is the x of the
 * product. The scalar is drawn uniformly from [1, n-1] by rejection. RFC 6989 2.3: the
 * peer's point must be on the curve and not infinity; the cofactor is one, so no more
 * is needed. OpenSSL's EVP layer would draw the key itself, hence its EC arithmetic,
 * which is constant-time for this curve.
 */
#include "crypto/kex_group.h"

#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

enum { FIELD_LEN = 32, POINT_LEN = 1 + 2 * FIELD_LEN };

struct ecp_key {
	EC_GROUP *group;
	BIGNUM *d;
};

static void ecp_free(void *private)
{
	struct ecp_key *key = private;

	if (key == NULL)
		return;
	EC_GROUP_free(key->group);
	BN_clear_free(key->d);
	free(key);
}

static bool scalar_draw(struct ecp_key *key, const struct entropy *e)
{
	const BIGNUM *order = EC_GROUP_get0_order(key->group);
	uint8_t octets[FIELD_LEN];
	bool ok;

	/* Rejected once in 2^32 draws. */
	do {
		entropy_fill(e, octets, sizeof octets);
		ok = BN_bin2bn(octets, sizeof octets, key->d) != NULL;
	} while (ok && (BN_is_zero(key->d) || BN_cmp(key->d, order) >= 0));
	wipe(octets, sizeof octets);
	BN_set_flags(key->d, BN_FLG_CONSTTIME);
	return ok;
}

/* x | y of a point; false for infinity. */
static bool point_write(const EC_GROUP *group, const EC_POINT *p, uint8_t *out)
{
	uint8_t octets[POINT_LEN];
	size_t n = EC_POINT_point2oct(
		group, p, POINT_CONVERSION_UNCOMPRESSED, octets, sizeof octets, NULL);

	memcpy(out, octets + 1, sizeof octets - 1);
	wipe(octets, sizeof octets);
	return n == POINT_LEN;
}

static void *ecp_make(const struct entropy *e, uint8_t *public)
{
	EC_POINT *p = NULL;
	struct ecp_key *key = calloc(1, sizeof *key);

	if (key == NULL)
		return NULL;
	key->group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	key->d = BN_secure_new();
	if (key->group == NULL || key->d == NULL || !scalar_draw(key, e))
		goto refused;
	p = EC_POINT_new(key->group);
	if (p == NULL || EC_POINT_mul(key->group, p, key->d, NULL, NULL, NULL) != 1 ||
		!point_write(key->group, p, public))
		goto refused;
	EC_POINT_free(p);
	return key;

refused:
	EC_POINT_free(p);
	ecp_free(key);
	return NULL;
}

static enum crypto_err ecp_agree(void *private, struct span peer, uint8_t *out)
{
	struct ecp_key *key = private;
	uint8_t octets[POINT_LEN] = {POINT_CONVERSION_UNCOMPRESSED};
	uint8_t xy[2 * FIELD_LEN];
	enum crypto_err err = CRYPTO_REFUSED;
	EC_POINT *p = EC_POINT_new(key->group);

	if (p == NULL)
		return CRYPTO_REFUSED;
	memcpy(octets + 1, peer.at, peer.len);
	/* RFC 6989 2.3: fails for coordinates beyond the field and off the curve. */
	if (EC_POINT_oct2point(key->group, p, octets, sizeof octets, NULL) != 1) {
		err = CRYPTO_FORGED;
	} else if (EC_POINT_mul(key->group, p, NULL, p, key->d, NULL) == 1 &&
		   point_write(key->group, p, xy)) {
		memcpy(out, xy, FIELD_LEN);
		err = CRYPTO_OK;
	}
	wipe(xy, sizeof xy);
	EC_POINT_clear_free(p);
	return err;
}

const struct kex_group kex_group_ecp256 = {
	.id = KE_ECP_256,
	.name = "ecp256",
	.public_len = 2 * FIELD_LEN,
	.secret_len = FIELD_LEN,
	.make = ecp_make,
	.agree = ecp_agree,
	.free = ecp_free,
};
