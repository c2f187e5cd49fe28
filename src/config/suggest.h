/* config/suggest.h - what a misspelt word was probably meant to be.
 *
 * Floor 2; within the room.
 */
#ifndef VIPSEC_CONFIG_SUGGEST_H
#define VIPSEC_CONFIG_SUGGEST_H

#include <stddef.h>

/* Candidates are offered one by one; the nearest stays. */
struct suggest {
	const char *wrong;
	const char *best; /* NULL: nothing is near enough; borrowed from the caller */
	size_t distance;
};

enum { SUGGEST_TEXT_MAX = 320 };

struct suggest suggest_for(const char *wrong);
void suggest_offer(struct suggest *s, const char *candidate);
/* `; did you mean "x"?`, or the empty string. Returns out. */
const char *suggest_text(const struct suggest *s, char out[SUGGEST_TEXT_MAX]);

#endif
