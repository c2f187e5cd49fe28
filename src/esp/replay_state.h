/* esp/replay_state.h - what the numbers of an SA have come to (RFC 4303 3.3.3, 3.4.3): taken
 * out of one data path, put into another that goes on with the SA.
 *
 * Floor 2.
 */
#ifndef VIPSEC_ESP_REPLAY_STATE_H
#define VIPSEC_ESP_REPLAY_STATE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	ESP_REPLAY_MIN = 32, /* RFC 4303 3.4.3 */
	ESP_REPLAY_MAX = 4096, /* packets that a window may span */
	ESP_REPLAY_WORD = 64
};

struct esp_replay_state {
	uint64_t seq_out; /* the last number sent; 0: none yet */
	uint64_t seq_in; /* the highest received; 0: none yet */
	uint32_t window; /* packets; what is older counts as received. 0: no check */
	/* Bit i, counted from the lowest of the first word: seq_in - i has been received. */
	uint64_t seen[ESP_REPLAY_MAX / ESP_REPLAY_WORD];
};

/* What a window of so many packets is made: the next power of two. (A ring of another size
 * cannot be numbered over the end of the 32 bits on the wire, RFC 6479 2, and that is how
 * the kernel numbers its own.) 0 stays 0. */
uint32_t esp_replay_window(uint32_t packets);

bool esp_replay_state_has(const struct esp_replay_state *s, uint64_t back);
void esp_replay_state_mark(struct esp_replay_state *s, uint64_t back);
/* To be taken for received: it was, or it is too old to tell, whatever the window says. */
bool esp_replay_state_seen(const struct esp_replay_state *s, uint64_t seq);
/* Goes on with what the other has come to, never back: of the numbers the higher ones, and
 * what either has seen has been seen. The window stays as it is. */
void esp_replay_state_join(
	struct esp_replay_state *s, const struct esp_replay_state *other);

#endif
