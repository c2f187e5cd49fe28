/* ike/dispatch.c - one message, or one command, from arrival to the next state.
 *
 * Header, SA, message ID, integrity, payload presence, rule, handler, state: in this order
 * (RFC 7296 2.2, 2.3, 2.5, 2.11, 2.21). This file alone assigns ike_sa.state. What each
 * exchange means is in the exchange's own file, what may happen at all in rules.c.
 */
#include "ike/sa.h"

#include <assert.h>

enum {
	HALF_OPEN_MS = 30000,
	/* Without an answer to IKE_AUTH for so long the peer does not have the SPI (any
	 * more): its node crashed in between. A new call has to begin at IKE_SA_INIT. */
	PROVING_MS = 15000,
	LINGER_MS = 10000,
	DELETE_WAIT_MS = 2000 /* of a Delete that we decided on ourselves */
};

void ike_fail(struct ike_sa *sa, enum ike_close close, enum ike_why why, uint16_t notify)
{
	sa->failure = (struct ike_failure){.close = close, .why = why, .notify = notify};
}

/* ---- states */

static void leave_half_open(struct ike_engine *e, struct ike_sa *sa)
{
	list_del(&sa->half);
	e->n_half_open--;
	e->n_strangers -= sa->stranger;
	sa->stranger = false;
}

static void set_state(struct ike_engine *e, struct ike_sa *sa, enum ike_state state)
{
	if (sa->state == state)
		return;
	if (sa->state == STATE_HALF_OPEN)
		leave_half_open(e, sa);
	if (sa->state == STATE_UP)
		e->n_established--;
	sa->state = state;
	if (state == STATE_HALF_OPEN) {
		list_add(&e->half_open, &sa->half);
		e->n_half_open++;
		e->n_strangers += sa->stranger;
		sa->expire_ms = e->now_ms + HALF_OPEN_MS;
	}
	if (state == STATE_AUTH_SENT && sa->expire_ms > e->now_ms + PROVING_MS)
		sa->expire_ms = e->now_ms + PROVING_MS;
	if (state == STATE_UP) {
		e->n_established++;
		sa->established_ms = e->now_ms;
		sa->expire_ms = IKE_NEVER;
	}
}

/* The host hears of the new SA first and of what it replaces afterwards: no gap. */
static void announce(struct ike_engine *e, struct ike_sa *sa, bool contact)
{
	struct ike_info info;

	e->counters.established++;
	sa->announced = true;
	ike_sa_info(sa, &info);
	e->host.established(e->host.ctx, &info);
	ike_child_up(e, sa);
	if (contact)
		ike_crossing_contact(e, sa);
}

/* A stranger whom nobody has believed leaves without closed(). */
static bool is_worth_telling(const struct ike_sa *sa)
{
	return sa->initiator || sa->announced || sa->failure.why != IKE_WHY_NONE;
}

static void end(struct ike_engine *e, struct ike_sa *sa, bool linger)
{
	assert(sa->state != STATE_GONE);
	ike_child_down(e, sa, sa->failure.close);
	if (is_worth_telling(sa)) {
		struct ike_info info;

		ike_sa_info(sa, &info);
		e->host.closed(e->host.ctx, &info, &sa->failure);
	}
	set_state(e, sa, STATE_GONE);
	ike_crossing_gone(e, sa);
	if (!linger) {
		ike_sa_free(e, sa);
		return;
	}
	ike_retransmit_stop(sa);
	ike_keys_forget_init(sa);
	secret_wipe(&sa->sk_d);
	sa->crossing.due_ms = IKE_NEVER;
	sa->expire_ms = e->now_ms + LINGER_MS;
	ike_timer_update(e, sa);
}

void ike_close(struct ike_engine *e, struct ike_sa *sa)
{
	end(e, sa, false);
}

void ike_expire(struct ike_engine *e, struct ike_sa *sa)
{
	bool calling = sa->state == STATE_INIT_SENT || sa->state == STATE_AUTH_SENT;

	if (sa->state == STATE_GONE) {
		ike_sa_free(e, sa);
		return;
	}
	if (sa->state == STATE_DELETING && sa->delete_due)
		ike_delete_last_word(e, sa);
	/* RFC 7296 2.21.1: what was said without proof is believed only now. */
	if (calling && sa->failure.why == IKE_WHY_NONE)
		sa->failure.close = IKE_CLOSE_TIMEOUT;
	end(e, sa, false);
}

