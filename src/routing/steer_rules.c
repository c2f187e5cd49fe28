/* routing/steer_rules.c - each entry of the SPD in its order: a negotiate entry looks up the
 * scope's table, a permit entry leaves the steering, a block entry is the guard's and the
 * data path's. A scope of addresses has rules `from` each.
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

#include "routing/steer_rules.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/iana.h"
#include "base/mem.h"
#include "routing/cover.h"

enum { PROTO_L2TP = 115 }; /* the C library does not know it */

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

static struct rule rule_of(const struct steered *sc, const struct spd_entry *e,
	uint32_t preference, uint32_t table)
{
	bool steer = steered_leads(sc, e);
	struct rule r = {
		.family = e->local.lo.family,
		.preference = preference,
		.action = steer ? RULE_LOOKUP : RULE_GOTO,
		.target = steer ? table : steered_leave(sc),
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
static int add_udp_rules(const struct rule_sink *to, struct rule r)
{
	r.dport_lo = 1;
	r.dport_hi = UINT16_MAX;
	int err = to->take(to->ctx, &r);
	if (err < 0)
		return err;
	r.dport_lo = 0;
	r.sport_lo = 1;
	r.sport_hi = UINT16_MAX;
	return to->take(to->ctx, &r);
}

static int add_rule(const struct rule_sink *to, const struct rule *r, bool own)
{
	bool ports = r->sport_lo != 0 || r->dport_lo != 0;

	if (own && r->family == ADDR_V4 && r->proto == IP_UDP && !ports)
		return add_udp_rules(to, *r);
	return to->take(to->ctx, r);
}

/* own: packets between the machines themselves (IKE, ESP) have these addresses, too. */
static int add_steering_rule(const struct rule_sink *to, struct rule r, bool own)
{
	if (r.family != ADDR_V4 || r.proto != IP_ANY)
		return add_rule(to, &r, own);
	for (size_t i = 0; i < sizeof(spoken); i++) {
		r.proto = spoken[i];
		int err = add_rule(to, &r, own);
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

static int add_entry(const struct rule_sink *to, const struct steered *sc,
	const struct spd_entry *e, uint32_t preference, uint32_t table,
	struct parts *parts)
{
	struct rule r = rule_of(sc, e, preference, table);
	/* What arrives is routed by the host's own rules: theirs is the reverse way. */
	bool simple = sc->last || r.action != RULE_LOOKUP;
	bool own = holds_own(sc, &e->local);
	size_t n_local = cover_range(&e->local, parts->local);
	size_t n_remote = cover_range(&e->remote, parts->remote);

	for (size_t i = 0; i < n_local * n_remote; i++) {
		r.src = parts->local[i / n_remote];
		r.dst = parts->remote[i % n_remote];
		int err = simple ? to->take(to->ctx, &r) : add_steering_rule(to, r, own);
		if (err < 0)
			return err;
	}
	return 0;
}

static int add_entries(const struct rule_sink *to, const struct steered *sc,
	uint32_t preference, uint32_t table)
{
	struct parts *parts = mem_new(1, sizeof(*parts));
	int err = 0;

	for (size_t i = 0; i < spd_count(sc->spd) && err == 0; i++) {
		const struct spd_entry *e = spd_at(sc->spd, i);
		if (e->action != POLICY_BLOCK)
			err = add_entry(to, sc, e, preference, table, parts);
	}
	free(parts);
	return err;
}

/* What of a VIP no entry covers is not the host's to judge. */
static int add_leave(
	const struct rule_sink *to, const struct steered *sc, uint32_t preference)
{
	for (size_t i = 0; i < sc->n_addrs; i++) {
		struct rule r = {
			.family = sc->addrs[i].family,
			.preference = preference,
			.action = RULE_GOTO,
			.target = steered_leave(sc),
			.src = {.addr = sc->addrs[i],
				.bits = (uint8_t)(8 * addr_len(&sc->addrs[i]))},
		};
		int err = to->take(to->ctx, &r);
		if (err < 0)
			return err;
	}
	return 0;
}

bool steer_rules_lead(const struct steered *sc, uint8_t family)
{
	for (size_t i = 0; i < spd_count(sc->spd); i++) {
		const struct spd_entry *e = spd_at(sc->spd, i);
		if (e->local.lo.family == family && steered_leads(sc, e))
			return true;
	}
	return false;
}

bool steer_rules_lead_any(const struct steered *sc)
{
	return steer_rules_lead(sc, ADDR_V4) || steer_rules_lead(sc, ADDR_V6);
}

int steer_rules_give(const struct rule_sink *to, const struct steered *sc,
	uint32_t preference, uint32_t table)
{
	if (sc->last && !steer_rules_lead_any(sc))
		return 0; /* nothing to leave, either */
	int err = add_entries(to, sc, preference, table);
	return err < 0 ? err : add_leave(to, sc, preference);
}
