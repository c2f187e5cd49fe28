/* ike/auth_cert.c - certificates in IKE_SA_INIT and IKE_AUTH (RFC 7296 2.15, 3.6, 3.7;
 * RFC 7427 3).
 *
 *	initiator                                 responder
 *	..., N(SIGNATURE_HASH_ALGORITHMS)    -->
 *	                                     <--  ..., N(SIGNATURE_HASH_ALGORITHMS), CERTREQ
 *	SK{IDi, CERT.., CERTREQ, AUTH, ...}  -->
 *	                                     <--  SK{IDr, CERT.., AUTH, ...}
 *
 * Order of doubts: what kind, whose CA, whose name, whose signature. Certificates by hash
 * and URL are never asked for and not followed. Leaves chains and signatures to crypto/.
 */
#include "ike/sa.h"

#include <stdarg.h>
#include <stdio.h>

#include "wire/auth_payload.h"
#include "wire/cert_payload.h"

enum { CERTS_OCTETS_MAX = 32 * 1024 }; /* of a peer's chain */

/* ---- IKE_SA_INIT */

/* RFC 7427 4: the list goes in IKE_SA_INIT. */
static void write_hashes(struct message *m)
{
	uint8_t list[32];
	size_t len = hash_algorithms_write(HASHES_OURS, list);

	ike_notify_write(m, N_SIGNATURE_HASH_ALGORITHMS, span_of(list, len));
}

void ike_cert_offer(struct message *m, const struct ike_sa *sa)
{
	if (sa->conn->own == IKE_PROOF_CERT || sa->conn->peer == IKE_PROOF_CERT)
		write_hashes(m);
}

static void write_request(struct message *m, struct span hashes)
{
	struct wire_certreq req = {.encoding = CERT_X509_SIGNATURE, .hashes = hashes};

	if (hashes.len > 0)
		certreq_payload_write(message_payload(m, PAYLOAD_CERTREQ), &req);
}

void ike_cert_answer(struct exchange *x, struct message *m)
{
	if (x->answer.signatures && x->sa->peer_hashes != 0)
		write_hashes(m);
	if (x->answer.signatures)
		write_request(m, span_of(x->answer.ca, x->answer.ca_len));
}

void ike_cert_read_hashes(struct exchange *x)
{
	struct span data;

	x->sa->peer_hashes = 0;
	if (ike_notify_find(&x->in, N_SIGNATURE_HASH_ALGORITHMS, &data) &&
		hash_algorithms_read(data, &x->sa->peer_hashes) != WIRE_OK)
		x->sa->peer_hashes = 0;
}

/* ---- our own */

/* RFC 7296 3.6: our own first, its issuers behind it; the peer has the root. */
void ike_cert_write(struct message *m, const struct ike_conn *c)
{
	if (c->own != IKE_PROOF_CERT)
		return;
	for (size_t i = 0; i < credential_count(c->credential); i++) {
		const struct certificate *cert = credential_at(c->credential, i);
		struct wire_cert payload = {
			.encoding = CERT_X509_SIGNATURE, .data = certificate_der(cert)};

		if (i == 0 || !certificate_is_self_signed(cert))
			cert_payload_write(message_payload(m, PAYLOAD_CERT), &payload);
	}
}

void ike_cert_request(struct message *m, const struct ike_conn *c)
{
	uint8_t hashes[IKE_CA_OCTETS];

	if (c->peer == IKE_PROOF_CERT)
		write_request(m,
			span_of(hashes, trust_request(c->trust, hashes, sizeof(hashes))));
}

bool ike_cert_sign(
	struct message *m, const struct ike_sa *sa, struct span id, const char **why)
{
	uint8_t store[PRF_OUT_MAX];
	struct span parts[IKE_SIGNED_PARTS];
	struct signature s;

	ike_keys_signed(sa, sa->initiator, id, store, parts);
	enum crypto_err err = credential_sign(
		sa->conn->credential, sa->peer_hashes, parts, IKE_SIGNED_PARTS, &s, why);
	wipe(store, sizeof(store));
	if (err != CRYPTO_OK)
		return false;
	struct wire_auth auth = {.method = s.method, .data = span_of(s.b, s.len)};
	auth_payload_write(message_payload(m, PAYLOAD_AUTH), &auth);
	return true;
}

