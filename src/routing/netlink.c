/* routing/netlink.c - rtnetlink messages for rules and routes, built on libnl's core.
 *
 * Every request is acknowledged before the call returns, so what a caller has installed is
 * in force. Deleting goes by dump and deletes exactly what was seen, by protocol number:
 * what others put into the same tables or preferences stays.
 */
#include "config.h"

#include "routing/netlink.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/rtnl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/list.h"
#include "base/mem.h"

struct nl_sock *netlink_open(void)
{
	struct nl_sock *s = nl_socket_alloc();

	if (s && nl_connect(s, NETLINK_ROUTE) < 0) {
		nl_socket_free(s);
		return NULL;
	}
	return s;
}

void netlink_close(struct nl_sock *s)
{
	nl_socket_free(s);
}

static uint8_t kernel_family(uint8_t family)
{
	return family == ADDR_V4 ? AF_INET : AF_INET6;
}

static struct nl_msg *message(int type, int flags, const void *head, size_t len)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, flags);

	if (m && nlmsg_append(m, (void *)(uintptr_t)head, len, NLMSG_ALIGNTO) < 0)
		abort(); /* a fresh message has room for a header */
	return m;
}

static void put_addr(struct nl_msg *m, int type, const struct addr *a)
{
	nla_put(m, type, (int)addr_len(a), a->b);
}

/* ---- rules ------------------------------------------------------------------ */

/* The kernel takes neither 0 nor 65535 as an end of a range. Port 0 does not occur; a
 * datagram from or to 65535 is not steered, so the guard drops it. */
void netlink_clamp_ports(uint16_t *lo, uint16_t *hi)
{
	if (*hi == UINT16_MAX)
		*hi = UINT16_MAX - 1;
	if (*lo > *hi)
		*lo = *hi;
}

static void put_ports(struct nl_msg *m, int type, uint16_t lo, uint16_t hi)
{
	if (lo == 0)
		return;
	netlink_clamp_ports(&lo, &hi);
	struct fib_rule_port_range range = {.start = lo, .end = hi};
	nla_put(m, type, sizeof(range), &range);
}

static uint8_t kernel_action(enum rule_action action)
{
	switch (action) {
	case RULE_LOOKUP:
		return FR_ACT_TO_TBL;
	case RULE_GOTO:
		return FR_ACT_GOTO;
	default:
		return FR_ACT_NOP;
	}
}

int netlink_add_rule(struct nl_sock *s, const struct rule *r)
{
	struct fib_rule_hdr head = {
		.family = kernel_family(r->family),
		.src_len = r->src.bits,
		.dst_len = r->dst.bits,
		.action = kernel_action(r->action),
	};
	struct nl_msg *m =
		message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_ACK, &head, sizeof(head));

	if (!m)
		return -NLE_NOMEM;
	nla_put_u32(m, FRA_PRIORITY, r->preference);
	nla_put_u8(m, FRA_PROTOCOL, NETLINK_OWN_PROTOCOL);
	if (r->src.bits > 0)
		put_addr(m, FRA_SRC, &r->src.addr);
	if (r->dst.bits > 0)
		put_addr(m, FRA_DST, &r->dst.addr);
	if (r->proto != 0)
		nla_put_u8(m, FRA_IP_PROTO, r->proto);
	put_ports(m, FRA_SPORT_RANGE, r->sport_lo, r->sport_hi);
	put_ports(m, FRA_DPORT_RANGE, r->dport_lo, r->dport_hi);
	if (r->mark != 0) {
		nla_put_u32(m, FRA_FWMARK, r->mark);
		nla_put_u32(m, FRA_FWMASK, UINT32_MAX);
	}
	if (r->action == RULE_LOOKUP)
		nla_put_u32(m, FRA_TABLE, r->target);
	else if (r->action == RULE_GOTO)
		nla_put_u32(m, FRA_GOTO, r->target);
	return nl_send_sync(s, m);
}

static int take_rule(void *ctx, const struct rule *r)
{
	return netlink_add_rule(ctx, r);
}

struct rule_sink netlink_rules(struct nl_sock *s)
{
	return (struct rule_sink){.take = take_rule, .ctx = s};
}

/* ---- what a dump has met and is to be deleted ------------------------------------- */

