/* daemon/feed_cluster.c - handlers for the bus and the quorum, and their housekeeping. */
#include "daemon/feed_cluster.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/step.h"
#include "os/clock.h"
#include "os/timer.h"

enum { HOUSEKEEPING_MS = 100 };

static void on_members(
	void *ctx, const uint8_t *members, size_t n, const uint8_t *fresh, size_t n_fresh)
{
	struct node_event ev = {.kind = NODE_MEMBERS};

	ev.u.members.members = members;
	ev.u.members.n = n;
	ev.u.members.fresh = fresh;
	ev.u.members.n_fresh = n_fresh;
	step_node(ctx, &ev);
}

static void on_message(void *ctx, uint8_t from, struct span bytes)
{
	struct node_event ev = {.kind = NODE_MESSAGE};

	ev.u.message.from = from;
	ev.u.message.bytes = bytes;
	step_node(ctx, &ev);
}

static void on_quorum(void *ctx, bool quorate)
{
	struct node_event ev = {.kind = NODE_QUORUM};

	ev.u.quorate = quorate;
	step_node(ctx, &ev);
}

static int32_t on_bus_readable(int32_t fd, int32_t revents, void *data)
{
	struct daemon *d = data;

	(void)fd;
	(void)revents;
	bus_drain(d->bus);
	return 0;
}

static int32_t on_quorum_readable(int32_t fd, int32_t revents, void *data)
{
	struct daemon *d = data;

	(void)fd;
	(void)revents;
	quorum_drain(d->quorum);
	return 0;
}

static void repoll(struct daemon *d, int *polled, int fd, qb_loop_poll_dispatch_fn fn)
{
	if (*polled >= 0)
		qb_loop_poll_del(d->loop, *polled);
	*polled = fd;
	if (fd >= 0)
		qb_loop_poll_add(d->loop, QB_LOOP_HIGH, fd, POLLIN, d, fn);
}

static void on_bus_fd(void *ctx, int fd)
{
	struct daemon *d = ctx;

	repoll(d, &d->bus_fd, fd, on_bus_readable);
}

static void on_quorum_fd(void *ctx, int fd)
{
	struct daemon *d = ctx;

	repoll(d, &d->quorum_fd, fd, on_quorum_readable);
}

/* The ports' own housekeeping: connecting again, sending what was held up. */
static int32_t on_housekeeping(int32_t fd, int32_t revents, void *data)
{
	struct daemon *d = data;

	(void)revents;
	if (timer_rang(fd)) {
		bus_tick(d->bus);
		quorum_tick(d->quorum);
	}
	return 0;
}

void feed_join_cluster(struct daemon *d, const char *name)
{
	struct bus_handlers bus = {.members = on_members,
		.message = on_message,
		.fd_changed = on_bus_fd,
		.ctx = d};
	struct quorum_handlers quorum = {
		.changed = on_quorum, .fd_changed = on_quorum_fd, .ctx = d};

	d->quorum = quorum_new(&quorum);
	d->bus = bus_new(name, &bus);
	d->housekeeping_fd = timer_new();
	if (d->housekeeping_fd < 0)
		abort(); /* nothing would ever be tried again */
	timer_arm(d->housekeeping_fd, clock_now_ms() + HOUSEKEEPING_MS, HOUSEKEEPING_MS);
	qb_loop_poll_add(
		d->loop, QB_LOOP_MED, d->housekeeping_fd, POLLIN, d, on_housekeeping);
}

void feed_leave_cluster(struct daemon *d)
{
	bus_free(d->bus);
	quorum_free(d->quorum);
	if (d->housekeeping_fd >= 0)
		close(d->housekeeping_fd);
}
