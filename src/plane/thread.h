/* plane/thread.h - the data thread: its state and its rounds.
 *
 * Everything here belongs to the data thread once it runs; the loop's thread reaches it
 * through orders, reports, gates and the snapshot alone.
 *
 * Floor 6. Private to thread.c, path.c and tun.c.
 */
#ifndef VIPSEC_PLANE_THREAD_H
#define VIPSEC_PLANE_THREAD_H

#include <pthread.h>

#include "plane/children.h"
#include "plane/local.h"
#include "plane/order.h"
#include "plane/path.h"
#include "plane/report.h"

/* Totals as others may see them; published a few times a second. */
struct snapshot {
	pthread_mutex_t lock;
	struct plane_totals totals;
};

struct data {
	struct esp_dp *dp;
	struct children *children;
	struct path *path;
	struct order_queue *orders;
	struct report_ring *reports;
	struct snapshot *snapshot;
	struct list listening; /* struct local */
	int tun_fd, epoll;
	int toobig_fd; /* -1: none, the error queues have to do */
	bool stop;
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
	struct plane_totals totals; /* but for esp and children */
};

/* 0, or an errno. Fills what is not given: path, children, epoll. */
int data_init(struct data *d, const struct entropy *e);
void data_wipe(struct data *d); /* after the thread has ended */
void *data_run(void *data); /* until ORDER_STOP */

/* To the loop; counted when there is no room. */
void data_report(struct data *d, const struct plane_report *r);
/* NULL: no such address is bound. */
struct local *data_find_local(struct data *d, const struct addr *a);

#endif
