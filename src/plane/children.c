/* plane/children.c - child SAs by number and by outgoing SPI, and the ways that they take.
 *
 * A way is where outer packets go: from which address of ours, to whom, raw or in UDP. A
 * path MTU belongs to the way. Whoever claims to know one must quote a packet of ours: the
 * SPI finds the SA, and with it the way, by one look-up each, however many SAs there are.
 */
#include "config.h"

#include "plane/children.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rate.h"
#include "wire/writer.h"

enum {
	MTU_KEEP_MS = 10 * 60 * 1000, /* RFC 1191 6.3 */
	MTU_MIN_V4 = 576,
	MTU_MIN_V6 = 1280,
	/* A path has few narrow places; who tells of more tells stories. */
	LOWERED_BURST = 8,
	LOWERED_PER_SECOND = 1,
	ADDR_KEY = 17,
	WAY_KEY = 1 + 2 + 2 * ADDR_KEY,
	SPI_KEY = WAY_KEY + 4
};

struct way {
	struct list members; /* struct child */
	struct list learned; /* of struct children, while learned_mtu is not 0 */
	uint8_t key[WAY_KEY];
	uint32_t learned_mtu; /* 0: nothing was */
	uint64_t learned_ms;
	struct rate lowered;
};

struct child {
	struct list in_way;
	struct way *way;
	uint32_t id, spi_out;
	uint16_t scope;
	bool encap;
	struct addr local;
	uint32_t route_mtu; /* 0: not known */
};

struct children {
	struct esp_dp *dp;
	struct map *by_id, *by_spi, *ways;
	struct list learned;
};

/* ---- keys ----------------------------------------------------------------------- */

static void write_addr(struct writer *w, const struct addr *a)
{
	wr_u8(w, a->family);
	wr_bytes(w, span_of(a->b, sizeof(a->b)));
}

static void way_key(uint8_t out[WAY_KEY], const struct addr *local,
	const struct endpoint *remote, bool encap)
{
	struct writer w = wr_over(out, WAY_KEY);

	wr_u8(&w, encap);
	wr_u16(&w, encap ? remote->port : 0);
	write_addr(&w, local);
	write_addr(&w, &remote->addr);
}

static struct span spi_key(uint8_t out[SPI_KEY], const struct way *way, uint32_t spi)
{
	struct writer w = wr_over(out, SPI_KEY);

	wr_bytes(&w, span_of(way->key, WAY_KEY));
	wr_u32(&w, spi);
	return wr_span(&w);
}

static struct span id_key(const uint32_t *id)
{
	return span_of(id, sizeof(*id));
}

/* ---- ways ------------------------------------------------------------------------- */

static struct way *find_way(const struct children *c, const struct addr *local,
	const struct endpoint *remote, bool encap)
{
	uint8_t key[WAY_KEY];

	way_key(key, local, remote, encap);
	return map_get(c->ways, span_of(key, WAY_KEY));
}

static struct way *make_way(struct children *c, const struct addr *local,
	const struct endpoint *remote, bool encap)
{
	struct way *w = mem_new(1, sizeof(*w));

	list_init(&w->members);
	list_init(&w->learned);
	way_key(w->key, local, remote, encap);
	rate_init(&w->lowered, LOWERED_BURST, LOWERED_PER_SECOND, 0);
	map_put(c->ways, span_of(w->key, WAY_KEY), w);
	return w;
}

/* An SA that is gone meanwhile needs no MTU. */
static void tell(struct children *c, const struct child *k)
{
	uint32_t mtu = k->way->learned_mtu;

	if (mtu == 0 || (k->route_mtu != 0 && k->route_mtu < mtu))
		mtu = k->route_mtu;
	enum esp_err err = esp_dp_path_mtu(c->dp, k->id, mtu);
	(void)err;
}

static void tell_all(struct children *c, struct way *w)
{
	list_each(item, &w->members) tell(c, list_entry(item, struct child, in_way));
}

