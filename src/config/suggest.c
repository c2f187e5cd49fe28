/* config/suggest.c - the nearest word by edit distance.
 *
 * Insertions, deletions and changes cost one each, as does swapping two neighbours, the
 * commonest slip of all (optimal string alignment). A third of the letters may be wrong.
 */
#include "config/suggest.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST = 64 };

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Three rows of the usual table are enough: this one and the two above. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][LONGEST + 1];
	size_t len_a = strlen(a), len_b = strlen(b);

	if (len_a > LONGEST || len_b > LONGEST)
		return SIZE_MAX; /* no name of ours is that long */
	for (size_t k = 0; k <= len_b; k++)
		rows[0][k] = k;

	for (size_t i = 1; i <= len_a; i++) {
		size_t *now = rows[i % 3], *up = rows[(i + 2) % 3];
		const size_t *up2 = rows[(i + 1) % 3];

		now[0] = i;
		for (size_t k = 1; k <= len_b; k++) {
			size_t cost = a[i - 1] == b[k - 1] ? 0 : 1;

			now[k] = least(up[k - 1] + cost, least(up[k], now[k - 1]) + 1);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] &&
				a[i - 2] == b[k - 1])
				now[k] = least(now[k], up2[k - 2] + 1);
		}
	}
	return rows[len_a % 3][len_b];
}

struct suggest suggest_for(const char *wrong)
{
	size_t allowed = (strlen(wrong) + 2) / 3;

	return (struct suggest){.wrong = wrong, .distance = allowed + 1};
}

void suggest_offer(struct suggest *s, const char *candidate)
{
	size_t d = distance(s->wrong, candidate);

	if (d >= s->distance)
		return;
	s->distance = d;
	s->best = candidate;
}

const char *suggest_text(const struct suggest *s, char out[SUGGEST_TEXT_MAX])
{
	out[0] = '\0';
	if (s->best != NULL)
		snprintf(out, SUGGEST_TEXT_MAX, "; did you mean \"%s\"?", s->best);
	return out;
}
