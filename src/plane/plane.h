/* plane/plane.h - what carries the packets: one interface, two planes.
 *
 * tun.c is the userspace plane (a persistent TUN, esp/ on its own thread); ops.h is for
 * another. The loop's thread calls everything here;
 * orders are carried out by the data thread in the order given. Reports come back through
 * a descriptor that the loop polls. Times in reports are CLOCK_BOOTTIME milliseconds.
 *
 * Before opening, the guard must be in force (port/guard.h): opening sweeps routing rules
 * that a killed daemon left behind. routing/steering.h says which rules and tables are the
 * plane's.
 *
 * Packets move in batches (struct esp_batch inside), so that segmentation offload can
 * come without changing this.
 *
 * Floor 7.
 */
#ifndef VIPSEC_PLANE_PLANE_H
#define VIPSEC_PLANE_PLANE_H

#include "base/entropy.h"
#include "esp/esp.h"
#include "routing/netlink.h"
#include "routing/steering.h"

struct plane;

/* rtm_protocol of our routes and rules */
enum { PLANE_ROUTE_PROTOCOL = NETLINK_OWN_PROTOCOL };

struct plane_params {
	const char *tun_name; /* "vipsec0" */
	struct entropy entropy; /* used by the data thread only */
	uint32_t mark; /* SO_MARK of our own datagrams: bypasses steering */
	/* Filled when opening fails: what is missing, what to do. With a plane: what it does
	 * without, or left as it was. */
	char *why;
	size_t why_cap;
};

enum { PLANE_WHY_MAX = 288, PLANE_TROUBLES_MAX = 8 };

/* What the kernel does not take of a scope, or what is in its way there. */
enum { PLANE_NO_SCOPE = SCOPE_MAX };
#define PLANE_NO_RULE UINT32_MAX
struct plane_trouble {
	uint16_t scope; /* PLANE_NO_SCOPE: it is about all of them */
	uint32_t rule; /* PLANE_NO_RULE: about none of them alone */
	char why[PLANE_WHY_MAX];
};

enum plane_report_kind {
	PLANE_NOTICE,
	PLANE_USAGE, /* one for each child of a query, then PLANE_USAGE_END */
	PLANE_USAGE_END,
	PLANE_GATE_CLOSED,
	PLANE_IKE, /* a datagram to port 4500 with the non-ESP marker, removed */
	PLANE_LOST, /* somebody took the TUN away: no packet passes any more */
	PLANE_REFUSED, /* an SA could not be added: id, why in text */
	PLANE_TROUBLED, /* what a scope needs could not be made: plane_mend() tries again */
	PLANE_REPLAY /* how far the numbers of a child have come */
};

struct plane_report {
	enum plane_report_kind kind;
	union {
		struct esp_notice notice;
		struct esp_usage usage;
		struct {
			uint16_t scope;
			uint32_t turn;
		} gate;
		struct {
			struct endpoint local, remote;
			uint8_t *bytes; /* valid until the next plane_next_report() */
			size_t len;
		} ike;
		struct {
			uint32_t id;
			bool asked; /* or plane_replay_watch() had it told */
			/* valid as ike.bytes; NULL: there is no such child */
			struct esp_replay_state *state;
		} replay;
		struct {
			uint32_t id;
			char text[PLANE_WHY_MAX];
		} refused;
		struct plane_trouble trouble;
	} u;
};

struct plane *plane_open_tun(const struct plane_params *p); /* NULL: see why */
/* Stops the thread and closes; with keep the TUN device, its routes and rules stay, so
 * that nothing leaves in clear afterwards. */
void plane_close(struct plane *p, bool keep);

int plane_fd(const struct plane *p); /* readable: reports wait */
bool plane_next_report(struct plane *p, struct plane_report *out);

/* Orders. They copy what they need; child keys are wiped once installed. */
/* Also installs the steering (rules, routes with `src` the VIP) of the scope's negotiate
 * entries, before any SA opens. Takes spd over. */
void plane_policy(struct plane *p, uint16_t scope, struct spd *spd,
	const struct addr *addrs, size_t n_addrs);
/* Addresses or routes of this machine have changed (port/watch.h says so): the steering
 * works out source addresses and MTUs anew. Cheap enough for each such event, but not for
 * each of a thousand: once a drained batch of events. */
