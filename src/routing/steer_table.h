/* routing/steer_table.h - the routing table of a scope, which leads into the TUN, or for what
 * has no other way out of the VIP's own link.
 *
 * Floor 6. Private to steering.c.
 */
#ifndef VIPSEC_ROUTING_STEER_TABLE_H
#define VIPSEC_ROUTING_STEER_TABLE_H

#include "routing/netlink.h"
#include "routing/steered.h"

struct steer_table {
	struct nl_sock *netlink; /* the main table is read through it */
	struct route_sink to;
	unsigned ifindex; /* of the TUN; 0: there is none */
	uint32_t mark; /* of what passes by the steering */
	uint32_t number;
};

/* All of the scope's routes, each family's `prohibit` first. 0, or the sink's code: then
 * some may have been taken. Into the kernel: those that are there stay. */
int steer_table_give(const struct steer_table *t, const struct steered *sc)
	__attribute__((warn_unused_result));
/* The link that has an address of the scope; 0: none is here. */
unsigned steer_table_link(const struct steered *sc);

#endif
