/* ike/create_child.c - CREATE_CHILD_SA for a child, both sides (RFC 7296 1.3, 1.3.1, 2.9, 2.17,
 * 2.25).
 *
 *	initiator                                        responder
 *	SK{[N(REKEY_SA)], SA, Ni, [KE], TSi, TSr,
 *	   [N(TRANSPORT)]}                        -->
 *	                                          <--  SK{SA, Nr, [KE], TSi, TSr,
 *	                                                  [N(TRANSPORT)]}
 *	                                      or  <--  SK{N(error)}
 *
 * What a message says, and how it is agreed, is the same for a further child, which is
 * here, and for a rekeyed one, which is in rekey_child.c. A key exchange of its own (PFS)
 * is part of the ESP proposals; with additional ones it goes on in followup_ke.c, and the
 * child comes at its end. Refusals in common are in task.c.
 */
#include "ike/sa.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "wire/notify_payload.h"
#include "wire/ts_payload.h"

/* Behind a collision that we have lost: longer than the peer's key exchanges can take. */
enum { STOPPED_MS = 25000 };

/* ---- what a message says */

/* libreswan 4 answers a rekey without a key exchange with a KE payload without a value: as
 * good as none. */
static bool read_ke(const struct payload *ke, struct wire_ke *out)
{
	return !ke || ke_payload_is_empty(ke->body) ||
	       ke_payload_read(ke->body, out) == WIRE_OK;
}

bool ike_child_message_read(const struct exchange *x, struct child_message *out)
{
	const struct payload *ke = payload_set_first(&x->in, PAYLOAD_KE);

	*out = (struct child_message){.ke = {.group = KE_NONE}};
	out->transport = ike_notify_find(&x->in, N_USE_TRANSPORT_MODE, NULL);
	return read_ke(ke, &out->ke) &&
	       sa_payload_read(payload_set_first(&x->in, PAYLOAD_SA)->body, &out->sa) ==
		       WIRE_OK &&
	       nonce_payload_read(payload_set_first(&x->in, PAYLOAD_NONCE)->body,
		       &out->nonce) == WIRE_OK &&
	       ts_payload_read(payload_set_first(&x->in, PAYLOAD_TSI)->body, &out->tsi) ==
		       WIRE_OK &&
	       ts_payload_read(payload_set_first(&x->in, PAYLOAD_TSR)->body, &out->tsr) ==
		       WIRE_OK;
}

static void write_message(struct message *m, const struct wire_sa *sa,
	const struct nonce *nonce, const struct kex *kex, const struct ts_list *tsi,
	const struct ts_list *tsr, bool transport)
{
	if (transport)
		ike_notify_write(m, N_USE_TRANSPORT_MODE, span_of(NULL, 0));
	sa_payload_write(message_payload(m, PAYLOAD_SA), sa);
	nonce_payload_write(message_payload(m, PAYLOAD_NONCE), nonce_span(nonce));
	if (kex) {
		struct wire_ke ke = {.group = kex_group(kex), .public = kex_public(kex)};

		ke_payload_write(message_payload(m, PAYLOAD_KE), &ke);
	}
	ts_payload_write(message_payload(m, PAYLOAD_TSI), tsi);
	ts_payload_write(message_payload(m, PAYLOAD_TSR), tsr);
}

/* ---- initiator: the request */

/* The group that both have agreed on for the IKE SA is the best guess: another one may cost
 * INVALID_KE_PAYLOAD and a second request, and libreswan 4 answers it with INVALID_SYNTAX. */
static uint16_t guess_group(const struct ike_sa *sa, const struct ike_proposals *p)
{
	for (unsigned i = 0; i < p->n_pfs; i++)
		if (p->pfs[i] == sa->suite.ke)
			return p->pfs[i];
	return p->pfs[0];
}

