/* node/same.h - what a reload leaves alone. Private to the room.
 *
 * Floor 4.
 */
#ifndef VIPSEC_NODE_SAME_H
#define VIPSEC_NODE_SAME_H

#include "node/scope.h"

bool same_spd(const struct spd *a, const struct spd *b); /* NULLs are allowed */
/* The rule of that number means the same in both configurations, for these scopes. */
bool same_rule(const struct config *a, const struct scope *sa, const struct config *b,
	const struct scope *sb, uint32_t rule);

#endif
