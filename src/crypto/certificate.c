/* crypto/certificate.c - certificates through OpenSSL: parsing, dates, names, strength.
 *
 * Obeys RFC 5280 4.2.1.6 and RFC 7296 3.5 (which name of a certificate is which kind of
 * identity). Leaves chains to trust.c, and text that a peer chose is made printable here.
 */
#include "crypto/pki.h"

#include <assert.h>
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/iana.h"
#include "base/mem.h"

int64_t pki_time_s(const ASN1_TIME *t)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days = 0, seconds = 0;
	bool ok = epoch && t && ASN1_TIME_diff(&days, &seconds, epoch, t) == 1;

	ASN1_TIME_free(epoch);
	return ok ? (int64_t)days * 86400 + seconds : INT64_MAX;
}

const char *certificate_date(int64_t wall_s, char out[CERT_DATE_MAX])
{
	ASN1_TIME *t =
		ASN1_TIME_adj(NULL, 0, (int)(wall_s / 86400), (long)(wall_s % 86400));
	struct tm tm;

	snprintf(out, CERT_DATE_MAX, "?");
	if (t && ASN1_TIME_to_tm(t, &tm) == 1)
		snprintf(out, CERT_DATE_MAX, "%04u-%02u-%02u %02u:%02u UTC",
			(unsigned)(tm.tm_year + 1900) % 10000,
			(unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100,
			(unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100);
	ASN1_TIME_free(t);
	return out;
}

/* ---- parsing */

struct certificate *certificate_adopt(X509 *x)
{
	int len = x ? i2d_X509(x, NULL) : -1;
	struct certificate *c = NULL;

	/* The flags cache is filled now: a certificate that it cannot read is none. */
	if (len <= 0 || len > CERT_OCTETS_MAX || X509_check_purpose(x, -1, 0) != 1)
		goto out;
	c = mem_new(1, sizeof(*c) + (size_t)len);
	c->uses = 1;
	c->der_len = (size_t)len;
	uint8_t *at = c->der;
	len = i2d_X509(x, &at);
	assert((size_t)len == c->der_len);
	c->x = x;
	c->not_before_s = pki_time_s(X509_get0_notBefore(x));
	c->not_after_s = pki_time_s(X509_get0_notAfter(x));
	if (c->not_after_s == INT64_MAX) /* nonsense never lasts */
		c->not_after_s = 0;
	return c;
out:
	X509_free(x);
	ERR_clear_error();
	return c;
}

struct certificate *certificate_read(struct span der)
{
	const uint8_t *at = der.at;

	if (der.len == 0 || der.len > CERT_OCTETS_MAX)
		return NULL;
	X509 *x = d2i_X509(NULL, &at, (long)der.len);
	if (x && at != der.at + der.len) {
		X509_free(x);
		x = NULL;
	}
	return certificate_adopt(x);
}

size_t certificates_read(struct span file, struct certificate **out, size_t max)
{
	BIO *bio = pki_over(file);
	X509 *x;
	size_t n = 0;

	while (bio && n < max && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		out[n] = certificate_adopt(x);
		n += out[n] != NULL;
	}
	BIO_free(bio);
	ERR_clear_error();
	if (n == 0 && max > 0 && (out[0] = certificate_read(file)))
		n = 1;
	return n;
}

struct certificate *certificate_keep(struct certificate *c)
{
	c->uses++;
	return c;
}

void certificate_free(struct certificate *c)
{
	if (!c || --c->uses > 0)
		return;
	X509_free(c->x);
	free(c);
}

struct span certificate_der(const struct certificate *c)
{
	return span_of(c->der, c->der_len);
}

int64_t certificate_not_before_s(const struct certificate *c)
{
	return c->not_before_s;
}

int64_t certificate_not_after_s(const struct certificate *c)
{
	return c->not_after_s;
}

/* ---- what it is called */

void pki_name_text(const X509_NAME *name, char out[CERT_TEXT_MAX])
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n = -1;

	/* RFC2253 flags escape control characters and everything beyond ASCII. */
	if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_read(bio, out, CERT_TEXT_MAX - 1);
	BIO_free(bio);
	out[n > 0 ? n : 0] = '\0';
	for (char *p = out; *p; p++)
		if (!isprint((unsigned char)*p))
			*p = '?';
}

const char *certificate_subject(const struct certificate *c, char out[CERT_TEXT_MAX])
{
	pki_name_text(X509_get_subject_name(c->x), out);
	return out;
}

const char *certificate_issuer(const struct certificate *c, char out[CERT_TEXT_MAX])
{
	pki_name_text(X509_get_issuer_name(c->x), out);
	return out;
}

static struct span string_of(const ASN1_STRING *s)
{
	return span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

/* RFC 5280 4.2.1.6. False: a kind that IKE does not know, or too long. */
static bool identity_of_name(const GENERAL_NAME *g, struct identity *out)
{
	switch (g->type) {
	case GEN_DNS:
		return identity_from_bytes(ID_FQDN, string_of(g->d.dNSName), out);
	case GEN_EMAIL:
		return identity_from_bytes(
			ID_RFC822_ADDR, string_of(g->d.rfc822Name), out);
	case GEN_IPADD: {
		struct span ip = string_of(g->d.iPAddress);

		return (ip.len == 4 || ip.len == 16) &&
		       identity_from_bytes(
			       ip.len == 4 ? ID_IPV4_ADDR : ID_IPV6_ADDR, ip, out);
	}
	default:
		return false;
	}
}

/* Case means nothing in a host name, nor in the host part of a mail address. */
static bool same_name(const struct identity *a, const struct identity *b)
{
	size_t from = 0;

	if (identity_equal(a, b))
		return true;
	if (a->type != b->type || a->len != b->len ||
		(a->type != ID_FQDN && a->type != ID_RFC822_ADDR))
		return false;
	if (a->type == ID_RFC822_ADDR) {
		const uint8_t *at = memchr(a->b, '@', a->len);

		if (!at || memcmp(a->b, b->b, (size_t)(at - a->b) + 1) != 0)
			return false;
		from = (size_t)(at - a->b);
	}
	for (size_t i = from; i < a->len; i++)
		if (tolower(a->b[i]) != tolower(b->b[i]))
			return false;
	return true;
}

static bool subject_of(const struct certificate *c, struct identity *out)
{
	uint8_t *der = NULL;
	const X509_NAME *name = X509_get_subject_name(c->x);
	int len = i2d_X509_NAME(name, &der);
	bool ok = X509_NAME_entry_count(name) > 0 && len > 0 &&
		  identity_from_bytes(ID_DER_ASN1_DN, span_of(der, (size_t)len), out);

	OPENSSL_free(der);
	return ok;
}

/* The best of its alternative names, or the one that equals want. */
static bool find_name(
	const struct certificate *c, const struct identity *want, struct identity *out)
{
	static const uint8_t order[] = {
		ID_FQDN, ID_RFC822_ADDR, ID_IPV4_ADDR, ID_IPV6_ADDR};
	GENERAL_NAMES *names = X509_get_ext_d2i(c->x, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (size_t k = 0; k < sizeof(order) && !found; k++) {
		for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
			struct identity id;

			if (!identity_of_name(sk_GENERAL_NAME_value(names, i), &id) ||
				id.type != order[k])
				continue;
			found = want == NULL || same_name(&id, want);
			if (found)
				*out = id;
		}
	}
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return found;
}

bool certificate_has_name(const struct certificate *c, const struct identity *id)
{
	struct identity is;

	if (id->type == ID_DER_ASN1_DN)
		return subject_of(c, &is) && dn_equal(&is, id);
	return find_name(c, id, &is);
}

bool certificate_first_name(const struct certificate *c, struct identity *out)
{
	return find_name(c, NULL, out) || subject_of(c, out);
}

/* ---- what it is worth */

const char *certificate_weakness(const struct certificate *c)
{
	return key_weakness(X509_get0_pubkey(c->x));
}

bool certificate_is_self_signed(const struct certificate *c)
{
	return X509_self_signed(c->x, 0) == 1;
}
