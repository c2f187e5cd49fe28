/* routing/steered.h - what is steered for one scope: kept by steering.c, turned into rules
 * and routes by steer_rules.c and steer_table.c.
 *
 * Into the TUN, or, where the kernel seals by itself, only what has no way at all: it has to
 * be routed somewhere before the kernel asks its policies.
 *
 * Floor 6. Private to these.
 */
#ifndef VIPSEC_ROUTING_STEERED_H
#define VIPSEC_ROUTING_STEERED_H

#include "policy/policy.h"

enum {
	STEERED_ADDRS_MAX = 8,
	STEERED_LEAVE = 14700, /* the preference at which the steering is left */
	STEERED_LAST_LEAVE = 45200, /* and without a TUN */
};

struct steered {
	struct spd *spd; /* NULL: nothing installed */
	bool last; /* behind the host's own rules, for what they lead nowhere */
	struct addr addrs[STEERED_ADDRS_MAX]; /* none: the host */
	size_t n_addrs;
	uint32_t mtu; /* for inner packets */
	unsigned generation;
};

static inline uint32_t steered_leave(const struct steered *sc)
{
	return sc->last ? STEERED_LAST_LEAVE : STEERED_LEAVE;
}

/* Is what this entry covers led somewhere? In transport mode packets need the host's own
 * routes: they leave with their own addresses. Policies of an XFRM interface judge only what
 * is routed into that. */
static inline bool steered_leads(const struct steered *sc, const struct spd_entry *e)
{
	return e->action == POLICY_NEGOTIATE &&
	       (!sc->last || (e->mode == POLICY_TUNNEL && e->tags.if_id == 0));
}

#endif
