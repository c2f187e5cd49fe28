/* crypto/signature.c - digital signatures over OpenSSL EVP.
 *
 * Obeys RFC 7427 3 (AlgorithmIdentifier in front of the signature), RFC 8420 (Ed25519),
 * RFC 8247 3.1, 3.2 (no SHA-1; RSASSA-PSS when we sign with RSA) and RFC 4754 7 (the old
 * ECDSA methods: r and s side by side). Leaves the octets that are signed to ike/.
 */
#include "crypto/pki.h"
#include "crypto/signature.h"

#include <assert.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "base/iana.h"
#include "base/mem.h"

enum scheme { SCHEME_PLAIN, SCHEME_PSS }; /* PLAIN: PKCS#1 v1.5, ECDSA or Ed25519 */

/* One way to sign. */
struct way {
	enum key_kind kind;
	enum scheme scheme;
	int hash; /* enum signature_hash */
	int salt_len; /* PSS */
};

static const char *digest_name(int hash)
{
	switch (hash) {
	case HASH_SHA2_256:
		return "SHA2-256";
	case HASH_SHA2_384:
		return "SHA2-384";
	case HASH_SHA2_512:
		return "SHA2-512";
	default:
		return NULL; /* Ed25519 has its own inside */
	}
}

/* Ed25519 takes the message in one piece. */
static struct span joined(const struct span *parts, size_t n)
{
	size_t len = 0, at = 0;

	for (size_t i = 0; i < n; i++)
		len += parts[i].len;
	uint8_t *whole = mem_new(1, len + 1);
	for (size_t i = 0; i < n; i++) {
		if (parts[i].len > 0)
			memcpy(whole + at, parts[i].at, parts[i].len);
		at += parts[i].len;
	}
	return span_of(whole, len);
}

static void joined_free(struct span whole)
{
	free((void *)(uintptr_t)whole.at);
}

static bool set_way(EVP_PKEY_CTX *ctx, const struct way *w)
{
	if (w->kind != KEY_RSA)
		return true;
	if (w->scheme == SCHEME_PLAIN)
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, digest_name(w->hash), NULL) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, w->salt_len) == 1;
}

/* ---- making */

/* The hash that suits the key best, of those that the peer knows (RFC 7427 4: one of its
 * list MUST be taken). 0: none. */
static int choose_hash(enum key_kind kind, uint16_t hashes)
{
	static const uint8_t by_kind[][3] = {
		[KEY_RSA] = {HASH_SHA2_256, HASH_SHA2_384, HASH_SHA2_512},
		[KEY_P256] = {HASH_SHA2_256, HASH_SHA2_384, HASH_SHA2_512},
		[KEY_P384] = {HASH_SHA2_384, HASH_SHA2_512, HASH_SHA2_256},
		[KEY_P521] = {HASH_SHA2_512, HASH_SHA2_384, HASH_SHA2_256},
		[KEY_ED25519] = {HASH_IDENTITY, HASH_IDENTITY, HASH_IDENTITY},
	};

	for (size_t i = 0; kind != KEY_OTHER && i < 3; i++)
		if (hashes & HASH_BIT(by_kind[kind][i]))
			return by_kind[kind][i];
	return 0;
}

static int salt_of(int hash)
{
	return hash == HASH_SHA2_256 ? 32 : hash == HASH_SHA2_384 ? 48 : 64;
}

/* Of the old methods, those that tie hash and curve together (RFC 4754 3). */
static const struct {
	uint8_t method;
	enum key_kind kind;
	int hash;
	int half; /* octets of r, and of s */
} old_ways[] = {
	{AUTH_ECDSA_256, KEY_P256, HASH_SHA2_256, 32},
	{AUTH_ECDSA_384, KEY_P384, HASH_SHA2_384, 48},
	{AUTH_ECDSA_521, KEY_P521, HASH_SHA2_512, 66},
};
enum { OLD_WAYS = sizeof(old_ways) / sizeof(old_ways[0]) };

