/* routing/steering_parts.h - what the steering consists of.
 *
 * Floor 6. Private to steering.c and steering_mend.c.
 */
#ifndef VIPSEC_ROUTING_STEERING_PARTS_H
#define VIPSEC_ROUTING_STEERING_PARTS_H

#include "routing/steer_table.h"
#include "routing/steered.h"
#include "routing/steering.h"

enum {
	PREFERENCE_MARK = 14500,
	PREFERENCE_IKE = 14501,
	GENERATIONS = 2,
	SCOPES = SCOPE_MAX,
};

/* The preferences and tables of one way of steering, last ones included. */
struct territory {
	uint32_t rules_lo, rules_hi;
	uint32_t scopes; /* the first preference of theirs */
	uint32_t tables_lo, tables_hi;
};
struct steering {
	struct device *device; /* NULL: only what has no way is steered */
	uint32_t mark;
	struct nl_sock *netlink;
	int watch; /* tells of what others change */
	bool has_v6; /* the kernel has IPv6 */
	struct steered scopes[SCOPES]; /* in force */
	struct steered wanted[SCOPES]; /* could not be installed; spd NULL: none */
};

const struct territory *steering_territory(const struct steering *s);
uint32_t steering_preference(
	const struct steering *s, uint16_t scope, unsigned generation);
/* The scope's routes as a value, for steer_table.h; they go into the kernel. */
struct steer_table steering_table(
	const struct steering *s, uint16_t scope, unsigned generation);
/* The rules that stand always, of one family. 0, or the sink's code. */
int steering_frame(const struct steering *s, uint8_t family, const struct rule_sink *to)
	__attribute__((warn_unused_result));
/* Installs next beside what is there, then takes the old away; next is what the scope's
 * entry of scopes[] is to be then. 0, or libnl's code: what was there is still. */
int steering_replace(struct steering *s, uint16_t scope, struct steered *next)
	__attribute__((warn_unused_result));
/* What failed is installed after all. 0, or libnl's code. */
int steering_try_wanted(struct steering *s, uint16_t scope)
	__attribute__((warn_unused_result));

#endif
