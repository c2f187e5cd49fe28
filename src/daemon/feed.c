/* daemon/feed.c - the world becomes events: addresses, IKE, and what the plane reports.
 *
 * Every descriptor is polled by the libqb loop; what it says is turned into a node_event.
 * Opening is here too, since its order matters: what was stored before the configuration,
 * the configuration before the addresses.
 */
#include "daemon/feed.h"

#include <poll.h>
#include <stdio.h>

#include "daemon/feed_cluster.h"
#include "daemon/fetching.h"
#include "daemon/resolving.h"
#include "daemon/guarding.h"
#include "daemon/look.h"
#include "daemon/reload.h"
#include "daemon/step.h"
#include "daemon/tell.h"
#include "os/clock.h"
#include "port/announce.h"
#include "port/sockets.h"
#include "port/watch.h"

/* Of one source at a time: a flood of datagrams must not keep the cluster, the addresses
 * and the agents' questions waiting. What is left calls again. */
enum { AT_ONCE = 64 };

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
			tell(d, EVENT_ERROR, "address",
				"duplicate address detection failed: another machine has "
				"%s",
				addr_format(&w.addr, text));
		ev.u.address.addr = w.addr;
		ev.u.address.state = states[w.kind];
		step_node(d, &ev);
	}
	if (!any || d->exiting)
		return;
	mending_heed(d); /* what a refresh puts right unseen is to be told */
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
		step_node(d, &ev);
	}
	return 0;
}

/* ---- the data plane ------------------------------------------------------------------ */

/* SAs without a way for packets would look alive. Whoever runs us starts us again, and a
 * start makes the interface; until then the guard keeps everything closed. */
static void on_lost(struct daemon *d)
{
	tell(d, EVENT_ERROR, "plane-lost",
		"the interface " DAEMON_TUN " was taken away by somebody: vipsecd ends; "
		"its next start makes a new one");
	d->lost = true;
	qb_loop_stop(d->loop);
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
		d->refused++;
		ev->kind = NODE_REFUSED;
		ev->u.refused.id = r->u.refused.id;
		ev->u.refused.why = r->u.refused.text;
		return true;
	case PLANE_TROUBLED:
		d->refused++;
		mending_refused(d, &r->u.trouble);
		return false;
	case PLANE_LOST:
		on_lost(d);
		return false;
	case PLANE_USAGE_END:
	case PLANE_REPLAY: /* not asked for here */
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
		step_node(d, &ev);
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

/* ---- opening and closing --------------------------------------------------------------- */

static void restore_one(void *ctx, const char *name, struct span bytes)
{
	struct node_event ev = {.kind = NODE_RESTORE};

	ev.u.restore.name = name;
	ev.u.restore.bytes = bytes;
	step_node(ctx, &ev);
}

bool feed_open(struct daemon *d, struct config *c, char *why, size_t why_cap)
{
	struct watch_params watch = {
		.routes = true, .route_protocol = PLANE_ROUTE_PROTOCOL};

	d->bus_fd = d->quorum_fd = -1;
	d->housekeeping_fd = -1;
	d->sockets = sockets_new(DAEMON_MARK);
	d->announcer = announcer_new();
	if (!step_open(d) || !look_open(d) || !mending_open(d) || !d->sockets ||
		!d->announcer) {
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
	store_each(&d->store, restore_one, d); /* before the first activation is used */
	store_each(&d->boot_store, restore_one, d);
	activation_reserve(&d->activation);
	guarding_watch(d);
	bool clustered = c->cluster.backend == BACKEND_COROSYNC;
	const struct config *running = c;
	reload_take(d, c);
	drain_watch(d);
	if (clustered)
		feed_join_cluster(d, running->cluster.name);
	return true;
}

void feed_close(struct daemon *d)
{
	feed_leave_cluster(d);
	look_close(d);
	mending_close(d);
	step_close(d);
	guarding_unwatch(d);
	watch_close(d->watch);
	fetching_close(d);
	resolving_close(d);
	sockets_free(d->sockets);
	announcer_free(d->announcer);
}