/* Signature without its name. *algorithm, when wanted, is the DER name of it. */
static bool sign(EVP_PKEY *pkey, const struct way *w, struct span text, uint8_t *out,
	size_t *len, uint8_t *algorithm, size_t *algorithm_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	bool ok = ctx &&
		  EVP_DigestSignInit_ex(ctx, &pctx, digest_name(w->hash), NULL, NULL,
			  pkey, NULL) == 1 &&
		  set_way(pctx, w);

	if (ok && algorithm) {
		OSSL_PARAM ask[2] = {OSSL_PARAM_construct_octet_string(
					     OSSL_SIGNATURE_PARAM_ALGORITHM_ID, algorithm,
					     *algorithm_len),
			OSSL_PARAM_construct_end()};
		ok = EVP_PKEY_CTX_get_params(pctx, ask) == 1;
		*algorithm_len = ask[0].return_size;
	}
	ok = ok && EVP_DigestSign(ctx, out, len, text.at, text.len) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

/* RFC 7427 3: length of the name, the name, the signature. */
static bool make_new(
	EVP_PKEY *pkey, const struct way *w, struct span text, struct signature *out)
{
	uint8_t algorithm[128];
	size_t name_len = sizeof(algorithm);
	size_t len = SIGNATURE_MAX - 1 - sizeof(algorithm);

	if (!sign(pkey, w, text, out->b + 1 + sizeof(algorithm), &len, algorithm,
		    &name_len) ||
		name_len > sizeof(algorithm))
		return false;
	out->b[0] = (uint8_t)name_len;
	memmove(out->b + 1 + name_len, out->b + 1 + sizeof(algorithm), len);
	memcpy(out->b + 1, algorithm, name_len);
	out->len = 1 + name_len + len;
	out->method = AUTH_DIGITAL_SIGNATURE;
	return true;
}

/* RFC 4754 7: r and s, each as long as the group's order. */
static bool make_old(EVP_PKEY *pkey, size_t old, struct span text, struct signature *out)
{
	struct way w = {.kind = old_ways[old].kind, .hash = old_ways[old].hash};
	int half = old_ways[old].half;
	uint8_t der[160];
	const uint8_t *at = der;
	size_t len = sizeof(der);

	if (!sign(pkey, &w, text, der, &len, NULL, NULL))
		return false;
	ECDSA_SIG *rs = d2i_ECDSA_SIG(NULL, &at, (long)len);
	bool ok = rs && BN_bn2binpad(ECDSA_SIG_get0_r(rs), out->b, half) == half &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(rs), out->b + half, half) == half;
	ECDSA_SIG_free(rs);
	out->len = 2 * (size_t)half;
	out->method = old_ways[old].method;
	return ok;
}

static bool make(EVP_PKEY *pkey, uint16_t hashes, struct span text, struct signature *out,
	const char **why)
{
	struct way w = {.kind = key_kind_of(pkey)};

	*why = "OpenSSL cannot sign with our key";
	if (hashes != 0) {
		w.hash = choose_hash(w.kind, hashes);
		w.scheme = w.kind == KEY_RSA ? SCHEME_PSS : SCHEME_PLAIN;
		w.salt_len = salt_of(w.hash);
		if (w.hash != 0)
			return make_new(pkey, &w, text, out);
		*why = "the peer knows no signature hash that our key can be used with";
		return false;
	}
	for (size_t i = 0; i < OLD_WAYS; i++)
		if (old_ways[i].kind == w.kind)
			return make_old(pkey, i, text, out);
	*why = "the peer does not know RFC 7427, without which our key would need SHA-1 "
	       "or "
	       "has no method: use an ECDSA certificate, or a newer peer";
	return false;
}

enum crypto_err signature_make(const struct private_key *key, uint16_t hashes,
	const struct span *parts, size_t n, struct signature *out, const char **why)
{
	struct span text = joined(parts, n);
	bool ok = make(key->pkey, hashes, text, out, why);

	joined_free(text);
	ERR_clear_error();
	return ok ? CRYPTO_OK : CRYPTO_REFUSED;
}

/* ---- checking */

static bool verify(
	EVP_PKEY *pkey, const struct way *w, struct span text, struct span signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	bool ok = ctx &&
		  EVP_DigestVerifyInit_ex(ctx, &pctx, digest_name(w->hash), NULL, NULL,
			  pkey, NULL) == 1 &&
		  set_way(pctx, w) &&
		  EVP_DigestVerify(ctx, signature.at, signature.len, text.at, text.len) ==
			  1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

static int hash_of_nid(int nid)
{
	switch (nid) {
	case NID_sha256:
		return HASH_SHA2_256;
	case NID_sha384:
		return HASH_SHA2_384;
	case NID_sha512:
		return HASH_SHA2_512;
	default:
		return 0;
	}
}

static int hash_of_algor(const X509_ALGOR *a)
{
	const ASN1_OBJECT *object;

	if (!a) /* RFC 4055 3.1: the default is SHA-1 */
		return 0;
	X509_ALGOR_get0(&object, NULL, NULL, a);
	return hash_of_nid(OBJ_obj2nid(object));
}

/* RFC 7427 A.4: the mask is made with the same hash. */
static bool pss_way(const X509_ALGOR *a, struct way *w)
{
	RSA_PSS_PARAMS *p =
		ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(RSA_PSS_PARAMS), a->parameter);
	X509_ALGOR *mask = NULL;
	bool ok = false;

	if (p && p->maskGenAlgorithm &&
		OBJ_obj2nid(p->maskGenAlgorithm->algorithm) == NID_mgf1)
		mask = ASN1_TYPE_unpack_sequence(
			ASN1_ITEM_rptr(X509_ALGOR), p->maskGenAlgorithm->parameter);
	if (p && mask && p->saltLength) {
		w->scheme = SCHEME_PSS;
		w->hash = hash_of_algor(p->hashAlgorithm);
		long salt = ASN1_INTEGER_get(p->saltLength);
		w->salt_len = salt >= 0 && salt <= 64 ? (int)salt : -1;
		ok = w->hash != 0 && hash_of_algor(mask) == w->hash && w->salt_len >= 0;
	}
	X509_ALGOR_free(mask);
	RSA_PSS_PARAMS_free(p);
	return ok;
}

