/* tests/sim/sim.h - one simulated world, whole.
 */
#ifndef VIPSEC_SIM_SIM_H
#define VIPSEC_SIM_SIM_H

#include "sim/bus.h"
#include "sim/check.h"
#include "sim/drains.h"
#include "sim/faults.h"
#include "sim/flood.h"
#include "sim/machine.h"
#include "sim/narrow.h"
#include "sim/net.h"
#include "sim/pacemaker.h"
#include "sim/rekeys.h"
#include "sim/scenario.h"
#include "sim/traffic.h"
#include "sim/world.h"

/* What a run went through. All are uint64_t: they are summed as an array. */
struct counts {
	uint64_t crashes, partitions, cuts, pauses, freezes, moves, kills, pulls,
		restarts;
	uint64_t strays, bursts, reboots, nat_resets, tunes, fences, memberships;
	uint64_t reloads, orders, hushes, drains;
	uint64_t floods, knocks, cookies_asked, cookies_shown;
	uint64_t narrows, too_big, mtus_learned, apps_told;
	uint64_t claims, bindings, takeovers, mutes, children, crossings;
	uint64_t app_sent, app_answered, clear_sent, clear_answered, sealed, datagrams;
	uint64_t sealed_ah; /* of sealed */
	uint64_t lost, duplicated, replays_tried, spoofs_tried, guarded;
	uint64_t rekeyed_children, rekeyed_ikes; /* by both sides together */
	uint64_t crossed_children, crossed_ikes, crossed_further, said_busy,
		said_not_found;
	uint64_t judged, lost_at_expiry;
	uint64_t recoveries;
	uint64_t recovery_max_ms;
};

struct sim {
	struct world world;
	struct scenario sc;
	struct counts counts;
	struct machine machines[MACHINES_MAX]; /* the nodes, then the peers */
	unsigned n_machines;
	struct net net;
	struct bus bus;
	struct pacemaker pm;
	struct traffic traffic;
	struct faults faults;
	struct check check;
	struct rekeys_watch rekeys;
};

static inline bool sim_is_node(const struct sim *s, const struct machine *m)
{
	return m->index < s->sc.n_nodes;
}

static inline struct machine *sim_peer(struct sim *s, unsigned n)
{
	return &s->machines[s->sc.n_nodes + n];
}

#endif
