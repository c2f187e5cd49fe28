/* ike/rekey_ike.c - rekeying the IKE SA, both sides (RFC 7296 1.3.2, 2.8, 2.8.2, 2.18, 2.25.2).
 *
 *	initiator                   responder
 *	SK{SA, Ni, KEi}  -->
 *	                 <--  SK{SA, Nr, KEr}
 *	                 over the old SA, whose children the new one has:
 *	SK{D}  -->
 *	                 <--  SK{}
 *
 * The new SA (the heir) has keys and counters of its own, and inherits the children, the
 * peer and what waits to be asked. The responder has it before its response leaves.
 *
 * When both ask at once, the peer's new SA is at first a rival: it is up, and has nothing.
 * The children go to the survivor once all four nonces are known, or once the peer's Delete
 * of the old SA, or its refusal of our request, shows that it has not noticed.
 *
 * With additional key exchanges (RFC 9370 2.2.4) the new SA comes with the last of them
 * (followup_ke.c): until then there is none, and who has lost a collision just stops.
 */
#include "ike/sa.h"

#include <assert.h>

#include "wire/sa_payload.h"

enum {
	GOODBYE_MS = 2000,
	LOST_MS = 10000, /* whoever made the SA that has lost deletes it within so long */
	STOPPED_MS = 25000 /* longer than the peer's key exchanges can take */
};

/* ---- who has the children */

void ike_inherit(struct ike_engine *e, struct ike_sa *sa, struct ike_sa *heir)
{
	struct ike_info info;

	ike_follow_drop(e, sa);
	if (sa->rival == heir)
		sa->rival = NULL;
	sa->heir = heir;
	heir->predecessor = sa;
	heir->known = heir->announced = true;
	ike_children_move(sa, heir);
	ike_tasks_move(e, sa, heir);
	ike_mobike_inherit(sa, heir);
	heir->childless_ms = sa->childless_ms;
	heir->childless_why = sa->childless_why;
	heir->creates = sa->creates;
	heir->crossing = sa->crossing;
	heir->replaced = sa->replaced;
	sa->crossing.due_ms = IKE_NEVER;
	ike_sa_info(heir, &info);
	e->host.rekeyed(e->host.ctx, sa->id, &info);
	ike_fail(sa, IKE_CLOSE_REPLACED, IKE_WHY_NONE, 0);
	ike_timer_update(e, heir);
}

bool ike_is_rival(const struct ike_sa *sa)
{
	return sa->predecessor && sa->predecessor->rival == sa;
}

void ike_rival_gives_up(struct ike_sa *sa)
{
	if (!ike_is_rival(sa))
		return;
	sa->predecessor->rival = NULL;
	sa->predecessor = NULL;
}

void ike_rival_wins(struct ike_engine *e, struct ike_sa *sa)
{
	ike_inherit(e, sa, sa->rival);
}

/* The keys are there: it is as good as the old one. */
static void live(struct ike_engine *e, struct ike_sa *heir)
{
	ike_command(e, heir, COMMAND_INHERIT, 0, 0);
}

enum ike_verdict ike_on_inherit(struct exchange *x)
{
	(void)x;
	return VERDICT_THEN;
}

enum ike_verdict ike_on_retire(struct exchange *x)
{
	ike_fail(x->sa, IKE_CLOSE_REPLACED, IKE_WHY_NONE, 0);
	return VERDICT_THEN;
}

/* ---- what a message says */

struct rekey_message {
	struct wire_sa sa;
	struct wire_ke ke;
	struct span nonce;
};

static bool read_message(const struct exchange *x, struct rekey_message *out)
{
	return sa_payload_read(payload_set_first(&x->in, PAYLOAD_SA)->body, &out->sa) ==
		       WIRE_OK &&
	       ke_payload_read(payload_set_first(&x->in, PAYLOAD_KE)->body, &out->ke) ==
		       WIRE_OK &&
	       nonce_payload_read(payload_set_first(&x->in, PAYLOAD_NONCE)->body,
		       &out->nonce) == WIRE_OK;
}

static void write_message(struct message *m, const struct wire_sa *sa,
	const struct kex *kex, const struct nonce *nonce)
{
	struct wire_ke ke = {.group = kex_group(kex), .public = kex_public(kex)};

	sa_payload_write(message_payload(m, PAYLOAD_SA), sa);
	nonce_payload_write(message_payload(m, PAYLOAD_NONCE), nonce_span(nonce));
	ke_payload_write(message_payload(m, PAYLOAD_KE), &ke);
}

