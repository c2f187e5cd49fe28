/* tests/sim/bus.h - corosync: rings, CPG in total order, votequorum.
 *
 * A ring that has lost a member stands still until the token and consensus times are over;
 * then those who reach each other form new rings. What was sent meanwhile is ordered in
 * the new one. A daemon's death is seen at once.
 */
#ifndef VIPSEC_SIM_BUS_H
#define VIPSEC_SIM_BUS_H

#include "sim/scenario.h"
#include "sim/world.h"

struct machine;

enum { BUS_QUEUE = 1024 };

struct bus_message {
	uint8_t *bytes;
	size_t len;
};

struct bus_end { /* one machine's corosync */
	bool up;
	bool seen_all; /* two_node with wait_for_all */
	unsigned ring; /* bits of machines */
	uint64_t ring_id, ring_ms; /* since when it stands */
	bool joined; /* its daemon is in the group */
	bool fresh; /* ... and has just joined it, in the ring as it stands */
	bool ended; /* a daemon has left, and not all know it */
	unsigned group; /* members of the group as delivered, bits */
	bool told_quorate; /* what is true, once the daemon has been told */
	uint64_t clear_ms; /* deliveries are in order: not before this */
	struct bus_message queue[BUS_QUEUE];
	unsigned n_queue;
};

struct bus {
	struct stream dice;
	struct bus_end ends[NODES_MAX];
	uint64_t last_ring;
	uint64_t reform_ms; /* planned; 0: rings are as they should be */
	uint64_t reforms;
};

void bus_init(struct sim *s);
void bus_free(struct sim *s);
void bus_up(struct sim *s, struct machine *m, bool up); /* power, freezing */
void bus_changed(struct sim *s); /* links were cut or mended */
void bus_join(struct sim *s, struct machine *m);
void bus_leave(struct sim *s, struct machine *m);
void bus_send(struct sim *s, struct machine *m, struct span bytes);
bool bus_is_quorate(const struct sim *s, unsigned node);
/* In one ring; and its daemon has had time to hear of it, and what the other one claims. */
bool bus_sees(const struct sim *s, unsigned node, unsigned other);

#endif
