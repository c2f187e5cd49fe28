/* tests/unit/test_crypto_trust.c - whom we believe: chains, names, dates, revocation. Each
 * refusal says which it was.
 */
#include "pki_lab.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/iana.h"

struct world {
	struct pki_node *root, *middle, *leaf;
	struct trust *trust;
	struct revocations *revocations;
	struct trust_answer answer;
	struct span shown[CERT_CHAIN_MAX + 1];
	size_t n;
	int64_t now_s;
};

static struct world world_of(enum trust_revocation mode, const struct pki_spec *leaf_spec)
{
	struct pki_spec root = {.subject = "CN=Root", .ca = true};
	struct world w = {.root = pki_new(&root), .now_s = PKI_NOW};
	struct pki_spec middle = {
		.subject = "CN=Middle", .ca = true, .issuer = w.root, .key = "ED25519"};
	w.middle = pki_new(&middle);
	struct pki_spec leaf = *leaf_spec;
	leaf.issuer = w.middle;
	if (!leaf.subject)
		leaf.subject = "CN=leaf";
	w.leaf = pki_new(&leaf);
	w.trust = trust_new(mode);
	struct certificate *ca = pki_certificate(w.root);
	assert_true(trust_add_anchor(w.trust, ca));
	certificate_free(ca);
	w.revocations = revocations_new();
	w.shown[0] = pki_der(w.leaf);
	w.shown[1] = pki_der(w.middle);
	w.n = 2;
	return w;
}

static const struct pki_spec plain = {.san = "DNS:mail.example"};

static void world_free(struct world *w)
{
	trust_free(w->trust);
	revocations_free(w->revocations);
	pki_free(w->leaf);
	pki_free(w->middle);
	pki_free(w->root);
}

static enum trust_verdict ask(struct world *w)
{
	struct trust_question q = {.certs = w->shown,
		.n = w->n,
		.now_s = w->now_s,
		.revocations = w->revocations};

	return trust_verify(w->trust, &q, &w->answer);
}

static void assert_refused(struct world *w, const char *why)
{
	assert_int_equal(ask(w), TRUST_REFUSED);
	if (!strstr(w->answer.text, why))
		fail_msg("'%s' is not in '%s'", why, w->answer.text);
	assert_null(w->answer.leaf);
}

static void a_chain_under_our_ca(void **state)
{
	struct world w = world_of(REVOCATION_IF_AVAILABLE, &plain);
	struct identity id;

	(void)state;
	for (int i = 0; i < 3; i++) { /* again from what is remembered */
		assert_int_equal(ask(&w), TRUST_BELIEVED);
		assert_non_null(w.answer.leaf);
	}
	assert_true(identity_parse("mail.example", &id));
	assert_true(certificate_has_name(w.answer.leaf, &id));
	world_free(&w);
}

static void names_come_from_subject_alt_name(void **state)
{
	const struct pki_spec spec = {.subject = "CN=cn.example",
		.san = "DNS:Mail.example,email:Post@mail.example,IP:192.0.2.10,IP:2001:"
		       "db8::10"};
	struct world w = world_of(REVOCATION_OFF, &spec);
	static const struct {
		const char *name;
		bool has;
	} names[] = {{"mail.example", true}, {"MAIL.EXAMPLE", true},
		{"cn.example", false}, {"ail.example", false},
		{"Post@MAIL.example", true}, {"post@mail.example", false},
		{"192.0.2.10", true}, {"192.0.2.11", false}, {"2001:db8::10", true},
		{"*.example", false}, {"@#6d61696c", false}};
	struct identity id;

	(void)state;
	assert_int_equal(ask(&w), TRUST_BELIEVED);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_true(identity_parse(names[i].name, &id));
		if (certificate_has_name(w.answer.leaf, &id) != names[i].has)
			fail_msg("%s", names[i].name);
	}
	assert_true(certificate_first_name(w.answer.leaf, &id));
	assert_int_equal(id.type, ID_FQDN);
	assert_true(dn_parse("CN=cn.example", &id));
	assert_true(certificate_has_name(w.answer.leaf, &id));
	assert_true(dn_parse("cn=CN.Example", &id)); /* RFC 5280 7.1 */
	assert_true(certificate_has_name(w.answer.leaf, &id));
	assert_true(dn_parse("CN=other", &id));
	assert_false(certificate_has_name(w.answer.leaf, &id));
	world_free(&w);
}

