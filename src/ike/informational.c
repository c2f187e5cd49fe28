/* ike/informational.c - INFORMATIONAL, both sides (RFC 7296 1.4, 1.4.1, 2.4, 2.25).
 *
 *	[N,] [D,] ...  -->
 *	               <--  [D of the other direction], or nothing
 *
 * An empty one is a probe. A Delete of a child leaves the IKE SA to the others; one whose
 * last child is gone is ended by child.c's deadline.
 */
#include "ike/sa.h"

#include <assert.h>

#include "wire/notify_payload.h"

enum { CHILDREN_MAX = 256 /* of one message; the peer asks again for the others */ };

struct deletes {
	bool malformed;
	bool of_ike;
	struct {
		uint8_t protocol;
		uint32_t spi; /* we send on it */
	} children[CHILDREN_MAX];
	uint16_t n;
};

static void note_children(struct deletes *found, const struct wire_delete *d)
{
	for (uint16_t i = 0; i < d->n && found->n < CHILDREN_MAX; i++) {
		found->children[found->n].protocol = d->protocol;
		found->children[found->n++].spi = wire_delete_spi(d, i);
	}
}

static struct deletes read_deletes(const struct exchange *x)
{
	const struct payload *p = NULL;
	struct deletes found = {.n = 0};

	while ((p = payload_set_next(&x->in, PAYLOAD_DELETE, p))) {
		struct wire_delete d;

		if (delete_payload_read(p->body, &d) != WIRE_OK) {
			found.malformed = true;
			return found;
		}
		found.of_ike |= d.protocol == PROTO_IKE;
		note_children(&found, &d);
	}
	return found;
}

/* While a newer SA of the pair is there, a Delete is no wish to end the traffic. */
static enum ike_close deleted_by_peer(const struct ike_sa *sa)
{
	return sa->replaced || sa->state == STATE_REKEYED ? IKE_CLOSE_REPLACED
							  : IKE_CLOSE_DELETED_BY_PEER;
}

/* RFC 7296 2.21.2: the initiator could not believe our AUTH, and says so in the exchange
 * right after it. */
static bool is_late_refusal(const struct exchange *x, uint16_t error)
{
	return !x->sa->initiator && !x->sa->is_heir &&
	       x->header.message_id == x->sa->auth_id + 1 &&
	       (error == N_AUTHENTICATION_FAILED || error == N_INVALID_SYNTAX ||
		       error == N_UNSUPPORTED_CRITICAL_PAYLOAD);
}

/* While the IKE SA is rekeyed, its children may already be with the heir, or still with
 * the SA that has made this one (RFC 7296 2.25.2). */
static struct child *find_child(const struct ike_sa *sa, uint8_t protocol, uint32_t spi)
{
	const struct ike_sa *kin[] = {
		sa, sa->heir, ike_is_rival(sa) ? sa->predecessor : NULL};
	struct child *c = NULL;

	for (size_t i = 0; i < sizeof(kin) / sizeof(kin[0]) && !c; i++)
		c = kin[i] ? ike_child_by_spi_out(kin[i], protocol, spi) : NULL;
	return c;
}

static enum ike_close child_deleted_by_peer(const struct child *c)
{
	const struct task *t = ike_task_under_way(c->sa, TASK_REKEY_CHILD, c->is.id);

	if (c->state == CHILD_REPLACED || c->state == CHILD_DELETING)
		return c->why;
	/* Of two exchanges that crossed, either the peer has the other one's child in the
	 * place of this, or this is the one that goes. */
	if ((t && t->rival != 0) || (c->sa->task && c->sa->task->rival == c->is.id))
		return IKE_CLOSE_REPLACED;
	return deleted_by_peer(c->sa);
}

/* RFC 7296 1.4.1: the paired SAs are deleted in the response, but not those for which our
 * own Delete is out: the answer to that one is. */
static void delete_children(struct exchange *x, const struct deletes *deletes)
{
	uint32_t ours[2][CHILDREN_MAX]; /* of ESP, of AH */
	uint16_t n[2] = {0, 0};

	for (uint16_t i = 0; i < deletes->n; i++) {
		struct child *c = find_child(
			x->sa, deletes->children[i].protocol, deletes->children[i].spi);

		if (!c)
			continue;
		if (!ike_task_under_way(c->sa, TASK_DELETE_CHILD, c->is.id))
			ours[c->is.ah][n[c->is.ah]++] = c->is.spi_in;
		struct ike_sa *sa = c->sa;
		ike_child_down(x->e, c, child_deleted_by_peer(c));
		ike_timer_update(x->e, sa);
	}
	for (unsigned ah = 0; ah <= 1; ah++)
		if (n[ah] > 0)
			delete_payload_write_child(
				message_payload(&x->out, PAYLOAD_DELETE),
				ah ? PROTO_AH : PROTO_ESP, ours[ah], n[ah]);
}

