/* tests/bench/member.h - nodes with a data path, their clients, and what goes between them.
 *
 * The network and the group bus deliver at once and lose nothing; the clock moves only
 * when nobody has anything left to say. Processor time is taken around node_step() alone.
 * Data paths are real ones, without sockets.
 */
#ifndef VIPSEC_BENCH_MEMBER_H
#define VIPSEC_BENCH_MEMBER_H

#include "bench/end.h"
#include "node/node.h"
#include "node/view.h"

enum { MEMBERS = 2 };

struct world;

struct member {
	struct world *world;
	struct node *node;
	struct esp_dp *dp;
	struct seeded_entropy seed, dp_seed;
	struct effects fx;
	struct mail out;
	uint8_t number;
	bool has_vip, asked; /* asked: FX_USAGE_QUERY waits for its answers */
	uint32_t *children;
	size_t n_children, cap_children;
	unsigned closings; /* gates that wait for their acknowledgement */
	uint32_t turn;
	uint64_t steps;
	double step_ns;
};

struct message {
	uint8_t from;
	uint8_t *bytes;
	size_t len;
};

struct world {
	uint64_t now_ms;
	struct member member[MEMBERS];
	struct end clients;
	struct message *bus;
	size_t n_bus, cap_bus;
};

void world_init(struct world *w);
void world_free(struct world *w);
/* Member i comes to life. */
void world_start(struct world *w, unsigned i, bool clustered);
void world_end_member(struct world *w, unsigned i); /* a crash */
/* Those that live are the group, and quorate. */
void world_group(struct world *w);
void world_give_vip(struct world *w, unsigned i);
/* The n clients call, one a millisecond. */
void world_connect(struct world *w, unsigned n);
/* Until the clock would pass until_ms, or done says so. */
void world_run(struct world *w, uint64_t until_ms, bool (*done)(struct world *));

/* ns of processor time for node_step; its effects are carried out afterwards. */
double member_step(struct member *m, struct node_event *ev);
unsigned member_peers_up(struct member *m);
struct config *member_config(bool clustered);

#endif
