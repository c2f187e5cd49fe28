/* node/idle.c - who is dead, and when (the NLBSFlags knob); idle and old SAs.
 *
 * t0 is the first outbound packet since the last authenticated inbound one, on the IKE SA
 * or any of its children. T is idle-timeout, or idle-timeout-failover if nlbs-flags is 1 here or the
 * peer sent NLBS_PRESENT. From t0 + T/2 on the peer is probed every T/8 (RFC 7296 2.4),
 * that is four times; at t0 + T it is dead: all its SAs go, and it is called again at
 * once. Of two SAs one may be dead alone (it was another node's): what has been heard from
 * since its t0 stays; what is another rule's, between the same two addresses, and as silent, goes
 * with it: the peer may still send in the one that is gone here, and only a call that says
 * INITIAL_CONTACT ends that. Without three probes nobody dies, so a daemon that was stopped for a while first
 * asks. An SA without traffic either way is idle, not dead; after idle-lifetime it is
 * deleted politely.
 *
 * What the data plane counted is asked for every T/8, between 100 ms and 10 s, and just
 * before a verdict. One-way traffic after an answered probe has its t0 at the report that
 * first shows it: at most one such interval late, never early.
 */
#include "node/core.h"

#include "base/duration.h"

enum {
	PERIOD_MIN_MS = 100,
	PERIOD_MAX_MS = 10000,
	REPLACED_PERIOD_MS = 1000, /* a crossing loser goes after 5 s without use */
	LAST_LOOK_MS = 50,
	PROBES_MIN = 3,
	CONFIRM_LOOK_MS = 100,
	KEEPALIVE_EVERY_MS = 20000,
	ASKING_MIN_MS = 1000,
	UNUSED_LOOK_MS = 10000 /* at one whose time to rekey has come */
};

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t idle_timeout_of(const struct node *n, const struct session *s)
{
	return n->tuning.nlbs_flags || (s && s->peer_nlbs)
		       ? n->tuning.idle_timeout_failover_ms
		       : n->tuning.idle_timeout_ms;
}

/* ---- asking the plane -------------------------------------------------------------- */

uint64_t idle_period_ms(const struct node *n)
{
	uint64_t ms =
		smaller(n->tuning.idle_timeout_failover_ms, n->tuning.idle_lifetime_ms);

	/* The shorter of both timers may hold for some peer, and costs little. */
	ms = smaller(ms, n->tuning.idle_timeout_ms) / 8;
	return larger(PERIOD_MIN_MS, smaller(PERIOD_MAX_MS, ms));
}

static void query(struct node *n)
{
	effects_add(n->out, FX_USAGE_QUERY, 0);
	n->query_due_ms = n->now_ms + idle_period_ms(n);
}

void idle_query_soon(struct node *n, uint64_t in_ms)
{
	n->query_due_ms = smaller(n->query_due_ms, n->now_ms + in_ms);
}

/* ---- usage of all children ----------------------------------------------------------- */

uint64_t session_last_in_ms(const struct session *s)
{
	uint64_t ms = 0;

	list_each(item, &s->children) ms = larger(
		ms, list_entry(item, struct child_sa, of_session)->usage.last_in_ms);
	return ms;
}

uint64_t session_last_out_ms(const struct session *s)
{
	uint64_t ms = 0;

	list_each(item, &s->children) ms = larger(
		ms, list_entry(item, struct child_sa, of_session)->usage.last_out_ms);
	return ms;
}

/* ---- t0 ----------------------------------------------------------------------------------- */

/* The earliest of the candidates that lies after the last sign of life; 0: none. */
static uint64_t first_unanswered(
	struct session *s, const struct ike_info *info, uint64_t last_in)
{
	uint64_t t0 = UINT64_MAX;

	if (info->unanswered_since_ms > last_in)
		t0 = info->unanswered_since_ms;
	list_each(item, &s->children)
	{
		const struct esp_usage *u =
			&list_entry(item, struct child_sa, of_session)->usage;

		if (u->unanswered_since_ms > last_in)
			t0 = smaller(t0, u->unanswered_since_ms);
		else if (u->unanswered_since_ms != 0 && u->last_out_ms > last_in)
			t0 = smaller(t0, s->t0_ms > last_in ? s->t0_ms : u->last_out_ms);
	}
	return t0 == UINT64_MAX ? 0 : t0;
}

/* The session is judged again at the earliest of what its judges ask for. */
void idle_look_by(struct node *n, struct session *s, uint64_t ms)
{
	if (s->due.at == 0 || ms < s->due.ms)
		dues_set(&n->looks, &s->due, ms);
}

/* ---- verdicts ------------------------------------------------------------------------------- */

