/* xfrm/rules.c - entries, in the SPD's order, become priorities. */
#include "config.h"

#include "xfrm/rules.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "base/iana.h"
#include "xfrm/select.h"

enum {
	/* The kernel prefers small numbers; those of other daemons are larger. */
	PRIORITY_FIRST = 1024,
	PRIORITY_HOST = 1 << 20, /* VIPs come before the host */
	PRIORITY_ENTRIES = 64,
	PER_ENTRY = 2, /* a child's, the entry's */
	PRIORITY_REST = PRIORITY_HOST - 1
};

struct claiming {
	struct claims *claims;
	struct claimant *owner;
	struct request_policy like; /* without selector and direction */
	bool mirrored, out, in;
	struct request_policy
		inward; /* the same for what arrives and what is forwarded */
	uint32_t rule;
	int error;
};

static uint32_t priority(bool is_host, size_t entry)
{
	uint32_t first = is_host ? PRIORITY_HOST : PRIORITY_FIRST;

	return first + PRIORITY_ENTRIES + PER_ENTRY * (uint32_t)entry;
}

uint32_t rules_priority(bool is_host, size_t entry)
{
	return priority(is_host, entry) + 1;
}

static void claim(struct claiming *k, struct request_policy p, uint8_t dir,
	const struct select_piece *piece)
{
	p.sel = select_kernel(piece, dir == XFRM_POLICY_OUT ? SELECT_OUT : SELECT_IN);
	p.dir = dir;
	int err = claims_add(k->claims, k->owner, &p, k->rule);
	if (err != 0)
		k->error = err;
}

static void claim_piece(const struct select_piece *piece, void *ctx)
{
	struct claiming *k = ctx;

	if (k->out)
		claim(k, k->like, XFRM_POLICY_OUT, piece);
	if (!k->in || !k->mirrored)
		return;
	claim(k, k->inward, XFRM_POLICY_IN, piece);
	claim(k, k->inward, XFRM_POLICY_FWD, piece);
}

static void claim_pair(
	struct claiming *k, const struct ts *local, const struct ts *remote)
{
	/* What cannot be said is the guard's: it drops what a rule protects. */
	(void)select_each(local, remote, claim_piece, k);
}

/* ---- entries -------------------------------------------------------------------------- */

static const struct addr *own_addr(const struct rules_scope *s, const struct addr *like)
{
	for (size_t i = 0; i < s->n_addrs; i++)
		if (s->addrs[i].family == like->family)
			return &s->addrs[i];
	return NULL;
}

static struct xfrm_user_tmpl template_to(bool ah, enum policy_mode mode,
	const struct addr *from, const struct addr *to, uint16_t family, uint32_t reqid)
{
	struct xfrm_user_tmpl t;

	memset(&t, 0, sizeof(t));
	t.id.proto = ah ? IPPROTO_AH : IPPROTO_ESP;
	t.family = family;
	t.reqid = reqid;
	t.mode = mode == POLICY_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT;
	t.aalgos = t.ealgos = t.calgos = UINT32_MAX;
	if (from)
		t.saddr = select_addr(from);
	if (to)
		t.id.daddr = select_addr(to);
	return t;
}

/* In 0.0.0.0/8 or 100::/64, which no host has; another one for each rule, since the kernel asks no
 * more for the same addresses while it waits. */
static struct addr nobody(uint8_t family, uint32_t rule)
{
	struct addr a = {.family = family};
	uint8_t *end = a.b + (family == ADDR_V4 ? 4 : 16);

	if (family != ADDR_V4)
		a.b[0] = 1;
	end[-1] = (uint8_t)(rule + 1);
	end[-2] = (uint8_t)((rule + 1) >> 8);
	end[-3] = (uint8_t)((rule + 1) >> 16);
	return a;
}

/* The kernel looks for no way to a tunnel that has both its ends, so it asks also for one to
 * nobody knows whom. What is asked for never comes; a child brings policies of its own. */
static void ask_for_any_tunnel(struct request_policy *p, const struct spd_entry *e)
{
	const struct addr none = nobody(e->local.lo.family, e->rule);

	p->tmpl = template_to(
		e->ah, e->mode, &none, &none, select_family(&none), REQID_ASK);
}

static void ask_for_sa(
	struct request_policy *p, const struct rules_scope *s, const struct spd_entry *e)
{
	bool tunnel = e->mode == POLICY_TUNNEL;

	p->has_tmpl = true;
	if (tunnel && !addr_is_set(&e->tunnel_to)) {
		ask_for_any_tunnel(p, e);
		return;
	}
	p->tmpl = tunnel ? template_to(e->ah, e->mode, own_addr(s, &e->tunnel_to),
				   &e->tunnel_to, select_family(&e->tunnel_to), REQID_ASK)
			 : template_to(e->ah, e->mode, NULL, NULL,
				   select_family(&e->local.lo), REQID_ASK);
}

static void claim_entry(struct claiming *k, const struct rules_scope *s,
	const struct spd_entry *e, size_t i)
{
	/* Only what an XFRM interface has to carry is told by it. */
	k->like = (struct request_policy){.priority = priority(s->is_host, i) + 1,
		.if_id = e->action == POLICY_NEGOTIATE ? e->tags.if_id : 0,
		.action = e->action == POLICY_BLOCK ? XFRM_POLICY_BLOCK
						    : XFRM_POLICY_ALLOW};
	k->inward = k->like;
	k->rule = CLAIM_NO_RULE;
	/* On its way out it meets the guard, which drops and counts it. */
	if (e->action == POLICY_BLOCK)
		k->like.action = XFRM_POLICY_ALLOW;
	if (e->action == POLICY_NEGOTIATE) {
		k->rule = e->rule;
		k->inward.action = XFRM_POLICY_BLOCK;
		ask_for_sa(&k->like, s, e);
	}
	k->mirrored = e->mirrored;
	claim_pair(k, &e->local, &e->remote);
}