bool ike_child_ask(struct ike_engine *e, struct ike_sa *sa, struct task *t,
	struct child *c, const struct child *old)
{
	const struct ike_proposals *p = &c->proposals;
	struct wire_sa offer = {.n = 0};

	if (p->n_esp == 0) /* see ike_suites_without_ah() */
		return false;
	if (p->n_pfs > 0 && !ike_task_kex(e, t, guess_group(sa, p)))
		return false;
	nonce_draw(&t->nonce, &e->entropy);
	ike_suites_offer_esp(p, c->is.spi_in, false, &offer);
	struct message m = ike_request_begin(e, sa, CREATE_CHILD_SA);
	if (old)
		ike_notify_write_child(
			&m, N_REKEY_SA, ike_child_protocol(old), old->is.spi_in);
	write_message(&m, &offer, &t->nonce, t->kex, &c->is.local_ts, &c->is.remote_ts,
		c->is.mode == POLICY_TRANSPORT);
	ike_request_send(e, sa, &m, CREATE_CHILD_SA, false);
	return true;
}

static bool is_same(const struct child *a, const struct child *b)
{
	return a->is.rule == b->is.rule &&
	       ike_selectors_overlap(&a->is.local_ts, &a->is.remote_ts, &b->is.local_ts,
		       &b->is.remote_ts);
}

/* The peer is about to make the same: it has asked, and its key exchanges go on. Asked for
 * now, ours would cross with an exchange that the peer has not seen cross. */
static bool comes(
	const struct ike_engine *e, const struct ike_sa *sa, const struct child *ours)
{
	const struct child *c = sa->follow ? ike_child_by_id(e, sa->follow->child) : NULL;

	return c && c->is.replaces == 0 && is_same(c, ours);
}

enum task_begun ike_begin_create_child(
	struct ike_engine *e, struct ike_sa *sa, struct task *t)
{
	struct child *c = ike_child_by_id(e, t->child);

	if (!c || c->unwanted)
		return TASK_POINTLESS;
	if (comes(e, sa, c))
		return TASK_LATER;
	return ike_child_ask(e, sa, t, c, NULL) ? TASK_BEGUN : TASK_POINTLESS;
}

/* ---- initiator: the response */

static void tell_refused(struct exchange *x, uint32_t child, enum ike_close close,
	enum ike_why why, uint16_t notify)
{
	const struct ike_failure failure = {.close = close, .why = why, .notify = notify};

	x->e->host.child_refused(x->e->host.ctx, x->sa->id, child, &failure);
}

/* The peer has it, and we do not want it: RFC 7296 1.3.1. */
static void give_back(
	struct exchange *x, struct child *c, const struct esp_choice *choice)
{
	c->is.spi_out = choice->spi;
	c->is.ah = choice->ah;
	ike_child_deleting(c, IKE_CLOSE_WE_REFUSED);
	ike_task_add(x->e, x->sa, TASK_DELETE_CHILD, c->is.id);
}

/* NULL: c is as the peer's answer says, but for its keys. */
static const char *why_not_taken(struct child *c, struct child_message *q,
	const struct task *t, struct esp_choice *choice, enum ike_why *why)
{
	uint16_t sent = t->kex ? kex_group(t->kex) : KE_NONE;

	*why = IKE_WHY_PROPOSAL;
	if (!ike_suites_accept_esp(&c->proposals, &q->sa, false, choice) ||
		(choice->group != KE_NONE &&
			(choice->group != sent || q->ke.group != sent)))
		return "the peer chose an ESP or AH proposal that we have not made";
	*why = IKE_WHY_MODE;
	if (q->transport != (c->is.mode == POLICY_TRANSPORT))
		return q->transport
			       ? "the peer answers with transport mode, the rule has "
				 "tunnel mode: make both sides the same"
			       : "the peer answers with tunnel mode, the rule has "
				 "transport mode: make both sides the same";
	*why = IKE_WHY_SELECTORS;
	if (!ike_selectors_take(c, &q->tsi, &q->tsr))
		return "the peer's traffic selectors are not within those asked for";
	return NULL;
}

