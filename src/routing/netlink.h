/* routing/netlink.h - routing rules and routes as values, and their way into the kernel.
 *
 * Floor 6. Results are 0 or libnl's negative codes (nl_geterror() has the words).
 */
#ifndef VIPSEC_ROUTING_NETLINK_H
#define VIPSEC_ROUTING_NETLINK_H

#include <stddef.h>

#include "base/addr.h"

struct nl_sock;

/* rtm_protocol and the rules' FRA_PROTOCOL: marks what is ours. */
enum { NETLINK_OWN_PROTOCOL = 154 };

enum rule_action { RULE_LOOKUP, RULE_GOTO, RULE_NOP };

struct rule {
	uint8_t family; /* enum addr_family */
	uint32_t preference;
	enum rule_action action;
	uint32_t target; /* table, or preference to go to */
	struct prefix src, dst; /* bits 0: any */
	uint8_t proto; /* 0: any */
	uint16_t sport_lo, sport_hi, dport_lo, dport_hi; /* lo 0: any */
	uint32_t mark; /* 0: any */
};

struct route {
	struct prefix dst;
	uint32_t table;
	unsigned ifindex; /* 0: prohibit */
	struct addr src; /* preferred source; ADDR_NONE: the kernel chooses */
	uint32_t mtu;
	uint32_t metric;
};

/* Where rules and routes go: into the kernel, or beside what it has. take: 0, or a code
 * that ends it. */
struct rule_sink {
	int (*take)(void *ctx, const struct rule *r);
	void *ctx;
};

struct route_sink {
	int (*take)(void *ctx, const struct route *r);
	void *ctx;
};

struct nl_sock *netlink_open(void); /* NULL: errno */
void netlink_close(struct nl_sock *s);

int netlink_add_rule(struct nl_sock *s, const struct rule *r);
/* No range of the kernel's may reach port 65535: what becomes of one that does. */
void netlink_clamp_ports(uint16_t *lo, uint16_t *hi);
/* Every rule of ours (by protocol) with a preference from lo to hi. */
int netlink_delete_rules(struct nl_sock *s, uint32_t lo, uint32_t hi);
int netlink_add_route(struct nl_sock *s, const struct route *r);
/* Every route of ours in the tables lo to hi. */
int netlink_flush_tables(struct nl_sock *s, uint32_t lo, uint32_t hi);

/* The two sinks into the kernel. */
struct rule_sink netlink_rules(struct nl_sock *s);
struct route_sink netlink_routes(struct nl_sock *s);

struct nl_msg;
/* How often to dump what is overtaken by changes (-NLE_DUMP_INTR) each time. */
enum { NETLINK_DUMPS_MAX = 10 };
/* Hands each message of a dump to each() (a callback as libnl wants it). */
int netlink_dump(struct nl_sock *s, int type, int family,
	int (*each)(struct nl_msg *m, void *arg), void *arg);

struct netlink_route { /* one of the main table's, as read */
	struct prefix dst;
	struct addr gateway, src; /* ADDR_NONE: none */
	unsigned ifindex; /* 0: several (multipath) */
};
/* Unicast routes of the main table; each says how many of max it has filled so far. */
int netlink_read_main(struct nl_sock *s, enum addr_family family,
	struct netlink_route *out, size_t max, size_t *n);

#endif
