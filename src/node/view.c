/* node/view.c - looking at a node without changing it.
 */
#include "node/core.h"

#include <stdio.h>

const char *vip_state_name(enum vip_state s)
{
	static const char *const names[] = {
		"absent", "tentative", "waiting", "bound", "releasing", "held", "mute"};

	return names[s];
}

const char *peer_state_name(enum peer_state s)
{
	static const char *const names[] = {
		"idle", "calling", "up", "lost", "backoff", "unreachable"};

	return names[s];
}

void node_look(const struct node *n, struct node_view *out)
{
	*out = (struct node_view){
		.clustered = cluster_is_clustered(n),
		.quorate = n->quorate || !cluster_is_clustered(n),
		.bus_up = cluster_is_up(n),
		.member = n->params.member,
		.config_differs = cluster_config_differs(n),
		.tuning = n->tuning,
		.n_scopes = n->n_scopes,
	};
	out->n_members = n->claims.n_members;
	memcpy(out->members, n->claims.members, n->claims.n_members);
	if (n->config)
		memcpy(out->config_hash, n->config->hash, sizeof(out->config_hash));
}

const struct config *node_config(const struct node *n)
{
	return n->config;
}

/* What a VIP with several addresses is, as a whole: the most alive of them speaks. */
static int weight(enum vip_state s)
{
	static const int weights[] = {
		[VIP_BOUND] = 7,
		[VIP_RELEASING] = 6,
		[VIP_MUTE] = 5,
		[VIP_WAITING] = 4,
		[VIP_TENTATIVE] = 3,
		[VIP_HELD] = 2,
		[VIP_ABSENT] = 1,
	};

	return weights[s];
}

/* The first address that a bound VIP does without; NULL: it has them all. */
static const struct place *missing_place(const struct scope *s)
{
	for (unsigned i = 0; !s->is_host && i < s->n_places; i++)
		if (!place_serves(&s->places[i]))
			return &s->places[i];
	return NULL;
}

static void look_partial(const struct node *n, const struct scope *s,
	const struct place *bound, struct vip_view *out)
{
	const struct place *p = missing_place(s);

	if (!p)
		return;
	out->partial_ms = p->since_ms > bound->since_ms ? p->since_ms : bound->since_ms;
	place_reason(n, s, p, out->partial, sizeof(out->partial));
}

static void look_places(const struct node *n, const struct scope *s, struct vip_view *out)
{
	const struct place *best = NULL;

	for (unsigned i = 0; i < s->n_places; i++) {
		const struct place *p = &s->places[i];
		if (i < CONFIG_VIP_ADDRS) {
			out->addrs[i] = p->addr;
			out->addr_present[i] = p->seen != NODE_ADDR_GONE;
			out->addr_state[i] = p->state;
			out->n_addrs++;
		}
		if (!best || weight(p->state) > weight(best->state))
			best = p;
	}
	if (!best)
		return;
	out->state = best->state;
	out->since_ms = best->since_ms;
	out->stuck = s->gate_stuck;
	if (s->is_host || !cluster_is_clustered(n))
		out->owner = best->state == VIP_BOUND ? n->params.member : 0;
	else
		out->owner = claims_owner(&n->claims, &best->addr);
	place_reason(n, s, best, out->reason, sizeof(out->reason));
	if (best->state == VIP_BOUND)
		look_partial(n, s, best, out);
}

static void look_drain(const struct node *n, const struct scope *s, struct vip_view *out)
{
	const struct drain *d = drain_of(n, s);

	if (!d)
		return;
	out->drained = true;
	memcpy(out->drain_to, d->words.to, sizeof(out->drain_to));
	out->drain_since_ms = d->since_ms;
	out->drain_turned = d->turned;
	out->drain_told = d->told;
	out->drain_gone = d->gone;
}

