/* tests/fuzz/world.h - two IKE engines, the wire between them, a clock, and what must hold
 * after every step. For fuzz targets that drive whole exchanges.
 */
#ifndef VIPSEC_TESTS_FUZZ_WORLD_H
#define VIPSEC_TESTS_FUZZ_WORLD_H

#include "ike/sa.h"

enum { WIRE_MAX = 24, WIRE_DATAGRAM = 4096, SEEN_MAX = 256 };

enum world_option {
	WORLD_FRAGMENTS = 1,
	WORLD_PFS = 2,
	WORLD_TUNNEL = 4,
	WORLD_TIGHT = 8, /* limits that are soon reached */
	WORLD_SUITES = 16,
	WORLD_ENCAP = 32,
	WORLD_FRIENDS = 64,
	WORLD_MASTER = 128
};

/* Said behind 255, which is no option. */
enum world_more {
	WORLD_CBC = 1, /* AES-CBC with HMAC, in IKE and ESP */
	WORLD_CERT = 2, /* both prove themselves by certificates */
	WORLD_WRONG_CERT = 4, /* end 1 by one of another CA */
	WORLD_STRICT = 8, /* whether it is revoked must be known */
	WORLD_PPK = 16,
	WORLD_PPK_REQUIRED = 32, /* by end 0 */
	WORLD_WRONG_PPK = 64, /* end 1 has another key */
	WORLD_V6 = 128
};

struct world_end {
	struct world *world;
	struct ike_engine *engine;
	struct seeded_entropy seed;
	struct ike_conn conn;
	struct ike_limits limits;
	struct trust *trust;
	struct revocations *revocations;
	struct fetch_wish wish;
	bool wishes;
	uint32_t next_spi;
	unsigned up, down, calls;
	bool away; /* it sends its callers elsewhere */
	/* the state that each SA was last seen in, by its id */
	struct {
		uint32_t id;
		enum ike_state state;
	} seen[SEEN_MAX];
};

struct world_datagram {
	uint8_t from;
	struct ike_path path; /* as its sender has it */
	size_t len;
	uint8_t at[WIRE_DATAGRAM];
};

struct world {
	uint64_t now_ms;
	uint8_t options, more;
	struct world_end end[2];
	struct world_datagram
		wire[WIRE_MAX]; /* the oldest first; what finds no room is lost */
	unsigned n;
};

struct world *world_new(uint8_t options, uint8_t more);
/* Everything is brought to its end, and must balance. */
void world_free(struct world *w);

void world_call(struct world *w, unsigned by);
/* Gives the n-th datagram to the other end, and takes it off the wire. */
void world_deliver(struct world *w, unsigned n);
void world_lose(struct world *w, unsigned n);
void world_repeat(struct world *w, unsigned n);
/* The n-th seems to come from elsewhere. */
void world_from(struct world *w, unsigned n, uint8_t host);
/* Another datagram of the sender of like, which goes the same way. */
void world_put(struct world *w, const struct world_datagram *like, struct span bytes);
/* The certificates of an end that it asked for cannot be had, or can. */
void world_fetched(struct world *w, unsigned end);
/* Octets in clear, from an address of choice; no SA that is up may notice. */
void world_stranger(struct world *w, unsigned to, uint8_t host, struct span datagram);
void world_wait(struct world *w, uint64_t ms);
/* The SA at an end that a datagram is for, or that has sent it; NULL: none. */
struct ike_sa *world_sa_of(struct world *w, unsigned end, struct span datagram);
struct ike_sa *world_last_sa(struct world *w, unsigned end);
/* After each call into an engine. */
void world_check(struct world *w, unsigned end);

#endif
