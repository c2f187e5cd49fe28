/* tests/sim/faults.c - what goes wrong: a table of troubles, each with its weight.
 *
 * Drawn before the run, so that what the nodes do does not change what befalls them.
 * After the last one everything is mended, and the network is as good as new.
 */
#include "sim/sim.h"

#include <stdio.h>

enum { BETWEEN_MIN_MS = 200, BETWEEN_MAX_MS = 4000, REBOOT_MS = 6000 };
enum { MOVES_MANY = 25, MOVE_EACH_MS = 1200 };

static unsigned any_node(struct sim *s)
{
	return roll(&s->faults.dice, s->sc.n_nodes);
}

static unsigned any_peer(struct sim *s)
{
	return s->sc.n_nodes + roll(&s->faults.dice, s->sc.n_peers);
}

static unsigned any_vip(struct sim *s)
{
	return roll(&s->faults.dice, s->sc.n_vips);
}

/* Mostly one that has something to lose. */
static struct machine *some_node(struct sim *s)
{
	struct machine *home = pm_home(s, any_vip(s));

	if (home && chance(&s->faults.dice, 7000))
		return home;
	return &s->machines[any_node(s)];
}

static void in(struct sim *s, uint64_t lo, uint64_t hi,
	void (*run)(struct sim *, struct action *), unsigned who, unsigned n)
{
	world_at(s, world_later(&s->world, roll_between(&s->faults.dice, lo, hi)),
		(struct action){.run = run, .who = who, .n = n});
}

/* ---- machines --------------------------------------------------------------------------- */

static void on_power(struct sim *s, struct action *a)
{
	machine_power_on(s, &s->machines[a->who]);
}

static void crash(struct sim *s)
{
	struct machine *m = some_node(s);

	if (!m->powered)
		return;
	s->counts.crashes++;
	trace(s, "%s crashes", m->name);
	machine_power_off(s, m);
	in(s, REBOOT_MS, REBOOT_MS + 2000, on_power, m->index, 0);
}

static void reboot_peer(struct sim *s)
{
	struct machine *m = &s->machines[any_peer(s)];

	s->counts.reboots++;
	machine_power_off(s, m);
	in(s, 100, 2000, on_power, m->index, 0);
}

static void on_thaw(struct sim *s, struct action *a)
{
	machine_freeze(s, &s->machines[a->who], false);
}

static void freeze(struct sim *s)
{
	struct machine *m = some_node(s);

	s->counts.freezes++;
	machine_freeze(s, m, true);
	in(s, 50, 4000, on_thaw, m->index, 0);
}

static void on_continue(struct sim *s, struct action *a)
{
	machine_daemon_stop(s, &s->machines[a->who], false);
}

static void pause_daemon(struct sim *s)
{
	struct machine *m =
		chance(&s->faults.dice, 7000) ? some_node(s) : &s->machines[any_peer(s)];

	s->counts.pauses++;
	machine_daemon_stop(s, m, true);
	in(s, 30, 2500, on_continue, m->index, 0);
}

static void kill_daemon(struct sim *s)
{
	struct machine *m =
		chance(&s->faults.dice, 7000) ? some_node(s) : &s->machines[any_peer(s)];

	s->counts.kills++;
	machine_daemon_kill(s, m);
}

static void restart_daemon(struct sim *s)
{
	struct machine *m =
		chance(&s->faults.dice, 7000) ? some_node(s) : &s->machines[any_peer(s)];

	pm_restart_daemon(s, m);
}

/* ---- links --------------------------------------------------------------------------------- */

static void on_mend(struct sim *s, struct action *a)
{
	net_cut(s, a->who, a->n, false);
	bus_changed(s);
}

static void partition(struct sim *s)
{
	unsigned alone = some_node(s)->index;
	uint64_t ms = roll_between(&s->faults.dice, 100, 6000);

	s->counts.partitions++;
	trace(s, "%s is cut off from the other nodes", s->machines[alone].name);
	for (unsigned i = 0; i < s->sc.n_nodes; i++) {
		if (i == alone)
			continue;
		net_cut(s, alone, i, true);
		in(s, ms, ms, on_mend, alone, i);
	}
	bus_changed(s);
}

static void cut_peer(struct sim *s)
{
	unsigned peer = any_peer(s), node = any_node(s);
	bool all = chance(&s->faults.dice, 5000);

	s->counts.cuts++;
	for (unsigned i = 0; i < s->sc.n_nodes; i++) {
		if (!all && i != node)
			continue;
		trace(s, "%s and %s are cut off", s->machines[peer].name,
			s->machines[i].name);
		net_cut(s, peer, i, true);
		in(s, 300, 6000, on_mend, peer, i);
	}
}

static void on_calm(struct sim *s, struct action *a)
{
	(void)a;
	s->net.loss = s->sc.loss;
}

static void burst(struct sim *s)
{
	s->counts.bursts++;
	s->net.loss = 1000 + roll(&s->faults.dice, 8000);
	trace(s, "the link loses %u of 100", s->net.loss / 100);
	in(s, 200, 3000, on_calm, 0, 0);
}

static void nat_reset(struct sim *s)
{
	s->counts.nat_resets++;
	trace(s, "the NAT box forgets its mappings");
	net_nat_reset(s);
}

static void narrow(struct sim *s)
{
	narrow_begin(s, any_peer(s) - s->sc.n_nodes);
}