/* ---- exemptions ------------------------------------------------------------------------- */

static struct ts with_ports(struct ts t, uint8_t proto, uint16_t lo, uint16_t hi)
{
	t.proto = proto;
	t.port_lo = lo;
	t.port_hi = hi;
	return t;
}

static void exempt(
	struct claiming *k, struct ts own, uint8_t proto, uint16_t lo, uint16_t hi)
{
	struct ts any = ts_any(own.lo.family);

	own = with_ports(own, proto, lo, hi);
	any = with_ports(any, proto, 0, UINT16_MAX);
	claim_pair(k, &own, &any);
}

/* Those of the guard, which looks closer: at what an ICMP error quotes, at hop limits. */
static void claim_exemptions(struct claiming *k, const struct ts *own)
{
	bool v4 = own->lo.family == ADDR_V4;

	exempt(k, *own, IP_UDP, IKE_PORT, IKE_PORT);
	exempt(k, *own, IP_UDP, IKE_NATT_PORT, IKE_NATT_PORT);
	exempt(k, *own, IP_ESP, 0, UINT16_MAX);
	exempt(k, *own, IP_AH, 0, UINT16_MAX);
	if (!v4)
		exempt(k, *own, IP_ICMPV6, 133 << 8, 137 << 8 | 0xff);
	k->out = false; /* path MTU: others tell us */
	if (v4)
		exempt(k, *own, IP_ICMP, 3 << 8 | 4, 3 << 8 | 4);
	else
		exempt(k, *own, IP_ICMPV6, 2 << 8, 2 << 8 | 0xff);
	k->out = true;
}

static void claim_for_own(struct claiming *k, const struct rules_scope *s,
	void (*what)(struct claiming *k, const struct ts *own))
{
	for (size_t i = 0; i < s->n_addrs; i++) {
		struct ts own = ts_host(&s->addrs[i]);
		what(k, &own);
	}
	if (s->n_addrs > 0)
		return;
	struct ts four = ts_any(ADDR_V4), six = ts_any(ADDR_V6);
	what(k, &four);
	what(k, &six);
}

/* What none of a VIP's rules is about passes, whatever the host's rules say of it. */
static void claim_rest(struct claiming *k, const struct ts *own)
{
	struct ts any = ts_any(own->lo.family);

	claim_pair(k, own, &any);
}

int rules_claim_scope(
	struct claims *c, struct claimant *w, const struct rules_scope *scope)
{
	struct claiming k = {.claims = c, .owner = w, .out = true, .in = true};

	k.mirrored = true;
	k.rule = CLAIM_NO_RULE;
	k.like.priority = scope->is_host ? PRIORITY_HOST : PRIORITY_FIRST;
	k.inward = k.like;
	claim_for_own(&k, scope, claim_exemptions);
	if (!scope->is_host) {
		k.like.priority = k.inward.priority = PRIORITY_REST;
		claim_for_own(&k, scope, claim_rest);
	}
	for (size_t i = 0; i < spd_count(scope->spd); i++)
		claim_entry(&k, scope, spd_at(scope->spd, i), i);
	return k.error;
}

/* ---- children ----------------------------------------------------------------------------- */

static void claim_common(struct claiming *k, const struct spd_entry *e,
	const struct ts *local, const struct ts *remote)
{
	struct ts l, r;

	if (ts_intersect(local, &e->local, &l) && ts_intersect(remote, &e->remote, &r) &&
		l.proto == r.proto)
		claim_pair(k, &l, &r);
}

int rules_claim_child(struct claims *c, struct claimant *w, const struct spd *spd,
	bool is_host, const struct rules_child *of)
{
	struct claiming k = {.claims = c, .owner = w, .out = of->out, .in = true};
	const struct esp_child *child = of->child;
	uint16_t family = select_family(&child->local.addr);

	k.rule = child->rule;
	k.like.has_tmpl = k.inward.has_tmpl = true;
	k.like.tmpl = template_to(child->ah, child->mode, &child->local.addr,
		&child->remote.addr, family, of->reqid_out);
	/* From wherever the peer is now: its SAs answer for who it is. */
	k.inward.tmpl = template_to(
		child->ah, child->mode, NULL, &child->local.addr, family, of->reqid_in);
	k.like.if_id = k.inward.if_id = child->tags.if_id;
	k.like.offload_ifindex = of->out_ifindex;
	k.inward.offload_ifindex = of->in_ifindex;
	for (size_t i = 0; i < spd_count(spd); i++) {
		const struct spd_entry *e = spd_at(spd, i);
		if (e->action != POLICY_NEGOTIATE || e->rule != child->rule)
			continue;
		k.mirrored = e->mirrored;
		k.like.priority = k.inward.priority = priority(is_host, i);
		for (unsigned l = 0; l < child->local_ts.n; l++)
			for (unsigned r = 0; r < child->remote_ts.n; r++)
				claim_common(&k, e, &child->local_ts.at[l],
					&child->remote_ts.at[r]);
	}
	return k.error;
}