static void dns_and_their_text(void **state)
{
	struct identity a, b;

	(void)state;
	assert_true(dn_parse("CN=mail, OU=a\\, b+L=c , O=Example \\\"Corp\\\",C=DE", &a));
	assert_int_equal(a.type, ID_DER_ASN1_DN);
	assert_true(dn_parse("CN=Mail,OU=A\\2C b+L=c,O=Example \"Corp\",C=DE", &b));
	assert_true(dn_equal(&a, &b));
	assert_false(dn_parse("CN=mail,", &a));
	assert_false(dn_parse("CN", &a));
	assert_false(dn_parse("=mail", &a));
	assert_false(dn_parse("NOSUCHTYPE=mail", &a));
	assert_false(dn_parse("CN=", &a));
	assert_false(dn_parse("", &a));
}

static void an_expired_certificate(void **state)
{
	struct world w = world_of(REVOCATION_OFF, &plain);

	(void)state;
	assert_int_equal(ask(&w), TRUST_BELIEVED); /* remembered, and yet: */
	w.now_s = PKI_NOW + 366 * (int64_t)PKI_DAY;
	assert_refused(&w, "expired: ");
	w.now_s = PKI_NOW - 2 * PKI_DAY;
	assert_refused(&w, "not yet valid: ");
	w.now_s = 0;
	assert_refused(&w, "the time is not known");
	world_free(&w);
}

static void a_self_signed_certificate(void **state)
{
	struct world w = world_of(REVOCATION_OFF, &plain);
	struct pki_spec own = {.subject = "CN=myself", .san = "DNS:mail.example"};
	struct pki_node *n = pki_new(&own);

	(void)state;
	w.shown[0] = pki_der(n);
	w.n = 1;
	assert_refused(&w, "self-signed: its certificate (CN=myself)");
	pki_free(n);
	world_free(&w);
}

static void another_ca(void **state)
{
	struct world w = world_of(REVOCATION_OFF, &plain);
	struct pki_spec other_root = {.subject = "CN=Other", .ca = true};
	struct pki_node *root = pki_new(&other_root);
	struct pki_spec spec = {.subject = "CN=leaf", .issuer = root};
	struct pki_node *n = pki_new(&spec);

	(void)state;
	w.shown[0] = pki_der(n);
	w.n = 1;
	assert_refused(&w,
		"wrong CA, or broken chain: its certificate (CN=leaf) was issued "
		"by CN=Other");
	w.shown[1] = pki_der(root);
	w.n = 2;
	assert_refused(&w, "wrong CA: its chain ends at a CA certificate of its chain "
			   "(CN=Other)");
	pki_free(n);
	pki_free(root);
	world_free(&w);
}

static void a_ca_that_is_named_like_ours(void **state)
{
	struct world w = world_of(REVOCATION_OFF, &plain);
	struct pki_spec other_root = {.subject = "CN=Root", .ca = true};
	struct pki_node *root = pki_new(&other_root);
	struct pki_spec spec = {.subject = "CN=leaf", .issuer = root};
	struct pki_node *n = pki_new(&spec);

	(void)state;
	w.shown[0] = pki_der(n);
	w.n = 1;
	assert_refused(&w,
		"wrong CA: its certificate (CN=leaf) was issued by a CA that is "
		"named like ours");
	pki_free(n);
	pki_free(root);
	world_free(&w);
}

static void a_broken_chain(void **state)
{
	struct world w = world_of(REVOCATION_OFF, &plain);
	struct pki_node *forged = pki_forged(w.leaf, w.root);

	(void)state;
	w.n = 1;
	assert_refused(&w, "broken chain");
	w.n = 2;
	w.shown[0] = pki_der(forged);
	assert_refused(&w, "broken chain");
	w.n = 0;
	assert_refused(&w, "no certificate");
	w.n = 1;
	w.shown[0] = span_text("rubbish");
	assert_refused(&w, "not readable");
	pki_free(forged);
	world_free(&w);
}

