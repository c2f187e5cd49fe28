/* base/entropy.h - where random octets come from.
 *
 * The daemon's source is the kernel, the simulator's a seeded generator: the same seed
 * gives the same run. Code below floor 5 draws from nowhere else.
 *
 * Floor 0.
 */
#ifndef VIPSEC_BASE_ENTROPY_H
#define VIPSEC_BASE_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

struct entropy {
	void (*fill)(
		void *ctx, uint8_t *out, size_t len); /* cannot fail: aborts instead */
	void *ctx;
};

void entropy_fill(const struct entropy *e, void *out, size_t len);
uint32_t entropy_u32(const struct entropy *e);
uint64_t entropy_u64(const struct entropy *e);
/* Uniform in [0, bound); bound > 0. */
uint32_t entropy_below(const struct entropy *e, uint32_t bound);
/* value +- percent %, uniformly: jitter for timers. percent <= 100 */
uint64_t entropy_jitter(const struct entropy *e, uint64_t value, unsigned percent);

/* A deterministic source for tests and the simulator (splitmix64; NOT for keys that
 * protect anything). */
struct seeded_entropy {
	uint64_t state;
};
struct entropy entropy_seeded(struct seeded_entropy *s, uint64_t seed);

#endif