/* NULL: the peer's public value is not valid. */
static struct ike_follow *agree_keys(const struct task *t, const struct child_message *q,
	const struct esp_choice *choice, const struct child *c)
{
	struct secret shared = {0};

	if (choice->group != KE_NONE &&
		kex_derive(t->kex, q->ke.public, &shared) != CRYPTO_OK)
		return NULL;
	struct ike_follow *f = ike_follow_new();
	f->child = c->is.id;
	f->choice = *choice;
	f->more = choice->more;
	f->ni = t->nonce;
	nonce_set(&f->nr, q->nonce);
	ike_seed_begin(&f->seed, &shared, &f->ni, &f->nr);
	secret_wipe(&shared);
	return f;
}

static enum ike_verdict malformed(struct exchange *x)
{
	ike_note(x->e, x->from, x->sa->id, "the peer's response is not well-formed");
	ike_fail(x->sa, IKE_CLOSE_WE_REFUSED, IKE_WHY_SYNTAX, 0);
	return VERDICT_DELETE;
}

/* It may be ours no more to want it: our Delete of it, or of the one that it replaces,
 * waits. */
static bool is_wanted(const struct ike_engine *e, const struct child *c)
{
	const struct child *old = ike_child_by_id(e, c->is.replaces);

	return !c->unwanted && !(old && old->state == CHILD_DELETING);
}

/* All key exchanges are over; f is t's. */
static void finish(struct exchange *x, struct task *t, struct child *c)
{
	const struct ike_follow *f = t->follow;

	if (is_wanted(x->e, c)) {
		ike_child_complete(c, &f->choice, &f->seed);
		ike_child_rekeyed(x->e, x->sa, t, c, ike_follow_lower(f));
	} else {
		give_back(x, c, &f->choice);
	}
	ike_task_done(x->e, x->sa);
}

enum ike_verdict ike_child_followed(struct exchange *x, struct task *t)
{
	struct child *c = ike_child_by_id(x->e, t->follow->child);

	if (!c)
		return malformed(x);
	finish(x, t, c);
	return VERDICT_STAY;
}

/* RFC 9370 2.2.4: who has asked for the one that goes does not go on. The other one is the
 * peer's to make; if it does not, ours is asked for again. */
static void stop(struct exchange *x, struct task *t, struct ike_follow *f)
{
	struct child *old = ike_child_by_id(x->e, t->child);

	if (old)
		ike_child_rekeying(old, false);
	ike_follow_free(&f);
	ike_task_again(x->e, x->sa, t, x->e->now_ms + STOPPED_MS);
}

static enum ike_verdict go_on(struct exchange *x, struct task *t, struct ike_follow *f)
{
	if (t->kind == TASK_REKEY_CHILD &&
		ike_collision_lost(x->e, t, ike_follow_lower(f))) {
		stop(x, t, f);
		return VERDICT_THEN;
	}
	if (t->kind == TASK_REKEY_CHILD && x->sa->follow &&
		x->sa->follow->child == t->rival)
		ike_follow_drop(x->e, x->sa);
	return ike_follow_ask(x, t, f) ? VERDICT_THEN : malformed(x);
}

/* The peer has it, and we cannot take it. */
static void refuse_made(struct exchange *x, struct task *t, struct child *c,
	const struct esp_choice *choice, enum ike_why why, const char *doubt)
{
	struct child *old =
		t->kind == TASK_REKEY_CHILD ? ike_child_by_id(x->e, t->child) : NULL;

	if (!ike_more_any(&choice->more)) /* else it is not made yet */
		give_back(x, c, choice);
	if (old)
		ike_child_rekeying(old, false);
	ike_note(x->e, x->from, x->sa->id, "%s", doubt);
	tell_refused(x, t->child, IKE_CLOSE_WE_REFUSED, why, 0);
	ike_task_done(x->e, x->sa);
}