/* The leaf of somebody else is no CA. */
static void a_leaf_may_not_issue(void **state)
{
	struct world w = world_of(REVOCATION_OFF, &plain);
	struct pki_spec spec = {.subject = "CN=mallory", .issuer = w.leaf};
	struct pki_node *n = pki_new(&spec);

	(void)state;
	w.shown[0] = pki_der(n);
	w.shown[1] = pki_der(w.leaf);
	w.shown[2] = pki_der(w.middle);
	w.n = 3;
	assert_refused(&w, "broken chain");
	pki_free(n);
	world_free(&w);
}

static void usages(void **state)
{
	static const struct {
		const char *eku, *key_usage;
		bool fits;
	} rows[] = {{"serverAuth", NULL, true}, {"1.3.6.1.5.5.7.3.17", NULL, true},
		{"anyExtendedKeyUsage", NULL, true}, {"codeSigning", NULL, false},
		{NULL, "digitalSignature", true}, {NULL, "nonRepudiation", true},
		{NULL, "keyEncipherment", false}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct pki_spec spec = {
			.eku = rows[i].eku, .key_usage = rows[i].key_usage};
		struct world w = world_of(REVOCATION_OFF, &spec);

		if (rows[i].fits)
			assert_int_equal(ask(&w), TRUST_BELIEVED);
		else
			assert_refused(&w, "not good for IKE");
		world_free(&w);
	}
}

static void weak_keys_and_hashes(void **state)
{
	const struct pki_spec weak = {.key = "RSA:1024"};
	struct pki_spec root = {.subject = "CN=Root", .ca = true};
	struct world w = world_of(REVOCATION_OFF, &weak);

	(void)state;
	assert_refused(&w, "");
	world_free(&w);
	struct pki_node *ca = pki_new(&root);
	struct pki_spec spec = {.subject = "CN=leaf", .issuer = ca, .digest = "SHA1"};
	struct pki_node *n = pki_new(&spec);
	w = world_of(REVOCATION_OFF, &plain);
	struct certificate *c = pki_certificate(ca);
	assert_true(trust_add_anchor(w.trust, c));
	w.shown[0] = pki_der(n);
	w.n = 1;
	assert_refused(&w, "too weak: ");
	certificate_free(c);
	pki_free(n);
	pki_free(ca);
	world_free(&w);
}

/* ---- revocation */

static void add_crl(struct world *w, const struct pki_node *issuer,
	const struct pki_node *revoked, int64_t until_s)
{
	struct span crl = pki_crl(issuer, revoked, PKI_NOW - PKI_DAY, until_s);

	assert_int_equal(trust_add_crls(w->trust, crl), 1);
	pki_octets_free(crl);
}

static void revoked_by_a_crl_file(void **state)
{
	struct world w = world_of(REVOCATION_IF_AVAILABLE, &plain);

	(void)state;
	assert_int_equal(ask(&w), TRUST_BELIEVED);
	add_crl(&w, w.root, w.leaf, PKI_NOW + PKI_DAY); /* somebody else's list */
	assert_int_equal(ask(&w), TRUST_BELIEVED);
	add_crl(&w, w.middle, w.leaf, PKI_NOW + PKI_DAY);
	assert_refused(&w, "revoked: its certificate (CN=leaf)");
	trust_set_revocation(w.trust, REVOCATION_OFF);
	assert_int_equal(ask(&w), TRUST_BELIEVED);
	world_free(&w);
}

static void a_revoked_ca(void **state)
{
	struct world w = world_of(REVOCATION_IF_AVAILABLE, &plain);

	(void)state;
	add_crl(&w, w.root, w.middle, PKI_NOW + PKI_DAY);
	assert_refused(&w, "revoked: a CA certificate of its chain (CN=Middle)");
	world_free(&w);
}

