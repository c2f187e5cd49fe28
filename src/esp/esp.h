/* esp/esp.h - the data path of ESP and AH, buffer to buffer (RFC 4303, 4302, 3948; RFC 4301
 * 3.2).
 *
 * A dataplane holds the SA database and each scope's SPD, and turns batches of packets
 * into batches of packets: what came out of the TUN into datagrams for the network, what
 * came from the network into packets for the TUN. It does no I/O and has no clock; the
 * TUN plane's data thread and the simulator drive this same code.
 *
 * One thread owns a dataplane. Gates (gate.h) alone may be touched by another.
 *
 * Floor 2.
 */
#ifndef VIPSEC_ESP_ESP_H
#define VIPSEC_ESP_ESP_H

#include "base/entropy.h"
#include "base/secret.h"
#include "base/ts.h"
#include "crypto/aead.h"
#include "esp/gate.h"
#include "esp/replay_state.h"
#include "policy/policy.h"

struct esp_dp;

enum esp_err {
	ESP_OK = 0,
	ESP_EXISTS, /* this id or inbound SPI is in use */
	ESP_NOT_FOUND,
	ESP_REFUSED /* the library refused the key */
};
#define ESP_CHECKED __attribute__((warn_unused_result))

/* A child SA: both directions at once, as IKE makes them. */
struct esp_child {
	uint32_t id; /* the node's handle, unique while the daemon runs */
	uint16_t scope;
	uint32_t rule;
	uint32_t spi_in, spi_out;
	bool ah; /* AH (RFC 4302): alg is then NULL with HMAC, and there is no UDP */
	enum aead_alg alg;
	struct secret key_in, key_out; /* key and salt; wiped by esp_child_wipe */
	enum policy_mode mode;
	bool encap; /* ESP in UDP, RFC 3948 */
	struct endpoint local, remote; /* outer; ports used with encap only */
	struct ts_list local_ts, remote_ts;
	bool esn;
	/* packets, up to ESP_REPLAY_MAX, and then esp_replay_window() of it; 0: no check (never
	 * for a peer's SA) */
	uint32_t replay_window;
	uint8_t member; /* upper octet of every IV that this SA sends */
	uint64_t soft_seq; /* SEQ_SOFT notice when the outgoing number passes it */
	bool outbound_ready; /* false: receive only, until esp_dp_activate */
	/* Transport mode with a peer behind a NAT, where others may be, too: a number of its
	 * identity. What one of them has begun is answered to it alone. 0: it has its
	 * address for itself. */
	uint64_t owner;
	struct policy_tags tags;
	enum policy_offload offload; /* what is wanted; of no use to this room */
};
void esp_child_wipe(struct esp_child *c);

struct esp_usage {
	uint32_t id;
	uint64_t as_of_ms; /* when it was so: it may be a little while ago */
	uint64_t packets_in, packets_out;
	/* Octets of inner packets; what comes with one to hide its length counts, too. In:
	 * all that was authentic, also what the selectors then did not let pass. */
	uint64_t bytes_in, bytes_out;
	uint64_t last_in_ms, last_out_ms; /* 0: never */
	/* First packet sent since the last authentic one received; 0: none waits.
	 * This is the child's share of the idle timer's t0 (design: who is dead). */
	uint64_t unanswered_since_ms;
	uint64_t seq_out;
	uint64_t replayed, forged, wrong_selector; /* inbound drops */
	uint64_t flow_taken; /* inbound drops: another peer's, behind the same NAT */
	/* Remembered of its peer, with an owner; of these, seen under another port. */
	uint64_t flows, flows_moved;
	enum policy_offload offload_in, offload_out; /* what a device does for it */
};

/* Drops and other totals; names are what `vipsec status` and the tests use. */
struct esp_counters {
	uint64_t sealed, opened;
	uint64_t drop_no_policy, drop_blocked, drop_no_sa, drop_gate, drop_malformed;
	uint64_t drop_unknown_spi, drop_forged, drop_replayed, drop_selector;
	uint64_t drop_too_big, drop_reassembly, drop_seq_exhausted;
	uint64_t drop_refused; /* the library did not seal */
	/* Packets that waited for an SA on their way out, and those of them that left; the
	 * others are in drop_no_sa and elsewhere, as any. */
	uint64_t held, released;
	uint64_t early; /* inbound packets that waited for their SA and got it */
	uint64_t icmp_too_big_made, dummy_packets, reassembled, keepalives_in;
	uint64_t notices_lost;
	/* Peers behind one NAT: another's, nobody's; remembered now, and given up for want of
	 * room. */
	uint64_t drop_flow_taken, drop_flow_nobody, flows, flows_evicted;
};

