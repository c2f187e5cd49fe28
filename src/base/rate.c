/* base/rate.c - a token bucket, counted in thousandths so that slow rates do not starve.
 *
 * One millisecond brings per_second thousandths of a token: no division, no drift.
 */
#include "base/rate.h"

void rate_init(struct rate *r, uint32_t burst, uint32_t per_second, uint64_t now_ms)
{
	*r = (struct rate){
		.burst = burst,
		.per_second = per_second,
		.milli = (uint64_t)burst * 1000,
		.last_ms = now_ms,
	};
}

static void refill(struct rate *r, uint64_t now_ms)
{
	uint64_t full = (uint64_t)r->burst * 1000;

	if (now_ms <= r->last_ms || r->per_second == 0)
		return;
	uint64_t elapsed = now_ms - r->last_ms;
	r->last_ms = now_ms;
	/* Divided, since the product could overflow after a long silence. */
	if (elapsed > (full - r->milli) / r->per_second)
		r->milli = full;
	else
		r->milli += elapsed * r->per_second;
}

bool rate_allow(struct rate *r, uint64_t now_ms)
{
	refill(r, now_ms);
	if (r->milli < 1000) {
		r->refused++;
		return false;
	}
	r->milli -= 1000;
	return true;
}

bool rate_has(struct rate *r, uint32_t tokens, uint64_t now_ms)
{
	refill(r, now_ms);
	return r->milli >= (uint64_t)tokens * 1000;
}

void rate_charge(struct rate *r, uint32_t tokens, uint64_t now_ms)
{
	uint64_t milli = (uint64_t)tokens * 1000;

	refill(r, now_ms);
	r->milli -= milli < r->milli ? milli : r->milli;
}
