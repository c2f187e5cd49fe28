/* esp/nat.h - peers behind one NAT in transport mode: whose talk is whose. Private to the
 * room.
 *
 * All of them have the NAT's address inside (RFC 7296 2.23.1), so addresses and selectors do
 * not tell what goes to whom. What does is who began: a talk belongs to the peer out of
 * whose SA its packets came, authentic and within its selectors, and what is answered goes
 * into an SA of that peer, the newest one, so rekeying changes nothing. Two that use one
 * port to one service are told apart as a NAT would do it: the second is seen under another
 * port, here and by all above, and has its own again in what it is sent.
 *
 * What nobody has begun goes to the only peer of that address; if there are several, to
 * nobody. A peer whose SAs have gone is remembered, so that what was meant for it does not
 * go to another.
 */
#ifndef VIPSEC_ESP_NAT_H
#define VIPSEC_ESP_NAT_H

#include "base/list.h"
#include "base/map.h"
#include "base/siphash.h"
#include "wire/talk.h"

enum {
	NAT_FLOWS_EACH = 2048, /* of one peer; then its least recently used goes */
	NAT_FLOWS_MAX = 32768, /* of all; then one of whoever has more than his share */
	NAT_GONE_MAX = 4096, /* peers without an SA that are remembered */
	NAT_GONE_MS = 124 * 60 * 1000, /* and how long: RFC 5382 5 */
	/* Silent for so long, a talk whose port cannot be changed goes over. */
	NAT_STALE_MS = 10 * 60 * 1000,
	NAT_TOUCH_MS = 1000
};

struct esp_dp;
struct esp_sa;
struct flow_memo;

/* An address of ours and one there, behind which several peers may be. */
struct nat_site {
	uint32_t number;
	uint16_t scope;
	struct addr local, remote;
	struct list peers;
	unsigned n_peers;
};

struct nat_peer {
	struct list of_site, of_nat;
	struct list gone; /* in nat.gone: it has no SA */
	struct nat_site *site;
	uint32_t number;
	uint64_t owner; /* the same for all SAs of one identity */
	struct list sas; /* esp_sa.of_peer, the newest active one first */
	/* The least recently used first. Brief: those without an end, as UDP's, and TCP's
	 * that have ended. They make room before the lasting ones. */
	struct list brief, lasting;
	unsigned n_flows, n_moved; /* moved: seen under another port */
	uint64_t gone_ms;
};

struct nat_flow {
	struct list link; /* in its peer's */
	struct nat_peer *peer;
	uint8_t proto;
	uint16_t local_port;
	uint16_t port; /* the peer's own */
	uint16_t seen_port; /* as it is seen here; mostly the same */
	bool ended;
	uint64_t last_ms;
	struct flow_memo *memo_in, *memo_out; /* that may name it */
};

struct nat {
	struct map *sites, *by_port, *by_seen;
	struct siphash_key key;
	struct list peers, gone; /* gone: the first to go first */
	size_t n_peers, n_gone, n_flows;
	uint32_t last_number;
	uint64_t now_ms;
	uint64_t evicted;
};

void nat_init(struct nat *n, const struct entropy *e);
void nat_wipe(struct nat *n); /* no SA is left */
/* At the start of each call of the path. */
void nat_begin(struct nat *n, uint64_t now_ms);
void nat_forget_scope(struct nat *n, uint16_t scope);

/* The SA's peer is known from now on, if it is one that this is about. */
void nat_join(struct nat *n, struct esp_sa *sa, uint64_t owner);
void nat_leave(struct nat *n, struct esp_sa *sa);
void nat_activated(struct esp_sa *sa);

struct nat_flow *nat_by_port(
	const struct nat *n, const struct nat_peer *p, const struct talk *talk);
struct nat_flow *nat_by_seen(const struct nat *n, const struct nat_site *site,
	const struct talk *talk, uint16_t port);
/* There is none with this port, nor with this seen_port. */
struct nat_flow *nat_remember(
	struct nat *n, struct nat_peer *p, const struct talk *talk, uint16_t seen_port);
void nat_forget(struct nat *n, struct nat_flow *flow);

/* NULL: no peer behind that address is known. */
struct nat_site *nat_site_of(const struct nat *n, uint16_t scope,
	const struct addr *local, const struct addr *remote);
/* Who is meant by what we send. talk NULL: it cannot be read. NULL: nobody can tell. *flow
 * may be NULL. */
struct nat_peer *nat_meant(const struct nat *n, const struct nat_site *site,
	const struct talk *talk, struct nat_flow **flow);

enum nat_answer {
	NAT_KNOWN, /* *flow */
	NAT_NONE, /* an ICMP error about nothing that we remember */
	NAT_TAKEN /* another peer's: *flow; not to be delivered */
};
/* Whose talk a packet is that came out of sa with the flow f inside; remembered. */
enum nat_answer nat_heard(struct esp_dp *dp, struct esp_sa *sa, const struct flow *f,
	const struct talk *talk, struct nat_flow **flow);
void nat_touch(struct nat *n, struct nat_flow *flow, const struct talk *talk);
/* The remote side's port becomes this one, and the sum right. */
void nat_set_port(uint8_t *packet, const struct ip_packet *ip, const struct talk *talk,
	uint16_t port);

#endif
