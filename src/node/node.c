/* node/node.c - the node as a value: birth, death, and the step.
 *
 * The table below sends each kind of event to the file that knows it; then settle() lets
 * follow what follows. Addresses and quorum are so small that they stand here.
 */
#include "node/core.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum { STRANGERS_BURST = 20, STRANGERS_PER_SECOND = 1 };

static struct ike_engine *engine_new(struct node *n)
{
	struct ike_host host = host_of(n);
	struct ike_params params = {
		.entropy = n->entropy,
		.member = n->params.member,
		.revocations = n->revocations,
	};

	return ike_new(&params, &host);
}

struct node *node_new(const struct node_params *p)
{
	struct node *n = mem_new(1, sizeof(*n));

	assert(p->member > 0);
	n->params = *p;
	n->entropy = p->entropy;
	n->activation = p->activation;
	n->revocations = revocations_new();
	list_init(&n->peers);
	list_init(&n->sessions);
	list_init(&n->waning);
	list_init(&n->queue);
	list_init(&n->calls);
	n->owners.k0 = entropy_u64(&n->entropy);
	n->owners.k1 = entropy_u64(&n->entropy);
	n->peers_by_addr = map_new(&n->entropy);
	n->peers_by_id = map_new(&n->entropy);
	n->by_ike = map_new(&n->entropy);
	n->by_child = map_new(&n->entropy);
	n->by_ask = map_new(&n->entropy);
	n->by_spi = map_new(&n->entropy);
	n->calls_by_ike = map_new(&n->entropy);
	n->directory = replica_peers_new(&n->entropy);
	n->journal = mem_new(1, REPLICA_CHUNK_MAX);
	n->query_due_ms = UINT64_MAX;
	drain_init(n);
	gateways_init(n);
	rate_init(&n->strangers, STRANGERS_BURST, STRANGERS_PER_SECOND, 0);
	n->ike = engine_new(n);
	return n;
}

static void free_session(struct session *s)
{
	list_each_safe(item, &s->children)
		free(list_entry(item, struct child_sa, of_session));
	lapse_end(s);
	free(s);
}

static void free_peers(struct node *n)
{
	list_each_safe(item, &n->waning)
		free(list_entry(item, struct child_sa, of_session));
	list_each_safe(item, &n->sessions)
		free_session(list_entry(item, struct session, link));
	list_each_safe(item, &n->peers) free(list_entry(item, struct peer, link));
	map_free(n->peers_by_addr);
	map_free(n->peers_by_id);
	map_free(n->by_ike);
	map_free(n->by_child);
	map_free(n->by_ask);
	map_free(n->by_spi);
	map_free(n->calls_by_ike);
	dues_free(&n->looks);
	dues_free(&n->backoff);
}

void node_free(struct node *n)
{
	if (!n)
		return;
	ike_free(n->ike);
	revocations_free(n->revocations);
	free_peers(n);
	for (unsigned i = 0; i < n->n_scopes; i++)
		scope_wipe(&n->scopes[i]);
	free(n->scopes);
	free(n->names);
	config_free(n->config);
	replica_peers_free(n->directory);
	free(n->journal);
	free(n);
}

/* ---- events ----------------------------------------------------------------- */

static void on_tick(struct node *n, const struct node_event *ev)
{
	(void)n; /* settle() does what is due */
	(void)ev;
}

static void on_config_event(struct node *n, const struct node_event *ev)
{
	on_config(n, ev->u.config);
}

static void on_restore_event(struct node *n, const struct node_event *ev)
{
	on_restore(n, ev->u.restore.name, ev->u.restore.bytes);
}

static void remember_address(
	struct node *n, const struct addr *addr, enum node_addr_state state)
{
	unsigned i = 0;

	while (i < n->n_seen && !addr_equal(&n->seen[i].addr, addr))
		i++;
	if (state == NODE_ADDR_GONE) {
		if (i < n->n_seen)
			n->seen[i] = n->seen[--n->n_seen];
		return;
	}
	if (i == SEEN_MAX)
		return;
	if (i == n->n_seen)
		n->n_seen++;
	n->seen[i] = (struct seen){.addr = *addr, .state = state};
}

static void on_address(struct node *n, const struct node_event *ev)
{
	const struct addr *addr = &ev->u.address.addr;
	struct place *p;

	remember_address(n, addr, ev->u.address.state);
	struct scope *s = scope_of_addr(n, addr, &p);
	if (!s && n->config && ev->u.address.state != NODE_ADDR_GONE) {
		s = &n->scopes[config_host_scope(n->config)];
		p = scope_add_place(s, addr);
	}
	if (s && p)
		place_see(n, s, p, ev->u.address.state);
}

static void on_datagram(struct node *n, const struct node_event *ev)
{
	struct ike_path path = {
		.local = ev->u.datagram.local,
		.remote = ev->u.datagram.remote,
		.natt = ev->u.datagram.natt,
	};
	struct place *p;
	struct scope *s = scope_of_addr(n, &path.local.addr, &p);

	/* Nothing is answered on a VIP that is not bound. While it is being left the
	 * answers to our Deletes still count. */
	if (!s || !(place_serves(p) || (p->leaving && !p->mute)))
		return;
	path.scope = s->id;
	ike_receive(n->ike, n->now_ms, &path, ev->u.datagram.bytes);
}

