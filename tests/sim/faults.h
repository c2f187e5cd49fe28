/* tests/sim/faults.h - what goes wrong, and when: drawn from the seed.
 */
#ifndef VIPSEC_SIM_FAULTS_H
#define VIPSEC_SIM_FAULTS_H

#include "sim/world.h"

struct faults {
	struct stream dice;
	uint64_t until_ms;
	unsigned planned;
};

void faults_plan(struct sim *s);
/* Everything that can be mended is; what is off is switched on. */
void faults_end(struct sim *s);

#endif
