/* node/peer.c - the peers of bound places, and finding the right one.
 *
 * Peers are found by address (packets, calls) and by identity (a peer that comes from a
 * new address). Each index maps its key to one peer of a ring.
 *
 * One peer per (scope, rule, identity, endpoint): many peers behind one NAT address differ
 * by identity and port, and one identity that moves keeps its peer when the old address
 * has no SA any more.
 */
#include "node/core.h"

#include "base/mem.h"
#include "base/siphash.h"

#include <assert.h>
#include <stdlib.h>

enum { TELL_BURST = 3, TELL_PER_SECOND = 1 };

struct key {
	uint8_t bytes[2 + sizeof(struct addr)];
};

static struct key key_of_addr(uint16_t scope, const struct addr *a)
{
	struct key k = {{0}};

	memcpy(k.bytes, &scope, sizeof(scope));
	memcpy(k.bytes + 2, a, sizeof(*a));
	return k;
}

static struct key key_of_id(uint16_t scope, const struct identity *id)
{
	static const struct siphash_key fixed = {1, 2};
	struct key k = {{0}};
	uint64_t hash = siphash(&fixed, span_of(id->b, id->len));

	memcpy(k.bytes, &scope, sizeof(scope));
	memcpy(k.bytes + 2, &id->type, 1);
	memcpy(k.bytes + 3, &hash, sizeof(hash));
	return k;
}

static struct span key_span(const struct key *k)
{
	return span_of(k->bytes, sizeof(k->bytes));
}

/* ---- rings: a list without a head; the map points at any of its items --------------- */

static void ring_add(struct map *m, struct key k, struct list *item)
{
	struct list *at = map_get(m, key_span(&k));

	list_init(item);
	if (at)
		list_add(at, item);
	else
		map_put(m, key_span(&k), item);
}

static void ring_del(struct map *m, struct key k, struct list *item)
{
	if (list_empty(item))
		map_take(m, key_span(&k));
	else if (map_get(m, key_span(&k)) == item)
		map_put(m, key_span(&k), item->next);
	list_del(item);
}

static void index_peer(struct node *n, struct peer *p)
{
	ring_add(n->peers_by_addr, key_of_addr(p->scope, &p->remote.addr), &p->by_addr);
	ring_add(n->peers_by_id, key_of_id(p->scope, &p->remote_id), &p->by_id);
}

static void unindex_peer(struct node *n, struct peer *p)
{
	ring_del(n->peers_by_addr, key_of_addr(p->scope, &p->remote.addr), &p->by_addr);
	ring_del(n->peers_by_id, key_of_id(p->scope, &p->remote_id), &p->by_id);
}

/* ---- birth and death -------------------------------------------------------------------- */

static bool is_idle(const struct peer *p)
{
	return !p->fixed && !p->urgent && p->want == 0 && p->call == 0 && p->ask == 0 &&
	       !peer_is_tied(p);
}

/* Whoever has a key may come under as many names as he likes: room is made at the cost
 * of those who have been gone longest. */
static bool make_room(struct node *n)
{
	list_each_safe(item, &n->peers)
	{
		struct peer *p = list_entry(item, struct peer, link);
		if (!is_idle(p))
			continue;
		peer_drop(n, p);
		return true;
	}
	return false;
}

struct peer *peer_add(struct node *n, const struct peer *like)
{
	if (n->n_peers >= PEERS_MAX && !make_room(n))
		return NULL;
	struct peer *p = mem_new(1, sizeof(*p));
	*p = *like;
	list_init(&p->waits);
	list_init(&p->sent_on);
	list_init(&p->sessions);
	list_init(&p->children);
	list_init(&p->waning);
	list_add(&n->peers, &p->link);
	index_peer(n, p);
	rate_init(&p->tell, TELL_BURST, TELL_PER_SECOND, n->now_ms);
	n->n_peers++;
	return p;
}

void peer_drop(struct node *n, struct peer *p)
{
	assert(!peer_is_tied(p) && p->call == 0 && p->ask == 0);
	list_del(&p->waits);
	gateway_forget(p);
	dues_remove(&n->backoff, &p->due);
	unindex_peer(n, p);
	list_del(&p->link);
	list_del(&p->waning); /* they wane on without it */
	n->n_peers--;
	free(p);
}

void peer_drop_moved(struct node *n, struct peer *p)
{
	if (p->moved && !peer_is_tied(p) && p->call == 0 && p->ask == 0)
		peer_drop(n, p);
}

void peer_drop_guessed(struct node *n, struct peer *p)
{
	if (p->guessed && is_idle(p))
		peer_drop(n, p);
}

void peer_rename(struct node *n, struct peer *p, const struct endpoint *remote,
	const struct identity *remote_id)
{
	unindex_peer(n, p);
	p->remote = *remote;
	if (remote_id->type != ID_ANY)
		p->remote_id = *remote_id;
	index_peer(n, p);
}

void peers_drop_place(struct node *n, const struct scope *s, const struct addr *addr)
{
	list_each_safe(item, &n->peers)
	{
		struct peer *p = list_entry(item, struct peer, link);
		if (p->scope != s->id || !addr_equal(&p->local, addr) || peer_is_tied(p))
			continue;
		dial_stop(n, p);
		peer_drop(n, p);
	}
}

/* ---- finding ----------------------------------------------------------------------------- */

void peers_at(struct node *n, uint16_t scope, const struct addr *remote,
	bool (*each)(struct peer *, void *), void *ctx)
{
	struct key k = key_of_addr(scope, remote);
	struct list *first = map_get(n->peers_by_addr, key_span(&k));
	struct list *at = first;

	if (!first)
		return;
	do {
		if (!each(list_entry(at, struct peer, by_addr), ctx))
			return;
		at = at->next;
	} while (at != first);
}

