/* esp/replay_state.h - what the numbers of an SA have come to (RFC 4303 3.4.3).
 *
 * Floor 2.
 */
#ifndef VIPSEC_ESP_REPLAY_STATE_H
#define VIPSEC_ESP_REPLAY_STATE_H

#include <stdint.h>

enum {
	ESP_REPLAY_MIN = 32, /* RFC 4303 3.4.3 */
	ESP_REPLAY_MAX = 4096 /* packets that a window may span */
};

/* What a window of so many packets is made: the next power of two. (A ring of another size
 * cannot be numbered over the end of the 32 bits on the wire, RFC 6479 2, and that is how
 * the kernel numbers its own.) 0 stays 0. */
uint32_t esp_replay_window(uint32_t packets);

#endif
