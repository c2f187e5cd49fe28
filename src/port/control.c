/* port/control.c - the libqb IPC server behind control.h.
 *
 * Requests come over shared memory rings that libqb makes for each client; a client that
 * dies takes its rings along. Clients are numbered, never pointed at, so that a late reply
 * to one that left goes nowhere.
 */
#include "port/control.h"

#include <errno.h>
#include <qb/qbipcs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

struct client {
	uint64_t id; /* 0: free slot */
	qb_ipcs_connection_t *conn;
	char *rest; /* of a reply in parts; NULL: none */
	size_t rest_len, rest_at;
};

struct control {
	struct control_handlers on;
	qb_loop_t *loop;
	qb_ipcs_service_t *service;
	struct client clients[CONTROL_CLIENTS_MAX];
	uint64_t last_id;
};

/* libqb's poll callbacks carry no context of ours; the loop is the process's only one,
 * and this file's only shared value. */
static qb_loop_t *the_loop;

static int32_t job_add(enum qb_loop_priority p, void *data, qb_loop_job_dispatch_fn fn)
{
	return qb_loop_job_add(the_loop, p, data, fn);
}

static int32_t dispatch_add(enum qb_loop_priority p, int32_t fd, int32_t events,
	void *data, qb_ipcs_dispatch_fn_t fn)
{
	return qb_loop_poll_add(the_loop, p, fd, events, data, fn);
}

static int32_t dispatch_mod(enum qb_loop_priority p, int32_t fd, int32_t events,
	void *data, qb_ipcs_dispatch_fn_t fn)
{
	return qb_loop_poll_mod(the_loop, p, fd, events, data, fn);
}

static int32_t dispatch_del(int32_t fd)
{
	return qb_loop_poll_del(the_loop, fd);
}

static struct client *client_of(struct control *c, const qb_ipcs_connection_t *conn)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (c->clients[i].id && c->clients[i].conn == conn)
			return &c->clients[i];
	return NULL;
}

static struct client *client_by_id(struct control *c, uint64_t id)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (id && c->clients[i].id == id)
			return &c->clients[i];
	return NULL;
}

static int32_t on_accept(qb_ipcs_connection_t *conn, uid_t uid, gid_t gid)
{
	(void)conn;
	(void)gid;
	return uid == 0 ? 0 : -EACCES;
}

static void on_created(qb_ipcs_connection_t *conn)
{
	struct control *c = qb_ipcs_connection_service_context_get(conn);

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (c->clients[i].id)
			continue;
		c->clients[i] = (struct client){.id = ++c->last_id, .conn = conn};
		return;
	}
	qb_ipcs_disconnect(conn);
}

/* libqb frames with one header type each way; both start with id and size. */
static bool send_framed(
	struct client *client, enum control_message id, const char *text, size_t len)
{
	struct qb_ipc_response_header head;
	struct iovec iov[2] = {{&head, sizeof(head)}, {(void *)(uintptr_t)text, len}};

	memset(&head, 0, sizeof(head));
	head.id = (int32_t)id;
	head.size = (int32_t)(sizeof(head) + len);
	ssize_t n = id == CONTROL_EVENT ? qb_ipcs_event_sendv(client->conn, iov, 2)
					: qb_ipcs_response_sendv(client->conn, iov, 2);
	return n >= 0;
}

static void drop_rest(struct client *client)
{
	free(client->rest);
	client->rest = NULL;
}

static bool send_part(struct client *client)
{
	size_t left = client->rest_len - client->rest_at;
	bool last = left <= CONTROL_MESSAGE_MAX;
	size_t n = last ? left : CONTROL_MESSAGE_MAX;
	bool sent = send_framed(client, last ? CONTROL_REPLY : CONTROL_PART,
		client->rest + client->rest_at, n);

	client->rest_at += n;
	if (last || !sent)
		drop_rest(client);
	return sent;
}

static int32_t on_message(qb_ipcs_connection_t *conn, void *data, size_t size)
{
	struct control *c = qb_ipcs_connection_service_context_get(conn);
	struct client *client = client_of(c, conn);
	struct qb_ipc_request_header head;

	if (!client || size < sizeof(head))
		return 0;
	memcpy(&head, data, sizeof(head));
	if (head.id == CONTROL_MORE && client->rest)
		(void)send_part(client);
	if (head.id != CONTROL_REQUEST || head.size < (int32_t)sizeof(head) ||
		(size_t)head.size > size)
		return 0;
	drop_rest(client);
	c->on.request(c->on.ctx, client->id, (const char *)data + sizeof(head),
		(size_t)head.size - sizeof(head));
	return 0;
}

static int32_t on_closed(qb_ipcs_connection_t *conn)
{
	struct control *c = qb_ipcs_connection_service_context_get(conn);
	struct client *client = client_of(c, conn);

	if (client) {
		uint64_t id = client->id;

		client->id = 0;
		drop_rest(client);
		c->on.gone(c->on.ctx, id);
	}
	return 0;
}

static void on_destroyed(qb_ipcs_connection_t *conn)
{
	(void)conn;
}

struct control *control_new(qb_loop_t *loop, const struct control_handlers *handlers,
	char *why, size_t why_cap)
{
	struct qb_ipcs_service_handlers service = {
		.connection_accept = on_accept,
		.connection_created = on_created,
		.msg_process = on_message,
		.connection_closed = on_closed,
		.connection_destroyed = on_destroyed,
	};
	struct qb_ipcs_poll_handlers poll = {
		.job_add = job_add,
		.dispatch_add = dispatch_add,
		.dispatch_mod = dispatch_mod,
		.dispatch_del = dispatch_del,
	};
	struct control *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->on = *handlers;
	c->loop = the_loop = loop;
	c->service = qb_ipcs_create(CONTROL_NAME, 0, QB_IPC_SHM, &service);
	if (!c->service) {
		snprintf(why, why_cap, "the control socket cannot be made");
		free(c);
		return NULL;
	}
	qb_ipcs_service_context_set(c->service, c);
	qb_ipcs_poll_handlers_set(c->service, &poll);
	qb_ipcs_enforce_buffer_size(c->service, CONTROL_MESSAGE_MAX + 4096);
	int32_t err = qb_ipcs_run(c->service);
	if (err < 0) {
		snprintf(why, why_cap, "the control socket cannot be opened: %s%s",
			strerror(-err),
			err == -EADDRINUSE ? ": another vipsecd is running here" : "");
		free(c);
		return NULL;
	}
	return c;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		drop_rest(&c->clients[i]);
	qb_ipcs_destroy(c->service);
	free(c);
}

bool control_reply(struct control *c, uint64_t client, const char *text, size_t len)
{
	struct client *to = client_by_id(c, client);

	if (!to || len > CONTROL_REPLY_MAX)
		return false;
	if (len <= CONTROL_MESSAGE_MAX)
		return send_framed(to, CONTROL_REPLY, text, len);
	drop_rest(to);
	to->rest = malloc(len);
	if (!to->rest)
		return false;
	memcpy(to->rest, text, len);
	to->rest_len = len;
	to->rest_at = 0;
	return send_part(to);
}

bool control_event(struct control *c, uint64_t client, const char *text, size_t len)
{
	struct client *to = client_by_id(c, client);

	return to && len <= CONTROL_MESSAGE_MAX &&
	       send_framed(to, CONTROL_EVENT, text, len);
}
