/* wire/writer.c - a bounded pen, the mirror of the reader.
 *
 * A buffer that is too small breaks the writer; a mark that was never written is our own
 * fault and asserts.
 */
#include "wire/writer.h"

#include <assert.h>

struct writer wr_over(void *at, size_t cap)
{
	uint8_t *start = at;
	return (struct writer){.start = start, .at = start, .end = start + cap};
}

/* Where n octets go; NULL, and w broken, when they do not fit. */
static uint8_t *room(struct writer *w, size_t n)
{
	uint8_t *at = w->at;

	if (w->broken || n > (size_t)(w->end - w->at)) {
		w->broken = true;
		return NULL;
	}
	w->at += n;
	return at;
}

static void put(uint8_t *at, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		at[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static void append(struct writer *w, uint64_t v, size_t n)
{
	uint8_t *at = room(w, n);
	if (at)
		put(at, v, n);
}

void wr_u8(struct writer *w, uint8_t v)
{
	append(w, v, 1);
}

void wr_u16(struct writer *w, uint16_t v)
{
	append(w, v, 2);
}

void wr_u32(struct writer *w, uint32_t v)
{
	append(w, v, 4);
}

void wr_u64(struct writer *w, uint64_t v)
{
	append(w, v, 8);
}

void wr_bytes(struct writer *w, struct span bytes)
{
	uint8_t *at = room(w, bytes.len);
	if (at && bytes.len > 0)
		memcpy(at, bytes.at, bytes.len);
}

void wr_zeros(struct writer *w, size_t n)
{
	uint8_t *at = room(w, n);
	if (at && n > 0)
		memset(at, 0, n);
}

size_t wr_len(const struct writer *w)
{
	return (size_t)(w->at - w->start);
}

static void fill(struct writer *w, size_t mark, uint64_t v, size_t n)
{
	if (w->broken)
		return;
	assert(mark <= wr_len(w) && n <= wr_len(w) - mark);
	put(w->start + mark, v, n);
}

void wr_fill_u8(struct writer *w, size_t mark, uint8_t v)
{
	fill(w, mark, v, 1);
}

void wr_fill_u16(struct writer *w, size_t mark, uint16_t v)
{
	fill(w, mark, v, 2);
}

void wr_fill_u32(struct writer *w, size_t mark, uint32_t v)
{
	fill(w, mark, v, 4);
}

bool wr_ok(const struct writer *w)
{
	return !w->broken;
}

struct span wr_span(const struct writer *w)
{
	return span_of(w->start, w->broken ? 0 : wr_len(w));
}
