/* daemon/feed.c - the world becomes events.
 *
 * Every descriptor is polled by the libqb loop; what it says is turned into a node_event,
 * stepped, and the effects are carried out before the next one. The node's one deadline
 * is one timerfd.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/look.h"
#include "os/clock.h"
#include "os/timer.h"
#include "port/announce.h"
#include "port/files.h"
#include "port/sockets.h"
#include "port/watch.h"

/* Of one source at a time: a flood of datagrams must not keep the cluster, the addresses
 * and the agents' questions waiting. What is left calls again. */
enum { AT_ONCE = 64 };

static int32_t on_timer(int32_t fd, int32_t revents, void *data)
{
	struct daemon *d = data;
	struct node_event ev = {.kind = NODE_TICK};

	(void)revents;
	if (timer_rang(fd)) {
		d->due_ms = UINT64_MAX;
		feed(d, &ev);
	}
	return 0;
}

static void set_timer(struct daemon *d)
{
	uint64_t due = node_next_due_ms(d->node);

	if (due == d->due_ms)
		return;
	d->due_ms = due;
	timer_arm(d->timer_fd, due ? due : 1, 0);
}

void feed(struct daemon *d, struct node_event *ev)
{
	if (d->stepping)
		abort();
	d->stepping = true;
	ev->now_ms = clock_now_ms();
	node_step(d->node, ev, &d->fx);
	carry_all(d);
	d->stepping = false;
	if (!d->exiting)
		set_timer(d);
}

/* ---- addresses -------------------------------------------------------------------- */

static void drain_watch(struct daemon *d)
{
	static const enum node_addr_state states[] = {
		[WATCH_GONE] = NODE_ADDR_GONE,
		[WATCH_TENTATIVE] = NODE_ADDR_TENTATIVE,
		[WATCH_PRESENT] = NODE_ADDR_PRESENT,
	};
	struct watch_event w;
	bool any = false;

	while (!d->exiting && watch_next(d->watch, &w)) {
		struct node_event ev = {.kind = NODE_ADDRESS};
		char text[ADDR_TEXT_MAX];

		any = true;
		if (w.kind > WATCH_PRESENT)
			continue;
		if (w.dad_failed)
			daemon_tell(d, EVENT_ERROR, "address",
				"duplicate address detection failed: another machine has "
				"%s",
				addr_format(&w.addr, text));
		ev.u.address.addr = w.addr;
		ev.u.address.state = states[w.kind];
		feed(d, &ev);
	}
	if (any && !d->exiting)
		plane_refresh(d->plane);
}

static int32_t on_watch(int32_t fd, int32_t revents, void *data)
{
	(void)fd;
	(void)revents;
	drain_watch(data);
	return 0;
}

/* ---- IKE --------------------------------------------------------------------------- */

static int32_t on_sockets(int32_t fd, int32_t revents, void *data)
{
	struct daemon *d = data;
	struct sockets_datagram in;

	(void)fd;
	(void)revents;
	for (int i = 0; i < AT_ONCE && !d->exiting && sockets_next(d->sockets, &in);
		i++) {
		struct node_event ev = {.kind = NODE_DATAGRAM};

		ev.u.datagram.local = in.local;
		ev.u.datagram.remote = in.remote;
		ev.u.datagram.bytes = in.bytes;
		feed(d, &ev);
	}
	return 0;
}

/* ---- the data plane ------------------------------------------------------------------ */

enum { REFUSED_AGAIN_MS = 10000 };

/* An SA that the plane did not take looks as if it were up, and carries nothing: the node
 * is told that it is spent, and begins anew. Once in a while only: what was refused for a
 * lasting reason must not become a loop. */
static bool on_refused(
	struct daemon *d, const struct plane_report *r, struct node_event *ev)
{
	uint64_t now_ms = clock_now_ms();

	d->refused++;
	if (r->u.refused.id == 0)
		daemon_tell(d, EVENT_ERROR, "plane-refused", "%s", r->u.refused.text);
	else
		daemon_tell(d, EVENT_ERROR, "plane-refused", "child SA %u: %s",
			r->u.refused.id, r->u.refused.text);
	if (r->u.refused.id == 0 || now_ms < d->renew_ms)
		return false;
	d->renew_ms = now_ms + REFUSED_AGAIN_MS;
	ev->kind = NODE_NOTICE;
	ev->u.notice = (struct esp_notice){.kind = ESP_SEQ_HARD, .id = r->u.refused.id};
	return true;
}

