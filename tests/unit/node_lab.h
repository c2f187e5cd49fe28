/* tests/unit/node_lab.h - a few nodes, a network, a group bus, and a virtual clock.
 *
 * Datagrams take 1 ms, group messages 1 ms and come to all members in one order, a closed
 * gate is acknowledged after 1 ms. Each node's effects are carried out on a model of a
 * machine: which addresses it has (sockets, gate, children), what it stored. Each effect
 * is also kept as a line of text, so a test can ask what happened and in which order.
 */
#ifndef VIPSEC_TESTS_NODE_LAB_H
#define VIPSEC_TESTS_NODE_LAB_H

#include "unit.h"

#include "node/node.h"
#include "node/view.h"

enum { LAB_NODES = 4, LAB_QUEUE = 4096, LAB_CHILDREN = 256, LAB_SOCKETS = 16 };
enum { LAB_LOG = 1 << 18, LAB_BEGINS_MS = 1000000 };

struct lab_child {
	struct esp_child c;
	bool active, refused;
	unsigned turn; /* of two, the one with the later turn is sent on */
	struct esp_usage usage;
};

struct lab_stored {
	char name[64];
	uint8_t *bytes;
	size_t len;
};

struct lab_node {
	struct lab *lab;
	struct node *node; /* NULL: dead */
	struct seeded_entropy seed;
	uint8_t member;
	struct addr sockets[LAB_SOCKETS];
	unsigned n_sockets;
	bool gate[8];
	struct lab_child child[LAB_CHILDREN];
	unsigned n_child;
	struct lab_stored stored[4];
	char log[LAB_LOG]; /* one effect a line: "12 gate 0 open" */
	size_t log_len;
	unsigned sent; /* IKE datagrams */
	unsigned queries;
	uint32_t fetch, ask; /* the last that it asked for */
	bool exited;
	bool refuses; /* its data path takes no child SA */
	int reply_code; /* of the last FX_REPLY; -1: none */
	char reply[EVENT_TEXT_MAX];
};

enum lab_kind { LAB_DATAGRAM, LAB_MESSAGE, LAB_ACK, LAB_REFUSAL };

struct lab_item {
	enum lab_kind kind;
	uint64_t at_ms;
	unsigned to; /* ACK, MESSAGE: index; DATAGRAM: by address */
	uint8_t from;
	uint16_t scope;
	struct endpoint local, remote; /* as the receiver sees them */
	bool natt;
	uint8_t *bytes;
	size_t len;
	bool taken;
};

struct lab {
	uint64_t now_ms;
	int64_t wall_s; /* when the lab began, since 1970; 0: not known to the nodes */
	const struct config_files *files; /* NULL: those of config_files.h */
	struct lab_node node[LAB_NODES];
	struct lab_item queue[LAB_QUEUE];
	unsigned n_queue;
	uint8_t members[LAB_NODES];
	unsigned n_members;
	uint8_t fresh[LAB_NODES]; /* said to have just joined, with the next group */
	unsigned n_fresh;
	bool hold_acks; /* gates stay unacknowledged */
	bool cut; /* datagrams are lost */
	struct addr inside, outside; /* a NAT: inside is seen as outside; not set: none */
	struct addr inside_too; /* another one; its ports are LAB_NAT_NEXT further */
	uint16_t nat_shift; /* added to the ports of what leaves it */
	/* Set to look at or lose single datagrams: false loses it. */
	bool (*filter)(struct lab *l, unsigned from, const struct ike_path *path);
	struct span leaving; /* the datagram that it is asked about */
	void *filter_ctx;
	unsigned filtered;
	unsigned turns;
};

enum { LAB_NAT_NEXT = 10000 };

struct lab *lab_new(void);
void lab_free(struct lab *l);
/* Node i (member i + 1) is born with this configuration text; secrets need no files. */
void lab_start(struct lab *l, unsigned i, const char *config);
/* As lab_start, with what the last life stored. */
void lab_restart(struct lab *l, unsigned i, const char *config);
void lab_kill(struct lab *l, unsigned i); /* silently; what it stored stays */
void lab_reload(struct lab *l, unsigned i, const char *config);
/* The answer to its last FX_RESOLVE: addresses with blanks between, or why there are none. */
void lab_resolved(
	struct lab *l, unsigned i, const char *addrs, uint32_t ttl_s, const char *why);
/* The answer to its last FX_FETCH; empty: it cannot be had. */
void lab_fetched(struct lab *l, unsigned i, struct span answer);
/* Any other event; the time is filled in. */
void lab_step(struct lab *l, unsigned i, struct node_event *ev);
void lab_address(struct lab *l, unsigned i, const char *addr, enum node_addr_state state);
/* The group consists of these nodes (bits), all quorate; delivered to them. */
void lab_group(struct lab *l, unsigned nodes);
void lab_quorum(struct lab *l, unsigned i, bool quorate);
void lab_command(struct lab *l, unsigned i, enum node_event_kind kind, const char *vip);
void lab_tune(struct lab *l, unsigned i, const char *key, const char *value);
/* A packet of node i wants to leave and finds no SA. */
void lab_acquire(struct lab *l, unsigned i, uint16_t scope, const char *local,
	const char *remote, uint16_t port);
void lab_acquire_flow(struct lab *l, unsigned i, uint16_t scope, const struct flow *flow);
/* On which node i sends what belongs to that rule; NULL: on none. */
struct lab_child *lab_sender(struct lab *l, unsigned i, uint32_t rule);
bool lab_receives(struct lab *l, unsigned i, uint32_t spi);
/* The usage of node i's only child, from now on. */
struct esp_usage *lab_usage(struct lab *l, unsigned i);
void lab_run(struct lab *l, uint64_t ms); /* lets that much time pass */

enum vip_state lab_vip(struct lab *l, unsigned i, uint16_t scope);
unsigned lab_up(struct lab *l, unsigned i); /* peers with a working child */
struct peer_view lab_peer(struct lab *l, unsigned i); /* the only one */
/* The n-th line of node i's log that contains text (0: the first); -1: none. */
int lab_line(struct lab *l, unsigned i, const char *text, unsigned nth);
unsigned lab_count(struct lab *l, unsigned i, const char *text);
void lab_forget_log(struct lab *l, unsigned i);

#endif