struct doomed {
	struct list link;
	struct nl_msg *m;
};

struct sweep {
	uint32_t lo, hi;
	struct list doomed;
};

/* A message of a dump, turned into the request that deletes the same thing. */
static void doom(struct sweep *sweep, struct nlmsghdr *seen, int delete_type)
{
	struct doomed *d = mem_new(1, sizeof(*d));

	d->m = nlmsg_convert(seen);
	if (!d->m)
		abort();
	struct nlmsghdr *h = nlmsg_hdr(d->m);
	h->nlmsg_type = (uint16_t)delete_type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	h->nlmsg_seq = NL_AUTO_SEQ;
	h->nlmsg_pid = NL_AUTO_PORT;
	list_add(&sweep->doomed, &d->link);
}

int netlink_dump(struct nl_sock *s, int type, int family,
	int (*each)(struct nl_msg *m, void *arg), void *arg)
{
	nl_socket_modify_cb(s, NL_CB_VALID, NL_CB_CUSTOM, each, arg);
	int err = nl_rtgen_request(s, type, family, NLM_F_DUMP);
	if (err >= 0)
		err = nl_recvmsgs_default(s);
	nl_socket_modify_cb(s, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
	return err < 0 ? err : 0;
}

/* Gone already is as good as deleted. */
static int delete_doomed(struct nl_sock *s, struct sweep *sweep)
{
	int result = 0;

	list_each_safe(item, &sweep->doomed)
	{
		struct doomed *d = list_entry(item, struct doomed, link);
		int err = nl_send_sync(s, d->m);
		if (err < 0 && err != -NLE_OBJ_NOTFOUND && result == 0)
			result = err;
		free(d);
	}
	return result;
}

static int sweep_families(
	struct nl_sock *s, int type, uint32_t lo, uint32_t hi, nl_recvmsg_msg_cb_t each)
{
	static const int families[] = {AF_INET, AF_INET6};
	int result = 0;

	for (size_t i = 0; i < 2; i++) {
		struct sweep sweep = {.lo = lo, .hi = hi};
		int err = -NLE_DUMP_INTR, deleted = 0;
		/* Something changed under the dump: what it has shown goes, and again. */
		for (int n = 0; n < NETLINK_DUMPS_MAX && err == -NLE_DUMP_INTR; n++) {
			list_init(&sweep.doomed);
			err = netlink_dump(s, type, families[i], each, &sweep);
			deleted = delete_doomed(s, &sweep);
		}
		/* A kernel without IPv6 has nothing there to delete. */
		if (err == 0 || families[i] == AF_INET6)
			err = deleted;
		if (result == 0)
			result = err;
	}
	return result;
}

static int on_rule(struct nl_msg *m, void *arg)
{
	struct sweep *sweep = arg;
	struct nlattr *at[FRA_MAX + 1];

	if (nlmsg_parse(nlmsg_hdr(m), sizeof(struct fib_rule_hdr), at, FRA_MAX, NULL) < 0)
		return NL_OK;
	uint32_t preference = at[FRA_PRIORITY] ? nla_get_u32(at[FRA_PRIORITY]) : 0;
	bool ours =
		at[FRA_PROTOCOL] && nla_get_u8(at[FRA_PROTOCOL]) == NETLINK_OWN_PROTOCOL;
	if (ours && preference >= sweep->lo && preference <= sweep->hi)
		doom(sweep, nlmsg_hdr(m), RTM_DELRULE);
	return NL_OK;
}

int netlink_delete_rules(struct nl_sock *s, uint32_t lo, uint32_t hi)
{
	return sweep_families(s, RTM_GETRULE, lo, hi, on_rule);
}

/* ---- routes ------------------------------------------------------------------------ */

static int on_route(struct nl_msg *m, void *arg)
{
	struct sweep *sweep = arg;
	struct nlattr *at[RTA_MAX + 1];
	struct rtmsg *head = nlmsg_data(nlmsg_hdr(m));

	if (nlmsg_parse(nlmsg_hdr(m), sizeof(*head), at, RTA_MAX, NULL) < 0)
		return NL_OK;
	uint32_t table = at[RTA_TABLE] ? nla_get_u32(at[RTA_TABLE]) : head->rtm_table;
	if (head->rtm_protocol == NETLINK_OWN_PROTOCOL && table >= sweep->lo &&
		table <= sweep->hi)
		doom(sweep, nlmsg_hdr(m), RTM_DELROUTE);
	return NL_OK;
}

int netlink_flush_tables(struct nl_sock *s, uint32_t lo, uint32_t hi)
{
	return sweep_families(s, RTM_GETROUTE, lo, hi, on_route);
}

static void put_mtu(struct nl_msg *m, uint32_t mtu)
{
	struct nlattr *metrics = nla_nest_start(m, RTA_METRICS);

	if (!metrics)
		return;
	nla_put_u32(m, RTAX_MTU, mtu);
	nla_nest_end(m, metrics);
}

int netlink_add_route(struct nl_sock *s, const struct route *r)
{
	struct rtmsg head = {
		.rtm_family = kernel_family(r->dst.addr.family),
		.rtm_dst_len = r->dst.bits,
		.rtm_table = RT_TABLE_UNSPEC,
		.rtm_protocol = NETLINK_OWN_PROTOCOL,
		.rtm_scope = r->ifindex != 0 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
		.rtm_type = r->ifindex != 0 ? RTN_UNICAST : RTN_PROHIBIT,
	};
	struct nl_msg *m = message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK,
		&head, sizeof(head));

	if (!m)
		return -NLE_NOMEM;
	nla_put_u32(m, RTA_TABLE, r->table);
	nla_put_u32(m, RTA_PRIORITY, r->metric);
	if (r->dst.bits > 0)
		put_addr(m, RTA_DST, &r->dst.addr);
	if (r->ifindex != 0)
		nla_put_u32(m, RTA_OIF, r->ifindex);
	if (addr_is_set(&r->src))
		put_addr(m, RTA_PREFSRC, &r->src);
	if (r->mtu != 0)
		put_mtu(m, r->mtu);
	return nl_send_sync(s, m);
}

