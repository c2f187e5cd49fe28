/* daemon/mending.h - routing rules, routes and the TUN stay as the plane made them.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_MENDING_H
#define VIPSEC_DAEMON_MENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rate.h"

struct daemon;

struct mending {
	int timer_fd; /* the next look; -1: none */
	struct rate often;
	uint64_t looked_ms; /* last */
	uint64_t due_ms; /* UINT64_MAX: no look is due */
	bool fought; /* somebody does it again and again */
	unsigned quiet; /* looks in a row that found nothing to mend */
	unsigned told; /* what the last line was about */
	uint64_t told_ms;
	uint16_t scope; /* that the trouble is about; STEERING_NO_SCOPE: all of them */
	char trouble[128]; /* what could not be mended; empty: nothing */
};

bool mending_open(struct daemon *d);
void mending_close(struct daemon *d);
/* Looks, if somebody has touched them. */
void mending_heed(struct daemon *d);
/* A scope could not be steered: said, and tried again. */
void mending_refused(struct daemon *d, uint16_t scope, const char *why);
/* Why this scope's traffic may not be led into the data path; NULL: all is well. */
const char *mending_trouble(const struct daemon *d, uint16_t scope);

#endif
