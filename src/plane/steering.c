/* plane/steering.c - the rules and tables behind steering.h.
 *
 * The rules, in the order of their preference:
 *   14500         packets with our own mark leave the steering (goto 14700)
 *   14501         so do ESP, AH and what comes from ports 500 and 4500: IKE. Not for
 *                 sending (the mark does that) but for rp_filter, which looks up the
 *                 reverse of what arrives and would find the TUN
 *   14510 + ...   each scope's entries in the SPD's order, two preferences a scope: a new
 *                 generation is complete before the old one goes. A negotiate entry looks
 *                 up the scope's table, a permit entry leaves the steering, a block entry
 *                 is the guard's and the data path's
 *   14700         nothing: where the steering is left
 *
 * A scope's table leads into the TUN, with `src` the VIP (or, for the host, the address
 * that the main table would give) and ends in `prohibit`, which also answers when the
 * kernel takes routes away together with their source address. A scope of addresses has
 * rules `from` each; what of a VIP no entry covers does not reach the host's rules.
 *
 * Routing rules cannot see types of ICMP: an entry for some of them takes all.
 *
 * IPv4 entries for any protocol become one rule for each protocol that Linux speaks: with
 * rp_filter, ARP is answered only if the reverse of the question (which shows protocol 0)
 * does not lead into the TUN. Other protocols are not steered, and dropped by the guard.
 * For the same reason UDP from our own addresses is steered only when ports are seen: the
 * later fragments of ESP in UDP that arrive show none.
 */
#include "config.h"

#include "plane/steering.h"

#include <errno.h>
#include <netinet/in.h>
#include <netlink/errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/iana.h"
#include "base/mem.h"
#include "plane/cover.h"
#include "plane/netlink.h"
#include "plane/sources.h"

enum {
	PREFERENCE_MARK = 14500,
	PREFERENCE_IKE = 14501,
	PREFERENCE_SCOPES = 14510,
	PREFERENCE_END = 14700,
	TABLE_FIRST = 45000,
	GENERATIONS = 2,
	SCOPES = SCOPE_MAX,
	TABLE_LAST = TABLE_FIRST + GENERATIONS * SCOPES - 1,
	METRIC_TUN = 1,
	METRIC_PROHIBIT = 1000000,
	ADDRS_MAX = 8,
	PROTO_L2TP = 115, /* the C library does not know it */
};
_Static_assert(
	PREFERENCE_SCOPES + GENERATIONS * SCOPES <= PREFERENCE_END, "room for all");

struct steered {
	struct spd *spd; /* NULL: nothing installed */
	struct addr addrs[ADDRS_MAX];
	size_t n_addrs;
	uint32_t mtu;
	unsigned generation;
};

struct steering {
	const struct device *device;
	uint32_t mark;
	struct nl_sock *netlink;
	struct steered scopes[SCOPES];
};

static uint32_t preference_of(uint16_t scope, unsigned generation)
{
	return (uint32_t)(PREFERENCE_SCOPES + GENERATIONS * scope) + generation;
}

static uint32_t table_of(uint16_t scope, unsigned generation)
{
	return (uint32_t)(TABLE_FIRST + GENERATIONS * scope) + generation;
}

/* ---- what stands always --------------------------------------------------------- */

static int add_frame_of(struct steering *s, uint8_t family)
{
	const struct rule frame[] = {
		{.preference = PREFERENCE_END, .action = RULE_NOP},
		{.preference = PREFERENCE_MARK, .action = RULE_GOTO, .mark = s->mark},
		{.preference = PREFERENCE_IKE, .action = RULE_GOTO, .proto = IP_ESP},
		{.preference = PREFERENCE_IKE, .action = RULE_GOTO, .proto = IP_AH},
		{.preference = PREFERENCE_IKE,
			.action = RULE_GOTO,
			.proto = IP_UDP,
			.sport_lo = IKE_PORT,
			.sport_hi = IKE_PORT},
		{.preference = PREFERENCE_IKE,
			.action = RULE_GOTO,
			.proto = IP_UDP,
			.sport_lo = IKE_NATT_PORT,
			.sport_hi = IKE_NATT_PORT},
	};

	for (size_t i = 0; i < sizeof(frame) / sizeof(frame[0]); i++) {
		struct rule r = frame[i];
		r.family = family;
		r.target = PREFERENCE_END;
		int err = netlink_add_rule(s->netlink, &r);
		if (err < 0)
			return err;
	}
	return 0;
}

