/* ike/dispatch.c - from a message or a command to a handler, and on to the next state.
 *
 * Payload presence, rule, handler, state: in this order (RFC 7296 2.5, 2.21). This file
 * alone assigns ike_sa.state. What leads here is in receive.c, what each exchange means in
 * the exchange's own file, and what may happen at all in rules.c.
 */
#include "ike/sa.h"

#include <assert.h>

enum {
	HALF_OPEN_MS = 30000,
	/* Without an answer to IKE_AUTH for so long the peer does not have the SPI (any
	 * more): its node crashed in between. A new call has to begin at IKE_SA_INIT. */
	PROVING_MS = 15000,
	LINGER_MS = 10000,
	REKEYED_MS = 60000, /* the peer has to delete it */
	ORPHANED_MS = 10000, /* the same, and what took its place is gone */
	DELETE_WAIT_MS = 2000 /* of a Delete that we decided on ourselves */
};

void ike_fail(struct ike_sa *sa, enum ike_close close, enum ike_why why, uint16_t notify)
{
	sa->failure = (struct ike_failure){.close = close, .why = why, .notify = notify};
}

/* ---- states */

static void enter_half_open(struct ike_engine *e, struct ike_sa *sa)
{
	list_add(&e->half_open, &sa->half);
	e->n_half_open++;
	e->n_strangers += sa->stranger;
	if (sa->origin)
		sa->origin->half_open[sa->stranger]++;
	sa->expire_ms = e->now_ms + HALF_OPEN_MS;
}

static void leave_half_open(struct ike_engine *e, struct ike_sa *sa)
{
	ike_pieces_free(e, &sa->pieces[false]);
	list_del(&sa->half);
	e->n_half_open--;
	e->n_strangers -= sa->stranger;
	if (sa->origin)
		sa->origin->half_open[sa->stranger]--;
	sa->stranger = false;
}

bool ike_is_half_open(const struct ike_sa *sa)
{
	return sa->state == STATE_HALF_OPEN || sa->state == STATE_HALF_KEYED;
}

static void set_state(struct ike_engine *e, struct ike_sa *sa, enum ike_state state)
{
	if (sa->state == state)
		return;
	bool was_half_open = ike_is_half_open(sa);
	if (sa->state == STATE_UP) {
		e->n_established--;
		ike_follow_drop(e, sa);
		sa->childless_ms = IKE_NEVER;
		ike_rival_gives_up(sa);
	}
	sa->state = state;
	if (was_half_open && !ike_is_half_open(sa))
		leave_half_open(e, sa);
	if (!was_half_open && ike_is_half_open(sa))
		enter_half_open(e, sa);
	if (state == STATE_UP) {
		ike_origin_leave(e, sa);
		e->n_established++;
		sa->established_ms = e->now_ms;
		if (!sa->is_heir)
			sa->proved_ms = e->now_ms;
		sa->expire_ms = IKE_NEVER;
	}
	if (state == STATE_REKEYED)
		sa->expire_ms = e->now_ms + REKEYED_MS;
}

/* Each of our messages behind IKE_SA_INIT has so long to be answered. */
static void limit_call(const struct ike_engine *e, struct ike_sa *sa)
{
	uint64_t until = e->now_ms + PROVING_MS;

	if ((sa->state != STATE_KEYING && sa->state != STATE_AUTH_SENT) ||
		sa->expire_ms <= e->now_ms)
		return;
	sa->expire_ms = until < sa->give_up_ms ? until : sa->give_up_ms;
}

/* The host hears of the new SA first and of what it replaces afterwards: no gap. */
static void announce(struct ike_engine *e, struct ike_sa *sa, bool contact)
{
	struct child *first = ike_child_first(sa);
	struct ike_info info;

	e->counters.established++;
	sa->known = sa->announced = true;
	ike_sa_info(sa, &info);
	info.asks = sa->childless && first ? first->is.id : 0;
	e->host.established(e->host.ctx, &info);
	if (sa->peer_is_new) /* worth a line only from somebody who is known */
		ike_note(e, &sa->path, sa->id,
			"the peer says that it holds no SA with us "
			"(Vid-Initial-Contact)");
	if (!sa->childless)
		ike_child_up(e, first);
	if (contact)
		ike_crossing_contact(e, sa);
}