/* All is agreed: the new SA as f says. NULL: the library refuses. */
static struct ike_sa *make_heir(struct ike_engine *e, struct ike_sa *sa,
	const struct ike_follow *f, bool initiator)
{
	struct ike_sa *heir =
		ike_sa_new_heir(e, sa, initiator, initiator ? f->spi_i : f->spi_r);

	heir->suite = f->suite;
	heir->spi_i = f->spi_i;
	heir->spi_r = f->spi_r;
	heir->nonce_i = f->ni;
	heir->nonce_r = f->nr;
	if (ike_keys_rekey(e, sa, heir, &f->seed))
		return heir;
	ike_sa_free(e, heir);
	return NULL;
}

/* The new SA's PRF expands the keys (RFC 7296 2.18), but strongSwan takes the old one's. Where
 * it stays the same both are right: so it does with those who are not vipsec. */
static void with_same_prf(const struct ike_sa *sa, struct ike_proposals *out)
{
	const struct ike_proposals *all = &sa->conn->proposals;

	*out = *all;
	out->n_ike = 0;
	for (unsigned i = 0; i < all->n_ike; i++)
		if (sa->peer_is_vipsec || all->ike[i].prf == sa->suite.prf)
			out->ike[out->n_ike++] = all->ike[i];
	if (out->n_ike == 0)
		*out = *all;
}

/* ---- initiator */

enum task_begun ike_begin_rekey_ike(
	struct ike_engine *e, struct ike_sa *sa, struct task *t)
{
	struct wire_sa offer = {.n = 0};
	struct ike_proposals ours;

	if (sa->rival || !ike_task_kex(e, t, sa->suite.ke))
		return TASK_POINTLESS;
	t->spi = ike_sa_draw_spi(e);
	nonce_draw(&t->nonce, &e->entropy);
	with_same_prf(sa, &ours);
	/* What both have agreed on before, or the peer has asked for just now. */
	ike_suites_put_first(&ours, kex_group(t->kex));
	ike_suites_offer(&ours, t->spi, &offer);
	struct message m = ike_request_begin(e, sa, CREATE_CHILD_SA);
	write_message(&m, &offer, t->kex, &t->nonce);
	ike_request_send(e, sa, &m, CREATE_CHILD_SA, false);
	return TASK_BEGUN;
}

/* What the peer's answer agrees to. NULL: it does not fit to what was asked. */
static struct ike_follow *take_answer(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct task *t = sa->task;
	struct rekey_message q;
	struct ike_suite suite;
	struct secret shared = {0};
	uint64_t spi;

	if (!t || t->kind != TASK_REKEY_IKE || !read_message(x, &q) ||
		!ike_suites_accept(&sa->conn->proposals, &q.sa, true, &suite, &spi) ||
		suite.ke != q.ke.group || suite.ke != kex_group(t->kex) ||
		kex_derive(t->kex, q.ke.public, &shared) != CRYPTO_OK)
		return NULL;
	struct ike_follow *f = ike_follow_new();
	f->suite = suite;
	f->more = suite.more;
	f->spi_i = t->spi;
	f->spi_r = spi;
	f->ni = t->nonce;
	nonce_set(&f->nr, q.nonce);
	ike_seed_begin(&f->seed, &shared, &f->ni, &f->nr);
	secret_wipe(&shared);
	return f;
}

static void delete_heir(struct ike_engine *e, struct ike_sa *heir, uint64_t wait_ms)
{
	ike_fail(heir, IKE_CLOSE_REPLACED, IKE_WHY_NONE, 0);
	ike_command(e, heir, COMMAND_DELETE, wait_ms, 1);
}

/* The peer may never come to know it: our answer is lost, and the SA in which it could
 * have asked again is deleted by us. */
static void retire(struct ike_engine *e, struct ike_sa *rival)
{
	ike_command(e, rival, COMMAND_RETIRE, 0, 0);
	rival->expire_ms = e->now_ms + LOST_MS;
	ike_timer_update(e, rival);
}

static enum ike_verdict does_not_fit(struct exchange *x)
{
	ike_note(x->e, x->from, x->sa->id,
		"the peer's answer to rekeying the IKE SA does not fit");
	ike_fail(x->sa, IKE_CLOSE_WE_REFUSED, IKE_WHY_PROPOSAL, 0);
	return VERDICT_DELETE;
}

