/* crypto/revocation.c - the store of CRLs and OCSP answers, and what they say.
 *
 * Obeys RFC 5280 6.3 (CRLs: scope, signature, dates) and RFC 6960 4.2.2 (OCSP: signer,
 * dates). An old CRL can still say "revoked", never "good". Leaves fetching to whoever
 * carries wishes out, and what to do with "unknown" to trust.c.
 */
#include "crypto/pki.h"

#include <assert.h>
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>

#include "base/mem.h"

enum {
	AGAIN_AFTER_S = 60, /* what failed is not asked for before */
	WITHOUT_END_S = 3600, /* an OCSP answer without nextUpdate */
	CLOCKS_DIFFER_S = 300
};

struct known {
	uint32_t id; /* under way; 0: not */
	uint8_t key[SHA256_LEN]; /* of what was asked; see taken */
	bool taken;
	X509_CRL *crl;
	OCSP_BASICRESP *ocsp;
	X509 *crl_signer; /* who was found to have signed it */
	int64_t asked_s, failed_s;
};

struct revocations {
	struct known at[REVOCATIONS_MAX];
	uint32_t last_id;
};

struct revocations *revocations_new(void)
{
	return mem_new(1, sizeof(struct revocations));
}

static void drop_answer(struct known *k)
{
	X509_CRL_free(k->crl);
	OCSP_BASICRESP_free(k->ocsp);
	X509_free(k->crl_signer);
	k->crl = NULL;
	k->ocsp = NULL;
	k->crl_signer = NULL;
}

void revocations_free(struct revocations *r)
{
	for (size_t i = 0; r && i < REVOCATIONS_MAX; i++)
		drop_answer(&r->at[i]);
	free(r);
}

size_t revocations_count(const struct revocations *r)
{
	size_t n = 0;

	for (size_t i = 0; i < REVOCATIONS_MAX; i++)
		n += r->at[i].taken;
	return n;
}

/* ---- asking and learning */

static void key_of(const struct fetch_wish *w, uint8_t key[SHA256_LEN])
{
	const struct span parts[] = {
		span_of(w->url, strlen(w->url) + 1), span_of(w->body, w->len)};
	enum crypto_err err = sha256(parts, 2, key);

	assert(err == CRYPTO_OK);
}

static struct known *find(struct revocations *r, const struct fetch_wish *w)
{
	uint8_t key[SHA256_LEN];

	key_of(w, key);
	for (size_t i = 0; r && i < REVOCATIONS_MAX; i++)
		if (r->at[i].taken && memcmp(r->at[i].key, key, sizeof(key)) == 0)
			return &r->at[i];
	return NULL;
}

static struct known *make_room(struct revocations *r)
{
	struct known *oldest = NULL;

	for (size_t i = 0; i < REVOCATIONS_MAX; i++) {
		struct known *k = &r->at[i];

		if (!k->taken)
			return k;
		if (k->id == 0 && (!oldest || k->asked_s < oldest->asked_s))
			oldest = k;
	}
	if (oldest)
		drop_answer(oldest);
	return oldest;
}

static bool lately(int64_t then_s, int64_t now_s)
{
	return then_s != 0 && then_s <= now_s && now_s - then_s < AGAIN_AFTER_S;
}

/* What came and says nothing of use is not fetched again and again, either. */
static bool failed_lately(const struct known *k, int64_t now_s)
{
	bool useless = k->id == 0 && (k->crl || k->ocsp) && lately(k->asked_s, now_s);

	return useless || lately(k->failed_s, now_s);
}

uint32_t revocations_begin(
	struct revocations *r, const struct fetch_wish *wish, int64_t now_s)
{
	struct known *k = find(r, wish);

	if (k && (k->id != 0 || failed_lately(k, now_s)))
		return 0;
	if (!k) {
		k = make_room(r);
		if (!k)
			return 0;
		*k = (struct known){.taken = true};
		key_of(wish, k->key);
	}
	if (++r->last_id == 0)
		r->last_id = 1;
	k->id = r->last_id;
	k->asked_s = now_s;
	return k->id;
}

uint32_t revocations_under_way(struct revocations *r, const struct fetch_wish *wish)
{
	const struct known *k = find(r, wish);

	return k ? k->id : 0;
}

static bool take_crl(struct known *k, struct span answer)
{
	const uint8_t *at = answer.at;
	X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)answer.len);
	BIO *bio = crl ? NULL : pki_over(answer);

	if (bio)
		crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (!crl)
		return false;
	drop_answer(k);
	k->crl = crl;
	return true;
}

