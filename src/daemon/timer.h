/* daemon/timer.h - deadlines as descriptors that the loop polls.
 *
 * Floor 6.
 */
#ifndef VIPSEC_DAEMON_TIMER_H
#define VIPSEC_DAEMON_TIMER_H

#include <stdbool.h>
#include <stdint.h>

int timer_new(void); /* for close(); not armed */
/* at_ms on port/clock.h's clock, UINT64_MAX: never; every_ms 0: once. */
void timer_arm(int fd, uint64_t at_ms, uint64_t every_ms);
/* When fd was readable: false if it was armed anew meanwhile. */
bool timer_rang(int fd);

#endif
