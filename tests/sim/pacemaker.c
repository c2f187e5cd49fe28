/* tests/sim/pacemaker.c - placing, moving, monitoring, fencing.
 *
 * A step that finds its node off ends the plan; one that finds it frozen waits. A VIP is
 * started elsewhere only when its last home has stopped it or has been fenced (without
 * fencing: as soon as the home is out of sight, which is how one address gets two homes).
 */
#include "sim/sim.h"

#include <stdio.h>

enum {
	AGENT_MS = 60, /* an agent's process starts */
	RETRY_MS = 100,
	MONITOR_MS = 1000,
	HUNG_MS = 1000, /* a stop waits so long for a hung daemon */
	FENCE_MIN_MS = 50,
	FENCE_MAX_MS = 250,
	OFF_MIN_MS = 1500,
	OFF_MAX_MS = 4000,
	SLEEPS_IN_10000 = 3000, /* the controller, a whole second, after a loss */
	QUIT_MS = 4000
};

const char *pm_vip_name(unsigned vip)
{
	return vip == 0 ? "mail" : "web";
}

static void plan(struct sim *s, unsigned vip, uint64_t in_ms,
	void (*run)(struct sim *, struct action *))
{
	world_at(s, world_later(&s->world, in_ms),
		(struct action){.run = run, .who = vip, .tag = s->pm.vips[vip].turn});
}

static bool is_current(const struct sim *s, const struct action *a)
{
	return s->pm.vips[a->who].turn == a->tag;
}

struct machine *pm_home(struct sim *s, unsigned vip)
{
	int home = s->pm.vips[vip].home;

	return home == NOWHERE ? NULL : &s->machines[home];
}

/* The members of the ring whose word counts; 0: none has quorum. */
static unsigned deciding_ring(const struct sim *s)
{
	unsigned found = 0;

	for (unsigned i = 0; i < s->sc.n_nodes; i++) {
		if (!bus_is_quorate(s, i))
			continue;
		if (!found || i == s->pm.winner)
			found = s->bus.ends[i].ring;
	}
	return found;
}

/* ---- start --------------------------------------------------------------------------- */

static void place(struct sim *s, unsigned vip);

static void set_addrs(struct sim *s, unsigned vip, struct machine *m, bool there);

static void on_dad(struct sim *s, struct action *a)
{
	struct machine *m = &s->machines[a->who];
	const struct addr six = vip_addr(a->n, true);

	if (machine_has_addr(m, &six, false) && !machine_has_addr(m, &six, true))
		machine_addr_set(s, m, &six, NODE_ADDR_PRESENT);
}

/* IPaddr2 announces too. */
static void on_announce(struct sim *s, struct action *a)
{
	struct machine *m = &s->machines[a->who];

	for (unsigned v6 = 0; v6 < 2; v6++) {
		const struct addr addr = vip_addr(a->n, v6);
		if (machine_has_addr(m, &addr, true))
			net_announce(s, &addr, m);
	}
}

static void set_addrs(struct sim *s, unsigned vip, struct machine *m, bool there)
{
	const struct addr four = vip_addr(vip, false), six = vip_addr(vip, true);
	bool dad = s->sc.dad_ms > 0;

	if (!there) {
		machine_addr_set(s, m, &four, NODE_ADDR_GONE);
		machine_addr_set(s, m, &six, NODE_ADDR_GONE);
		return;
	}
	machine_addr_set(s, m, &four, NODE_ADDR_PRESENT);
	machine_addr_set(s, m, &six, dad ? NODE_ADDR_TENTATIVE : NODE_ADDR_PRESENT);
	if (dad)
		world_at(s, world_later(&s->world, s->sc.dad_ms),
			(struct action){.run = on_dad, .who = m->index, .n = vip});
	world_at(s, world_later(&s->world, roll_between(&s->pm.dice, 20, 150)),
		(struct action){.run = on_announce, .who = m->index, .n = vip});
}

static void give_up(struct resource *r)
{
	r->phase = PHASE_DOWN;
	r->turn++;
}

