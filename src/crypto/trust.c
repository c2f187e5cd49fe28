/* crypto/trust.c - is this chain one of ours? Through OpenSSL's X509_STORE.
 *
 * Obeys RFC 5280 6.1 by OpenSSL, RFC 4945 5.1.3.2 and 5.1.3.12 (key usage, extended key
 * usage in IKE), RFC 8247 (nothing below 112 bits, no SHA-1: level 2 of OpenSSL). Any
 * certificate that the configuration names as a CA is an anchor, an intermediate one too.
 * What a chain came to is remembered by its octets; dates and revocation are looked at
 * each time. Leaves names to the caller, fetching to whoever carries wishes out.
 */
#include "crypto/pki.h"
#include "crypto/trust.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/mem.h"

enum { REMEMBERED = 256, AUTH_LEVEL = 2 };

/* A chain that was verified: whoever sends the same octets need not be verified again. */
struct remembered {
	uint8_t key[SHA256_LEN];
	struct certificate *leaf; /* NULL: free */
	STACK_OF(X509) * chain; /* from the leaf to the anchor */
	struct chain *kept; /* the same, for others */
	int64_t from_s;
};

struct trust {
	unsigned uses;
	enum trust_revocation mode;
	struct certificate *anchors[TRUST_ANCHORS_MAX];
	uint8_t spki[TRUST_ANCHORS_MAX][SHA1_LEN];
	size_t n;
	X509_STORE *store;
	STACK_OF(X509_CRL) * crls;
	struct remembered known[REMEMBERED]; /* by the first octet of the key */
};

struct trust *trust_new(enum trust_revocation mode)
{
	struct trust *t = mem_new(1, sizeof(*t));

	t->uses = 1;
	t->mode = mode;
	t->store = X509_STORE_new();
	t->crls = sk_X509_CRL_new_null();
	assert(t->store && t->crls); /* as with mem_new(), there is no going on */
	X509_VERIFY_PARAM *p = X509_STORE_get0_param(t->store);
	X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_depth(p, CERT_CHAIN_MAX - 1);
	X509_VERIFY_PARAM_set_auth_level(p, AUTH_LEVEL);
	return t;
}

struct trust *trust_keep(struct trust *t)
{
	if (t)
		t->uses++;
	return t;
}

void trust_set_revocation(struct trust *t, enum trust_revocation mode)
{
	t->mode = mode;
}

static void forget(struct remembered *r)
{
	certificate_free(r->leaf);
	sk_X509_pop_free(r->chain, X509_free);
	chain_free(r->kept);
	*r = (struct remembered){.leaf = NULL};
}

void trust_free(struct trust *t)
{
	if (!t || --t->uses > 0)
		return;
	for (size_t i = 0; i < REMEMBERED; i++)
		forget(&t->known[i]);
	for (size_t i = 0; i < t->n; i++)
		certificate_free(t->anchors[i]);
	sk_X509_CRL_pop_free(t->crls, X509_CRL_free);
	X509_STORE_free(t->store);
	free(t);
}

/* RFC 7296 3.7: SHA-1 of the whole SubjectPublicKeyInfo, a name for it and no proof. */
static bool digest_spki(const struct certificate *ca, uint8_t out[SHA1_LEN])
{
	uint8_t *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(ca->x), &der);
	struct span spki = span_of(der, len > 0 ? (size_t)len : 0);
	bool ok = len > 0 && sha1(&spki, 1, out) == CRYPTO_OK;

	OPENSSL_free(der);
	return ok;
}

bool trust_add_anchor(struct trust *t, struct certificate *ca)
{
	if (t->n == TRUST_ANCHORS_MAX || !digest_spki(ca, t->spki[t->n]) ||
		X509_STORE_add_cert(t->store, ca->x) != 1)
		return false;
	t->anchors[t->n++] = certificate_keep(ca);
	return true;
}

size_t trust_add_crls(struct trust *t, struct span file)
{
	BIO *bio = pki_over(file);
	const uint8_t *at = file.at;
	X509_CRL *crl;
	size_t n = 0;

	while (bio && (crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)))
		n += sk_X509_CRL_push(t->crls, crl) > 0;
	BIO_free(bio);
	if (n == 0 && file.len <= FETCH_ANSWER_MAX &&
		(crl = d2i_X509_CRL(NULL, &at, (long)file.len)))
		n += sk_X509_CRL_push(t->crls, crl) > 0;
	ERR_clear_error();
	return n;
}

