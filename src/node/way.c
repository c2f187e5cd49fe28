/* node/way.c - one authentication of a rule, in the engine's words, and back.
 *
 * Leaves the search through the rules to host.c, and the proof to ike/.
 */
#include "node/core.h"

static enum ike_proof proof_of(enum config_proof p)
{
	return p == PROOF_CERT ? IKE_PROOF_CERT : IKE_PROOF_PSK;
}

void way_of_auth(const struct config_auth *a, struct ike_conn *out)
{
	out->own = proof_of(a->own);
	out->peer = proof_of(a->peer);
	out->psk = a->psk;
	out->credential = a->credential;
	out->trust = a->trust;
	out->remote_pattern = a->remote_pattern;
}

/* After a reload the CAs of a conn are another object with the same content. */
bool way_is(const struct config_auth *a, const struct ike_conn *conn, struct span key)
{
	if (proof_of(a->own) != conn->own || proof_of(a->peer) != conn->peer)
		return false;
	if (a->peer == PROOF_CERT)
		return trust_same(a->trust, conn->trust);
	return secret_equal(secret_span(&a->psk), key);
}

bool way_accepts(const struct config_auth *a, const struct identity *id, bool own_address)
{
	if (a->remote_any)
		return identity_is_any(&a->remote_pattern) ||
		       identity_fits(&a->remote_pattern, id);
	if (identity_is_any(&a->remote_id))
		return own_address;
	return identity_equal(&a->remote_id, id) ||
	       (a->peer == PROOF_CERT &&
		       (identity_fits(&a->remote_id, id) || dn_equal(&a->remote_id, id)));
}
