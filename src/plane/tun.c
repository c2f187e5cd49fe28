/* plane/tun.c - the userspace plane behind plane.h: the loop's side of it.
 *
 * What the kernel's routing must know (steering) and the sockets are made right here, in
 * the loop's thread, so that their failures have a caller; what touches SAs or packets
 * goes to the data thread as an order. Gates are atomic words: they are opened and closed
 * here, and the closing is acknowledged by an order's way through the data thread.
 *
 * One epoll descriptor holds the ring's eventfd and the timer of lingering sockets.
 */
#include "config.h"

#include "plane/ops.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/mem.h"
#include "plane/thread.h"
#include "routing/device.h"
#include "routing/sources.h"
#include "routing/steering.h"

enum { THREAD_STACK = 512 * 1024 };

struct tun {
	struct plane base;
	struct device device;
	struct steering *steering;
	struct esp_gate *gates[SCOPE_MAX];
	void *lent; /* with the report handed out last */
	struct plane_report troubled; /* a steering that failed, to be reported */
	bool is_troubled;
	struct snapshot snapshot;
	pthread_t thread;
	struct data data; /* the data thread's, but for orders and reports */
};

static struct tun *tun_of(struct plane *plane)
{
	return (struct tun *)plane;
}

/* ---- opening and closing ---------------------------------------------------------- */

