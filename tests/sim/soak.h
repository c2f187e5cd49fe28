/* tests/sim/soak.h - a month of ordinary days.
 */
#ifndef VIPSEC_SIM_SOAK_H
#define VIPSEC_SIM_SOAK_H

#include <stdint.h>

/* Prints a line for each day, and at last "N passed, N failed, 0 skipped". 0, or 1 if
 * something failed. */
int soak_run(uint64_t days, uint64_t seed);

#endif
