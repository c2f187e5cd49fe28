/* node/lapse.c - what a peer has proved itself with comes to its end while its SAs are up.
 *
 * A certificate is judged when it is shown, in IKE_AUTH. Here the chain that was believed
 * is judged again, by the CAs, CRLs and OCSP answers of now: when its first date comes,
 * when what is known of its revocation is out of date or was fetched anew, after a reload,
 * and every few minutes, for clocks are set. What would be refused today ends its IKE SA;
 * who may still be good (`revocation strict`, and nobody answers) keeps it. A while before
 * the first date the peer is asked to prove itself anew (RFC 7296 2.8.3): one that has
 * renewed its certificate goes on without a gap.
 *
 * Leaves judging to crypto/trust.c.
 */
#include "node/core.h"

#include <stdio.h>

enum {
	LOOK_MS = 10 * 60 * 1000,
	LOOK_AGAIN_MS = 1000,
	LEAD_S = 3600, /* before the end; less where less is left */
	LEAST_S = 60, /* too late to begin anew */
	AT_ONCE = 16 /* sessions; of more, one each millisecond */
};

static void plan_renewal(struct node *n, struct session *s)
{
	int64_t until_s = chain_until_s(s->chain), left_s = until_s - n->wall_s;
	int64_t lead_s = left_s / 5 < LEAD_S ? left_s / 5 : LEAD_S;

	s->renew_s = 0;
	if (left_s < LEAST_S)
		return;
	/* Both sides seldom ask at once. */
	s->renew_s = until_s - lead_s -
		     (int64_t)entropy_below(&n->entropy, (uint32_t)lead_s / 4 + 1);
}

static void look_by(struct node *n, struct session *s, int64_t wall_s)
{
	int64_t in_s = wall_s - n->wall_s;
	uint64_t in_ms = in_s > 0 ? (uint64_t)in_s * 1000 : LOOK_AGAIN_MS;

	s->lapse_ms = n->now_ms + (in_ms < LOOK_MS ? in_ms : LOOK_MS);
}

void lapse_begin(struct node *n, struct session *s, const struct ike_info *sa)
{
	s->lapse_ms = UINT64_MAX;
	if (!sa->chain)
		return;
	s->chain = chain_keep(sa->chain);
	plan_renewal(n, s);
	/* By when does what is known of revocation end? The first look will say. */
	s->lapse_ms = n->now_ms + LOOK_AGAIN_MS;
}

void lapse_end(struct session *s)
{
	chain_free(s->chain);
	s->chain = NULL;
}

/* ---- judging */

static void ask_for(struct node *n, struct session *s, const struct trust_answer *answer)
{
	s->fetch = 0;
	for (size_t i = 0; i < answer->n_wishes; i++) {
		fetch_begin(n, &answer->wishes[i]);
		if (s->fetch == 0)
			s->fetch =
				revocations_under_way(n->revocations, &answer->wishes[i]);
	}
}

/* Would the peer be believed by this way of the rule? */
static bool stands_by(struct node *n, struct session *s, const struct config_auth *a,
	struct trust_answer *answer)
{
	const struct trust_question q = {
		.now_s = n->wall_s, .revocations = n->revocations};
	enum trust_verdict v = trust_verify_again(a->trust, s->chain, &q, answer);

	ask_for(n, s, answer);
	if (v == TRUST_BELIEVED && answer->chain != s->chain) {
		/* by a CA's certificate that was renewed, too: another date holds */
		chain_free(s->chain);
		s->chain = chain_keep(answer->chain);
		plan_renewal(n, s);
	}
	return v != TRUST_REFUSED || answer->unknown;
}

static bool stands(struct node *n, struct session *s, struct trust_answer *answer)
{
	const struct config_rule *r = &n->config->rules[s->peer->rule];
	struct ike_info info;
	bool any = false;

	if (!ike_view(n->ike, s->ike, &info))
		return true;
	for (unsigned k = 0; k < r->n_auths; k++) {
		const struct config_auth *a = &r->auths[k];

		if (a->peer != PROOF_CERT || !way_accepts(a, &info.remote_id, true))
			continue;
		if (a->lapse == LAPSE_KEEP || stands_by(n, s, a, answer))
			return true;
		any = true;
	}
	return !any; /* under another rule now, which its children go by */
}

static void end(struct node *n, struct session *s, const char *why)
{
	struct peer *p = s->peer;

	node_tell(n, EVENT_WARNING, "peer-certificate", &n->scopes[p->scope], &p->remote,
		s->ike,
		"rule %s: the peer is not believed any more, and its SA ends: %.220s",
		n->config->rules[p->rule].name, why);
	snprintf(p->reason, sizeof(p->reason), "%.150s", why);
	session_delete(n, s, END_LAPSED);
}

bool lapse_judge(struct node *n, struct session *s)
{
	struct trust_answer answer = {.until_s = INT64_MAX};

	if (!s->chain || n->wall_s == 0 || s->lapse_ms > n->now_ms)
		return false;
	if (!stands(n, s, &answer)) {
		end(n, s, answer.text);
		return true;
	}
	if (s->renew_s != 0 && s->renew_s <= n->wall_s) {
		s->renew_s = 0;
		dial_renew(n, s->peer);
	}
	look_by(n, s,
		s->renew_s != 0 && s->renew_s < answer.until_s ? s->renew_s
							       : answer.until_s);
	return false;
}

/* ---- when to look again */

/* Not all of thousands at the same moment. */
static void look_soon(struct node *n, struct session *s)
{
	s->lapse_ms = n->now_ms;
	if (n->n_sessions > AT_ONCE)
		s->lapse_ms += entropy_below(&n->entropy, (uint32_t)n->n_sessions);
	idle_look_by(n, s, s->lapse_ms);
}

void lapse_fetched(struct node *n, uint32_t id)
{
	list_each(item, &n->sessions)
	{
		struct session *s = list_entry(item, struct session, link);

		if (s->chain && s->fetch == id) {
			s->fetch = 0;
			look_soon(n, s);
		}
	}
}

void lapse_reset(struct node *n)
{
	list_each(item, &n->sessions)
	{
		struct session *s = list_entry(item, struct session, link);

		if (s->chain)
			look_soon(n, s);
	}
}
