/* xfrm/claims.h - who wants which policy in the kernel.
 *
 * The kernel keeps one policy for a selector and a direction. A rule, an exemption and any
 * number of child SAs may each want one for the same; the one with the lowest priority
 * number, and of equal ones the newest, is in the kernel, the others wait behind it.
 *
 * Floor 8. One thread.
 */
#ifndef VIPSEC_XFRM_CLAIMS_H
#define VIPSEC_XFRM_CLAIMS_H

#include "base/entropy.h"
#include "base/list.h"
#include "xfrm/request.h"

struct claims;

/* Something that claims: a scope's rules, a child SA. */
struct claimant {
	struct list claims; /* struct claim */
	uint16_t scope;
	uint32_t rule; /* of a negotiate entry; else CLAIM_NO_RULE */
};

enum { CLAIM_NO_RULE = 0xffffffff };

struct claims *claims_new(const struct entropy *e, struct request_line *line);
void claims_free(struct claims *c); /* the kernel's stay */

void claimant_init(struct claimant *w, uint16_t scope);
/* rule: what an ACQUIRE for this policy is about. 0, or an errno: the kernel has not got
 * it, and it is wanted all the same (claims_mend()). */
int claims_add(struct claims *c, struct claimant *w, const struct request_policy *p,
	uint32_t rule);
/* All of its claims end; what waited behind them comes forward. */
void claims_drop(struct claims *c, struct claimant *w);
/* Moves all of one's claims to another, which claims nothing yet. */
void claims_hand_over(struct claimant *from, struct claimant *to);

/* Whose the policy is that the kernel speaks of. False: not ours. */
bool claims_find(const struct claims *c, const struct xfrm_selector *sel, uint8_t dir,
	uint16_t *scope, uint32_t *rule);
size_t claims_count(const struct claims *c); /* policies that ought to be there */

/* Compares with the kernel's table: what is missing or was changed is put back, what is
 * marked as ours and nobody wants is deleted. Returns how many were not as they should be;
 * *error is the last that could not be mended. */
size_t claims_mend(struct claims *c, int *error);
/* Deletes each policy that is marked as ours. *n: how many there were. */
int claims_sweep(struct request_line *line, size_t *n);
/* Only counts them. */
int claims_left(struct request_line *line, size_t *n);

#endif
