/* daemon/resolving.c - FX_RESOLVE to c-ares, and the answer back to the node.
 *
 * Nothing is made before the first name is asked for. What is asked leaves from this host's
 * own address, and is judged by the policy as any other packet.
 */
#include "daemon/resolving.h"

#include <stdlib.h>

#include "base/mem.h"
#include "daemon/step.h"
#include "port/resolve.h"

static void on_done(void *ctx, uint32_t id, const struct addr *addrs, size_t n,
	uint32_t ttl_s, const char *why)
{
	struct daemon *d = ctx;
	struct node_event ev = {.kind = NODE_RESOLVED};

	ev.u.resolved.id = id;
	ev.u.resolved.addrs = addrs;
	ev.u.resolved.n = n;
	ev.u.resolved.ttl_s = ttl_s;
	ev.u.resolved.why = why;
	if (!d->exiting)
		step_node(d, &ev);
}

/* One that cannot even be asked is answered all the same, when this step is over. */
struct unasked {
	struct daemon *d;
	uint32_t id;
};

static void on_unasked(void *data)
{
	struct unasked *u = data;

	on_done(u->d, u->id, NULL, 0, 0, "no descriptors for the resolver");
	free(u);
}

static void give_up(struct daemon *d, uint32_t id)
{
	struct unasked *u = mem_new(1, sizeof(*u));

	*u = (struct unasked){.d = d, .id = id};
	if (qb_loop_job_add(d->loop, QB_LOOP_LOW, u, on_unasked) != 0)
		free(u);
}

void resolving_begin(struct daemon *d, const struct effect *fx)
{
	const struct resolver_hands hands = {.done = on_done, .ctx = d};

	if (!d->resolver)
		d->resolver = resolver_new(d->loop, &hands);
	if (d->resolver)
		resolver_begin(d->resolver, fx->u.resolve.id, fx->u.resolve.name);
	else
		give_up(d, fx->u.resolve.id);
}

void resolving_close(struct daemon *d)
{
	resolver_free(d->resolver);
}
