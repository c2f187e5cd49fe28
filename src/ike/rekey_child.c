/* ike/rekey_child.c - rekeying a child, both sides (RFC 7296 1.3.3, 2.8, 2.8.1, 2.9.2, 2.25.1).
 *
 * The new child has the selectors, the mode and the rule of the old one. Who asked for it
 * sends on it from then on, and deletes the old one a moment later: what has left on that may
 * be overtaken by the Delete. Who answered has both, receives on both, and goes on sending on
 * the old one until the peer has used the new one or deletes the old one: that is the host's,
 * by ike_child.initiator. Messages are in create_child.c.
 */
#include "ike/sa.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "wire/notify_payload.h"

/* What a new one in the place of old is to be. */
static struct child *new_like(
	struct ike_engine *e, struct ike_sa *sa, const struct child *old, bool initiator)
{
	struct ike_conn *what = mem_new(1, sizeof(*what));

	what->rule = old->is.rule;
	what->mode = old->is.mode;
	what->local_ts = old->is.local_ts;
	what->remote_ts = old->is.remote_ts;
	what->proposals = old->proposals;
	ike_selectors_see(sa, what);
	struct child *c = ike_child_new(e, sa, what, initiator);
	c->is.replaces = old->is.id;
	free(what);
	return c;
}

/* ---- initiator */

/* The peer is about to make one in its place. */
static bool comes(
	const struct ike_engine *e, const struct ike_sa *sa, const struct child *old)
{
	const struct child *c = sa->follow ? ike_child_by_id(e, sa->follow->child) : NULL;

	return c && c->is.replaces == old->is.id;
}

enum task_begun ike_begin_rekey_child(
	struct ike_engine *e, struct ike_sa *sa, struct task *t)
{
	struct child *old = ike_child_by_id(e, t->child);
	struct child *fresh = ike_child_by_id(e, t->fresh);

	if (!old || old->state != CHILD_UP)
		return TASK_POINTLESS;
	/* A vipsec node that does not have it yet says so (is_making). */
	if (!ike_child_is_shared(e, old, SHARED_LIKELY_MS) || comes(e, sa, old))
		return TASK_LATER;
	if (!fresh)
		fresh = new_like(e, sa, old, true);
	t->fresh = fresh->is.id;
	if (!ike_child_ask(e, sa, t, fresh, old))
		return TASK_POINTLESS;
	ike_child_rekeying(old, true);
	return TASK_BEGUN;
}

static void delete_now(struct ike_engine *e, struct ike_sa *sa, struct child *c)
{
	ike_child_deleting(c, IKE_CLOSE_REPLACED);
	ike_task_add(e, sa, TASK_DELETE_CHILD, c->is.id);
}

void ike_child_rekeyed(struct ike_engine *e, struct ike_sa *sa, struct task *t,
	struct child *fresh, const struct nonce *lower)
{
	struct child *old = ike_child_by_id(e, fresh->is.replaces);
	struct child *rival = ike_child_by_id(e, t->rival);

	e->counters.rekeyed_children += t->kind == TASK_REKEY_CHILD;
	fresh->is.receive_only = ike_collision_lost(e, t, lower);
	ike_child_up(e, fresh);
	if (fresh->is.receive_only) {
		delete_now(e, sa, fresh);
		if (old)
			ike_child_replaced(e, old);
	} else {
		if (old) { /* which the peer has just answered about */
			ike_child_shared(old);
			ike_child_parting(e, old);
		}
		if (rival && t->kind == TASK_REKEY_CHILD)
			ike_child_replaced(e, rival);
		if (rival && t->kind == TASK_CREATE_CHILD && rival->state == CHILD_UP)
			ike_child_crossed(e, rival);
	}
}

/* Something of the old one is left to be rekeyed, and nobody else has done it. */
bool ike_again_rekey_child(struct exchange *x, struct task *t)
{
	struct child *old = ike_child_by_id(x->e, t->child);

	if (!old || old->state != CHILD_REKEYING || t->rival != 0)
		return false;
	ike_child_rekeying(old, false);
	return true;
}

/* RFC 7296 2.25: the peer has lost it. We let it go, too, and ask for a new one. */
static void begin_anew(struct exchange *x, struct child *old)
{
	struct child *c = new_like(x->e, x->sa, old, true);

	c->is.replaces = 0;
	ike_task_add(x->e, x->sa, TASK_CREATE_CHILD, c->is.id);
	ike_child_down(x->e, old, IKE_CLOSE_REPLACED);
}

void ike_refused_rekey_child(struct exchange *x, struct task *t, uint16_t error)
{
	const struct ike_failure failure = {.close = IKE_CLOSE_REFUSED,
		.why = ike_notify_why(error),
		.notify = error};
	struct child *old = ike_child_by_id(x->e, t->child);

	if (!old || old->state == CHILD_DELETING)
		return; /* deleted by either side meanwhile */
	if (t->rival != 0) { /* RFC 7296 2.8.1: the peer has rekeyed it */
		ike_child_replaced(x->e, old);
		return;
	}
	ike_child_rekeying(old, false);
	if (error == N_CHILD_SA_NOT_FOUND) {
		begin_anew(x, old);
		return;
	}
	ike_note(x->e, x->from, x->sa->id, "%s: the peer refuses to rekey a child: %s",
		ike_notify_name(error), ike_notify_advice(error));
	x->e->host.child_refused(x->e->host.ctx, x->sa->id, old->is.id, &failure);
}