static bool way_of_algor(const X509_ALGOR *a, struct way *w)
{
	int nid = OBJ_obj2nid(a->algorithm), digest = NID_undef, key = NID_undef;

	if (nid == NID_rsassaPss)
		return w->kind == KEY_RSA && pss_way(a, w);
	if (nid == NID_ED25519) {
		w->hash = HASH_IDENTITY;
		return w->kind == KEY_ED25519;
	}
	if (OBJ_find_sigid_algs(nid, &digest, &key) != 1)
		return false;
	w->hash = hash_of_nid(digest);
	if (key == NID_rsaEncryption)
		return w->kind == KEY_RSA && w->hash != 0;
	return key == NID_X9_62_id_ecPublicKey && w->hash != 0 &&
	       (w->kind == KEY_P256 || w->kind == KEY_P384 || w->kind == KEY_P521);
}

/* RFC 7427 3: nothing but the one object stands in front of the signature. */
static bool read_algor(struct span data, struct way *w, struct span *signature)
{
	size_t name_len = data.len > 0 ? data.at[0] : 0;
	const uint8_t *at = data.at + 1;

	if (name_len == 0 || data.len < 1 + name_len)
		return false;
	X509_ALGOR *a = d2i_X509_ALGOR(NULL, &at, (long)name_len);
	bool ok = a && at == data.at + 1 + name_len && way_of_algor(a, w);
	X509_ALGOR_free(a);
	ERR_clear_error();
	*signature = span_of(data.at + 1 + name_len, data.len - 1 - name_len);
	return ok;
}

static bool verify_old(EVP_PKEY *pkey, size_t old, struct span text, struct span data)
{
	struct way w = {.kind = old_ways[old].kind, .hash = old_ways[old].hash};
	int half = old_ways[old].half, len = -1;
	uint8_t *der = NULL;

	if (data.len != 2 * (size_t)half)
		return false;
	ECDSA_SIG *rs = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(data.at, half, NULL);
	BIGNUM *s = BN_bin2bn(data.at + half, half, NULL);
	if (rs && r && s && ECDSA_SIG_set0(rs, r, s) == 1) {
		len = i2d_ECDSA_SIG(rs, &der); /* r and s are its own now */
	} else {
		BN_free(r);
		BN_free(s);
	}
	bool ok = len > 0 && verify(pkey, &w, text, span_of(der, (size_t)len));
	OPENSSL_free(der);
	ECDSA_SIG_free(rs);
	return ok;
}

static enum crypto_err check(EVP_PKEY *pkey, uint8_t method, struct span data,
	struct span text, const char **why)
{
	struct way w = {.kind = key_kind_of(pkey)};
	struct span signature;

	if (method == AUTH_DIGITAL_SIGNATURE) {
		*why = "its signature algorithm is not accepted here, or does not fit to "
		       "its key (SHA-1 never is)";
		if (!read_algor(data, &w, &signature))
			return CRYPTO_REFUSED;
		return verify(pkey, &w, text, signature) ? CRYPTO_OK : CRYPTO_FORGED;
	}
	for (size_t i = 0; i < OLD_WAYS; i++)
		if (old_ways[i].method == method && old_ways[i].kind == w.kind)
			return verify_old(pkey, i, text, data) ? CRYPTO_OK
							       : CRYPTO_FORGED;
	*why = method == AUTH_RSA_SIG
		       ? "it signs with SHA-1 (RSA without RFC 7427), which is not "
			 "accepted"
		       : "its authentication method does not fit to its key";
	return CRYPTO_REFUSED;
}

enum crypto_err signature_check(const struct certificate *c, uint8_t method,
	struct span data, const struct span *parts, size_t n, const char **why)
{
	EVP_PKEY *pkey = X509_get0_pubkey(c->x);
	struct span text;

	*why = "its certificate has no usable key";
	if (key_weakness(pkey))
		return CRYPTO_REFUSED;
	text = joined(parts, n);
	enum crypto_err err = check(pkey, method, data, text, why);
	joined_free(text);
	return err;
}
