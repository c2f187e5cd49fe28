/* tests/unit/test_known_certificates.c - what has brought others down, in certificates and
 * signatures: see docs/SECURITY.md, "What has brought others down".
 */
#include "pki_lab.h"

#include <stdio.h>

#include "base/iana.h"
#include "crypto/signature.h"

static const char octets[] = "what is signed";

static enum crypto_err check(
	const struct certificate *c, uint8_t method, struct span data, const char **why)
{
	const struct span part = span_text(octets);

	return signature_check(c, method, data, &part, 1, why);
}

/* CVE-2021-41990: the octets that a signature's name says a salt has. CVE-2018-16152: what
 * else its parameters may say. */
static void pss_with_parameters_that_cannot_be(void **state)
{
	/* hash SHA-256, MGF1 with it, then the salt's length, then the trailer */
	static const char head[] =
		"06092a864886f70d01010a30%02x"
		"a00f300d06096086480165030402010500"
		"a11c301a06092a864886f70d010108300d06096086480165030402010500";
	static const char *const tails[] = {"a203020100", "a203020120", "a2030201ff",
		"a20302017f", "a20602047fffffff", "a2060204ffffffff", "a206020480000000",
		"a20a02087fffffffffffffff", "a20a0208ffffffffffffffff", "a2020200",
		"a203020120a303020101", "a203020120a303020102",
		"a203020120a3060204ffffffff", "a203040120", "a281030201", "a2ff"};
	struct pki_node *n =
		pki_new(&(struct pki_spec){.key = "RSA:2048", .subject = "CN=signer"});
	struct certificate *c = pki_certificate(n);

	(void)state;
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
		for (size_t len = 0; len <= 512; len += 128) {
			char hex[400], parameters[200];
			uint8_t data[800] = {0};
			const char *why = "";

			snprintf(parameters, sizeof(parameters), head,
				(unsigned)(47 + strlen(tails[i]) / 2));
			snprintf(hex, sizeof(hex), "30%02x%s%s",
				(unsigned)(60 + strlen(tails[i]) / 2), parameters,
				tails[i]);
			struct span name = unit_hex(hex, data + 1, sizeof(data) - 1);
			data[0] = (uint8_t)name.len;
			assert_int_not_equal(
				check(c, AUTH_DIGITAL_SIGNATURE,
					span_of(data, 1 + name.len + len), &why),
				CRYPTO_OK);
		}
	certificate_free(c);
	pki_free(n);
}

/* CVE-2018-16151, CVE-2018-17540, CVE-2017-11185: a signature of a length, or a value, that
 * none has: empty, longer than the key, larger than its modulus. */
static void signatures_that_none_can_be(void **state)
{
	static const char *const kinds[] = {"RSA:2048", "P-256", "P-384", "ED25519"};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct pki_node *n = pki_new(
			&(struct pki_spec){.key = kinds[i], .subject = "CN=signer"});
		struct certificate *c = pki_certificate(n);
		struct private_key *key = pki_key(n);
		const struct span part = span_text(octets);
		const char *why = "";
		struct signature s;

		assert_int_equal(
			signature_make(key, HASHES_OURS, &part, 1, &s, &why), CRYPTO_OK);
		assert_int_equal(
			check(c, s.method, span_of(s.b, s.len), &why), CRYPTO_OK);
		size_t name = 1u + s.b[0];
		for (size_t len = 0; len < SIGNATURE_MAX; len += len < s.len ? 1 : 97) {
			static uint8_t data[SIGNATURE_MAX];

			if (len == s.len)
				continue;
			memset(data, 0xff, sizeof(data));
			memcpy(data, s.b, len < s.len ? len : s.len);
			assert_int_not_equal(
				check(c, s.method, span_of(data, len), &why), CRYPTO_OK);
		}
		for (unsigned fill = 0; fill <= 0xff; fill += 0xff) {
			memset(s.b + name, (int)fill, s.len - name);
			assert_int_not_equal(
				check(c, s.method, span_of(s.b, s.len), &why), CRYPTO_OK);
		}
		private_key_free(key);
		certificate_free(c);
		pki_free(n);
	}
}

