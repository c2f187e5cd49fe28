/* routing/steer_rules.h - a scope's SPD as routing rules.
 *
 * Floor 6. Private to steering.c.
 */
#ifndef VIPSEC_ROUTING_STEER_RULES_H
#define VIPSEC_ROUTING_STEER_RULES_H

#include "routing/netlink.h"
#include "routing/steered.h"

/* All of the scope's rules, at one preference and behind one another; those of negotiate
 * entries look up table. 0, or libnl's code: then some may have been added. */
int steer_rules_add(struct nl_sock *netlink, const struct steered *sc,
	uint32_t preference, uint32_t table) __attribute__((warn_unused_result));

#endif