/* A doubt that may pass does not hide one that will not. */
static void the_certain_doubt_is_told(void **state)
{
	struct world w = world_of(REVOCATION_STRICT, &plain);

	(void)state;
	add_crl(&w, w.root, w.middle, PKI_NOW + PKI_DAY);
	assert_refused(&w, "revoked: a CA certificate of its chain (CN=Middle)");
	assert_false(w.answer.unknown);
	world_free(&w);
}

static enum trust_verdict ask_again(struct world *w, struct chain *c)
{
	const struct trust_question q = {
		.now_s = w->now_s, .revocations = w->revocations};

	return trust_verify_again(w->trust, c, &q, &w->answer);
}

static void what_was_believed_is_judged_again(void **state)
{
	const struct pki_spec short_lived = {
		.san = "DNS:mail.example", .until_s = PKI_NOW + PKI_DAY};
	struct world w = world_of(REVOCATION_STRICT, &short_lived);

	(void)state;
	add_crl(&w, w.middle, NULL, PKI_NOW + 60);
	add_crl(&w, w.root, NULL, PKI_NOW + 120);
	assert_int_equal(ask(&w), TRUST_BELIEVED);
	struct chain *c = chain_keep(w.answer.chain);
	assert_int_equal(chain_until_s(c), PKI_NOW + PKI_DAY);
	assert_int_equal(w.answer.until_s, PKI_NOW + 60); /* the first list's end */
	w.now_s = PKI_NOW + 59;
	assert_int_equal(ask_again(&w, c), TRUST_BELIEVED);
	w.now_s = PKI_NOW + 60;
	assert_int_equal(ask_again(&w, c), TRUST_REFUSED);
	assert_true(w.answer.unknown);
	w.now_s = PKI_NOW + PKI_DAY - 1;
	trust_set_revocation(w.trust, REVOCATION_OFF);
	assert_int_equal(ask_again(&w, c), TRUST_BELIEVED);
	w.now_s = PKI_NOW + PKI_DAY;
	assert_int_equal(ask_again(&w, c), TRUST_REFUSED);
	assert_false(w.answer.unknown);
	assert_non_null(strstr(w.answer.text, "expired: "));
	chain_free(c);
	world_free(&w);
}

static void strict_wants_to_know(void **state)
{
	struct world w = world_of(REVOCATION_STRICT, &plain);

	(void)state;
	assert_refused(&w, "revocation strict");
	add_crl(&w, w.middle, NULL, PKI_NOW + PKI_DAY);
	assert_refused(&w, "revocation strict");
	add_crl(&w, w.root, NULL, PKI_NOW + PKI_DAY);
	assert_int_equal(ask(&w), TRUST_BELIEVED);
	w.now_s = PKI_NOW + 2 * PKI_DAY; /* the lists are out of date */
	assert_refused(&w, "revocation strict");
	world_free(&w);
}

/* An old list does not say "good", but who stands on it has been revoked for good. */
static void an_old_crl_still_revokes(void **state)
{
	struct world w = world_of(REVOCATION_IF_AVAILABLE, &plain);

	(void)state;
	add_crl(&w, w.middle, w.leaf, PKI_NOW - 10);
	assert_refused(&w, "revoked");
	world_free(&w);
}

static const struct pki_spec by_url = {.crl_url = "http://ca.example/middle.crl"};
static const struct pki_spec by_ocsp = {.ocsp_url = "http://ocsp.example/"};

static uint32_t begin(struct world *w)
{
	assert_int_equal(w->answer.n_wishes, 1);
	return revocations_begin(w->revocations, &w->answer.wishes[0], w->now_s);
}

