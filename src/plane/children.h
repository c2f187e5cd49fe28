/* plane/children.h - what the plane itself must remember of each child SA: whither it
 * sends, for path MTU, and its number, for queries of usage.
 *
 * RFC 4301 8.2: an ICMP error for path MTU is not authentic. It counts for the SAs that send
 * to where the quoted packet went, never below the family's minimum, and for ten minutes.
 *
 * Floor 7. The data thread's.
 */
#ifndef VIPSEC_PLANE_CHILDREN_H
#define VIPSEC_PLANE_CHILDREN_H

#include "esp/esp.h"

struct children;

struct children *children_new(struct esp_dp *dp, const struct entropy *e);
void children_free(struct children *c);

/* path_mtu: that of the route; 0: not known. */
void children_add(struct children *c, const struct esp_child *child, uint32_t path_mtu);
void children_remove(struct children *c, uint32_t id);
void children_remove_scope(struct children *c, uint16_t scope);
void children_move(struct children *c, uint32_t id, const struct endpoint *remote);
size_t children_count(const struct children *c);
/* Numbers of all, in the order of adding; free with free(). */
uint32_t *children_ids(struct children *c, size_t *n);

/* The network said that outer packets to remote may have this many octets. */
void children_path_mtu(struct children *c, const struct addr *local,
	const struct endpoint *remote, bool encap, uint32_t octets, uint64_t now_ms);
/* Forgets what was learned too long ago. True: there is more to forget later. */
bool children_forget_mtus(struct children *c, uint64_t now_ms);

#endif
