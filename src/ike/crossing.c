/* ike/crossing.c - more than one IKE SA of one identity pair: who goes (RFC 7296 2.4).
 *
 * After a takeover, and with stock peers at any time, both sides call at once. RFC 7296
 * has no tie-break for crossing initial exchanges; this is ours:
 *
 * - The peer's IKE_SA_INIT is always answered.
 * - INITIAL_CONTACT is sent only when no other IKE SA of the pair exists, half-open ones
 *   included. Received, it ends the SAs of the pair that were up before the SA that
 *   carries it was begun; those that crossed with it are judged by the rules below.
 * - A call of ours whose IKE_AUTH is not out yet ends when the peer's call succeeds.
 * - An SA is confirmed when the peer is known to have it up: at once for its initiator,
 *   with the first later message for its responder, whose answer may have been lost. Of
 *   several SAs with the same traffic a confirmed one is used, and the others are probed.
 * - Of two confirmed ones: one that was begun while the other stood takes its place
 *   (standing.c). Else, between two vipsec nodes, and if they came up within 10 s, the one
 *   with the lowest of the four nonces goes. Its initiator deletes it; the other side only
 *   if that does not happen. Otherwise the older goes, with other peers after 5 s without
 *   traffic.
 * - A loser that carries more than the winner (children of other rules) waits a few seconds
 *   for whoever called to ask for those in the newer one. If nobody does, and it was not
 *   begun to take the loser's place, they only share a rule: the loser stays, without what
 *   the other one carries.
 * - The winner must be alive: nobody goes for one that has not been heard since the other
 *   came up. It is probed; if it is dead, the other stays.
 * - A peer that calls again when its duplicate was deleted keeps its duplicate.
 *
 * A loser is marked `replaced` at once. If the winner goes first, the loser stays.
 */
#include "ike/sa.h"

#include <assert.h>

enum {
	CROSSED_MS = 10000, /* up within so long: they may have crossed */
	END_OURS_MS = 1000, /* the initiator ends a loser between vipsec nodes */
	END_THEIRS_MS = 6000, /* the responder, if the initiator has not */
	UNUSED_MS = 5000, /* with other peers */
	INSISTS_MS = 60000, /* a new call so soon after a Delete insists */
	COVER_LOOK_MS = 500,
	COVER_LOOKS = 10,
	UNCONFIRMED_MS = 30000, /* the peer has given up proving by then */
	GOODBYE_WAIT_MS = 2000
};

static struct ike_sa *kin_of(struct list *item)
{
	return list_entry(item, struct ike_sa, kin);
}

static bool is_leaving(const struct ike_sa *sa)
{
	return sa->state >= STATE_REKEYED;
}

/* Up, and not just an offer to take another one's place (rekey_ike.c). */
static bool stands(const struct ike_sa *sa)
{
	return sa->state == STATE_UP && sa->announced;
}

/* Where one of the two has no known identity yet, its address must do. */
static bool same_place(const struct ike_sa *a, const struct ike_sa *b)
{
	return a->path.scope == b->path.scope &&
	       endpoint_equal(&a->path.remote, &b->path.remote);
}

static bool is_first_there(const struct ike_engine *e, const struct ike_sa *sa)
{
	list_each(item, &e->sas)
	{
		const struct ike_sa *other = list_entry(item, struct ike_sa, all);

		if (other != sa && !is_leaving(other) && same_place(sa, other))
			return false;
	}
	return true;
}

/* RFC 7296 2.4. */
bool ike_crossing_is_first(const struct ike_engine *e, const struct ike_sa *sa)
{
	if (!sa->pair)
		return is_first_there(e, sa);
	list_each(item, &sa->pair->members)
	{
		const struct ike_sa *other = kin_of(item);

		if (other != sa && !is_leaving(other))
			return false;
	}
	list_each(item, &e->half_open)
	{
		if (same_place(sa, list_entry(item, struct ike_sa, half)))
			return false;
	}
	return true;
}