/* Once, when it carries something. */
static void settle(struct ike_engine *e, struct ike_sa *sa)
{
	if (sa->settled || sa->state != STATE_UP || sa->n_known == 0)
		return;
	sa->settled = true;
	ike_crossing_settle(e, sa);
}

/* A stranger whom nobody has believed leaves without closed(), and so does an SA that was
 * made by rekeying and never used. */
static bool is_worth_telling(const struct ike_sa *sa)
{
	return sa->known || (sa->failure.why != IKE_WHY_NONE && !sa->is_heir);
}

/* Strangers can come this far, by a wrong proof: as many as may be half open, no more. */
static void keep_for_repeats(struct ike_engine *e, struct ike_sa *sa)
{
	ike_pair_leave(e, sa);
	ike_retransmit_stop(sa);
	ike_keys_forget_init(sa);
	secret_wipe(&sa->sk_d);
	sa->crossing.due_ms = IKE_NEVER;
	sa->expire_ms = e->now_ms + LINGER_MS;
	ike_timer_update(e, sa);
	sa->lingers = true;
	list_add(&e->gone, &sa->half);
	if (++e->n_gone > e->limits.half_open)
		ike_sa_free(e, list_entry(e->gone.next, struct ike_sa, half));
}

/* With what took its place nobody waits for it any more: its Delete may be lost, of a peer
 * that has forgotten it. */
static void orphan(struct ike_engine *e, const struct ike_sa *heir)
{
	struct ike_sa *old = heir->predecessor;

	if (!old || old->heir != heir || old->state != STATE_REKEYED ||
		old->expire_ms <= e->now_ms + ORPHANED_MS)
		return;
	old->expire_ms = e->now_ms + ORPHANED_MS;
	ike_timer_update(e, old);
}

static void end(struct ike_engine *e, struct ike_sa *sa, bool linger)
{
	assert(sa->state != STATE_GONE);
	if (sa->rival) /* it has come to nothing with the SA that it was to replace */
		end(e, sa->rival, false);
	ike_tasks_drop(e, sa);
	ike_task_done(e, sa);
	ike_follow_drop(e, sa);
	ike_children_down(e, sa, sa->failure.close);
	if (is_worth_telling(sa)) {
		struct ike_info info;

		ike_sa_info(sa, &info);
		e->host.closed(e->host.ctx, &info, &sa->failure);
	}
	set_state(e, sa, STATE_GONE);
	ike_crossing_gone(e, sa);
	orphan(e, sa);
	ike_sa_leave_kin(sa);
	if (!linger) {
		ike_sa_free(e, sa);
		return;
	}
	keep_for_repeats(e, sa);
}

void ike_close(struct ike_engine *e, struct ike_sa *sa)
{
	end(e, sa, false);
}

/* ---- commands */

static enum ike_verdict run(
	struct exchange *x, const struct ike_rule *rule, enum ike_state *then)
{
	enum ike_verdict verdict = rule->handle(x);

	*then = verdict == VERDICT_THEN   ? rule->then
		: verdict == VERDICT_MORE ? ike_state_before(rule->then)
					  : x->sa->state;
	return verdict;
}

void ike_command(struct ike_engine *e, struct ike_sa *sa, enum ike_command c,
	uint64_t wait_ms, unsigned copies)
{
	struct exchange x = {.e = e,
		.sa = sa,
		.from = &sa->path,
		.wait_ms = wait_ms,
		.copies = copies};
	const struct ike_rule *rule;
	enum ike_state then;
	enum ike_match match = ike_rule_find(sa->state, ON_COMMAND, (uint8_t)c, 0, &rule);

	assert(match == MATCH_RULE);
	if (run(&x, rule, &then) == VERDICT_CLOSE) {
		end(e, sa, false);
		return;
	}
	set_state(e, sa, then);
	ike_timer_update(e, sa);
}