static void on_start_agent(struct sim *s, struct action *a)
{
	struct resource *r = &s->pm.vips[a->who];
	struct machine *m = pm_home(s, a->who);

	if (!is_current(s, a))
		return;
	if (!m->powered) {
		give_up(r);
	} else if (!machine_serves(m)) {
		plan(s, a->who, RETRY_MS, on_start_agent);
	} else {
		machine_command(s, m, NODE_BIND, pm_vip_name(a->who), "", "");
		r->phase = PHASE_STARTED;
		r->since_ms = s->world.now_ms;
	}
}

static void on_start_addr(struct sim *s, struct action *a)
{
	struct machine *m = pm_home(s, a->who);

	if (!is_current(s, a))
		return;
	if (!m->powered) {
		give_up(&s->pm.vips[a->who]);
	} else if (m->frozen || !m->guard) {
		plan(s, a->who, RETRY_MS, on_start_addr);
	} else {
		set_addrs(s, a->who, m, true);
		plan(s, a->who, AGENT_MS, on_start_agent);
	}
}

static bool may_host(const struct sim *s, unsigned node, unsigned ring)
{
	return (ring & 1u << node) && s->machines[node].powered &&
	       !s->machines[node].frozen;
}

static int choose(struct sim *s, const struct resource *r, unsigned ring)
{
	unsigned fit[NODES_MAX], n = 0;

	if (r->next != NOWHERE && may_host(s, (unsigned)r->next, ring))
		return r->next;
	for (unsigned i = 0; i < s->sc.n_nodes; i++)
		if (may_host(s, i, ring))
			fit[n++] = i;
	return n == 0 ? NOWHERE : (int)fit[roll(&s->pm.dice, n)];
}

/* If it is down, and surely so, it starts where it can. */
static void place(struct sim *s, unsigned vip)
{
	struct resource *r = &s->pm.vips[vip];
	unsigned ring = deciding_ring(s);

	if (r->phase != PHASE_DOWN || ring == 0)
		return;
	if (r->home != NOWHERE && !(ring & 1u << r->home) && s->sc.fencing)
		return; /* not before it is fenced */
	int home = choose(s, r, ring);
	if (home == NOWHERE)
		return;
	r->home = home;
	r->next = NOWHERE;
	r->phase = PHASE_STARTING;
	r->turn++;
	plan(s, vip, AGENT_MS, on_start_addr);
}

static void place_all(struct sim *s)
{
	for (unsigned v = 0; v < s->sc.n_vips; v++)
		place(s, v);
}

/* ---- stop ------------------------------------------------------------------------------- */

static void on_stop_addr(struct sim *s, struct action *a);

static void on_stopped(struct sim *s, struct action *a)
{
	if (!is_current(s, a))
		return;
	give_up(&s->pm.vips[a->who]);
	place(s, a->who);
}

static void on_stop_addr(struct sim *s, struct action *a)
{
	struct machine *m = pm_home(s, a->who);

	if (!is_current(s, a))
		return;
	if (!m->powered) {
		give_up(&s->pm.vips[a->who]);
		return;
	}
	if (m->frozen) {
		plan(s, a->who, RETRY_MS, on_stop_addr);
		return;
	}
	if (m->stopped)
		machine_daemon_kill(s, m); /* the agent's stop: it has not answered */
	set_addrs(s, a->who, m, false);
	plan(s, a->who, AGENT_MS, on_stopped);
}

static void stop(struct sim *s, unsigned vip, int next)
{
	struct resource *r = &s->pm.vips[vip];
	struct machine *m = pm_home(s, vip);

	if (r->phase != PHASE_STARTED)
		return;
	r->phase = PHASE_STOPPING;
	r->next = next;
	r->turn++;
	if (machine_serves(m))
		machine_command(s, m, NODE_UNBIND, pm_vip_name(vip), "", "");
	plan(s, vip, m->stopped ? HUNG_MS : AGENT_MS, on_stop_addr);
}