enum ike_verdict ike_on_create_child_response(struct exchange *x)
{
	struct task *t = x->sa->task;
	struct child *c =
		t ? ike_child_by_id(x->e, t->fresh ? t->fresh : t->child) : NULL;
	struct esp_choice choice = {.spi = 0};
	struct ike_follow *f = NULL;
	struct child_message q;
	enum ike_why why;

	if (!c || c->state != CHILD_ASKED || !ike_child_message_read(x, &q))
		return malformed(x);
	const char *doubt = why_not_taken(c, &q, t, &choice, &why);
	if (!doubt && !(f = agree_keys(t, &q, &choice, c)))
		doubt = "the peer's public value is not valid";
	if (doubt && choice.spi == 0)
		return malformed(x);
	if (doubt) {
		refuse_made(x, t, c, &choice, why, doubt);
		return VERDICT_THEN;
	}
	if (ike_more_any(&f->more))
		return go_on(x, t, f);
	t->follow = f;
	finish(x, t, c);
	return VERDICT_THEN;
}

/* The peer has made the same, with all of its key exchanges. */
static bool has_come(const struct ike_engine *e, const struct task *t)
{
	const struct child *rival = ike_child_by_id(e, t->rival);

	return rival && rival->state != CHILD_ASKED;
}

bool ike_again_create_child(struct exchange *x, struct task *t)
{
	const struct child *c = ike_child_by_id(x->e, t->child);

	return c && !c->unwanted && !has_come(x->e, t);
}

/* RFC 7296 1.3.1: no reason to end the IKE SA. */
void ike_refused_create_child(struct exchange *x, struct task *t, uint16_t error)
{
	if (has_come(x->e, t)) {
		tell_refused(x, t->child, IKE_CLOSE_REPLACED, IKE_WHY_NONE, 0);
		return;
	}
	ike_note(x->e, x->from, x->sa->id, "%s: the peer refuses a further child: %s",
		ike_notify_name(error), ike_notify_advice(error));
	tell_refused(x, t->child, IKE_CLOSE_REFUSED, ike_notify_why(error), error);
}

/* ---- responder */

bool ike_child_busy(struct exchange *x)
{
	struct ike_sa *sa = x->sa;

	ike_follow_drop(x->e, sa); /* with a window of one the peer has left it behind */
	bool rekeying = sa->rival || ike_is_rival(sa) ||
			ike_task_under_way(sa, TASK_REKEY_IKE, 0);

	/* RFC 7296 2.25.2; and a peer that makes more than we care to. */
	if (!rekeying && rate_allow(&sa->creates, x->e->now_ms) &&
		sa->n_children < 2 * x->e->limits.children)
		return false;
	ike_reply_notify(x, N_TEMPORARY_FAILURE, span_of(NULL, 0));
	return true;
}

static enum child_answered refuse(
	struct exchange *x, struct child *c, uint16_t notify, struct span data)
{
	ike_reply_notify(x, notify, data);
	ike_child_down(x->e, c, IKE_CLOSE_WE_REFUSED);
	return CHILD_REFUSED;
}

/* Our own part of the key exchange that was chosen, and what comes of it. NULL: the peer's
 * public value is not valid. */
static struct ike_follow *share(struct exchange *x, const struct child_message *q,
	const struct esp_choice *choice, struct kex **kex)
{
	struct secret shared = {0};

	*kex = NULL;
	if (choice->group != KE_NONE && kex_answer(choice->group, &x->e->entropy,
						q->ke.public, &shared, kex) != CRYPTO_OK)
		return NULL;
	struct ike_follow *f = ike_follow_new();
	f->choice = *choice;
	f->more = choice->more;
	nonce_set(&f->ni, q->nonce);
	nonce_draw(&f->nr, &x->e->entropy);
	ike_seed_begin(&f->seed, &shared, &f->ni, &f->nr);
	secret_wipe(&shared);
	return f;
}