/* ---- packets ------------------------------------------------------------ */

enum { ESP_BATCH_MAX = 64 };
enum {
	/* What a caller leaves free in front of and behind a packet, in and out, so that
	 * all work is done in place. */
	ESP_ROOM_BEFORE = 96,
	ESP_ROOM_AFTER = 64
};

enum esp_verdict {
	ESP_DROP, /* counted */
	ESP_SEND, /* at..len is ESP (from the SPI on), or a whole IP packet with AH: to
		     remote, from local */
	ESP_INJECT, /* at..len is an IP packet: into the TUN */
	ESP_HELD /* copied: a fragment, until its datagram is whole, or a packet, until
		    there is an SA for it (esp_dp_release) */
};

struct esp_packet {
	/* may point into the dataplane's own memory after a call; valid until
	 * the next call */
	uint8_t *at;
	size_t len;
	enum esp_verdict verdict;
	uint16_t scope;
	bool encap;
	bool ah; /* in and out: AH, and at..len the whole packet, outer header included */
	bool dont_fragment; /* ESP_SEND: the outer header's DF (IPv4) */
	uint32_t mark, mark_mask; /* ESP_SEND: of the outer packet; mask 0: none */
	uint32_t mtu; /* ESP_SEND: what the path carries, for who cuts AH up */
	uint8_t tos; /* ESP_SEND: outer traffic class; inbound: that of the outer header */
	/* ESP_SEND: outer TTL or hop limit, 0: the host's own; inbound: that of the outer
	 * header, 0: not known. In transport mode it is the packet's (RFC 5082). */
	uint8_t ttl;
	struct endpoint local, remote; /* outer addresses, in and out */
};

struct esp_batch {
	struct esp_packet at[ESP_BATCH_MAX];
	unsigned n;
};

/* ---- notices -------------------------------------------------------------- */

enum esp_notice_kind {
	ESP_ACQUIRE, /* traffic wants an SA that is not there; at most one a second for
			    each rule and peer */
	ESP_UNKNOWN_SPI, /* unauthenticated; some 16 a second at most */
	ESP_SEQ_SOFT,
	ESP_SEQ_HARD, /* the SA can send no more: numbers never wrap (RFC 4303 3.3.3) */
	ESP_MAPPING, /* authentic traffic from a new address or port (RFC 7296 2.23) */
	ESP_INBOUND, /* first authentic packet on this SA */
	/* Behind one NAT, dropped; one a second at most: what came out of this SA would be
	 * taken for another peer's, whose SA is `other`; what was sent to that address was
	 * asked for by none of several. */
	ESP_FLOW_TAKEN,
	ESP_FLOW_NOBODY
};

struct esp_notice {
	enum esp_notice_kind kind;
	uint16_t scope;
	uint32_t rule, id, spi;
	struct flow flow; /* ESP_ACQUIRE, ESP_FLOW_TAKEN, ESP_FLOW_NOBODY */
	uint64_t owner; /* ESP_ACQUIRE: whose SA is wanted; 0: anybody's */
	uint32_t other; /* ESP_FLOW_TAKEN: a child of the other's; 0: it has none now */
	struct endpoint local, remote; /* ESP_UNKNOWN_SPI, ESP_MAPPING */
};

/* ---- control -------------------------------------------------------------- */

struct esp_dp *esp_dp_new(const struct entropy *e);
void esp_dp_free(struct esp_dp *dp); /* wipes all keys */

/* The scope's rules and own addresses. Takes spd over. NULL: the scope ends, its SAs are
 * deleted. With n_addrs 0 every local address belongs to the scope (the host). */
void esp_dp_policy(struct esp_dp *dp, uint16_t scope, struct spd *spd,
	const struct addr *addrs, size_t n_addrs);
/* Lives as long as the dataplane; closed until opened. */
struct esp_gate *esp_dp_gate(struct esp_dp *dp, uint16_t scope);

