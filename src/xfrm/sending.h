/* xfrm/sending.h - which SA of a lineage sends.
 *
 * A child and its successor have the same reqids (lineage.h), so a rekey changes no policy.
 * Of a lineage the one sends that was activated last, as in the userspace plane, and another
 * does again when that is gone. The kernel chooses by its own clock, and is led.
 *
 * Floor 8. Private to sad.c. Results are 0 or an errno.
 */
#ifndef VIPSEC_XFRM_SENDING_H
#define VIPSEC_XFRM_SENDING_H

#include "xfrm/sad.h"

/* Its successor sends. */
bool sending_is_replaced(const struct sad *cs, const struct sad_child *c);
/* c sends, if it is its turn and the gate is open; its policies are as they should be. */
int sending_go_on(struct sad *cs, const struct sad_scope *s, struct sad_child *c);
/* A child of this lineage is gone. sent: it had an outgoing SA. */
void sending_pass_on(
	struct sad *cs, const struct sad_scope *s, uint32_t reqid_out, bool sent);

#endif