bool ike_crossing_may_contact(const struct ike_engine *e, const struct ike_sa *sa)
{
	return !sa->conn->no_contact && ike_crossing_is_first(e, sa);
}

static void end_replaced(struct ike_engine *e, struct ike_sa *sa)
{
	ike_fail(sa, IKE_CLOSE_REPLACED, IKE_WHY_NONE, 0);
	ike_close(e, sa);
}

/* The end of one may be the end of others: one that has been rekeyed, and its rival. */
static struct ike_sa *find_older(const struct ike_sa *sa)
{
	list_each(item, &sa->pair->members)
	{
		struct ike_sa *other = kin_of(item);

		if (other != sa &&
			(other->state == STATE_UP || other->state == STATE_REKEYED) &&
			other->established_ms < sa->created_ms)
			return other;
	}
	return NULL;
}

void ike_crossing_contact(struct ike_engine *e, struct ike_sa *sa)
{
	struct ike_sa *other;

	assert(sa->pair); /* it is up: the peer has an identity */
	while ((other = find_older(sa)))
		end_replaced(e, other);
}

/* ---- who loses */

struct traffic {
	uint32_t rule;
	const struct ts_list *local, *remote;
};

static struct traffic traffic_of(const struct child *c)
{
	return (struct traffic){c->is.rule, &c->is.local_ts, &c->is.remote_ts};
}

static bool same(const struct traffic *a, const struct traffic *b)
{
	return a->rule == b->rule &&
	       ike_selectors_overlap(a->local, a->remote, b->local, b->remote);
}

static bool carries(const struct ike_sa *sa, const struct traffic *t)
{
	const struct ike_conn *c = sa->conn;
	const struct traffic asked = {c->rule, &c->local_ts, &c->remote_ts};

	if (sa->n_known == 0)
		return same(&asked, t);
	list_each(item, &sa->children)
	{
		const struct traffic has =
			traffic_of(list_entry(item, struct child, link));

		if (same(&has, t))
			return true;
	}
	return false;
}

/* Some child of the one and some child of the other; where there is none yet, what it was
 * begun for. */
bool ike_crossing_same_traffic(const struct ike_sa *a, const struct ike_sa *b)
{
	const struct ike_conn *c = a->conn;
	const struct traffic asked = {c->rule, &c->local_ts, &c->remote_ts};

	if (!a->pair || a->pair != b->pair)
		return false;
	if (a->n_known == 0)
		return carries(b, &asked);
	list_each(item, &a->children)
	{
		const struct traffic has =
			traffic_of(list_entry(item, struct child, link));

		if (carries(b, &has))
			return true;
	}
	return false;
}

static const struct nonce *lower_nonce(const struct ike_sa *sa)
{
	return nonce_lower(&sa->nonce_i, &sa->nonce_r);
}

static bool both_vipsec(const struct ike_sa *a, const struct ike_sa *b)
{
	return a->peer_is_vipsec && b->peer_is_vipsec;
}

/* Which of the two is used. */
static struct ike_sa *better(struct ike_sa *a, struct ike_sa *b)
{
	/* One that has just been rekeyed is as old as before. */
	struct ike_sa *newer = a->proved_ms > b->proved_ms ? a : b;
	struct ike_sa *older = newer == a ? b : a;
	bool crossed = newer->proved_ms - older->proved_ms < CROSSED_MS;

	if (a->confirmed != b->confirmed)
		return a->confirmed ? a : b;
	if (ike_standing_knew(a, b) != ike_standing_knew(b, a))
		return ike_standing_knew(a, b) ? a : b;
	if (crossed && both_vipsec(newer, older) &&
		nonce_cmp(lower_nonce(newer), lower_nonce(older)) < 0)
		return older;
	return newer;
}

static struct ike_sa *find_best(struct ike_sa *sa)
{
	struct ike_sa *best = sa;

