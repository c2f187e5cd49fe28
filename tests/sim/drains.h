/* tests/sim/drains.h - virtual IPs are drained now and then, and nobody may be lost by it.
 */
#ifndef VIPSEC_SIM_DRAINS_H
#define VIPSEC_SIM_DRAINS_H

struct sim;

void drains_plan(struct sim *s);
/* At the end all nodes must have the same word. */
void drains_check(struct sim *s);

#endif
