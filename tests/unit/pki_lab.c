/* tests/unit/pki_lab.c - see pki_lab.h. */
#include "pki_lab.h"

#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

struct pki_node {
	X509 *x;
	EVP_PKEY *pkey;
	uint8_t *der;
	int der_len;
	BIO *cert_pem, *key_pem;
};

static long serial = 1000;

static EVP_PKEY *read_spki(const char *hex)
{
	uint8_t room[200];
	struct span der = unit_hex(hex, room, sizeof(room));
	const unsigned char *at = der.at;

	return d2i_PUBKEY(NULL, &at, (long)der.len);
}

/* The same each time. */
static EVP_PKEY *known_key(const char *octet)
{
	uint8_t raw[32];

	memset(raw, atoi(octet), sizeof(raw));
	return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw, sizeof(raw));
}

/* Under valgrind the search for two primes takes half a minute, so of this kind a test has four
 * that take turns, and there a single one. */
static EVP_PKEY *rsa_2048(void)
{
	static EVP_PKEY *made[4];
	static unsigned turn;
	EVP_PKEY **key = &made[turn++ % unit_rounds(4)];

	if (!*key)
		*key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	assert_non_null(*key);
	assert_int_equal(EVP_PKEY_up_ref(*key), 1);
	return *key;
}

static EVP_PKEY *make_key(const char *kind)
{
	if (!kind)
		kind = "P-256";
	if (strncmp(kind, "ED25519:", 8) == 0)
		return known_key(kind + 8);
	if (strncmp(kind, "spki:", 5) == 0)
		return read_spki(kind + 5);
	if (strcmp(kind, "RSA:2048") == 0)
		return rsa_2048();
	if (strncmp(kind, "RSA:", 4) == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)atoi(kind + 4));
	if (strncmp(kind, "P-", 2) == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind);
	return EVP_PKEY_Q_keygen(NULL, NULL, kind);
}

static void add_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	if (!value)
		return;
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

static const EVP_MD *digest_for(const EVP_PKEY *pkey, const char *wanted)
{
	if (EVP_PKEY_is_a(pkey, "ED25519"))
		return NULL;
	return EVP_get_digestbyname(wanted ? wanted : "SHA256");
}

static void set_time(ASN1_TIME *t, int64_t s)
{
	assert_non_null(ASN1_TIME_set(t, (long)s));
}

static void set_extensions(X509 *x, X509 *issuer, const struct pki_spec *spec)
{
	char text[200];

	add_ext(x, issuer, NID_basic_constraints,
		spec->ca ? "critical,CA:TRUE" : "CA:FALSE");
	if (spec->ca && !spec->key_usage)
		add_ext(x, issuer, NID_key_usage,
			"critical,keyCertSign,cRLSign,digitalSignature");
	add_ext(x, issuer, NID_key_usage, spec->key_usage);
	add_ext(x, issuer, NID_subject_key_identifier, "hash");
	if (issuer != x)
		add_ext(x, issuer, NID_authority_key_identifier, "keyid");
	add_ext(x, issuer, NID_subject_alt_name, spec->san);
	add_ext(x, issuer, NID_ext_key_usage, spec->eku);
	if (spec->crl_url) {
		snprintf(text, sizeof(text), "URI:%s", spec->crl_url);
		add_ext(x, issuer, NID_crl_distribution_points, text);
	}
	if (spec->ocsp_url) {
		snprintf(text, sizeof(text), "OCSP;URI:%s", spec->ocsp_url);
		add_ext(x, issuer, NID_info_access, text);
	}
}

static void refresh_der(struct pki_node *n)
{
	OPENSSL_free(n->der);
	n->der = NULL;
	n->der_len = i2d_X509(n->x, &n->der);
	assert_true(n->der_len > 0);
}

struct pki_node *pki_new(const struct pki_spec *spec)
{
	struct pki_node *n = calloc(1, sizeof(*n));
	X509_NAME *name = X509_NAME_new();
	const struct pki_node *issuer = spec->issuer ? spec->issuer : n;

	n->pkey = make_key(spec->key);
	n->x = X509_new();
	assert_non_null(n->pkey);
	assert_int_equal(X509_set_version(n->x, 2), 1);
	ASN1_INTEGER_set(X509_get_serialNumber(n->x), ++serial);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		(const unsigned char *)strchr(spec->subject, '=') + 1, -1, -1, 0);
	X509_set_subject_name(n->x, name);
	X509_set_issuer_name(n->x, X509_get_subject_name(issuer->x));
	set_time(X509_getm_notBefore(n->x),
		spec->from_s ? spec->from_s : PKI_NOW - PKI_DAY);
	set_time(X509_getm_notAfter(n->x),
		spec->until_s ? spec->until_s : PKI_NOW + 365 * PKI_DAY);
	X509_set_pubkey(n->x, n->pkey);
	set_extensions(n->x, issuer->x, spec);
	assert_true(X509_sign(n->x, issuer->pkey,
			    digest_for(issuer->pkey, spec->digest)) > 0);
	X509_NAME_free(name);
	refresh_der(n);
	return n;
}

