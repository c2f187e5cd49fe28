/* tests/sim/rekeys.h - what rekeying must not do: lose a packet, or leave an SA behind.
 */
#ifndef VIPSEC_SIM_REKEYS_H
#define VIPSEC_SIM_REKEYS_H

#include "node/effects.h"
#include "sim/scenario.h"

struct app;
struct machine;
struct sim;

enum { EXPIRIES_MAX = 64, PORTS = 2 };

struct tie { /* between a peer and its VIP's node, once the faults are over */
	uint64_t settled_ms; /* when both sides' SAs last were each other's; 0: never */
	uint64_t whole_ms[PORTS]; /* since then every question is to be answered */
	uint64_t expired_ms
		[EXPIRIES_MAX]; /* an SA came to its end for want of an answer */
	unsigned n_expired;
};

struct rekeys_watch {
	struct tie ties[PEERS_PER_RUN];
	uint64_t from_ms; /* 0: not yet */
};

void rekeys_trace(struct sim *s); /* what was drawn */
void rekeys_begin(struct sim *s);
void rekeys_answered(struct sim *s, unsigned peer, unsigned port, uint64_t sent_ms);
/* Nothing more will come of this question. */
void rekeys_judge(struct sim *s, const struct app *app);
void rekeys_note(struct sim *s, const struct effect *event);
void rekeys_end(struct sim *s);
/* What a daemon counted, before it goes. */
void rekeys_count(struct sim *s, const struct machine *m);

#endif
