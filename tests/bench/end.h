/* tests/bench/end.h - an IKE engine that is one end, or ten thousand ends at once, and
 * letters between ends.
 *
 * An end takes its part from the path: identities are the two addresses, the key is the
 * same for all, the mode is transport. So one engine is a crowd of peers, each at an
 * address of its own.
 */
#ifndef VIPSEC_BENCH_END_H
#define VIPSEC_BENCH_END_H

#include "ike/ike.h"

/* What was sent and not received yet, oldest first. */
struct letter {
	struct ike_path path; /* as the receiver sees it */
	uint8_t *bytes; /* heap */
	size_t len;
};
struct mail {
	struct letter *at;
	size_t first, n, cap;
};

void mail_send(struct mail *m, const struct ike_path *sent, struct span bytes);
/* The bytes become the caller's. False: none. */
bool mail_take(struct mail *m, struct letter *out);
void mail_free(struct mail *m);

struct end {
	struct ike_engine *engine;
	struct seeded_entropy seed;
	struct mail out;
	uint32_t next_spi;
	unsigned up, down; /* children */
	uint32_t *ikes; /* of children as they came up */
	size_t n_ikes, cap_ikes;
};

#define END_PSK "one key for everybody here"

void end_init(struct end *e, uint8_t member);
void end_wipe(struct end *e);
/* The n-th peer's address: 10.x.y.z; those are known, all others are strangers. */
struct addr end_peer(unsigned n);
struct addr end_vip(void);
struct ike_path end_path(const struct addr *local, const struct addr *remote);
void end_call(struct end *e, uint64_t now_ms, const struct ike_path *path);

#endif
