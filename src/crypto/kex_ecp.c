/* crypto/kex_ecp.c - the random ECP groups of 256, 384 and 521 bits (NIST P-256, P-384,
 * P-521; RFC 5903).
 *
 * A public value is x | y (RFC 5903 7); the shared secret is the x of the product. The
 * scalar is drawn uniformly from [1, n-1] by rejection. RFC 6989 2.3: the
 * peer's point must be on the curve and not infinity; the cofactor is one, so no more
 * is needed. OpenSSL's EVP layer would draw the key itself, hence its EC arithmetic,
 * which is constant-time for these curves.
 */
#include "crypto/kex_group.h"

#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

enum { FIELD_MAX = 66, POINT_MAX = 1 + 2 * FIELD_MAX };

struct curve {
	int nid;
	size_t field_len; /* of the scalar, too */
	uint8_t top; /* what of a scalar's first octet can be set */
};

struct ecp_key {
	const struct curve *curve;
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
	size_t len = key->curve->field_len;
	uint8_t octets[FIELD_MAX];
	bool ok;

	/* Rejected once in 2^32 draws, or less. */
	do {
		entropy_fill(e, octets, len);
		octets[0] &= key->curve->top;
		ok = BN_bin2bn(octets, (int)len, key->d) != NULL;
	} while (ok && (BN_is_zero(key->d) || BN_cmp(key->d, order) >= 0));
	wipe(octets, sizeof octets);
	BN_set_flags(key->d, BN_FLG_CONSTTIME);
	return ok;
}

/* x | y of a point; false for infinity. */
static bool point_write(const struct ecp_key *key, const EC_POINT *p, uint8_t *out)
{
	uint8_t octets[POINT_MAX] = {0};
	size_t len = 2 * key->curve->field_len;
	size_t n = EC_POINT_point2oct(key->group, p, POINT_CONVERSION_UNCOMPRESSED,
		octets, sizeof octets, NULL);

	memcpy(out, octets + 1, len);
	wipe(octets, sizeof octets);
	return n == 1 + len;
}

static void *ecp_make(const struct curve *curve, const struct entropy *e, uint8_t *public)
{
	EC_POINT *p = NULL;
	struct ecp_key *key = calloc(1, sizeof *key);

	if (key == NULL)
		return NULL;
	key->curve = curve;
	key->group = EC_GROUP_new_by_curve_name(curve->nid);
	key->d = BN_secure_new();
	if (key->group == NULL || key->d == NULL || !scalar_draw(key, e))
		goto refused;
	p = EC_POINT_new(key->group);
	if (p == NULL || EC_POINT_mul(key->group, p, key->d, NULL, NULL, NULL) != 1 ||
		!point_write(key, p, public))
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
	uint8_t octets[POINT_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
	uint8_t xy[2 * FIELD_MAX];
	enum crypto_err err = CRYPTO_REFUSED;
	EC_POINT *p = EC_POINT_new(key->group);

	if (p == NULL)
		return CRYPTO_REFUSED;
	memcpy(octets + 1, peer.at, peer.len);
	/* RFC 6989 2.3: fails for coordinates beyond the field and off the curve. */
	if (EC_POINT_oct2point(key->group, p, octets, 1 + peer.len, NULL) != 1) {
		err = CRYPTO_FORGED;
	} else if (EC_POINT_mul(key->group, p, NULL, p, key->d, NULL) == 1 &&
		   point_write(key, p, xy)) {
		memcpy(out, xy, key->curve->field_len);
		err = CRYPTO_OK;
	}
	wipe(xy, sizeof xy);
	EC_POINT_clear_free(p);
	return err;
}

static const struct curve p256 = {NID_X9_62_prime256v1, 32, 0xff};
static const struct curve p384 = {NID_secp384r1, 48, 0xff};
static const struct curve p521 = {NID_secp521r1, 66, 0x01};

static void *make_256(const struct entropy *e, uint8_t *public)
{
	return ecp_make(&p256, e, public);
}

static void *make_384(const struct entropy *e, uint8_t *public)
{
	return ecp_make(&p384, e, public);
}

static void *make_521(const struct entropy *e, uint8_t *public)
{
	return ecp_make(&p521, e, public);
}

const struct kex_group kex_group_ecp256 = {
	.id = KE_ECP_256,
	.name = "ecp256",
	.public_len = 64,
	.secret_len = 32,
	.make = make_256,
	.agree = ecp_agree,
	.free = ecp_free,
};

const struct kex_group kex_group_ecp384 = {
	.id = KE_ECP_384,
	.name = "ecp384",
	.work = 20,
	.public_len = 96,
	.secret_len = 48,
	.make = make_384,
	.agree = ecp_agree,
	.free = ecp_free,
};

const struct kex_group kex_group_ecp521 = {
	.id = KE_ECP_521,
	.name = "ecp521",
	.work = 6,
	.public_len = 132,
	.secret_len = 66,
	.make = make_521,
	.agree = ecp_agree,
	.free = ecp_free,
};
