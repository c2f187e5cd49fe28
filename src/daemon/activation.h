/* daemon/activation.h - the activation number on disk, a few ahead of its use.
 *
 * The node demands that an activation is on disk before the first packet is sealed under
 * it. A flush takes milliseconds, and binding a VIP must not wait for it: so the number on
 * disk is a ceiling, raised by ACTIVATION_AHEAD at a time while nothing is urgent. After a
 * restart the node goes on above the ceiling; what was reserved and not used is skipped.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_ACTIVATION_H
#define VIPSEC_DAEMON_ACTIVATION_H

#include "daemon/store.h"

enum { ACTIVATION_AHEAD = 8 };

struct activation {
	struct store *store; /* borrowed */
	uint32_t used, ceiling; /* used <= ceiling, and the ceiling is on disk */
};

/* Reads the ceiling. The node restores the same record, and only then is it raised. */
void activation_open(struct activation *a, struct store *s);
/* The node's FX_STORE, two octets. On return a number as large is on disk. 0 or errno. */
int activation_put(struct activation *a, struct span bytes);
/* Half of the room is used: have activation_reserve() called when nothing is urgent. */
bool activation_is_short(const struct activation *a);
void activation_reserve(struct activation *a);

#endif
