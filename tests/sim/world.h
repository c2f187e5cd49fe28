/* tests/sim/world.h - a virtual clock, what is to happen on it, and dice.
 *
 * Things happen in the order of (time, the order in which they were planned). All chance
 * comes from seeded streams, one for each cause, so that one more lost packet does not
 * change which node crashes. Everything that is done or delivered goes into one hash.
 */
#ifndef VIPSEC_SIM_WORLD_H
#define VIPSEC_SIM_WORLD_H

#include "base/entropy.h"
#include "base/span.h"

struct sim;

/* Something that will be done. What it owns is freed after run, unless run took it. */
struct action {
	void (*run)(struct sim *s, struct action *a);
	unsigned who, n;
	uint64_t tag;
	void *own; /* heap, or NULL */
};

struct planned {
	uint64_t at_ms, order;
	struct action act;
};

struct stream {
	struct seeded_entropy state;
	struct entropy from;
};

struct world {
	uint64_t seed, now_ms, order;
	struct planned *heap;
	size_t n, cap;
	uint64_t hash;
	bool tracing;
	bool failed;
	char why[256]; /* the first broken invariant */
	uint64_t failed_ms;
};

void world_init(struct sim *s, uint64_t seed, bool tracing);
void world_free(struct sim *s);
void world_at(struct sim *s, uint64_t at_ms, struct action a);
static inline uint64_t world_later(const struct world *w, uint64_t ms)
{
	return w->now_ms + ms;
}
/* Does what is due up to then, or until an invariant breaks. */
void world_run(struct sim *s, uint64_t until_ms);

void stream_init(struct stream *st, uint64_t seed, unsigned which);
uint32_t roll(struct stream *st, uint32_t bound); /* [0, bound) */
uint64_t roll_between(struct stream *st, uint64_t lo, uint64_t hi); /* both possible */
bool chance(struct stream *st, uint32_t in_10000);

uint64_t hash_bytes(uint64_t hash, struct span bytes);
/* What happened becomes part of the run's hash. */
void world_note(struct sim *s, unsigned who, unsigned what, struct span bytes);
/* Readable, with --trace. */
void trace(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* An invariant is broken: the run ends here. */
void violation(struct sim *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
