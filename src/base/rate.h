/* base/rate.h - a token bucket: how often something may happen.
 *
 * Floor 0. The caller brings the time.
 */
#ifndef VIPSEC_BASE_RATE_H
#define VIPSEC_BASE_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
	uint32_t burst; /* tokens the bucket holds */
	uint32_t per_second; /* tokens that come back each second */
	uint64_t milli; /* thousandths of a token at hand */
	uint64_t last_ms;
	uint64_t refused; /* how often the answer was no, since rate_init */
};

void rate_init(struct rate *r, uint32_t burst, uint32_t per_second, uint64_t now_ms);
bool rate_allow(struct rate *r, uint64_t now_ms);
/* Whether so many tokens are at hand; none is taken. */
bool rate_has(struct rate *r, uint32_t tokens, uint64_t now_ms);
/* For what is done anyway: takes so many, or all that there are. */
void rate_charge(struct rate *r, uint32_t tokens, uint64_t now_ms);

#endif
