/* config/part.h - one part of an algorithm's name: what exists, and what does not and why.
 * Private to the room.
 */
#ifndef VIPSEC_CONFIG_PART_H
#define VIPSEC_CONFIG_PART_H

#include "config/block.h"

struct algorithm {
	const char *name;
	unsigned id;
};

struct refused {
	const char *name;
	const char *why; /* NULL: it is just not here */
};

/* One part of a suite: what exists, in order of preference, and what does not. */
struct part {
	const char *what;
	const struct algorithm *known;
	size_t n_known;
	const struct refused *others;
	size_t n_others;
};

#define PART(what, known, others)                                      \
	{                                                              \
		what, known, COUNT_OF(known), others, COUNT_OF(others) \
	}

/* False: the reason has been reported. */
bool part_find(struct draft *d, struct place at, const struct part *part,
	const char *name, unsigned *out);

#endif