/* The peer's exchange has won: its SA is there, or comes. */
static enum ike_verdict yield_to_rival(struct exchange *x)
{
	if (!x->sa->rival)
		return VERDICT_STAY;
	ike_rival_wins(x->e, x->sa);
	return VERDICT_THEN;
}

enum ike_verdict ike_rekey_ike_followed(struct exchange *x, struct task *t)
{
	struct ike_sa *sa = x->sa, *rival = sa->rival;
	bool lost = ike_collision_lost_ike(sa, ike_follow_lower(t->follow));
	struct ike_sa *heir = make_heir(x->e, sa, t->follow, true);

	if (!heir)
		return does_not_fit(x);
	x->e->counters.rekeyed_ikes++;
	ike_task_done(x->e, sa);
	live(x->e, heir);
	if (lost) {
		enum ike_verdict verdict = yield_to_rival(x);

		delete_heir(x->e, heir, GOODBYE_MS);
		return verdict;
	}
	sa->rival = NULL;
	if (rival)
		rival->predecessor = NULL;
	ike_inherit(x->e, sa, heir);
	if (rival)
		retire(x->e, rival);
	return VERDICT_DELETE;
}

/* RFC 9370 2.2.4: who has asked for the one that goes does not go on. If the peer does not
 * either, ours is asked for again. */
static enum ike_verdict stop(struct exchange *x, struct task *t, struct ike_follow *f)
{
	ike_follow_free(&f);
	ike_task_again(x->e, x->sa, t, x->e->now_ms + STOPPED_MS);
	return yield_to_rival(x);
}

enum ike_verdict ike_on_rekey_ike_response(struct exchange *x)
{
	struct task *t = x->sa->task;
	struct ike_follow *f = take_answer(x);

	if (!f)
		return does_not_fit(x);
	if (!ike_more_any(&f->more)) {
		t->follow = f;
		return ike_rekey_ike_followed(x, t);
	}
	if (ike_collision_lost_ike(x->sa, ike_follow_lower(f)))
		return stop(x, t, f);
	ike_follow_drop(x->e, x->sa);
	return ike_follow_ask(x, t, f) ? VERDICT_STAY : does_not_fit(x);
}

void ike_rekey_ike_give_back(struct exchange *x, const struct ike_follow *f)
{
	struct ike_sa *heir = make_heir(x->e, x->sa, f, true);

	if (!heir)
		return;
	live(x->e, heir);
	delete_heir(x->e, heir, GOODBYE_MS);
}

/* RFC 7296 2.8: the peer has a new SA, and our Delete of the old one says nothing of it. */
enum ike_verdict ike_on_rekey_ike_late(struct exchange *x)
{
	struct ike_follow *f = take_answer(x);

	if (f && !ike_more_any(&f->more))
		ike_rekey_ike_give_back(x, f);
	ike_follow_free(&f);
	return ike_on_response_deleting(x);
}

bool ike_again_rekey_ike(struct exchange *x, struct task *t)
{
	(void)t;
	return !x->sa->rival;
}

/* RFC 7296 2.8.2: with a rival, the peer has not noticed, or knows that we have lost. */
void ike_refused_rekey_ike(struct exchange *x, struct task *t, uint16_t error)
{
	const struct ike_failure failure = {.close = IKE_CLOSE_REFUSED,
		.why = ike_notify_why(error),
		.notify = error};

	(void)t;
	if (x->sa->rival) {
		struct ike_sa *sa = x->sa;

		ike_rival_wins(x->e, sa);
		ike_command(x->e, sa, COMMAND_RETIRE, 0, 0);
		return;
	}
	ike_note(x->e, x->from, x->sa->id, "%s: the peer refuses to rekey the IKE SA: %s",
		ike_notify_name(error), ike_notify_advice(error));
	x->e->host.child_refused(x->e->host.ctx, x->sa->id, 0, &failure);
}

/* ---- responder */

static bool refuse(struct exchange *x, uint16_t notify, struct span data)
{
	ike_reply_notify(x, notify, data);
	return false;
}

