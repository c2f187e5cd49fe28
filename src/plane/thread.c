/* plane/thread.c - the data thread's rounds: orders first, then one batch from each source
 * that has something, then reports.
 */
#include "config.h"

#include "plane/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "os/clock.h"
#include "plane/batch.h"
#include "plane/listening.h"
#include "plane/obey.h"
#include "plane/path.h"
#include "plane/reporting.h"
#include "plane/size_errors.h"
#include "plane/toobig.h"

enum {
	EVENTS = 32,
	RETRY_MS = 2, /* answers wait for room in the ring */
	PUBLISH_MS = 20,
	MTUS_LOOK_MS = 5000,
	HELD_LOOK_MS = 250, /* packets that wait for an SA grow old */
	WATCH_LOOK_MS = 50, /* numbers that are to be told after some time */
};

/* The device was deleted (ip link del). Its descriptor would be ready for ever. */
static void lose_tun(struct data *d)
{
	epoll_ctl(d->epoll, EPOLL_CTL_DEL, d->tun_fd, NULL);
	d->lost_waits = true;
}

static void serve(struct data *d, const struct epoll_event *ev, uint64_t now_ms)
{
	if (ev->data.ptr == &d->orders)
		return; /* done before the others */
	d->unpublished = true;
	if (ev->data.ptr == &d->tun_fd) {
		if ((ev->events & EPOLLERR) != 0)
			lose_tun(d);
		else
			path_from_tun(d, now_ms);
		return;
	}
	if (ev->data.ptr == &d->toobig) {
		size_errors_on_arrival(d, now_ms);
		return;
	}
	struct local_socket *s = ev->data.ptr;
	/* An order of this very round may have unbound it. */
	if (!listening_has(d, s))
		return;
	if ((ev->events & EPOLLERR) != 0)
		size_errors_of_socket(d, s, now_ms);
	if ((ev->events & EPOLLIN) != 0)
		path_from_network(d, s, now_ms);
}

static int round_wait_ms(const struct data *d, bool answers_wait)
{
	if (answers_wait)
		return RETRY_MS;
	if (d->unpublished)
		return PUBLISH_MS;
	if (esp_dp_is_watched(d->dp))
		return WATCH_LOOK_MS;
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
			obey_orders(d);
	if (esp_dp_held(d->dp) > 0)
		path_release(d, now_ms);
	for (int i = 0; i < n; i++)
		serve(d, &events[i], now_ms);
	reporting_notices(d);
	reporting_rung(d, now_ms);
	look_at_mtus(d, now_ms);
	if (d->unpublished && now_ms - d->published_ms >= PUBLISH_MS)
		reporting_totals(d, now_ms);
}

void *data_run(void *data)
{
	struct data *d = data;
	bool answers_wait = false;

	while (!d->stop) {
		round_of(d, round_wait_ms(d, answers_wait));
		answers_wait = reporting_answers(d, clock_now_ms());
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
	list_init(&d->replays);
	d->children = children_new(d->dp, e);
	d->batch = batch_new();
	d->toobig = (struct toobig){-1, -1};
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (d->epoll < 0)
		return errno;
	int err = watch(d, order_queue_fd(d->orders), &d->orders);
	if (err == 0)
		err = watch(d, d->tun_fd, &d->tun_fd);
	d->toobig = toobig_open();
	if (err == 0 && d->toobig.v4 >= 0)
		err = watch(d, d->toobig.v4, &d->toobig);
	if (err == 0 && d->toobig.v6 >= 0)
		err = watch(d, d->toobig.v6, &d->toobig);
	return err;
}

void data_wipe(struct data *d)
{
	list_each_safe(item, &d->listening)
	{
		listening_remove(d, list_entry(item, struct local, listening));
	}
	toobig_close(&d->toobig);
	if (d->epoll >= 0)
		close(d->epoll);
	children_free(d->children);
	batch_free(d->batch);
	reporting_wipe(d);
}
