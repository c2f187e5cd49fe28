/* config/expand.h - a policy as the entries of one scope's SPD.
 *
 * Floor 2; within the room.
 */
#ifndef VIPSEC_CONFIG_EXPAND_H
#define VIPSEC_CONFIG_EXPAND_H

#include "config/config.h"

/* Of a VIP, or of the host; CONFIG_NO_POLICY: none. */
uint32_t expand_policy_of(const struct config *c, uint16_t scope);
/* Adds the entries of one rule. POLICY_FULL: more than an SPD holds. */
enum policy_err expand_rule(const struct config *c, uint16_t scope, uint32_t rule,
	struct spd *s) __attribute__((warn_unused_result));

#endif