static void flood(struct sim *s)
{
	flood_begin(s, any_vip(s));
}

/* ---- virtual IPs ------------------------------------------------------------------------------ */

static void move(struct sim *s)
{
	pm_move(s, any_vip(s));
}

static void pull(struct sim *s)
{
	pm_pull(s, any_vip(s));
}

static void on_unstray(struct sim *s, struct action *a)
{
	pm_stray(s, a->n, a->who, false);
}

static void stray(struct sim *s)
{
	unsigned vip = any_vip(s), node = any_node(s);

	pm_stray(s, vip, node, true);
	in(s, 200, 4000, on_unstray, node, vip);
}

static void tune(struct sim *s)
{
	struct machine *m = &s->machines[roll(&s->faults.dice, s->n_machines)];

	s->counts.tunes++;
	if (m->node)
		machine_command(s, m, NODE_TUNE, "", "nlbs-flags",
			chance(&s->faults.dice, 5000) ? "1" : "0");
}

/* The other of the machine's two configuration files. */
static void reload(struct sim *s)
{
	struct machine *m = &s->machines[roll(&s->faults.dice, s->n_machines)];

	s->counts.reloads++;
	machine_reload(s, m,
		sim_is_node(s, m) ? scenario_node_text(&s->sc, !m->edited)
				  : scenario_peer_text(&s->sc, m->index - s->sc.n_nodes,
					    !m->edited));
}

static void up_or_down(struct sim *s)
{
	struct machine *m =
		chance(&s->faults.dice, 5000) ? some_node(s) : &s->machines[any_peer(s)];

	s->counts.orders++;
	if (m->node)
		machine_command(s, m, chance(&s->faults.dice, 7000) ? NODE_DOWN : NODE_UP,
			sim_is_node(s, m) ? pm_vip_name(any_vip(s)) : "host", "", "");
}

static void hush(struct sim *s)
{
	unsigned peer = any_peer(s) - s->sc.n_nodes;

	s->counts.hushes++;
	s->traffic.talks[peer].hushed_ms =
		world_later(&s->world, roll_between(&s->faults.dice, 500, 12000));
}

/* ---- the table ------------------------------------------------------------------------------------ */

static const struct trouble {
	void (*happens)(struct sim *s);
	unsigned weight;
} troubles[] = {
	{crash, 14},
	{move, 20},
	{kill_daemon, 10},
	{pull, 6},
	{partition, 10},
	{cut_peer, 8},
	{freeze, 8},
	{pause_daemon, 8},
	{restart_daemon, 6},
	{stray, 8},
	{burst, 8},
	{reboot_peer, 8},
	{nat_reset, 4},
	{tune, 4},
	{reload, 4},
	{up_or_down, 4},
	{hush, 5},
	{flood, 5},
	{narrow, 6},
};

static void on_trouble(struct sim *s, struct action *a)
{
	troubles[a->n].happens(s);
}

static unsigned draw_trouble(struct sim *s)
{
	unsigned sum = 0, n = sizeof(troubles) / sizeof(troubles[0]);

	for (unsigned i = 0; i < n; i++)
		sum += troubles[i].weight;
	unsigned at = roll(&s->faults.dice, sum);
	for (unsigned i = 0; i < n; i++) {
		if (at < troubles[i].weight)
			return i;
		at -= troubles[i].weight;
	}
	return 0;
}

static void on_move(struct sim *s, struct action *a)
{
	(void)a;
	move(s);
}

static void plan_moves(struct sim *s)
{
	for (unsigned i = 0; i < MOVES_MANY; i++)
		world_at(s, world_later(&s->world, (uint64_t)i * MOVE_EACH_MS),
			(struct action){.run = on_move});
	s->faults.until_ms = world_later(&s->world, MOVES_MANY * MOVE_EACH_MS);
}

void faults_plan(struct sim *s)
{
	uint64_t at = s->world.now_ms;

	stream_init(&s->faults.dice, s->world.seed, 5);
	drains_plan(s);
	if (s->sc.many_moves) {
		plan_moves(s);
		return;
	}
	s->faults.until_ms = at + s->sc.faults_ms;
	for (;;) {
		at += roll_between(&s->faults.dice, BETWEEN_MIN_MS, BETWEEN_MAX_MS);
		if (at >= s->faults.until_ms)
			return;
		s->faults.planned++;
		world_at(s, at, (struct action){.run = on_trouble, .n = draw_trouble(s)});
	}
}

void faults_end(struct sim *s)
{
	s->net.loss = s->net.duplicate = s->net.linger = s->sc.loss = 0;
	for (unsigned a = 0; a < s->n_machines; a++)
		for (unsigned b = 0; b < a; b++)
			net_cut(s, a, b, false);
	for (unsigned v = 0; v < s->sc.n_vips; v++)
		for (unsigned i = 0; i < s->sc.n_nodes; i++)
			pm_stray(s, v, i, false);
	for (unsigned i = 0; i < s->n_machines; i++) {
		machine_power_on(s, &s->machines[i]);
		machine_freeze(s, &s->machines[i], false);
		machine_daemon_stop(s, &s->machines[i], false);
	}
	for (unsigned i = 0; i < s->sc.n_peers; i++)
		s->traffic.talks[i].hushed_ms = 0;
	narrow_end(s);
	bus_changed(s);
	trace(s, "the faults are over");
}
