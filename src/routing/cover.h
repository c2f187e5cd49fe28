/* routing/cover.h - an address range as prefixes, since routing rules know no ranges.
 *
 * Floor 6.
 */
#ifndef VIPSEC_ROUTING_COVER_H
#define VIPSEC_ROUTING_COVER_H

#include "base/ts.h"

/* The most that a range can need: two for each bit of the family, less two. */
enum { COVER_MAX = 254 };

/* The fewest prefixes that make up exactly the selector's range; returns how many. */
size_t cover_range(const struct ts *t, struct prefix out[COVER_MAX]);

#endif
