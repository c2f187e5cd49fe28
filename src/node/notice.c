/* node/notice.c - what the data path reports: traffic without an SA, usage, mappings.
 *
 * ACQUIRE makes a peer if there is none and wants it called. UNKNOWN_SPI proves nothing
 * (anybody can send it), so it only makes us ask the peer, by a probe, whether the SA we
 * have still stands. MAPPING comes from authentic traffic and is followed (RFC 7296 2.23).
 *
 * An SA that our own data path did not take looks as if it were up, and carries nothing. It
 * is deleted, the peer hears of it, and IKE begins anew; the second time in a row only after
 * a pause that grows, with the SA kept meanwhile: a peer with traffic would otherwise call
 * again within a round trip, for as long as the reason lasts.
 */
#include "node/core.h"

#include <stdio.h>

enum {
	RANK_STEP = 3,
	FLOW_TEXT_MAX = 2 * IDENTITY_TEXT_MAX + 160,
	YOUNG_MS = 600000,
	REFUSED_FIRST_MS = 2000, /* doubles */
	REFUSED_LAST_MS = 300000
};

/* ---- ACQUIRE -------------------------------------------------------------------------- */

/* In tunnel mode the inner source may be another address of ours than the outer one, or that of
 * another host, for which we are the gateway. */
static struct place *place_for_tunnel(
	const struct scope *s, const struct flow *f, uint8_t family)
{
	return scope_bound_place(s, &f->local, family);
}

/* Multicast, broadcast, and the address of nobody: no SA can be made with them. */
static bool is_no_host(const struct addr *a)
{
	static const struct addr broadcast = {ADDR_V4, {255, 255, 255, 255}};
	const struct addr nobody = {.family = a->family};

	return addr_is_multicast(a) || addr_equal(a, &broadcast) ||
	       addr_equal(a, &nobody);
}

static struct peer *make_peer(
	struct node *n, struct scope *s, uint32_t rule, const struct flow *f)
{
	const struct config_rule *r = &n->config->rules[rule];
	struct endpoint remote = {.port = IKE_PORT};
	struct place *p;
	struct peer fresh;

	if (r->tunnel_name[0])
		return aim_peer(n, s, rule);
	remote.addr = r->mode == POLICY_TUNNEL ? r->tunnel_to : f->remote;
	if (!addr_is_set(&remote.addr) || is_no_host(&remote.addr))
		return NULL;
	/* In transport mode what another host sends through this one is not ours to protect. */
	p = r->mode == POLICY_TUNNEL ? place_for_tunnel(s, f, remote.addr.family)
				     : scope_place(s, &f->local);
	if (!p || p->state != VIP_BOUND)
		return NULL;
	peer_from_rule(n, s, rule, &p->addr, &remote, &fresh);
	/* The notice may be older than the configuration: the rule of that number is then
	 * another one. */
	return peer_has_selectors(&fresh) ? peer_add(n, &fresh) : NULL;
}

static void on_acquire(struct node *n, const struct esp_notice *notice)
{
	struct scope *s = &n->scopes[notice->scope];
	struct peer *p =
		peer_of_flow(n, s->id, notice->rule, &notice->flow, notice->owner);
	struct endpoint at = {.addr = notice->flow.remote};
	char text[160];

	if (!p && notice->owner == 0)
		p = make_peer(n, s, notice->rule, &notice->flow);
	if (p) {
		dial_want(n, redirect_for_traffic(n, p), WANT_TRAFFIC);
		return;
	}
	if (!rate_allow(&n->strangers, n->now_ms))
		return;
	const char *why = aim_why_unknown(n, notice->rule, text);
	node_tell(n, EVENT_WARNING, "peer-unreachable", s, &at, 0,
		"rule %s: packets wait, and %s", n->config->rules[notice->rule].name,
		why ? why
		    : "no address is known to call: the peer must call, or the rule "
		      "needs tunnel to ADDRESS");
}

/* ---- peers behind one NAT --------------------------------------------------------------- */

/* What came from c would be taken for the other's. */
static void on_flow_taken(
	struct node *n, const struct child_sa *c, const struct esp_notice *notice)
{
	const struct child_sa *other = child_by_id(n, notice->other);
	char a[IDENTITY_TEXT_MAX], b[IDENTITY_TEXT_MAX], text[FLOW_TEXT_MAX];
	char again[SAID_TEXT_MAX];

	snprintf(text, sizeof(text),
		"packets from %s are dropped (protocol %u, port %u to our port %u): %s, "
		"behind the same NAT, has the same",
		identity_format(&c->peer->remote_id, a), notice->flow.proto,
		notice->flow.remote_port, notice->flow.local_port,
		other ? identity_format(&other->peer->remote_id, b)
		      : "a peer that is gone");
	if (node_may_say(
		    n, &n->strangers, c->peer->scope, &c->peer->remote.addr, text, again))
		node_tell(n, EVENT_WARNING, "flow-taken", &n->scopes[c->peer->scope],
			&c->peer->remote, c->sa.ike, "%s%s", text, again);
}

