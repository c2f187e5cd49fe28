/* port/bus.c - CPG and cmap behind bus.h.
 *
 * CS_ERR_TRY_AGAIN is back-pressure, not failure: messages wait in order and are sent
 * again. Any other error means that corosync went away: the handle is dropped, members
 * become empty, and bus_tick() connects anew.
 */
#include "port/bus.h"

#include <corosync/cmap.h>
#include <corosync/cpg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "base/list.h"

enum { QUEUE_MAX_OCTETS = 1 << 20, MEMBER_MAX = 255 };

struct waiting {
	struct list link;
	size_t len;
	uint8_t bytes[];
};

struct bus {
	struct bus_handlers on;
	struct cpg_name group;
	cpg_handle_t handle;
	bool connected;
	uint8_t member;
	int fd;
	cs_error_t
		broken; /* found while sending; acted on from the loop, never from inside
			      bus_send(): its caller is in the middle of a step */
	struct list queue;
	size_t queued;
	char trouble[160];
};

static struct bus *bus_of(cpg_handle_t handle)
{
	void *ctx = NULL;

	if (cpg_context_get(handle, &ctx) != CS_OK)
		return NULL;
	return ctx;
}

static void on_deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t nodeid,
	uint32_t pid, void *msg, size_t len)
{
	struct bus *b = bus_of(handle);

	(void)group;
	(void)pid;
	if (b && nodeid >= 1 && nodeid <= MEMBER_MAX)
		b->on.message(b->on.ctx, (uint8_t)nodeid, span_of(msg, len));
}

static bool is_listed(const struct cpg_address *list, size_t n, uint32_t nodeid)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].nodeid == nodeid)
			return true;
	return false;
}

static size_t usable(const struct cpg_address *list, size_t n,
	const struct cpg_address *but, size_t n_but, uint8_t out[BUS_MEMBERS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < n && count < BUS_MEMBERS_MAX; i++)
		if (list[i].nodeid >= 1 && list[i].nodeid <= MEMBER_MAX &&
			!is_listed(but, n_but, list[i].nodeid))
			out[count++] = (uint8_t)list[i].nodeid;
	return count;
}

