/* routing/sources.h - which source address traffic of the host to somewhere would have.
 *
 * A socket that is not bound gets its source address from the route it takes; steered, it
 * takes ours, which must therefore name the address that the main table would have led to.
 *
 * Floor 6.
 */
#ifndef VIPSEC_ROUTING_SOURCES_H
#define VIPSEC_ROUTING_SOURCES_H

#include "routing/netlink.h"

enum { SOURCES_MAX = 256 };

struct source {
	struct prefix dst;
	struct addr src; /* ADDR_NONE: leave it to the kernel */
};

/* How destinations in `dst` are to be split so that each part has one source address.
 * Returns how many of out are filled; 0: the main table leads nowhere. */
size_t sources_find(struct nl_sock *s, uint32_t mark, const struct prefix *dst,
	struct source out[SOURCES_MAX]);
/* The MTU of the route between two addresses, what was learned of the path included;
 * 0: not known. */
uint32_t sources_path_mtu(
	uint32_t mark, const struct endpoint *local, const struct endpoint *remote);

#endif