bool trust_same(const struct trust *a, const struct trust *b)
{
	if (!a || !b || a->n != b->n)
		return a == b;
	for (size_t i = 0; a != b && i < a->n; i++)
		if (!span_equal(certificate_der(a->anchors[i]),
			    certificate_der(b->anchors[i])))
			return false;
	return true;
}

size_t trust_count(const struct trust *t)
{
	return t->n;
}

const struct certificate *trust_at(const struct trust *t, size_t i)
{
	assert(i < t->n);
	return t->anchors[i];
}

size_t trust_request(const struct trust *t, uint8_t *out, size_t cap)
{
	size_t n = 0;

	while (n < t->n && (n + 1) * SHA1_LEN <= cap) {
		memcpy(out + n * SHA1_LEN, t->spki[n], SHA1_LEN);
		n++;
	}
	return n * SHA1_LEN;
}

/* ---- why not */

static enum trust_verdict refuse(struct trust_answer *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static enum trust_verdict refuse(struct trust_answer *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(out->text, sizeof(out->text), format, args);
	va_end(args);
	return TRUST_REFUSED;
}

static const char *whose(X509 *x, int depth, char out[CERT_TEXT_MAX + 32])
{
	char name[CERT_TEXT_MAX];

	pki_name_text(X509_get_subject_name(x), name);
	snprintf(out, CERT_TEXT_MAX + 32, "%s (%s)",
		depth == 0 ? "its certificate" : "a CA certificate of its chain", name);
	return out;
}

/* Somebody else's CA may bear the name of ours. */
static bool is_named_like_ours(const struct trust *t, const X509_NAME *issuer)
{
	for (size_t i = 0; i < t->n; i++)
		if (X509_NAME_cmp(X509_get_subject_name(t->anchors[i]->x), issuer) == 0)
			return true;
	return false;
}

static enum trust_verdict refuse_issuer(const struct trust *t, X509 *x, int depth,
	size_t n_sent, struct trust_answer *out)
{
	char who[CERT_TEXT_MAX + 32], issuer[CERT_TEXT_MAX];

	whose(x, depth, who);
	pki_name_text(X509_get_issuer_name(x), issuer);
	if (is_named_like_ours(t, X509_get_issuer_name(x)))
		return refuse(out,
			"wrong CA: %s was issued by a CA that is named like ours (%s) "
			"but "
			"has another key",
			who, issuer);
	if (depth > 0 || n_sent > 1)
		return refuse(out,
			"wrong CA, or broken chain: %s was issued by %s, which is none "
			"of "
			"our CAs, and no certificate of it was sent",
			who, issuer);
	return refuse(out,
		"wrong CA, or broken chain: %s was issued by %s, which is none of our "
		"CAs, "
		"and the peer sent no intermediate certificates",
		who, issuer);
}

static enum trust_verdict refuse_chain(const struct trust *t, X509_STORE_CTX *ctx,
	size_t n_sent, struct trust_answer *out)
{
	int error = X509_STORE_CTX_get_error(ctx);
	int depth = X509_STORE_CTX_get_error_depth(ctx);
	X509 *x = X509_STORE_CTX_get_current_cert(ctx);
	char who[CERT_TEXT_MAX + 32], date[CERT_DATE_MAX];

	if (!x)
		return refuse(out, "its certificate cannot be verified: %s",
			X509_verify_cert_error_string(error));
	whose(x, depth, who);
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return refuse(out, "expired: %s was good until %s", who,
			certificate_date(pki_time_s(X509_get0_notAfter(x)), date));
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return refuse(out,
			"not yet valid: %s is good from %s on; is a clock wrong?", who,
			certificate_date(pki_time_s(X509_get0_notBefore(x)), date));
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		return refuse(
			out, "self-signed: %s is not issued by any of our CAs", who);
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return refuse(out,
			"wrong CA: its chain ends at %s, which is none of our CAs", who);
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return refuse_issuer(t, x, depth, n_sent, out);
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return refuse(out,
			"broken chain: the signature on %s is not its issuer's", who);
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK:
		return refuse(out, "too weak: %s: %s", who,
			X509_verify_cert_error_string(error));
	default:
		return refuse(out, "broken chain: %s: %s", who,
			X509_verify_cert_error_string(error));
	}
}

/* ---- what a certificate may be used for */