struct pki_node *pki_forged(const struct pki_node *n, const struct pki_node *by)
{
	struct pki_node *f = calloc(1, sizeof(*f));

	f->x = X509_dup(n->x);
	f->pkey = n->pkey;
	assert_int_equal(EVP_PKEY_up_ref(f->pkey), 1);
	assert_true(X509_sign(f->x, by->pkey, digest_for(by->pkey, NULL)) > 0);
	refresh_der(f);
	return f;
}

void pki_free(struct pki_node *n)
{
	if (!n)
		return;
	X509_free(n->x);
	EVP_PKEY_free(n->pkey);
	OPENSSL_free(n->der);
	BIO_free(n->cert_pem);
	BIO_free(n->key_pem);
	free(n);
}

struct span pki_der(const struct pki_node *n)
{
	return span_of(n->der, (size_t)n->der_len);
}

struct certificate *pki_certificate(const struct pki_node *n)
{
	struct certificate *c = certificate_read(pki_der(n));

	assert_non_null(c);
	return c;
}

static struct span text_of(BIO *bio)
{
	char *at;
	long len = BIO_get_mem_data(bio, &at);

	return span_of(at, (size_t)len);
}

struct span pki_cert_pem(struct pki_node *n)
{
	if (!n->cert_pem) {
		n->cert_pem = BIO_new(BIO_s_mem());
		assert_int_equal(PEM_write_bio_X509(n->cert_pem, n->x), 1);
	}
	return text_of(n->cert_pem);
}

struct span pki_key_pem(struct pki_node *n)
{
	if (!n->key_pem) {
		n->key_pem = BIO_new(BIO_s_mem());
		assert_int_equal(PEM_write_bio_PrivateKey(
					 n->key_pem, n->pkey, NULL, NULL, 0, NULL, NULL),
			1);
	}
	return text_of(n->key_pem);
}

struct private_key *pki_key(const struct pki_node *n)
{
	uint8_t *der = NULL;
	int len = i2d_PrivateKey(n->pkey, &der);
	const char *why = "";
	struct private_key *k = private_key_read(span_of(der, (size_t)len), &why);

	OPENSSL_free(der);
	if (!k)
		fail_msg("%s", why);
	return k;
}

struct credential *pki_credential(
	const struct pki_node *n, const struct pki_node *const *issuers)
{
	struct certificate *chain[CERT_CHAIN_MAX];
	struct private_key *key = pki_key(n);
	size_t len = 0;

	chain[len++] = pki_certificate(n);
	for (; issuers && *issuers; issuers++)
		chain[len++] = pki_certificate(*issuers);
	struct credential *c = credential_new(chain, len, key);
	assert_non_null(c);
	for (size_t i = 0; i < len; i++)
		certificate_free(chain[i]);
	private_key_free(key);
	return c;
}

struct span pki_crl(const struct pki_node *issuer, const struct pki_node *revoked,
	int64_t from_s, int64_t until_s)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_new();
	uint8_t *der = NULL;

	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->x));
	set_time(t, from_s);
	X509_CRL_set1_lastUpdate(crl, t);
	set_time(t, until_s);
	X509_CRL_set1_nextUpdate(crl, t);
	if (revoked) {
		X509_REVOKED *r = X509_REVOKED_new();
		X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(revoked->x));
		set_time(t, from_s);
		X509_REVOKED_set_revocationDate(r, t);
		X509_CRL_add0_revoked(crl, r);
	}
	assert_true(X509_CRL_sign(crl, issuer->pkey, digest_for(issuer->pkey, NULL)) > 0);
	int len = i2d_X509_CRL(crl, &der);
	ASN1_TIME_free(t);
	X509_CRL_free(crl);
	return span_of(der, (size_t)len);
}

struct span pki_ocsp(const struct pki_node *responder, const struct pki_node *issuer,
	const struct pki_node *of, bool revoked, int64_t until_s)
{
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(NULL, of->x, issuer->x);
	ASN1_TIME *from = ASN1_TIME_set(NULL, (long)PKI_NOW - 60);
	ASN1_TIME *until = ASN1_TIME_set(NULL, (long)until_s);
	uint8_t *der = NULL;

	assert_non_null(OCSP_basic_add1_status(basic, id,
		revoked ? V_OCSP_CERTSTATUS_REVOKED : V_OCSP_CERTSTATUS_GOOD, 0,
		revoked ? from : NULL, from, until));
	assert_int_equal(OCSP_basic_sign(basic, responder->x, responder->pkey,
				 digest_for(responder->pkey, NULL), NULL, 0),
		1);
	OCSP_RESPONSE *whole = OCSP_response_create(0, basic);
	int len = i2d_OCSP_RESPONSE(whole, &der);
	ASN1_TIME_free(from);
	ASN1_TIME_free(until);
	OCSP_CERTID_free(id);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(whole);
	return span_of(der, (size_t)len);
}

void pki_octets_free(struct span octets)
{
	OPENSSL_free((void *)(uintptr_t)octets.at);
}
