/* os/timer.h - deadlines as descriptors that the loop polls.
 *
 * Floor 5.
 */
#ifndef VIPSEC_OS_TIMER_H
#define VIPSEC_OS_TIMER_H

#include <stdbool.h>
#include <stdint.h>

int timer_new(void); /* for close(); not armed. -1: errno */
/* at_ms on os/clock.h's clock, UINT64_MAX: never; every_ms 0: once. */
void timer_arm(int fd, uint64_t at_ms, uint64_t every_ms);
/* When fd was readable: false if it was armed anew meanwhile. */
bool timer_rang(int fd);

#endif