void pm_move(struct sim *s, unsigned vip)
{
	struct resource *r = &s->pm.vips[vip];
	unsigned ring = deciding_ring(s), n = s->sc.n_nodes;

	if (r->phase != PHASE_STARTED || !(ring & 1u << r->home))
		return;
	unsigned by = 1 + roll(&s->pm.dice, n - 1);
	unsigned next = ((unsigned)r->home + by) % n;
	if (!may_host(s, next, ring))
		return;
	trace(s, "%s moves from %s to %s", pm_vip_name(vip), s->machines[r->home].name,
		s->machines[next].name);
	s->counts.moves++;
	stop(s, vip, (int)next);
}

void pm_pull(struct sim *s, unsigned vip)
{
	struct machine *m = pm_home(s, vip);

	if (s->pm.vips[vip].phase != PHASE_STARTED || !m->powered || m->frozen)
		return;
	s->counts.pulls++;
	trace(s, "%s is pulled away from %s by hand", pm_vip_name(vip), m->name);
	set_addrs(s, vip, m, false);
}

/* ---- who is gone -------------------------------------------------------------------------- */

static void on_power(struct sim *s, struct action *a)
{
	machine_power_on(s, &s->machines[a->who]);
}

static void forget_node(struct sim *s, unsigned node)
{
	for (unsigned v = 0; v < s->sc.n_vips; v++) {
		struct resource *r = &s->pm.vips[v];
		pm_stray_over(s, v, node);
		if (r->home != (int)node)
			continue;
		give_up(r);
		r->home = NOWHERE;
	}
}

static void on_fence(struct sim *s, struct action *a)
{
	unsigned node = a->who;

	s->pm.fencing[node] = false;
	if (s->sc.fencing) {
		trace(s, "%s is fenced", s->machines[node].name);
		s->counts.fences++;
		machine_power_off(s, &s->machines[node]);
		world_at(s,
			world_later(&s->world,
				roll_between(&s->pm.dice, OFF_MIN_MS, OFF_MAX_MS)),
			(struct action){.run = on_power, .who = node});
	}
	s->pm.known[node] = false;
	forget_node(s, node);
	place_all(s);
}

static void fence(struct sim *s, unsigned node)
{
	uint64_t in = roll_between(&s->pm.dice, FENCE_MIN_MS, FENCE_MAX_MS);

	if (chance(&s->pm.dice, SLEEPS_IN_10000))
		in += 1000;
	s->pm.fencing[node] = true;
	world_at(s, world_later(&s->world, in),
		(struct action){.run = on_fence, .who = node});
}

static bool has_some(const struct machine *m, unsigned vip)
{
	const struct addr four = vip_addr(vip, false), six = vip_addr(vip, true);

	return machine_has_addr(m, &four, false) || machine_has_addr(m, &six, false);
}

/* Two homes, after halves without fencing have met again: all but one stop. */
static void tidy(struct sim *s, unsigned ring)
{
	for (unsigned v = 0; v < s->sc.n_vips; v++) {
		for (unsigned i = 0; i < s->sc.n_nodes; i++) {
			struct machine *m = &s->machines[i];
			if (!(ring & 1u << i) || s->pm.vips[v].home == (int)i ||
				s->pm.vips[v].stray == (int)i || m->frozen ||
				!has_some(m, v))
				continue;
			if (machine_serves(m))
				machine_command(
					s, m, NODE_UNBIND, pm_vip_name(v), "", "");
			set_addrs(s, v, m, false);
		}
	}
}

void pm_on_ring(struct sim *s)
{
	unsigned ring;

	s->pm.winner = roll(&s->pm.dice, s->sc.n_nodes);
	ring = deciding_ring(s);
	for (unsigned i = 0; i < s->sc.n_nodes; i++) {
		if (ring & 1u << i)
			s->pm.known[i] = true;
		else if (ring != 0 && s->pm.known[i] && !s->pm.fencing[i])
			fence(s, i);
	}
	for (unsigned v = 0; v < s->sc.n_vips; v++) {
		int home = s->pm.vips[v].home;
		/* no-quorum-policy stop */
		if (home != NOWHERE && !bus_is_quorate(s, (unsigned)home))
			stop(s, v, NOWHERE);
	}
	tidy(s, ring);
	place_all(s);
}