/* CVE-2017-9022: an RSA key whose modulus or exponent is zero, one, or even. */
static void keys_that_are_none(void **state)
{
	/* rsaEncryption; a modulus of one octet, or of 256 */
	static const char *const keys[] = {
		"301c300d06092a864886f70d0101010500030b0030080201000203010001",
		"301c300d06092a864886f70d0101010500030b0030080201010203010001",
		"301c300d06092a864886f70d0101010500030b0030080201020203010001",
		"301a300d06092a864886f70d01010105000309003006020111020100",
		"301a300d06092a864886f70d01010105000309003006020111020101",
		"301a300d06092a864886f70d010101050003090030060201ff0201ff"};
	struct pki_node *ca =
		pki_new(&(struct pki_spec){.subject = "CN=Root", .ca = true});
	unsigned read = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		char kind[200];
		snprintf(kind, sizeof(kind), "spki:%s", keys[i]);
		struct pki_node *n = pki_new(&(struct pki_spec){
			.key = kind, .subject = "CN=none", .issuer = ca});
		struct certificate *c = certificate_read(pki_der(n));
		static const uint8_t data[300] = {1};
		const char *why = "";

		if (c)
			assert_non_null(certificate_weakness(c));
		read += c != NULL;
		for (size_t len = 0; c && len <= sizeof(data); len += 60)
			assert_int_not_equal(
				check(c, AUTH_RSA_SIG, span_of(data, len), &why),
				CRYPTO_OK);
		certificate_free(c);
		pki_free(n);
	}
	assert_true(read > 0); /* the library lets some pass */
	pki_free(ca);
}

static struct trust *trust_in(const struct pki_node *root)
{
	struct trust *t = trust_new(REVOCATION_IF_AVAILABLE);
	struct certificate *c = pki_certificate(root);

	assert_true(trust_add_anchor(t, c));
	certificate_free(c);
	return t;
}

static enum trust_verdict ask(struct trust *t, struct revocations *r,
	const struct pki_node *n, struct trust_answer *out)
{
	struct span der = pki_der(n);
	struct trust_question q = {
		.certs = &der, .n = 1, .now_s = PKI_NOW, .revocations = r};

	return trust_verify(t, &q, out);
}

/* CVE-2022-40617: addresses in a certificate that nobody has vouched for are asked. */
static void strangers_make_us_fetch_nothing(void **state)
{
	static const char url[] = "http://198.51.100.66/slow";
	struct pki_node *root =
		pki_new(&(struct pki_spec){.subject = "CN=Root", .ca = true});
	struct pki_node *other =
		pki_new(&(struct pki_spec){.subject = "CN=Root", .ca = true});
	struct pki_node *ours = pki_new(&(struct pki_spec){
		.subject = "CN=leaf", .issuer = root, .crl_url = url, .ocsp_url = url});
	struct pki_node *forged = pki_forged(ours, other);
	struct pki_node *alone = pki_new(&(struct pki_spec){
		.subject = "CN=leaf", .crl_url = url, .ocsp_url = url});
	const struct pki_node *const strangers[] = {forged, alone};
	struct trust *t = trust_in(root);
	struct revocations *r = revocations_new();
	struct trust_answer answer;

	(void)state;
	trust_set_revocation(t, REVOCATION_STRICT);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(ask(t, r, strangers[i], &answer), TRUST_REFUSED);
		assert_int_equal(answer.n_wishes, 0);
	}
	assert_int_equal(ask(t, r, ours, &answer), TRUST_WAIT);
	assert_true(answer.n_wishes > 0);
	trust_free(t);
	revocations_free(r);
	pki_free(alone);
	pki_free(forged);
	pki_free(ours);
	pki_free(other);
	pki_free(root);
}

/* CVE-2021-41991: more certificates than are remembered, so that each takes another's place. */
static void more_certificates_than_are_remembered(void **state)
{
	enum { MANY = 1000 };
	struct pki_node *root = pki_new(
		&(struct pki_spec){.subject = "CN=Root", .ca = true, .key = "ED25519"});
	static struct pki_node *of[MANY];
	struct trust *t = trust_in(root);
	struct trust_answer answer;

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		char name[40];

		snprintf(name, sizeof(name), "CN=leaf %u", i);
		of[i] = pki_new(&(struct pki_spec){
			.subject = name, .issuer = root, .key = "ED25519:7"});
		assert_int_equal(ask(t, NULL, of[i], &answer), TRUST_BELIEVED);
	}
	for (unsigned i = 0; i < MANY; i++) {
		char name[CERT_TEXT_MAX], want[40];

		snprintf(want, sizeof(want), "leaf %u", i);
		assert_int_equal(ask(t, NULL, of[i], &answer), TRUST_BELIEVED);
		assert_non_null(strstr(certificate_subject(answer.leaf, name), want));
		pki_free(of[i]);
	}
	trust_free(t);
	pki_free(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pss_with_parameters_that_cannot_be),
		cmocka_unit_test(signatures_that_none_can_be),
		cmocka_unit_test(keys_that_are_none),
		cmocka_unit_test(strangers_make_us_fetch_nothing),
		cmocka_unit_test(more_certificates_than_are_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
