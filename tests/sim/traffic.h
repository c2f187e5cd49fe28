/* tests/sim/traffic.h - applications: each peer asks, the VIP answers, both secured and in
 * clear; and somebody who sends in clear what must not come so.
 */
#ifndef VIPSEC_SIM_TRAFFIC_H
#define VIPSEC_SIM_TRAFFIC_H

#include "base/addr.h"
#include "sim/scenario.h"
#include "sim/world.h"

struct machine;

enum app_kind { APP_SECURED = 1, APP_OPEN, APP_SPOOF };

struct app { /* one question; ids count from 1 */
	uint32_t id;
	uint64_t sent_ms;
	uint8_t peer, kind, port; /* of APP_PORT, MORE_PORT */
	bool large; /* it may be told that it is too large */
	bool asked, answered; /* delivered */
};

struct talk { /* of one peer */
	uint64_t answered_ms; /* when the last secured answer came */
	uint64_t last_ms; /* when the newest answered question was sent */
	uint64_t hushed_ms; /* it asks nothing until then */
	size_t room; /* of a large question, as it was told; 0: not yet */
	uint64_t back_ms; /* first answer to a question sent since the mark; 0: none */
};

struct traffic {
	struct stream dice;
	struct app *apps;
	size_t n, cap; /* asked so far, kept */
	bool forgets; /* the oldest is judged, and makes room */
	struct talk talks[PEERS_PER_RUN];
	uint64_t mark_ms;
	bool quiet; /* no spoofing any more */
};

void traffic_init(struct sim *s);
void traffic_free(struct sim *s);
/* Only the last so many questions are kept. */
void traffic_forget(struct sim *s, size_t kept);
/* The faults are over: from now on it counts how long everybody needs. */
void traffic_mark(struct sim *s);
uint64_t traffic_longest_pause_ms(
	const struct sim *s); /* of a peer between two questions */
void traffic_fits(struct sim *s, unsigned peer, size_t room);
void traffic_arrived(struct sim *s, struct machine *m, const struct endpoint *src,
	const struct endpoint *dst, struct span payload, bool secured);
/* A rule protects what is inside. */
bool traffic_is_secret(struct sim *s, struct span payload);

#endif
