/* os/timer.c - timerfd.
 *
 * libqb's own timers spin through the last millisecond before they are due; a descriptor
 * does not, and CLOCK_BOOTTIME goes on while the machine sleeps.
 */
#include "config.h"

#include "os/timer.h"

#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

int timer_new(void)
{
	return timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
}

void timer_arm(int fd, uint64_t at_ms, uint64_t every_ms)
{
	struct itimerspec t = {0};

	if (at_ms != UINT64_MAX) {
		t.it_value.tv_sec = (time_t)(at_ms / 1000);
		t.it_value.tv_nsec = (long)(at_ms % 1000) * 1000000;
		t.it_interval.tv_sec = (time_t)(every_ms / 1000);
		t.it_interval.tv_nsec = (long)(every_ms % 1000) * 1000000;
	}
	timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL);
}

bool timer_rang(int fd)
{
	uint64_t times;

	return read(fd, &times, sizeof(times)) == sizeof(times);
}
