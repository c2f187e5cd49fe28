/* port/resolve.c - c-ares on the libqb loop.
 *
 * c-ares says which descriptors and which time it waits for; we poll them and tell it. It
 * may answer at once (from /etc/hosts, say): what is done is delivered by the timer.
 */
#include "port/resolve.h"

#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <ares.h>

#include "base/list.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/sockaddr.h"
#include "os/timer.h"

enum { AT_ONCE = 16, WHOLE_MS = 10000, TRY_MS = 2000, TRIES = 2 };

struct lookup {
	struct list link;
	struct resolver *r;
	uint32_t id;
	char name[HOSTNAME_MAX];
	ares_channel channel; /* NULL: it waits for its turn */
	bool done;
	uint64_t until_ms;
	struct addr addrs[RESOLVED_MAX];
	size_t n;
	uint32_t ttl_s;
	const char *why; /* static text */
};

struct resolver {
	qb_loop_t *loop;
	struct resolver_hands hands;
	int timer_fd;
	struct list lookups; /* in the order in which they came */
	unsigned running;
};

static void settle(struct resolver *r);

/* ---- one name */

static void least(uint32_t *ttl_s, int is, bool first)
{
	uint32_t s = is > 0 ? (uint32_t)is : 0;

	if (first || s < *ttl_s)
		*ttl_s = s;
}

static void take_one(struct lookup *l, const struct ares_addrinfo_node *node)
{
	struct sockaddr_storage where = {0};
	struct endpoint end;

	if (l->n == RESOLVED_MAX || node->ai_addrlen > sizeof(where))
		return;
	memcpy(&where, node->ai_addr, node->ai_addrlen);
	if (!sockaddr_read(&where, &end))
		return;
	least(&l->ttl_s, node->ai_ttl, l->n == 0);
	l->addrs[l->n++] = end.addr;
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *answer)
{
	struct lookup *l = arg;

	(void)timeouts;
	l->done = true;
	if (status != ARES_SUCCESS || !answer) {
		l->why = status == ARES_ECANCELLED ? "no answer within 10 s"
						   : ares_strerror(status);
		return;
	}
	for (const struct ares_addrinfo_node *at = answer->nodes; at; at = at->ai_next)
		take_one(l, at);
	for (const struct ares_addrinfo_cname *at = answer->cnames; at; at = at->next)
		least(&l->ttl_s, at->ttl, false);
	ares_freeaddrinfo(answer);
}

static int32_t on_socket(int32_t fd, int32_t revents, void *data)
{
	struct lookup *l = data;
	struct resolver *r = l->r;
	bool in = revents & (POLLIN | POLLERR | POLLHUP), out = revents & POLLOUT;

	ares_process_fd(
		l->channel, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
	settle(r);
	return 0;
}

static void watch_socket(void *data, ares_socket_t fd, int in, int out)
{
	struct lookup *l = data;
	qb_loop_t *loop = l->r->loop;
	int events = (in ? POLLIN : 0) | (out ? POLLOUT : 0);

	if (events == 0)
		qb_loop_poll_del(loop, fd);
	else if (qb_loop_poll_mod(loop, QB_LOOP_LOW, fd, events, l, on_socket) != 0)
		qb_loop_poll_add(loop, QB_LOOP_LOW, fd, events, l, on_socket);
}

/* The host's own search list is for names without a dot alone: another host of that name
 * elsewhere is not meant. */
static void start(struct lookup *l)
{
	struct ares_options options = {.timeout = TRY_MS,
		.tries = TRIES,
		.flags = strchr(l->name, '.') ? ARES_FLAG_NOSEARCH : 0,
		.sock_state_cb = watch_socket,
		.sock_state_cb_data = l};
	const struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NOSORT,
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_DGRAM};
	int status = ares_init_options(&l->channel, &options,
		ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_FLAGS |
			ARES_OPT_SOCK_STATE_CB);

	l->until_ms = clock_now_ms() + WHOLE_MS;
	l->r->running++;
	if (status != ARES_SUCCESS) {
		l->channel = NULL;
		l->why = ares_strerror(status);
		l->done = true;
		return;
	}
	ares_getaddrinfo(l->channel, l->name, NULL, &hints, on_answer, l);
}

