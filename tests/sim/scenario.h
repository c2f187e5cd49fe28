/* tests/sim/scenario.h - what a seed decides about a run before it begins.
 */
#ifndef VIPSEC_SIM_SCENARIO_H
#define VIPSEC_SIM_SCENARIO_H

#include "base/addr.h"
#include "config/config.h"

enum { NODES_MAX = 3, PEERS_PER_RUN = 100, MACHINES_MAX = NODES_MAX + PEERS_PER_RUN };
enum { VIPS_MAX = 2 };
enum { APP_PORT = 5001, OPEN_PORT = 5002, MORE_PORT = 5003, CLIENT_PORT = 6000 };

enum sabotage {
	BREAK_NOTHING,
	BREAK_GATE, /* a machine does not close its gate when told to */
	BREAK_QUORUM, /* every node is told that it is quorate */
	BREAK_CLAIM, /* a claim is delivered to its sender only */
	BREAK_REPLAY, /* child SAs are installed without a replay window */
	BREAK_GRACE, /* what a node has no more is not received on for a moment longer */
	BREAK_HASTE, /* a new child SA is sent on before the peer is known to have it */
	BREAK_OWNER /* all peers behind the NAT are taken for one */
};

enum peer_kind {
	PEER_TRANSPORT_V4, /* its own address, identities are the addresses */
	PEER_TRANSPORT_V6,
	PEER_TUNNEL, /* its own address, an inner address, a name */
	PEER_NAT, /* a tunnel from behind the one NAT address that all of these share */
	PEER_SHARED /* transport mode from there: all ask for the same, from one port */
};

/* When SAs are renewed, as one side has it. 0: as it comes. */
struct ages {
	uint64_t child_ms, ike_ms, reauth_ms, packets, bytes;
	const char *pfs; /* of config; NULL: as it comes */
	bool childless; /* force */
	bool more; /* a second key exchange, and may do without */
	const char *protocols; /* of the proposal; NULL: ESP */
};

enum { REKEYS_USUAL = 35 }; /* of a hundred seeds */

enum rekeys {
	REKEYS_NONE,
	REKEYS_BRISK, /* every few seconds: while things go wrong, and against each other */
	REKEYS_STEADY /* with time to try again: nothing may be lost to them */
};

struct scenario {
	enum rekeys rekeys;
	bool further; /* a second rule with each peer, so two children */
	struct ages node_ages, peer_ages[PEERS_PER_RUN];
	unsigned
		rough; /* in 10000: IKE messages lost or doubled when the faults are over */
	unsigned n_nodes, n_peers, n_vips;
	bool crowd; /* as many as can be, all behind NAT */
	enum peer_kind kind[PEERS_PER_RUN];
	unsigned vip_of[PEERS_PER_RUN];
	bool wait; /* takeover wait */
	unsigned nlbs, peer_nlbs; /* nlbs-flags there and here */
	uint64_t idle_ms, idle_failover_ms; /* idle-timeout, idle-timeout-failover */
	uint64_t idle_lifetime_ms, child_ms; /* of SAs; 0: as it comes */
	bool bind_agent;
	uint64_t token_ms; /* until a membership without the lost node stands */
	bool fencing;
	uint64_t dad_ms; /* of an IPv6 address */
	uint64_t delay_lo_ms, delay_hi_ms; /* one way */
	unsigned loss, duplicate, linger; /* in 10000; linger: copies that come seconds
					     later */
	uint64_t order_delay_ms; /* the longest that the data thread lets an order wait */
	uint64_t faults_ms, quiet_ms; /* how long */
	bool many_moves;
	bool drains; /* virtual IPs are drained now and then: drains.c */
	enum sabotage sabotage;
};

/* rekeys: how many of a hundred seeds rekey; the others are as with 0. */
void scenario_draw(
	struct scenario *sc, uint64_t seed, enum sabotage sabotage, unsigned rekeys);
/* A month of ordinary days: some rekey as it comes, some more often, some prove
 * themselves anew each day, and IKE messages are lost now and then. */
void scenario_soak(struct scenario *sc);
/* Ages that no configuration file may ask for. */
void scenario_shorten(const struct scenario *sc, int peer, struct config *c);
/* The configuration file of a cluster node or of the n-th peer. Heap. An edited one says
 * something else, too. */
char *scenario_node_text(const struct scenario *sc, bool edited);
char *scenario_peer_text(const struct scenario *sc, unsigned n, bool edited);

struct addr vip_addr(unsigned vip, bool v6);
struct addr peer_addr(const struct scenario *sc, unsigned n);
bool peer_is_v6(const struct scenario *sc, unsigned n);
struct addr nat_addr(void);
bool peer_is_behind_nat(const struct scenario *sc, unsigned n);

#endif