static uint64_t heard_ms(const struct session *s, const struct ike_info *info)
{
	return larger(info->last_in_ms, session_last_in_ms(s));
}

/* Another SA of the same peer has heard from it since this one has not. */
static bool lives_elsewhere(const struct node *n, const struct session *dead)
{
	struct ike_info info;

	list_each(item, &dead->peer->sessions)
	{
		const struct session *s = list_entry(item, struct session, of_peer);
		if (s != dead && !list_empty(&s->children) && s->end == END_NONE &&
			ike_view(n->ike, s->ike, &info) &&
			heard_ms(s, &info) > dead->t0_ms)
			return true;
	}
	return false;
}

struct silence {
	const struct node *n;
	const struct session *dead;
};

/* Nothing has been heard in it either, and it goes the same way. */
static bool is_as_silent(const struct session *s, void *ctx)
{
	const struct silence *q = ctx;
	struct ike_info info;

	return s->end == END_NONE && ike_view(q->n->ike, s->ike, &info) &&
	       info.established && heard_ms(s, &info) <= q->dead->t0_ms &&
	       addr_equal(&s->peer->local, &q->dead->peer->local) &&
	       endpoint_equal(&s->peer->remote, &q->dead->peer->remote);
}

static bool is_given_up(const struct session *s, void *ctx)
{
	(void)ctx;
	return s->end == END_DEAD;
}

/* All are marked before the first goes: who has lost a child there is not to ask for it in
 * the next of them. */
static void forget_all(struct node *n, const struct session *dead)
{
	struct peer *p = dead->peer;
	struct silence q = {n, dead};
	struct session *s;

	while ((s = sibling_find(n, p, is_as_silent, &q)))
		s->end = END_DEAD;
	list_each(item, &p->sessions) list_entry(item, struct session, of_peer)->end =
		END_DEAD;
	while ((s = sibling_find(n, p, is_given_up, NULL)))
		session_forget(n, s, END_DEAD);
	while (!list_empty(&p->sessions))
		session_forget(n, list_entry(p->sessions.next, struct session, of_peer),
			END_DEAD);
}

static void die(struct node *n, struct session *s, uint64_t limit)
{
	struct peer *p = s->peer;
	char text[DURATION_TEXT_MAX];

	if (lives_elsewhere(n, s)) {
		session_forget(n, s, END_DEAD);
		return;
	}
	node_tell(n, EVENT_WARNING, "peer-dead", &n->scopes[p->scope], &p->remote, s->ike,
		"rule %s: no sign of life for %s (%s, nlbs-flags %d%s), %u probes "
		"unanswered; "
		"calling again",
		n->config->rules[p->rule].name, duration_format(limit, text),
		limit == n->tuning.idle_timeout_failover_ms ? "idle-timeout-failover"
							    : "idle-timeout",
		n->tuning.nlbs_flags,
		s->peer_nlbs ? ", the peer asked for the shorter" : "", s->probes);
	p->urgent = false;
	forget_all(n, s);
}

static uint64_t probe(struct node *n, struct session *s, uint64_t step)
{
	s->probes++;
	s->probed_ms = n->now_ms;
	idle_query_soon(n, 0);
	enum ike_err err = ike_probe(n->ike, n->now_ms, s->ike);
	(void)err; /* a Delete under way is a probe as well */
	return n->now_ms + step;
}

/* True: the session is gone. */
static bool judge_life(struct node *n, struct session *s, const struct ike_info *info)
{
	uint64_t limit = idle_timeout_of(n, s);
	uint64_t step = larger(limit / 8, 1);
	uint64_t last_in = heard_ms(s, info);
	uint64_t t0 = first_unanswered(s, info, last_in);
	uint64_t dead_ms = t0 + limit;
	uint64_t look_ms = dead_ms - smaller(limit / 16, LAST_LOOK_MS);

	if (t0 == 0 || t0 != s->t0_ms) {
		s->probes = 0;
		s->last_look = false;
	}
	s->t0_ms = t0;
	if (t0 == 0)
		return false;
	if (s->probes >= PROBES_MIN && dead_ms <= n->now_ms) {
		die(n, s, limit);
		return true;
	}
	/* Counted from the last one, so that after a pause of ours they come one by one. */
	uint64_t probe_ms = s->probes == 0 ? t0 + limit / 2 : s->probed_ms + step;
	if (probe_ms <= n->now_ms)
		probe_ms = probe(n, s, step);
	if (!s->last_look && look_ms <= n->now_ms) {
		s->last_look = true;
		idle_query_soon(n, 0);
	}
	idle_look_by(n, s, probe_ms);
	if (!s->last_look)
		idle_look_by(n, s, look_ms);
	if (s->probes >= PROBES_MIN)
		idle_look_by(n, s, dead_ms);
	return false;
}

