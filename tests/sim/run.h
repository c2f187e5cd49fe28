/* tests/sim/run.h - one seed, from beginning to end.
 */
#ifndef VIPSEC_SIM_RUN_H
#define VIPSEC_SIM_RUN_H

#include "sim/sim.h"

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

#endif
