/* esp/nat.c - the memory behind nat.h: sites, their peers, and the peers' talks.
 *
 * Obeys RFC 3948 5.1 and 5.2. All is bounded: a peer with many talks loses its own first,
 * and what peers without an SA have is forgotten in time. Leaves to nat_heard.c whose talk a
 * packet is, and to select.c which SA carries it.
 */
#include "esp/dp.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum { SITE_KEY_LEN = 2 + 2 * 17, FLOW_KEY_LEN = 4 + 1 + 2 + 2 };

void nat_init(struct nat *n, const struct entropy *e)
{
	*n = (struct nat){
		.sites = map_new(e), .by_port = map_new(e), .by_seen = map_new(e)};
	n->key.k0 = entropy_u64(e);
	n->key.k1 = entropy_u64(e);
	list_init(&n->peers);
	list_init(&n->gone);
}

/* ---- keys ------------------------------------------------------------------------ */

static struct span site_key(uint8_t store[SITE_KEY_LEN], uint16_t scope,
	const struct addr *local, const struct addr *remote)
{
	struct writer w = wr_over(store, SITE_KEY_LEN);

	wr_u16(&w, scope);
	wr_u8(&w, local->family);
	wr_bytes(&w, span_of(local->b, sizeof local->b));
	wr_u8(&w, remote->family);
	wr_bytes(&w, span_of(remote->b, sizeof remote->b));
	assert(wr_ok(&w));
	return wr_span(&w);
}

/* number: a peer's, with its own port, or a site's, with the port as seen. */
static struct span flow_key(uint8_t store[FLOW_KEY_LEN], uint32_t number, uint8_t proto,
	uint16_t local_port, uint16_t port)
{
	struct writer w = wr_over(store, FLOW_KEY_LEN);

	wr_u32(&w, number);
	wr_u8(&w, proto);
	wr_u16(&w, local_port);
	wr_u16(&w, port);
	assert(wr_ok(&w));
	return wr_span(&w);
}

struct nat_site *nat_site_of(const struct nat *n, uint16_t scope,
	const struct addr *local, const struct addr *remote)
{
	uint8_t store[SITE_KEY_LEN];

	if (map_count(n->sites) == 0)
		return NULL;
	return map_get(n->sites, site_key(store, scope, local, remote));
}

struct nat_flow *nat_by_port(
	const struct nat *n, const struct nat_peer *p, const struct talk *talk)
{
	uint8_t store[FLOW_KEY_LEN];

	return map_get(n->by_port, flow_key(store, p->number, talk->proto,
					   talk->local_port, talk->remote_port));
}

struct nat_flow *nat_by_seen(const struct nat *n, const struct nat_site *site,
	const struct talk *talk, uint16_t port)
{
	uint8_t store[FLOW_KEY_LEN];

	return map_get(n->by_seen,
		flow_key(store, site->number, talk->proto, talk->local_port, port));
}

/* ---- talks ----------------------------------------------------------------------- */

static void unhook(struct flow_memo *memo, const struct nat_flow *flow)
{
	if (memo == NULL || memo->nat != flow)
		return;
	memo->generation = 0;
	memo->nat = NULL;
}

static void flow_free(struct nat *n, struct nat_flow *flow)
{
	uint8_t store[FLOW_KEY_LEN];
	struct nat_peer *p = flow->peer;

	map_take(n->by_port,
		flow_key(store, p->number, flow->proto, flow->local_port, flow->port));
	map_take(n->by_seen, flow_key(store, p->site->number, flow->proto,
				     flow->local_port, flow->seen_port));
	unhook(flow->memo_in, flow);
	unhook(flow->memo_out, flow);
	list_del(&flow->link);
	p->n_moved -= flow->seen_port != flow->port;
	p->n_flows--;
	n->n_flows--;
	free(flow);
}

static struct nat_flow *flow_of(struct list *item)
{
	return list_entry(item, struct nat_flow, link);
}

static void peer_free(struct nat *n, struct nat_peer *p)
{
	uint8_t store[SITE_KEY_LEN];
	struct nat_site *site = p->site;

	assert(list_empty(&p->sas));
	list_each_safe(item, &p->brief) flow_free(n, flow_of(item));
	list_each_safe(item, &p->lasting) flow_free(n, flow_of(item));
	if (!list_empty(&p->gone))
		n->n_gone--;
	list_del(&p->gone);
	list_del(&p->of_site);
	list_del(&p->of_nat);
	n->n_peers--;
	free(p);
	if (--site->n_peers > 0)
		return;
	map_take(n->sites, site_key(store, site->scope, &site->local, &site->remote));
	free(site);
}

void nat_forget(struct nat *n, struct nat_flow *flow)
{
	struct nat_peer *p = flow->peer;

	flow_free(n, flow);
	if (p->n_flows == 0 && !list_empty(&p->gone))
		peer_free(n, p);
}

static struct nat_flow *first_to_go(const struct nat_peer *p)
{
	return flow_of(list_empty(&p->brief) ? p->lasting.next : p->brief.next);
}

/* Who gives one up when there are too many: he who wants another, if he has his share, or
 * the next who has. Somebody has, since together they have all. */
static struct nat_peer *who_gives(struct nat *n, struct nat_peer *p)
{
	while (p->n_flows * n->n_peers < NAT_FLOWS_MAX) {
		p = list_entry(n->peers.next, struct nat_peer, of_nat);
		list_del(&p->of_nat);
		list_add(&n->peers, &p->of_nat);
	}
	return p;
}

