/* daemon/fetching.c - FX_FETCH to libcurl, and the answer back to the node.
 *
 * Nothing is made before the first certificate asks for it. A VIP's own address is never
 * asked: on the node that has it the answer would be ours, elsewhere another's.
 */
#include "daemon/fetching.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "daemon/step.h"
#include "daemon/tell.h"
#include "port/fetch.h"

static void on_done(
	void *ctx, uint32_t id, struct span answer, const char *url, const char *why)
{
	struct daemon *d = ctx;
	struct node_event ev = {.kind = NODE_FETCHED};

	if (answer.len == 0)
		tell(d, EVENT_WARNING, "fetch",
			"%s cannot be had: %s: what it would say about revocation is not "
			"known",
			url, why[0] ? why : "an empty answer");
	ev.u.fetched.id = id;
	ev.u.fetched.bytes = answer;
	if (!d->exiting)
		step_node(d, &ev);
}

static bool refuses(void *ctx, const struct addr *to)
{
	const struct daemon *d = ctx;
	const struct config *c = node_config(d->node);

	for (unsigned i = 0; c && i < c->n_vips; i++)
		for (unsigned k = 0; k < c->vips[i].n_addrs; k++)
			if (addr_equal(&c->vips[i].addrs[k], to))
				return true;
	return false;
}

/* One that cannot even be asked is answered all the same, when this step is over. */
struct unasked {
	struct daemon *d;
	uint32_t id;
	char url[FETCH_URL_MAX];
};

static void on_unasked(void *data)
{
	struct unasked *u = data;

	on_done(u->d, u->id, span_of(NULL, 0), u->url, "libcurl cannot be used");
	free(u);
}

static void give_up(struct daemon *d, const struct effect *fx)
{
	struct unasked *u = mem_new(1, sizeof(*u));

	*u = (struct unasked){.d = d, .id = fx->u.fetch.id};
	snprintf(u->url, sizeof(u->url), "%s", fx->u.fetch.wish.url);
	if (qb_loop_job_add(d->loop, QB_LOOP_LOW, u, on_unasked) != 0)
		free(u);
}

void fetching_begin(struct daemon *d, const struct effect *fx)
{
	struct fetcher_hands hands = {.done = on_done, .refuses = refuses, .ctx = d};

	if (!d->fetcher)
		d->fetcher = fetcher_new(d->loop, &hands);
	if (d->fetcher)
		fetcher_begin(d->fetcher, fx->u.fetch.id, &fx->u.fetch.wish);
	else
		give_up(d, fx);
}

void fetching_close(struct daemon *d)
{
	fetcher_free(d->fetcher);
}
