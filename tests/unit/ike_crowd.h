/* tests/unit/ike_crowd.h - strangers without number, each at an address of its own, beside a
 * lab whose side B they fall upon.
 *
 * One engine is all of them. What they and B send each other waits in a queue until the
 * crowd is told to go on; no time passes meanwhile.
 */
#ifndef VIPSEC_TESTS_IKE_CROWD_H
#define VIPSEC_TESTS_IKE_CROWD_H

#include "ike_lab.h"

struct crowd_letter {
	bool to_b;
	struct ike_path path; /* as the receiver sees it */
	size_t len;
	uint8_t *bytes; /* heap */
};

struct crowd {
	struct lab *lab;
	struct ike_engine *engine;
	struct seeded_entropy seed;
	struct ike_conn conn; /* how each of them calls, but for its address */
	struct identity name; /* of all of them; type 0: each one's address */
	unsigned up; /* of them, children */
	unsigned answers; /* of B, in all */
	struct crowd_letter *queue;
	size_t first, n, cap;
	/* Which letters arrive; NULL: all. */
	bool (*arrives)(struct crowd *, const struct crowd_letter *);
};

struct crowd *crowd_new(struct lab *lab);
void crowd_free(struct crowd *c);
/* The n-th address: 198.18.0.0/15, or with v6 a /64 for each. */
struct addr crowd_addr(unsigned n, bool v6);
void crowd_call(struct crowd *c, const struct addr *from);
/* Until nothing is under way. */
void crowd_go(struct crowd *c);
/* Octets at B, as if from there. */
void crowd_throw(struct crowd *c, const struct addr *from, struct span bytes);
/* They forget everything; B does not hear of it. */
void crowd_forget(struct crowd *c);

#endif
