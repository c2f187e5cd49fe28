/* tests/unit/test_crypto_signature.c - AUTH's digital signatures: RFC 7427 with the names
 * of its appendix, RFC 8420, and the old methods of RFC 4754.
 */
#include "pki_lab.h"

#include "base/iana.h"
#include "crypto/signature.h"
#include "hex.h"

#include "../vectors/signature.h"

#include <stdio.h>

static const char octets[] = "message 1 | nonce | prf(SK_p, ID)";

struct bench {
	struct pki_node *node;
	struct certificate *cert;
	struct private_key *key;
	struct signature s;
	const char *why;
	struct span part;
};

static struct bench bench_for(const char *kind)
{
	struct pki_spec spec = {.key = kind, .subject = "CN=signer"};
	struct bench b = {.node = pki_new(&spec), .part = span_text(octets)};

	b.cert = pki_certificate(b.node);
	b.key = pki_key(b.node);
	return b;
}

static void bench_free(struct bench *b)
{
	private_key_free(b->key);
	certificate_free(b->cert);
	pki_free(b->node);
}

static enum crypto_err make(struct bench *b, uint16_t hashes)
{
	return signature_make(b->key, hashes, &b->part, 1, &b->s, &b->why);
}

static enum crypto_err check(struct bench *b)
{
	return signature_check(
		b->cert, b->s.method, span_of(b->s.b, b->s.len), &b->part, 1, &b->why);
}

/* What is signed counts in order, not how it is cut. */
static void what_was_made_is_believed_and_nothing_else(struct bench *b)
{
	const struct span parts[] = {
		span_of(octets, 5), span_of(octets + 5, strlen(octets) - 5)};

	assert_int_equal(check(b), CRYPTO_OK);
	assert_int_equal(signature_check(b->cert, b->s.method, span_of(b->s.b, b->s.len),
				 parts, 2, &b->why),
		CRYPTO_OK);
	b->part.len--;
	assert_int_equal(check(b), CRYPTO_FORGED);
	b->part.len++;
	b->s.b[b->s.len - 1] ^= 1;
	assert_int_equal(check(b), CRYPTO_FORGED);
	b->s.b[b->s.len - 1] ^= 1;
}

static void assert_name(const struct bench *b, const char *hex)
{
	uint8_t want[128];
	struct span name = unit_hex(hex, want, sizeof(want));

	assert_int_equal(b->s.method, AUTH_DIGITAL_SIGNATURE);
	assert_int_equal(b->s.b[0], name.len);
	unit_assert_span_equal(span_of(b->s.b + 1, name.len), name);
}

static void ecdsa_is_named_as_in_rfc_7427_a_3(void **state)
{
	struct bench b = bench_for("P-256"), c = bench_for("P-384");

	(void)state;
	assert_int_equal(make(&b, HASHES_OURS), CRYPTO_OK);
	assert_name(&b, "300a 0608 2a86 48ce 3d04 0302");
	what_was_made_is_believed_and_nothing_else(&b);
	assert_int_equal(make(&c, HASHES_OURS), CRYPTO_OK);
	assert_name(&c, "300a 0608 2a86 48ce 3d04 0303");
	what_was_made_is_believed_and_nothing_else(&c);
	bench_free(&b);
	bench_free(&c);
}

/* RFC 7427 4: the hash MUST be one of the peer's list. */
static void the_hash_is_one_that_the_peer_knows(void **state)
{
	struct bench b = bench_for("P-256");

	(void)state;
	assert_int_equal(make(&b, HASH_BIT(HASH_SHA2_512)), CRYPTO_OK);
	assert_name(&b, "300a 0608 2a86 48ce 3d04 0304");
	assert_int_equal(check(&b), CRYPTO_OK);
	assert_int_equal(make(&b, HASH_BIT(1)), CRYPTO_REFUSED); /* SHA-1 alone */
	assert_non_null(strstr(b.why, "knows no signature hash"));
	bench_free(&b);
}

static void ed25519_is_named_as_in_rfc_8420_and_signs_alike(void **state)
{
	struct bench b = bench_for("ED25519");
	struct signature first;

	(void)state;
	assert_int_equal(make(&b, HASHES_OURS), CRYPTO_OK);
	assert_name(&b, "3005 0603 2b65 70");
	what_was_made_is_believed_and_nothing_else(&b);
	first = b.s;
	assert_int_equal(make(&b, HASHES_OURS), CRYPTO_OK);
	unit_assert_span_equal(span_of(first.b, first.len), span_of(b.s.b, b.s.len));
	/* "Identity" is a hash like any other: who has not got it cannot be served. */
	assert_int_equal(make(&b, HASH_BIT(HASH_SHA2_256)), CRYPTO_REFUSED);
	bench_free(&b);
}

