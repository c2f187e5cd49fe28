/* ike/pair.c - which SAs belong to one pair of identities in one scope.
 *
 * RFC 7296 2.4 speaks of "the authenticated identities": SAs of one pair may replace each
 * other, whatever addresses they run between. An SA joins when the peer's identity is
 * known: a call when it begins, a caller when it is believed.
 */
#include "ike/sa.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

static struct span key_of(const struct ike_pair *p)
{
	return span_of(p->key, sizeof(p->key));
}

static void digest(const struct ike_sa *sa, uint8_t out[SHA256_LEN])
{
	const struct identity *local = &sa->conn->local_id,
			      *remote = &sa->conn->remote_id;
	const uint8_t head[] = {(uint8_t)(sa->path.scope >> 8), (uint8_t)sa->path.scope,
		local->type, (uint8_t)(local->len >> 8), (uint8_t)local->len,
		remote->type};
	const struct span parts[] = {span_of(head, sizeof(head)),
		span_of(local->b, local->len), span_of(remote->b, remote->len)};
	enum crypto_err err = sha256(parts, 3, out);

	assert(err == CRYPTO_OK); /* fails for want of memory alone */
}

void ike_pair_join(struct ike_engine *e, struct ike_sa *sa)
{
	uint8_t key[SHA256_LEN];

	ike_pair_leave(e, sa);
	if (identity_is_any(&sa->conn->remote_id))
		return;
	digest(sa, key);
	struct ike_pair *p = map_get(e->by_pair, span_of(key, sizeof(key)));
	if (!p) {
		p = mem_new(1, sizeof(*p));
		list_init(&p->members);
		memcpy(p->key, key, sizeof(key));
		map_put(e->by_pair, key_of(p), p);
	}
	list_add(&p->members, &sa->kin);
	sa->pair = p;
}

void ike_pair_leave(struct ike_engine *e, struct ike_sa *sa)
{
	struct ike_pair *p = sa->pair;

	if (!p)
		return;
	list_del(&sa->kin);
	sa->pair = NULL;
	if (!list_empty(&p->members))
		return;
	map_take(e->by_pair, key_of(p));
	free(p);
}
