/* tests/unit/ike_lab.h - two IKE engines, a network between them, and a clock that only
 * moves when told.
 *
 * Side A is 192.0.2.10 (the VIP, by habit), side B 198.51.100.7. A datagram takes 1 ms
 * each way unless a filter says otherwise. Either side may be put behind a NAT. All that
 * the engines tell their host is kept for the test to look at.
 */
#ifndef VIPSEC_TESTS_IKE_LAB_H
#define VIPSEC_TESTS_IKE_LAB_H

#include "unit.h"

#include "ike/sa.h"

enum lab_side_name { A, B };

enum { LAB_EVENTS = 64, LAB_QUEUE = 512, LAB_DATAGRAM = 4096, LAB_NOTES = 16384 };

#define LAB_WALL_S ((int64_t)1900000000) /* the time by which certificates are judged */

struct lab_closed {
	struct ike_info info;
	struct ike_failure why;
};

struct lab_down {
	uint32_t ike, child;
	enum ike_close why;
};

struct lab_refused {
	uint32_t ike, child;
	struct ike_failure why;
};

struct lab_rekeyed {
	uint32_t old;
	struct ike_info sa;
};

struct lab_side {
	struct lab *lab;
	struct ike_engine *engine;
	struct seeded_entropy seed;
	struct ike_conn conn; /* how this side calls, and what it accepts */
	struct addr addr; /* its own */
	struct addr outside; /* seen by the other; another one: behind a NAT */
	uint16_t mapped; /* added to its port by the NAT */
	bool bound; /* answers strangers */
	bool friends; /* knows every caller */
	bool knows_peer; /* knows the other side, and nobody else */
	uint32_t next_spi;
	struct addr away; /* it sends its callers there; not set: it does not */
	const char
		*stays; /* why it does not let itself be sent elsewhere; NULL: it does */
	struct revocations *revocations;
	struct fetch_wish wish; /* the last */
	unsigned n_wishes;

	struct ike_info established[LAB_EVENTS], moved[LAB_EVENTS];
	struct ike_child up[LAB_EVENTS];
	struct lab_down down[LAB_EVENTS];
	struct lab_closed closed[LAB_EVENTS];
	struct lab_refused refused[LAB_EVENTS];
	struct lab_rekeyed rekeyed[LAB_EVENTS];
	struct ike_gateway gateway; /* the last that it was sent to */
	uint32_t gateway_of; /* by which IKE SA */
	unsigned n_established, n_moved, n_up, n_down, n_closed, n_sent, n_refused,
		n_rekeyed, n_redirected, n_sent_away;
	char notes[LAB_NOTES];
};

struct lab_datagram {
	enum lab_side_name from;
	struct ike_path path; /* as the receiver sees it */
	uint64_t at_ms;
	size_t len;
	uint8_t bytes[LAB_DATAGRAM];
};

/* What becomes of a datagram: copies (0: lost) and the time it takes. */
struct lab_fate {
	unsigned copies;
	uint64_t ms;
};

struct lab {
	uint64_t now_ms;
	struct lab_side side[2];
	struct lab_datagram queue[LAB_QUEUE];
	unsigned n_queue;
	struct lab_fate (*filter)(struct lab *, const struct lab_datagram *);
	void *filter_ctx;
	/* What is sent to where neither side sits; path as the sender has it. */
	void (*elsewhere)(struct lab *, const struct ike_path *path, struct span bytes);
	void *elsewhere_ctx;
	/* every datagram that was sent, in order; the oldest ones only */
	struct lab_datagram log[LAB_QUEUE];
	unsigned n_log;
	uint8_t crafted[LAB_DATAGRAM], opened[LAB_DATAGRAM];
};

/* Transport mode between the two addresses, AES-128-GCM, SHA-256, X25519, one key. */
struct lab *lab_new(uint64_t seed);
/* The same with other limits at both sides. */
struct lab *lab_new_limited(uint64_t seed, const struct ike_limits *limits);
void lab_free(struct lab *lab);

/* The side calls the other; returns the IKE SA's id. */
uint32_t lab_call(struct lab *lab, enum lab_side_name s);
/* Delivers and ticks until nothing is on the wire and nothing is due within ms. */
void lab_run(struct lab *lab, uint64_t ms);
/* A calls B, and both are up. Returns A's id. */
uint32_t lab_up(struct lab *lab);
/* Both sides get IPv6 addresses, and identities to match. */
void lab_use_v6(struct lab *lab);
void lab_put_behind_nat(struct lab *lab, enum lab_side_name s);
void lab_set_psk(struct lab_side *side, const char *psk);
void lab_set_mode(struct lab_side *side, enum policy_mode mode);

/* Filters: nothing arrives; nothing from side A arrives. */
struct lab_fate lab_drop_all(struct lab *lab, const struct lab_datagram *d);
struct lab_fate lab_drop_from_a(struct lab *lab, const struct lab_datagram *d);

/* Puts bytes on the wire as if the side had sent them from where it sits. */
void lab_inject(struct lab *lab, enum lab_side_name from, const struct ike_path *path,
	struct span bytes);
/* The one SA of a side (the last in its list). */
struct ike_sa *lab_sa(struct lab *lab, enum lab_side_name s);
unsigned lab_count(
	const struct lab *lab, enum lab_side_name s); /* not those that are gone */
struct ike_counters lab_counters(const struct lab *lab, enum lab_side_name s);
/* A message that the side's engine would not write: begin, write payloads, send. It is
 * sealed with the side's keys, under an IV of its own. */
struct message lab_craft(struct lab *lab, enum lab_side_name s, uint8_t exchange,
	bool response, uint32_t message_id);
void lab_send_crafted(struct lab *lab, enum lab_side_name s, struct message *m);
/* What a logged datagram held, read with the keys of the side that got it. */
struct payload_set lab_read(struct lab *lab, const struct lab_datagram *d);
const struct lab_datagram *lab_last(const struct lab *lab);
/* The two ends of one child: keys crossed, SPIs crossed, selectors mirrored. */
void lab_assert_children_match(const struct ike_child *a, const struct ike_child *b);
void lab_assert_noted(const struct lab_side *side, const char *text);

#endif