static int sweep(struct steering *s)
{
	int err = netlink_delete_rules(s->netlink, PREFERENCE_MARK, PREFERENCE_END);

	return err < 0 ? err : netlink_flush_tables(s->netlink, TABLE_FIRST, TABLE_LAST);
}

struct steering *steering_open(
	const struct device *device, uint32_t mark, char *why, size_t why_cap)
{
	struct steering *s = mem_new(1, sizeof(*s));

	s->device = device;
	s->mark = mark;
	s->netlink = netlink_open();
	if (!s->netlink) {
		snprintf(why, why_cap, "cannot open a netlink socket: %s",
			strerror(errno));
		free(s);
		return NULL;
	}
	int err = sweep(s);
	if (err == 0)
		err = add_frame_of(s, ADDR_V4);
	/* Without IPv6 in the kernel there is nothing of it to steer. */
	if (err == 0)
		err = add_frame_of(s, ADDR_V6);
	if (err == 0 || err == -NLE_AF_NOSUPPORT || err == -NLE_OPNOTSUPP)
		return s;
	snprintf(why, why_cap, "cannot install routing rules: %s", nl_geterror(err));
	steering_close(s, false);
	return NULL;
}

void steering_close(struct steering *s, bool keep)
{
	if (!keep)
		sweep(s);
	for (size_t i = 0; i < SCOPES; i++)
		spd_free(s->scopes[i].spd);
	netlink_close(s->netlink);
	free(s);
}

/* ---- a scope's table ---------------------------------------------------------------- */

static int add_route_from(struct steering *s, const struct steered *sc, uint32_t table,
	const struct prefix *dst, const struct addr *src)
{
	struct route r = {
		.dst = *dst,
		.table = table,
		.ifindex = s->device->ifindex,
		.src = *src,
		.mtu = sc->mtu,
		.metric = METRIC_TUN,
	};

	return netlink_add_route(s->netlink, &r);
}

/* The host: wherever entries lead to, with the source that the main table gives. */
static int add_host_routes(struct steering *s, const struct steered *sc, uint32_t table,
	const struct prefix *dst)
{
	struct source *parts = mem_new(SOURCES_MAX, sizeof(*parts));
	size_t n = sources_find(s->netlink, s->mark, dst, parts);
	int err = 0;

	for (size_t i = 0; i < n && err == 0; i++)
		err = add_route_from(s, sc, table, &parts[i].dst, &parts[i].src);
	free(parts);
	return err;
}

static struct prefix whole(uint8_t family)
{
	return (struct prefix){.addr = {.family = family}, .bits = 0};
}

/* The VIP: everything, with the first of its addresses that is here as source. */
static int add_vip_routes(
	struct steering *s, const struct steered *sc, uint32_t table, uint8_t family)
{
	static const struct addr none = {.family = ADDR_NONE};
	struct prefix all = whole(family);

	for (size_t i = 0; i < sc->n_addrs; i++)
		if (sc->addrs[i].family == family &&
			add_route_from(s, sc, table, &all, &sc->addrs[i]) == 0)
			return 0;
	/* None is here (yet): steering_refresh() comes when one is. */
	return add_route_from(s, sc, table, &all, &none);
}

static int add_prohibit(struct steering *s, uint32_t table, uint8_t family)
{
	struct route r = {
		.dst = whole(family), .table = table, .metric = METRIC_PROHIBIT};

	return netlink_add_route(s->netlink, &r);
}

static int add_all_host_routes(
	struct steering *s, const struct steered *sc, uint32_t table)
{
	struct prefix *parts = mem_new(COVER_MAX, sizeof(*parts));
	int err = 0;

