/* plane/children.c - a map from the child's number to where it sends. */
#include "config.h"

#include "plane/children.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

enum {
	MTU_KEEP_MS = 10 * 60 * 1000, /* RFC 1191 6.3 */
	MTU_MIN_V4 = 576,
	MTU_MIN_V6 = 1280
};

struct child {
	uint32_t id;
	uint16_t scope;
	bool encap;
	struct addr local;
	struct endpoint remote;
	uint32_t route_mtu;
	uint32_t path_mtu; /* what esp/ was told */
	uint64_t learned_ms; /* 0: path_mtu is the route's */
};

struct children {
	struct esp_dp *dp;
	struct map *by_id;
};

static struct span key_of(const uint32_t *id)
{
	return span_of(id, sizeof(*id));
}

struct children *children_new(struct esp_dp *dp, const struct entropy *e)
{
	struct children *c = mem_new(1, sizeof(*c));

	c->dp = dp;
	c->by_id = map_new(e);
	return c;
}

static void drop(struct children *c, struct child *k)
{
	map_take(c->by_id, key_of(&k->id));
	free(k);
}

struct visit {
	struct children *c;
	uint16_t scope;
	const struct addr *local;
	const struct endpoint *remote;
	bool encap, more;
	uint32_t octets;
	uint64_t now_ms;
	uint32_t *ids;
	size_t n;
};

static bool drop_any(void *value, void *ctx)
{
	struct visit *v = ctx;

	drop(v->c, value);
	return true;
}

void children_free(struct children *c)
{
	struct visit v = {.c = c};

	map_each(c->by_id, drop_any, &v);
	map_free(c->by_id);
	free(c);
}

/* An SA that is gone meanwhile needs no MTU. */
static void tell(struct children *c, struct child *k, uint32_t octets)
{
	k->path_mtu = octets;
	if (esp_dp_path_mtu(c->dp, k->id, octets) != ESP_OK)
		k->path_mtu = 0;
}

void children_add(struct children *c, const struct esp_child *child, uint32_t path_mtu)
{
	struct child *k = mem_new(1, sizeof(*k));

	k->id = child->id;
	k->scope = child->scope;
	k->encap = child->encap;
	k->local = child->local.addr;
	k->remote = child->remote;
	k->route_mtu = path_mtu;
	map_put(c->by_id, key_of(&k->id), k);
	tell(c, k, path_mtu);
}

void children_remove(struct children *c, uint32_t id)
{
	free(map_take(c->by_id, key_of(&id)));
}

static bool drop_of_scope(void *value, void *ctx)
{
	struct child *k = value;
	struct visit *v = ctx;

	if (k->scope == v->scope)
		drop(v->c, k);
	return true;
}

void children_remove_scope(struct children *c, uint16_t scope)
{
	struct visit v = {.c = c, .scope = scope};

	map_each(c->by_id, drop_of_scope, &v);
}

void children_move(struct children *c, uint32_t id, const struct endpoint *remote)
{
	struct child *k = map_get(c->by_id, key_of(&id));

	if (!k)
		return;
	k->remote = *remote;
	k->learned_ms = 0;
	tell(c, k, k->route_mtu);
}

size_t children_count(const struct children *c)
{
	return map_count(c->by_id);
}

static bool note_id(void *value, void *ctx)
{
	const struct child *k = value;
	struct visit *v = ctx;

	v->ids[v->n++] = k->id;
	return true;
}

uint32_t *children_ids(struct children *c, size_t *n)
{
	struct visit v = {.ids = mem_new(map_count(c->by_id) + 1, sizeof(*v.ids))};

	map_each(c->by_id, note_id, &v);
	*n = v.n;
	return v.ids;
}

static bool sends_there(const struct child *k, const struct visit *v)
{
	return k->encap == v->encap && addr_equal(&k->local, v->local) &&
	       addr_equal(&k->remote.addr, &v->remote->addr) &&
	       (!v->encap || k->remote.port == v->remote->port);
}

static bool lower_mtu(void *value, void *ctx)
{
	struct child *k = value;
	struct visit *v = ctx;

	if (!sends_there(k, v))
		return true;
	k->learned_ms = v->now_ms;
	if (k->path_mtu == 0 || v->octets < k->path_mtu)
		tell(v->c, k, v->octets);
	return true;
}

void children_path_mtu(struct children *c, const struct addr *local,
	const struct endpoint *remote, bool encap, uint32_t octets, uint64_t now_ms)
{
	uint32_t least = local->family == ADDR_V4 ? MTU_MIN_V4 : MTU_MIN_V6;
	struct visit v = {
		.c = c,
		.local = local,
		.remote = remote,
		.encap = encap,
		.octets = octets > least ? octets : least,
		.now_ms = now_ms,
	};

	map_each(c->by_id, lower_mtu, &v);
}

static bool forget_mtu(void *value, void *ctx)
{
	struct child *k = value;
	struct visit *v = ctx;

	if (k->learned_ms == 0)
		return true;
	if (v->now_ms - k->learned_ms < MTU_KEEP_MS) {
		v->more = true;
		return true;
	}
	k->learned_ms = 0;
	tell(v->c, k, k->route_mtu);
	return true;
}

bool children_forget_mtus(struct children *c, uint64_t now_ms)
{
	struct visit v = {.c = c, .now_ms = now_ms};

	map_each(c->by_id, forget_mtu, &v);
	return v.more;
}
