/* routing/steer_table.c - where a scope's negotiate entries lead.
 *
 * The table leads into the TUN, with `src` the VIP (or, for the host, the address that the
 * main table would give) and ends in `prohibit`, which also answers when the kernel takes
 * routes away together with their source address.
 *
 * What has no way at all gets one out of the link that has the VIP. It does not leave there as
 * it is: the rules lead here what a tunnel covers, the kernel's policies judge that first, and
 * the guard drops what those would let by.
 */
#include "config.h"

#include "routing/steer_table.h"

#include <stdlib.h>

#include "base/mem.h"
#include "routing/cover.h"
#include "routing/device.h"
#include "routing/sources.h"
#include "routing/steer_rules.h"

enum { METRIC_TUN = 1, METRIC_PROHIBIT = 1000000 };

static int add_route_from(const struct steer_table *t, const struct steered *sc,
	const struct prefix *dst, const struct addr *src)
{
	struct route r = {
		.dst = *dst,
		.table = t->number,
		.ifindex = t->ifindex,
		.src = *src,
		.mtu = sc->mtu,
		.metric = METRIC_TUN,
	};

	return t->to.take(t->to.ctx, &r);
}

/* The host: wherever entries lead to, with the source that the main table gives. */
static int add_host_routes(
	const struct steer_table *t, const struct steered *sc, const struct prefix *dst)
{
	struct source *parts = mem_new(SOURCES_MAX, sizeof(*parts));
	size_t n = sources_find(t->netlink, t->mark, dst, parts);
	int err = 0;

	for (size_t i = 0; i < n && err == 0; i++)
		err = add_route_from(t, sc, &parts[i].dst, &parts[i].src);
	free(parts);
	return err;
}

static struct prefix whole(uint8_t family)
{
	return (struct prefix){.addr = {.family = family}, .bits = 0};
}

/* The VIP: everything, with the first of its addresses that is here as source. */
static int add_vip_routes(
	const struct steer_table *t, const struct steered *sc, uint8_t family)
{
	static const struct addr none = {.family = ADDR_NONE};
	struct prefix all = whole(family);

	for (size_t i = 0; i < sc->n_addrs; i++)
		if (sc->addrs[i].family == family &&
			add_route_from(t, sc, &all, &sc->addrs[i]) == 0)
			return 0;
	/* None is here (yet): the table is filled again when one is. */
	return add_route_from(t, sc, &all, &none);
}

unsigned steer_table_link(const struct steered *sc)
{
	unsigned ifindex = 0;

	for (size_t i = 0; i < sc->n_addrs && ifindex == 0; i++)
		ifindex = device_holding(&sc->addrs[i]);
	return ifindex;
}

/* An IPv6 address is no source yet while duplicate address detection goes on: then without. */
static int add_last_route(
	const struct steer_table *t, const struct steered *sc, uint8_t family)
{
	struct steer_table out = *t;

	out.ifindex = steer_table_link(sc);
	return out.ifindex != 0 ? add_vip_routes(&out, sc, family) : 0;
}

static int add_prohibit(const struct steer_table *t, uint8_t family)
{
	struct route r = {
		.dst = whole(family), .table = t->number, .metric = METRIC_PROHIBIT};

	return t->to.take(t->to.ctx, &r);
}

static int add_all_host_routes(const struct steer_table *t, const struct steered *sc)
{
	struct prefix *parts = mem_new(COVER_MAX, sizeof(*parts));
	int err = 0;

	for (size_t i = 0; i < spd_count(sc->spd) && err == 0; i++) {
		const struct spd_entry *e = spd_at(sc->spd, i);
		size_t n = e->action == POLICY_NEGOTIATE ? cover_range(&e->remote, parts)
							 : 0;
		for (size_t k = 0; k < n && err == 0; k++)
			err = add_host_routes(t, sc, &parts[k]);
	}
	free(parts);
	return err;
}

static bool has_family(const struct spd *spd, uint8_t family)
{
	for (size_t i = 0; i < spd_count(spd); i++)
		if (spd_at(spd, i)->local.lo.family == family)
			return true;
	return false;
}

static int add_family(
	const struct steer_table *t, const struct steered *sc, uint8_t family)
{
	if (sc->last)
		return steer_rules_lead(sc, family) ? add_last_route(t, sc, family) : 0;
	int err = add_prohibit(t, family);
	return err == 0 && sc->n_addrs > 0 ? add_vip_routes(t, sc, family) : err;
}

int steer_table_give(const struct steer_table *t, const struct steered *sc)
{
	static const uint8_t families[] = {ADDR_V4, ADDR_V6};
	int err = 0;

	for (size_t i = 0; i < 2 && err == 0; i++)
		if (has_family(sc->spd, families[i]))
			err = add_family(t, sc, families[i]);
	if (err == 0 && sc->n_addrs == 0 && !sc->last)
		err = add_all_host_routes(t, sc);
	return err;
}
