/* tests/sim/run.c - one seed: everybody starts, things go wrong, then it must be well.
 */
#include "sim/run.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	SETTLE_MS = 100,
	MEND_MS = 20000, /* until the cluster has all its nodes and VIPs */
	AFTER_MS = 8000, /* watched after the last peer is back */
	/* A call to where nobody is, which may begin when a peer is back. */
	IN_VAIN_MS = 8000
};

void run_build(struct sim *s)
{
	char name[16];

	for (unsigned i = 0; i < s->sc.n_nodes; i++) {
		snprintf(name, sizeof(name), "node%u", i + 1);
		machine_init(s, i, name, scenario_node_text(&s->sc, false));
	}
	for (unsigned i = 0; i < s->sc.n_peers; i++) {
		snprintf(name, sizeof(name), "peer%u", i);
		machine_init(
			s, s->sc.n_nodes + i, name, scenario_peer_text(&s->sc, i, false));
	}
	s->n_machines = s->sc.n_nodes + s->sc.n_peers;
	net_init(s);
	bus_init(s);
	check_init(s);
	pm_init(s);
	traffic_init(s);
	for (unsigned i = 0; i < s->n_machines; i++)
		machine_power_on(s, &s->machines[i]);
}

/* Pacemaker may not have noticed yet that an address is gone. */
static bool is_served(struct sim *s, unsigned vip)
{
	const struct addr four = vip_addr(vip, false), six = vip_addr(vip, true);
	struct machine *home = pm_home(s, vip);
	struct vip_view v;

	return home && home->node && machine_has_addr(home, &four, true) &&
	       machine_has_addr(home, &six, true) &&
	       node_look_vip(home->node, (uint16_t)vip, &v) && v.state == VIP_BOUND;
}

static bool all_well(struct sim *s)
{
	for (unsigned i = 0; i < s->n_machines; i++)
		if (!machine_serves(&s->machines[i]))
			return false;
	for (unsigned i = 0; i < s->sc.n_nodes; i++)
		if (s->bus.ends[i].ring != (1u << s->sc.n_nodes) - 1 || s->pm.fencing[i])
			return false;
	for (unsigned v = 0; v < s->sc.n_vips; v++)
		if (!is_served(s, v))
			return false;
	return pm_all_started(s);
}

bool run_all_back(struct sim *s)
{
	for (unsigned i = 0; i < s->sc.n_peers; i++)
		if (s->traffic.talks[i].back_ms == 0)
			return false;
	return true;
}

void run_until(struct sim *s, bool (*done)(struct sim *), uint64_t ms)
{
	uint64_t until = world_later(&s->world, ms);

	while (!s->world.failed && s->world.now_ms < until && !done(s))
		world_run(s, world_later(&s->world, SETTLE_MS));
}

static void live(struct sim *s)
{
	world_run(s, world_later(&s->world, RUN_START_MS));
	faults_plan(s);
	world_run(s, s->faults.until_ms);
	faults_end(s);
	run_until(s, all_well, MEND_MS);
	if (!s->world.failed && !all_well(s))
		violation(s, "the cluster does not come back");
	check_begin_quiet(s);
	run_until(s, run_all_back, check_longest_ms(s));
	rekeys_begin(s);
	world_run(s, world_later(&s->world, AFTER_MS + s->sc.idle_ms + s->sc.quiet_ms +
						    (s->sc.drains ? IN_VAIN_MS : 0)));
	if (!s->world.failed)
		check_end(s);
}

void run_end(struct sim *s)
{
	for (unsigned i = 0; i < s->n_machines; i++)
		machine_free(&s->machines[i]);
	bus_free(s);
	traffic_free(s);
	check_free(s);
	world_free(s);
	free(s);
}

void run_seed(uint64_t seed, enum sabotage sabotage, unsigned rekeys, bool tracing,
	struct outcome *out)
{
	struct sim *s = mem_new(1, sizeof(*s));

	world_init(s, seed, tracing);
	scenario_draw(&s->sc, seed, sabotage, rekeys);
	run_build(s);
	rekeys_trace(s);
	live(s);
	for (unsigned i = 0; i < s->n_machines; i++)
		rekeys_count(s, &s->machines[i]);
	*out = (struct outcome){.seed = seed,
		.hash = s->world.hash,
		.virtual_ms = s->world.now_ms,
		.failed = s->world.failed,
		.failed_ms = s->world.failed_ms,
		.counts = s->counts};
	snprintf(out->why, sizeof(out->why), "%s", s->world.why);
	run_end(s);
}