static int take_route(void *ctx, const struct route *r)
{
	return netlink_add_route(ctx, r);
}

struct route_sink netlink_routes(struct nl_sock *s)
{
	return (struct route_sink){.take = take_route, .ctx = s};
}

/* ---- the main table ------------------------------------------------------------------ */

struct reading {
	enum addr_family family;
	struct netlink_route *out;
	size_t max, *n;
};

static struct addr addr_at(struct nlattr *at)
{
	if (!at)
		return (struct addr){.family = ADDR_NONE};
	return addr_from_bytes(nla_data(at), (size_t)nla_len(at));
}

static int on_main(struct nl_msg *m, void *arg)
{
	struct reading *reading = arg;
	struct nlattr *at[RTA_MAX + 1];
	struct rtmsg *head = nlmsg_data(nlmsg_hdr(m));

	if (nlmsg_parse(nlmsg_hdr(m), sizeof(*head), at, RTA_MAX, NULL) < 0)
		return NL_OK;
	uint32_t table = at[RTA_TABLE] ? nla_get_u32(at[RTA_TABLE]) : head->rtm_table;
	if (table != RT_TABLE_MAIN || head->rtm_type != RTN_UNICAST ||
		(head->rtm_flags & RTM_F_CLONED) != 0 || *reading->n == reading->max)
		return NL_OK;
	struct netlink_route *r = &reading->out[(*reading->n)++];
	*r = (struct netlink_route){
		.dst = {.addr = addr_at(at[RTA_DST]), .bits = head->rtm_dst_len},
		.gateway = addr_at(at[RTA_GATEWAY]),
		.src = addr_at(at[RTA_PREFSRC]),
		.ifindex = at[RTA_OIF] ? nla_get_u32(at[RTA_OIF]) : 0,
	};
	if (!at[RTA_DST])
		r->dst.addr.family = (uint8_t)reading->family;
	return NL_OK;
}

int netlink_read_main(struct nl_sock *s, enum addr_family family,
	struct netlink_route *out, size_t max, size_t *n)
{
	struct reading reading = {.family = family, .out = out, .max = max, .n = n};

	return netlink_dump(
		s, RTM_GETROUTE, kernel_family((uint8_t)family), on_main, &reading);
}