/* ---- commands */

static enum ike_verdict run(
	struct exchange *x, const struct ike_rule *rule, enum ike_state *then)
{
	enum ike_verdict verdict = rule->handle(x);

	*then = verdict == VERDICT_THEN ? rule->then : x->sa->state;
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

/* ---- IKE_SA_INIT */

static uint64_t present(const struct exchange *x)
{
	return x->in.present | (x->has_error ? RULE_ERROR : 0);
}

static void digest_request(const struct exchange *x, uint8_t out[SHA256_LEN])
{
	const struct ike_path *p = x->from;
	uint8_t ends[6] = {(uint8_t)(p->scope >> 8), (uint8_t)p->scope,
		(uint8_t)(p->remote.port >> 8), (uint8_t)p->remote.port, p->natt,
		p->remote.addr.family};
	const struct span parts[] = {span_of(ends, sizeof(ends)),
		span_of(p->remote.addr.b, sizeof(p->remote.addr.b)), x->datagram};
	enum crypto_err err = sha256(parts, 3, out);

	assert(err == CRYPTO_OK); /* fails for want of memory alone */
}

/* RFC 7296 2.1: the same request again gets the same answer. */
static bool is_repeated_init(struct exchange *x, const uint8_t key[SHA256_LEN])
{
	struct ike_sa *sa = map_get(x->e->by_init, span_of(key, SHA256_LEN));

	if (!sa)
		return false;
	x->e->counters.replayed_request++;
	if (sa->state == STATE_HALF_OPEN)
		x->e->host.send(x->e->host.ctx, x->from, octets_span(&sa->init_response));
	return true;
}

static void become_half_open(struct exchange *x, const uint8_t key[SHA256_LEN])
{
	struct ike_sa *sa = x->sa;

	memcpy(sa->init_key, key, SHA256_LEN);
	map_put(x->e->by_init, span_of(sa->init_key, SHA256_LEN), sa);
	set_state(x->e, sa, STATE_HALF_OPEN);
	ike_timer_update(x->e, sa);
}

static void on_init_request(struct exchange *x, struct reader payloads)
{
	struct ike_engine *e = x->e;
	uint8_t key[SHA256_LEN];
	const struct ike_rule *rule;
	enum ike_state then;

	e->counters.init_requests++;
	if (!x->header.initiator || x->header.message_id != 0 || x->header.spi_r != 0 ||
		x->datagram.len > IKE_INIT_MAX) {
		e->counters.malformed++;
		return;
	}
	if (!e->host.accept(e->host.ctx, x->from, &x->answer))
		return;
	digest_request(x, key);
	if (is_repeated_init(x, key))
		return;
	enum wire_err err = payload_set_read(payloads, x->header.next_payload, &x->in);
	if (err == WIRE_CRITICAL)
		ike_answer_stateless(x, N_UNSUPPORTED_CRITICAL_PAYLOAD,
			span_of(&x->in.unknown_critical, 1));
	if (err != WIRE_OK || ike_rule_find(STATE_LARVAL, ON_REQUEST, IKE_SA_INIT,
				      x->in.present, &rule) != MATCH_RULE) {
		e->counters.malformed++;
		return;
	}
	x->sa = ike_sa_new(e, x->from, false);
	if (run(x, rule, &then) == VERDICT_THEN)
		become_half_open(x, key);
	else
		ike_sa_free(e, x->sa);
}

/* Whoever answers knows the SPI that we drew, and must sit where we called. */
static struct ike_sa *find_called(const struct exchange *x)
{
	struct ike_sa *sa = ike_sa_by_spi(x->e, x->header.spi_i);