static bool take_ocsp(struct known *k, struct span answer)
{
	const uint8_t *at = answer.at;
	OCSP_RESPONSE *whole = d2i_OCSP_RESPONSE(NULL, &at, (long)answer.len);
	OCSP_BASICRESP *basic = NULL;

	if (whole && OCSP_response_status(whole) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
		basic = OCSP_response_get1_basic(whole);
	OCSP_RESPONSE_free(whole);
	if (!basic)
		return false;
	drop_answer(k);
	k->ocsp = basic;
	return true;
}

bool revocations_learn(
	struct revocations *r, uint32_t id, struct span answer, int64_t now_s)
{
	for (size_t i = 0; id != 0 && i < REVOCATIONS_MAX; i++) {
		struct known *k = &r->at[i];

		if (k->id != id)
			continue;
		k->id = 0;
		bool ok = answer.len > 0 && answer.len <= FETCH_ANSWER_MAX &&
			  (take_ocsp(k, answer) || take_crl(k, answer));
		k->failed_s = ok ? 0 : now_s;
		ERR_clear_error();
		return true;
	}
	return false;
}

/* ---- where an answer can be had: only plain http, for it is signed */

static bool take_url(const char *text, size_t len, struct fetch_wish *out)
{
	static const char http[] = "http://";

	if (len >= sizeof(out->url) || len < sizeof(http) ||
		memcmp(text, http, sizeof(http) - 1) != 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isgraph((unsigned char)text[i]))
			return false;
	memcpy(out->url, text, len);
	out->url[len] = '\0';
	return true;
}

static bool ocsp_body(X509 *cert, X509 *issuer, struct fetch_wish *out)
{
	OCSP_REQUEST *q = OCSP_REQUEST_new();
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, cert, issuer);
	uint8_t *der = NULL;
	int len = -1;

	if (q && id && OCSP_request_add0_id(q, id)) {
		id = NULL; /* it is the request's now */
		len = i2d_OCSP_REQUEST(q, &der);
	}
	bool ok = len > 0 && (size_t)len <= sizeof(out->body);
	if (ok) {
		memcpy(out->body, der, (size_t)len);
		out->len = (size_t)len;
	}
	OPENSSL_free(der);
	OCSP_CERTID_free(id);
	OCSP_REQUEST_free(q);
	return ok;
}

static bool ocsp_wish(X509 *cert, X509 *issuer, struct fetch_wish *out)
{
	STACK_OF(OPENSSL_STRING) *urls = X509_get1_ocsp(cert);
	bool found = false;

	*out = (struct fetch_wish){.len = 0};
	for (int i = 0; i < sk_OPENSSL_STRING_num(urls) && !found; i++) {
		const char *url = sk_OPENSSL_STRING_value(urls, i);

		found = take_url(url, strlen(url), out) && ocsp_body(cert, issuer, out);
	}
	X509_email_free(urls);
	return found;
}

/* Calls each with the addresses of a distribution point until it says true. */
static bool point_has(const DIST_POINT_NAME *name,
	bool (*each)(const ASN1_STRING *url, void *ctx), void *ctx)
{
	if (!name || name->type != 0)
		return false;
	for (int i = 0; i < sk_GENERAL_NAME_num(name->name.fullname); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(name->name.fullname, i);

		if (g->type == GEN_URI && each(g->d.uniformResourceIdentifier, ctx))
			return true;
	}
	return false;
}

static bool points_have(
	X509 *cert, bool (*each)(const ASN1_STRING *url, void *ctx), void *ctx)
{
	CRL_DIST_POINTS *points =
		X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_DIST_POINT_num(points) && !found; i++)
		found = point_has(sk_DIST_POINT_value(points, i)->distpoint, each, ctx);
	CRL_DIST_POINTS_free(points);
	return found;
}

static bool as_wish(const ASN1_STRING *url, void *ctx)
{
	return take_url((const char *)ASN1_STRING_get0_data(url),
		(size_t)ASN1_STRING_length(url), ctx);
}

static bool crl_wish(X509 *cert, struct fetch_wish *out)
{
	*out = (struct fetch_wish){.len = 0};
	return points_have(cert, as_wish, out);
}

/* ---- what a CRL says */

static bool same_url(const ASN1_STRING *url, void *ctx)
{
	return ASN1_STRING_cmp(url, ctx) == 0;
}

static bool is_point_of(const ASN1_STRING *url, void *cert)
{
	return points_have(cert, same_url, (void *)(uintptr_t)url);
}

/* RFC 5280 6.3.3 (b): the certificate lies in the scope of this CRL. */
static bool point_covers(const ISSUING_DIST_POINT *p, X509 *cert)
{
	bool is_ca = X509_check_ca(cert) > 0;

	if (p->indirectCRL > 0 || p->onlyattr > 0 || p->onlysomereasons ||
		(p->onlyuser > 0 && is_ca) || (p->onlyCA > 0 && !is_ca))
		return false;
	return !p->distpoint || point_has(p->distpoint, is_point_of, cert);
}

static bool crl_covers(const X509_CRL *crl, X509 *cert)
{
	ISSUING_DIST_POINT *point;
	bool covers = true;

	if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_issuer_name(cert)) != 0)
		return false;
	/* What is critical and not known may change what the list means. */
	for (int i = 0; i < X509_CRL_get_ext_count(crl); i++) {
		X509_EXTENSION *ext = X509_CRL_get_ext(crl, i);

		if (X509_EXTENSION_get_critical(ext) &&
			OBJ_obj2nid(X509_EXTENSION_get_object(ext)) !=
				NID_issuing_distribution_point)
			return false;
	}
	if (X509_CRL_get_ext_by_NID(crl, NID_issuing_distribution_point, -1) < 0)
		return true;
	point = X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, NULL, NULL);
	covers = point && point_covers(point, cert);
	ISSUING_DIST_POINT_free(point);
	return covers;
}

