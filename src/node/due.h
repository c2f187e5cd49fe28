/* node/due.h - who is due next, among thousands: a binary heap of deadlines.
 *
 * The deadline stands inside its owner, which finds itself again with due_entry().
 * Private to the room.
 *
 * Floor 4. The heap owns its array, not the owners.
 */
#ifndef VIPSEC_NODE_DUE_H
#define VIPSEC_NODE_DUE_H

#include <stddef.h>
#include <stdint.h>

struct due {
	uint64_t ms; /* meaningless while not in a heap */
	size_t at; /* place in the heap, from 1; 0: in none */
};

struct dues {
	struct due **items; /* items[0] is not used */
	size_t n, cap;
};

void dues_free(struct dues *h);
/* Puts it in, or moves it. UINT64_MAX: takes it out. */
void dues_set(struct dues *h, struct due *d, uint64_t ms);
void dues_remove(struct dues *h, struct due *d); /* in none: nothing happens */
struct due *dues_first(const struct dues *h); /* NULL: empty */
uint64_t dues_first_ms(const struct dues *h); /* UINT64_MAX: empty */

#define due_entry(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