	for (size_t i = 0; i < spd_count(sc->spd) && err == 0; i++) {
		const struct spd_entry *e = spd_at(sc->spd, i);
		size_t n = e->action == POLICY_NEGOTIATE ? cover_range(&e->remote, parts)
							 : 0;
		for (size_t k = 0; k < n && err == 0; k++)
			err = add_host_routes(s, sc, table, &parts[k]);
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

static int fill_table(struct steering *s, const struct steered *sc, uint32_t table)
{
	static const uint8_t families[] = {ADDR_V4, ADDR_V6};
	int err = 0;

	for (size_t i = 0; i < 2 && err == 0; i++) {
		if (!has_family(sc->spd, families[i]))
			continue;
		err = add_prohibit(s, table, families[i]);
		if (err == 0 && sc->n_addrs > 0)
			err = add_vip_routes(s, sc, table, families[i]);
	}
	if (err == 0 && sc->n_addrs == 0)
		err = add_all_host_routes(s, sc, table);
	return err;
}

/* ---- a scope's rules ------------------------------------------------------------------ */

static bool has_ports(uint8_t proto)
{
	return proto == IP_TCP || proto == IP_UDP;
}

static void set_ports(const struct ts *t, uint16_t *lo, uint16_t *hi)
{
	if (!has_ports(t->proto) || t->port_lo > t->port_hi ||
		(t->port_lo == 0 && t->port_hi == UINT16_MAX))
		return;
	*lo = t->port_lo == 0 ? 1 : t->port_lo;
	*hi = t->port_hi == 0 ? 1 : t->port_hi;
}

static struct rule rule_of(const struct spd_entry *e, uint32_t preference, uint32_t table)
{
	bool steer = e->action == POLICY_NEGOTIATE;
	struct rule r = {
		.family = e->local.lo.family,
		.preference = preference,
		.action = steer ? RULE_LOOKUP : RULE_GOTO,
		.target = steer ? table : PREFERENCE_END,
		.proto = e->local.proto,
	};

	set_ports(&e->local, &r.sport_lo, &r.sport_hi);
	set_ports(&e->remote, &r.dport_lo, &r.dport_hi);
	return r;
}

struct parts {
	struct prefix local[COVER_MAX], remote[COVER_MAX];
};

/* Those that local sockets, tunnels and forwarded traffic can bring. */
static const uint8_t spoken[] = {IP_ICMP, IP_IPIP, IP_TCP, IP_UDP, IPPROTO_DCCP, IP_IPV6,
	IPPROTO_GRE, PROTO_L2TP, IPPROTO_SCTP, IPPROTO_UDPLITE};

/* Any port, but a port: as two rules, since no range may reach 65535. */
static int add_udp_rules(struct steering *s, struct rule r)
{
	r.dport_lo = 1;
	r.dport_hi = UINT16_MAX;
	int err = netlink_add_rule(s->netlink, &r);
	if (err < 0)
		return err;
	r.dport_lo = 0;
	r.sport_lo = 1;
	r.sport_hi = UINT16_MAX;
	return netlink_add_rule(s->netlink, &r);
}

static int add_rule(struct steering *s, const struct rule *r, bool own)
{
	bool ports = r->sport_lo != 0 || r->dport_lo != 0;

	if (own && r->family == ADDR_V4 && r->proto == IP_UDP && !ports)
		return add_udp_rules(s, *r);
	return netlink_add_rule(s->netlink, r);
}

/* own: packets between the machines themselves (IKE, ESP) have these addresses, too. */
static int add_steering_rule(struct steering *s, struct rule r, bool own)
{
	if (r.family != ADDR_V4 || r.proto != IP_ANY)
		return add_rule(s, &r, own);
	for (size_t i = 0; i < sizeof(spoken); i++) {
		r.proto = spoken[i];
		int err = add_rule(s, &r, own);
		if (err < 0)
			return err;
	}
	return 0;
}

static bool holds_own(const struct steered *sc, const struct ts *local)
{
	for (size_t i = 0; i < sc->n_addrs; i++)
		if (ts_has_addr(local, &sc->addrs[i]))
			return true;
	return sc->n_addrs == 0;
}

static int add_entry(struct steering *s, const struct steered *sc,
	const struct spd_entry *e, uint32_t preference, uint32_t table,
	struct parts *parts)
{
	struct rule r = rule_of(e, preference, table);
	bool own = holds_own(sc, &e->local);
	size_t n_local = cover_range(&e->local, parts->local);
	size_t n_remote = cover_range(&e->remote, parts->remote);

	for (size_t i = 0; i < n_local * n_remote; i++) {
		r.src = parts->local[i / n_remote];
		r.dst = parts->remote[i % n_remote];
		int err = r.action == RULE_LOOKUP ? add_steering_rule(s, r, own)
						  : netlink_add_rule(s->netlink, &r);
		if (err < 0)
			return err;
	}
	return 0;
}

static int add_entries(
	struct steering *s, const struct steered *sc, uint32_t preference, uint32_t table)
{
	struct parts *parts = mem_new(1, sizeof(*parts));
	int err = 0;

	for (size_t i = 0; i < spd_count(sc->spd) && err == 0; i++) {
		const struct spd_entry *e = spd_at(sc->spd, i);
		if (e->action != POLICY_BLOCK)
			err = add_entry(s, sc, e, preference, table, parts);
	}
	free(parts);
	return err;
}

/* What of a VIP no entry covers is not the host's to judge. */
static int add_leave(struct steering *s, const struct steered *sc, uint32_t preference)
{
	for (size_t i = 0; i < sc->n_addrs; i++) {
		struct rule r = {
			.family = sc->addrs[i].family,
			.preference = preference,
			.action = RULE_GOTO,
			.target = PREFERENCE_END,
			.src = {.addr = sc->addrs[i],
				.bits = (uint8_t)(8 * addr_len(&sc->addrs[i]))},
		};
		int err = netlink_add_rule(s->netlink, &r);
		if (err < 0)
			return err;
	}
	return 0;
}

/* ---- generations ------------------------------------------------------------------------ */

static void remove_generation(struct steering *s, uint16_t scope, unsigned generation)
{
	uint32_t preference = preference_of(scope, generation);
	uint32_t table = table_of(scope, generation);

	netlink_delete_rules(s->netlink, preference, preference);
	netlink_flush_tables(s->netlink, table, table);
}

static int add_generation(struct steering *s, uint16_t scope, const struct steered *sc)
{
	uint32_t preference = preference_of(scope, sc->generation);
	uint32_t table = table_of(scope, sc->generation);
	int err = fill_table(s, sc, table);

	if (err == 0)
		err = add_entries(s, sc, preference, table);
	if (err == 0)
		err = add_leave(s, sc, preference);
	if (err < 0)
		remove_generation(s, scope, sc->generation);
	return err;
}

/* Installs next beside what is there, then takes the old away. */
static int replace(struct steering *s, uint16_t scope, struct steered *next)
{
	struct steered *now = &s->scopes[scope];

	next->generation = now->spd ? (now->generation + 1) % GENERATIONS : 0;
	next->mtu = device_inner_mtu(s->device, next->addrs, next->n_addrs);
	int err = add_generation(s, scope, next);
	if (err < 0)
		return err;
	if (now->spd)
		remove_generation(s, scope, now->generation);
	return 0;
}

bool steering_set(struct steering *s, uint16_t scope, const struct spd *spd,
	const struct addr *addrs, size_t n_addrs, char *why, size_t why_cap)
{
	struct steered *now = &s->scopes[scope];
	struct steered next = {.n_addrs = n_addrs < ADDRS_MAX ? n_addrs : ADDRS_MAX};

	if (!spd) {
		if (now->spd)
			remove_generation(s, scope, now->generation);
		spd_free(now->spd);
		now->spd = NULL;
		return true;
	}
	if (next.n_addrs > 0)
		memcpy(next.addrs, addrs, next.n_addrs * sizeof(*addrs));
	next.spd = spd_dup(spd);
	int err = replace(s, scope, &next);
	if (err < 0) {
		snprintf(why, why_cap, "cannot steer: %s", nl_geterror(err));
		spd_free(next.spd);
		return false;
	}
	spd_free(now->spd);
	*now = next;
	return true;
}

/* The kernel takes an IPv4 route away with the address that it names as source, and an
 * address may not have been here when the table was filled. Adding what is there changes
 * nothing. */
void steering_refill(struct steering *s, uint16_t scope)
{
	struct steered *sc = &s->scopes[scope];

	if (!sc->spd || sc->n_addrs == 0)
		return;
	sc->mtu = device_inner_mtu(s->device, sc->addrs, sc->n_addrs);
	/* What fails leaves the table's `prohibit`: closed, and tried again next time. */
	int err = fill_table(s, sc, table_of(scope, sc->generation));
	(void)err;
}

void steering_refresh(struct steering *s)
{
	for (uint16_t scope = 0; scope < SCOPES; scope++) {
		struct steered next = s->scopes[scope];
		steering_refill(s, scope);
		if (next.spd && next.n_addrs == 0 && replace(s, scope, &next) == 0)
			s->scopes[scope] = next;
	}
}
