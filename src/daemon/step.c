/* daemon/step.c - one event, all its effects, then the next.
 *
 * The node's one deadline is one timerfd.
 */
#include "daemon/step.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/carry.h"
#include "os/clock.h"
#include "os/timer.h"

static void set_timer(struct daemon *d)
{
	uint64_t due = node_next_due_ms(d->node);

	if (due == d->due_ms)
		return;
	d->due_ms = due;
	timer_arm(d->timer_fd, due ? due : 1, 0);
}

void step_node(struct daemon *d, struct node_event *ev)
{
	if (d->stepping)
		abort();
	d->stepping = true;
	ev->now_ms = clock_now_ms();
	ev->wall_s = (int64_t)(clock_wall_ms() / 1000);
	node_step(d->node, ev, &d->fx);
	carry_all(d);
	d->stepping = false;
	if (!d->exiting)
		set_timer(d);
}

static int32_t on_timer(int32_t fd, int32_t revents, void *data)
{
	struct daemon *d = data;
	struct node_event ev = {.kind = NODE_TICK};

	(void)revents;
	if (timer_rang(fd)) {
		d->due_ms = UINT64_MAX;
		step_node(d, &ev);
	}
	return 0;
}

bool step_open(struct daemon *d)
{
	d->timer_fd = timer_new();
	d->due_ms = UINT64_MAX;
	if (d->timer_fd < 0)
		return false;
	qb_loop_poll_add(d->loop, QB_LOOP_HIGH, d->timer_fd, POLLIN, d, on_timer);
	return true;
}

void step_close(struct daemon *d)
{
	if (d->timer_fd >= 0)
		close(d->timer_fd);
}
