/* daemon/fetching.c - FX_FETCH to libcurl, and the answer back to the node.
 *
 * Nothing is made before the first certificate asks for it. A VIP's own address is never
 * asked: on the node that has it the answer would be ours, elsewhere another's.
 */
#include "daemon/fetching.h"

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

void fetching_begin(struct daemon *d, const struct effect *fx)
{
	struct fetcher_hands hands = {.done = on_done, .refuses = refuses, .ctx = d};

	if (!d->fetcher)
		d->fetcher = fetcher_new(d->loop, &hands);
	if (d->fetcher)
		fetcher_begin(d->fetcher, fx->u.fetch.id, &fx->u.fetch.wish);
	else
		journal_say(EVENT_ERROR, "libcurl cannot be used: %s is not asked",
			fx->u.fetch.wish.url);
}

void fetching_close(struct daemon *d)
{
	fetcher_free(d->fetcher);
}