	list_each(item, &sa->pair->members)
	{
		struct ike_sa *other = kin_of(item);

		if (other != sa && stands(other) && ike_crossing_same_traffic(sa, other))
			best = better(best, other);
	}
	return best;
}

/* A deadline that is already there is not put off. */
static void schedule_end(
	struct ike_engine *e, struct ike_sa *loser, struct ike_sa *winner)
{
	struct crossing *c = &loser->crossing;
	bool vipsec = both_vipsec(loser, winner);
	uint64_t wait = UNUSED_MS;

	if (c->due_ms != IKE_NEVER || c->keep || !winner->confirmed)
		return;
	if (vipsec)
		wait = loser->initiator ? END_OURS_MS : END_THEIRS_MS;
	c->unused_only = !vipsec;
	c->due_ms = e->now_ms + wait;
	ike_timer_update(e, loser);
}

static void win(struct ike_engine *e, struct ike_sa *sa)
{
	sa->replaced = false;
	sa->crossing.due_ms = IKE_NEVER;
	ike_timer_update(e, sa);
}

/* Not confirmed, and never answering: the peer has given it up without our knowing. */
static void lose(struct ike_engine *e, struct ike_sa *loser, struct ike_sa *winner)
{
	loser->replaced = true;
	if (loser->confirmed) {
		schedule_end(e, loser, winner);
		return;
	}
	ike_probe_now(e, loser);
	if (loser->crossing.due_ms == IKE_NEVER)
		loser->crossing.due_ms = e->now_ms + UNCONFIRMED_MS;
	ike_timer_update(e, loser);
}

/* It may be with a node that is no more, and not have crossed with the other at all. */
static bool is_doubtful(const struct ike_sa *winner, const struct ike_sa *loser)
{
	return !winner->confirmed || winner->last_in_ms < loser->established_ms;
}

/* Puts the SAs that carry the same traffic as sa in order. */
static void rank(struct ike_engine *e, struct ike_sa *sa)
{
	struct ike_sa *best = find_best(sa);
	bool doubtful = false;

	list_each(item, &sa->pair->members)
	{
		struct ike_sa *other = kin_of(item);

		if (other == best || !stands(other) ||
			!ike_crossing_same_traffic(best, other))
			continue;
		lose(e, other, best);
		doubtful = doubtful || is_doubtful(best, other);
	}
	win(e, best);
	if (doubtful)
		ike_probe_now(e, best);
}

/* The peer calls although it has an SA, right after we have deleted its other one. */
static bool insists(const struct ike_engine *e, const struct ike_sa *newer,
	const struct ike_sa *older)
{
	return !newer->initiator && !both_vipsec(newer, older) &&
	       older->crossing.ended_ms != 0 &&
	       e->now_ms - older->crossing.ended_ms < INSISTS_MS;
}

static bool is_call_in_vain(const struct ike_sa *call, const struct ike_sa *up)
{
	return call->state == STATE_INIT_SENT && !up->initiator &&
	       ike_crossing_same_traffic(call, up);
}

/* sa has just come up. */
void ike_crossing_settle(struct ike_engine *e, struct ike_sa *sa)
{
	list_each_safe(item, &sa->pair->members)
	{
		struct ike_sa *other = kin_of(item);
		struct crossing *c = &other->crossing;

		if (other == sa)
			continue;
		if (is_call_in_vain(other, sa)) {
			end_replaced(e, other);
			continue;
		}
		if (!stands(other) || !ike_crossing_same_traffic(sa, other))
			continue;
		if (c->keep || insists(e, sa, other))
			sa->crossing.keep = c->keep = true;
	}
	rank(e, sa);
}

void ike_crossing_confirmed(struct ike_engine *e, struct ike_sa *sa)
{
	sa->crossing.due_ms = IKE_NEVER;
	rank(e, sa);
}

/* ---- afterwards */