static void on_notice_event(struct node *n, const struct node_event *ev)
{
	on_notice(n, &ev->u.notice);
}

static void on_usage_event(struct node *n, const struct node_event *ev)
{
	on_usage(n, &ev->u.usage);
}

static void on_refused_event(struct node *n, const struct node_event *ev)
{
	on_refused(n, ev->u.refused.id, ev->u.refused.why);
}

static void on_members_event(struct node *n, const struct node_event *ev)
{
	on_members(n, ev);
}

static void on_message_event(struct node *n, const struct node_event *ev)
{
	on_message(n, ev->u.message.from, ev->u.message.bytes);
}

static void on_quorum(struct node *n, const struct node_event *ev)
{
	if (n->quorate == ev->u.quorate)
		return;
	n->quorate = ev->u.quorate;
	if (cluster_is_clustered(n))
		node_tell(n, n->quorate ? EVENT_NOTICE : EVENT_WARNING,
			n->quorate ? "quorum-gained" : "quorum-lost", NULL, NULL, 0, "%s",
			n->quorate ? "the cluster partition has quorum"
				   : "no quorum: every virtual IP is mute here");
}

static void on_fetched_event(struct node *n, const struct node_event *ev)
{
	on_fetched(n, ev->u.fetched.id, ev->u.fetched.bytes);
}

static void on_shutdown(struct node *n, const struct node_event *ev)
{
	(void)ev;
	n->closing = true;
	for (unsigned i = 0; i < n->n_scopes; i++) {
		struct scope *s = &n->scopes[i];
		for (unsigned k = 0; k < s->n_places; k++)
			place_event(n, s, &s->places[k], PLACE_CLOSE);
	}
}

static void (*const on_event[])(struct node *, const struct node_event *) = {
	[NODE_TICK] = on_tick,
	[NODE_CONFIG] = on_config_event,
	[NODE_RESTORE] = on_restore_event,
	[NODE_ADDRESS] = on_address,
	[NODE_DATAGRAM] = on_datagram,
	[NODE_NOTICE] = on_notice_event,
	[NODE_USAGE] = on_usage_event,
	[NODE_REFUSED] = on_refused_event,
	[NODE_GATE_CLOSED] = on_gate_closed,
	[NODE_MEMBERS] = on_members_event,
	[NODE_MESSAGE] = on_message_event,
	[NODE_QUORUM] = on_quorum,
	[NODE_BIND] = on_bind,
	[NODE_UNBIND] = on_unbind,
	[NODE_UP] = on_up,
	[NODE_DOWN] = on_down,
	[NODE_REKEY] = on_rekey,
	[NODE_TUNE] = on_tune,
	[NODE_DRAIN] = on_drain,
	[NODE_UNDRAIN] = on_undrain,
	[NODE_FETCHED] = on_fetched_event,
	[NODE_RESOLVED] = on_resolved,
	[NODE_SHUTDOWN] = on_shutdown,
};

/* ---- the step -------------------------------------------------------------------- */

static bool all_left(const struct node *n)
{
	for (unsigned i = 0; i < n->n_scopes; i++) {
		const struct scope *s = &n->scopes[i];
		for (unsigned k = 0; k < s->n_places; k++)
			if (s->places[k].leaving || place_serves(&s->places[k]))
				return false;
	}
	return true;
}

static void settle(struct node *n)
{
	if (ike_next_due_ms(n->ike) <= n->now_ms)
		ike_tick(n->ike, n->now_ms);
	places_settle(n);
	gates_settle(n);
	vouch_settle(n);
	children_settle(n);
	idle_settle(n);
	drain_settle(n);
	names_settle(n);
	gateways_settle(n);
	dial_settle(n);
	directory_settle(n);
	binds_settle(n);
	expiry_settle(n);
	if (n->closing && !n->gone && all_left(n)) {
		directory_store(n, true);
		n->gone = true;
		effects_add(n->out, FX_EXIT, 0);
	}
}

void node_step(struct node *n, const struct node_event *ev, struct effects *effects)
{
	assert((size_t)ev->kind < sizeof(on_event) / sizeof(on_event[0]));
	if (ev->now_ms > n->now_ms)
		n->now_ms = ev->now_ms;
	if (ev->wall_s != 0)
		n->wall_s = ev->wall_s;
	ike_set_wall(n->ike, n->wall_s);
	n->out = effects;
	on_event[ev->kind](n, ev);
	settle(n);
	n->out = NULL;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t node_next_due_ms(const struct node *n)
{
	uint64_t due = ike_next_due_ms(n->ike);

	due = earlier(due, places_due_ms(n));
	due = earlier(due, gates_due_ms(n));
	due = earlier(due, vouch_due_ms(n));
	due = earlier(due, idle_due_ms(n));
	due = earlier(due, children_due_ms(n));
	due = earlier(due, n->drain_due_ms);
	due = earlier(due, dial_due_ms(n));
	due = earlier(due, directory_due_ms(n));
	due = earlier(due, binds_due_ms(n));
	due = earlier(due, expiry_due_ms(n));
	due = earlier(due, names_due_ms(n));
	due = earlier(due, gateways_due_ms(n));
	return due;
}
