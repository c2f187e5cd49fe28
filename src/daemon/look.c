/* daemon/look.c - requests that wait for the data thread.
 *
 * Three kinds: those that show counters, and wait for fresh ones; ping, which asks whether
 * the data path is at work; and answers that are true only if it is (a release). After a
 * second without an answer the data thread is said to hang: the first kind is then
 * answered with the counters last known, and status names the problem; the others are
 * not answered at all, for whoever asked draws the right conclusion from silence.
 */
#include "daemon/look.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/tell.h"
#include "os/clock.h"
#include "os/timer.h"

enum { STALLED_AFTER_MS = 1000 };

static void drop(struct look *l)
{
	json_decref(l->args);
	json_decref(l->ready);
	*l = (struct look){0};
}

static void finish(struct daemon *d, struct look *l)
{
	struct look now = *l;
	struct request r = {
		.d = d, .client = now.client, .verb = now.verb, .args = now.args};

	*l = (struct look){0};
	if (now.ready)
		answer_send(d, now.client, json_incref(now.ready));
	else
		now.run(&r);
	drop(&now);
}

static void arm(struct daemon *d)
{
	uint64_t first_ms = UINT64_MAX;

	for (size_t i = 0; i < PENDING_MAX; i++)
		if (d->looks[i].client && !d->looks[i].late &&
			d->looks[i].asked_ms + STALLED_AFTER_MS < first_ms)
			first_ms = d->looks[i].asked_ms + STALLED_AFTER_MS;
	timer_arm(d->look_fd, first_ms, 0);
}

static struct look *begin(struct daemon *d, uint64_t client)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct look *l = &d->looks[i];

		if (l->client)
			continue;
		*l = (struct look){.client = client, .asked_ms = clock_now_ms()};
		plane_usage_query(d->plane);
		arm(d);
		return l;
	}
	return NULL;
}

bool look_before(
	const struct request *r, void (*run)(const struct request *r), bool insist)
{
	struct look *l = begin(r->d, r->client);

	if (!l)
		return false;
	l->run = run;
	l->args = json_incref(r->args);
	l->insist = insist;
	snprintf(l->verb, sizeof(l->verb), "%s", r->verb);
	return true;
}

bool look_hold(struct daemon *d, uint64_t client, json_t *reply)
{
	struct look *l = begin(d, client);

	if (!l)
		return false;
	l->ready = reply;
	l->insist = true;
	return true;
}

void look_known(struct daemon *d)
{
	if (d->stalled)
		tell(d, EVENT_NOTICE, "data-thread", "the data thread answers again");
	d->stalled = false;
	for (size_t i = 0; i < PENDING_MAX; i++)
		if (d->looks[i].client)
			finish(d, &d->looks[i]);
	arm(d);
}

void look_gone(struct daemon *d, uint64_t client)
{
	for (size_t i = 0; i < PENDING_MAX; i++)
		if (d->looks[i].client == client)
			drop(&d->looks[i]);
}

static void give_up(struct daemon *d, struct look *l)
{
	if (!d->stalled)
		tell(d, EVENT_WARNING, "data-thread", "%s",
			"the data thread has not answered for a second");
	d->stalled = true;
	l->late = true;
	if (!l->insist)
		finish(d, l);
}

static int32_t on_timer(int32_t fd, int32_t revents, void *data)
{
	struct daemon *d = data;
	uint64_t now_ms = clock_now_ms();

	(void)revents;
	if (!timer_rang(fd))
		return 0;
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct look *l = &d->looks[i];
		if (l->client && !l->late && l->asked_ms + STALLED_AFTER_MS <= now_ms)
			give_up(d, l);
	}
	arm(d);
	return 0;
}

bool look_open(struct daemon *d)
{
	d->look_fd = timer_new();
	if (d->look_fd < 0)
		return false;
	qb_loop_poll_add(d->loop, QB_LOOP_MED, d->look_fd, POLLIN, d, on_timer);
	return true;
}

void look_close(struct daemon *d)
{
	if (d->look_fd >= 0)
		close(d->look_fd);
	for (size_t i = 0; i < PENDING_MAX; i++)
		drop(&d->looks[i]);
}
