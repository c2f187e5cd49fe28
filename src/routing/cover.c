/* routing/cover.c - from the range's low end, the largest aligned block that fits, again and
 * again. Arithmetic on addresses as big-endian octets.
 */
#include "routing/cover.h"

#include <assert.h>
#include <string.h>

static bool bit_of(const struct addr *a, unsigned bit)
{
	return (a->b[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

static void set_bit(struct addr *a, unsigned bit)
{
	a->b[bit / 8] = (uint8_t)(a->b[bit / 8] | 1u << (7 - bit % 8));
}

/* a with all bits from `bits` on set: the last address of that block. */
static struct addr block_end(struct addr a, unsigned bits)
{
	for (unsigned i = bits; i < 8 * addr_len(&a); i++)
		set_bit(&a, i);
	return a;
}

/* False: a was the last address of its family. */
static bool step(struct addr *a)
{
	for (size_t i = addr_len(a); i-- > 0;)
		if (++a->b[i] != 0)
			return true;
	return false;
}

/* The shortest prefix that begins at lo and does not reach beyond hi. */
static uint8_t block_bits(const struct addr *lo, const struct addr *hi)
{
	unsigned bits = (unsigned)(8 * addr_len(lo));

	while (bits > 0 && !bit_of(lo, bits - 1)) {
		struct addr end = block_end(*lo, bits - 1);
		if (addr_cmp(&end, hi) > 0)
			break;
		bits--;
	}
	return (uint8_t)bits;
}

size_t cover_range(const struct ts *t, struct prefix out[COVER_MAX])
{
	struct addr lo = t->lo;
	size_t n = 0;

	while (addr_cmp(&lo, &t->hi) <= 0) {
		assert(n < COVER_MAX);
		out[n] = (struct prefix){.addr = lo, .bits = block_bits(&lo, &t->hi)};
		lo = block_end(lo, out[n++].bits);
		if (!step(&lo))
			break;
	}
	return n;
}
