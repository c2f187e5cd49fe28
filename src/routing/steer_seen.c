/* routing/steer_seen.c - dumps become values again; the values are compared.
 *
 * The rules of a scope stand at one preference, where the first that matches wins: their
 * order counts. That of the others does not.
 */
#include "config.h"

#include "routing/steer_seen.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "routing/steer_rules.h"

struct dumping {
	struct seen *seen;
	uint8_t family;
	uint32_t lo, hi;
	size_t room;
};

/* Grows by half, so that thousands of rules cost no thousands of copies. */
static void *one_more(void *all, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return all;
	*room = n + n / 2 + 64;
	void *more = realloc(all, *room * size);
	if (!more)
		abort();
	return more;
}

static struct prefix prefix_at(uint8_t family, struct nlattr *at, uint8_t bits)
{
	struct prefix p = {.addr = {.family = family}, .bits = bits};

	if (at && (nla_len(at) == 4 || nla_len(at) == 16))
		p.addr = addr_from_bytes(nla_data(at), (size_t)nla_len(at));
	return p;
}

static void range_at(struct nlattr *at, uint16_t *lo, uint16_t *hi)
{
	struct fib_rule_port_range range = {0};

	if (at && nla_len(at) >= (int)sizeof(range))
		memcpy(&range, nla_data(at), sizeof(range));
	*lo = range.start;
	*hi = range.end;
}

static uint32_t u32_at(struct nlattr *at)
{
	return at && nla_len(at) >= 4 ? nla_get_u32(at) : 0;
}

static void read_target(struct nlattr **at, uint8_t action, struct rule *r)
{
	if (action == FR_ACT_TO_TBL) {
		r->action = RULE_LOOKUP;
		r->target = u32_at(at[FRA_TABLE]);
	} else if (action == FR_ACT_GOTO) {
		r->action = RULE_GOTO;
		r->target = u32_at(at[FRA_GOTO]);
	} else {
		r->action = RULE_NOP;
	}
}

static int on_rule(struct nl_msg *m, void *arg)
{
	struct dumping *d = arg;
	struct nlattr *at[FRA_MAX + 1];
	struct fib_rule_hdr *head = nlmsg_data(nlmsg_hdr(m));

	if (nlmsg_parse(nlmsg_hdr(m), sizeof(*head), at, FRA_MAX, NULL) < 0)
		return NL_OK;
	uint32_t preference = u32_at(at[FRA_PRIORITY]);
	if (!at[FRA_PROTOCOL] || nla_get_u8(at[FRA_PROTOCOL]) != NETLINK_OWN_PROTOCOL ||
		preference < d->lo || preference > d->hi)
		return NL_OK;
	struct seen *s = d->seen;
	s->rules = one_more(s->rules, s->n_rules, &d->room, sizeof(*s->rules));
	struct rule *r = &s->rules[s->n_rules++];
	*r = (struct rule){
		.family = d->family,
		.preference = preference,
		.src = prefix_at(d->family, at[FRA_SRC], head->src_len),
		.dst = prefix_at(d->family, at[FRA_DST], head->dst_len),
		.proto = at[FRA_IP_PROTO] ? nla_get_u8(at[FRA_IP_PROTO]) : 0,
		.mark = u32_at(at[FRA_FWMARK]),
	};
	read_target(at, head->action, r);
	range_at(at[FRA_SPORT_RANGE], &r->sport_lo, &r->sport_hi);
	range_at(at[FRA_DPORT_RANGE], &r->dport_lo, &r->dport_hi);
	return NL_OK;
}

static int on_route(struct nl_msg *m, void *arg)
{
	struct dumping *d = arg;
	struct nlattr *at[RTA_MAX + 1];
	struct rtmsg *head = nlmsg_data(nlmsg_hdr(m));

	if (nlmsg_parse(nlmsg_hdr(m), sizeof(*head), at, RTA_MAX, NULL) < 0)
		return NL_OK;
	uint32_t table = at[RTA_TABLE] ? u32_at(at[RTA_TABLE]) : head->rtm_table;
	if (head->rtm_protocol != NETLINK_OWN_PROTOCOL || table < d->lo || table > d->hi)
		return NL_OK;
	struct seen *s = d->seen;
	s->routes = one_more(s->routes, s->n_routes, &d->room, sizeof(*s->routes));
	s->routes[s->n_routes++] = (struct route){
		.dst = prefix_at(d->family, at[RTA_DST], head->rtm_dst_len),
		.table = table,
		.ifindex = head->rtm_type == RTN_UNICAST ? u32_at(at[RTA_OIF]) : 0,
		.metric = u32_at(at[RTA_PRIORITY]),
	};
	return NL_OK;
}

