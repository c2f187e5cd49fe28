/* esp/replay.c - the anti-replay window.
 *
 * Obeys RFC 4303 2.2.1, 3.4.3, A2.1 and A2.2, RFC 4302 3.4.3, RFC 6479 2. What a takeover
 * means for the window (a standby's lags) is left to those who import one.
 */
#include "esp/replay.h"

#include "base/mem.h"
#include "base/secret.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_BITS = 64, WINDOW_MAX = 1 << 16 };
/* Without a check, ESN still needs a window to guess the upper half by. */
enum { GUESS_WINDOW = 64 };

void esp_replay_init(struct esp_replay *r, uint32_t window, bool esn)
{
	assert(window <= WINDOW_MAX);
	*r = (struct esp_replay){.window = window, .esn = esn, .words = 1};
	/* RFC 6479 2: one word more than the window fills, for the one being cleared. */
	while (r->words * WORD_BITS < window + WORD_BITS)
		r->words *= 2;
	r->ring = mem_new(r->words, sizeof *r->ring);
}

void esp_replay_wipe(struct esp_replay *r)
{
	free(r->ring);
	*r = (struct esp_replay){.top = 0};
}

uint64_t esp_replay_number(const struct esp_replay *r, uint32_t low)
{
	if (!r->esn)
		return low;

	uint32_t window = r->window == 0 ? GUESS_WINDOW : r->window;
	uint64_t high = r->top >> 32;
	uint32_t bottom = (uint32_t)r->top - window + 1;

	if ((uint32_t)r->top >= window - 1) {
		/* Case A: the window lies within one subspace; left of it is the next. */
		if (low < bottom)
			high++;
	} else if (low >= bottom) {
		/* Case B: it spans two, and this is the end of the one before. */
		if (high == 0)
			return 0;
		high--;
	}
	return high << 32 | low;
}

static uint64_t *word_of(const struct esp_replay *r, uint64_t seq)
{
	return &r->ring[(seq / WORD_BITS) & (r->words - 1)];
}

static uint64_t bit_of(uint64_t seq)
{
	return UINT64_C(1) << (seq % WORD_BITS);
}

bool esp_replay_fresh(const struct esp_replay *r, uint64_t seq)
{
	/* RFC 4303 3.3.3: the first packet is number 1. */
	if (seq == 0)
		return false;
	if (r->window == 0 || seq > r->top)
		return true;
	if (r->top - seq >= r->window)
		return false;
	return (*word_of(r, seq) & bit_of(seq)) == 0;
}

void esp_replay_accept(struct esp_replay *r, uint64_t seq)
{
	if (seq > r->top) {
		uint64_t steps = seq / WORD_BITS - r->top / WORD_BITS;

		for (uint64_t i = 0; i < steps && i < r->words; i++)
			*word_of(r, seq - i * WORD_BITS) = 0;
		r->top = seq;
	}
	*word_of(r, seq) |= bit_of(seq);
}

void esp_replay_export(const struct esp_replay *r, struct esp_replay_state *out)
{
	uint32_t window = r->window < ESP_REPLAY_MAX ? r->window : ESP_REPLAY_MAX;

	*out = (struct esp_replay_state){.seq_in = r->top, .window = window};
	for (uint64_t back = 0; back < window && back < r->top; back++)
		if ((*word_of(r, r->top - back) & bit_of(r->top - back)) != 0)
			esp_replay_state_mark(out, back);
}

void esp_replay_import(struct esp_replay *r, const struct esp_replay_state *from)
{
	struct esp_replay_state both;

	esp_replay_export(r, &both);
	esp_replay_state_join(&both, from);
	memset(r->ring, 0, r->words * sizeof *r->ring);
	r->top = both.seq_in;
	for (uint64_t back = 0; back < r->window && back < r->top; back++)
		if (esp_replay_state_seen(&both, r->top - back))
			*word_of(r, r->top - back) |= bit_of(r->top - back);
}
