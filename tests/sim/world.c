/* tests/sim/world.c - the heap of things to come, the dice, the hash.
 */
#include "sim/sim.h"

#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEAP_FIRST = 256 };

void world_init(struct sim *s, uint64_t seed, bool tracing)
{
	s->world = (struct world){.seed = seed,
		.now_ms = 1000,
		.cap = HEAP_FIRST,
		.hash = seed,
		.tracing = tracing};
	s->world.heap = mem_new(HEAP_FIRST, sizeof(struct planned));
}

void world_free(struct sim *s)
{
	for (size_t i = 0; i < s->world.n; i++)
		free(s->world.heap[i].act.own);
	free(s->world.heap);
}

/* ---- the heap ------------------------------------------------------------------ */

static bool sooner(const struct planned *a, const struct planned *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void swap(struct planned *a, struct planned *b)
{
	struct planned t = *a;

	*a = *b;
	*b = t;
}

void world_at(struct sim *s, uint64_t at_ms, struct action a)
{
	struct world *w = &s->world;

	if (w->n == w->cap) {
		struct planned *more = mem_new(w->cap * 2, sizeof(*more));
		memcpy(more, w->heap, w->n * sizeof(*more));
		free(w->heap);
		w->heap = more;
		w->cap *= 2;
	}
	size_t i = w->n++;
	if (at_ms < w->now_ms)
		at_ms = w->now_ms;
	w->heap[i] = (struct planned){at_ms, w->order++, a};
	for (; i > 0 && sooner(&w->heap[i], &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&w->heap[i], &w->heap[(i - 1) / 2]);
}

static struct planned take_first(struct world *w)
{
	struct planned first = w->heap[0];
	size_t i = 0;

	w->heap[0] = w->heap[--w->n];
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= w->n)
			return first;
		if (child + 1 < w->n && sooner(&w->heap[child + 1], &w->heap[child]))
			child++;
		if (!sooner(&w->heap[child], &w->heap[i]))
			return first;
		swap(&w->heap[i], &w->heap[child]);
		i = child;
	}
}

void world_run(struct sim *s, uint64_t until_ms)
{
	struct world *w = &s->world;

	while (!w->failed && w->n > 0 && w->heap[0].at_ms <= until_ms) {
		struct planned p = take_first(w);
		assert(p.at_ms >= w->now_ms);
		w->now_ms = p.at_ms;
		p.act.run(s, &p.act);
		free(p.act.own);
	}
	if (!w->failed)
		w->now_ms = until_ms;
}

/* ---- dice ------------------------------------------------------------------------- */

void stream_init(struct stream *st, uint64_t seed, unsigned which)
{
	st->from = entropy_seeded(
		&st->state, seed * UINT64_C(0x9e3779b97f4a7c15) + which * 7919u);
	(void)entropy_u64(&st->from);
}

uint32_t roll(struct stream *st, uint32_t bound)
{
	return entropy_below(&st->from, bound);
}

uint64_t roll_between(struct stream *st, uint64_t lo, uint64_t hi)
{
	assert(lo <= hi);
	return lo + entropy_below(&st->from, (uint32_t)(hi - lo + 1));
}

bool chance(struct stream *st, uint32_t in_10000)
{
	return entropy_below(&st->from, 10000) < in_10000;
}

/* ---- the hash, and words ------------------------------------------------------------ */

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

uint64_t hash_bytes(uint64_t hash, struct span bytes)
{
	uint64_t word = 0;

	for (size_t i = 0; i < bytes.len; i++) {
		word = word << 8 | bytes.at[i];
		if (i % 8 == 7) {
			hash = mix(hash, word);
			word = 0;
		}
	}
	return mix(mix(hash, word), bytes.len);
}

void world_note(struct sim *s, unsigned who, unsigned what, struct span bytes)
{
	uint64_t hash = mix(s->world.hash, s->world.now_ms << 16 | who << 8 | what);

	s->world.hash = hash_bytes(hash, bytes);
}

void trace(struct sim *s, const char *format, ...)
{
	va_list args;

	if (!s->world.tracing)
		return;
	printf("%6llu.%03u  ", (unsigned long long)(s->world.now_ms / 1000),
		(unsigned)(s->world.now_ms % 1000));
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void violation(struct sim *s, const char *format, ...)
{
	struct world *w = &s->world;
	va_list args;

	if (w->failed)
		return;
	w->failed = true;
	w->failed_ms = w->now_ms;
	va_start(args, format);
	vsnprintf(w->why, sizeof(w->why), format, args);
	va_end(args);
	trace(s, "VIOLATION %s", w->why);
}