static void make_room(struct nat *n, struct nat_peer *p)
{
	if (p->n_flows >= NAT_FLOWS_EACH)
		nat_forget(n, first_to_go(p));
	else if (n->n_flows >= NAT_FLOWS_MAX)
		nat_forget(n, first_to_go(who_gives(n, p)));
	else
		return;
	n->evicted++;
}

static void link_flow(struct nat_flow *flow)
{
	bool brief = flow->ended || flow->proto != IP_TCP;

	list_add(brief ? &flow->peer->brief : &flow->peer->lasting, &flow->link);
}

struct nat_flow *nat_remember(
	struct nat *n, struct nat_peer *p, const struct talk *talk, uint16_t seen_port)
{
	uint8_t store[FLOW_KEY_LEN];

	make_room(n, p);
	struct nat_flow *flow = mem_new(1, sizeof *flow);
	*flow = (struct nat_flow){.peer = p,
		.proto = talk->proto,
		.local_port = talk->local_port,
		.port = talk->remote_port,
		.seen_port = seen_port,
		.ended = talk->closes,
		.last_ms = n->now_ms};
	link_flow(flow);
	map_put(n->by_port,
		flow_key(store, p->number, flow->proto, flow->local_port, flow->port),
		flow);
	map_put(n->by_seen,
		flow_key(
			store, p->site->number, flow->proto, flow->local_port, seen_port),
		flow);
	p->n_moved += seen_port != flow->port;
	p->n_flows++;
	n->n_flows++;
	return flow;
}

void nat_touch(struct nat *n, struct nat_flow *flow, const struct talk *talk)
{
	bool ended = (flow->ended || talk->closes) && !talk->opens;

	if (ended == flow->ended && n->now_ms - flow->last_ms < NAT_TOUCH_MS)
		return;
	flow->ended = ended;
	flow->last_ms = n->now_ms;
	list_del(&flow->link);
	link_flow(flow);
}

/* ---- peers ----------------------------------------------------------------------- */

static struct nat_site *site_new(struct nat *n, const struct esp_sa *sa)
{
	uint8_t store[SITE_KEY_LEN];
	struct nat_site *site = mem_new(1, sizeof *site);

	*site = (struct nat_site){.number = ++n->last_number,
		.scope = sa->scope,
		.local = sa->local.addr,
		.remote = sa->remote.addr};
	list_init(&site->peers);
	map_put(n->sites, site_key(store, sa->scope, &site->local, &site->remote), site);
	return site;
}

static struct nat_peer *peer_new(struct nat *n, struct nat_site *site, uint64_t owner)
{
	struct nat_peer *p = mem_new(1, sizeof *p);

	*p = (struct nat_peer){.site = site, .owner = owner, .number = ++n->last_number};
	list_init(&p->gone);
	list_init(&p->sas);
	list_init(&p->brief);
	list_init(&p->lasting);
	list_add(&site->peers, &p->of_site);
	list_add(&n->peers, &p->of_nat);
	site->n_peers++;
	n->n_peers++;
	return p;
}

static struct nat_peer *peer_of(struct nat *n, struct nat_site *site, uint64_t owner)
{
	list_each(item, &site->peers)
	{
		struct nat_peer *p = list_entry(item, struct nat_peer, of_site);
		if (p->owner == owner)
			return p;
	}
	return peer_new(n, site, owner);
}

void nat_join(struct nat *n, struct esp_sa *sa, uint64_t owner)
{
	struct nat_site *site =
		nat_site_of(n, sa->scope, &sa->local.addr, &sa->remote.addr);

	if (sa->mode != POLICY_TRANSPORT || (owner == 0 && site == NULL))
		return;
	if (site == NULL)
		site = site_new(n, sa);
	struct nat_peer *p = peer_of(n, site, owner);
	if (!list_empty(&p->gone))
		n->n_gone--;
	list_del(&p->gone);
	list_add(&p->sas, &sa->of_peer);
	sa->peer = p;
}

void nat_leave(struct nat *n, struct esp_sa *sa)
{
	struct nat_peer *p = sa->peer;

	if (p == NULL)
		return;
	list_del(&sa->of_peer);
	sa->peer = NULL;
	if (!list_empty(&p->sas))
		return;
	if (p->n_flows == 0) {
		peer_free(n, p);
		return;
	}
	p->gone_ms = n->now_ms;
	list_add(&n->gone, &p->gone);
	if (++n->n_gone > NAT_GONE_MAX)
		peer_free(n, list_entry(n->gone.next, struct nat_peer, gone));
}

void nat_activated(struct esp_sa *sa)
{
	if (sa->peer == NULL)
		return;
	list_del(&sa->of_peer);
	list_add(sa->peer->sas.next, &sa->of_peer);
}

void nat_begin(struct nat *n, uint64_t now_ms)
{
	n->now_ms = now_ms;
	while (!list_empty(&n->gone)) {
		struct nat_peer *p = list_entry(n->gone.next, struct nat_peer, gone);
		if (now_ms - p->gone_ms < NAT_GONE_MS)
			break;
		peer_free(n, p);
	}
}

void nat_forget_scope(struct nat *n, uint16_t scope)
{
	list_each_safe(item, &n->peers)
	{
		struct nat_peer *p = list_entry(item, struct nat_peer, of_nat);
		if (p->site->scope == scope)
			peer_free(n, p);
	}
}

void nat_wipe(struct nat *n)
{
	list_each_safe(item, &n->peers)
		peer_free(n, list_entry(item, struct nat_peer, of_nat));
	map_free(n->sites);
	map_free(n->by_port);
	map_free(n->by_seen);
}
