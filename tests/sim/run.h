/* tests/sim/run.h - one seed, from beginning to end.
 */
#ifndef VIPSEC_SIM_RUN_H
#define VIPSEC_SIM_RUN_H

#include "sim/sim.h"

enum { RUN_START_MS = 2500 }; /* until the first SAs are there */

struct outcome {
	uint64_t seed, hash, virtual_ms;
	bool failed;
	char why[256];
	uint64_t failed_ms;
	struct counts counts;
};

/* rekeys: as for scenario_draw(). */
void run_seed(uint64_t seed, enum sabotage sabotage, unsigned rekeys, bool tracing,
	struct outcome *out);

/* Its parts: everybody is switched on; time passes until it is done, or so long; the sim
 * and all in it is freed. */
void run_build(struct sim *s);
void run_until(struct sim *s, bool (*done)(struct sim *), uint64_t ms);
bool run_all_back(struct sim *s);
void run_end(struct sim *s);

#endif