static void strict_waits_for_a_crl(void **state)
{
	struct world w = world_of(REVOCATION_STRICT, &by_url);
	struct span crl = pki_crl(w.middle, NULL, PKI_NOW - 60, PKI_NOW + PKI_DAY);

	(void)state;
	add_crl(&w, w.root, NULL, PKI_NOW + 365 * (int64_t)PKI_DAY);
	assert_int_equal(ask(&w), TRUST_WAIT);
	assert_string_equal(w.answer.wishes[0].url, "http://ca.example/middle.crl");
	assert_int_equal(w.answer.wishes[0].len, 0);
	uint32_t id = begin(&w);
	assert_int_not_equal(id, 0);
	assert_int_equal(ask(&w), TRUST_WAIT);
	assert_int_equal(begin(&w), 0); /* it is under way */
	assert_true(revocations_learn(w.revocations, id, crl, w.now_s));
	assert_false(revocations_learn(w.revocations, id, crl, w.now_s));
	assert_int_equal(ask(&w), TRUST_BELIEVED);
	assert_int_equal(w.answer.n_wishes, 0);
	w.now_s += 2 * PKI_DAY; /* out of date: once more */
	assert_int_equal(ask(&w), TRUST_WAIT);
	pki_octets_free(crl);
	world_free(&w);
}

static void a_fetched_crl_revokes(void **state)
{
	struct world w = world_of(REVOCATION_IF_AVAILABLE, &by_url);
	struct span crl = pki_crl(w.middle, w.leaf, PKI_NOW - 60, PKI_NOW + PKI_DAY);
	struct span forged = pki_crl(w.root, w.leaf, PKI_NOW - 60, PKI_NOW + PKI_DAY);

	(void)state;
	assert_int_equal(ask(&w), TRUST_BELIEVED);
	assert_true(revocations_learn(w.revocations, begin(&w), forged, w.now_s));
	assert_int_equal(ask(&w), TRUST_BELIEVED); /* not its issuer's: says nothing */
	assert_int_equal(w.answer.n_wishes, 0); /* and is not asked for again at once */
	w.now_s += 61;
	assert_int_equal(ask(&w), TRUST_BELIEVED);
	assert_true(revocations_learn(w.revocations, begin(&w), crl, w.now_s));
	assert_refused(&w, "revoked");
	pki_octets_free(crl);
	pki_octets_free(forged);
	world_free(&w);
}

static void what_cannot_be_fetched(void **state)
{
	struct world w = world_of(REVOCATION_STRICT, &by_url);

	(void)state;
	add_crl(&w, w.root, NULL, PKI_NOW + PKI_DAY);
	assert_int_equal(ask(&w), TRUST_WAIT);
	assert_true(revocations_learn(
		w.revocations, begin(&w), span_text("<html>sorry"), w.now_s));
	assert_refused(&w, "cannot be reached");
	w.now_s += 61; /* tried again after a minute */
	assert_int_equal(ask(&w), TRUST_WAIT);
	assert_int_not_equal(begin(&w), 0);
	world_free(&w);
}

static void ocsp_says_good_or_revoked(void **state)
{
	for (int revoked = 0; revoked < 2; revoked++) {
		struct world w = world_of(REVOCATION_STRICT, &by_ocsp);
		struct span said = pki_ocsp(
			w.middle, w.middle, w.leaf, revoked != 0, PKI_NOW + 3600);

		(void)state;
		add_crl(&w, w.root, NULL, PKI_NOW + PKI_DAY);
		assert_int_equal(ask(&w), TRUST_WAIT);
		assert_true(w.answer.wishes[0].len > 0);
		assert_true(revocations_learn(w.revocations, begin(&w), said, w.now_s));
		if (revoked)
			assert_refused(&w, "revoked");
		else
			assert_int_equal(ask(&w), TRUST_BELIEVED);
		w.now_s += 7200;
		if (!revoked)
			assert_int_equal(ask(&w), TRUST_WAIT);
		pki_octets_free(said);
		world_free(&w);
	}
}

static void ocsp_by_somebody_else_says_nothing(void **state)
{
	struct world w = world_of(REVOCATION_IF_AVAILABLE, &by_ocsp);
	struct pki_spec spec = {.subject = "CN=liar", .issuer = w.middle};
	struct pki_node *liar = pki_new(&spec); /* has no OCSPSigning */
	struct span said = pki_ocsp(liar, w.middle, w.leaf, true, PKI_NOW + 3600);

	(void)state;
	assert_int_equal(ask(&w), TRUST_BELIEVED);
	assert_true(revocations_learn(w.revocations, begin(&w), said, w.now_s));
	assert_int_equal(ask(&w), TRUST_BELIEVED);
	pki_octets_free(said);
	pki_free(liar);
	world_free(&w);
}

