/* routing/steer_table.h - the routing table of a scope, which leads into the TUN.
 *
 * Floor 6. Private to steering.c.
 */
#ifndef VIPSEC_ROUTING_STEER_TABLE_H
#define VIPSEC_ROUTING_STEER_TABLE_H

#include "routing/netlink.h"
#include "routing/steered.h"

struct steer_table {
	struct nl_sock *netlink;
	unsigned ifindex; /* of the TUN */
	uint32_t mark; /* of what passes by the steering */
	uint32_t number;
};

/* Adds the scope's routes; those that are there stay. 0, or libnl's code: then some may
 * have been added, the `prohibit` at the end first. */
int steer_table_fill(const struct steer_table *t, const struct steered *sc)
	__attribute__((warn_unused_result));

#endif