/* In octets and packets, both ways; 0: no limit. tenths: of the limit. */
static bool is_worn(const struct node *n, const struct child_sa *c, unsigned tenths)
{
	const struct config_rule *r = &n->config->rules[c->sa.rule];
	const struct config_proposal *p = &n->config->proposals[r->proposal];
	uint64_t bytes = c->usage.bytes_in + c->usage.bytes_out;
	uint64_t packets = c->usage.packets_in + c->usage.packets_out;

	return (p->rekey_bytes != 0 && bytes >= p->rekey_bytes / 10 * tenths) ||
	       (p->rekey_packets != 0 && packets >= p->rekey_packets / 10 * tenths);
}

static uint64_t last_used_ms(const struct child_sa *c)
{
	return larger(c->since_ms, larger(c->usage.last_in_ms, c->usage.last_out_ms));
}

/* RFC 7296 2.8: one that nobody uses is not rekeyed; its next packet is reported in time,
 * or brings it back. */
static bool wants_rekey(const struct node *n, const struct child_sa *c)
{
	bool used = last_used_ms(c) + n->tuning.idle_lifetime_ms / 4 > n->now_ms;

	return c->rekey_ms != UINT64_MAX &&
	       ((c->rekey_ms <= n->now_ms && used) || is_worn(n, c, 9));
}

/* Why it goes now; END_NONE: it stays. */
static enum session_end judge_child(const struct node *n, const struct child_sa *c)
{
	if (c->displaced)
		return END_DISPLACED;
	if (c->redirected)
		return END_REDIRECTED;
	if (c->expires_ms <= n->now_ms)
		return c->refused ? END_REFUSED : END_RENEW;
	if (is_worn(n, c, 12))
		return END_RENEW;
	/* Judged by a report, not by the clock: it may be a while old. */
	if (c->usage_ms >= last_used_ms(c) + n->tuning.idle_lifetime_ms)
		return END_IDLE;
	return END_NONE;
}

/* While another one carries the traffic: the answer that made this one may be lost. */
static void activate_later(struct node *n, struct child_sa *c)
{
	if (!c->heard && !ike_peer_has_child(n->ike, c->sa.id))
		c->activate_ms = n->now_ms + CONFIRM_LOOK_MS;
	else
		child_activate(n, c);
}

/* True: the session is going. */
static bool judge_children(struct node *n, struct session *s)
{
	uint32_t ike = s->ike;

	list_each_safe(item, &s->children)
	{
		struct child_sa *c = list_entry(item, struct child_sa, of_session);
		if (!child_lives(c) || c->replaced)
			continue;
		enum session_end end = judge_child(n, c);
		if (c->activate_ms != 0 && c->activate_ms <= n->now_ms)
			activate_later(n, c);
		if (c->activate_ms != 0)
			idle_look_by(n, s, c->activate_ms);
		if (end != END_NONE)
			child_delete(n, c, end);
		else if (wants_rekey(n, c))
			child_rekey(n, c);
		if (session_by_ike(n, ike) != s || s->end != END_NONE)
			return true;
		idle_look_by(n, s,
			c->rekey_ms > n->now_ms
				? smaller(c->rekey_ms, c->expires_ms)
				: smaller(n->now_ms + UNUSED_LOOK_MS, c->expires_ms));
	}
	return false;
}

/* Another one may have taken its place already; if that goes, it is ours to renew. */
static void reauthenticate(struct node *n, struct session *s, const struct ike_info *info)
{
	if (info->replaced) {
		s->reauth_ms = n->now_ms + UNUSED_LOOK_MS;
		return;
	}
	s->reauth_ms = UINT64_MAX;
	dial_renew(n, s->peer);
}

/* A child that is asked for in an IKE SA that has none is like a call: given up as soon. */
static bool judge_asking(struct node *n, struct session *s)
{
	const struct peer *p = s->peer;
	uint64_t ends =
		larger(p->called_ms + CALL_GIVE_UP_MS, s->since_ms + ASKING_MIN_MS);

	if (p->ask == 0 || p->ask_ike != s->ike)
		return false;
	if (ends <= n->now_ms) {
		s->had_child = true; /* asks_fail() says what follows */
		session_forget(n, s, END_DEAD);
		return true;
	}
	idle_look_by(n, s, ends);
	return false;
}

/* RFC 6023: nobody needs it, and the peer does not even ask whether we are alive. */
static bool judge_childless(
	struct node *n, struct session *s, const struct ike_info *info)
{
	uint64_t ends =
		larger(s->since_ms, info->last_in_ms) + n->tuning.idle_lifetime_ms;