static size_t just_joined(
	const struct cpg_address *joined, size_t n, uint8_t out[BUS_MEMBERS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		if (joined[i].reason == CPG_REASON_JOIN)
			count += usable(&joined[i], 1, NULL, 0, out + count);
	return count;
}

static void on_confchg(cpg_handle_t handle, const struct cpg_name *group,
	const struct cpg_address *list, size_t n, const struct cpg_address *left,
	size_t n_left, const struct cpg_address *joined, size_t n_joined)
{
	struct bus *b = bus_of(handle);
	uint8_t members[BUS_MEMBERS_MAX], fresh[BUS_MEMBERS_MAX];
	(void)group;
	if (!b)
		return;
	/* Who has gone and come in one change is another daemon: nothing that was known of
	 * the one before holds. */
	for (size_t i = 0; i < n_left; i++) {
		if (!is_listed(joined, n_joined, left[i].nodeid))
			continue;
		size_t stay = usable(list, n, left, n_left, members);
		b->on.members(b->on.ctx, members, stay, NULL, 0);
		break;
	}
	if (n_joined > BUS_MEMBERS_MAX)
		n_joined = BUS_MEMBERS_MAX;
	size_t n_fresh = just_joined(joined, n_joined, fresh);
	b->on.members(
		b->on.ctx, members, usable(list, n, NULL, 0, members), fresh, n_fresh);
}

static void queue_clear(struct bus *b)
{
	list_each_safe(item, &b->queue)
	{
		list_del(item);
		free(list_entry(item, struct waiting, link));
	}
	b->queued = 0;
}

static void disconnect(struct bus *b, const char *doing, cs_error_t err)
{
	snprintf(b->trouble, sizeof(b->trouble), "corosync: %s: %s", doing,
		cs_strerror(err));
	if (!b->connected)
		return;
	b->connected = false;
	b->fd = -1;
	b->on.fd_changed(b->on.ctx, -1);
	cpg_finalize(b->handle);
	queue_clear(b);
	b->on.members(b->on.ctx, NULL, 0, NULL, 0);
}

static cs_error_t join(struct bus *b, unsigned int *nodeid)
{
	cs_error_t err = cpg_context_set(b->handle, b);

	if (err == CS_OK)
		err = cpg_local_get(b->handle, nodeid);
	if (err == CS_OK)
		err = cpg_fd_get(b->handle, &b->fd);
	if (err == CS_OK)
		err = cpg_join(b->handle, &b->group);
	return err;
}

static void connect_now(struct bus *b)
{
	cpg_model_v1_data_t model = {
		.model = CPG_MODEL_V1,
		.cpg_deliver_fn = on_deliver,
		.cpg_confchg_fn = on_confchg,
	};
	unsigned int nodeid = 0;
	cs_error_t err = cpg_model_initialize(
		&b->handle, CPG_MODEL_V1, (cpg_model_data_t *)&model, b);

	if (err != CS_OK) {
		disconnect(b, "cannot connect", err);
		return;
	}
	err = join(b, &nodeid);
	if (err != CS_OK || nodeid < 1 || nodeid > MEMBER_MAX) {
		cpg_finalize(b->handle);
		disconnect(b, "cannot join the group", err);
		return;
	}
	b->connected = true;
	b->broken = CS_OK;
	b->member = (uint8_t)nodeid;
	b->trouble[0] = '\0';
	b->on.fd_changed(b->on.ctx, b->fd);
}

struct bus *bus_new(const char *group, const struct bus_handlers *handlers)
{
	struct bus *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	b->on = *handlers;
	b->fd = -1;
	list_init(&b->queue);
	int n = snprintf(b->group.value, sizeof(b->group.value), "vipsec:%s", group);
	b->group.length = (uint32_t)(n < (int)sizeof(b->group.value)
					     ? n
					     : (int)sizeof(b->group.value) - 1);
	connect_now(b);
	return b;
}

void bus_free(struct bus *b)
{
	if (!b)
		return;
	if (b->connected) {
		cpg_leave(b->handle, &b->group);
		cpg_finalize(b->handle);
	}
	queue_clear(b);
	free(b);
}

uint8_t bus_member(const struct bus *b)
{
	return b->connected ? b->member : 0;
}

int bus_fd(const struct bus *b)
{
	return b->fd;
}

const char *bus_trouble(const struct bus *b)
{
	return b->trouble;
}

/* Sends from the queue's head until corosync pushes back. */
static void flush(struct bus *b)
{
	while (b->connected && b->broken == CS_OK && !list_empty(&b->queue)) {
		struct waiting *w = list_entry(b->queue.next, struct waiting, link);
		struct iovec iov = {.iov_base = w->bytes, .iov_len = w->len};
		cs_error_t err = cpg_mcast_joined(b->handle, CPG_TYPE_AGREED, &iov, 1);

		if (err == CS_ERR_TRY_AGAIN)
			return;
		if (err != CS_OK) {
			b->broken = err;
			return;
		}
		b->queued -= w->len;
		list_del(&w->link);
		free(w);
	}
}

bool bus_send(struct bus *b, struct span bytes)
{
	if (!b->connected || b->broken != CS_OK)
		return false;
	if (b->queued + bytes.len > QUEUE_MAX_OCTETS) {
		b->broken = CS_ERR_QUEUE_FULL; /* others miss a message: begin anew */
		return false;
	}
	struct waiting *w = malloc(sizeof(*w) + bytes.len);
	if (!w)
		abort();
	w->len = bytes.len;
	memcpy(w->bytes, bytes.at, bytes.len);
	list_add(&b->queue, &w->link);
	b->queued += bytes.len;
	flush(b);
	return true;
}

void bus_drain(struct bus *b)
{
	if (!b->connected)
		return;
	cs_error_t err = cpg_dispatch(b->handle, CS_DISPATCH_ALL);
	if (err != CS_OK && err != CS_ERR_TRY_AGAIN)
		disconnect(b, "connection lost", err);
	flush(b);
}

void bus_tick(struct bus *b)
{
	if (b->connected && b->broken != CS_OK)
		disconnect(b, "cannot send", b->broken);
	if (!b->connected)
		connect_now(b);
	else
		flush(b);
}

/* ---- what corosync says of itself ------------------------------------------ */

static uint32_t cluster_failover_ms(void)
{
	cmap_handle_t cmap;
	uint32_t token = 0, consensus = 0;

	if (cmap_initialize(&cmap) != CS_OK)
		return 0;
	if (cmap_get_uint32(cmap, "runtime.config.totem.token", &token) != CS_OK)
		token = 0;
	if (cmap_get_uint32(cmap, "runtime.config.totem.consensus", &consensus) != CS_OK)
		consensus = 0;
	cmap_finalize(cmap);
	return token + consensus;
}

uint8_t bus_probe(uint32_t *failover_ms, char *why, size_t why_cap)
{
	cpg_model_v1_data_t model = {.model = CPG_MODEL_V1};
	cpg_handle_t handle;
	unsigned int nodeid = 0;
	cs_error_t err = cpg_model_initialize(
		&handle, CPG_MODEL_V1, (cpg_model_data_t *)&model, NULL);

	*failover_ms = 0;
	if (err == CS_OK) {
		err = cpg_local_get(handle, &nodeid);
		cpg_finalize(handle);
	}
	if (err != CS_OK) {
		snprintf(why, why_cap,
			"corosync does not answer (%s): start corosync before vipsecd",
			cs_strerror(err));
		return 0;
	}
	if (nodeid < 1 || nodeid > MEMBER_MAX) {
		snprintf(why, why_cap,
			"corosync nodeid %u is outside 1..255: set nodeid in the "
			"nodelist of "
			"corosync.conf",
			nodeid);
		return 0;
	}
	*failover_ms = cluster_failover_ms();
	return (uint8_t)nodeid;
}
