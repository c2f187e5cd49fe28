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
};

enum { CLAIM_NO_RULE = 0xffffffff };

struct claims *claims_new(const struct entropy *e, struct request_line *line);
void claims_free(struct claims *c); /* the kernel's stay */

void claimant_init(struct claimant *w, uint16_t scope);
/* rule: that it is for, and that an ACQUIRE for this policy is about. 0, or an errno: the
 * kernel has not got it, and it is wanted all the same (claims_mend()). */
int claims_add(struct claims *c, struct claimant *w, const struct request_policy *p,
	uint32_t rule);
/* All of its claims end; what waited behind them comes forward. */
void claims_drop(struct claims *c, struct claimant *w);
/* Moves all of one's claims to another, which claims nothing yet. */
void claims_hand_over(struct claimant *from, struct claimant *to);

/* What the kernel tells policies by. */
struct claims_name {
	struct xfrm_selector sel;
	uint8_t dir;
	uint32_t if_id;
};
/* Whose the policy is that the kernel speaks of. False: not ours. */
bool claims_find(const struct claims *c, const struct claims_name *name, uint16_t *scope,
	uint32_t *rule);
size_t claims_count(const struct claims *c); /* policies that ought to be there */

/* What the kernel did not take, or does not let go of. */
struct claims_failure {
	int error;
	uint16_t scope;
	uint32_t rule; /* CLAIM_NO_RULE: none */
};
/* The last one since this was asked last. False: there was none. */
bool claims_failed(struct claims *c, struct claims_failure *out);

/* Compares with the kernel's table: what is missing or was changed is put back, what is
 * marked as ours and nobody wants is deleted. Returns how many of them somebody else has
 * changed; what cannot be mended is a failure again. 0, or an errno: the table cannot be
 * read. other: each policy that is not ours; may be NULL. */
int claims_mend(struct claims *c, size_t *changed,
	void (*other)(const struct request_policy *p, void *ctx), void *ctx);
/* Deletes each policy that is marked as ours. *n: how many there were. */
int claims_sweep(struct request_line *line, size_t *n);
/* Only counts them. */
int claims_left(struct request_line *line, size_t *n);

#endif
