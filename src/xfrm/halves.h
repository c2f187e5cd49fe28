/* xfrm/halves.h - what the kernel holds of one child: two SAs, and policies that lead to them.
 *
 * Floor 8. Private to sad.c, sending.c and sweep.c. Results are 0 or an errno.
 */
#ifndef VIPSEC_XFRM_HALVES_H
#define VIPSEC_XFRM_HALVES_H

#include "xfrm/sad.h"

/* replay: it goes on with what its predecessor has received; NULL: begins. */
int halves_put_in(
	struct sad *cs, struct sad_child *c, const struct request_replay *replay);
/* EOVERFLOW: all its numbers are used up, and the kernel would begin with them anew. */
int halves_put_out(struct sad *cs, struct sad_child *c);

/* Not 0: it may be there still. That it was not is as good. */
int halves_delete(struct sad *cs, const struct request_name *name);
/* Not 0: it is still there. replay: gets what it has received, for one that takes its place;
 * NULL: none does. */
int halves_take_in(struct sad *cs, struct sad_child *c, struct request_replay *replay);
/* Its numbers are remembered. */
int halves_take_out(struct sad *cs, struct sad_child *c);

/* Whether this is its incoming, or outgoing, half as we have put it in. */
bool halves_are(
	const struct sad_child *c, bool out, const struct xfrm_usersa_info *there);

/* Policies for what is there just now, instead of those that it had. */
int halves_claim(struct sad *cs, const struct sad_scope *s, struct sad_child *c);

#endif
