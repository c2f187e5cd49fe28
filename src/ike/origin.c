/* ike/origin.c - where callers sit, until they have proved who they are.
 *
 * What one address can make us keep and do is limited, beside what all of them together can.
 * Of IPv6 a /64 counts as one address: who has one of it has the 2^64 beside it, too. An
 * origin is there as long as one of its SAs is, those included that linger because their
 * proof was wrong: who tries again and again finds its share of work used up.
 *
 * Work is what costs a processor: key exchanges, and what is done to believe somebody. All
 * strangers have one share of it, so what they do leaves the rest to friends and to SAs that
 * are up. The limits are applied in cookie.c (work, SAs) and pieces.c (fragments).
 */
#include "ike/sa.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

enum { IPV6_PREFIX_LEN = 8, ORIGIN_WORK_SHARE = 4 /* of all strangers' work */ };

static struct span key_of(const struct addr *a, uint8_t out[IKE_ORIGIN_KEY])
{
	size_t len = a->family == ADDR_V6 ? IPV6_PREFIX_LEN : addr_len(a);

	out[0] = a->family;
	memcpy(out + 1, a->b, len);
	return span_of(out, 1 + len);
}

struct ike_origin *ike_origin_find(const struct ike_engine *e, const struct addr *a)
{
	uint8_t key[IKE_ORIGIN_KEY];

	return map_get(e->by_origin, key_of(a, key));
}

void ike_origin_join(struct ike_engine *e, struct ike_sa *sa)
{
	const struct addr *a = &sa->path.remote.addr;
	struct ike_origin *o = ike_origin_find(e, a);
	uint32_t work = 1 + e->limits.work_per_second / ORIGIN_WORK_SHARE;

	if (!o) {
		o = mem_new(1, sizeof(*o));
		struct span key = key_of(a, o->key);
		rate_init(&o->work, work, work, e->now_ms);
		map_put(e->by_origin, key, o);
		o->key_len = (uint8_t)key.len;
	}
	o->uses++;
	sa->origin = o;
}

void ike_origin_leave(struct ike_engine *e, struct ike_sa *sa)
{
	struct ike_origin *o = sa->origin;

	sa->origin = NULL;
	if (o && ike_is_half_open(sa)) /* the engine ends */
		o->half_open[sa->stranger]--;
	if (!o || --o->uses > 0)
		return;
	assert(o->half_open[false] + o->half_open[true] == 0 && o->pieces == 0);
	map_take(e->by_origin, span_of(o->key, o->key_len));
	free(o);
}

bool ike_work_charge(struct ike_engine *e, struct ike_sa *sa, uint32_t units)
{
	struct rate *all = &e->work[sa->stranger];

	if (!sa->stranger) {
		rate_charge(all, units, e->now_ms);
		return true;
	}
	if (!rate_has(all, 1, e->now_ms) ||
		(sa->origin && !rate_has(&sa->origin->work, 1, e->now_ms))) {
		e->counters.half_open_refused++;
		return false;
	}
	rate_charge(all, units, e->now_ms);
	if (sa->origin)
		rate_charge(&sa->origin->work, units, e->now_ms);
	return true;
}
