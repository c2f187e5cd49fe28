/* node/worst.c - how long it takes at worst until a peer's traffic runs again.
 *
 *	noticing + waiting to be called + one call
 *
 * Noticing: in a cluster that calls its peers, the failover time (the node dies); where
 * only a timer finds out, T. Waiting: the rest of a call under way and the pause after it,
 * or the rest of a pause; nothing while all is well. Where an IKE SA stands the child is asked
 * for in it, and not by a call; if its other end is dead only that finds it out: T once more,
 * or the time of a call that is given up, and a pause. One call: a second, which covers one
 * lost datagram, and the calls that go before it (others at most 64 a second if all of them
 * are silent, a sibling half a second). Where the rule accepts redirects it may be sent to a
 * gateway that does not answer, and come back when that call has given up; before that it may
 * have been the gateway's name that was not answered for a while.
 *
 * It holds as seen now, from the moment of the loss, and if the other side answers by the
 * time it is called: how long that takes nobody here can know. If it does not, what counts
 * is asked for anew: then a call is under way, or a pause.
 */
#include "node/core.h"

enum { CALL_MS = 1000, ROUND_MS = 1000 };

void worst_count(const struct node *n, struct crowd *out)
{
	*out = (struct crowd){.from_rank = {0}};
	list_each(item, &n->peers)
		out->from_rank[list_entry(item, struct peer, link)->rank]++;
	for (unsigned i = UINT8_MAX; i > 0; i--)
		out->from_rank[i - 1] += out->from_rank[i];
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Busier peers, and those as busy as this one, are called before it. */
static uint64_t one_call(
	const struct node *n, const struct peer *p, const struct crowd *crowd)
{
	uint64_t ahead =
		crowd->from_rank[p->rank] > 0 ? crowd->from_rank[p->rank] - 1 : 0;
	uint64_t sibling = sibling_exists(n, p) ? SIBLING_WAIT_MS : 0;

	uint64_t astray = redirect_offers(n, p) ? GATEWAY_WAIT_MS + CALL_GIVE_UP_MS : 0;

	return CALL_MS + ahead / IN_FLIGHT_MAX * ROUND_MS + sibling + astray;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* After so many tries a child is asked for, in vain, in an IKE SA that still stands. */
static uint64_t asked_in_vain(const struct node *n, const struct peer *p, unsigned tries)
{
	const struct session *s = p->alone ? NULL : sibling_session(n, p);

	if (!s || s->ike == p->ask_ike)
		return 0;
	uint64_t ms = idle_timeout_of(n, s);
	if (list_empty(&s->children))
		ms = smaller(ms, CALL_GIVE_UP_MS);
	return ms + dial_longest_pause_ms(tries);
}

static uint64_t rest_of(const struct node *n, uint64_t until_ms)
{
	return until_ms > n->now_ms ? until_ms - n->now_ms : 0;
}

static uint64_t until_called(const struct node *n, const struct peer *p)
{
	bool under_way = p->call != 0 || p->ask != 0;
	uint64_t in_vain = asked_in_vain(n, p, p->tries + under_way);
	uint64_t expected = rest_of(n, dial_first_child_ms(n, p));

	if (under_way)
		return larger(rest_of(n, p->called_ms + CALL_GIVE_UP_MS) +
				       dial_longest_pause_ms(p->tries),
			       expected) +
		       in_vain;
	if (p->next_try_ms > n->now_ms)
		return larger(p->next_try_ms - n->now_ms, expected) + in_vain;
	return larger(
		expected + in_vain, !peer_is_tied(p) ? 0 : n->tuning.delete_wait_ms);
}

/* Packets go one way only, and probes are answered: t0 is then as old as a report may be. */
static bool is_one_way(const struct node *n, const struct child_sa *s)
{
	struct ike_info info;

	return s->usage.unanswered_since_ms != 0 && ike_view(n->ike, s->sa.ike, &info) &&
	       info.last_in_ms > s->usage.unanswered_since_ms;
}

static uint64_t by_timer(
	const struct node *n, const struct peer *p, const struct child_sa *s)
{
	if (!s)
		return until_called(n, p);
	return idle_timeout_of(n, s->session) +
	       (is_one_way(n, s) ? idle_period_ms(n) : 0);
}

/* The peer's own timer decides; with like settings it is ours. One that is shorter than
 * the failover calls in vain at first. */
static uint64_t by_peers_timer(const struct node *n, const struct peer *p)
{
	uint64_t timer = p->nlbs || n->tuning.nlbs_flags
				 ? n->tuning.idle_timeout_failover_ms
				 : n->tuning.idle_timeout_ms;

	if (timer >= n->params.failover_ms)
		return timer;
	uint64_t in_vain = (n->params.failover_ms - timer) / CALL_GIVE_UP_MS;
	return n->params.failover_ms + CALL_GIVE_UP_MS +
	       dial_longest_pause_ms((unsigned)in_vain);
}

uint64_t worst_recovery(
	const struct node *n, const struct peer *p, const struct crowd *crowd)
{
	const struct child_sa *s = peer_child(p);
	uint64_t call = one_call(n, p, crowd);
	bool is_member = cluster_is_clustered(n) && !n->scopes[p->scope].is_host;

	if (is_member && n->config->cluster.takeover == TAKEOVER_WAIT)
		return by_peers_timer(n, p) + call;
	if (!peer_callable(p))
		return UINT64_MAX;
	if (!is_member)
		return by_timer(n, p, s) + call;
	return larger(n->params.failover_ms, s ? 0 : until_called(n, p)) + call;
}
