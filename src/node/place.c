/* node/place.c - the life of one address, as a table (docs/FAILOVER, Life of a VIP).
 *
 * place_event() alone assigns the state. What binding needs is asked in fit(): the address
 * usable, quorum, the claim, the agent's word where the configuration wants it. The host's
 * places need nothing but the address.
 *
 * Leaves to others: how SAs are taken down (release.c), who wins a claim (claim.c), whom
 * to call when bound (takeover.c).
 */
#include "node/core.h"

#include <stdio.h>

/* ---- held: stopped by hand, to be started by hand -------------------------------- */

static bool is_held(const struct node *n, const struct addr *a)
{
	for (unsigned i = 0; i < n->n_held; i++)
		if (addr_equal(&n->held[i], a))
			return true;
	return false;
}

void held_store(struct node *n)
{
	uint8_t bytes[2 + sizeof(n->held) / sizeof(n->held[0]) * 17];
	struct writer w = wr_over(bytes, sizeof(bytes));

	for (unsigned i = 0; i < n->n_held; i++) {
		wr_u8(&w, n->held[i].family);
		wr_bytes(&w, span_of(n->held[i].b, sizeof(n->held[i].b)));
	}
	node_store(n, "held", wr_span(&w));
}

static void hold(struct node *n, struct scope *s, struct place *p)
{
	(void)s;
	p->started = false;
	if (is_held(n, &p->addr) || n->n_held == CLUSTER_CLAIMS_MAX)
		return;
	n->held[n->n_held++] = p->addr;
	held_store(n);
}

static void unhold(struct node *n, struct scope *s, struct place *p)
{
	(void)s;
	for (unsigned i = 0; i < n->n_held; i++) {
		if (!addr_equal(&n->held[i], &p->addr))
			continue;
		n->held[i] = n->held[--n->n_held];
		held_store(n);
		return;
	}
}

/* ---- actions of the table ----------------------------------------------------------- */

/* Order matters: the activation is on disk before anything is sealed, steering stands
 * before an SA opens, neighbours know the address before the first IKE message leaves. */
static void bind_place(struct node *n, struct scope *s, struct place *p)
{
	p->mute = false;
	p->owns = cluster_is_clustered(n) && !s->is_host;
	if (!s->gate_open)
		scope_next_activation(n);
	if (!s->is_host || !s->steered)
		scope_steer(n, s);
	struct effect *f = effects_add(n->out, FX_SOCKETS, s->id);
	f->u.sockets.addr = p->addr;
	f->u.sockets.open = p->sockets = true;
	scope_open_gate(n, s);
	if (!s->is_host) {
		char text[ADDR_TEXT_MAX];
		place_announce(n, s, p);
		node_tell(n, EVENT_NOTICE, "vip-bound", s, NULL, 0, "%s is bound here",
			addr_format(&p->addr, text));
	}
	takeover_begin(n, s, p);
}

/* Until it comes round, the table still calls us the owner: not to be believed. */
void place_return_claim(struct node *n, struct place *p)
{
	cluster_release(n, &p->addr);
	p->returning = true;
}

static void give_up_claim(struct node *n, struct scope *s, struct place *p)
{
	(void)s;
	if (p->leaving)
		return; /* release_finish() does it when nothing can be sent any more */
	if (p->asked || claims_owner(&n->claims, &p->addr) == n->params.member)
		place_return_claim(n, p);
	p->asked = false;
}

static void hold_waiting(struct node *n, struct scope *s, struct place *p)
{
	hold(n, s, p);
	give_up_claim(n, s, p);
}

static void arm_release(struct node *n, struct scope *s, struct place *p)
{
	(void)s;
	p->due_ms = n->now_ms + RELEASE_AFTER_MS;
	idle_query_soon(n, 0); /* who has been heard from lately? */
}

static void disarm_release(struct node *n, struct scope *s, struct place *p)
{
	(void)n;
	(void)s;
	p->due_ms = 0;
}

static void leave_lost(struct node *n, struct scope *s, struct place *p)
{
	char text[ADDR_TEXT_MAX];

	p->due_ms = 0;
	if (!s->is_host)
		node_tell(n, EVENT_NOTICE, "vip-released", s, NULL, 0,
			"%s is gone from here", addr_format(&p->addr, text));
	release_begin(n, s, p, LEAVE_LOST);
}

static void leave_here(struct node *n, struct scope *s, struct place *p)
{
	char text[ADDR_TEXT_MAX];

	p->due_ms = 0;
	node_tell(n, EVENT_NOTICE, "vip-released", s, NULL, 0,
		"%s is stopped; its address is still here", addr_format(&p->addr, text));
	hold(n, s, p);
	release_begin(n, s, p, LEAVE_HERE);
}

static void go_mute(struct node *n, struct scope *s, struct place *p)
{
	char why[128];

	p->due_ms = 0;
	place_reason(n, s, p, why, sizeof(why));
	node_tell(n, EVENT_WARNING, "vip-mute", s, NULL, 0, "mute: %s", why);
	release_begin(n, s, p, LEAVE_MUTE);
}

