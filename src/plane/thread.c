/* plane/thread.c - the data thread's rounds: orders first, then one batch from each source
 * that has something, then reports.
 *
 * Orders are carried out between batches, when everything that was sealed before has been
 * handed to the kernel or dropped. The acknowledgement that a gate is closed is therefore
 * true the moment it is written.
 */
#include "config.h"

#include "plane/thread.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "os/clock.h"
#include "plane/toobig.h"

enum {
	EVENTS = 32,
	RETRY_MS = 2, /* answers wait for room in the ring */
	PUBLISH_MS = 20,
	MTUS_LOOK_MS = 5000,
	HELD_LOOK_MS = 250, /* packets that wait for an SA grow old */
};

/* ---- reports -------------------------------------------------------------------- */

static bool push(struct data *d, const struct plane_report *r, enum report_weight w)
{
	if (!report_push(d->reports, r, w))
		return false;
	d->reported = true;
	return true;
}

void data_report(struct data *d, const struct plane_report *r)
{
	if (push(d, r, REPORT_LIGHT))
		return;
	d->totals.reports_dropped++;
	if (r->kind == PLANE_IKE)
		free(r->u.ike.bytes);
}

static void report_notices(struct data *d)
{
	struct plane_report r = {.kind = PLANE_NOTICE};

	while (esp_dp_notice(d->dp, &r.u.notice))
		data_report(d, &r);
}

static bool report_gates(struct data *d)
{
	bool waits = false;

	for (uint16_t scope = 0; scope < SCOPE_MAX; scope++) {
		/* Asked each round: nearly always nothing waits. */
		if (d->gate_waits[scope] == 0)
			continue;
		struct plane_report r = {.kind = PLANE_GATE_CLOSED};
		r.u.gate.scope = scope;
		r.u.gate.turn = d->gate_turns[scope];
		while (d->gate_waits[scope] > 0 && push(d, &r, REPORT_VITAL))
			d->gate_waits[scope]--;
		waits = waits || d->gate_waits[scope] > 0;
	}
	return waits;
}

/* False: no room. */
static bool report_usage(struct data *d)
{
	if (!d->ids) {
		d->ids = children_ids(d->children, &d->n_ids);
		d->next_id = 0;
	}
	while (d->next_id < d->n_ids) {
		struct plane_report r = {.kind = PLANE_USAGE};
		uint32_t id = d->ids[d->next_id];
		bool there = esp_dp_usage(d->dp, id, &r.u.usage) == ESP_OK;
		if (there && !push(d, &r, REPORT_ANSWER))
			return false;
		d->next_id++;
	}
	struct plane_report end = {.kind = PLANE_USAGE_END};
	if (!push(d, &end, REPORT_ANSWER))
		return false;
	free(d->ids);
	d->ids = NULL;
	d->queries--;
	return true;
}

/* True: something still waits for room. */
static bool report_answers(struct data *d)
{
	bool waits = report_gates(d);

	while (d->queries > 0)
		if (!report_usage(d))
			return true;
	return waits;
}

static void report_refusal(struct data *d, uint32_t id, enum esp_err err)
{
	static const char *const words[] = {
		[ESP_OK] = "",
		[ESP_EXISTS] = "its number or inbound SPI is in use",
		[ESP_NOT_FOUND] = "its scope is not known",
		[ESP_REFUSED] = "the cryptographic library refused the key",
	};
	struct plane_report r = {.kind = PLANE_REFUSED};

	r.u.refused.id = id;
	snprintf(r.u.refused.text, sizeof(r.u.refused.text), "%s", words[err]);
	data_report(d, &r);
}

static void publish(struct data *d, uint64_t now_ms)
{
	/* Never wait for a reader: the next round will do. */
	if (pthread_mutex_trylock(&d->snapshot->lock) != 0)
		return;
	d->totals.children = esp_dp_count(d->dp);
	esp_dp_counters(d->dp, &d->totals.esp);
	d->snapshot->totals = d->totals;
	pthread_mutex_unlock(&d->snapshot->lock);
	d->published_ms = now_ms;
	d->unpublished = false;
}

