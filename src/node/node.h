/* node/node.h - a node is a value, and node_step() is its only verb.
 *
 * The node composes IKE, policy, peers and the ownership of virtual IPs. It has no
 * socket, clock, thread or global: everything it learns comes as an event with the time
 * in it, everything it wants done leaves as an effect. The daemon, the simulator and the
 * fuzzer drive the same code, and one seed gives one run.
 *
 * Scopes: 0..n_vips-1 are the configured VIPs in order, n_vips is the host (config.h).
 * Times are milliseconds of one monotonic clock, never 0.
 *
 * Floor 4. This header, effects.h and view.h are the whole public face.
 */
#ifndef VIPSEC_NODE_NODE_H
#define VIPSEC_NODE_NODE_H

#include "base/entropy.h"
#include "config/config.h"
#include "esp/esp.h"
#include "ike/ike.h"
#include "node/effects.h"

struct node;

#define NODE_MEMBERS_MAX 64 /* of a cluster */

struct node_params {
	struct entropy entropy;
	uint8_t member; /* 1..255, unique in the cluster (corosync nodeid); 1 alone */
	uint16_t activation; /* the last one stored; the next is used from now on */
	uint32_t failover_ms; /* the cluster's own failover time (token + consensus), for
				 warnings; 0: not known */
};

enum node_event_kind {
	NODE_TICK, /* nothing but time; when node_next_due_ms() has come */
	NODE_CONFIG, /* a new configuration, taken over; the old one is freed */
	NODE_RESTORE, /* what was stored: one FX_STORE's name and bytes, at start */
	NODE_ADDRESS, /* an address appeared, became usable, or went */
	NODE_DATAGRAM, /* IKE from the network, non-ESP marker removed */
	NODE_NOTICE, /* from the data path */
	NODE_USAGE, /* answer to FX_USAGE_QUERY, for one child */
	NODE_REFUSED, /* the data path did not take a child SA */
	NODE_GATE_CLOSED, /* the data thread has acknowledged the closing */
	NODE_MEMBERS, /* membership of the group, in CPG order; empty: bus lost */
	NODE_MESSAGE, /* a group message, in CPG order, our own included */
	NODE_QUORUM,
	NODE_BIND, /* an operator's or agent's words; each is answered by FX_REPLY */
	NODE_UNBIND,
	NODE_UP,
	NODE_DOWN,
	NODE_REKEY,
	NODE_TUNE,
	NODE_DRAIN,
	NODE_UNDRAIN,
	NODE_FETCHED, /* answer to FX_FETCH; each has one */
	NODE_RESOLVED, /* answer to FX_RESOLVE; each has one */
	NODE_SHUTDOWN /* ends with FX_EXIT */
};

enum node_addr_state { NODE_ADDR_GONE, NODE_ADDR_TENTATIVE, NODE_ADDR_PRESENT };

struct node_event {
	enum node_event_kind kind;
	uint64_t now_ms;
	int64_t wall_s; /* since 1970, for certificates; 0: not known */
	union {
		struct config *config;
		struct {
			const char *name;
			struct span bytes;
		} restore;
		struct {
			struct addr addr;
			enum node_addr_state state;
		} address;
		struct {
			struct endpoint local, remote;
			bool natt; /* came to port 4500 */
			struct span bytes;
		} datagram;
		struct esp_notice notice;
		struct esp_usage usage;
		struct {
			uint32_t id; /* of the child */
			const char *why;
		} refused;
		struct {
			uint16_t scope;
			uint32_t turn;
		} gate;
		struct {
			const uint8_t *members;
			size_t n;
			/* Of them, processes that have just joined the group, and did
			 * not come with others from another partition. */
			const uint8_t *fresh;
			size_t n_fresh;
		} members;
		struct {
			uint8_t from;
			struct span bytes;
		} message;
		bool quorate;
		struct {
			uint32_t id;
			struct span bytes; /* empty: it could not be had */
		} fetched;
		struct {
			uint32_t id;
			const struct addr *addrs; /* in any order */
			size_t n;
			uint32_t ttl_s; /* the least of theirs; 0: not known */
			const char *why; /* there are none */
		} resolved;
		struct {
			uint64_t token; /* comes back in FX_REPLY */
			/* BIND, UNBIND, DRAIN, UNDRAIN: name; UP, DOWN, REKEY: name or "host", NULL all */
			const char *vip;
			const char *rule; /* UP, DOWN, REKEY: NULL all */
			const char *peer; /* UP, DOWN, REKEY: address, NULL all */
			/* TUNE: nlbs-flags, idle-timeout, ...; REKEY: key is ike or child;
			 * DRAIN: value is an address, or two with a comma; NULL: as
			 * configured */
			const char *key, *value;
		} command;
	} u;
};

struct node *node_new(const struct node_params *p);
void node_free(struct node *n); /* silently; keys are wiped */

/* Appends to effects what is to be done, in this order. */
void node_step(struct node *n, const struct node_event *ev, struct effects *effects);
/* When NODE_TICK is wanted next; UINT64_MAX: not at all. */
uint64_t node_next_due_ms(const struct node *n);

#endif
