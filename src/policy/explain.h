/* policy/explain.h - which entry decides about a flow, and why.
 *
 * Also the one list of what is exempt from every SPD: the guard installs the same, and
 * `vipsec explain` shows it. There are no other exemptions.
 *
 * Floor 1. Pure; an explanation borrows from the SPD.
 */
#ifndef VIPSEC_POLICY_EXPLAIN_H
#define VIPSEC_POLICY_EXPLAIN_H

#include "policy/policy.h"

enum policy_reason {
	REASON_ENTRY, /* entry decides */
	REASON_NO_ENTRY, /* nothing covers the flow: it passes in clear */
	REASON_EXEMPT_IKE, /* UDP from or to our port 500 or 4500 */
	REASON_EXEMPT_ESP, /* judged by its SA */
	REASON_EXEMPT_AH,
	REASON_EXEMPT_ND, /* IPv6 neighbour and router discovery, ICMPv6 133 to 137 */
	REASON_EXEMPT_PATH_MTU /* an ICMP error for path MTU: exempt only when it quotes a
				  packet of ours; else what `entry` says */
};

struct policy_explanation {
	enum policy_reason reason;
	enum policy_action action;
	const struct spd_entry *entry; /* NULL with REASON_NO_ENTRY; with an exemption:
					   what would decide without it */
	const struct spd_entry *second; /* the next entry that covers the flow, less
					   specific; NULL: none */
	size_t position; /* of entry in the SPD, from 0 */
	size_t covering; /* how many entries cover the flow */
};

#define POLICY_WHY_MAX 512

/* For ICMP, both ports of the flow are type * 256 + code. */
void policy_explain(const struct spd *s, enum policy_direction d, const struct flow *f,
	struct policy_explanation *out);
/* REASON_ENTRY when the flow is not exempt. */
enum policy_reason policy_exemption(enum policy_direction d, const struct flow *f);

/* A packet as an operator names it, turned to the side whose addresses are given
 * (n_addrs 0: every source is ours). False: neither end is ours. */
bool policy_orient(const struct addr *addrs, size_t n_addrs, const struct addr *src,
	uint16_t src_port, const struct addr *dst, uint16_t dst_port, uint8_t proto,
	enum policy_direction *d, struct flow *out);

const char *policy_action_name(enum policy_action action);
const char *policy_mode_name(enum policy_mode mode);
const char *policy_offload_name(enum policy_offload offload);
/* One line, without a newline. Returns out. */
const char *policy_why(const struct policy_explanation *e, char out[POLICY_WHY_MAX]);

#endif
