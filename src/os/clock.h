/* os/clock.h - the clocks of the real world.
 *
 * Floor 5.
 */
#ifndef VIPSEC_OS_CLOCK_H
#define VIPSEC_OS_CLOCK_H

#include <stdint.h>

/* CLOCK_BOOTTIME: goes on while the machine sleeps, so that SAs age honestly. Never 0. */
uint64_t clock_now_ms(void);
/* Milliseconds since 1970, for people. */
uint64_t clock_wall_ms(void);

#endif
