/* xfrm/lineage.h - the kernel's name (reqid) for what SAs have in common, so that a policy
 * may ask for any of them and for no other.
 *
 * A child and its successor are of one lineage. Outward it is one rule, peer and set of
 * selectors: what leaves takes an SA whose selectors are those of the policy. Inward the
 * selectors do not count, since a packet may come through each of its peer's SAs that covers
 * it; what an SA covers is written in it (RFC 4301 5.2). But the kernel has one selector for
 * an SA, which may cover more than the child's; so the peer's port counts, lest another peer
 * behind the same NAT comes in through it.
 *
 * Floor 8.
 */
#ifndef VIPSEC_XFRM_LINEAGE_H
#define VIPSEC_XFRM_LINEAGE_H

#include "base/map.h"
#include "esp/esp.h"

enum lineage_side { LINEAGE_OUT, LINEAGE_IN };

struct lineages {
	struct map *all; /* reqids in use */
	uint32_t next_reqid;
};

void lineages_init(struct lineages *l, const struct entropy *e);
void lineages_wipe(struct lineages *l);
/* Each taking is dropped once, with the child as it was. */
uint32_t lineage_take(
	struct lineages *l, const struct esp_child *sa, enum lineage_side side);
void lineage_drop(struct lineages *l, const struct esp_child *sa, enum lineage_side side);
/* By more than one taking. */
bool lineage_is_shared(
	const struct lineages *l, const struct esp_child *sa, enum lineage_side side);

#endif
