/* What a peer shows of itself: certificates, signatures, requests, and what CAs say about
 * revocation. The first octet chooses which one the rest is. */
#include "base/iana.h"
#include "crypto/signature.h"
#include "crypto/trust.h"
#include "wire/cert_payload.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW_S = 1900000000, CHAIN = 3 };

static uint8_t out[1 << 17];

static void try_cert_payload(struct span body)
{
	struct writer w = wr_over(out, sizeof(out));
	struct wire_cert cert;

	if (cert_payload_read(rd_over(body), &cert) != WIRE_OK)
		return;
	cert_payload_write(&w, &cert);
	assert(span_equal(wr_span(&w), body));
}

static void try_certreq(struct span body)
{
	struct writer w = wr_over(out, sizeof(out));
	struct wire_certreq req;

	if (certreq_payload_read(rd_over(body), &req) != WIRE_OK)
		return;
	certreq_payload_write(&w, &req);
	assert(span_equal(wr_span(&w), body));
}

static void try_hashes(struct span body)
{
	uint16_t hashes, again;
	uint8_t list[32];

	if (hash_algorithms_read(body, &hashes) != WIRE_OK)
		return;
	size_t len = hash_algorithms_write(hashes, list);
	assert(hash_algorithms_read(span_of(list, len), &again) == WIRE_OK);
	assert(again == hashes);
}

static void try_names(const struct certificate *c)
{
	char text[CERT_TEXT_MAX], date[CERT_DATE_MAX];
	struct identity id;

	for (const char *p = certificate_subject(c, text); *p; p++)
		assert(*p >= ' ' && *p <= '~');
	certificate_issuer(c, text);
	certificate_date(certificate_not_after_s(c), date);
	if (certificate_first_name(c, &id))
		assert(certificate_has_name(c, &id));
}

/* The certificate as its own CA, and as one that nobody knows. */
static void try_certificate(struct span body)
{
	struct certificate *c = certificate_read(body);
	struct trust *t = trust_new(REVOCATION_IF_AVAILABLE);
	struct revocations *r = revocations_new();
	struct span chain[CHAIN] = {body, body, body};
	struct trust_question q = {
		.certs = chain, .n = CHAIN, .now_s = NOW_S, .revocations = r};
	struct trust_answer answer;

	if (c) {
		try_names(c);
		(void)certificate_weakness(c);
		(void)certificate_is_self_signed(c);
	}
	assert(trust_verify(t, &q, &answer) == TRUST_REFUSED);
	if (c && trust_add_anchor(t, c))
		(void)trust_verify(t, &q, &answer);
	trust_free(t);
	revocations_free(r);
	certificate_free(c);
}

static void try_crl(struct span body)
{
	struct trust *t = trust_new(REVOCATION_STRICT);

	(void)trust_add_crls(t, body);
	trust_free(t);
}

static void try_fetched(struct span body)
{
	struct revocations *r = revocations_new();
	struct fetch_wish wish = {.url = "http://ca.example/crl"};
	uint32_t id = revocations_begin(r, &wish, NOW_S);

	assert(revocations_learn(r, id, body, NOW_S));
	revocations_free(r);
}

/* ECDSA P-256, self-signed: whose signatures are looked for. */
static const uint8_t signer_der[] = {
#include "fuzz_certificate_signer.h"
};

static void try_signature(struct span body)
{
	struct certificate *c = certificate_read(span_of(signer_der, sizeof(signer_der)));
	struct span text = span_text("what was said");
	const char *why = NULL;

	assert(c);
	if (body.len > 1) {
		enum crypto_err err = signature_check(c, body.at[0],
			span_of(body.at + 1, body.len - 1), &text, 1, &why);
		assert(err != CRYPTO_OK);
	}
	certificate_free(c);
}

static void try_dn(struct span body)
{
	char text[512];
	struct identity id;
	size_t len = body.len < sizeof(text) ? body.len : sizeof(text) - 1;

	if (len > 0)
		memcpy(text, body.at, len);
	text[len] = '\0';
	if (dn_parse(text, &id))
		assert(dn_equal(&id, &id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(struct span) = {try_cert_payload, try_certreq,
		try_hashes, try_certificate, try_crl, try_fetched, try_signature, try_dn};

	if (size > 0)
		tries[data[0] % (sizeof(tries) / sizeof(tries[0]))](
			span_of(data + 1, size - 1));
	return 0;
}
