/* node/due.c - a binary heap of deadlines; each item knows its own place in it. */
#include "node/due.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAP = 64 };

void dues_free(struct dues *h)
{
	free(h->items);
	*h = (struct dues){0};
}

static void put(struct dues *h, size_t at, struct due *d)
{
	h->items[at] = d;
	d->at = at;
}

static void rise(struct dues *h, size_t at)
{
	struct due *d = h->items[at];

	while (at > 1 && h->items[at / 2]->ms > d->ms) {
		put(h, at, h->items[at / 2]);
		at /= 2;
	}
	put(h, at, d);
}

static void sink(struct dues *h, size_t at)
{
	struct due *d = h->items[at];

	for (;;) {
		size_t child = 2 * at;
		if (child < h->n && h->items[child + 1]->ms < h->items[child]->ms)
			child++;
		if (child > h->n || h->items[child]->ms >= d->ms)
			break;
		put(h, at, h->items[child]);
		at = child;
	}
	put(h, at, d);
}

static void grow(struct dues *h)
{
	size_t cap = h->cap ? 2 * h->cap : FIRST_CAP;
	struct due **items = mem_new(cap, sizeof(struct due *));

	if (h->n > 0)
		memcpy(items, h->items, (h->n + 1) * sizeof(struct due *));
	free(h->items);
	h->items = items;
	h->cap = cap;
}

void dues_set(struct dues *h, struct due *d, uint64_t ms)
{
	if (ms == UINT64_MAX) {
		dues_remove(h, d);
		return;
	}
	if (d->at == 0) {
		if (h->n + 1 >= h->cap)
			grow(h);
		put(h, ++h->n, d);
	}
	d->ms = ms;
	rise(h, d->at);
	sink(h, d->at);
}

void dues_remove(struct dues *h, struct due *d)
{
	size_t at = d->at;

	if (at == 0)
		return;
	d->at = 0;
	struct due *last = h->items[h->n--];
	if (last == d)
		return;
	put(h, at, last);
	rise(h, at);
	sink(h, last->at);
}

struct due *dues_first(const struct dues *h)
{
	return h->n > 0 ? h->items[1] : NULL;
}

uint64_t dues_first_ms(const struct dues *h)
{
	return h->n > 0 ? h->items[1]->ms : UINT64_MAX;
}
