/* doctor/look_guard.c - is the guard's table what the configuration asks for?
 *
 * The kernel writes rules down in its own words, so text cannot be compared with text: a
 * child makes the table that ought to be in a network namespace of its own, which ends with
 * it, and compares how the kernel lists the two.
 */
#include "doctor/look.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/apart.h"
#include "port/guard.h"
#include "routing/device.h"
#include "xfrm/rules.h"

enum { COMPARING_MS = 10000 };

struct comparison {
	const struct config *config;
	const char *listing;
	bool in_kernel;
};

static void compare(void *facts, const void *ctx)
{
	const struct comparison *c = ctx;
	struct facts_guard *x = facts;
	struct guard_rules like = {.tun_name = c->in_kernel ? NULL : DEVICE_NAME,
		.reqid_first = REQID_FIRST,
		.reqid_last = REQID_LAST};
	char why[256];

	if (unshare(CLONE_NEWNET) != 0 ||
		!guard_apply_config(c->config, &like, why, sizeof(why)))
		return;
	char *ought = guard_listing();
	x->compared = ought != NULL;
	x->as_it_should = ought && strcmp(ought, c->listing) == 0;
	free(ought);
}

void look_guard(const struct patient *p, struct facts_guard *x)
{
	char *ruleset = guard_ruleset_json(), *listing = guard_listing();

	*x = (struct facts_guard){.can_list = ruleset != NULL,
		.there = listing != NULL,
		.daemon_runs = p->daemon.state == DAEMON_THERE};
	if (listing && p->config) {
		struct comparison c = {p->config, listing, p->in_kernel};
		(void)apart_run(compare, &c, x, sizeof(*x), COMPARING_MS);
	}
	free(listing);
	free(ruleset);
}