/* Who was once found to have signed it needs no second look. */
static bool crl_is_signed(X509_CRL *crl, X509 *issuer, X509 **signer)
{
	if (signer && *signer && X509_cmp(*signer, issuer) == 0)
		return true;
	if ((X509_get_key_usage(issuer) & KU_CRL_SIGN) == 0 ||
		X509_CRL_verify(crl, X509_get0_pubkey(issuer)) != 1)
		return false;
	if (signer) {
		X509_free(*signer);
		*signer = X509_up_ref(issuer) == 1 ? issuer : NULL;
	}
	return true;
}

/* Of several that say so the one that says so longest counts. */
static enum revocation_state good(
	int64_t until_s, const struct revocation_question *q, int64_t *longest_s)
{
	if (until_s == INT64_MAX || until_s <= q->now_s)
		return STATE_UNKNOWN;
	if (until_s > *longest_s)
		*longest_s = until_s;
	return STATE_GOOD;
}

static enum revocation_state ask_crl(X509_CRL *crl, const struct revocation_question *q,
	X509 **signer, int64_t *longest_s)
{
	X509_REVOKED *entry = NULL;

	if (!crl_covers(crl, q->cert) || !crl_is_signed(crl, q->issuer, signer) ||
		pki_time_s(X509_CRL_get0_lastUpdate(crl)) > q->now_s + CLOCKS_DIFFER_S)
		return STATE_UNKNOWN;
	if (X509_CRL_get0_by_cert(crl, &entry, q->cert) == 1)
		return STATE_REVOKED;
	return good(X509_CRL_get0_nextUpdate(crl)
			    ? pki_time_s(X509_CRL_get0_nextUpdate(crl))
			    : 0,
		q, longest_s);
}

/* ---- what an OCSP answer says */

static enum revocation_state ask_ocsp(
	OCSP_BASICRESP *basic, const struct revocation_question *q, int64_t *longest_s)
{
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, q->cert, q->issuer);
	ASN1_GENERALIZEDTIME *this_update = NULL, *next_update = NULL;
	int status = V_OCSP_CERTSTATUS_UNKNOWN;
	bool found =
		id &&
		OCSP_basic_verify(basic, q->chain, q->store, OCSP_PARTIAL_CHAIN) == 1 &&
		OCSP_resp_find_status(
			basic, id, &status, NULL, NULL, &this_update, &next_update) == 1;

	OCSP_CERTID_free(id);
	if (!found || pki_time_s(this_update) > q->now_s + CLOCKS_DIFFER_S)
		return STATE_UNKNOWN;
	if (status == V_OCSP_CERTSTATUS_REVOKED)
		return STATE_REVOKED;
	int64_t until_s = next_update ? pki_time_s(next_update)
				      : pki_time_s(this_update) + WITHOUT_END_S;
	return status == V_OCSP_CERTSTATUS_GOOD ? good(until_s, q, longest_s)
						: STATE_UNKNOWN;
}

/* ---- all together */

static enum revocation_state ask_known(
	struct known *k, const struct revocation_question *q, int64_t *longest_s)
{
	if (k && k->ocsp)
		return ask_ocsp(k->ocsp, q, longest_s);
	return k && k->crl ? ask_crl(k->crl, q, &k->crl_signer, longest_s)
			   : STATE_UNKNOWN;
}

static enum revocation_state ask_files(
	const struct revocation_question *q, int64_t *longest_s)
{
	enum revocation_state best = STATE_UNKNOWN;

	for (int i = 0; i < sk_X509_CRL_num(q->crls); i++) {
		enum revocation_state s =
			ask_crl(sk_X509_CRL_value(q->crls, i), q, NULL, longest_s);

		if (s == STATE_REVOKED)
			return s;
		if (s == STATE_GOOD)
			best = s;
	}
	return best;
}

enum revocation_state revocation_ask(struct revocations *r,
	const struct revocation_question *q, struct revocation_word *out)
{
	struct fetch_wish wishes[2];
	size_t n = 0;

	out->until_s = 0;
	out->wished = out->failed = false;
	enum revocation_state best = ask_files(q, &out->until_s);
	n += ocsp_wish(q->cert, q->issuer, &wishes[n]);
	n += crl_wish(q->cert, &wishes[n]);
	for (size_t i = 0; i < n && best != STATE_REVOKED; i++) {
		struct known *k = find(r, &wishes[i]);
		enum revocation_state s = ask_known(k, q, &out->until_s);

		if (s != STATE_UNKNOWN)
			best = s;
		else if (k && failed_lately(k, q->now_s))
			out->failed = true;
		else if (!out->wished && best == STATE_UNKNOWN) {
			out->wish = wishes[i];
			out->wished = true;
		}
	}
	if (best == STATE_UNKNOWN && out->failed)
		out->until_s = q->now_s + AGAIN_AFTER_S;
	ERR_clear_error();
	return best;
}