static void enter_way(struct children *c, struct child *k, const struct endpoint *remote)
{
	uint8_t key[SPI_KEY];
	struct way *w = find_way(c, &k->local, remote, k->encap);

	k->way = w ? w : make_way(c, &k->local, remote, k->encap);
	list_add(&k->way->members, &k->in_way);
	map_put(c->by_spi, spi_key(key, k->way, k->spi_out), k);
	tell(c, k);
}

static void leave_way(struct children *c, struct child *k)
{
	uint8_t key[SPI_KEY];
	struct span spi = spi_key(key, k->way, k->spi_out);

	/* A peer may give two SAs one SPI: the newer one has the entry. */
	if (map_get(c->by_spi, spi) == k)
		map_take(c->by_spi, spi);
	list_del(&k->in_way);
	if (!list_empty(&k->way->members))
		return;
	list_del(&k->way->learned);
	map_take(c->ways, span_of(k->way->key, WAY_KEY));
	free(k->way);
}

/* ---- children ----------------------------------------------------------------------- */

struct children *children_new(struct esp_dp *dp, const struct entropy *e)
{
	struct children *c = mem_new(1, sizeof(*c));

	c->dp = dp;
	c->by_id = map_new(e);
	c->by_spi = map_new(e);
	c->ways = map_new(e);
	list_init(&c->learned);
	return c;
}

static void drop(struct children *c, struct child *k)
{
	map_take(c->by_id, id_key(&k->id));
	leave_way(c, k);
	free(k);
}

struct visit {
	struct children *c;
	uint16_t scope;
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
	map_free(c->by_spi);
	map_free(c->ways);
	free(c);
}

void children_add(struct children *c, const struct esp_child *child, uint32_t path_mtu)
{
	struct child *k = mem_new(1, sizeof(*k));

	list_init(&k->in_way);
	k->id = child->id;
	k->spi_out = child->spi_out;
	k->scope = child->scope;
	k->encap = child->encap;
	k->local = child->local.addr;
	k->route_mtu = path_mtu;
	map_put(c->by_id, id_key(&k->id), k);
	enter_way(c, k, &child->remote);
}

void children_remove(struct children *c, uint32_t id)
{
	struct child *k = map_get(c->by_id, id_key(&id));

	if (k)
		drop(c, k);
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

void children_move(
	struct children *c, uint32_t id, const struct endpoint *remote, bool encap)
{
	struct child *k = map_get(c->by_id, id_key(&id));

	if (!k)
		return;
	leave_way(c, k);
	k->encap = encap;
	enter_way(c, k, remote);
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

/* ---- path MTU ------------------------------------------------------------------------ */

static bool is_quoted_right(const struct children *c, const struct way *w, uint32_t spi)
{
	uint8_t key[SPI_KEY];

	return map_get(c->by_spi, spi_key(key, w, spi)) != NULL;
}

bool children_path_mtu(struct children *c, const struct path_mtu *told, uint64_t now_ms)
{
	uint32_t least = told->local.family == ADDR_V4 ? MTU_MIN_V4 : MTU_MIN_V6;
	uint32_t octets = told->octets > least ? told->octets : least;
	struct way *w = find_way(c, &told->local, &told->remote, told->encap);

	if (!w || !(told->by_kernel || is_quoted_right(c, w, told->spi)))
		return false;
	if (octets == w->learned_mtu)
		w->learned_ms = now_ms;
	if ((w->learned_mtu != 0 && octets >= w->learned_mtu) ||
		!rate_allow(&w->lowered, now_ms))
		return true;
	w->learned_mtu = octets;
	w->learned_ms = now_ms;
	list_del(&w->learned);
	list_add(&c->learned, &w->learned);
	tell_all(c, w);
	return true;
}

bool children_forget_mtus(struct children *c, uint64_t now_ms)
{
	list_each_safe(item, &c->learned)
	{
		struct way *w = list_entry(item, struct way, learned);
		if (now_ms - w->learned_ms < MTU_KEEP_MS)
			continue;
		list_del(&w->learned);
		w->learned_mtu = 0;
		tell_all(c, w);
	}
	return !list_empty(&c->learned);
}
