/* base/entropy.c - numbers drawn from a source of random octets, and a seeded source.
 *
 * Leaves the kernel's source to port/.
 */
#include "base/entropy.h"

#include <assert.h>

void entropy_fill(const struct entropy *e, void *out, size_t len)
{
	e->fill(e->ctx, out, len);
}

uint32_t entropy_u32(const struct entropy *e)
{
	return (uint32_t)(entropy_u64(e) >> 32);
}

/* Octet by octet, so that one seed gives one run on any machine. */
uint64_t entropy_u64(const struct entropy *e)
{
	uint8_t b[8];
	uint64_t v = 0;

	entropy_fill(e, b, sizeof(b));
	for (size_t i = 0; i < sizeof(b); i++)
		v = v << 8 | b[i];
	return v;
}

/* Draws again in the rare case that the last, incomplete stretch of 2^64 was hit: the
 * remainder alone would favour small numbers. */
static uint64_t below(const struct entropy *e, uint64_t bound)
{
	uint64_t spare = (UINT64_MAX % bound + 1) % bound;
	uint64_t v;

	do
		v = entropy_u64(e);
	while (v > UINT64_MAX - spare);
	return v % bound;
}

uint32_t entropy_below(const struct entropy *e, uint32_t bound)
{
	assert(bound > 0);
	return (uint32_t)below(e, bound);
}

uint64_t entropy_jitter(const struct entropy *e, uint64_t value, unsigned percent)
{
	assert(percent <= 100);
	uint64_t spread = value / 100 * percent + value % 100 * percent / 100;

	if (spread == 0 || spread > UINT64_MAX / 4)
		return value;
	return value - spread + below(e, 2 * spread + 1);
}

static void seeded_fill(void *ctx, uint8_t *out, size_t len)
{
	struct seeded_entropy *s = ctx;

	while (len > 0) {
		s->state += 0x9e3779b97f4a7c15U;
		uint64_t z = s->state;
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
		z ^= z >> 31;
		for (int i = 0; i < 8 && len > 0; i++, len--)
			*out++ = (uint8_t)(z >> (8 * i));
	}
}

struct entropy entropy_seeded(struct seeded_entropy *s, uint64_t seed)
{
	s->state = seed;
	return (struct entropy){.fill = seeded_fill, .ctx = s};
}