	if (!sa || !sa->initiator || x->header.initiator ||
		sa->path.scope != x->from->scope ||
		!addr_equal(&sa->path.remote.addr, &x->from->remote.addr))
		return NULL;
	return sa;
}

static void finish_response(struct exchange *x, const struct ike_rule *rule)
{
	struct ike_engine *e = x->e;
	struct ike_sa *sa = x->sa;
	enum ike_state then;

	switch (run(x, rule, &then)) {
	case VERDICT_THEN:
		if (then == STATE_GONE) {
			end(e, sa, false);
			return;
		}
		set_state(e, sa, then);
		if (then == STATE_UP && !sa->announced) {
			sa->confirmed = true;
			announce(e, sa, false);
			ike_crossing_settle(e, sa);
		}
		break;
	case VERDICT_STAY:
		break;
	case VERDICT_CLOSE:
		end(e, sa, false);
		return;
	case VERDICT_DELETE:
		tell_and_delete(e, sa);
		return;
	}
	ike_timer_update(e, sa);
}

/* Nothing in a response to IKE_SA_INIT is proved: what does not fit is as if it had not
 * come (RFC 7296 2.21.1). */
static void on_init_response(struct exchange *x, struct reader payloads)
{
	const struct ike_rule *rule;

	x->sa = find_called(x);
	if (!x->sa) {
		x->e->counters.unknown_spi++;
		return;
	}
	if (x->sa->state != STATE_INIT_SENT || x->header.message_id != 0) {
		x->e->counters.wrong_message_id++;
		return;
	}
	if (payload_set_read(payloads, x->header.next_payload, &x->in) != WIRE_OK ||
		ike_rule_find(STATE_INIT_SENT, ON_RESPONSE, IKE_SA_INIT, x->in.present,
			&rule) != MATCH_RULE) {
		x->e->counters.malformed++;
		return;
	}
	finish_response(x, rule);
}

/* ---- everything else: inside an SK payload */

static struct ike_sa *find_sa(const struct exchange *x)
{
	const struct ike_header *h = &x->header;
	struct ike_sa *sa = ike_sa_by_spi(x->e, h->initiator ? h->spi_r : h->spi_i);