static void hold_mute(struct node *n, struct scope *s, struct place *p)
{
	hold(n, s, p);
	go_mute(n, s, p);
}

static void close_down(struct node *n, struct scope *s, struct place *p)
{
	release_begin(n, s, p, LEAVE_HERE);
}

/* ---- the table ------------------------------------------------------------------------- */

struct place_rule {
	enum vip_state from;
	enum place_happening on;
	enum vip_state to;
	void (*act)(struct node *n, struct scope *s, struct place *p); /* NULL: nothing */
};

static const struct place_rule rules[] = {
	{VIP_ABSENT, PLACE_PRESENT, VIP_WAITING, NULL},
	{VIP_ABSENT, PLACE_TENTATIVE, VIP_TENTATIVE, NULL},

	{VIP_TENTATIVE, PLACE_PRESENT, VIP_WAITING, NULL},
	{VIP_TENTATIVE, PLACE_STOP, VIP_HELD, hold},
	{VIP_TENTATIVE, PLACE_GONE, VIP_ABSENT, NULL},

	{VIP_WAITING, PLACE_READY, VIP_BOUND, bind_place},
	{VIP_WAITING, PLACE_TENTATIVE, VIP_TENTATIVE, give_up_claim},
	{VIP_WAITING, PLACE_STOP, VIP_HELD, hold_waiting},
	{VIP_WAITING, PLACE_GONE, VIP_ABSENT, give_up_claim},

	{VIP_BOUND, PLACE_STOP, VIP_RELEASING, arm_release},
	{VIP_BOUND, PLACE_GONE, VIP_ABSENT, leave_lost},
	{VIP_BOUND, PLACE_TENTATIVE, VIP_MUTE, go_mute},
	{VIP_BOUND, PLACE_UNFIT, VIP_MUTE, go_mute},

	{VIP_BOUND, PLACE_CLOSE, VIP_MUTE, close_down},

	{VIP_RELEASING, PLACE_START, VIP_BOUND, disarm_release},
	{VIP_RELEASING, PLACE_GONE, VIP_ABSENT, leave_lost},
	{VIP_RELEASING, PLACE_DUE, VIP_HELD, leave_here},
	{VIP_RELEASING, PLACE_UNFIT, VIP_HELD, hold_mute},
	{VIP_RELEASING, PLACE_CLOSE, VIP_HELD, leave_here},

	{VIP_HELD, PLACE_START, VIP_WAITING, unhold},
	{VIP_HELD, PLACE_GONE, VIP_ABSENT, unhold},

	{VIP_MUTE, PLACE_READY, VIP_BOUND, bind_place},
	{VIP_MUTE, PLACE_TENTATIVE, VIP_TENTATIVE, give_up_claim},
	{VIP_MUTE, PLACE_STOP, VIP_HELD, hold_waiting},
	{VIP_MUTE, PLACE_GONE, VIP_ABSENT, give_up_claim},
};

void place_event(
	struct node *n, struct scope *s, struct place *p, enum place_happening what)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].from != p->state || rules[i].on != what)
			continue;
		p->state = rules[i].to;
		p->since_ms = n->now_ms;
		if (rules[i].act)
			rules[i].act(n, s, p);
		return;
	}
}

/* ---- what makes things happen ------------------------------------------------------------ */

bool place_serves(const struct place *p)
{
	return p->state == VIP_BOUND || p->state == VIP_RELEASING;
}

void place_see(
	struct node *n, struct scope *s, struct place *p, enum node_addr_state seen)
{
	static const enum place_happening as[] = {
		[NODE_ADDR_GONE] = PLACE_GONE,
		[NODE_ADDR_TENTATIVE] = PLACE_TENTATIVE,
		[NODE_ADDR_PRESENT] = PLACE_PRESENT,
	};

	p->seen = seen;
	if (seen == NODE_ADDR_GONE) {
		p->started = false;
		p->stray = 0;
	}
	place_event(n, s, p, as[seen]);
	if (is_held(n, &p->addr))
		place_event(n, s, p, PLACE_STOP);
}

/* An address that was here already when another member owned it and was lost has not been
 * put here by the cluster after fencing: its owner may still be alive and sending. */
void places_on_members(struct node *n, const struct claims *before)
{
	for (unsigned i = 0; i < n->n_scopes; i++) {
		for (unsigned k = 0; k < n->scopes[i].n_places; k++) {
			struct place *p = &n->scopes[i].places[k];
			uint8_t owner = claims_owner(before, &p->addr);
			if (owner != 0 && owner != n->params.member &&
				!claims_is_member(&n->claims, owner) &&
				p->seen != NODE_ADDR_GONE && !p->started)
				p->stray = owner;
		}
	}
}

static bool may_own(const struct node *n, const struct scope *s)
{
	return s->is_host || !cluster_is_clustered(n) || (n->quorate && cluster_is_up(n));
}

