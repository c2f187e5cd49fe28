/* xfrm/acquires.h - what the kernel has asked for, and waits for.
 *
 * Each flow that wants an SA makes the kernel keep a larval one, and as long as it has that
 * (net.core.xfrm_acq_expires, 30 seconds) it does not ask again for this flow. So what has
 * its SA is ended at once: else a flow whose SA goes again soon would wait for the rest of that
 * time.
 *
 * Floor 8.
 */
#ifndef VIPSEC_XFRM_ACQUIRES_H
#define VIPSEC_XFRM_ACQUIRES_H

#include "base/rate.h"
#include "xfrm/sad.h"

enum { ACQUIRES_MAX = 64 };

struct acquire {
	struct request_larval larval; /* seq 0: a free place */
	uint16_t scope;
	uint32_t rule;
	struct flow flow;
};

/* The latest ones; of more than there is room for, the oldest are left to expire. */
struct acquires {
	struct acquire at[ACQUIRES_MAX];
	unsigned next;
	struct rate late;
};

void acquires_init(struct acquires *as, uint64_t now_ms);
/* What was asked while the SA was being put in place is ended, and false: nobody need hear of
 * it. */
bool acquires_take(struct acquires *as, const struct sad *cs, const struct acquire *a,
	uint64_t now_ms);
/* That child is there: whatever has waited for it. */
void acquires_end(
	struct acquires *as, const struct sad_child *c, struct request_line *line);

#endif