static int read_family(struct dumping d, struct nl_sock *netlink, int type,
	int (*each)(struct nl_msg *m, void *arg))
{
	int family = d.family == ADDR_V4 ? AF_INET : AF_INET6;
	struct seen *s = d.seen;
	size_t rules = s->n_rules, routes = s->n_routes;
	int err = -NLE_DUMP_INTR;

	d.room = type == RTM_GETRULE ? rules : routes;
	/* The kernel says when something changed under the dump: take it again. */
	for (int i = 0; i < NETLINK_DUMPS_MAX && err == -NLE_DUMP_INTR; i++) {
		s->n_rules = rules;
		s->n_routes = routes;
		err = netlink_dump(netlink, type, family, each, &d);
	}
	/* A kernel without IPv6 has nothing of it. */
	return d.family == ADDR_V6 && err != -NLE_DUMP_INTR ? 0 : err;
}

int seen_read(struct seen *s, struct nl_sock *netlink, uint32_t lo, uint32_t hi,
	uint32_t first, uint32_t last)
{
	static const uint8_t families[] = {ADDR_V4, ADDR_V6};
	int err = 0;

	*s = (struct seen){0};
	for (size_t i = 0; i < 2 && err == 0; i++) {
		struct dumping d = {.seen = s, .family = families[i], .lo = lo, .hi = hi};
		err = read_family(d, netlink, RTM_GETRULE, on_rule);
		d.lo = first;
		d.hi = last;
		if (err == 0)
			err = read_family(d, netlink, RTM_GETROUTE, on_route);
	}
	return err;
}

void seen_wipe(struct seen *s)
{
	free(s->rules);
	free(s->routes);
	*s = (struct seen){0};
}

/* ---- comparing -------------------------------------------------------------------- */

static bool same_prefix(const struct prefix *a, const struct prefix *b)
{
	return a->bits == b->bits && (a->bits == 0 || addr_equal(&a->addr, &b->addr));
}

static bool same_ports(uint16_t lo, uint16_t hi, uint16_t seen_lo, uint16_t seen_hi)
{
	if (lo == 0)
		return seen_lo == 0;
	netlink_clamp_ports(&lo, &hi);
	return lo == seen_lo && hi == seen_hi;
}

static bool same_rule(const struct rule *r, const struct rule *seen)
{
	return r->family == seen->family && r->preference == seen->preference &&
	       r->action == seen->action &&
	       (r->action == RULE_NOP || r->target == seen->target) &&
	       same_prefix(&r->src, &seen->src) && same_prefix(&r->dst, &seen->dst) &&
	       r->proto == seen->proto && r->mark == seen->mark &&
	       same_ports(r->sport_lo, r->sport_hi, seen->sport_lo, seen->sport_hi) &&
	       same_ports(r->dport_lo, r->dport_hi, seen->dport_lo, seen->dport_hi);
}

bool seen_has_rule(const struct seen *s, const struct rule *r)
{
	for (size_t i = 0; i < s->n_rules; i++)
		if (same_rule(r, &s->rules[i]))
			return true;
	return false;
}

struct comparing {
	const struct seen *seen;
	uint32_t preference;
	size_t next[ADDR_V6 + 1]; /* of each family */
};

/* The next that the kernel has there; NULL: no more. */
static const struct rule *next_rule(struct comparing *c, uint8_t family)
{
	while (c->next[family] < c->seen->n_rules) {
		const struct rule *r = &c->seen->rules[c->next[family]++];
		if (r->family == family && r->preference == c->preference)
			return r;
	}
	return NULL;
}

static int compare_rule(void *ctx, const struct rule *r)
{
	const struct rule *seen = next_rule(ctx, r->family);

	return seen && same_rule(r, seen) ? 0 : -NLE_OBJ_NOTFOUND;
}

bool seen_has_rules(const struct seen *s, const struct steered *sc, uint32_t preference,
	uint32_t table)
{
	struct comparing c = {.seen = s, .preference = preference};
	struct rule_sink to = {.take = compare_rule, .ctx = &c};

	return steer_rules_give(&to, sc, preference, table) == 0 &&
	       !next_rule(&c, ADDR_V4) && !next_rule(&c, ADDR_V6);
}

static int compare_route(void *ctx, const struct route *r)
{
	const struct seen *s = ctx;

	for (size_t i = 0; i < s->n_routes; i++) {
		const struct route *have = &s->routes[i];
		if (have->table == r->table && have->ifindex == r->ifindex &&
			have->metric == r->metric &&
			have->dst.addr.family == r->dst.addr.family &&
			same_prefix(&have->dst, &r->dst))
			return 0;
	}
	return -NLE_OBJ_NOTFOUND;
}

bool seen_has_routes(
	const struct seen *s, const struct steer_table *t, const struct steered *sc)
{
	struct steer_table compared = *t;

	compared.to =
		(struct route_sink){.take = compare_route, .ctx = (void *)(uintptr_t)s};
	return steer_table_give(&compared, sc) == 0;
}
