/* doctor/look_helps.c - what the kernel plane begins with, and does without where it must: by
 * trying in a network namespace that ends with its child. What it does not show is queue 14500
 * in another program's hands.
 */
#include "doctor/look.h"

#include <sched.h>

#include "doctor/apart.h"
#include "routing/steering.h"
#include "xfrm/holding.h"

enum { TRYING_MS = 10000 };

static void try_all(void *facts, const void *ctx)
{
	struct facts_helps *x = facts;

	(void)ctx;
	if (unshare(CLONE_NEWNET) != 0)
		return;
	struct holding *holding = holding_open(x->not_held, sizeof(x->not_held));
	x->holds = holding != NULL;
	holding_close(holding);
	struct steering *steering =
		steering_open(NULL, 0, x->not_steered, sizeof(x->not_steered));
	x->steers = steering != NULL;
	if (steering)
		steering_close(steering, false);
	x->tried = true;
}

void look_helps(const struct patient *p, struct facts_helps *x)
{
	*x = (struct facts_helps){.in_kernel = p->in_kernel};
	if (p->in_kernel)
		(void)apart_run(try_all, NULL, x, sizeof(*x), TRYING_MS);
}