	if (!sa || sa->initiator == h->initiator || sa->spi_i != h->spi_i ||
		sa->spi_r != h->spi_r || sa->path.scope != x->from->scope || !sa->open)
		return NULL;
	return sa;
}

static bool is_repeated(const struct exchange *x)
{
	return !x->header.response && x->sa->response.len > 0 &&
	       x->header.message_id == x->sa->next_in - 1;
}

/* RFC 7296 2.3: a window of one, on both sides. */
static bool is_in_window(const struct exchange *x)
{
	const struct ike_sa *sa = x->sa;

	if (x->header.response)
		return sa->out.bytes.len > 0 &&
		       x->header.message_id == sa->out.message_id &&
		       x->header.exchange == sa->out.exchange;
	if (is_repeated(x))
		return true;
	return x->header.message_id == sa->next_in && sa->state != STATE_GONE;
}

/* RFC 7296 2.23: the caller moves to port 4500 for IKE_AUTH; later, a peer behind a NAT is
 * followed to its new address by the side that is not behind one. */
static void follow(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct ike_info info;

	if (sa->state == STATE_HALF_OPEN)
		sa->path = *x->from;
	if (sa->state != STATE_UP || !sa->nat_remote || sa->nat_local ||
		endpoint_equal(&sa->path.remote, &x->from->remote))
		return;
	sa->path = *x->from;
	if (sa->child)
		sa->child->path = sa->path;
	ike_sa_info(sa, &info);
	x->e->host.moved(x->e->host.ctx, &info);
}

/* A new message on an SA that is up: the peer has it up, too. */
static void confirm(struct exchange *x)
{
	if (x->sa->state != STATE_UP || x->sa->confirmed)
		return;
	x->sa->confirmed = true;
	ike_crossing_confirmed(x->e, x->sa);
}

static void finish_request(struct exchange *x, const struct ike_rule *rule)
{
	struct ike_engine *e = x->e;
	struct ike_sa *sa = x->sa;
	bool contact = ike_notify_find(&x->in, N_INITIAL_CONTACT, NULL);
	enum ike_state then;
	enum ike_verdict verdict = run(x, rule, &then);

	if (verdict == VERDICT_CLOSE || then == STATE_GONE) {
		ike_reply_send(x);
		end(e, sa, true);
		return;
	}
	set_state(e, sa, then);
	bool is_new = then == STATE_UP && !sa->announced;
	if (is_new)
		announce(e, sa, contact);
	ike_reply_send(x);
	if (is_new)
		ike_crossing_settle(e, sa);
	if (verdict == VERDICT_DELETE)
		tell_and_delete(e, sa);
	ike_timer_update(e, sa);
}

/* RFC 7296 2.21.3: fatal on both sides, without a Delete. */
static void refuse_request(struct exchange *x, uint16_t notify, struct span data)
{
	bool was_up = x->sa->state == STATE_UP || x->sa->state == STATE_DELETING;

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

static void on_request(struct exchange *x, enum wire_err err)
{
	const struct ike_rule *rule;
	enum ike_match match = ike_rule_find(
		x->sa->state, ON_REQUEST, x->header.exchange, present(x), &rule);

	if (err == WIRE_OK && match == MATCH_NONE) {
		x->e->counters.wrong_state++;
		return;
	}
	x->sa->last_in_ms = x->e->now_ms;
	follow(x);
	confirm(x);
	ike_reply_begin(x);
	if (err == WIRE_CRITICAL)
		refuse_request(x, N_UNSUPPORTED_CRITICAL_PAYLOAD,
			span_of(&x->in.unknown_critical, 1));
	else if (err == WIRE_MALFORMED || match == MATCH_PAYLOADS)
		refuse_request(x, N_INVALID_SYNTAX, span_of(NULL, 0));
	else
		finish_request(x, rule);
}

static void on_response(struct exchange *x, enum wire_err err)
{
	const struct ike_rule *rule;

	x->sa->last_in_ms = x->e->now_ms;
	follow(x);
	ike_retransmit_stop(x->sa);
	confirm(x);
	if (err != WIRE_OK || ike_rule_find(x->sa->state, ON_RESPONSE, x->header.exchange,
				      present(x), &rule) != MATCH_RULE)
		refuse_response(x);
	else
		finish_response(x, rule);
}

static void on_protected(struct exchange *x, struct reader outer)
{
	struct ike_engine *e = x->e;
	struct reader inner;
	uint8_t first;

	x->sa = find_sa(x);
	if (!x->sa) {
		e->counters.unknown_spi++;
		return;
	}
	if (!is_in_window(x)) {
		e->counters.wrong_message_id++;
		return;
	}
	if (payload_set_read(outer, x->header.next_payload, &x->in) != WIRE_OK) {
		e->counters.malformed++;
		return;
	}
	enum ike_sk opened = ike_sk_open(x, &inner, &first);
	if (opened == SK_FORGED) {
		e->counters.forged++;
		return;
	}
	if (is_repeated(x)) {
		e->counters.replayed_request++;
		e->host.send(e->host.ctx, x->from, octets_span(&x->sa->response));
		return;
	}
	enum wire_err err = opened == SK_OPENED ? payload_set_read(inner, first, &x->in)
						: WIRE_MALFORMED;
	x->has_error = err == WIRE_OK && ike_notify_error(&x->in) != 0;
	if (x->header.response)
		on_response(x, err);
	else
		on_request(x, err);
}

/* RFC 7296 2.5: a newer major version is told which one we speak; an older one, garbage
 * and responses are dropped. */
static void on_other_version(struct exchange *x)
{
	static const uint8_t ours = 2;

	x->e->counters.unsupported_version++;
	if (x->header.major > ours && !x->header.response &&
		x->e->host.accept(x->e->host.ctx, x->from, &x->answer))
		ike_answer_stateless(x, N_INVALID_MAJOR_VERSION, span_of(&ours, 1));
}

void ike_receive(struct ike_engine *e, uint64_t now_ms, const struct ike_path *path,
	struct span datagram)
{
	struct exchange x = {.e = e, .from = path, .datagram = datagram};
	struct reader payloads;

	e->now_ms = now_ms;
	e->counters.received++;
	if (datagram.len > UINT16_MAX ||
		ike_header_read(datagram, &x.header, &payloads) != WIRE_OK)
		e->counters.malformed++;
	else if (x.header.major != 2)
		on_other_version(&x);
	else if (x.header.exchange != IKE_SA_INIT)
		on_protected(&x, payloads);
	else if (x.header.response)
		on_init_response(&x, payloads);
	else
		on_init_request(&x, payloads);
}
