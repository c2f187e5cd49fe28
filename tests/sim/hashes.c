/* tests/sim/hashes.c - open addressing; a key of 0 is an empty slot.
 */
#include "sim/hashes.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { CAP_FIRST = 4096 };

static size_t slot_of(const struct hashes_turn *t, uint64_t key)
{
	size_t i = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (t->cap - 1);

	while (t->keys[i] != 0 && t->keys[i] != key)
		i = (i + 1) & (t->cap - 1);
	return i;
}

static void turn_init(struct hashes_turn *t, size_t cap)
{
	*t = (struct hashes_turn){.cap = cap,
		.keys = mem_new(cap, sizeof(uint64_t)),
		.values = mem_new(cap, sizeof(uint64_t))};
}

static void turn_free(struct hashes_turn *t)
{
	free(t->keys);
	free(t->values);
	*t = (struct hashes_turn){0};
}

static void put_new(struct hashes_turn *t, uint64_t key, uint64_t value)
{
	size_t i = slot_of(t, key);

	t->keys[i] = key;
	t->values[i] = value;
	t->n++;
}

static void grow(struct hashes_turn *t)
{
	struct hashes_turn old = *t;

	turn_init(t, old.cap ? 2 * old.cap : CAP_FIRST);
	for (size_t i = 0; i < old.cap; i++)
		if (old.keys[i] != 0)
			put_new(t, old.keys[i], old.values[i]);
	turn_free(&old);
}

static uint64_t get(const struct hashes_turn *t, uint64_t key)
{
	size_t i = t->cap ? slot_of(t, key) : 0;

	return t->cap && t->keys[i] == key ? t->values[i] : 0;
}

/* The older one is emptied and used again, so that what this takes does not change. */
static void take_turn(struct hashes *h)
{
	struct hashes_turn t = h->before;

	memset(t.keys, 0, t.cap * sizeof(*t.keys));
	t.n = 0;
	h->before = h->now;
	h->now = t;
}

void hashes_forget(struct hashes *h, uint64_t turn_ms, size_t room)
{
	size_t cap = CAP_FIRST;

	while (cap < 2 * room)
		cap *= 2;
	hashes_free(h);
	turn_init(&h->now, cap);
	turn_init(&h->before, cap);
	h->turn_ms = turn_ms;
}

void hashes_free(struct hashes *h)
{
	turn_free(&h->now);
	turn_free(&h->before);
}

uint64_t hashes_put(struct hashes *h, uint64_t now_ms, uint64_t key, uint64_t value)
{
	uint64_t found = get(&h->now, key);

	if (found == 0)
		found = get(&h->before, key);
	if (found != 0)
		return found;
	if (h->turn_ms != 0 && now_ms - h->turned_ms >= h->turn_ms) {
		take_turn(h);
		h->turned_ms = now_ms;
	}
	if (2 * (h->now.n + 1) > h->now.cap)
		grow(&h->now);
	put_new(&h->now, key, value);
	return 0;
}
