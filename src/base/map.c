/* base/map.c - hash map from short octet strings to pointers.
 *
 * Chained buckets give the lookup, one list through all entries gives the order of
 * iteration. The number of buckets is a power of two between half and four times the
 * number of entries.
 */
#include "base/map.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/siphash.h"

#include <assert.h>
#include <stdlib.h>

enum { BUCKETS_MIN = 16 };

struct entry {
	struct list order;
	struct entry *next; /* in its bucket */
	uint64_t hash;
	void *value;
	uint8_t key_len;
	uint8_t key[MAP_KEY_MAX];
};

struct map {
	struct siphash_key key;
	struct list order;
	struct entry **buckets;
	size_t n_buckets;
	size_t count;
};

struct map *map_new(const struct entropy *e)
{
	struct map *m = mem_new(1, sizeof(*m));

	m->key.k0 = entropy_u64(e);
	m->key.k1 = entropy_u64(e);
	list_init(&m->order);
	m->n_buckets = BUCKETS_MIN;
	m->buckets = mem_new(m->n_buckets, sizeof(*m->buckets));
	return m;
}

void map_free(struct map *m)
{
	if (!m)
		return;
	list_each_safe(item, &m->order) free(list_entry(item, struct entry, order));
	free(m->buckets);
	free(m);
}

static struct entry **bucket_of(const struct map *m, uint64_t hash)
{
	return &m->buckets[hash & (m->n_buckets - 1)];
}

/* Where the pointer to the entry stands, or would stand. */
static struct entry **find(const struct map *m, struct span key, uint64_t hash)
{
	struct entry **at = bucket_of(m, hash);

	while (*at && !((*at)->hash == hash &&
			      span_equal(span_of((*at)->key, (*at)->key_len), key)))
		at = &(*at)->next;
	return at;
}

static void resize(struct map *m, size_t n_buckets)
{
	free(m->buckets);
	m->n_buckets = n_buckets;
	m->buckets = mem_new(n_buckets, sizeof(*m->buckets));
	list_each(item, &m->order)
	{
		struct entry *e = list_entry(item, struct entry, order);
		struct entry **at = bucket_of(m, e->hash);
		e->next = *at;
		*at = e;
	}
}

void map_put(struct map *m, struct span key, void *value)
{
	assert(key.len <= MAP_KEY_MAX);
	uint64_t hash = siphash(&m->key, key);
	struct entry **at = find(m, key, hash);

	if (*at) {
		(*at)->value = value;
		return;
	}
	struct entry *e = mem_new(1, sizeof(*e));
	e->hash = hash;
	e->value = value;
	e->key_len = (uint8_t)key.len;
	if (key.len > 0)
		memcpy(e->key, key.at, key.len);
	*at = e;
	list_add(&m->order, &e->order);
	if (++m->count > 2 * m->n_buckets)
		resize(m, 2 * m->n_buckets);
}

void *map_get(const struct map *m, struct span key)
{
	const struct entry *e = *find(m, key, siphash(&m->key, key));
	return e ? e->value : NULL;
}

void *map_take(struct map *m, struct span key)
{
	struct entry **at = find(m, key, siphash(&m->key, key));
	struct entry *e = *at;

	if (!e)
		return NULL;
	void *value = e->value;
	*at = e->next;
	list_del(&e->order);
	free(e);
	if (--m->count < m->n_buckets / 4 && m->n_buckets > BUCKETS_MIN)
		resize(m, m->n_buckets / 2);
	return value;
}

size_t map_count(const struct map *m)
{
	return m->count;
}

void map_each(struct map *m, bool (*each)(void *value, void *ctx), void *ctx)
{
	list_each_safe(item, &m->order)
	{
		if (!each(list_entry(item, struct entry, order)->value, ctx))
			return;
	}
}
