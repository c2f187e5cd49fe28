/* base/ts.h - traffic selectors (RFC 7296 2.9, 3.13.1) and the flows they select.
 *
 * A selector is an address range, a protocol and a port range. Protocol 0 is any.
 * For ICMP the port's high octet is the type, the low one the code. OPAQUE ports
 * (lo 65535, hi 0) match only packets whose ports cannot be known.
 *
 * Floor 0. Values; no heap.
 */
#ifndef VIPSEC_BASE_TS_H
#define VIPSEC_BASE_TS_H

#include "base/addr.h"

struct ts {
	struct addr lo, hi; /* one family, lo <= hi */
	uint8_t proto; /* IANA protocol number, 0 any */
	uint16_t port_lo, port_hi;
};

#define TS_LIST_MAX 16 /* more than this from a peer: the rest is ignored */

struct ts_list {
	struct ts at[TS_LIST_MAX];
	unsigned n;
};

/* One packet's addresses and ports, seen from the side that holds `local`. */
struct flow {
	struct addr local, remote;
	uint8_t proto;
	bool ports_known; /* false for later fragments and for protocols without ports */
	uint16_t local_port, remote_port;
};

#define TS_TEXT_MAX 128

struct ts ts_any(enum addr_family family);
struct ts ts_host(const struct addr *a);
struct ts ts_prefix(const struct prefix *p);
bool ts_valid(const struct ts *t);
bool ts_equal(const struct ts *a, const struct ts *b);
bool ts_contains(const struct ts *outer, const struct ts *inner);
/* False, and *out untouched, when nothing is common. */
bool ts_intersect(const struct ts *a, const struct ts *b, struct ts *out);
bool ts_has_addr(const struct ts *t, const struct addr *a);
bool ts_matches(const struct ts *t, const struct addr *a, uint8_t proto, bool port_known,
	uint16_t port);
/* Both halves of the flow: local against l, remote against r. */
bool ts_pair_matches(const struct ts *l, const struct ts *r, const struct flow *f);
/* "192.0.2.0/24 tcp 143", "any" */
const char *ts_format(const struct ts *t, char out[TS_TEXT_MAX]);

/* Appends; false when the list is full. */
bool ts_list_add(struct ts_list *l, const struct ts *t);
bool ts_list_equal(const struct ts_list *a, const struct ts_list *b);
/* Some pair (l, r) of the two lists matches the flow. */
bool ts_lists_match(
	const struct ts_list *l, const struct ts_list *r, const struct flow *f);

#endif
