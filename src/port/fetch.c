/* port/fetch.c - libcurl's multi interface on the libqb loop.
 *
 * curl says which descriptors and which time it waits for; we poll them and tell it.
 */
#include "port/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/clock.h"
#include "os/sockaddr.h"
#include "os/timer.h"
#include "port/curl_lib.h"

enum { AT_ONCE = 4, CONNECT_MS = 4000, WHOLE_MS = 10000, JOBS_MAX = REVOCATIONS_MAX };

struct job {
	struct fetcher *f;
	uint32_t id; /* 0: free */
	bool running;
	CURL *easy;
	struct curl_slist *headers;
	struct fetch_wish wish;
	uint8_t *answer;
	size_t len, cap;
};

struct fetcher {
	qb_loop_t *loop;
	struct fetcher_hands hands;
	struct curl_lib lib;
	CURLM *multi;
	int timer_fd;
	struct job jobs[JOBS_MAX];
	unsigned running;
};

static void job_clear(struct job *j)
{
	if (j->easy) {
		j->f->lib.multi_remove_handle(j->f->multi, j->easy);
		j->f->lib.easy_cleanup(j->easy);
	}
	if (j->headers)
		j->f->lib.slist_free_all(j->headers);
	free(j->answer);
	j->f->running -= j->running;
	*j = (struct job){.f = j->f};
}

/* The job is free again before anybody is told: done() may lead to another one. */
static void finish(struct job *j, const char *why)
{
	struct fetcher *f = j->f;
	struct span answer = span_of(j->answer, why ? 0 : j->len);
	uint8_t *bytes = j->answer;
	uint32_t id = j->id;
	char url[FETCH_URL_MAX];

	snprintf(url, sizeof(url), "%s", j->wish.url);
	j->answer = NULL;
	job_clear(j);
	f->hands.done(f->hands.ctx, id, answer, url, why ? why : "");
	free(bytes);
}

/* ---- one request */

static size_t take(char *at, size_t size, size_t n, void *data)
{
	struct job *j = data;
	size_t len = size * n;

	if (len > FETCH_ANSWER_MAX - j->len)
		return 0; /* ends it */
	if (j->len + len > j->cap) {
		size_t cap = 2 * (j->len + len);
		uint8_t *room = mem_new(1, cap);

		if (j->len > 0)
			memcpy(room, j->answer, j->len);
		free(j->answer);
		j->answer = room;
		j->cap = cap;
	}
	memcpy(j->answer + j->len, at, len);
	j->len += len;
	return len;
}

static curl_socket_t open_socket(
	void *data, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct job *j = data;
	struct sockaddr_storage where = {0};
	struct endpoint end;

	(void)purpose;
	if (to->addrlen > sizeof(where))
		return CURL_SOCKET_BAD;
	memcpy(&where, &to->addr, to->addrlen);
	if (!sockaddr_read(&where, &end) ||
		j->f->hands.refuses(j->f->hands.ctx, &end.addr))
		return CURL_SOCKET_BAD;
	return socket(
		to->family, to->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->protocol);
}

static bool set_body(struct job *j)
{
	if (j->wish.len == 0)
		return true;
	j->headers =
		j->f->lib.slist_append(NULL, "Content-Type: application/ocsp-request");
	return j->headers &&
	       j->f->lib.easy_setopt(j->easy, CURLOPT_HTTPHEADER, j->headers) ==
		       CURLE_OK &&
	       j->f->lib.easy_setopt(j->easy, CURLOPT_POSTFIELDS, j->wish.body) ==
		       CURLE_OK &&
	       j->f->lib.easy_setopt(j->easy, CURLOPT_POSTFIELDSIZE, (long)j->wish.len) ==
		       CURLE_OK;
}

static bool set_up(struct job *j)
{
	CURL *c = j->easy = j->f->lib.easy_init();

	return c && j->f->lib.easy_setopt(c, CURLOPT_URL, j->wish.url) == CURLE_OK &&
	       j->f->lib.easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK &&
	       j->f->lib.easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
	       j->f->lib.easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       j->f->lib.easy_setopt(c, CURLOPT_FAILONERROR, 1L) == CURLE_OK &&
	       j->f->lib.easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       j->f->lib.easy_setopt(c, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
	       j->f->lib.easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS) ==
		       CURLE_OK &&
	       j->f->lib.easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)WHOLE_MS) == CURLE_OK &&
	       j->f->lib.easy_setopt(c, CURLOPT_MAXFILESIZE, (long)FETCH_ANSWER_MAX) ==
		       CURLE_OK &&
	       j->f->lib.easy_setopt(c, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
	       j->f->lib.easy_setopt(c, CURLOPT_WRITEDATA, j) == CURLE_OK &&
	       j->f->lib.easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket) ==
		       CURLE_OK &&
	       j->f->lib.easy_setopt(c, CURLOPT_OPENSOCKETDATA, j) == CURLE_OK &&
	       j->f->lib.easy_setopt(c, CURLOPT_PRIVATE, j) == CURLE_OK && set_body(j);
}

