/* xfrm/numbers.h - how far the numbers of a child's two SAs have come, between the kernel's
 * words for it and esp/replay_state.h.
 *
 * Floor 8.
 */
#ifndef VIPSEC_XFRM_NUMBERS_H
#define VIPSEC_XFRM_NUMBERS_H

#include "esp/replay_state.h"
#include "xfrm/sad.h"

/* Both directions. False: the kernel has not got the incoming SA any more. */
bool numbers_read(
	struct sad *cs, const struct sad_child *c, struct esp_replay_state *out);
/* Goes on with both. Result: 0 or an errno. */
int numbers_set(struct sad *cs, const struct sad_scope *s, struct sad_child *c,
	const struct esp_replay_state *state);
/* The kernel tells (EVENT_NUMBERS) after so many packets, of this child's SAs, also of those that
 * take their place; after so long they are due. Both 0: no more. */
void numbers_watch(struct sad *cs, struct sad_child *c, uint32_t packets, uint32_t ms);
/* By the last look. */
bool numbers_are_due(const struct sad_child *c, uint64_t now_ms);
void numbers_told(struct sad_child *c, const struct esp_replay_state *s, uint64_t now_ms);

/* The kernel's form of one direction, and back. A bitmap is a ring there, and the highest
 * number's place in it is that number, less one, modulo the window. */
struct request_replay;
bool numbers_from_kernel(const struct request_replay *r, struct esp_replay_state *out);
void numbers_to_kernel(const struct esp_replay_state *s, struct request_replay *r);

#endif