/* f is freed, or waits. */
static enum child_answered make_or_wait(
	struct exchange *x, struct child *c, struct ike_follow *f)
{
	if (ike_more_any(&f->more)) {
		f->child = c->is.id;
		ike_follow_wait(x, f);
		return CHILD_FOLLOWS;
	}
	ike_child_complete(c, &f->choice, &f->seed);
	ike_follow_free(&f);
	return CHILD_MADE;
}

enum child_answered ike_child_answer(struct exchange *x, const struct child_message *q,
	struct child *c, struct nonce *lower)
{
	struct wire_sa answer = {.n = 0};
	struct esp_choice choice;
	struct kex *kex;

	if (!ike_suites_choose_esp(&c->proposals, &q->sa, q->ke.group, false,
		    c->is.spi_in, &choice, &answer)) {
		ike_note(x->e, x->from, x->sa->id, "NO_PROPOSAL_CHOSEN: %s",
			c->proposals.n_esp == 0
				? IKE_NATD_STOPS_AH
				: "none of the peer's ESP or AH proposals is ours: "
				  "compare the algorithms and PFS on both sides");
		return refuse(x, c, N_NO_PROPOSAL_CHOSEN, span_of(NULL, 0));
	}
	if (choice.group != KE_NONE && choice.group != q->ke.group) {
		const uint8_t want[2] = {
			(uint8_t)(choice.group >> 8), (uint8_t)choice.group};

		return refuse(x, c, N_INVALID_KE_PAYLOAD, span_of(want, sizeof(want)));
	}
	struct ike_follow *f = share(x, q, &choice, &kex);
	if (!f)
		return refuse(x, c, N_NO_PROPOSAL_CHOSEN, span_of(NULL, 0));
	write_message(&x->out, &answer, &f->nr, kex, &c->is.remote_ts, &c->is.local_ts,
		c->is.mode == POLICY_TRANSPORT);
	kex_free(kex);
	*lower = *ike_follow_lower(f);
	return make_or_wait(x, c, f);
}

/* Both vipsec nodes ask for the same further child at once: one of the two must go, by
 * the rule of RFC 7296 2.8.1. With other peers both stay, which does no harm. */
static void note_same(
	const struct exchange *x, const struct child *c, const struct nonce *lower)
{
	struct task *t = x->sa->task;
	const struct child *ours = t && t->kind == TASK_CREATE_CHILD
					   ? ike_child_by_id(x->e, t->child)
					   : NULL;

	if (ours && x->sa->peer_is_vipsec && t->rival == 0 && is_same(ours, c)) {
		x->e->counters.crossed_further++;
		ike_collision_note(t, c, lower);
	}
}

/* What is still to be asked for, and has come: the peer was first. */
static void give_up_waiting(struct exchange *x, const struct child *c)
{
	list_each(item, &x->sa->tasks)
	{
		const struct task *t = list_entry(item, struct task, link);
		struct child *ours = t->kind == TASK_CREATE_CHILD
					     ? ike_child_by_id(x->e, t->child)
					     : NULL;

		if (!ours || ours->unwanted || !is_same(ours, c))
			continue;
		ours->unwanted = true;
		tell_refused(x, t->child, IKE_CLOSE_REPLACED, IKE_WHY_NONE, 0);
	}
}

/* We have made the same, a moment ago, and were answered: the peer's request is late. A
 * request of ours tells it that we have that answer, so it may delete one of the two. */
static void tell_late(struct exchange *x, const struct child *c)
{
	bool late = false;

	list_each(item, &x->sa->children)
	{
		const struct child *o = list_entry(item, struct child, link);

		late = late || (o != c && o->is.initiator && o->state == CHILD_UP &&
				       is_same(o, c));
	}
	if (late && x->sa->peer_is_vipsec)
		ike_probe_now(x->e, x->sa);
}