/* ---- sockets ---------------------------------------------------------------------- */

struct local *data_find_local(struct data *d, const struct addr *a)
{
	list_each(item, &d->listening)
	{
		struct local *l = list_entry(item, struct local, listening);
		if (addr_equal(&l->addr, a))
			return l;
	}
	return NULL;
}

static void listen_to(struct data *d, struct local_socket *s)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};
	int rc = epoll_ctl(d->epoll, EPOLL_CTL_ADD, s->fd, &ev);

	assert(rc == 0);
}

static void bind_local(struct data *d, struct local *l)
{
	list_add(&d->listening, &l->listening);
	listen_to(d, &l->esp);
	listen_to(d, &l->udp);
}

static void unbind_local(struct data *d, struct local *l)
{
	epoll_ctl(d->epoll, EPOLL_CTL_DEL, l->esp.fd, NULL);
	epoll_ctl(d->epoll, EPOLL_CTL_DEL, l->udp.fd, NULL);
	list_del(&l->listening);
	local_let_go(l);
}

/* ---- orders ------------------------------------------------------------------------ */

static void set_policy(struct data *d, struct order *o)
{
	if (!o->u.policy.spd)
		children_remove_scope(d->children, o->u.policy.scope);
	esp_dp_policy(d->dp, o->u.policy.scope, o->u.policy.spd, o->u.policy.addrs,
		o->u.policy.n_addrs);
	o->u.policy.spd = NULL;
}

static void add_child(struct data *d, const struct order *o)
{
	enum esp_err err = esp_dp_add(d->dp, o->u.add.child);

	if (err == ESP_OK)
		children_add(d->children, o->u.add.child, o->u.add.path_mtu);
	else
		report_refusal(d, o->u.add.child->id, err);
}

static void delete_child(struct data *d, uint32_t id)
{
	children_remove(d->children, id);
	/* Gone with its scope is gone as well. */
	enum esp_err err = esp_dp_delete(d->dp, id);
	(void)err;
}

static void activate_child(struct data *d, uint32_t id)
{
	enum esp_err err = esp_dp_activate(d->dp, id);

	if (err != ESP_OK)
		report_refusal(d, id, err);
}

static void move_child(struct data *d, const struct order *o)
{
	if (esp_dp_move(d->dp, o->id, &o->u.remote) == ESP_OK)
		children_move(d->children, o->id, &o->u.remote);
}

static void carry_out(struct data *d, struct order *o)
{
	switch (o->kind) {
	case ORDER_POLICY:
		set_policy(d, o);
		break;
	case ORDER_BIND:
		bind_local(d, o->u.local);
		o->u.local = NULL;
		break;
	case ORDER_UNBIND:
		unbind_local(d, o->u.local);
		break;
	case ORDER_GATE_CLOSED:
		d->gate_turns[o->u.gate.scope] = o->u.gate.turn;
		d->gate_waits[o->u.gate.scope]++;
		break;
	case ORDER_SA_ADD:
		add_child(d, o);
		break;
	case ORDER_SA_ACTIVATE:
		activate_child(d, o->id);
		break;
	case ORDER_SA_DELETE:
		delete_child(d, o->id);
		break;
	case ORDER_SA_MOVE:
		move_child(d, o);
		break;
	case ORDER_USAGE:
		d->queries++;
		break;
	case ORDER_STOP:
		d->stop = true;
		break;
	}
}

static void carry_out_orders(struct data *d)
{
	struct list orders;

	list_init(&orders);
	order_take_all(d->orders, &orders);
	list_each_safe(item, &orders)
	{
		struct order *o = list_entry(item, struct order, link);
		carry_out(d, o);
		order_free(o);
	}
	d->unpublished = true;
}

