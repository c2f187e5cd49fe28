/* routing/steered.h - what is steered for one scope: kept by steering.c, turned into rules
 * and routes by steer_rules.c and steer_table.c.
 *
 * Floor 6. Private to these.
 */
#ifndef VIPSEC_ROUTING_STEERED_H
#define VIPSEC_ROUTING_STEERED_H

#include "policy/policy.h"

enum {
	STEERED_ADDRS_MAX = 8,
	STEERED_LEAVE = 14700, /* the preference at which the steering is left */
};

struct steered {
	struct spd *spd; /* NULL: nothing installed */
	struct addr addrs[STEERED_ADDRS_MAX]; /* none: the host */
	size_t n_addrs;
	uint32_t mtu; /* for inner packets */
	unsigned generation;
};

#endif
