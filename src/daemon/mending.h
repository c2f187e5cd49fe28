/* daemon/mending.h - what the plane has in the kernel stays as the plane made it.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_MENDING_H
#define VIPSEC_DAEMON_MENDING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rate.h"
#include "plane/plane.h"

struct daemon;

enum { MENDING_TEXT_MAX = PLANE_WHY_MAX + POLICY_NAME_MAX + 16 };

struct mending {
	int timer_fd; /* the next look; -1: none */
	struct rate often; /* looks that found something */
	struct rate words;
	uint64_t looked_ms; /* last */
	uint64_t due_ms; /* UINT64_MAX: no look is due */
	bool fought; /* somebody does it again and again */
	unsigned fought_deeds;
	unsigned quiet; /* looks in a row that found nothing to mend */
	unsigned told; /* what the last line was about */
	uint64_t told_ms;
	struct mending_trouble {
		uint16_t scope; /* PLANE_NO_SCOPE: all of them */
		char text[MENDING_TEXT_MAX]; /* with the rule's name */
	} troubles[PLANE_TROUBLES_MAX]; /* what could not be mended */
	size_t n;
};

bool mending_open(struct daemon *d);
void mending_close(struct daemon *d);
/* Looks, if somebody has touched them. */
void mending_heed(struct daemon *d);
/* The plane could not make what a scope needs: said, and tried again. */
void mending_refused(struct daemon *d, const struct plane_trouble *t);
/* Why this scope's traffic may not get into the data path; NULL: all is well. */
const char *mending_trouble(const struct daemon *d, uint16_t scope);
/* All of it, as lines of status. */
void mending_problems(struct daemon *d, json_t *list);

#endif