static const char *const ike_usages[] = {
	"1.3.6.1.5.5.7.3.17", /* id-kp-ipsecIKE */
	"1.3.6.1.5.5.8.2.2", /* iKEIntermediate */
	"1.3.6.1.5.5.7.3.5", "1.3.6.1.5.5.7.3.6", "1.3.6.1.5.5.7.3.7", /* as of 1999 */
	"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", /* TLS server, client: what CAs issue */
	"2.5.29.37.0", /* any */
};

static bool is_ike_usage(const ASN1_OBJECT *usage)
{
	char oid[64];

	if (OBJ_obj2txt(oid, sizeof(oid), usage, 1) <= 0)
		return false;
	for (size_t i = 0; i < sizeof(ike_usages) / sizeof(ike_usages[0]); i++)
		if (strcmp(oid, ike_usages[i]) == 0)
			return true;
	return false;
}

/* RFC 4945 5.1.3.2, 5.1.3.12 */
static const char *wrong_usage(const struct certificate *c)
{
	EXTENDED_KEY_USAGE *usages =
		X509_get_ext_d2i(c->x, NID_ext_key_usage, NULL, NULL);
	bool fits = usages == NULL;

	for (int i = 0; i < sk_ASN1_OBJECT_num(usages) && !fits; i++)
		fits = is_ike_usage(sk_ASN1_OBJECT_value(usages, i));
	EXTENDED_KEY_USAGE_free(usages);
	if (!fits)
		return "its extended key usage leaves IKE out";
	if (!(X509_get_key_usage(c->x) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)))
		return "its key usage leaves signatures out";
	return certificate_weakness(c);
}

/* ---- the chain */

static void key_of(const struct trust_question *q, uint8_t key[SHA256_LEN])
{
	enum crypto_err err = sha256(q->certs, q->n, key);

	assert(err == CRYPTO_OK); /* fails for want of memory alone */
}

static void remember(struct remembered *r, struct certificate *leaf,
	STACK_OF(X509) * chain, const uint8_t key[SHA256_LEN])
{
	r->leaf = certificate_keep(leaf);
	r->chain = chain;
	r->kept = chain_new(chain);
	r->from_s = 0;
	memcpy(r->key, key, SHA256_LEN);
	for (int i = 0; i < sk_X509_num(chain); i++) {
		int64_t from_s = pki_time_s(X509_get0_notBefore(sk_X509_value(chain, i)));

		r->from_s = from_s > r->from_s ? from_s : r->from_s;
	}
}

/* What does not parse among the others is left out: the chain may do without it. */
static STACK_OF(X509) * read_others(const struct trust_question *q)
{
	STACK_OF(X509) *others = sk_X509_new_null();

	for (size_t i = 1; others && i < q->n; i++) {
		const uint8_t *at = q->certs[i].at;
		X509 *x = q->certs[i].len <= CERT_OCTETS_MAX
				  ? d2i_X509(NULL, &at, (long)q->certs[i].len)
				  : NULL;

		if (x && sk_X509_push(others, x) <= 0)
			X509_free(x);
	}
	ERR_clear_error();
	return others;
}

static enum trust_verdict build_chain(struct trust *t, const struct trust_question *q,
	struct certificate *leaf, STACK_OF(X509) * *chain, struct trust_answer *out)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *others = read_others(q);
	enum trust_verdict verdict = TRUST_BELIEVED;

	*chain = NULL;
	if (!ctx || !others || X509_STORE_CTX_init(ctx, t->store, leaf->x, others) != 1)
		verdict = refuse(out, "its certificate cannot be verified: no memory");
	else if (X509_verify_cert(ctx) != 1)
		verdict = refuse_chain(t, ctx, q->n, out);
	else
		*chain = X509_STORE_CTX_get1_chain(ctx);
	X509_STORE_CTX_free(ctx);
	sk_X509_pop_free(others, X509_free);
	ERR_clear_error();
	return verdict;
}

static enum trust_verdict verify_new(struct trust *t, const struct trust_question *q,
	struct remembered *r, const uint8_t key[SHA256_LEN], struct trust_answer *out)
{
	struct certificate *leaf = certificate_read(q->certs[0]);
	const char *unfit = leaf ? wrong_usage(leaf) : NULL;
	enum trust_verdict verdict;
	STACK_OF(X509) * chain;

	if (!leaf)
		return refuse(out, "its certificate is not readable as X.509");
	verdict = build_chain(t, q, leaf, &chain, out);
	if (verdict == TRUST_BELIEVED && unfit) {
		verdict = refuse(out, "its certificate is not good for IKE: %s", unfit);
		sk_X509_pop_free(chain, X509_free);
	} else if (verdict == TRUST_BELIEVED) {
		forget(r);
		remember(r, leaf, chain, key);
	}
	certificate_free(leaf);
	return verdict;
}

