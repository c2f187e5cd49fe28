/* node/fetch.c - CRLs and OCSP answers: from a wish to an effect, and what comes back.
 *
 * Wishes come out of certificates that our own CAs have signed; a stranger cannot make
 * any. crypto/revocation.c keeps what is under way and what is known, and bounds both.
 */
#include "node/core.h"

void fetch_begin(struct node *n, const struct fetch_wish *wish)
{
	uint32_t id = revocations_begin(n->revocations, wish, n->wall_s);

	if (id == 0)
		return;
	struct effect *f = effects_add(n->out, FX_FETCH, 0);
	f->u.fetch.id = id;
	f->u.fetch.wish = *wish;
	node_tell(n, EVENT_DEBUG, "fetch", NULL, NULL, 0, "asking %s", wish->url);
}

void on_fetched(struct node *n, uint32_t id, struct span bytes)
{
	if (!revocations_learn(n->revocations, id, bytes, n->wall_s))
		return;
	ike_fetched(n->ike, n->now_ms);
	lapse_fetched(n, id);
}