/* RFC 8247 3.2: RSASSA-PSS is what we sign with. */
static void rsa_signs_with_pss(void **state)
{
	struct bench b = bench_for("RSA:2048");

	(void)state;
	assert_int_equal(make(&b, HASHES_OURS), CRYPTO_OK);
	/* RFC 7427 A.4.3, without the trailer that DER leaves out. */
	assert_name(&b, "3041 0609 2a86 4886 f70d 0101 0a30 34a0"
			"0f30 0d06 0960 8648 0165 0304 0201 0500"
			"a11c 301a 0609 2a86 4886 f70d 0101 0830"
			"0d06 0960 8648 0165 0304 0201 0500 a203 0201 20");
	what_was_made_is_believed_and_nothing_else(&b);
	bench_free(&b);
}

/* The signature of b, under another name. */
static enum crypto_err check_named(struct bench *b, const char *hex)
{
	uint8_t data[SIGNATURE_MAX];
	struct span name = unit_hex(hex, data + 1, 255);
	size_t len = b->s.len - 1 - b->s.b[0];

	data[0] = (uint8_t)name.len;
	memcpy(data + 1 + name.len, b->s.b + 1 + b->s.b[0], len);
	return signature_check(b->cert, AUTH_DIGITAL_SIGNATURE,
		span_of(data, 1 + name.len + len), &b->part, 1, &b->why);
}

static void the_names_of_rfc_7427_are_read(void **state)
{
	struct bench b = bench_for("RSA:2048");

	(void)state;
	assert_int_equal(make(&b, HASHES_OURS), CRYPTO_OK);
	/* A.4.3 as printed, trailer included */
	assert_int_equal(check_named(&b, "3046 0609 2a86 4886 f70d 0101 0a30 39a0"
					 "0f30 0d06 0960 8648 0165 0304 0201 0500"
					 "a11c 301a 0609 2a86 4886 f70d 0101 0830"
					 "0d06 0960 8648 0165 0304 0201 0500 a203"
					 "0201 20a3 0302 0101"),
		CRYPTO_OK);
	/* sha256WithRSAEncryption is known, and this is no such signature */
	assert_int_equal(
		check_named(&b, "300d 0609 2a86 4886 f70d 0101 0b05 00"), CRYPTO_FORGED);
	/* with SHA-1 in it, by name, by default, and in the mask */
	assert_int_equal(
		check_named(&b, "300d 0609 2a86 4886 f70d 0101 0505 00"), CRYPTO_REFUSED);
	assert_int_equal(
		check_named(&b, "300d 0609 2a86 4886 f70d 0101 0a30 00"), CRYPTO_REFUSED);
	assert_int_equal(check_named(&b, "303e 0609 2a86 4886 f70d 0101 0a30 31a0"
					 "0b30 0906 052b 0e03 021a 0500 a118 3016"
					 "0609 2a86 4886 f70d 0101 0830 0906 052b"
					 "0e03 021a 0500 a203 0201 14a3 0302 0101"),
		CRYPTO_REFUSED);
	/* another kind of key; nonsense; nothing */
	assert_int_equal(
		check_named(&b, "300a 0608 2a86 48ce 3d04 0302"), CRYPTO_REFUSED);
	assert_int_equal(check_named(&b, "3005 0603 2b65 70"), CRYPTO_REFUSED);
	assert_int_equal(check_named(&b, "3005 0603 2b65"), CRYPTO_REFUSED);
	assert_int_equal(check_named(&b, ""), CRYPTO_REFUSED);
	bench_free(&b);
}

/* RFC 4754: for peers that do not know RFC 7427. */
static void old_methods_of_ecdsa(void **state)
{
	struct bench b = bench_for("P-256"), c = bench_for("P-384");

	(void)state;
	assert_int_equal(make(&b, 0), CRYPTO_OK);
	assert_int_equal(b.s.method, AUTH_ECDSA_256);
	assert_int_equal(b.s.len, 64);
	what_was_made_is_believed_and_nothing_else(&b);
	assert_int_equal(make(&c, 0), CRYPTO_OK);
	assert_int_equal(c.s.method, AUTH_ECDSA_384);
	assert_int_equal(c.s.len, 96);
	what_was_made_is_believed_and_nothing_else(&c);
	b.s.len--;
	assert_int_equal(check(&b), CRYPTO_FORGED);
	b.s.len++;
	b.s.method = AUTH_ECDSA_384; /* not of this curve */
	assert_int_equal(check(&b), CRYPTO_REFUSED);
	bench_free(&b);
	bench_free(&c);
}

