/* daemon/reload.c - first the guard, then the node: what is to be protected is so before
 * anybody acts on it. What only a restart can change is refused.
 */
#include "daemon/reload.h"

#include <stdio.h>
#include <string.h>

#include "daemon/guarding.h"
#include "daemon/planes.h"
#include "daemon/step.h"
#include "os/clock.h"
#include "port/files.h"

static bool same_cluster(const struct config *a, const struct config *b)
{
	return a->cluster.backend == b->cluster.backend &&
	       strcmp(a->cluster.name, b->cluster.name) == 0;
}

void reload_take(struct daemon *d, struct config *c)
{
	struct node_event ev = {.kind = NODE_CONFIG};

	ev.u.config = c;
	d->config_wall_ms = clock_wall_ms();
	step_node(d, &ev);
}

/* False: at and why say what is wrong; line 0: nothing that stands in the file. */
static bool take_in(struct daemon *d, struct config *c, struct config_place *at,
	char *why, size_t cap)
{
	if (d->closing)
		snprintf(why, cap, "the daemon is about to end");
	else if (!same_cluster(node_config(d->node), c))
		snprintf(why, cap,
			"cluster name or backend changed: restart vipsecd for that");
	else if (planes_accept(d, c, at, why, cap)) {
		*at = (struct config_place){0};
		return guarding_apply(d, c, why, cap);
	}
	return false;
}

bool reload_config(struct daemon *d, const struct config_report *report)
{
	struct files_source from = {.keys = &d->keys, .report = report};
	struct config *c = files_load_config(d->options.config, &from, report);
	struct config_place at = {0};
	char why[2 * PLANE_WHY_MAX] = "";

	if (!c)
		return false;
	if (take_in(d, c, &at, why, sizeof(why))) {
		guarding_applied(d);
		planes_accepted(d, c);
		reload_take(d, c);
		return true;
	}
	config_report_error(report, d->options.config, &at, why);
	config_free(c);
	return false;
}
