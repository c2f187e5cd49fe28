/* policy/explain.c - a verdict with its reasons, and the built-in exemptions.
 *
 * RFC 4301 5 and 5.2 want every packet judged by the SPD; what is exempt here is what would make
 * that impossible: IKE itself, ESP and AH (their SA judges them), IPv6 neighbour
 * discovery (RFC 4861), and ICMP errors for path MTU (RFC 4301 6.1.1, 8.2) that quote our own
 * packets. No I/O: ctl/ prints, port/ installs the same list in the guard.
 */
#include "policy/explain.h"
#include "policy/spd.h"

#include <assert.h>
#include <stdio.h>

enum {
	ICMP_UNREACHABLE = 3,
	ICMP_CODE_FRAG_NEEDED = 4,
	ICMPV6_PACKET_TOO_BIG = 2,
	ICMPV6_ROUTER_SOLICITATION = 133,
	ICMPV6_REDIRECT = 137
};

static bool is_path_mtu_error(const struct flow *f)
{
	if (!f->ports_known)
		return false;
	if (f->proto == IP_ICMP)
		return f->local_port == (ICMP_UNREACHABLE << 8 | ICMP_CODE_FRAG_NEEDED);
	return f->proto == IP_ICMPV6 && f->local_port >> 8 == ICMPV6_PACKET_TOO_BIG;
}

static bool is_neighbour_discovery(const struct flow *f)
{
	unsigned type = f->local_port >> 8;

	return f->ports_known && f->proto == IP_ICMPV6 &&
	       type >= ICMPV6_ROUTER_SOLICITATION && type <= ICMPV6_REDIRECT;
}

static bool is_ike(const struct flow *f)
{
	return f->ports_known && f->proto == IP_UDP &&
	       (f->local_port == IKE_PORT || f->local_port == IKE_NATT_PORT);
}

enum policy_reason policy_exemption(enum policy_direction d, const struct flow *f)
{
	if (is_ike(f))
		return REASON_EXEMPT_IKE;
	if (f->proto == IP_ESP)
		return REASON_EXEMPT_ESP;
	if (f->proto == IP_AH)
		return REASON_EXEMPT_AH;
	if (is_neighbour_discovery(f))
		return REASON_EXEMPT_ND;
	if (d == POLICY_IN && is_path_mtu_error(f))
		return REASON_EXEMPT_PATH_MTU;
	return REASON_ENTRY;
}

void policy_explain(const struct spd *s, enum policy_direction d, const struct flow *f,
	struct policy_explanation *out)
{
	*out = (struct policy_explanation){.action = POLICY_PERMIT};

	for (size_t i = 0; i < spd_count(s); i++) {
		const struct spd_entry *e = spd_at(s, i);

		if (!spd_entry_covers(e, d, f))
			continue;
		out->covering++;
		if (out->entry == NULL) {
			out->entry = e;
			out->position = i;
		} else if (out->second == NULL) {
			out->second = e;
		}
	}

	out->reason = policy_exemption(d, f);
	if (out->reason == REASON_ENTRY && out->entry == NULL)
		out->reason = REASON_NO_ENTRY;
	if (out->reason == REASON_ENTRY)
		out->action = out->entry->action;
}

/* ---- whose side ----------------------------------------------------------- */

static bool is_ours(const struct addr *addrs, size_t n, const struct addr *a)
{
	for (size_t i = 0; i < n; i++) {
		if (addr_equal(&addrs[i], a))
			return true;
	}
	return false;
}

bool policy_orient(const struct addr *addrs, size_t n_addrs, const struct addr *src,
	uint16_t src_port, const struct addr *dst, uint16_t dst_port, uint8_t proto,
	enum policy_direction *d, struct flow *out)
{
	bool leaves = n_addrs == 0 || is_ours(addrs, n_addrs, src);

	if (src->family != dst->family)
		return false;
	if (!leaves && !is_ours(addrs, n_addrs, dst))
		return false;

