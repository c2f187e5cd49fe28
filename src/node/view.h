/* node/view.h - looking at a node: what `vipsec` shows and the simulator checks.
 *
 * Views are copies, valid as long as the caller likes. Nothing here changes the node.
 *
 * Floor 4.
 */
#ifndef VIPSEC_NODE_VIEW_H
#define VIPSEC_NODE_VIEW_H

#include "node/node.h"

enum vip_state { /* docs/FAILOVER, Life of a VIP */
	VIP_ABSENT,
	VIP_TENTATIVE, /* address there, duplicate address detection not done */
	VIP_WAITING, /* address there; no quorum, no claim, or bind agent not called */
	VIP_BOUND,
	VIP_RELEASING,
	VIP_HELD,
	VIP_MUTE /* was bound; address, quorum or claim was lost */
};
const char *vip_state_name(enum vip_state s);

struct vip_view {
	uint16_t scope;
	char name[POLICY_NAME_MAX]; /* "host" for the host's scope */
	enum vip_state state;
	struct addr addrs[CONFIG_VIP_ADDRS];
	bool addr_present[CONFIG_VIP_ADDRS];
	enum vip_state addr_state[CONFIG_VIP_ADDRS];
	unsigned n_addrs;
	uint8_t owner; /* member with the claim; 0: nobody */
	uint64_t since_ms; /* in this state */
	unsigned peers, peers_up;
	bool drained; /* its peers are sent to drain_to (IPv4, IPv6) */
	struct addr drain_to[2];
	uint64_t drain_since_ms;
	unsigned drain_turned, drain_told, drain_gone; /* struct drain of core.h */
	bool stuck; /* not released: the data plane does not acknowledge the closed gate */
	char reason[128]; /* why it is not bound; empty when it is */
	uint64_t partial_ms; /* bound, but not with all its addresses, since; 0: it is */
	char partial[128]; /* why not */
};

enum peer_state {
	PEER_IDLE,
	PEER_CALLING,
	PEER_UP,
	PEER_LOST,
	PEER_BACKOFF,
	PEER_UNREACHABLE
};
const char *peer_state_name(enum peer_state s);

struct peer_view {
	uint16_t scope;
	uint32_t rule;
	char rule_name[POLICY_NAME_MAX];
	enum peer_state state;
	struct endpoint remote;
	struct identity local_id, remote_id;
	uint32_t ike, child; /* 0: none */
	bool nat, callable; /* false: cannot be called, see reason */
	bool peer_nlbs;
	uint64_t bytes_in, bytes_out, packets_in, packets_out;
	uint64_t last_in_ms, last_out_ms; /* 0: never */
	uint64_t idle_timeout_ms; /* T that holds for this peer */
	uint64_t worst_recovery_ms; /* from the loss on, as things stand (worst.c);
				       UINT64_MAX: only the peer can call */
	uint64_t next_try_ms; /* BACKOFF; 0: none */
	char reason[224];
};

struct child_view {
	struct ike_child child; /* keys empty */
	struct esp_usage usage; /* as last reported */
	bool active; /* sent on; else only received on */
	uint64_t since_ms;
	uint64_t rekey_ms, expires_ms; /* UINT64_MAX: never, or on its way */
};

enum { NAME_ADDRS = 8, NAME_WHY_MAX = 96 };

struct name_view { /* of a peer that a rule finds by it */
	char name[HOSTNAME_MAX];
	struct addr addrs[NAME_ADDRS];
	unsigned n_addrs; /* 0: not known yet */
	uint64_t known_ms; /* when DNS said so last; 0: never */
	bool asking;
	uint64_t next_ms; /* when it is asked again, unless it is being asked */
	unsigned failures; /* in a row */
	char why[NAME_WHY_MAX]; /* of the last one; empty: none */
};

struct node_view {
	bool clustered, quorate, bus_up;
	uint8_t member;
	uint8_t members[NODE_MEMBERS_MAX];
	unsigned n_members;
	uint8_t config_hash[32];
	bool config_differs; /* a member has another configuration */
	struct config_tuning tuning; /* as in force: file, then `tune` */
	unsigned n_scopes;
};

void node_look(const struct node *n, struct node_view *out);
const struct config *node_config(const struct node *n); /* NULL before the first */
/* False: no such scope (or no host policy). */
bool node_look_vip(const struct node *n, uint16_t scope, struct vip_view *out);
void node_each_peer(
	const struct node *n, bool (*each)(const struct peer_view *, void *), void *ctx);
void node_each_child(
	const struct node *n, bool (*each)(const struct child_view *, void *), void *ctx);
void node_each_name(
	const struct node *n, bool (*each)(const struct name_view *, void *), void *ctx);
void node_each_ike(
	const struct node *n, bool (*each)(const struct ike_info *, void *), void *ctx);
void node_ike_counters(const struct node *n, struct ike_counters *out);
/* In use, for the simulator's check that nothing grows: SAs, peers, timers, claims. */
size_t node_count_kept(const struct node *n);
void node_set_key_sink(struct node *n, const struct ike_key_sink *sink);

#endif
