/* xfrm/foreign.h - policies of other programs in the kernel, and what they take from ours.
 *
 * The kernel asks the policy with the smallest number, and of equal ones the older: one of
 * somebody else's that comes before ours decides, and its packets never see our SA. The guard
 * drops them then.
 *
 * Floor 8.
 */
#ifndef VIPSEC_XFRM_FOREIGN_H
#define VIPSEC_XFRM_FOREIGN_H

#include "policy/policy.h"
#include "xfrm/request.h"

enum { FOREIGN_TEXT_MAX = 152 };

struct foreign {
	bool out; /* else: what arrives, or is forwarded */
	bool block, secures; /* secures: it has a template */
	uint32_t priority, if_id;
	struct ts local, remote; /* seen from here */
	char text[FOREIGN_TEXT_MAX]; /* as ip(8) names it */
};

/* False: it is ours, or of a socket, which is about that socket only. */
bool foreign_read(const struct request_policy *p, struct foreign *out);
/* The first negotiate entry of a scope that it comes before; NULL: none. */
const struct spd_entry *foreign_before(
	const struct foreign *f, const struct spd *spd, bool is_host);

#endif