/* ---- responder */

static bool refuse(struct exchange *x, uint16_t notify)
{
	ike_reply_notify(x, notify, span_of(NULL, 0));
	return false;
}

static bool is_making(const struct ike_sa *sa)
{
	return sa->task && (sa->task->kind == TASK_CREATE_CHILD ||
				   sa->task->kind == TASK_REKEY_CHILD);
}

/* RFC 7296 2.25.1: the child may be rekeyed now. False: the response says why not. */
static bool may_be_rekeyed(
	struct exchange *x, const struct child *old, uint8_t protocol, uint32_t spi)
{
	const struct task *t =
		old ? ike_task_under_way(x->sa, TASK_REKEY_CHILD, old->is.id) : NULL;

	/* An answer to us may be lost, and the one that it is about is not here yet. */
	if (!old && is_making(x->sa))
		return refuse(x, N_TEMPORARY_FAILURE);
	if (!old) {
		x->e->counters.said_child_not_found++;
		ike_notify_write_child(&x->out, N_CHILD_SA_NOT_FOUND, protocol, spi);
		return false;
	}
	if (x->sa->conn->proposals.master_pfs)
		return refuse(x, N_NO_ADDITIONAL_SAS);
	/* RFC 9370 2.2.4: our own exchange is over, and what follows it goes on. */
	if (old->state == CHILD_DELETING || old->state == CHILD_REPLACED ||
		old->is.receive_only || (t && (t->rival != 0 || t->follow)))
		return refuse(x, N_TEMPORARY_FAILURE);
	return true;
}

/* RFC 7296 2.9.2: nothing less than before. */
static bool fits(
	struct exchange *x, const struct child *old, const struct child_message *q)
{
	bool transport = old->is.mode == POLICY_TRANSPORT;

	if ((!transport || q->transport) &&
		ike_selectors_keep(old, x->from, &q->tsi, &q->tsr))
		return true;
	ike_note(x->e, x->from, x->sa->id,
		"TS_UNACCEPTABLE: the peer rekeys a child with fewer selectors, or in "
		"another mode, than it has");
	return false;
}

void ike_child_takes_over(
	struct exchange *x, struct child *old, struct child *c, const struct nonce *lower)
{
	struct task *t = ike_task_under_way(x->sa, TASK_REKEY_CHILD, old->is.id);

	if (t)
		ike_collision_note(t, c, lower);
	else
		ike_child_replaced(x->e, old);
}

static void replace(struct exchange *x, struct child *old, const struct child_message *q)
{
	struct task *t = ike_task_under_way(x->sa, TASK_REKEY_CHILD, old->is.id);
	struct child *c = new_like(x->e, x->sa, old, false);
	struct nonce lower;
	enum child_answered made = ike_child_answer(x, q, c, &lower);

	if (made == CHILD_REFUSED)
		return;
	x->e->counters.crossed_children += t != NULL;
	if (made == CHILD_MADE) {
		ike_child_up(x->e, c);
		ike_child_takes_over(x, old, c, &lower);
	} else if (t) {
		ike_collision_note(t, c, &lower);
	}
}

/* RFC 7296 2.25: of a protocol that we have no SAs of there is none to be found, which is no
 * reason to end the IKE SA. The answer names it as the peer has. */
static bool is_of_another_protocol(struct exchange *x)
{
	const struct payload *p = NULL;
	struct wire_notify n;

	while ((p = payload_set_next(&x->in, PAYLOAD_NOTIFY, p)))
		if (notify_payload_read(p->body, &n) == WIRE_OK && n.type == N_REKEY_SA)
			break;
	if (!p || n.protocol == PROTO_ESP || n.protocol == PROTO_AH)
		return false;
	x->e->counters.said_child_not_found++;
	n.type = N_CHILD_SA_NOT_FOUND;
	n.data = span_of(NULL, 0);
	notify_payload_write(message_payload(&x->out, PAYLOAD_NOTIFY), &n);
	return true;
}

enum ike_verdict ike_on_rekey_child_request(struct exchange *x)
{
	struct child_message q;
	uint8_t protocol;
	uint32_t spi;

	if (ike_child_busy(x) || is_of_another_protocol(x))
		return VERDICT_THEN;
	if (!ike_child_message_read(x, &q) ||
		!ike_notify_find_child(&x->in, N_REKEY_SA, &protocol, &spi))
		return ike_refuse_malformed(x);
	struct child *old = ike_child_by_spi_out(x->sa, protocol, spi);
	if (old)
		ike_child_shared(old);
	if (!may_be_rekeyed(x, old, protocol, spi))
		return VERDICT_THEN;
	if (fits(x, old, &q))
		replace(x, old, &q);
	else
		ike_reply_notify(x, N_TS_UNACCEPTABLE, span_of(NULL, 0));
	return VERDICT_THEN;
}
