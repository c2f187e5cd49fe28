/* node/relation.c - from rules to peers: what the configuration knows of a peer.
 *
 * A rule with a fixed address (tunnel to, or a single remote host) has its peer from the
 * moment its place is bound, so that `status` shows it; it is called by the first packet.
 * Selectors for a call: the rule's entries, cut down in transport mode to the two hosts
 * (RFC 7296 2.9: the responder narrows further).
 */
#include "node/core.h"

static bool entry_serves(const struct spd_entry *e, const struct addr *local,
	const struct endpoint *remote)
{
	if (e->action != POLICY_NEGOTIATE)
		return false;
	if (e->mode == POLICY_TUNNEL)
		return true;
	return ts_has_addr(&e->remote, &remote->addr) &&
	       (!addr_is_set(local) || ts_has_addr(&e->local, local));
}

static void add_once(struct ts_list *l, const struct ts *t)
{
	for (unsigned i = 0; i < l->n; i++)
		if (ts_equal(&l->at[i], t))
			return;
	(void)ts_list_add(l, t); /* a full list still holds the most specific ones */
}

static void add_entry(struct peer *out, const struct scope *s, const struct spd_entry *e)
{
	struct ts local = e->local, remote = e->remote, host;

	/* "from me" is any local address: ask for the one that we have. */
	if ((e->mode == POLICY_TRANSPORT || s->is_host) && addr_is_set(&out->local)) {
		host = ts_host(&out->local);
		if (ts_has_addr(&local, &out->local))
			(void)ts_intersect(&local, &host, &local);
	}
	if (e->mode == POLICY_TRANSPORT) {
		host = ts_host(&out->remote.addr);
		(void)ts_intersect(&remote, &host, &remote);
	}
	add_once(&out->local_ts, &local);
	add_once(&out->remote_ts, &remote);
}

void peer_from_rule(struct node *n, const struct scope *s, uint32_t rule,
	const struct addr *local, const struct endpoint *remote, struct peer *out)
{
	const struct rule_use *use = scope_use(s, rule);
	const struct config_rule *r = &n->config->rules[rule];

	*out = (struct peer){.scope = s->id, .rule = rule, .remote = *remote};
	if (local)
		out->local = *local;
	out->mode = r->mode;
	if (out->remote.port == 0)
		out->remote.port = IKE_PORT;
	for (size_t i = 0; use && i < spd_count(use->spd); i++)
		if (entry_serves(spd_at(use->spd, i), &out->local, &out->remote))
			add_entry(out, s, spd_at(use->spd, i));
}

static bool list_has(const struct ts_list *l, const struct addr *a)
{
	for (unsigned i = 0; i < l->n; i++)
		if (ts_has_addr(&l->at[i], a))
			return true;
	return false;
}

bool peer_has_selectors(const struct peer *p)
{
	if (p->mode == POLICY_TRANSPORT)
		return list_has(&p->local_ts, &p->local) &&
		       list_has(&p->remote_ts, &p->remote.addr);
	return p->local_ts.n > 0 && p->remote_ts.n > 0;
}

bool peer_reset_selectors(struct node *n, struct peer *p)
{
	struct peer fresh;

	peer_from_rule(n, &n->scopes[p->scope], p->rule, &p->local, &p->remote, &fresh);
	p->mode = fresh.mode;
	p->local_ts = fresh.local_ts;
	p->remote_ts = fresh.remote_ts;
	return peer_has_selectors(p);
}

bool peer_renew_selectors(struct node *n, struct peer *p)
{
	return peer_has_selectors(p) || peer_reset_selectors(n, p);
}

/* The one address that the entry names for its peer. */
static bool fixed_remote(const struct spd_entry *e, struct endpoint *out)
{
	*out = (struct endpoint){.port = IKE_PORT};
	if (e->mode == POLICY_TUNNEL) {
		out->addr = e->tunnel_to;
		return addr_is_set(&out->addr);
	}
	out->addr = e->remote.lo;
	return addr_equal(&e->remote.lo, &e->remote.hi);
}

struct known {
	uint32_t rule;
	const struct addr *local;
	bool any_local, found;
};

static bool is_known(struct peer *p, void *ctx)
{
	struct known *k = ctx;

	if (p->rule == k->rule && (k->any_local || addr_equal(&p->local, k->local)))
		k->found = true;
	return !k->found;
}

static const struct place *first_place(const struct scope *s, uint8_t family)
{
	for (unsigned i = 0; i < s->n_places; i++)
		if (s->places[i].state == VIP_BOUND && s->places[i].addr.family == family)
			return &s->places[i];
	return NULL;
}

/* On a host with several addresses the first packet decides which one calls. */
static bool place_serves_entry(
	const struct scope *s, const struct place *p, const struct spd_entry *e)
{
	if (s->is_host)
		return addr_equal(&e->local.lo, &e->local.hi) &&
		       addr_equal(&e->local.lo, &p->addr);
	return e->mode == POLICY_TUNNEL || ts_has_addr(&e->local, &p->addr);
}

/* `vipsec up` does not wait for the first packet to say which address calls. */
void peers_fixed_host(struct node *n, struct scope *s)
{
	for (size_t i = 0; s->spd && i < spd_count(s->spd); i++) {
		const struct spd_entry *e = spd_at(s->spd, i);
		struct endpoint remote;
		struct peer p;
		if (e->action != POLICY_NEGOTIATE || !fixed_remote(e, &remote))
			continue;
		const struct place *at = first_place(s, remote.addr.family);
		struct known k = {.rule = e->rule, .any_local = true};
		peers_at(n, s->id, &remote.addr, is_known, &k);
		if (k.found || !at)
			continue;
		peer_from_rule(n, s, e->rule, &at->addr, &remote, &p);
		(void)peer_add(n, &p);
	}
	aim_peers(n, s);
}

void peers_fixed(struct node *n, struct scope *s, const struct place *place)
{
	for (size_t i = 0; s->spd && i < spd_count(s->spd); i++) {
		const struct spd_entry *e = spd_at(s->spd, i);
		struct endpoint remote;
		struct peer p;
		struct known k = {.rule = e->rule, .local = &place->addr};
		if (e->action != POLICY_NEGOTIATE || !fixed_remote(e, &remote) ||
			remote.addr.family != place->addr.family ||
			!place_serves_entry(s, place, e))
			continue;
		peers_at(n, s->id, &remote.addr, is_known, &k);
		if (k.found)
			continue;
		peer_from_rule(n, s, e->rule, &place->addr, &remote, &p);
		p.fixed = true;
		(void)peer_add(n, &p); /* too many: they come back with their packets */
	}
	aim_peers(n, s);
}