	*d = leaves ? POLICY_OUT : POLICY_IN;
	*out = (struct flow){
		.local = leaves ? *src : *dst,
		.remote = leaves ? *dst : *src,
		.proto = proto,
		.ports_known = true,
		.local_port = leaves ? src_port : dst_port,
		.remote_port = leaves ? dst_port : src_port,
	};
	return true;
}

/* ---- words ---------------------------------------------------------------- */

const char *policy_action_name(enum policy_action action)
{
	static const char *const names[] = {
		[POLICY_PERMIT] = "permit",
		[POLICY_BLOCK] = "block",
		[POLICY_NEGOTIATE] = "negotiate",
	};

	return names[action];
}

const char *policy_offload_name(enum policy_offload offload)
{
	static const char *const names[] = {[OFFLOAD_NO] = "no",
		[OFFLOAD_AUTO] = "auto",
		[OFFLOAD_CRYPTO] = "crypto",
		[OFFLOAD_PACKET] = "packet"};

	return names[offload];
}

const char *policy_mode_name(enum policy_mode mode)
{
	return mode == POLICY_TUNNEL ? "tunnel" : "transport";
}

static const char *const unjudged[] = {
	[REASON_NO_ENTRY] = "permit: no rule covers it, it passes in clear",
	[REASON_EXEMPT_IKE] =
		"permit: IKE itself (UDP at our port 500 or 4500) is exempt",
	[REASON_EXEMPT_ESP] = "permit: ESP is judged by its SA",
	[REASON_EXEMPT_AH] = "permit: AH is judged by its SA",
	[REASON_EXEMPT_ND] = "permit: IPv6 neighbour discovery is exempt",
	[REASON_EXEMPT_PATH_MTU] = "permit if it quotes a packet of ours (path MTU)",
};

/* What makes the winner more specific, in the order of spd_specificity(). */
static const char *advantage(const struct spd_entry *win, const struct spd_entry *lose)
{
	struct spd_entry probe = *lose;

	probe.remote.lo = win->remote.lo;
	probe.remote.hi = win->remote.hi;
	if (spd_specificity(&probe, lose) < 0)
		return "a narrower remote address";
	probe.local.lo = win->local.lo;
	probe.local.hi = win->local.hi;
	if (spd_specificity(&probe, lose) < 0)
		return "a narrower local address";
	probe.remote.proto = win->remote.proto;
	probe.local.proto = win->local.proto;
	if (spd_specificity(&probe, lose) < 0)
		return "a protocol";
	if (spd_specificity(win, lose) < 0)
		return win->mirrored == lose->mirrored ? "narrower ports"
						       : "one direction";
	return "equally specific, the stricter action";
}

static int why_entry(const struct spd_entry *e, char *out, size_t cap)
{
	char local[TS_TEXT_MAX], remote[TS_TEXT_MAX];
	const char *mode = e->action == POLICY_NEGOTIATE ? policy_mode_name(e->mode) : "";

	return snprintf(out, cap, "%s%s%s: rule \"%s\", %s %s %s",
		policy_action_name(e->action), mode[0] ? " " : "", mode, e->rule_name,
		ts_format(&e->local, local), e->mirrored ? "<->" : "->",
		ts_format(&e->remote, remote));
}

const char *policy_why(const struct policy_explanation *e, char out[POLICY_WHY_MAX])
{
	size_t len;

	if (e->reason != REASON_ENTRY) {
		snprintf(out, POLICY_WHY_MAX, "%s", unjudged[e->reason]);
		return out;
	}
	len = (size_t)why_entry(e->entry, out, POLICY_WHY_MAX);
	assert(len < POLICY_WHY_MAX);
	if (e->second == NULL)
		snprintf(out + len, POLICY_WHY_MAX - len, " (the only one)");
	else
		snprintf(out + len, POLICY_WHY_MAX - len, " (before rule \"%s\": %s)",
			e->second->rule_name, advantage(e->entry, e->second));
	return out;
}
