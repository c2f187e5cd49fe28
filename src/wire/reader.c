/* wire/reader.c - a bounded cursor over bytes we did not write.
 *
 * The one place that compares a length from outside with the end of the bytes.
 */
#include "wire/reader.h"

struct reader rd_over(struct span bytes)
{
	static const uint8_t nothing[1];
	const uint8_t *at = bytes.at ? bytes.at : nothing;
	return (struct reader){.at = at, .end = at + bytes.len};
}

/* Where n octets stand; NULL, and r broken, when r is short. */
static const uint8_t *take(struct reader *r, size_t n)
{
	const uint8_t *at = r->at;

	if (r->broken || n > (size_t)(r->end - r->at)) {
		r->broken = true;
		r->at = r->end;
		return NULL;
	}
	r->at += n;
	return at;
}

static uint64_t big_endian(struct reader *r, size_t n)
{
	const uint8_t *at = take(r, n);
	uint64_t v = 0;

	if (!at)
		return 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | at[i];
	return v;
}

uint8_t rd_u8(struct reader *r)
{
	return (uint8_t)big_endian(r, 1);
}

uint16_t rd_u16(struct reader *r)
{
	return (uint16_t)big_endian(r, 2);
}

uint32_t rd_u32(struct reader *r)
{
	return (uint32_t)big_endian(r, 4);
}

uint64_t rd_u64(struct reader *r)
{
	return big_endian(r, 8);
}

struct span rd_bytes(struct reader *r, size_t n)
{
	const uint8_t *at = take(r, n);
	return at ? span_of(at, n) : span_of(r->end, 0);
}

struct span rd_rest(struct reader *r)
{
	return rd_bytes(r, rd_left(r));
}

void rd_skip(struct reader *r, size_t n)
{
	take(r, n);
}

struct reader rd_sub(struct reader *r, size_t n)
{
	struct reader sub = rd_over(rd_bytes(r, n));
	sub.broken = r->broken;
	return sub;
}

size_t rd_left(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

bool rd_ok(const struct reader *r)
{
	return !r->broken;
}

bool rd_done(const struct reader *r)
{
	return !r->broken && r->at == r->end;
}