	if (!info->childless || !list_empty(&s->children))
		return false;
	if (judge_asking(n, s))
		return true;
	if (ends <= n->now_ms) {
		session_delete(n, s, END_IDLE);
		return true;
	}
	if (s->doubt_ms != 0 && s->doubt_ms <= n->now_ms) {
		s->doubt_ms = 0;
		probe(n, s, 0);
		idle_touch(n, s); /* judged by what is unanswered now */
	}
	if (s->doubt_ms != 0)
		idle_look_by(n, s, s->doubt_ms);
	idle_look_by(n, s, ends);
	return false;
}

struct doubt {
	const struct node *n;
	const struct session *newer;
};

static bool is_doubtful(const struct session *s, void *ctx)
{
	const struct doubt *d = ctx;
	struct ike_info info;

	return s != d->newer && s->end == END_NONE && s->doubt_ms == 0 &&
	       ike_view(d->n->ike, s->ike, &info) && info.childless &&
	       list_empty(&s->children);
}

/* Not at once: of two calls that cross one gives way by itself. */
static void doubt(struct node *n, struct session *s)
{
	s->doubt_ms = n->now_ms + idle_timeout_of(n, s) / 2;
	idle_look_by(n, s, s->doubt_ms);
}

/* The peer may have given up a call just when we had answered it, and called again. What had
 * a child gives way to the new one; of what had none only the peer can say that it is gone. */
void idle_doubt(struct node *n, const struct session *newer)
{
	struct doubt d = {n, newer};
	struct session *s;

	list_each(item, &newer->peer->sessions)
	{
		s = list_entry(item, struct session, of_peer);
		if (is_doubtful(s, &d))
			doubt(n, s);
	}
	while ((s = sibling_find(n, newer->peer, is_doubtful, &d)))
		doubt(n, s);
}

/* True: the session is going. */
static bool judge_age(struct node *n, struct session *s, const struct ike_info *info)
{
	if (judge_children(n, s) || judge_childless(n, s, info) || lapse_judge(n, s))
		return true;
	if (s->expires_ms <= n->now_ms) {
		session_delete(n, s, END_RENEW);
		return true;
	}
	if (s->reauth_ms <= n->now_ms)
		reauthenticate(n, s, info);
	if (s->rekey_ms <= n->now_ms) {
		s->rekey_ms = UINT64_MAX;
		enum ike_err err = ike_rekey(n->ike, n->now_ms, s->ike);
		(void)err; /* one that is being replaced anyway */
	}
	idle_look_by(n, s, smaller(s->expires_ms, smaller(s->rekey_ms, s->reauth_ms)));
	idle_look_by(n, s, s->lapse_ms);
	return false;
}

void idle_keep_alive(struct node *n, struct session *s)
{
	if (s->keepalive_ms == 0)
		s->keepalive_ms = n->now_ms + KEEPALIVE_EVERY_MS;
}

static void keep_alive(struct node *n, struct session *s, const struct ike_info *info)
{
	if (s->keepalive_ms == 0)
		return;
	if (s->keepalive_ms <= n->now_ms) {
		struct effect *f = effects_add(n->out, FX_KEEPALIVE, s->peer->scope);
		f->u.keepalive.local = info->path.local;
		f->u.keepalive.remote = info->path.remote;
		s->keepalive_ms = n->now_ms + KEEPALIVE_EVERY_MS;
	}
	idle_look_by(n, s, s->keepalive_ms);
}

/* Afterwards s may be gone, and others with it. */
static void look(struct node *n, struct session *s)
{
	struct ike_info info;

	dues_remove(&n->looks, &s->due);
	if (s->end != END_NONE || !ike_view(n->ike, s->ike, &info))
		return;
	if (info.replaced) {
		ike_used(n->ike, s->ike,
			larger(session_last_in_ms(s), session_last_out_ms(s)));
		sibling_save(n, s);
		idle_query_soon(n, REPLACED_PERIOD_MS);
	}
	if (judge_age(n, s, &info) || judge_life(n, s, &info))
		return;
	keep_alive(n, s, &info);
}

void idle_touch(struct node *n, struct session *s)
{
	dues_set(&n->looks, &s->due, n->now_ms);
}

void idle_report(struct node *n, struct session *s)
{
	look(n, s);
}

void idle_settle(struct node *n)
{
	while (dues_first_ms(&n->looks) <= n->now_ms)
		look(n, due_entry(dues_first(&n->looks), struct session, due));
	if (n->n_sessions == 0)
		n->query_due_ms = UINT64_MAX;
	else if (n->query_due_ms == UINT64_MAX)
		n->query_due_ms = n->now_ms + idle_period_ms(n);
	else if (n->query_due_ms <= n->now_ms)
		query(n);
}

uint64_t idle_due_ms(const struct node *n)
{
	return smaller(dues_first_ms(&n->looks), n->query_due_ms);
}
