/* port/bus.h - the group bus: a corosync CPG group that all vipsecd of a cluster join.
 *
 * Messages arrive in one order everywhere (AGREED), our own included. Membership comes
 * in the same stream. When corosync goes away the membership becomes empty, and the bus
 * tries to come back by itself.
 *
 * Floor 7. Loop-agnostic: poll bus_fd(), call bus_drain() when it is readable and
 * bus_tick() about every 100 ms.
 */
#ifndef VIPSEC_PORT_BUS_H
#define VIPSEC_PORT_BUS_H

#include "base/span.h"

struct bus;

#define BUS_MEMBERS_MAX 64

struct bus_handlers {
	/* The whole membership, ours included, in corosync's order; empty: bus lost. fresh:
	 * those of them that are processes which have just joined the group, and did not
	 * come with their node. A daemon that was replaced by another on its node between
	 * two changes is told of twice: without it, then with it. */
	void (*members)(void *ctx, const uint8_t *members, size_t n, const uint8_t *fresh,
		size_t n_fresh);
	void (*message)(void *ctx, uint8_t from, struct span bytes);
	/* The descriptor changed; -1: none now. */
	void (*fd_changed)(void *ctx, int fd);
	void *ctx;
};

/* Joins, or keeps trying. group: "vipsec:" and the cluster's configured name. */
struct bus *bus_new(const char *group, const struct bus_handlers *handlers);
void bus_free(struct bus *b); /* leaves the group */
/* Our own number (corosync nodeid, 1..255); 0: not connected. */
uint8_t bus_member(const struct bus *b);
int bus_fd(const struct bus *b);
void bus_drain(struct bus *b);
/* Reconnects, and sends again what back-pressure held up. */
void bus_tick(struct bus *b);
/* Queued when corosync pushes back; false when the queue (1 MiB) is full or there is no
 * connection: the message is dropped, the group is left and joined again by bus_tick(), and
 * so the caller can count on a change of membership. */
bool bus_send(struct bus *b, struct span bytes);
/* Why there is no connection; "" when there is one. */
const char *bus_trouble(const struct bus *b);

/* Asks corosync once for our nodeid: 0 when it is not there or the number is above 255
 * (then why says so). Also the cluster's own failover time, token + consensus; 0 unknown. */
uint8_t bus_probe(uint32_t *failover_ms, char *why, size_t why_cap);

#endif