static bool is_owner(const struct node *n, const struct scope *s, const struct place *p)
{
	return s->is_host || !cluster_is_clustered(n) ||
	       (!p->returning && claims_owner(&n->claims, &p->addr) == n->params.member);
}

/* Everything but the claim is there. */
static bool wants_claim(
	const struct node *n, const struct scope *s, const struct place *p)
{
	return (p->state == VIP_WAITING || p->state == VIP_MUTE) &&
	       p->seen == NODE_ADDR_PRESENT && !p->leaving && s->gate_closings == 0 &&
	       (s->bind == BIND_ADDRESS || p->started) && !p->stray && !n->closing &&
	       may_own(n, s);
}

/* May a bound place go on? After a change of the membership the table is empty until our
 * own HELLO comes back; only another owner, or a full table without us, ends it. */
static bool still_fit(const struct node *n, const struct scope *s, const struct place *p)
{
	if (!may_own(n, s))
		return false;
	if (is_owner(n, s, p))
		return true;
	return claims_owner(&n->claims, &p->addr) == 0 && !n->claims.complete;
}

static void place_settle(struct node *n, struct scope *s, struct place *p)
{
	if (p->state == VIP_RELEASING && p->due_ms <= n->now_ms)
		place_event(n, s, p, PLACE_DUE);
	if (place_serves(p) && !still_fit(n, s, p))
		place_event(n, s, p, PLACE_UNFIT);
	/* Another has the claim while we still say goodbye: not a word more. */
	if (p->leaving && !p->mute && !still_fit(n, s, p))
		release_begin(n, s, p, LEAVE_MUTE);
	if (p->leaving)
		release_finish(n, s, p);
	uint8_t owner = claims_owner(&n->claims, &p->addr);
	if (owner == 0 && n->claims.complete && claims_is_member(&n->claims, p->stray))
		p->stray =
			0; /* the lost owner is back, and says that it owns it no more */
	if (owner != 0 && owner != n->params.member)
		p->asked = false; /* ours is void: ask again when it is free */
	if (!wants_claim(n, s, p))
		return;
	if (is_owner(n, s, p)) {
		p->asked = false;
		place_event(n, s, p, PLACE_READY);
	} else if (!p->asked && !p->returning && owner == 0) {
		p->asked = true;
		cluster_claim(n, &p->addr);
	}
}

void places_settle(struct node *n)
{
	for (unsigned i = 0; i < n->n_scopes; i++)
		for (unsigned k = 0; k < n->scopes[i].n_places; k++) {
			struct scope *s = &n->scopes[i];
			place_settle(n, s, &s->places[k]);
			announce_settle(n, s, &s->places[k]);
		}
}

uint64_t places_due_ms(const struct node *n)
{
	uint64_t due = UINT64_MAX;

	for (unsigned i = 0; i < n->n_scopes; i++) {
		for (unsigned k = 0; k < n->scopes[i].n_places; k++) {
			const struct place *p = &n->scopes[i].places[k];
			if (p->state == VIP_RELEASING && p->due_ms < due)
				due = p->due_ms;
			if (p->announce_ms != 0 && p->announce_ms < due)
				due = p->announce_ms;
		}
	}
	return due;
}

void place_reason(const struct node *n, const struct scope *s, const struct place *p,
	char *out, size_t cap)
{
	uint8_t owner = claims_owner(&n->claims, &p->addr);
	char a[ADDR_TEXT_MAX];

	addr_format(&p->addr, a);
	if (p->state == VIP_BOUND)
		snprintf(out, cap, "%s", "");
	else if (s->gate_stuck)
		snprintf(out, cap, "%s: " GATE_STUCK_TEXT, a);
	else if (p->seen == NODE_ADDR_GONE)
		snprintf(out, cap, "%s is not on this machine", a);
	else if (p->seen == NODE_ADDR_TENTATIVE)
		snprintf(out, cap, "%s: duplicate address detection is not done", a);
	else if (p->state == VIP_HELD || p->state == VIP_RELEASING)
		snprintf(out, cap,
			"%s was stopped: start the resource, or vipsec vip bind", a);
	else if (!may_own(n, s))
		snprintf(out, cap, "%s: %s", a,
			cluster_is_up(n)
				? "this partition has no quorum"
				: "not connected to the cluster (is corosync up?)");
	else if (owner != 0 && owner != n->params.member)
		snprintf(out, cap, "%s: member %u holds the claim", a, owner);
	else if (p->stray)
		snprintf(out, cap,
			"%s was here before its owner was lost: start it when that is "
			"fenced",
			a);
	else if (s->bind == BIND_AGENT && !p->started)
		snprintf(out, cap, "%s: bind agent, and no agent has bound it", a);
	else if (p->leaving || s->gate_closings > 0)
		snprintf(out, cap, "%s: the last release is not finished", a);
	else
		snprintf(out, cap, "%s: the claim waits for the other members' HELLO", a);
}
