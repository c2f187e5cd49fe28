/* doctor/look_cluster.c - corosync's services, asked in a child: libqb may wait for ever. */
#include "doctor/look.h"

#include <poll.h>

#include "doctor/apart.h"
#include "port/bus.h"
#include "port/quorum.h"

enum { ASKING_MS = 5000, QUORUM_MS = 1000 };

static void on_quorum(void *ctx, bool quorate)
{
	struct facts_cluster *x = ctx;

	x->quorate = quorate;
}

static void on_fd(void *ctx, int fd)
{
	(void)ctx;
	(void)fd;
}

static void ask(void *facts, const void *ctx)
{
	struct facts_cluster *x = facts;
	struct quorum_handlers handlers = {
		.changed = on_quorum, .fd_changed = on_fd, .ctx = x};
	(void)ctx;

	x->cpg = bus_probe(&x->failover_ms, x->why, sizeof(x->why)) != 0;
	if (!x->cpg)
		return;
	x->cmap = x->failover_ms != 0;
	struct quorum *q = quorum_new(&handlers);
	struct pollfd p = {.fd = quorum_fd(q), .events = POLLIN};
	x->quorum = p.fd >= 0;
	if (x->quorum && poll(&p, 1, QUORUM_MS) > 0)
		quorum_drain(q);
}

void look_cluster(const struct patient *p, struct facts_cluster *x)
{
	const struct config *c = p->config;

	*x = (struct facts_cluster){
		.wanted = c && c->cluster.backend == BACKEND_COROSYNC};
	if (!x->wanted)
		return;
	x->configured_failover_ms = c->cluster.failover_time_ms;
	x->idle_ms = c->tuning.idle_timeout_ms;
	x->idle_failover_ms = c->tuning.idle_timeout_failover_ms;
	x->silent = !apart_run(ask, NULL, x, sizeof(*x), ASKING_MS);
}