enum ike_verdict ike_on_informational_request(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct deletes deletes = read_deletes(x);
	uint16_t error = ike_notify_error(&x->in);

	if (deletes.malformed)
		return ike_refuse_malformed(x);
	if (is_late_refusal(x, error)) {
		ike_note(x->e, x->from, sa->id, "%s: the peer refuses: %s",
			ike_notify_name(error), ike_notify_advice(error));
		ike_fail(sa, IKE_CLOSE_REFUSED, ike_notify_why(error), error);
		return VERDICT_CLOSE;
	}
	if (deletes.of_ike) {
		/* RFC 7296 2.8.2: it has rekeyed, and not noticed that we do, too. */
		if (sa->rival)
			ike_rival_wins(x->e, sa);
		ike_fail(sa, sa->heir ? IKE_CLOSE_REPLACED : deleted_by_peer(sa),
			IKE_WHY_NONE, 0);
		return VERDICT_CLOSE;
	}
	delete_children(x, &deletes);
	ike_mobike_request(x);
	ike_redirect_request(x);
	return VERDICT_THEN;
}

void ike_probe_now(struct ike_engine *e, struct ike_sa *sa)
{
	if (sa->out.bytes.len > 0)
		return;
	struct message m = ike_request_begin(e, sa, INFORMATIONAL);
	ike_request_send(e, sa, &m, INFORMATIONAL, false);
	ike_timer_update(e, sa);
}

/* ---- Delete of a child */

enum task_begun ike_begin_delete_child(
	struct ike_engine *e, struct ike_sa *sa, struct task *t)
{
	const struct child *c = ike_child_by_id(e, t->child);

	if (!c)
		return TASK_POINTLESS;
	if (!ike_child_is_shared(e, c, SHARED_SURELY_MS))
		return TASK_LATER;
	struct message m = ike_request_begin(e, sa, INFORMATIONAL);
	delete_payload_write_child(message_payload(&m, PAYLOAD_DELETE),
		ike_child_protocol(c), &c->is.spi_in, 1);
	ike_request_send(e, sa, &m, INFORMATIONAL, false);
	return TASK_BEGUN;
}

/* To a probe, its arrival is all that it says. To a Delete, too: the peer's half is gone,
 * whether it names it or not. */
enum ike_verdict ike_on_informational_response(struct exchange *x)
{
	struct task *t = x->sa->task;

	if (t && t->kind == TASK_CHECK_PATH)
		return ike_on_path_checked(x);
	struct child *c = t ? ike_child_by_id(x->e, t->child) : NULL;

	if (c)
		ike_child_down(x->e, c, c->why);
	ike_task_done(x->e, x->sa);
	return VERDICT_THEN;
}

/* ---- Delete of the IKE SA */

static void send_delete(struct ike_engine *e, struct ike_sa *sa)
{
	struct message m = ike_request_begin(e, sa, INFORMATIONAL);

	/* RFC 7296 2.21.2: that our peer failed to prove itself needs no Delete. */
	if (sa->auth_failed)
		ike_notify_write(&m, N_AUTHENTICATION_FAILED, span_of(NULL, 0));
	else
		delete_payload_write_ike(message_payload(&m, PAYLOAD_DELETE));
	sa->delete_due = false;
	ike_request_send(e, sa, &m, INFORMATIONAL, true);
}

/* With copies, the address is already gone: a request that is still under way is sent
 * once more and the Delete right behind it, so that they arrive in order; nobody will be
 * there to hear an answer, and the window (RFC 7296 2.3) cannot be waited for. */
enum ike_verdict ike_on_delete(struct exchange *x)
{
	struct ike_engine *e = x->e;
	struct ike_sa *sa = x->sa;
	bool under_way = sa->out.bytes.len > 0;

	ike_tasks_drop(e, sa);
	ike_children_down(e, sa, sa->failure.close);
	sa->crossing.due_ms = IKE_NEVER; /* it ends now */
	sa->expire_ms = x->copies > 1 ? IKE_NEVER : e->now_ms + x->wait_ms;
	if (under_way)
		ike_retransmit_now(e, sa);
	sa->delete_due = under_way && x->copies <= 1 && x->wait_ms > 0;
	if (!sa->delete_due)
		send_delete(e, sa);
	if (x->copies > 1)
		ike_retransmit_copies(e, sa, x->copies);
	return VERDICT_THEN;
}

/* The request before the Delete was never answered: the peer may still be listening. */
void ike_delete_last_word(struct ike_engine *e, struct ike_sa *sa)
{
	send_delete(e, sa);
}

enum ike_verdict ike_on_informational_deleting(struct exchange *x)
{
	return read_deletes(x).of_ike ? VERDICT_CLOSE : VERDICT_THEN;
}

enum ike_verdict ike_on_response_deleting(struct exchange *x)
{
	if (!x->sa->delete_due)
		return VERDICT_THEN;
	send_delete(x->e, x->sa);
	return VERDICT_STAY;
}
