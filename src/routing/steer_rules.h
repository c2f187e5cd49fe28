/* routing/steer_rules.h - a scope's SPD as routing rules.
 *
 * Floor 6. Private to steering.c.
 */
#ifndef VIPSEC_ROUTING_STEER_RULES_H
#define VIPSEC_ROUTING_STEER_RULES_H

#include "routing/netlink.h"
#include "routing/steered.h"

/* All of the scope's rules, at one preference and in their order; those of negotiate
 * entries look up table. 0, or the sink's code: then some may have been taken. */
int steer_rules_give(const struct rule_sink *to, const struct steered *sc,
	uint32_t preference, uint32_t table) __attribute__((warn_unused_result));
/* Does any of them look up the table? */
bool steer_rules_lead(const struct steered *sc, uint8_t family);
bool steer_rules_lead_any(const struct steered *sc);

#endif
