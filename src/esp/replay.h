/* esp/replay.h - which sequence numbers have been received. Private to the room.
 *
 * RFC 4303 3.4.3 and appendix A2, with the bitmap of RFC 6479: a ring of words one longer
 * than the window, so that moving it clears whole words and shifts nothing.
 */
#ifndef VIPSEC_ESP_REPLAY_H
#define VIPSEC_ESP_REPLAY_H

#include "esp/replay_state.h"

struct esp_replay {
	uint64_t top; /* the highest number that proved authentic; 0: none yet */
	uint32_t window; /* packets; 0: every number is fresh */
	uint32_t words; /* of the ring, a power of two */
	uint64_t *ring;
	bool esn;
};

void esp_replay_init(struct esp_replay *r, uint32_t window, bool esn);
void esp_replay_wipe(struct esp_replay *r);

/* The whole number behind the 32 bits on the wire. With ESN a guess that the integrity
 * check confirms or not (RFC 4303 A2.2). 0: no number that could be meant. */
uint64_t esp_replay_number(const struct esp_replay *r, uint32_t low);
/* Neither seen before nor left of the window. */
bool esp_replay_fresh(const struct esp_replay *r, uint64_t seq);
/* Only for a number whose packet is authentic and fresh. */
void esp_replay_accept(struct esp_replay *r, uint64_t seq);

/* Out and in again; seq_out is the caller's. Of a larger window what is within
 * ESP_REPLAY_MAX. */
void esp_replay_export(const struct esp_replay *r, struct esp_replay_state *out);
void esp_replay_import(struct esp_replay *r, const struct esp_replay_state *from);

#endif