static void no_sha_1_for_old_peers(void **state)
{
	struct bench b = bench_for("RSA:2048"), c = bench_for("ED25519");

	(void)state;
	assert_int_equal(make(&b, 0), CRYPTO_REFUSED);
	assert_int_equal(make(&c, 0), CRYPTO_REFUSED);
	b.s = (struct signature){.method = AUTH_RSA_SIG, .len = 256};
	assert_int_equal(check(&b), CRYPTO_REFUSED);
	assert_non_null(strstr(b.why, "SHA-1"));
	bench_free(&b);
	bench_free(&c);
}

static void weak_keys_do_not_count(void **state)
{
	struct bench b = bench_for("RSA:2048");
	struct pki_spec weak = {.key = "RSA:1024", .subject = "CN=weak"};
	struct pki_node *n = pki_new(&weak);
	struct certificate *c = pki_certificate(n);
	const char *why = NULL;

	(void)state;
	assert_non_null(certificate_weakness(c));
	assert_null(private_key_read(pki_key_pem(n), &why));
	assert_non_null(strstr(why, "2048"));
	assert_int_equal(make(&b, HASHES_OURS), CRYPTO_OK);
	assert_int_equal(
		signature_check(c, b.s.method, span_of(b.s.b, b.s.len), &b.part, 1, &why),
		CRYPTO_REFUSED);
	certificate_free(c);
	pki_free(n);
	bench_free(&b);
}

static void keys_in_files(void **state)
{
	struct bench b = bench_for("P-256"), c = bench_for("P-256");
	const char *why = NULL;

	(void)state;
	struct private_key *k = private_key_read(pki_key_pem(b.node), &why);
	assert_non_null(k);
	assert_true(private_key_fits(k, b.cert));
	assert_false(private_key_fits(k, c.cert));
	assert_null(credential_new(&c.cert, 1, k));
	private_key_free(k);
	assert_null(private_key_read(pki_cert_pem(b.node), &why));
	assert_non_null(strstr(why, "not a private key"));
	assert_null(private_key_read(span_text("rubbish"), &why));
	assert_null(private_key_open("file:/nowhere/at/all", &why));
	bench_free(&b);
	bench_free(&c);
}

static struct certificate *certificate_of(const char *spki)
{
	struct pki_node *ca = pki_new(&(struct pki_spec){.subject = "CN=CA", .ca = true});
	char key[512];

	snprintf(key, sizeof(key), "spki:%s", spki);
	struct pki_node *n = pki_new(
		&(struct pki_spec){.key = key, .subject = "CN=signer", .issuer = ca});
	struct certificate *c = pki_certificate(n);
	pki_free(n);
	pki_free(ca);
	return c;
}

static void published_signature(const struct signature_vector *v)
{
	struct certificate *c = certificate_of(v->spki);
	struct hex message = hex(v->message), sig = hex(v->signature),
		   name = hex(v->name);
	struct span part = hex_span(&message);
	uint8_t data[SIGNATURE_MAX];
	const char *why = NULL;
	size_t n = 0;

	if (name.len > 0)
		data[n++] = (uint8_t)name.len;
	memcpy(data + n, name.b, name.len);
	n += name.len;
	memcpy(data + n, sig.b, sig.len);
	n += sig.len;
	print_message("%s\n", v->source);
	assert_int_equal(signature_check(c, v->method, span_of(data, n), &part, 1, &why),
		CRYPTO_OK);
	data[n - 1] ^= 1;
	assert_int_equal(signature_check(c, v->method, span_of(data, n), &part, 1, &why),
		CRYPTO_FORGED);
	certificate_free(c);
}

static void published_signatures(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(signature_vectors) / sizeof(signature_vectors[0]);
		i++)
		published_signature(&signature_vectors[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ecdsa_is_named_as_in_rfc_7427_a_3),
		cmocka_unit_test(the_hash_is_one_that_the_peer_knows),
		cmocka_unit_test(ed25519_is_named_as_in_rfc_8420_and_signs_alike),
		cmocka_unit_test(rsa_signs_with_pss),
		cmocka_unit_test(the_names_of_rfc_7427_are_read),
		cmocka_unit_test(old_methods_of_ecdsa),
		cmocka_unit_test(published_signatures),
		cmocka_unit_test(no_sha_1_for_old_peers),
		cmocka_unit_test(weak_keys_do_not_count),
		cmocka_unit_test(keys_in_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