/* ---- the peer's */

static enum ike_belief doubt(char text[IKE_DOUBT_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static enum ike_belief doubt(char text[IKE_DOUBT_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, IKE_DOUBT_MAX, format, args);
	va_end(args);
	return DOUBTED;
}

struct shown {
	struct span certs[CERT_CHAIN_MAX];
	size_t n, octets;
	bool by_url;
};

/* RFC 7296 3.6: the first is the one whose key signs. False: too many, or too large. */
static bool read_certs(const struct exchange *x, struct shown *out)
{
	const struct payload *p = NULL;

	*out = (struct shown){.n = 0};
	while ((p = payload_set_next(&x->in, PAYLOAD_CERT, p))) {
		struct wire_cert cert;

		if (cert_payload_read(p->body, &cert) != WIRE_OK)
			return false;
		out->by_url |= cert.encoding == CERT_HASH_URL ||
			       cert.encoding == CERT_HASH_URL_BUNDLE;
		if (cert.encoding != CERT_X509_SIGNATURE)
			continue;
		out->octets += cert.data.len;
		if (out->n == CERT_CHAIN_MAX || out->octets > CERTS_OCTETS_MAX)
			return false;
		out->certs[out->n++] = cert.data;
	}
	return true;
}

static enum ike_belief judge_chain(struct exchange *x, const struct ike_conn *c,
	const struct shown *shown, struct trust_answer *answer)
{
	struct trust_question q = {.certs = shown->certs,
		.n = shown->n,
		.now_s = x->e->wall_s,
		.revocations = x->e->revocations};
	enum trust_verdict verdict = trust_verify(c->trust, &q, answer);

	for (size_t i = 0; x->e->host.fetch && i < answer->n_wishes; i++)
		x->e->host.fetch(x->e->host.ctx, &answer->wishes[i]);
	if (verdict != TRUST_WAIT)
		return verdict == TRUST_BELIEVED ? BELIEVED : DOUBTED;
	x->sa->waits = true;
	return UNDECIDED;
}

static enum ike_belief check_signature(struct exchange *x, const struct certificate *leaf,
	const struct wire_auth *auth, struct span id, char text[IKE_DOUBT_MAX])
{
	const struct ike_sa *sa = x->sa;
	uint8_t store[PRF_OUT_MAX];
	struct span parts[IKE_SIGNED_PARTS];
	const char *why = "";

	ike_keys_signed(sa, !sa->initiator, id, store, parts);
	enum crypto_err err = signature_check(
		leaf, auth->method, auth->data, parts, IKE_SIGNED_PARTS, &why);
	wipe(store, sizeof(store));
	if (err == CRYPTO_OK)
		return BELIEVED;
	if (err == CRYPTO_REFUSED)
		return doubt(text, "is not believed: %s", why);
	return doubt(text, "is not believed: wrong key: its signature was not made with "
			   "the key of its "
			   "certificate");
}

enum ike_belief ike_cert_check(struct exchange *x, const struct ike_conn *c,
	const struct wire_auth *auth, struct span id, const struct identity *who,
	char text[IKE_DOUBT_MAX])
{
	struct shown shown;
	struct trust_answer answer;
	char name[CERT_TEXT_MAX];

	if (!read_certs(x, &shown))
		return doubt(text,
			"is not believed: more than %d certificates, or %d "
			"octets of them",
			CERT_CHAIN_MAX, CERTS_OCTETS_MAX);
	if (shown.n == 0)
		return doubt(text, "is not believed: it sent no certificate%s",
			shown.by_url ? ", but where to fetch one, which we do not do"
				     : ": let it send one");
	enum ike_belief belief = judge_chain(x, c, &shown, &answer);
	if (belief == DOUBTED)
		return doubt(text, "is not believed: %s", answer.text);
	if (belief == UNDECIDED)
		return belief;
	if (!certificate_has_name(answer.leaf, who))
		return doubt(text,
			"is not believed: wrong name: its certificate (%s) is for "
			"somebody "
			"else: compare subjectAltName and identity there",
			certificate_subject(answer.leaf, name));
	belief = check_signature(x, answer.leaf, auth, id, text);
	if (belief == BELIEVED) {
		chain_free(x->sa->chain);
		x->sa->chain = chain_keep(answer.chain);
	}
	return belief;
}