/* ---- monitors ------------------------------------------------------------------------------- */

static void on_daemon_start(struct sim *s, struct action *a)
{
	struct machine *m = &s->machines[a->who];

	if (m->frozen)
		world_at(s, world_later(&s->world, RETRY_MS), *a);
	else
		machine_daemon_start(s, m);
}

static void start_daemon(struct sim *s, struct machine *m)
{
	world_at(s, world_later(&s->world, AGENT_MS),
		(struct action){.run = on_daemon_start, .who = m->index});
}

static void monitor_daemon(struct sim *s, struct machine *m)
{
	unsigned *silent = &s->pm.silent[m->index];

	*silent = m->stopped ? *silent + 1 : 0;
	if (*silent > 1)
		machine_daemon_kill(s, m);
	if (!m->node && !m->resting)
		start_daemon(s, m);
}

static void monitor_vip(struct sim *s, unsigned vip, struct machine *m)
{
	const struct addr four = vip_addr(vip, false);
	struct vip_view view;

	if (!machine_has_addr(m, &four, false)) {
		stop(s, vip, (int)m->index);
		return;
	}
	if (machine_serves(m) && node_look_vip(m->node, (uint16_t)vip, &view) &&
		view.state != VIP_BOUND && view.state != VIP_RELEASING)
		machine_command(s, m, NODE_BIND, pm_vip_name(vip), "", "");
}

static void on_monitor(struct sim *s, struct action *a)
{
	struct machine *m = &s->machines[a->who];

	world_at(s, world_later(&s->world, MONITOR_MS), *a);
	if (!m->powered || m->frozen || !m->guard)
		return; /* not booted */
	monitor_daemon(s, m);
	for (unsigned v = 0; v < s->sc.n_vips && sim_is_node(s, m); v++)
		if (s->pm.vips[v].home == (int)m->index &&
			s->pm.vips[v].phase == PHASE_STARTED)
			monitor_vip(s, v, m);
	if (sim_is_node(s, m)) {
		tidy(s, deciding_ring(s));
		place_all(s);
	}
}

/* ---- a clean restart -------------------------------------------------------------------------- */

static void on_quit_late(struct sim *s, struct action *a)
{
	struct machine *m = &s->machines[a->who];

	if (m->lives == a->tag && m->resting && machine_serves(m))
		violation(s, "%s: the daemon does not end", m->name);
}

void pm_restart_daemon(struct sim *s, struct machine *m)
{
	if (!machine_serves(m) || m->resting)
		return;
	m->resting = true;
	s->counts.restarts++;
	machine_command(s, m, NODE_SHUTDOWN, "", "", "");
	world_at(s, world_later(&s->world, QUIT_MS),
		(struct action){.run = on_quit_late, .who = m->index, .tag = m->lives});
}

void pm_quit(struct sim *s, struct machine *m)
{
	machine_daemon_kill(s, m);
	start_daemon(s, m);
}

/* ---- all of it ----------------------------------------------------------------------------------- */

static void on_begin(struct sim *s, struct action *a)
{
	(void)a;
	pm_on_ring(s);
}

void pm_init(struct sim *s)
{
	stream_init(&s->pm.dice, s->world.seed, 4);
	for (unsigned v = 0; v < s->sc.n_vips; v++)
		s->pm.vips[v] = (struct resource){.phase = PHASE_DOWN,
			.home = NOWHERE,
			.next = NOWHERE,
			.stray = NOWHERE};
	for (unsigned i = 0; i < s->n_machines; i++)
		world_at(s, world_later(&s->world, 400 + roll(&s->pm.dice, MONITOR_MS)),
			(struct action){.run = on_monitor, .who = i});
	world_at(s, world_later(&s->world, 400), (struct action){.run = on_begin});
}

bool pm_all_started(const struct sim *s)
{
	for (unsigned v = 0; v < s->sc.n_vips; v++)
		if (s->pm.vips[v].phase != PHASE_STARTED)
			return false;
	return true;
}
