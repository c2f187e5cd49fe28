/* base/map.h - hash map from short octet strings to pointers.
 *
 * Keyed with SipHash under a key drawn at creation, so a stranger who chooses keys (an
 * initiator's SPI, an address) cannot make buckets long. Grows and shrinks by itself;
 * iteration order is that of insertion, so a run is the same for the same seed.
 *
 * Floor 0. Borrows the values.
 */
#ifndef VIPSEC_BASE_MAP_H
#define VIPSEC_BASE_MAP_H

#include "base/entropy.h"
#include "base/span.h"

#define MAP_KEY_MAX 64

struct map;

struct map *map_new(const struct entropy *e);
void map_free(struct map *m); /* not the values */
/* key.len <= MAP_KEY_MAX; an existing value is replaced. */
void map_put(struct map *m, struct span key, void *value);
void *map_get(const struct map *m, struct span key); /* NULL: not there */
void *map_take(struct map *m, struct span key); /* removes; NULL: not there */
size_t map_count(const struct map *m);
/* Calls each until it returns false. The callback may remove the entry it was called
 * for, and no other; it may not add. */
void map_each(struct map *m, bool (*each)(void *value, void *ctx), void *ctx);

#endif