static void start_waiting(struct fetcher *f)
{
	for (size_t i = 0; i < JOBS_MAX && f->running < AT_ONCE; i++) {
		struct job *j = &f->jobs[i];

		if (j->id == 0 || j->running)
			continue;
		j->running = true;
		f->running++;
		if (!set_up(j) || f->lib.multi_add_handle(f->multi, j->easy) != CURLM_OK)
			finish(j, "libcurl refuses it");
	}
}

static void harvest(struct fetcher *f)
{
	CURLMsg *m;
	int left;

	while ((m = f->lib.multi_info_read(f->multi, &left))) {
		struct job *j = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		CURLcode code = m->data.result;
		f->lib.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&j);
		finish(j, code == CURLE_OK ? NULL : f->lib.easy_strerror(code));
	}
	start_waiting(f);
}

/* ---- what curl waits for */

static int32_t on_socket(int32_t fd, int32_t revents, void *data)
{
	struct fetcher *f = data;
	int running, what = 0;

	if (revents & POLLIN)
		what |= CURL_CSELECT_IN;
	if (revents & POLLOUT)
		what |= CURL_CSELECT_OUT;
	if (revents & (POLLERR | POLLHUP))
		what |= CURL_CSELECT_ERR;
	f->lib.multi_socket_action(f->multi, fd, what, &running);
	harvest(f);
	return 0;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *known)
{
	static char polled; /* its address marks a descriptor that the loop has */
	struct fetcher *f = data;
	int events =
		(what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		qb_loop_poll_del(f->loop, fd);
		return 0;
	}
	if (known)
		return qb_loop_poll_mod(f->loop, QB_LOOP_LOW, fd, events, f, on_socket) ==
				       0
			       ? 0
			       : -1;
	f->lib.multi_assign(f->multi, fd, &polled);
	return qb_loop_poll_add(f->loop, QB_LOOP_LOW, fd, events, f, on_socket) == 0 ? 0
										     : -1;
}

static int watch_time(CURLM *multi, long ms, void *data)
{
	struct fetcher *f = data;

	(void)multi;
	timer_arm(f->timer_fd, ms < 0 ? UINT64_MAX : clock_now_ms() + (uint64_t)ms, 0);
	return 0;
}

static int32_t on_time(int32_t fd, int32_t revents, void *data)
{
	struct fetcher *f = data;
	int running;

	(void)revents;
	if (!timer_rang(fd))
		return 0;
	start_waiting(f);
	f->lib.multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	harvest(f);
	return 0;
}

/* ---- all of it */

struct fetcher *fetcher_new(qb_loop_t *loop, const struct fetcher_hands *hands)
{
	struct fetcher *f = mem_new(1, sizeof(*f));

	f->loop = loop;
	f->hands = *hands;
	for (size_t i = 0; i < JOBS_MAX; i++)
		f->jobs[i].f = f;
	f->timer_fd = timer_new();
	if (curl_lib_load(&f->lib) && f->lib.global_init(CURL_GLOBAL_NOTHING) == CURLE_OK)
		f->multi = f->lib.multi_init();
	if (f->timer_fd < 0 || !f->multi) {
		fetcher_free(f);
		return NULL;
	}
	f->lib.multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	f->lib.multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
	f->lib.multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, watch_time);
	f->lib.multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
	qb_loop_poll_add(loop, QB_LOOP_LOW, f->timer_fd, POLLIN, f, on_time);
	return f;
}

void fetcher_free(struct fetcher *f)
{
	if (!f)
		return;
	for (size_t i = 0; f->multi && i < JOBS_MAX; i++)
		job_clear(&f->jobs[i]);
	if (f->multi)
		f->lib.multi_cleanup(f->multi);
	if (f->timer_fd >= 0)
		close(f->timer_fd);
	if (f->lib.handle)
		f->lib.global_cleanup();
	curl_lib_unload(&f->lib);
	free(f);
}

void fetcher_begin(struct fetcher *f, uint32_t id, const struct fetch_wish *wish)
{
	struct job *j = NULL;

	for (size_t i = 0; i < JOBS_MAX && !j; i++)
		if (f->jobs[i].id == 0)
			j = &f->jobs[i];
	if (!j)
		abort(); /* crypto/revocation.h bounds what is under way by the same number */
	j->id = id;
	j->wish = *wish;
	timer_arm(f->timer_fd, clock_now_ms(), 0);
}