/* ESP_NOT_FOUND: the scope has no policy. */
enum esp_err esp_dp_add(struct esp_dp *dp, const struct esp_child *c) ESP_CHECKED;
enum esp_err esp_dp_delete(struct esp_dp *dp, uint32_t id) ESP_CHECKED;
/* The outgoing half takes over its rule's traffic (of two, the newest active one sends). */
enum esp_err esp_dp_activate(struct esp_dp *dp, uint32_t id) ESP_CHECKED;
/* The peer is there now, and is sent ESP in UDP or not. */
enum esp_err esp_dp_move(struct esp_dp *dp, uint32_t id, const struct endpoint *remote,
	bool encap) ESP_CHECKED;
/* Largest outer packet, IP header included, that the path carries; 0: the default of
 * 1500. Packets that may not be fragmented and do not fit are answered with ICMP. */
enum esp_err esp_dp_path_mtu(struct esp_dp *dp, uint32_t id, uint32_t octets) ESP_CHECKED;
enum esp_err esp_dp_usage(const struct esp_dp *dp, uint32_t id, uint64_t now_ms,
	struct esp_usage *out) ESP_CHECKED;
/* How far its numbers have come. Setting goes on with both, and never back; the IVs are
 * others' business (struct esp_gate). */
enum esp_err esp_dp_replay(
	const struct esp_dp *dp, uint32_t id, struct esp_replay_state *out) ESP_CHECKED;
enum esp_err esp_dp_replay_set(
	struct esp_dp *dp, uint32_t id, const struct esp_replay_state *from) ESP_CHECKED;
/* From now on esp_dp_rung() names it when either direction has used `packets` numbers since
 * it was named last, or any, and `ms` have gone by. 0: not for that; both 0: not at all. */
enum esp_err esp_dp_watch(
	struct esp_dp *dp, uint32_t id, uint32_t packets, uint32_t ms) ESP_CHECKED;
bool esp_dp_rung(struct esp_dp *dp, uint64_t now_ms, uint32_t *id); /* false: none */
bool esp_dp_is_watched(const struct esp_dp *dp); /* any of them */
size_t esp_dp_count(const struct esp_dp *dp);
/* Deleted or not, nothing of this scope is left: what an agent's stop verifies. */
size_t esp_dp_count_scope(const struct esp_dp *dp, uint16_t scope);
void esp_dp_counters(const struct esp_dp *dp, struct esp_counters *out);
/* False: none waits. Notices are bounded; the oldest are kept, the rest counted. */
bool esp_dp_notice(struct esp_dp *dp, struct esp_notice *out);

/* ---- the path --------------------------------------------------------------- */

/* Packets read from the TUN, each with the room above around it. Sets each verdict:
 * ESP_SEND, ESP_DROP, ESP_HELD, or ESP_INJECT for an ICMP error that goes back. */
void esp_dp_outbound(struct esp_dp *dp, struct esp_batch *b, uint64_t now_ms);
/* Packets that waited for an SA and need not any more, as esp_dp_inbound() and
 * esp_dp_outbound() leave them; b is filled from empty. To be called after SAs or rules were changed and before the next
 * packets go either way, again and again until b stays empty, so that those keep their order; and
 * now and then while some wait, so that old ones are dropped. */
void esp_dp_release(struct esp_dp *dp, struct esp_batch *b, uint64_t now_ms);
size_t esp_dp_held(const struct esp_dp *dp); /* how many wait for an SA */
/* ESP from the network: at..len from the SPI on, addresses filled in; or AH, with ah set. Sets
 * ESP_INJECT, ESP_DROP or ESP_HELD. Selectors are checked on what was decrypted (RFC 4301
 * 5.2). */
void esp_dp_inbound(struct esp_dp *dp, struct esp_batch *b, uint64_t now_ms);

/* What the policy says of a packet that comes or goes in clear, beside any SA: used by
 * the simulator's network, by `explain`, and to cross-check the guard's rules. The guard's
 * exemptions are permitted. For ICMP both ports hold type << 8 | code. */
enum policy_action esp_dp_clear_verdict(const struct esp_dp *dp, enum policy_direction d,
	const struct addr *src, const struct addr *dst, uint8_t proto, uint16_t src_port,
	uint16_t dst_port);

#endif
