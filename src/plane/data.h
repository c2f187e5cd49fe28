/* plane/data.h - the state of the data thread.
 *
 * Everything here belongs to the data thread once it runs; the loop's thread reaches it
 * through orders, reports, gates and the snapshot alone.
 *
 * Floor 7. Private to the data thread's files.
 */
#ifndef VIPSEC_PLANE_DATA_H
#define VIPSEC_PLANE_DATA_H

#include <pthread.h>

#include "plane/children.h"
#include "plane/local.h"
#include "plane/order.h"
#include "plane/report.h"
#include "plane/toobig.h"

struct batch;

/* Totals as others may see them; published a few times a second. */
struct snapshot {
	pthread_mutex_t lock;
	struct plane_totals totals;
};

struct data {
	struct esp_dp *dp;
	struct children *children;
	struct batch *batch;
	struct order_queue *orders;
	struct report_ring *reports;
	struct snapshot *snapshot;
	struct list listening; /* struct local */
	int tun_fd, epoll;
	struct toobig toobig;
	bool stop;
	bool lost_waits; /* that the TUN is gone is not told yet */
	bool reported; /* something was pushed: wake the reader */
	uint64_t published_ms; /* when the snapshot was taken */
	bool unpublished; /* packets went by since */
	uint64_t mtus_looked_ms; /* when learned MTUs were last looked through */
	bool mtus_learned;
	/* Answers for which the ring had no room yet. */
	uint32_t gate_turns[SCOPE_MAX];
	unsigned gate_waits[SCOPE_MAX]; /* closings not told yet; each is told */
	unsigned queries; /* of usage, not yet answered to the end */
	uint32_t *ids; /* of the query being answered; NULL: none is */
	size_t n_ids, next_id;
	struct list replays; /* struct replay_asked */
	struct plane_totals totals; /* but for esp and children */
};

#endif