static void only_plain_http_is_wished_for(void **state)
{
	static const char *const urls[] = {"https://ca.example/x.crl",
		"file:///etc/passwd", "ldap://ca.example/x", "http://"};

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		const struct pki_spec spec = {.crl_url = urls[i]};
		struct world w = world_of(REVOCATION_IF_AVAILABLE, &spec);

		assert_int_equal(ask(&w), TRUST_BELIEVED);
		assert_int_equal(w.answer.n_wishes, 0);
		world_free(&w);
	}
}

static void what_is_kept_is_bounded(void **state)
{
	struct revocations *r = revocations_new();
	struct fetch_wish w = {.len = 0};
	uint32_t first = 0;

	(void)state;
	for (int i = 0; i < REVOCATIONS_MAX; i++) {
		snprintf(w.url, sizeof(w.url), "http://ca.example/%d", i);
		uint32_t id = revocations_begin(r, &w, PKI_NOW + i);
		assert_int_not_equal(id, 0);
		first = first ? first : id;
	}
	snprintf(w.url, sizeof(w.url), "http://ca.example/more");
	assert_int_equal(revocations_begin(r, &w, PKI_NOW), 0);
	assert_true(revocations_learn(r, first, span_of(NULL, 0), PKI_NOW));
	assert_int_not_equal(revocations_begin(r, &w, PKI_NOW), 0);
	assert_int_equal(revocations_count(r), REVOCATIONS_MAX);
	revocations_free(r);
}

static void files_hold_several(void **state)
{
	struct world w = world_of(REVOCATION_OFF, &plain);
	struct certificate *c[4];
	char text[16384];

	(void)state;
	struct span a = pki_cert_pem(w.leaf), k = pki_key_pem(w.leaf);
	struct span b = pki_cert_pem(w.middle);
	int len = snprintf(text, sizeof(text), "words\n%.*s%.*s%.*s", (int)a.len,
		(const char *)a.at, (int)k.len, (const char *)k.at, (int)b.len,
		(const char *)b.at);
	assert_int_equal(certificates_read(span_of(text, (size_t)len), c, 4), 2);
	unit_assert_span_equal(certificate_der(c[0]), pki_der(w.leaf));
	certificate_free(c[0]);
	certificate_free(c[1]);
	assert_int_equal(certificates_read(pki_der(w.leaf), c, 4), 1);
	certificate_free(c[0]);
	assert_int_equal(certificates_read(span_text("nothing"), c, 4), 0);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chain_under_our_ca),
		cmocka_unit_test(names_come_from_subject_alt_name),
		cmocka_unit_test(dns_and_their_text),
		cmocka_unit_test(an_expired_certificate),
		cmocka_unit_test(a_self_signed_certificate),
		cmocka_unit_test(another_ca),
		cmocka_unit_test(a_ca_that_is_named_like_ours),
		cmocka_unit_test(a_broken_chain),
		cmocka_unit_test(a_leaf_may_not_issue),
		cmocka_unit_test(usages),
		cmocka_unit_test(weak_keys_and_hashes),
		cmocka_unit_test(revoked_by_a_crl_file),
		cmocka_unit_test(a_revoked_ca),
		cmocka_unit_test(strict_wants_to_know),
		cmocka_unit_test(the_certain_doubt_is_told),
		cmocka_unit_test(what_was_believed_is_judged_again),
		cmocka_unit_test(an_old_crl_still_revokes),
		cmocka_unit_test(strict_waits_for_a_crl),
		cmocka_unit_test(a_fetched_crl_revokes),
		cmocka_unit_test(what_cannot_be_fetched),
		cmocka_unit_test(ocsp_says_good_or_revoked),
		cmocka_unit_test(ocsp_by_somebody_else_says_nothing),
		cmocka_unit_test(only_plain_http_is_wished_for),
		cmocka_unit_test(what_is_kept_is_bounded),
		cmocka_unit_test(files_hold_several),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
