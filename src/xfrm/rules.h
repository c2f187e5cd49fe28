/* xfrm/rules.h - a scope's SPD as policies of the kernel (RFC 4301 4.4.1).
 *
 * Each entry has policies for what leaves, what arrives, and what passes through: permit
 * lets pass, block is the guard's, negotiate asks for an SA on the way out (the kernel then says
 * ACQUIRE) and drops on the way in what did not come through one. A child SA has policies of its
 * own for exactly its selectors, in front of those of its entry. Exemptions come first.
 *
 * Floor 8.
 */
#ifndef VIPSEC_XFRM_RULES_H
#define VIPSEC_XFRM_RULES_H

#include "esp/esp.h"
#include "policy/policy.h"
#include "xfrm/claims.h"

enum {
	/* reqids of ours; the last one no SA has: it makes the kernel ask. */
	REQID_FIRST = 0x76000000,
	REQID_LAST = 0x76fffffe,
	REQID_ASK = 0x76ffffff
};

static inline bool reqid_is_ours(uint32_t reqid)
{
	return reqid >= REQID_FIRST && reqid <= REQID_ASK;
}

struct rules_scope {
	uint16_t scope;
	bool is_host;
	const struct spd *spd;
	const struct addr *addrs; /* none: the host, every local address */
	size_t n_addrs;
};

/* Results: 0, or the errno of the last policy that the kernel did not take. */
int rules_claim_scope(
	struct claims *c, struct claimant *w, const struct rules_scope *scope);
/* The number of a policy that stands for this entry of a scope's SPD: the kernel takes the
 * smallest. */
uint32_t rules_priority(bool is_host, size_t entry);
/* The policies of a child SA whose outgoing half is there, or of its incoming half alone. */
struct rules_child {
	const struct esp_child *child;
	uint32_t reqid_out, reqid_in; /* of the SAs that may serve them (lineage.h) */
	bool out; /* false: in and forward only */
	uint32_t in_ifindex,
		out_ifindex; /* devices that have its SAs altogether; 0: none */
};
int rules_claim_child(struct claims *c, struct claimant *w, const struct spd *spd,
	bool is_host, const struct rules_child *of);

#endif