/* RFC 7296 2.25.1: not while a child is made, rekeyed or closed by us. */
static bool may_be_rekeyed(struct exchange *x)
{
	const struct ike_sa *sa = x->sa;

	ike_follow_drop(
		x->e, x->sa); /* with a window of one the peer has left it behind */
	/* RFC 9370 2.2.4: nor while our own exchange is over, and what follows it goes on. */
	if (!sa->rival && !ike_is_rival(sa) &&
		(!sa->task || (sa->task->kind == TASK_REKEY_IKE && !sa->task->follow)) &&
		rate_allow(&x->sa->creates, x->e->now_ms))
		return true;
	return refuse(x, N_TEMPORARY_FAILURE, span_of(NULL, 0));
}

static bool agree(struct exchange *x, const struct rekey_message *q, struct ike_follow *f,
	struct wire_sa *answer)
{
	struct ike_proposals same;

	with_same_prf(x->sa, &same);
	if (!ike_suites_choose(&same, &q->sa, q->ke.group, true, f->spi_r, &f->suite,
		    &f->spi_i, answer) &&
		!ike_suites_choose(&x->sa->conn->proposals, &q->sa, q->ke.group, true,
			f->spi_r, &f->suite, &f->spi_i, answer)) {
		ike_note(x->e, x->from, x->sa->id,
			"NO_PROPOSAL_CHOSEN: the peer rekeys the IKE SA with none of our "
			"proposals: compare the algorithms on both sides");
		return refuse(x, N_NO_PROPOSAL_CHOSEN, span_of(NULL, 0));
	}
	if (f->suite.ke != q->ke.group) {
		const uint8_t want[2] = {
			(uint8_t)(f->suite.ke >> 8), (uint8_t)f->suite.ke};

		return refuse(x, N_INVALID_KE_PAYLOAD, span_of(want, sizeof(want)));
	}
	return true;
}

static bool answer_rekey(
	struct exchange *x, const struct rekey_message *q, struct ike_follow *f)
{
	struct wire_sa answer = {.n = 0};
	struct secret shared = {0};
	struct kex *kex;

	f->spi_r = ike_sa_draw_spi(x->e);
	if (!agree(x, q, f, &answer))
		return false;
	if (kex_answer(f->suite.ke, &x->e->entropy, q->ke.public, &shared, &kex) !=
		CRYPTO_OK)
		return refuse(x, N_NO_PROPOSAL_CHOSEN, span_of(NULL, 0));
	f->more = f->suite.more;
	nonce_set(&f->ni, q->nonce);
	nonce_draw(&f->nr, &x->e->entropy);
	ike_seed_begin(&f->seed, &shared, &f->ni, &f->nr);
	secret_wipe(&shared);
	write_message(&x->out, &answer, kex, &f->nr);
	kex_free(kex);
	return true;
}

/* The peer has asked, and nothing more is to be exchanged. */
static enum ike_verdict answered(struct exchange *x, const struct ike_follow *f)
{
	struct ike_sa *sa = x->sa;
	struct ike_sa *heir = make_heir(x->e, sa, f, false);

	if (!heir) {
		ike_reply_error(x, N_NO_PROPOSAL_CHOSEN, span_of(NULL, 0));
		return VERDICT_STAY;
	}
	live(x->e, heir);
	if (sa->task) {
		sa->rival = heir;
		heir->predecessor = sa;
		return VERDICT_STAY;
	}
	ike_inherit(x->e, sa, heir);
	return VERDICT_THEN;
}

enum ike_verdict ike_rekey_ike_follow_answered(struct exchange *x)
{
	struct ike_follow *f = x->sa->follow;

	x->sa->follow = NULL;
	enum ike_verdict verdict = answered(x, f);
	ike_follow_free(&f);
	return verdict;
}

enum ike_verdict ike_on_rekey_ike_request(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct rekey_message q;

	if (!may_be_rekeyed(x))
		return VERDICT_STAY;
	if (!read_message(x, &q))
		return ike_refuse_malformed(x);
	struct ike_follow *f = ike_follow_new();
	if (!answer_rekey(x, &q, f)) {
		ike_follow_free(&f);
		return VERDICT_STAY;
	}
	x->e->counters.crossed_ikes += sa->task != NULL;
	if (ike_more_any(&f->more)) {
		ike_follow_wait(x, f);
		return VERDICT_STAY;
	}
	enum ike_verdict verdict = answered(x, f);
	ike_follow_free(&f);
	return verdict;
}