void plane_refresh(struct plane *p);
/* ---- what others do to what the plane has in the kernel ---- */

/* Readable: ask plane_touched(). -1: this plane has nothing there. */
int plane_touched_fd(const struct plane *p);
enum plane_touch {
	PLANE_UNTOUCHED,
	PLANE_BESIDE, /* others have changed what is theirs: it may be in our way now */
	PLANE_TOUCHED /* what is ours: plane_mend() is to look at once */
};
enum plane_touch plane_touched(struct plane *p);
/* What was not as it should be. */
enum plane_deed {
	PLANE_DEED_DOWN = 1, /* the interface */
	PLANE_DEED_NARROW = 2, /* its MTU */
	PLANE_DEED_RULES = 4, /* for routing */
	PLANE_DEED_ROUTES = 8,
	PLANE_DEED_POLICIES = 16, /* of the kernel's IPsec */
	PLANE_DEED_SAS =
		32 /* gone or changed, and cannot be put back: their peers are called */
};
struct plane_found {
	unsigned deeds; /* enum plane_deed together */
	bool again; /* something could not be put right: try again in a while */
	struct plane_trouble at[PLANE_TROUBLES_MAX];
	size_t n; /* those that there is room for */
};
/* Compares everything with what should be there, and mends what is not. */
void plane_mend(struct plane *p, struct plane_found *found);
/* For planes: one of each scope and rule. */
void plane_found_add(struct plane_found *f, const struct plane_trouble *t);
/* Raw ESP and UDP 4500 sockets of an address. 0, or an errno. */
int plane_bind(struct plane *p, uint16_t scope, const struct addr *local);
void plane_unbind(struct plane *p, const struct addr *local);
void plane_gate_open(struct plane *p, uint16_t scope, uint16_t activation);
/* The turn that PLANE_GATE_CLOSED will name. */
uint32_t plane_gate_close(struct plane *p, uint16_t scope);
/* An SA with this inbound SPI may be added soon: what comes before that is not lost, as far
 * as the plane can help it. (The userspace plane keeps what comes with any SPI.) */
void plane_sa_await(struct plane *p, uint32_t spi);
void plane_sa_add(struct plane *p, const struct esp_child *c);
void plane_sa_activate(struct plane *p, uint32_t id);
void plane_sa_delete(struct plane *p, uint32_t id);
void plane_sa_move(
	struct plane *p, uint32_t id, const struct endpoint *remote, bool encap);
void plane_usage_query(struct plane *p);
/* PLANE_REPLAY will tell it. */
void plane_replay_query(struct plane *p, uint32_t id);
/* Goes on with these numbers, never back (esp_replay_state_join). Meant for a child that
 * carries nothing yet: of what comes in at this very moment the kernel plane may forget that
 * it has come. */
void plane_replay_set(struct plane *p, uint32_t id, const struct esp_replay_state *state);
/* PLANE_REPLAY comes by itself when either direction has used `packets` numbers since it was
 * told last, and when any was used and about `ms` have gone by (kernel plane: a look more).
 * 0: not for that. Both 0: never any more. With the kernel plane, and while one child is watched
 * by packets, other people's SAs on the machine tell whoever listens, too, as often as they were
 * made to. */
void plane_replay_watch(struct plane *p, uint32_t id, uint32_t packets, uint32_t ms);
/* IKE out through port 4500 of the local address: the marker is put in front here. A local
 * address just unbound still works for `linger_ms` of plane_unbind's grace (200 ms), for
 * Deletes after the address went (IP_TRANSPARENT). 0, or an errno. */
int plane_send_ike(struct plane *p, const struct endpoint *local,
	const struct endpoint *remote, struct span bytes);
/* One octet 0xff from port 4500 (RFC 3948 2.3): keeps the NAT's mapping. 0, or an errno. */
int plane_send_keepalive(
	struct plane *p, const struct endpoint *local, const struct endpoint *remote);

struct plane_totals {
	struct esp_counters esp;
	uint64_t tun_reads, tun_writes, sends, send_errors, reports_dropped;
	size_t children;
};
void plane_totals(struct plane *p, struct plane_totals *out); /* a recent snapshot */

#endif
