/* tests/sim/hashes.h - what was seen: a set of hashes, with a value for each.
 *
 * It may forget in turns: then it knows all that it was told since the last turn, and in
 * the turn before that.
 */
#ifndef VIPSEC_SIM_HASHES_H
#define VIPSEC_SIM_HASHES_H

#include <stddef.h>
#include <stdint.h>

struct hashes {
	struct hashes_turn {
		uint64_t *keys, *values;
		size_t n, cap;
	} now, before;
	uint64_t turn_ms; /* 0: nothing is forgotten */
	uint64_t turned_ms;
};

/* From now on in turns of so long, each with room for so many. */
void hashes_forget(struct hashes *h, uint64_t turn_ms, size_t room);
void hashes_free(struct hashes *h);
/* What stood there before; 0: nothing, and now value does. */
uint64_t hashes_put(struct hashes *h, uint64_t now_ms, uint64_t key, uint64_t value);

#endif
