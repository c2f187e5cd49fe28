/* policy/policy.h - which traffic may pass, and how: the ordered SPD (RFC 4301 4.4.1).
 *
 * An SPD belongs to one scope: a virtual IP, or the host itself (backend none). The most
 * specific entry wins; what no entry covers passes in clear. An SPD is built once, sealed
 * (sorted and checked) and never changed: a new configuration makes a new one.
 *
 * Floor 1. An SPD lives on the heap; lookups allocate nothing.
 */
#ifndef VIPSEC_POLICY_POLICY_H
#define VIPSEC_POLICY_POLICY_H

#include "base/ts.h"

#define POLICY_NAME_MAX 64
#define SCOPE_MAX 64 /* virtual IPs (and the host) of one daemon */

enum policy_action { POLICY_PERMIT, POLICY_BLOCK, POLICY_NEGOTIATE };
enum policy_mode { POLICY_TRANSPORT, POLICY_TUNNEL };

enum policy_err {
	POLICY_OK = 0,
	POLICY_CONTRADICTION, /* equal selectors, different action or authentication */
	POLICY_FULL
};

/* What a network device is to do for an SA; or what it does. */
enum policy_offload {
	OFFLOAD_NO,
	OFFLOAD_AUTO, /* whatever it can, and nothing is said if it cannot */
	OFFLOAD_CRYPTO, /* seal and open */
	OFFLOAD_PACKET /* the whole of ESP, policies too */
};

/* What the SAs of an entry carry besides. */
struct policy_tags {
	uint32_t mark,
		mask; /* of packets that leave, for the routing behind ESP; mask 0: none */
	uint32_t if_id; /* of the XFRM interface that alone uses them; 0: none */
};

/* One selector pair of one rule. local is the scope's side. */
struct spd_entry {
	struct ts local, remote;
	enum policy_action action;
	bool mirrored; /* false: only traffic that leaves the local side */
	enum policy_mode mode;
	struct addr
		tunnel_to; /* ADDR_NONE: whoever proves to be the peer (answer only) */
	struct policy_tags tags;
	uint32_t rule; /* the rule's number in the configuration; its binding */
	uint32_t binding; /* entries of one action and authentication share it */
	bool ah; /* what is asked for first is AH, not ESP */
	char rule_name[POLICY_NAME_MAX];
};

struct spd;

struct spd *spd_new(void);
void spd_free(struct spd *s);
struct spd *spd_dup(const struct spd *s); /* an independent copy, for another thread */
enum policy_err spd_add(struct spd *s, const struct spd_entry *e)
	__attribute__((warn_unused_result));
/* Orders the entries. On POLICY_CONTRADICTION *a and *b name the two. */
enum policy_err spd_seal(struct spd *s, const struct spd_entry **a,
	const struct spd_entry **b) __attribute__((warn_unused_result));

size_t spd_count(const struct spd *s);
const struct spd_entry *spd_at(const struct spd *s, size_t i); /* most specific first */

/* direction matters only for entries that are not mirrored */
enum policy_direction { POLICY_OUT, POLICY_IN };
/* NULL: no entry covers the flow (it passes in clear). */
const struct spd_entry *spd_lookup(
	const struct spd *s, enum policy_direction d, const struct flow *f);
/* Compares specificity: < 0 when a is more specific. What `explain` quotes. */
int spd_specificity(const struct spd_entry *a, const struct spd_entry *b);

/* Narrowing (RFC 7296 2.9), for the responder: of what the peer proposes for its side
 * (theirs) and ours, keep what one negotiate rule allows. Fills *ours_out, *theirs_out
 * and returns an entry of the rule chosen; NULL: TS_UNACCEPTABLE. mode is what the peer
 * asked for; an entry of the other mode is no match. All pairs of one rule are kept. */
const struct spd_entry *spd_narrow(const struct spd *s, enum policy_mode mode,
	const struct ts_list *ours, const struct ts_list *theirs,
	struct ts_list *ours_out, struct ts_list *theirs_out);

#endif
