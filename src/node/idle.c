/* node/idle.c - who is dead, and when (the NLBSFlags knob); idle and old SAs.
 *
 * t0 is the first outbound packet since the last authenticated inbound one, on the IKE SA
 * or its child. T is idle-timeout, or idle-timeout-failover if nlbs-flags is 1 here or the
 * peer sent NLBS_PRESENT. From t0 + T/2 on the peer is probed every T/8 (RFC 7296 2.4),
 * that is four times; at t0 + T it is dead: all its SAs go, and it is called again at
 * once. Of two SAs one may be dead alone (it was another node's): what has been heard from
 * since its t0 stays. Without three probes nobody dies, so a daemon that was stopped for a while first
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
	KEEPALIVE_EVERY_MS = 20000
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

/* ---- t0 ----------------------------------------------------------------------------------- */

/* The earliest of the candidates that lies after the last sign of life; 0: none. */
static uint64_t first_unanswered(
	struct session *s, const struct ike_info *info, uint64_t last_in)
{
	uint64_t t0 = UINT64_MAX;

	if (info->unanswered_since_ms > last_in)
		t0 = info->unanswered_since_ms;
	if (s->usage.unanswered_since_ms > last_in)
		t0 = smaller(t0, s->usage.unanswered_since_ms);
	else if (s->usage.unanswered_since_ms != 0 && s->usage.last_out_ms > last_in)
		t0 = smaller(t0, s->t0_ms > last_in ? s->t0_ms : s->usage.last_out_ms);
	return t0 == UINT64_MAX ? 0 : t0;
}

/* The session is judged again at the earliest of what its judges ask for. */
static void again(struct node *n, struct session *s, uint64_t ms)
{
	if (s->due.at == 0 || ms < s->due.ms)
		dues_set(&n->looks, &s->due, ms);
}

/* ---- verdicts ------------------------------------------------------------------------------- */

static uint64_t heard_ms(const struct session *s, const struct ike_info *info)
{
	return larger(info->last_in_ms, s->usage.last_in_ms);
}

/* Another SA of the same peer has heard from it since this one has not. */
static bool lives_elsewhere(const struct node *n, const struct session *dead)
{
	struct ike_info info;

	list_each(item, &dead->peer->sessions)
	{
		const struct session *s = list_entry(item, struct session, of_peer);
		if (s != dead && s->child.id != 0 && s->end == END_NONE &&
			ike_view(n->ike, s->ike, &info) &&
			heard_ms(s, &info) > dead->t0_ms)
			return true;
	}
	return false;
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
	while (!list_empty(&p->sessions))
		session_forget(n, list_entry(p->sessions.next, struct session, of_peer),
			END_DEAD);
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
	again(n, s, probe_ms);
	if (!s->last_look)
		again(n, s, look_ms);
	if (s->probes >= PROBES_MIN)
		again(n, s, dead_ms);
	return false;
}

/* True: the session is going. */
static bool judge_age(struct node *n, struct session *s)
{
	uint64_t used = larger(
		s->child_since_ms, larger(s->usage.last_in_ms, s->usage.last_out_ms));

	if (s->displaced) {
		session_delete(n, s, END_DISPLACED);
		return true;
	}
	if (s->expires_ms <= n->now_ms) {
		session_delete(n, s, s->refused ? END_REFUSED : END_RENEW);
		return true;
	}
	/* Judged by a report, not by the clock: it may be a while old. */
	if (s->usage_ms >= used + n->tuning.idle_lifetime_ms) {
		session_delete(n, s, END_IDLE);
		return true;
	}
	again(n, s, s->expires_ms);
	return false;
}

static void keep_alive(struct node *n, struct session *s)
{
	if (s->keepalive_ms == 0)
		return;
	if (s->keepalive_ms <= n->now_ms) {
		struct effect *f = effects_add(n->out, FX_KEEPALIVE, s->peer->scope);
		f->u.keepalive.local = s->child.path.local;
		f->u.keepalive.remote = s->peer->remote;
		s->keepalive_ms = n->now_ms + KEEPALIVE_EVERY_MS;
	}
	again(n, s, s->keepalive_ms);
}

/* Afterwards s may be gone, and others with it. */
static void look(struct node *n, struct session *s)
{
	struct ike_info info;

	dues_remove(&n->looks, &s->due);
	if (s->end != END_NONE || s->child.id == 0 || !ike_view(n->ike, s->ike, &info))
		return;
	if (s->activate_ms != 0 && s->activate_ms <= n->now_ms)
		session_activate(n, s);
	if (s->activate_ms != 0)
		again(n, s, s->activate_ms);
	if (info.replaced) {
		ike_used(n->ike, s->ike,
			larger(s->usage.last_in_ms, s->usage.last_out_ms));
		idle_query_soon(n, REPLACED_PERIOD_MS);
	}
	if (judge_age(n, s) || judge_life(n, s, &info))
		return;
	keep_alive(n, s);
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
