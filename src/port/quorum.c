/* port/quorum.c - votequorum behind quorum.h.
 *
 * A lost connection counts as lost quorum: a node that cannot ask may not send.
 */
#include "port/quorum.h"

#include <corosync/corotypes.h>
#include <corosync/votequorum.h>
#include <stdint.h>
#include <stdlib.h>

struct quorum {
	struct quorum_handlers on;
	votequorum_handle_t handle;
	bool connected, quorate;
	int fd;
};

static void tell(struct quorum *q, bool quorate)
{
	if (q->quorate == quorate)
		return;
	q->quorate = quorate;
	q->on.changed(q->on.ctx, quorate);
}

static void on_quorum(votequorum_handle_t handle, uint64_t context, uint32_t quorate,
	uint32_t n, votequorum_node_t nodes[])
{
	(void)handle;
	(void)n;
	(void)nodes;
	tell((struct quorum *)(uintptr_t)context, quorate != 0);
}

static void disconnect(struct quorum *q)
{
	if (!q->connected)
		return;
	q->connected = false;
	q->fd = -1;
	q->on.fd_changed(q->on.ctx, -1);
	votequorum_finalize(q->handle);
	tell(q, false);
}

/* The first answer must not wait for the next change: CS_TRACK_CURRENT asks for it. */
static void connect_now(struct quorum *q)
{
	votequorum_callbacks_t callbacks = {.votequorum_quorum_notify_fn = on_quorum};

	if (votequorum_initialize(&q->handle, &callbacks) != CS_OK)
		return;
	if (votequorum_trackstart(q->handle, (uint64_t)(uintptr_t)q,
		    CS_TRACK_CURRENT | CS_TRACK_CHANGES) != CS_OK ||
		votequorum_fd_get(q->handle, &q->fd) != CS_OK) {
		votequorum_finalize(q->handle);
		q->fd = -1;
		return;
	}
	q->connected = true;
	q->on.fd_changed(q->on.ctx, q->fd);
}

struct quorum *quorum_new(const struct quorum_handlers *handlers)
{
	struct quorum *q = calloc(1, sizeof(*q));

	if (!q)
		abort();
	q->on = *handlers;
	q->fd = -1;
	connect_now(q);
	return q;
}

void quorum_free(struct quorum *q)
{
	if (q && q->connected)
		votequorum_finalize(q->handle);
	free(q);
}

int quorum_fd(const struct quorum *q)
{
	return q->fd;
}

void quorum_drain(struct quorum *q)
{
	if (!q->connected)
		return;
	cs_error_t err = votequorum_dispatch(q->handle, CS_DISPATCH_ALL);
	if (err != CS_OK && err != CS_ERR_TRY_AGAIN)
		disconnect(q);
}

void quorum_tick(struct quorum *q)
{
	if (!q->connected)
		connect_now(q);
}
