/* ike/auth_proof.c - proofs of identity, by method (RFC 7296 2.15): each side has its own,
 * and they need not be of one kind.
 *
 * The pre-shared key is here; certificates are in auth_cert.c.
 */
#include "ike/sa.h"

#include <stdio.h>

#include "wire/auth_payload.h"

void ike_conn_keep(struct ike_conn *c)
{
	(void)credential_keep(c->credential);
	(void)trust_keep(c->trust);
}

void ike_conn_wipe(struct ike_conn *c)
{
	secret_wipe(&c->psk);
	wipe(c->ppk.key, sizeof(c->ppk.key));
	credential_free(c->credential);
	trust_free(c->trust);
	c->credential = NULL;
	c->trust = NULL;
}

static void write_psk(struct message *m, const struct ike_sa *sa, struct span id)
{
	uint8_t proof[PRF_OUT_MAX];
	struct wire_auth auth = {.method = AUTH_SHARED_KEY_MIC,
		.data = span_of(proof, prf_len(sa->suite.prf))};

	ike_keys_auth(sa, sa->initiator, id, &sa->conn->psk, proof);
	auth_payload_write(message_payload(m, PAYLOAD_AUTH), &auth);
}

bool ike_proof_write_auth(
	struct message *m, const struct ike_sa *sa, struct span id, const char **why)
{
	if (sa->conn->own == IKE_PROOF_CERT)
		return ike_cert_sign(m, sa, id, why);
	write_psk(m, sa, id);
	return true;
}

static enum ike_belief check_psk(const struct ike_sa *sa, const struct ike_conn *c,
	const struct wire_auth *auth, struct span id, char text[IKE_DOUBT_MAX])
{
	uint8_t proof[PRF_OUT_MAX];

	ike_keys_auth(sa, !sa->initiator, id, &c->psk, proof);
	if (secret_equal(auth->data, span_of(proof, prf_len(sa->suite.prf))))
		return BELIEVED;
	snprintf(text, IKE_DOUBT_MAX,
		"has another pre-shared key than ours: the peer's pre-shared key "
		"differs, "
		"compare the secrets on both sides");
	return DOUBTED;
}

enum ike_belief ike_proof_check(struct exchange *x, const struct ike_conn *c,
	const struct wire_auth *auth, struct span id, const struct identity *who,
	char text[IKE_DOUBT_MAX])
{
	bool by_key = auth->method == AUTH_SHARED_KEY_MIC;

	if (c->peer == IKE_PROOF_CERT && !by_key)
		return ike_cert_check(x, c, auth, id, who, text);
	if (c->peer == IKE_PROOF_PSK && by_key)
		return check_psk(x->sa, c, auth, id, text);
	snprintf(text, IKE_DOUBT_MAX,
		by_key ? "proves itself with a pre-shared key, and our rule wants a "
			 "certificate: give its side a certificate, or our rule 'auth "
			 "psk'"
		       : "does not prove itself with a pre-shared key: give its side "
			 "'auth "
			 "psk' for us, or our rule 'auth cert'");
	return DOUBTED;
}