/* If it was the winner, one of those that it had replaced stays after all. */
void ike_crossing_gone(struct ike_engine *e, struct ike_sa *sa)
{
	if (!sa->announced || !sa->pair)
		return;
	list_each(item, &sa->pair->members)
	{
		struct ike_sa *other = kin_of(item);

		if (other != sa && stands(other) && ike_crossing_same_traffic(sa, other))
			rank(e, other);
	}
}

static struct ike_sa *find_winner(const struct ike_sa *loser)
{
	list_each(item, &loser->pair->members)
	{
		struct ike_sa *other = kin_of(item);

		if (other != loser && stands(other) && !other->replaced &&
			ike_crossing_same_traffic(loser, other))
			return other;
	}
	return NULL;
}

/* Asked for is not enough; for_certain: nor answered, since the peer must have it, too. */
static bool has_child_for(const struct ike_engine *e, const struct ike_sa *sa,
	const struct traffic *t, bool for_certain)
{
	list_each(item, &sa->children)
	{
		const struct child *c = list_entry(item, struct child, link);
		const struct traffic has = traffic_of(c);

		if (c->known && same(&has, t) &&
			(!for_certain || ike_peer_has_child(e, c->is.id)))
			return true;
	}
	return false;
}

static bool is_carried_elsewhere(const struct ike_engine *e, const struct ike_sa *sa,
	const struct child *c, bool for_certain)
{
	const struct traffic has = traffic_of(c);

	list_each(item, &sa->pair->members)
	{
		const struct ike_sa *other = kin_of(item);

		if (other != sa && stands(other) && !other->replaced &&
			has_child_for(e, other, &has, for_certain))
			return true;
	}
	return false;
}

/* RFC 7296 2.8.3: the new IKE SA has new children before the old one goes. */
static bool is_covered(
	const struct ike_engine *e, const struct ike_sa *loser, bool for_certain)
{
	list_each(item, &loser->children)
	{
		const struct child *c = list_entry(item, struct child, link);

		if (c->known && !is_carried_elsewhere(e, loser, c, for_certain))
			return false;
	}
	return true;
}

/* Both stay, each with children of its own. */
static void let_go_of_duplicates(struct ike_engine *e, struct ike_sa *sa)
{
	list_each(item, &sa->children)
	{
		struct child *c = list_entry(item, struct child, link);

		if (c->state != CHILD_UP || !is_carried_elsewhere(e, sa, c, false))
			continue;
		ike_child_deleting(c, IKE_CLOSE_REPLACED);
		ike_task_add(e, sa, TASK_DELETE_CHILD, c->is.id);
	}
	sa->crossing.looks = 0;
	win(e, sa);
}

void ike_crossing_due(struct ike_engine *e, struct ike_sa *sa)
{
	struct crossing *c = &sa->crossing;
	struct ike_sa *winner = find_winner(sa);

	if (!winner) {
		c->due_ms = IKE_NEVER;
		rank(e, sa);
		return;
	}
	if (!sa->confirmed) {
		end_replaced(e, sa);
		return;
	}
	if (is_doubtful(winner, sa)) {
		ike_probe_now(e, winner);
		c->due_ms = e->now_ms + END_OURS_MS;
		ike_timer_update(e, sa);
		return;
	}
	if (!is_covered(e, sa, true) && c->looks < COVER_LOOKS) {
		c->looks++;
		c->due_ms = e->now_ms + COVER_LOOK_MS;
		ike_timer_update(e, sa);
		return;
	}
	if (!is_covered(e, sa, false) && !ike_standing_knew(winner, sa)) {
		let_go_of_duplicates(e, sa);
		return;
	}
	if (c->unused_only && c->used_ms + UNUSED_MS > e->now_ms) {
		c->due_ms = c->used_ms + UNUSED_MS;
		ike_timer_update(e, sa);
		return;
	}
	c->due_ms = IKE_NEVER;
	winner->crossing.ended_ms = e->now_ms;
	ike_fail(sa, IKE_CLOSE_REPLACED, IKE_WHY_NONE, 0);
	ike_command(e, sa, COMMAND_DELETE, GOODBYE_WAIT_MS, 1);
}
