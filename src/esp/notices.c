/* esp/notices.c - the queue of notices and what keeps strangers from filling it. */
#include "esp/notices.h"

enum { UNKNOWN_SPI_BURST = 16, UNKNOWN_SPI_PER_SECOND = 16 };

bool notice_push(struct notices *q, const struct esp_notice *n)
{
	if (q->n == NOTICES_MAX)
		return false;
	q->ring[(q->first + q->n++) % NOTICES_MAX] = *n;
	return true;
}

bool notice_pop(struct notices *q, struct esp_notice *out)
{
	if (q->n == 0)
		return false;
	*out = q->ring[q->first];
	q->first = (q->first + 1) % NOTICES_MAX;
	q->n--;
	return true;
}

/* Only traffic of our own host gets here; a weak hash costs at worst late notices. */
static struct acquired *set_of(struct notices *q, const struct esp_notice *n)
{
	uint32_t hash = (n->rule * 31 + n->scope) ^ (uint32_t)n->owner;

	for (size_t i = 0; i < sizeof n->remote.addr.b; i++)
		hash = (hash ^ n->remote.addr.b[i]) * UINT32_C(16777619);
	return q->acquired[(hash ^ hash >> 16) % ACQUIRE_SETS];
}

bool notice_acquire(struct notices *q, const struct esp_notice *n, uint64_t now_ms)
{
	struct acquired *set = set_of(q, n);
	struct acquired *oldest = &set[0];

	for (size_t i = 0; i < ACQUIRE_WAYS; i++) {
		struct acquired *a = &set[i];
		bool same = a->at_ms != 0 && a->rule == n->rule && a->scope == n->scope &&
			    a->owner == n->owner && addr_equal(&a->peer, &n->remote.addr);
		if (same && now_ms - a->at_ms < ACQUIRE_EACH_MS)
			return true;
		if (same) {
			oldest = a;
			break;
		}
		if (a->at_ms < oldest->at_ms)
			oldest = a;
	}
	/* Forgetting a recent one would let it be told twice within its second. */
	if (oldest->at_ms != 0 && now_ms - oldest->at_ms < ACQUIRE_EACH_MS)
		return false;
	if (!notice_push(q, n))
		return false;
	*oldest = (struct acquired){now_ms, n->rule, n->scope, n->remote.addr, n->owner};
	return true;
}

bool notice_unknown_spi(struct notices *q, const struct esp_notice *n, uint64_t now_ms)
{
	if (!q->rate_ready) {
		rate_init(&q->unknown_spi, UNKNOWN_SPI_BURST, UNKNOWN_SPI_PER_SECOND,
			now_ms);
		q->rate_ready = true;
	}
	return rate_allow(&q->unknown_spi, now_ms) && notice_push(q, n);
}

void notice_flow(struct notices *q, const struct esp_notice *n, uint64_t now_ms)
{
	if (!q->flows_ready) {
		rate_init(&q->flows, 1, 1, now_ms);
		q->flows_ready = true;
	}
	if (rate_allow(&q->flows, now_ms))
		(void)notice_push(q, n);
}