/* ---- revocation */

static enum trust_verdict refuse_unknown(
	X509 *x, int depth, bool failed, struct trust_answer *out)
{
	char who[CERT_TEXT_MAX + 32];

	whose(x, depth, who);
	out->unknown = true;
	return refuse(out, "revocation strict: nobody says whether %s is revoked: %s",
		who,
		failed ? "its CRL or OCSP responder cannot be reached"
		       : "it names neither CRL nor OCSP responder by http, and no crl "
			 "file "
			 "of ours is up to date");
}

static void look_again_at(struct trust_answer *out, int64_t s)
{
	out->until_s = s < out->until_s ? s : out->until_s;
}

static enum trust_verdict look_at_one(struct trust *t, const struct trust_question *q,
	STACK_OF(X509) * chain, int i, struct trust_answer *out)
{
	X509 *x = sk_X509_value(chain, i);
	struct revocation_question about = {.cert = x,
		.issuer = sk_X509_value(chain, i + 1),
		.chain = chain,
		.store = t->store,
		.crls = t->crls,
		.now_s = q->now_s};
	struct revocation_word word;
	char who[CERT_TEXT_MAX + 32];

	switch (revocation_ask(q->revocations, &about, &word)) {
	case STATE_REVOKED:
		out->unknown = false;
		return refuse(out, "revoked: %s was revoked by its CA", whose(x, i, who));
	case STATE_GOOD:
		look_again_at(out, word.until_s);
		return TRUST_BELIEVED;
	case STATE_UNKNOWN:
		break;
	}
	if (word.failed)
		look_again_at(out, word.until_s);
	if (word.wished)
		out->wishes[out->n_wishes++] = word.wish;
	if (t->mode != REVOCATION_STRICT)
		return TRUST_BELIEVED;
	return word.wished ? TRUST_WAIT : refuse_unknown(x, i, word.failed, out);
}

/* The anchor itself is the configuration's to revoke. Of several doubts the certain one
 * is told. */
static enum trust_verdict look_at_revocation(struct trust *t,
	const struct trust_question *q, STACK_OF(X509) * chain, struct trust_answer *out)
{
	enum trust_verdict worst = TRUST_BELIEVED;

	for (int i = 0; i + 1 < sk_X509_num(chain) && i < CERT_CHAIN_MAX; i++) {
		enum trust_verdict v = look_at_one(t, q, chain, i, out);

		if (v == TRUST_REFUSED && !out->unknown)
			return v;
		if (v == TRUST_REFUSED || worst == TRUST_BELIEVED)
			worst = v;
	}
	return worst;
}

enum trust_verdict trust_verify(
	struct trust *t, const struct trust_question *q, struct trust_answer *out)
{
	uint8_t key[SHA256_LEN];
	enum trust_verdict verdict = TRUST_BELIEVED;

	out->leaf = NULL;
	out->chain = NULL;
	out->until_s = 0;
	out->unknown = false;
	out->text[0] = '\0';
	out->n_wishes = 0;
	if (q->n == 0)
		return refuse(out, "it sent no certificate");
	if (q->now_s <= 0)
		return refuse(
			out, "the time is not known here: no certificate is believed");
	key_of(q, key);
	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(t->store), q->now_s);
	struct remembered *r = &t->known[key[0] % REMEMBERED];
	bool known = r->leaf && memcmp(r->key, key, sizeof(key)) == 0 &&
		     q->now_s >= r->from_s && q->now_s < chain_until_s(r->kept);
	if (!known)
		verdict = verify_new(t, q, r, key, out);
	if (verdict == TRUST_BELIEVED)
		out->until_s = chain_until_s(r->kept);
	if (verdict == TRUST_BELIEVED && t->mode != REVOCATION_OFF)
		verdict = look_at_revocation(t, q, r->chain, out);
	if (verdict == TRUST_BELIEVED) {
		out->leaf = r->leaf;
		out->chain = r->kept;
	}
	return verdict;
}

enum trust_verdict trust_verify_again(struct trust *t, const struct chain *chain,
	const struct trust_question *q, struct trust_answer *out)
{
	struct trust_question again = *q;

	again.certs = chain->certs;
	again.n = chain->n;
	return trust_verify(t, &again, out);
}