/* The peer believes in an SA that we end. */
static void tell_and_delete(struct ike_engine *e, struct ike_sa *sa)
{
	ike_command(e, sa, COMMAND_DELETE, DELETE_WAIT_MS, 1);
}

/* ---- deadlines */

/* While nothing has come over the heir, the old one may be all that the peer has: it has
 * not got our answer, and asks again. */
static void on_rekeyed_expired(struct ike_engine *e, struct ike_sa *sa)
{
	sa->expire_ms = e->now_ms + REKEYED_MS;
	if (sa->heir && !sa->heir->heard)
		ike_timer_update(e, sa);
	else
		tell_and_delete(e, sa);
}

void ike_expire(struct ike_engine *e, struct ike_sa *sa)
{
	bool calling = sa->state == STATE_INIT_SENT || sa->state == STATE_KEYING ||
		       sa->state == STATE_AUTH_SENT;

	if (sa->state == STATE_GONE) {
		ike_sa_free(e, sa);
		return;
	}
	if (sa->state == STATE_REKEYED) {
		on_rekeyed_expired(e, sa);
		return;
	}
	/* RFC 7296 1.4.1, 2.4: of a call that is given up the peer may have the SA, or will
	 * when it gets to our IKE_AUTH; it would send on what we have not, for as long as it
	 * believes in it. */
	if (sa->state == STATE_AUTH_SENT ||
		(sa->state == STATE_DELETING && sa->delete_due))
		ike_delete_last_word(e, sa);
	/* RFC 7296 2.21.1: what was said without proof is believed only now. */
	if (calling && sa->failure.why == IKE_WHY_NONE)
		sa->failure.close = IKE_CLOSE_TIMEOUT;
	end(e, sa, false);
}

/* ---- messages */

static uint64_t present(const struct exchange *x)
{
	return x->in.present | (x->has_error ? RULE_ERROR : 0) |
	       (x->rekeys ? RULE_REKEY : 0) | (x->redirects ? RULE_REDIRECT : 0);
}

void ike_dispatch_stranger(struct exchange *x, const struct ike_rule *rule)
{
	struct ike_sa *sa = x->sa;
	enum ike_state then;

	enum ike_verdict verdict = run(x, rule, &then);

	if (verdict != VERDICT_THEN && verdict != VERDICT_MORE) {
		ike_sa_free(x->e, sa);
		return;
	}
	map_put(x->e->by_init, span_of(sa->init_key, SHA256_LEN), sa);
	set_state(x->e, sa, then);
	ike_timer_update(x->e, sa);
}

void ike_dispatch_answer(struct exchange *x, const struct ike_rule *rule)
{
	struct ike_engine *e = x->e;
	struct ike_sa *sa = x->sa;
	enum ike_state then;

	switch (run(x, rule, &then)) {
	case VERDICT_THEN:
	case VERDICT_MORE:
		if (then == STATE_GONE) {
			end(e, sa, false);
			return;
		}
		bool is_new = then == STATE_UP && sa->state != STATE_UP;
		set_state(e, sa, then);
		limit_call(e, sa);
		if (is_new) {
			sa->confirmed = true;
			announce(e, sa, false);
		}
		break;
	case VERDICT_LATER:
	case VERDICT_STAY:
		break;
	case VERDICT_CLOSE:
		end(e, sa, false);
		return;
	case VERDICT_DELETE:
		tell_and_delete(e, sa);
		return;
	}
	settle(e, sa); /* a child may have come that is no next state */
	ike_ids_watch(e, sa);
	ike_task_next(e, sa);
}

/* ---- everything else, from inside an SK payload */