bool node_look_vip(const struct node *n, uint16_t scope, struct vip_view *out)
{
	if (scope >= n->n_scopes || (n->scopes[scope].is_host && !n->scopes[scope].spd))
		return false;
	const struct scope *s = &n->scopes[scope];
	*out = (struct vip_view){.scope = scope, .state = VIP_ABSENT};
	memcpy(out->name, s->name, sizeof(out->name));
	look_places(n, s, out);
	look_drain(n, s, out);
	list_each(item, &n->peers)
	{
		const struct peer *p = list_entry(item, struct peer, link);
		if (p->scope != scope)
			continue;
		out->peers++;
		if (peer_state_of(p) == PEER_UP)
			out->peers_up++;
	}
	return true;
}

static void look_child(
	const struct node *n, const struct child_sa *c, struct peer_view *out)
{
	struct ike_info info;

	out->ike = c->sa.ike;
	out->child = c->sa.id;
	out->peer_nlbs = c->session->peer_nlbs;
	out->bytes_in = c->usage.bytes_in;
	out->bytes_out = c->usage.bytes_out;
	out->packets_in = c->usage.packets_in;
	out->packets_out = c->usage.packets_out;
	out->last_in_ms = c->usage.last_in_ms;
	out->last_out_ms = c->usage.last_out_ms;
	if (ike_view(n->ike, c->sa.ike, &info) && info.last_in_ms > out->last_in_ms)
		out->last_in_ms = info.last_in_ms;
}

static void look_peer(const struct node *n, const struct peer *p,
	const struct crowd *crowd, struct peer_view *out)
{
	const struct child_sa *s = peer_child(p);

	*out = (struct peer_view){
		.scope = p->scope,
		.rule = p->rule,
		.state = peer_state_of(p),
		.remote = p->remote,
		.local_id = p->local_id,
		.remote_id = p->remote_id,
		.nat = p->behind,
		.callable = peer_callable(p),
		.peer_nlbs = p->nlbs,
		.next_try_ms = p->next_try_ms,
		.idle_timeout_ms = idle_timeout_of(n, s ? s->session : NULL),
		.worst_recovery_ms = worst_recovery(n, p, crowd),
	};
	memcpy(out->rule_name, n->config->rules[p->rule].name, sizeof(out->rule_name));
	memcpy(out->reason, p->reason, sizeof(out->reason));
	if (!out->callable && out->reason[0] == '\0')
		snprintf(out->reason, sizeof(out->reason),
			"behind NAT, its port is not known: it must call");
	if (s)
		look_child(n, s, out);
}

void node_each_peer(
	const struct node *n, bool (*each)(const struct peer_view *, void *), void *ctx)
{
	struct crowd crowd;

	worst_count(n, &crowd);
	list_each(item, &n->peers)
	{
		struct peer_view v;
		look_peer(n, list_entry(item, struct peer, link), &crowd, &v);
		if (!each(&v, ctx))
			return;
	}
}

static struct child_view view_of(const struct child_sa *c)
{
	return (struct child_view){
		.child = c->sa,
		.usage = c->usage,
		.active = c->active,
		.since_ms = c->since_ms,
		.rekey_ms = c->rekey_ms,
		.expires_ms = c->expires_ms,
	};
}

void node_each_child(
	const struct node *n, bool (*each)(const struct child_view *, void *), void *ctx)
{
	list_each(item, &n->sessions)
	{
		const struct session *s = list_entry(item, struct session, link);

		list_each(at, &s->children)
		{
			const struct child_sa *c =
				list_entry(at, struct child_sa, of_session);
			struct child_view v = view_of(c);

			if (!c->down && !each(&v, ctx))
				return;
		}
	}
}

void node_each_ike(
	const struct node *n, bool (*each)(const struct ike_info *, void *), void *ctx)
{
	ike_each(n->ike, each, ctx);
}

void node_ike_counters(const struct node *n, struct ike_counters *out)
{
	ike_counters(n->ike, out);
}

size_t node_count_kept(const struct node *n)
{
	return n->n_peers + n->n_sessions + map_count(n->by_child) +
	       map_count(n->by_spi) + map_count(n->calls_by_ike) + map_count(n->by_ask) +
	       ike_count_half_open(n->ike) + replica_peers_count(n->directory) +
	       n->claims.n + n->n_owed + n->n_held + n->n_binds + n->n_seen;
}

void node_set_key_sink(struct node *n, const struct ike_key_sink *sink)
{
	ike_set_key_sink(n->ike, sink);
}
