/* esp/notices.h - what the data path has to say, bounded. Private to the room. */
#ifndef VIPSEC_ESP_NOTICES_H
#define VIPSEC_ESP_NOTICES_H

#include "base/rate.h"
#include "esp/esp.h"

enum {
	NOTICES_MAX = 256,
	ACQUIRE_WAYS = 8, /* recent acquires that share a hash */
	ACQUIRE_SETS = 128,
	ACQUIRE_EACH_MS = 1000
};

struct acquired {
	uint64_t at_ms; /* 0: unused */
	uint32_t rule;
	uint16_t scope;
	struct addr peer;
	uint64_t owner;
};

struct notices {
	struct esp_notice ring[NOTICES_MAX];
	unsigned first, n;
	struct rate unknown_spi, flows;
	bool rate_ready, flows_ready;
	struct acquired acquired[ACQUIRE_SETS][ACQUIRE_WAYS];
};

/* False: full. */
bool notice_push(struct notices *q, const struct esp_notice *n);
bool notice_pop(struct notices *q, struct esp_notice *out);
/* The notice is asked for now and none of its rule and peer was pushed in the last
 * second: pushes. False only when one was lost because the queue, or the memory of what
 * was asked for, is full. */
bool notice_acquire(struct notices *q, const struct esp_notice *n, uint64_t now_ms);
/* As notice_push, for what a stranger can cause. */
bool notice_unknown_spi(struct notices *q, const struct esp_notice *n, uint64_t now_ms);
/* One a second. */
void notice_flow(struct notices *q, const struct esp_notice *n, uint64_t now_ms);

#endif