static void finish_request(struct exchange *x, const struct ike_rule *rule)
{
	struct ike_engine *e = x->e;
	struct ike_sa *sa = x->sa;
	bool contact = ike_notify_find(&x->in, N_INITIAL_CONTACT, NULL);
	enum ike_state then;
	enum ike_verdict verdict = run(x, rule, &then);

	if (verdict == VERDICT_LATER)
		return;
	if (verdict == VERDICT_CLOSE || then == STATE_GONE) {
		ike_reply_send(x);
		end(e, sa, true);
		return;
	}
	bool is_new = then == STATE_UP && sa->state != STATE_UP;
	set_state(e, sa, then);
	if (is_new)
		announce(e, sa, contact);
	ike_reply_send(x);
	settle(e, sa);
	if (verdict == VERDICT_DELETE)
		tell_and_delete(e, sa);
	ike_ids_watch(e, sa);
	ike_timer_update(e, sa);
}

/* RFC 7296 2.21.3: fatal on both sides, without a Delete. */
static void refuse_request(struct exchange *x, uint16_t notify, struct span data)
{
	bool was_up = x->sa->state >= STATE_UP;

	ike_reply_error(x, notify, data);
	ike_reply_send(x);
	if (notify == N_UNSUPPORTED_CRITICAL_PAYLOAD && was_up) {
		ike_timer_update(x->e, x->sa);
		return;
	}
	ike_note(x->e, x->from, x->sa->id, "%s: the peer's request is not well-formed",
		ike_notify_name(notify));
	ike_fail(x->sa, IKE_CLOSE_WE_REFUSED, IKE_WHY_SYNTAX, notify);
	end(x->e, x->sa, true);
}

/* The peer's answer makes no sense: RFC 7296 2.21 wants the state cleaned up. */
static void refuse_response(struct exchange *x)
{
	ike_note(x->e, x->from, x->sa->id, "the peer's response is not well-formed");
	ike_fail(x->sa, IKE_CLOSE_WE_REFUSED, IKE_WHY_SYNTAX, 0);
	if (x->sa->state == STATE_DELETING)
		end(x->e, x->sa, false);
	else
		tell_and_delete(x->e, x->sa);
}

enum ike_verdict ike_refuse_malformed(struct exchange *x)
{
	ike_reply_error(x, N_INVALID_SYNTAX, span_of(NULL, 0));
	ike_fail(x->sa, IKE_CLOSE_WE_REFUSED, IKE_WHY_SYNTAX, N_INVALID_SYNTAX);
	return VERDICT_CLOSE;
}

/* RFC 9242 3.2: for those alone who both have said that they can. */
static bool is_not_agreed(const struct exchange *x)
{
	return x->header.exchange == IKE_INTERMEDIATE && !x->sa->intermediate;
}

void ike_dispatch_request(struct exchange *x, enum wire_err err)
{
	const struct ike_rule *rule;
	enum ike_match match = ike_rule_find(
		x->sa->state, ON_REQUEST, x->header.exchange, present(x), &rule);

	if ((err == WIRE_OK && match == MATCH_NONE) || is_not_agreed(x)) {
		x->e->counters.wrong_state++;
		return;
	}
	ike_keys_turn(x->sa);
	ike_heard(x);
	ike_reply_begin(x);
	if (err == WIRE_CRITICAL)
		refuse_request(x, N_UNSUPPORTED_CRITICAL_PAYLOAD,
			span_of(&x->in.unknown_critical, 1));
	else if (err == WIRE_MALFORMED || match == MATCH_PAYLOADS)
		refuse_request(x, N_INVALID_SYNTAX, span_of(NULL, 0));
	else
		finish_request(x, rule);
}

void ike_dispatch_response(struct exchange *x, enum wire_err err)
{
	const struct ike_rule *rule;

	x->asked = x->sa->out;
	x->sa->out = (struct outgoing){0};
	ike_heard(x);
	if (err != WIRE_OK || ike_rule_find(x->sa->state, ON_RESPONSE, x->header.exchange,
				      present(x), &rule) != MATCH_RULE)
		refuse_response(x);
	else
		ike_dispatch_answer(x, rule);
	ike_retransmit_drop(&x->asked);
}