static void drop(struct lookup *l)
{
	list_del(&l->link);
	if (l->channel)
		ares_destroy(l->channel); /* closes its sockets, and says so */
	free(l);
}

/* ---- all of them */

static struct lookup *find_done(struct resolver *r)
{
	list_each(item, &r->lookups)
	{
		struct lookup *l = list_entry(item, struct lookup, link);
		if (l->done)
			return l;
	}
	return NULL;
}

/* Taken out before anybody is told: done() may lead to another one. */
static void deliver(struct resolver *r)
{
	struct lookup *l;

	while ((l = find_done(r))) {
		list_del(&l->link);
		list_init(&l->link);
		r->running--;
		r->hands.done(r->hands.ctx, l->id, l->addrs, l->n, l->ttl_s,
			l->n > 0 ? ""
			: l->why ? l->why
				 : "it has no address");
		drop(l);
	}
}

static void start_waiting(struct resolver *r)
{
	list_each(item, &r->lookups)
	{
		struct lookup *l = list_entry(item, struct lookup, link);
		if (r->running < AT_ONCE && !l->channel && !l->done)
			start(l);
	}
}

static uint64_t due_ms(const struct lookup *l, uint64_t now_ms)
{
	struct timeval room, *left = ares_timeout(l->channel, NULL, &room);
	uint64_t ms = left ? now_ms + (uint64_t)left->tv_sec * 1000 +
				      (uint64_t)left->tv_usec / 1000 + 1
			   : UINT64_MAX;

	return ms < l->until_ms ? ms : l->until_ms;
}

static void arm(struct resolver *r)
{
	uint64_t now_ms = clock_now_ms(), due = UINT64_MAX;

	list_each(item, &r->lookups)
	{
		const struct lookup *l = list_entry(item, struct lookup, link);
		uint64_t ms = l->done      ? now_ms
			      : l->channel ? due_ms(l, now_ms)
					   : UINT64_MAX;

		due = ms < due ? ms : due;
	}
	timer_arm(r->timer_fd, due, 0);
}

static void settle(struct resolver *r)
{
	deliver(r);
	start_waiting(r);
	arm(r);
}

static int32_t on_time(int32_t fd, int32_t revents, void *data)
{
	struct resolver *r = data;
	uint64_t now_ms = clock_now_ms();

	(void)revents;
	if (!timer_rang(fd))
		return 0;
	list_each(item, &r->lookups)
	{
		struct lookup *l = list_entry(item, struct lookup, link);
		if (!l->channel || l->done)
			continue;
		if (l->until_ms <= now_ms)
			ares_cancel(l->channel);
		else
			ares_process_fd(l->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	}
	settle(r);
	return 0;
}

struct resolver *resolver_new(qb_loop_t *loop, const struct resolver_hands *hands)
{
	struct resolver *r = mem_new(1, sizeof(*r));

	r->loop = loop;
	r->hands = *hands;
	list_init(&r->lookups);
	r->timer_fd = timer_new();
	if (r->timer_fd < 0 || ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
		if (r->timer_fd >= 0)
			close(r->timer_fd);
		free(r);
		return NULL;
	}
	qb_loop_poll_add(loop, QB_LOOP_LOW, r->timer_fd, POLLIN, r, on_time);
	return r;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	list_each_safe(item, &r->lookups) drop(list_entry(item, struct lookup, link));
	close(r->timer_fd);
	ares_library_cleanup();
	free(r);
}

void resolver_begin(struct resolver *r, uint32_t id, const char *name)
{
	struct lookup *l = mem_new(1, sizeof(*l));

	l->r = r;
	l->id = id;
	snprintf(l->name, sizeof(l->name), "%s", name);
	list_add(&r->lookups, &l->link);
	timer_arm(r->timer_fd, clock_now_ms(), 0);
}