/* RFC 9370 2.2.4: the child comes with the last of the key exchanges. */
enum ike_verdict ike_child_follow_answered(struct exchange *x)
{
	struct ike_follow *f = x->sa->follow;
	struct child *c = ike_child_by_id(x->e, f->child);
	struct child *old = c ? ike_child_by_id(x->e, c->is.replaces) : NULL;

	x->sa->follow = NULL;
	if (c && c->is.replaces != 0 && (!old || old->state == CHILD_DELETING)) {
		/* what it was to replace is on its way out */
		ike_reply_error(x, N_TEMPORARY_FAILURE, span_of(NULL, 0));
		ike_child_down(x->e, c, IKE_CLOSE_WE_REFUSED);
	} else if (c) {
		ike_child_complete(c, &f->choice, &f->seed);
		ike_child_up(x->e, c);
		if (old) {
			ike_child_takes_over(x, old, c, ike_follow_lower(f));
		} else {
			give_up_waiting(x, c);
			tell_late(x, c);
		}
	}
	ike_follow_free(&f);
	return VERDICT_STAY;
}

/* RFC 6023: which of the rules that its proof is good for an IKE SA is for, is not known
 * before its first child has been asked for. */
static void take_rule(struct ike_sa *sa, const struct ike_conn *of)
{
	struct ike_conn *c = sa->conn;

	if (!sa->childless || sa->initiator || sa->had_child || sa->n_children > 1)
		return;
	c->rule = of->rule;
	c->auth = of->auth;
	c->mode = of->mode;
	c->childless = of->childless;
	c->proposals = of->proposals;
	c->local_ts = of->local_ts;
	c->remote_ts = of->remote_ts;
}

static void make(struct exchange *x, const struct child_message *q, struct ike_conn *conn)
{
	enum ike_why why = ike_selectors_choose(x, conn, &q->tsi, &q->tsr, q->transport);
	struct nonce lower;

	if (why != IKE_WHY_NONE) {
		ike_note(x->e, x->from, x->sa->id,
			why == IKE_WHY_MODE
				? "TS_UNACCEPTABLE: the peer asks for tunnel mode, the "
				  "rule has transport mode: make both sides the same"
				: "TS_UNACCEPTABLE: no rule covers the further child "
				  "that the peer asks for: compare the filters");
		ike_reply_notify(x, N_TS_UNACCEPTABLE, span_of(NULL, 0));
		return;
	}
	struct child *c = ike_child_new(x->e, x->sa, conn, false);
	enum child_answered made = ike_child_answer(x, q, c, &lower);
	if (made == CHILD_REFUSED)
		return;
	take_rule(x->sa, conn);
	note_same(x, c, &lower);
	if (made != CHILD_MADE)
		return;
	ike_child_up(x->e, c);
	give_up_waiting(x, c);
	tell_late(x, c);
}

enum ike_verdict ike_on_create_child_request(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct child_message q;

	if (ike_child_busy(x))
		return VERDICT_THEN;
	if ((sa->conn->proposals.master_pfs && sa->had_child) ||
		sa->n_children >= x->e->limits.children) {
		ike_reply_notify(x, N_NO_ADDITIONAL_SAS, span_of(NULL, 0));
		return VERDICT_THEN;
	}
	if (!ike_child_message_read(x, &q))
		return ike_refuse_malformed(x);
	struct ike_conn *conn = mem_new(1, sizeof(*conn));
	*conn = *sa->conn;
	conn->path = *x->from;
	make(x, &q, conn);
	free(conn);
	return VERDICT_THEN;
}

/* RFC 7296 2.25.2: the SA is being closed. */
enum ike_verdict ike_on_create_child_deleting(struct exchange *x)
{
	ike_reply_notify(x, N_TEMPORARY_FAILURE, span_of(NULL, 0));
	return VERDICT_THEN;
}
