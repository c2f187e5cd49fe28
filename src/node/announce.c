/* node/announce.c - tells the link where an address is, and tells it again.
 *
 * RFC 5227 3 and RFC 4861 7.2.6: an announcement is not acknowledged, so it is sent three
 * times. It is due when an address becomes bound, and when we turn out to own it after a
 * membership with newcomers: while the cluster was in two halves, the other one may have
 * told the neighbours another story, and their caches would believe it for minutes.
 *
 * Leaves to others: the packets (port/announce.h).
 */
#include "node/core.h"

enum { COPIES = 3 };
static const uint64_t pauses_ms[COPIES - 1] = {100, 500};

static void send_copy(struct node *n, const struct scope *s, struct place *p)
{
	struct effect *f = effects_add(n->out, FX_ANNOUNCE, s->id);

	f->u.announce = p->addr;
	p->announced++;
	p->announce_ms =
		p->announced < COPIES ? n->now_ms + pauses_ms[p->announced - 1] : 0;
}

void place_announce(struct node *n, const struct scope *s, struct place *p)
{
	p->announced = 0;
	send_copy(n, s, p);
}

void announce_owned(struct node *n)
{
	for (unsigned i = 0; i < n->n_scopes; i++) {
		struct scope *s = &n->scopes[i];
		for (unsigned k = 0; !s->is_host && k < s->n_places; k++)
			if (place_serves(&s->places[k]) &&
				claims_owner(&n->claims, &s->places[k].addr) ==
					n->params.member)
				place_announce(n, s, &s->places[k]);
	}
}

/* Never for an address that we serve no longer: the next owner's word must be the last. */
void announce_settle(struct node *n, const struct scope *s, struct place *p)
{
	if (p->announce_ms == 0)
		return;
	if (!place_serves(p))
		p->announce_ms = 0;
	else if (p->announce_ms <= n->now_ms)
		send_copy(n, s, p);
}
