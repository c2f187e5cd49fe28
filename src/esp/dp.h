/* esp/dp.h - the inside of a dataplane. Private to the room. */
#ifndef VIPSEC_ESP_DP_H
#define VIPSEC_ESP_DP_H

#include "base/map.h"
#include "esp/early.h"
#include "esp/hold.h"
#include "esp/notices.h"
#include "esp/reassembly.h"
#include "esp/sa.h"
#include "wire/ip_packet.h"

struct esp_scope {
	bool in_use;
	struct spd *spd;
	struct addr *addrs;
	size_t n_addrs; /* 0: every address that no other scope has */
	struct list sas;
};

/* Which SA a flow uses, so that packets of a stream need no search. */
struct flow_key {
	uint64_t word[5];
};
struct flow_memo {
	struct flow_key key;
	uint32_t generation; /* of the dataplane when this was true; 0: never */
	struct esp_sa *sa;
	struct nat_flow *nat; /* of an SA with a peer */
};
enum { FLOW_MEMOS = 1024 };

/* SAs whose numbers somebody wants to know (struct esp_watch). */
struct watching {
	struct list quiet, rung; /* those with something to tell */
	uint64_t looked_ms; /* at how long they have been quiet */
};

struct esp_dp {
	struct esp_scope scopes[SCOPE_MAX];
	struct esp_gate gates[SCOPE_MAX];
	struct map *by_id;
	struct map *by_spi; /* inbound */
	struct flow_memo memos[FLOW_MEMOS];
	uint64_t memo_seed;
	uint32_t generation; /* counts changes of policy and SAs; never 0 */
	struct esp_counters count;
	struct notices notices;
	struct reassembly reassembly;
	struct hold hold; /* on their way out */
	struct early early; /* and in */
	struct nat nat;
	struct watching watching;
};

/* The scope that has this address, or the host's; SCOPE_MAX: none. */
unsigned dp_scope_of(const struct esp_dp *dp, const struct addr *local);
struct esp_sa *dp_by_spi(const struct esp_dp *dp, uint32_t spi);
struct esp_notice dp_notice_of(const struct esp_sa *sa, enum esp_notice_kind kind);
/* False: the queue is full, and one more is counted as lost. */
bool dp_push(struct esp_dp *dp, const struct esp_notice *n);
/* Says it once: *told remembers. One that was lost is said again at the next occasion. */
void dp_tell(struct esp_dp *dp, const struct esp_sa *sa, enum esp_notice_kind kind,
	bool *told);

/* ---- select.c ---- */

enum selected {
	SELECT_SA,
	SELECT_NO_POLICY,
	SELECT_BLOCKED,
	SELECT_NO_SA,
	SELECT_NOBODY, /* several peers have that address, and none of them asked */
	SELECT_OTHER, /* inbound: not of this SA's selectors */
	SELECT_TAKEN /* inbound: it would be taken for another peer's (flow) */
};
struct selection {
	const struct ip_packet *ip; /* the packet, as the caller has read it */
	const uint8_t *at;
	struct flow f;
	/* out */
	struct esp_sa *sa;
	const struct spd_entry *entry; /* SELECT_NO_SA: what asks for one */
	uint64_t owner; /* whose that must be; 0: anybody's */
	struct nat_flow *flow; /* NULL: there is no more to it */
	struct talk talk; /* with flow */
	uint16_t scope; /* but for NO_POLICY */
};
enum selected select_outbound(struct esp_dp *dp, struct selection *s);
/* May this flow have come out of this SA? RFC 4301 5.2 */
enum selected select_inbound(struct esp_dp *dp, struct selection *s);

/* ---- watching.c ---- */

void watching_begin(struct esp_dp *dp, struct esp_sa *sa, uint32_t packets, uint32_t ms);
void watching_ring(struct esp_dp *dp, struct esp_sa *sa);

/* A number of it has been used, in either direction. */
static inline void watching_note(struct esp_dp *dp, struct esp_sa *sa)
{
	const struct esp_watch *w = &sa->watch;

	if (w->packets != 0 && (sa->usage.seq_out - w->told_out >= w->packets ||
				       sa->replay.top - w->told_in >= w->packets))
		watching_ring(dp, sa);
}

/* ---- inbound.c ---- */

/* Packets that came before their SA, opened now: appended to b. */
void inbound_release(struct esp_dp *dp, struct esp_batch *b, uint64_t now_ms);

/* ---- path_mtu.c ---- */

enum fit {
	FIT_WHOLE, /* and must stay so: DF */
	FIT_IN_FRAGMENTS, /* if not whole, then in outer fragments */
	FIT_TOLD, /* *p has become the ICMP error that goes back */
	FIT_NOT
};
/* Needs ESP_ROOM_BEFORE. */
enum fit path_fit(
	const struct esp_sa *sa, struct esp_packet *p, const struct ip_packet *ip);

#endif
