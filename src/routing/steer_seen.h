/* routing/steer_seen.h - what the kernel has of our rules and routes, beside what it should
 * have.
 *
 * Floor 6. Private to the steering.
 */
#ifndef VIPSEC_ROUTING_STEER_SEEN_H
#define VIPSEC_ROUTING_STEER_SEEN_H

#include "routing/netlink.h"
#include "routing/steer_table.h"
#include "routing/steered.h"

struct seen {
	struct rule *rules; /* in the kernel's order */
	struct route *routes;
	size_t n_rules, n_routes;
};

/* Rules with preferences lo to hi and routes in tables from first to last, if they are ours.
 * 0, or libnl's code. Wiped in either case. */
int seen_read(struct seen *s, struct nl_sock *netlink, uint32_t lo, uint32_t hi,
	uint32_t first, uint32_t last) __attribute__((warn_unused_result));
void seen_wipe(struct seen *s);

bool seen_has_rule(const struct seen *s, const struct rule *r);
/* The scope's rules, all, in their order, and no others. */
bool seen_has_rules(const struct seen *s, const struct steered *sc, uint32_t preference,
	uint32_t table);
/* The scope's routes; whatever source address and MTU they name. */
bool seen_has_routes(
	const struct seen *s, const struct steer_table *t, const struct steered *sc);

#endif