/* ---- rounds -------------------------------------------------------------------------- */

static bool still_bound(struct data *d, const struct local_socket *s)
{
	list_each(item, &d->listening)
	{
		const struct local *l = list_entry(item, struct local, listening);
		if (s == &l->esp || s == &l->udp)
			return true;
	}
	return false;
}

static void serve(struct data *d, const struct epoll_event *ev, uint64_t now_ms)
{
	if (ev->data.ptr == &d->orders)
		return; /* done before the others */
	d->unpublished = true;
	if (ev->data.ptr == &d->tun_fd) {
		path_from_tun(d, now_ms);
		return;
	}
	if (ev->data.ptr == &d->toobig_fd) {
		path_read_toobig(d, now_ms);
		return;
	}
	struct local_socket *s = ev->data.ptr;
	/* An order of this very round may have unbound it. */
	if (!still_bound(d, s))
		return;
	if ((ev->events & EPOLLERR) != 0)
		path_read_errors(d, s, now_ms);
	if ((ev->events & EPOLLIN) != 0)
		path_from_network(d, s, now_ms);
}

static int round_wait_ms(const struct data *d, bool answers_wait)
{
	if (answers_wait)
		return RETRY_MS;
	if (d->unpublished)
		return PUBLISH_MS;
	if (esp_dp_held(d->dp) > 0)
		return HELD_LOOK_MS;
	return d->mtus_learned ? MTUS_LOOK_MS : -1;
}

static void look_at_mtus(struct data *d, uint64_t now_ms)
{
	if (!d->mtus_learned || now_ms - d->mtus_looked_ms < MTUS_LOOK_MS)
		return;
	d->mtus_learned = children_forget_mtus(d->children, now_ms);
	d->mtus_looked_ms = now_ms;
}

static void round_of(struct data *d, int wait_ms)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(d->epoll, events, EVENTS, wait_ms);
	uint64_t now_ms = clock_now_ms();

	for (int i = 0; i < n; i++)
		if (events[i].data.ptr == &d->orders)
			carry_out_orders(d);
	if (esp_dp_held(d->dp) > 0)
		path_release(d, now_ms);
	for (int i = 0; i < n; i++)
		serve(d, &events[i], now_ms);
	report_notices(d);
	look_at_mtus(d, now_ms);
	if (d->unpublished && now_ms - d->published_ms >= PUBLISH_MS)
		publish(d, now_ms);
}

void *data_run(void *data)
{
	struct data *d = data;
	bool answers_wait = false;

	while (!d->stop) {
		round_of(d, round_wait_ms(d, answers_wait));
		answers_wait = report_answers(d);
		if (d->reported)
			report_wake(d->reports);
		d->reported = false;
	}
	return NULL;
}

static int watch(struct data *d, int fd, void *tag)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = tag};

	return epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &ev) == 0 ? 0 : errno;
}

int data_init(struct data *d, const struct entropy *e)
{
	list_init(&d->listening);
	d->children = children_new(d->dp, e);
	d->path = path_new();
	d->toobig_fd = -1;
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (d->epoll < 0)
		return errno;
	int err = watch(d, order_queue_fd(d->orders), &d->orders);
	if (err == 0)
		err = watch(d, d->tun_fd, &d->tun_fd);
	/* Without the privilege the sockets' own error queues have to do. */
	d->toobig_fd = toobig_open();
	if (err == 0 && d->toobig_fd >= 0)
		err = watch(d, d->toobig_fd, &d->toobig_fd);
	return err;
}

void data_wipe(struct data *d)
{
	list_each_safe(item, &d->listening)
	{
		unbind_local(d, list_entry(item, struct local, listening));
	}
	if (d->toobig_fd >= 0)
		close(d->toobig_fd);
	if (d->epoll >= 0)
		close(d->epoll);
	children_free(d->children);
	path_free(d->path);
	free(d->ids);
}
