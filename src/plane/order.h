/* plane/order.h - what the loop's thread wants of the data thread, in order.
 *
 * A list under a mutex, and an eventfd that the data thread polls; it takes the whole list
 * at once, between batches of packets, so the path of packets has no lock.
 *
 * Floor 7.
 */
#ifndef VIPSEC_PLANE_ORDER_H
#define VIPSEC_PLANE_ORDER_H

#include "base/list.h"
#include "esp/esp.h"
#include "plane/local.h"

enum order_kind {
	ORDER_POLICY,
	ORDER_BIND,
	ORDER_UNBIND,
	ORDER_GATE_CLOSED, /* acknowledge */
	ORDER_SA_ADD,
	ORDER_SA_ACTIVATE,
	ORDER_SA_DELETE,
	ORDER_SA_MOVE,
	ORDER_USAGE,
	ORDER_REPLAY, /* tell it */
	ORDER_REPLAY_SET,
	ORDER_REPLAY_WATCH,
	ORDER_STOP
};

enum { ORDER_ADDRS_MAX = 8 };

struct order {
	struct list link;
	enum order_kind kind;
	uint32_t id; /* SA_ACTIVATE, SA_DELETE, SA_MOVE, REPLAY... */
	union {
		struct {
			uint16_t scope;
			struct spd *spd; /* owned */
			struct addr addrs[ORDER_ADDRS_MAX];
			size_t n_addrs;
		} policy;
		struct local *local; /* BIND: held for the data thread */
		struct {
			uint16_t scope;
			uint32_t turn;
		} gate;
		struct {
			struct esp_child *child; /* owned; wiped */
			uint32_t path_mtu; /* 0: not known */
		} add;
		struct {
			struct endpoint remote;
			bool encap;
		} move;
		struct esp_replay_state *replay; /* owned */
		struct {
			uint32_t packets, ms;
		} watch;
	} u;
};

struct order_queue;

struct order_queue *order_queue_new(void); /* NULL: errno */
void order_queue_free(struct order_queue *q);
int order_queue_fd(const struct order_queue *q);
struct order *order_new(enum order_kind kind);
void order_free(struct order *o); /* and what it still owns */
void order_give(struct order_queue *q, struct order *o); /* takes it over */
bool order_waits(const struct order_queue *q); /* without a lock */
/* Moves all that waits to the end of out. */
void order_take_all(struct order_queue *q, struct list *out);

#endif