static bool watch(const struct tun *p, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(p->base.epoll, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static bool make_channels(struct tun *p)
{
	p->data.orders = order_queue_new();
	p->data.reports = report_new();
	p->base.epoll = epoll_create1(EPOLL_CLOEXEC);
	return locals_init(&p->base.locals, LOCAL_USERSPACE) && p->data.orders &&
	       p->data.reports && p->base.epoll >= 0 &&
	       watch(p, report_fd(p->data.reports)) && watch(p, p->base.locals.timer);
}

static void free_channels(struct tun *p)
{
	if (p->data.orders)
		order_queue_free(p->data.orders);
	if (p->data.reports)
		report_free(p->data.reports);
	if (p->base.epoll >= 0)
		close(p->base.epoll);
}

/* Signals are the loop's business: the data thread takes none. */
static int start_thread(struct tun *p)
{
	pthread_attr_t attr;
	sigset_t all, before;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = pthread_create(&p->thread, &attr, data_run, &p->data);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

static int make_data(struct tun *p, const struct entropy *e)
{
	struct data *d = &p->data;

	d->dp = esp_dp_new(e);
	for (uint16_t scope = 0; scope < SCOPE_MAX; scope++)
		p->gates[scope] = esp_dp_gate(d->dp, scope);
	d->tun_fd = p->device.fd;
	d->snapshot = &p->snapshot;
	pthread_mutex_init(&p->snapshot.lock, NULL);
	int err = data_init(d, e);
	if (err == 0)
		err = start_thread(p);
	if (err == 0)
		return 0;
	data_wipe(d);
	esp_dp_free(d->dp);
	pthread_mutex_destroy(&p->snapshot.lock);
	return err;
}

static bool start(struct tun *p, const struct plane_params *params)
{
	int err = make_channels(p) ? make_data(p, &params->entropy) : errno;

	if (err == 0)
		return true;
	snprintf(params->why, params->why_cap, "cannot start the data path: %s",
		strerror(err));
	locals_wipe(&p->base.locals);
	free_channels(p);
	return false;
}

static void tun_close(struct plane *plane, bool keep)
{
	struct tun *p = tun_of(plane);

	order_give(p->data.orders, order_new(ORDER_STOP));
	pthread_join(p->thread, NULL);
	data_wipe(&p->data);
	esp_dp_free(p->data.dp);
	pthread_mutex_destroy(&p->snapshot.lock);
	locals_wipe(&p->base.locals);
	free_channels(p);
	steering_close(p->steering, keep);
	device_close(&p->device, keep);
	free(p->lent);
	free(p);
}

/* ---- reports ---------------------------------------------------------------------- */

static bool take_report(struct tun *p, struct plane_report *out)
{
	if (!p->is_troubled)
		return report_next(p->data.reports, out);
	*out = p->troubled;
	p->is_troubled = false;
	return true;
}

static bool tun_next_report(struct plane *plane, struct plane_report *out)
{
	struct tun *p = tun_of(plane);

	free(p->lent);
	p->lent = NULL;
	locals_end_lingering(&p->base.locals);
	if (!take_report(p, out))
		return false;
	p->lent = report_lends(out);
	return true;
}

/* ---- policy and addresses ------------------------------------------------------------ */

static void steer(struct tun *p, uint16_t scope, const struct spd *spd,
	const struct addr *addrs, size_t n_addrs)
{
	struct plane_report r = {.kind = PLANE_TROUBLED};
	struct plane_trouble *t = &r.u.trouble;

	*t = (struct plane_trouble){.scope = scope, .rule = PLANE_NO_RULE};
	if (steering_set(p->steering, scope, spd, addrs, n_addrs, t->why, sizeof(t->why)))
		return;
	p->troubled = r;
	p->is_troubled = true;
	report_wake(p->data.reports);
}

static void tun_policy(struct plane *plane, uint16_t scope, struct spd *spd,
	const struct addr *addrs, size_t n_addrs)
{
	struct tun *p = tun_of(plane);
	struct order *o = order_new(ORDER_POLICY);

	assert(scope < SCOPE_MAX && n_addrs <= ORDER_ADDRS_MAX);
	steer(p, scope, spd, addrs, n_addrs);
	o->u.policy.scope = scope;
	o->u.policy.spd = spd;
	o->u.policy.n_addrs = n_addrs;
	if (n_addrs > 0)
		memcpy(o->u.policy.addrs, addrs, n_addrs * sizeof(*addrs));
	order_give(p->data.orders, o);
}

static void tun_refresh(struct plane *plane)
{
	struct tun *p = tun_of(plane);

	steering_refresh(p->steering);
}

static enum plane_touch tun_touched(struct plane *plane)
{
	struct tun *p = tun_of(plane);

	return steering_touched(p->steering) ? PLANE_TOUCHED : PLANE_UNTOUCHED;
}

static void tun_mend(struct plane *plane, struct plane_found *found)
{
	plane_mend_steering(tun_of(plane)->steering, found);
}

static void give_local(struct tun *p, enum order_kind kind, struct local *l)
{
	struct order *o = order_new(kind);

	o->u.local = l;
	order_give(p->data.orders, o);
}

static int tun_bind(struct plane *plane, uint16_t scope, const struct addr *addr)
{
	struct tun *p = tun_of(plane);
	struct local *l = locals_find(&p->base.locals, addr);

	assert(scope < SCOPE_MAX);
	if (l && l->gone_ms == 0)
		return 0;
	l = locals_bind(&p->base.locals, scope, addr, p->base.mark);
	if (!l)
		return errno;
	steering_refill(p->steering, scope);
	local_hold(l); /* for the data thread */
	give_local(p, ORDER_BIND, l);
	return 0;
}

static void tun_unbind(struct plane *plane, const struct addr *addr)
{
	struct tun *p = tun_of(plane);
	struct local *l = locals_unbind(&p->base.locals, addr);

	if (l)
		give_local(p, ORDER_UNBIND, l);
}

/* ---- gates ---------------------------------------------------------------------------- */

static void tun_gate_open(struct plane *plane, uint16_t scope, uint16_t activation)
{
	struct tun *p = tun_of(plane);

	assert(scope < SCOPE_MAX);
	esp_gate_open(p->gates[scope], activation);
}

static uint32_t tun_gate_close(struct plane *plane, uint16_t scope)
{
	struct tun *p = tun_of(plane);
	struct order *o = order_new(ORDER_GATE_CLOSED);

	assert(scope < SCOPE_MAX);
	uint32_t turn = esp_gate_close(p->gates[scope]);
	o->u.gate.scope = scope;
	o->u.gate.turn = turn;
	order_give(p->data.orders, o);
	return turn;
}

/* ---- SAs ------------------------------------------------------------------------------ */

static void tun_sa_add(struct plane *plane, const struct esp_child *c)
{
	struct tun *p = tun_of(plane);
	struct order *o = order_new(ORDER_SA_ADD);

	o->u.add.child = mem_new(1, sizeof(*c));
	*o->u.add.child = *c;
	o->u.add.path_mtu = sources_path_mtu(p->base.mark, &c->local, &c->remote);
	order_give(p->data.orders, o);
}

static void give_id(struct tun *p, enum order_kind kind, uint32_t id)
{
	struct order *o = order_new(kind);

	o->id = id;
	order_give(p->data.orders, o);
}

static void tun_sa_activate(struct plane *plane, uint32_t id)
{
	struct tun *p = tun_of(plane);

	give_id(p, ORDER_SA_ACTIVATE, id);
}

static void tun_sa_delete(struct plane *plane, uint32_t id)
{
	struct tun *p = tun_of(plane);

	give_id(p, ORDER_SA_DELETE, id);
}

static void tun_sa_move(
	struct plane *plane, uint32_t id, const struct endpoint *remote, bool encap)
{
	struct tun *p = tun_of(plane);
	struct order *o = order_new(ORDER_SA_MOVE);

	o->id = id;
	o->u.move.remote = *remote;
	o->u.move.encap = encap;
	order_give(p->data.orders, o);
}

static void tun_usage_query(struct plane *plane)
{
	struct tun *p = tun_of(plane);

	give_id(p, ORDER_USAGE, 0);
}

static void tun_replay_query(struct plane *plane, uint32_t id)
{
	struct tun *p = tun_of(plane);

	give_id(p, ORDER_REPLAY, id);
}

static void tun_replay_set(
	struct plane *plane, uint32_t id, const struct esp_replay_state *state)
{
	struct tun *p = tun_of(plane);
	struct order *o = order_new(ORDER_REPLAY_SET);

	o->id = id;
	o->u.replay = mem_new(1, sizeof(*state));
	*o->u.replay = *state;
	order_give(p->data.orders, o);
}

static void tun_replay_watch(
	struct plane *plane, uint32_t id, uint32_t packets, uint32_t ms)
{
	struct tun *p = tun_of(plane);
	struct order *o = order_new(ORDER_REPLAY_WATCH);

	o->id = id;
	o->u.watch.packets = packets;
	o->u.watch.ms = ms;
	order_give(p->data.orders, o);
}

static void tun_totals(struct plane *plane, struct plane_totals *out)
{
	struct tun *p = tun_of(plane);

	pthread_mutex_lock(&p->snapshot.lock);
	*out = p->snapshot.totals;
	pthread_mutex_unlock(&p->snapshot.lock);
}

/* ---- opening --------------------------------------------------------------------------- */

static const struct plane_ops ops = {
	.close = tun_close,
	.next_report = tun_next_report,
	.policy = tun_policy,
	.refresh = tun_refresh,
	.touched = tun_touched,
	.mend = tun_mend,
	.bind = tun_bind,
	.unbind = tun_unbind,
	.gate_open = tun_gate_open,
	.gate_close = tun_gate_close,
	.sa_add = tun_sa_add,
	.sa_activate = tun_sa_activate,
	.sa_delete = tun_sa_delete,
	.sa_move = tun_sa_move,
	.usage_query = tun_usage_query,
	.replay_query = tun_replay_query,
	.replay_set = tun_replay_set,
	.replay_watch = tun_replay_watch,
	.totals = tun_totals,
};

struct plane *plane_open_tun(const struct plane_params *params)
{
	struct tun *p = mem_new(1, sizeof(*p));

	p->base.mark = params->mark;
	p->base.epoll = -1;
	p->base.ops = &ops;
	if (!device_open(&p->device, params->tun_name, params->why, params->why_cap)) {
		free(p);
		return NULL;
	}
	p->steering =
		steering_open(&p->device, params->mark, params->why, params->why_cap);
	if (p->steering && start(p, params)) {
		p->base.touched_fd = steering_fd(p->steering);
		return &p->base;
	}
	if (p->steering)
		steering_close(p->steering, false);
	device_close(&p->device, false);
	free(p);
	return NULL;
}