static bool event_of_report(
	struct daemon *d, const struct plane_report *r, struct node_event *ev)
{
	switch (r->kind) {
	case PLANE_NOTICE:
		ev->kind = NODE_NOTICE;
		ev->u.notice = r->u.notice;
		return true;
	case PLANE_USAGE:
		ev->kind = NODE_USAGE;
		ev->u.usage = r->u.usage;
		return true;
	case PLANE_GATE_CLOSED:
		ev->kind = NODE_GATE_CLOSED;
		ev->u.gate.scope = r->u.gate.scope;
		ev->u.gate.turn = r->u.gate.turn;
		return true;
	case PLANE_IKE:
		ev->kind = NODE_DATAGRAM;
		ev->u.datagram.local = r->u.ike.local;
		ev->u.datagram.remote = r->u.ike.remote;
		ev->u.datagram.natt = true;
		ev->u.datagram.bytes = span_of(r->u.ike.bytes, r->u.ike.len);
		return true;
	case PLANE_REFUSED:
		return on_refused(d, r, ev);
	case PLANE_USAGE_END:
		return false;
	}
	return false;
}

static void take_report(struct daemon *d, const struct plane_report *r)
{
	struct node_event ev = {.kind = NODE_TICK};

	if (r->kind == PLANE_USAGE_END)
		look_known(d);
	else if (event_of_report(d, r, &ev))
		feed(d, &ev);
}

static int32_t on_plane(int32_t fd, int32_t revents, void *data)
{
	struct daemon *d = data;
	struct plane_report r;

	(void)fd;
	(void)revents;
	for (int i = 0; i < AT_ONCE && !d->exiting && plane_next_report(d->plane, &r);
		i++)
		take_report(d, &r);
	return 0;
}

/* ---- the configuration --------------------------------------------------------------- */

static bool same_cluster(const struct config *a, const struct config *b)
{
	return a->cluster.backend == b->cluster.backend &&
	       strcmp(a->cluster.name, b->cluster.name) == 0;
}

static void take_config(struct daemon *d, struct config *c)
{
	struct node_event ev = {.kind = NODE_CONFIG};

	ev.u.config = c;
	d->config_wall_ms = clock_wall_ms();
	feed(d, &ev);
}

bool feed_config(struct daemon *d, const struct config_report *report)
{
	struct config *c = files_load_config(d->options.config, report);
	char why[256] = "";

	if (!c)
		return false;
	if (d->closing)
		snprintf(why, sizeof(why), "the daemon is about to end");
	else if (!same_cluster(node_config(d->node), c))
		snprintf(why, sizeof(why),
			"cluster name or backend changed: restart vipsecd for that");
	else if (carry_guard(c, why, sizeof(why))) {
		feed_guard_applied(d);
		take_config(d, c);
		return true;
	}
	report->line(report->ctx, why);
	config_free(c);
	return false;
}

/* ---- opening and closing --------------------------------------------------------------- */

static void restore_one(void *ctx, const char *name, struct span bytes)
{
	struct node_event ev = {.kind = NODE_RESTORE};

	ev.u.restore.name = name;
	ev.u.restore.bytes = bytes;
	feed(ctx, &ev);
}

bool feed_open(struct daemon *d, struct config *c, char *why, size_t why_cap)
{
	struct watch_params watch = {
		.routes = true, .route_protocol = PLANE_ROUTE_PROTOCOL};

	d->bus_fd = d->quorum_fd = -1;
	d->housekeeping_fd = -1;
	d->timer_fd = timer_new();
	d->due_ms = UINT64_MAX;
	d->sockets = sockets_new(DAEMON_MARK);
	d->announcer = announcer_new();
	if (d->timer_fd < 0 || !d->sockets || !d->announcer) {
		snprintf(why, why_cap, "cannot make sockets");
		return false;
	}
	d->watch = watch_open(&watch, why, why_cap);
	if (!d->watch)
		return false;
	qb_loop_poll_add(d->loop, QB_LOOP_HIGH, watch_fd(d->watch), POLLIN, d, on_watch);
	qb_loop_poll_add(
		d->loop, QB_LOOP_HIGH, sockets_fd(d->sockets), POLLIN, d, on_sockets);
	qb_loop_poll_add(d->loop, QB_LOOP_HIGH, plane_fd(d->plane), POLLIN, d, on_plane);
	qb_loop_poll_add(d->loop, QB_LOOP_HIGH, d->timer_fd, POLLIN, d, on_timer);
	look_open(d);
	store_each(&d->store, restore_one, d); /* before the first activation is used */
	store_each(&d->boot_store, restore_one, d);
	activation_reserve(&d->activation);
	feed_watch_guard(d);
	bool clustered = c->cluster.backend == BACKEND_COROSYNC;
	const struct config *running = c;
	take_config(d, c);
	drain_watch(d);
	if (clustered)
		feed_join_cluster(d, running->cluster.name);
	return true;
}

void feed_close(struct daemon *d)
{
	feed_leave_cluster(d);
	look_close(d);
	close(d->timer_fd);
	feed_unwatch_guard(d);
	watch_close(d->watch);
	sockets_free(d->sockets);
	announcer_free(d->announcer);
}