static void on_flow_nobody(struct node *n, const struct esp_notice *notice)
{
	const struct endpoint at = {.addr = notice->flow.remote};
	static const char text[] =
		"packets to several peers behind one NAT are dropped: none of them has "
		"asked, so nobody can tell whom they are for";
	char again[SAID_TEXT_MAX];

	if (node_may_say(n, &n->strangers, notice->scope, &at.addr, text, again))
		node_tell(n, EVENT_NOTICE, "flow-unasked", &n->scopes[notice->scope], &at,
			0, "%s%s", text, again);
}

/* ---- the others ------------------------------------------------------------------------ */

static bool probe_each(struct peer *p, void *ctx)
{
	struct node *n = ctx;
	const struct child_sa *c = peer_child(p);

	if (c && rate_allow(&p->tell, n->now_ms)) {
		enum ike_err err = ike_probe(n->ike, n->now_ms, c->session->ike);
		(void)err; /* an SA that is going anyway */
	}
	return true;
}

static void on_mapping(struct node *n, struct child_sa *c, const struct endpoint *remote)
{
	struct session *s = c->session;

	if (!c->sa.encap || !c->sa.nat_remote)
		return; /* RFC 7296 2.23: only a peer behind a NAT is followed */
	enum ike_err err = ike_move(n->ike, s->ike, remote);
	if (err == IKE_OK)
		session_moved(n, s, remote, NULL);
}

/* Its packet numbers run out: soon, or now. */
static void on_exhausted(struct node *n, struct child_sa *c, bool now)
{
	if (!now && c->rekey_ms != UINT64_MAX) {
		child_rekey(n, c);
		return;
	}
	if (!now)
		return; /* rekeying is under way */
	node_tell(n, EVENT_NOTICE, "child-exhausted", &n->scopes[c->peer->scope],
		&c->peer->remote, c->sa.ike, "its packet numbers ran out: begun anew");
	child_delete(n, c, END_RENEW);
}

void on_notice(struct node *n, const struct esp_notice *notice)
{
	struct child_sa *c = child_by_id(n, notice->id);

	if (notice->scope >= n->n_scopes)
		return;
	switch (notice->kind) {
	case ESP_ACQUIRE:
		if (scope_use(&n->scopes[notice->scope], notice->rule))
			on_acquire(n, notice);
		break;
	case ESP_UNKNOWN_SPI:
		peers_at(n, notice->scope, &notice->remote.addr, probe_each, n);
		break;
	case ESP_SEQ_SOFT:
	case ESP_SEQ_HARD:
		if (c)
			on_exhausted(n, c, notice->kind == ESP_SEQ_HARD);
		break;
	case ESP_MAPPING:
		if (c)
			on_mapping(n, c, &notice->remote);
		break;
	case ESP_INBOUND:
		if (c)
			child_heard(n, c);
		break;
	case ESP_FLOW_TAKEN:
		if (c)
			on_flow_taken(n, c, notice);
		break;
	case ESP_FLOW_NOBODY:
		on_flow_nobody(n, notice);
		break;
	}
}

static uint8_t log2_of(uint64_t v)
{
	uint8_t rank = 0;

	while (v >>= 1)
		rank++;
	return rank;
}

/* The others hear of it only when it has changed much. */
static void refresh_rank(struct node *n, const struct child_sa *s)
{
	struct peer *p = s->peer;
	uint8_t rank = log2_of(s->usage.bytes_in + s->usage.bytes_out);

	/* A young SA has carried little, which says nothing of the peer. */
	if (rank < p->rank && n->now_ms < s->since_ms + YOUNG_MS)
		return;
	if (rank < p->rank + RANK_STEP && p->rank < rank + RANK_STEP)
		return;
	p->rank = rank;
	directory_note(n, p);
}

void on_usage(struct node *n, const struct esp_usage *usage)
{
	struct child_sa *c = child_by_id(n, usage->id);

	if (!c)
		return;
	c->peer->refusals = 0;
	c->usage = *usage;
	c->usage_ms = usage->as_of_ms;
	if (child_lives(c))
		refresh_rank(n, c);
	idle_report(n, c->session);
}

static uint64_t refusal_pause_ms(const struct peer *p)
{
	uint64_t ms = REFUSED_FIRST_MS;

	for (unsigned i = 1; i < p->refusals && ms < REFUSED_LAST_MS; i++)
		ms *= 2;
	return ms < REFUSED_LAST_MS ? ms : REFUSED_LAST_MS;
}

void on_refused(struct node *n, uint32_t child, const char *why)
{
	struct child_sa *s = child_by_id(n, child);

	if (!s || !child_lives(s) || s->refused)
		return;
	struct peer *p = s->peer;
	uint64_t pause_ms = p->refusals > 0 ? refusal_pause_ms(p) : 0;
	s->refused = true;
	p->refusals++;
	snprintf(p->reason, sizeof(p->reason), "the data path does not take its SA: %s",
		why);
	node_tell(n, EVENT_ERROR, "child-refused", &n->scopes[p->scope], &p->remote,
		s->sa.ike, "rule \"%s\": %s; begun anew %s",
		n->config->rules[p->rule].name, p->reason,
		pause_ms > 0 ? "after a pause" : "at once");
	s->expires_ms = n->now_ms + pause_ms;
	s->rekey_ms = UINT64_MAX;
	idle_touch(n, s->session);
}
