/* port/clock.h - the clocks of the real world, for those above floor 4.
 *
 * Floor 5.
 */
#ifndef VIPSEC_PORT_CLOCK_H
#define VIPSEC_PORT_CLOCK_H

#include <stdint.h>

/* CLOCK_BOOTTIME: goes on while the machine sleeps, so that SAs age honestly. Never 0. */
uint64_t clock_now_ms(void);
/* Milliseconds since 1970, for people. */
uint64_t clock_wall_ms(void);

#endif
