/* xfrm/acquires.h - what the kernel has asked for, and waits for.
 *
 * A packet that wants an SA makes the kernel keep a larval one, and as long as it has that
 * (net.core.xfrm_acq_expires, 30 seconds) it asks no more for the same two outer addresses, be it
 * for another rule, and even when the SA has come and gone. So the larval SA is ended a second
 * after it was told: what still wants an SA then is told again, at most once a second (esp.h).
 *
 * Floor 8. A value: no clock, no timer.
 */
#ifndef VIPSEC_XFRM_ACQUIRES_H
#define VIPSEC_XFRM_ACQUIRES_H

#include "xfrm/request.h"

enum { ACQUIRES_MAX = 256 };

/* A ring, oldest first. Of more in a second than there is room for, the oldest ones expire. */
struct acquires {
	struct {
		struct request_larval larval;
		uint64_t told_ms;
	} at[ACQUIRES_MAX];
	unsigned first, n;
};

void acquires_note(
	struct acquires *as, const struct request_larval *larval, uint64_t now_ms);
/* Ends those that were told a second ago. now_ms UINT64_MAX: all. */
void acquires_end(struct acquires *as, struct request_line *line, uint64_t now_ms);
/* When that is due; UINT64_MAX: never. */
uint64_t acquires_due_ms(const struct acquires *as);

#endif