struct search {
	const struct ike_info *sa;
	struct peer *exact, *same_port, *same_addr, *unnamed;
};

static bool search_addr(struct peer *p, void *ctx)
{
	struct search *f = ctx;

	if (p->rule != f->sa->rule ||
		(addr_is_set(&p->local) &&
			!addr_equal(&p->local, &f->sa->path.local.addr)))
		return true;
	bool same_id = identity_equal(&p->remote_id, &f->sa->remote_id);
	bool same_port = p->remote.port == f->sa->path.remote.port;
	if (same_id && same_port)
		f->exact = p;
	else if (same_id && !peer_is_tied(p))
		f->same_addr = p;
	else if ((p->remote_id.type == ID_ANY || p->fixed) && !peer_is_tied(p))
		f->unnamed = p;
	return !f->exact;
}

/* The same identity from a new address: the peer has moved if its old SAs are gone. */
static struct peer *search_id(struct node *n, const struct ike_info *sa)
{
	struct key k = key_of_id(sa->path.scope, &sa->remote_id);
	struct list *first = map_get(n->peers_by_id, key_span(&k));
	struct list *at = first;

	if (!first)
		return NULL;
	do {
		struct peer *p = list_entry(at, struct peer, by_id);
		if (p->rule == sa->rule && !p->fixed && !peer_is_tied(p) &&
			identity_equal(&p->remote_id, &sa->remote_id) &&
			addr_equal(&p->local, &sa->path.local.addr))
			return p;
		at = at->next;
	} while (at != first);
	return NULL;
}

struct peer *peer_of_sa(struct node *n, const struct ike_info *sa)
{
	struct search f = {.sa = sa};

	peers_at(n, sa->path.scope, &sa->path.remote.addr, search_addr, &f);
	if (f.exact)
		return f.exact;
	if (f.same_addr)
		return f.same_addr;
	if (f.unnamed)
		return f.unnamed;
	return search_id(n, sa);
}

struct flow_search {
	const struct node *node;
	uint32_t rule;
	uint64_t owner;
	const struct flow *flow;
	struct peer *named, *other;
};

static bool search_flow(struct peer *p, void *ctx)
{
	struct flow_search *f = ctx;

	if (p->rule != f->rule ||
		(addr_is_set(&p->local) && !addr_equal(&p->local, &f->flow->local)))
		return true;
	if (f->owner != 0 && overlap_number(f->node, &p->remote_id) != f->owner)
		return true;
	if (p->remote_ts.n > 0 && ts_lists_match(&p->local_ts, &p->remote_ts, f->flow))
		f->named = p;
	else if (!f->other)
		f->other = p;
	return !f->named;
}

struct peer *peer_of_flow(struct node *n, uint16_t scope, uint32_t rule,
	const struct flow *flow, uint64_t owner)
{
	struct flow_search f = {.node = n, .rule = rule, .owner = owner, .flow = flow};
	const struct config_rule *r = &n->config->rules[rule];

	if (r->mode == POLICY_TRANSPORT || addr_is_set(&r->tunnel_to)) {
		const struct addr *at =
			r->mode == POLICY_TUNNEL ? &r->tunnel_to : &flow->remote;
		peers_at(n, scope, at, search_flow, &f);
		return f.named ? f.named : f.other;
	}
	/* A tunnel to whoever proved to be the peer: the one whose inner addresses match. */
	list_each(item, &n->peers)
	{
		struct peer *p = list_entry(item, struct peer, link);
		if (p->scope == scope && p->rule == rule &&
			ts_lists_match(&p->local_ts, &p->remote_ts, flow))
			return p;
	}
	return NULL;
}

/* ---- asking a peer ------------------------------------------------------------------------ */

struct child_sa *peer_child(const struct peer *p)
{
	for (struct list *at = p->children.prev; at != &p->children; at = at->prev) {
		struct child_sa *c = list_entry(at, struct child_sa, of_peer);
		if (child_lives(c) && !c->sa.receive_only)
			return c;
	}
	return NULL;
}

bool peer_is_tied(const struct peer *p)
{
	return !list_empty(&p->sessions) || !list_empty(&p->children);
}

bool peer_is_elsewhere(const struct peer *p)
{
	if (p->fixed || p->remote_id.type == ID_ANY || addr_is_set(&p->sent_from))
		return false;
	for (struct list *at = p->by_id.next; at != &p->by_id; at = at->next) {
		const struct peer *other = list_entry(at, struct peer, by_id);
		if (other->rule == p->rule && addr_equal(&other->local, &p->local) &&
			identity_equal(&other->remote_id, &p->remote_id) &&
			!addr_is_set(&other->sent_from) &&
			(peer_child(other) || other->ask != 0))
			return true;
	}
	return false;
}

bool peer_callable(const struct peer *p)
{
	return addr_is_set(&p->remote.addr) && addr_is_set(&p->local) &&
	       (!p->behind || p->natt);
}

enum peer_state peer_state_of(const struct peer *p)
{
	if (peer_child(p))
		return peer_child(p)->refused ? PEER_BACKOFF : PEER_UP;
	if (p->call != 0 || p->ask != 0 || gateway_awaited(p))
		return PEER_CALLING;
	if (p->want == 0)
		return PEER_IDLE;
	if (!peer_callable(p))
		return PEER_UNREACHABLE;
	return p->next_try_ms != 0 ? PEER_BACKOFF : PEER_LOST;
}
