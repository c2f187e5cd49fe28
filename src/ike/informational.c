/* ike/informational.c - INFORMATIONAL, both sides (RFC 7296 1.4, 2.4, 2.25).
 *
 *	[N,] [D,] ...  -->
 *	               <--  [D of the other direction], or nothing
 *
 * An empty one is a probe. A Delete of the child leaves an IKE SA that could never get
 * another one (CREATE_CHILD_SA is refused), so we end it ourselves: the peer then begins
 * anew instead of asking in vain.
 */
#include "ike/sa.h"

#include <assert.h>

#include "wire/notify_payload.h"

struct deletes {
	bool malformed;
	bool of_ike;
	bool of_child; /* the ESP SA that we send on */
};

static struct deletes read_deletes(const struct exchange *x)
{
	const struct ike_child *child = x->sa->child;
	const struct payload *p = NULL;
	struct deletes found = {0};

	while ((p = payload_set_next(&x->in, PAYLOAD_DELETE, p))) {
		struct wire_delete d;

		if (delete_payload_read(p->body, &d) != WIRE_OK) {
			found.malformed = true;
			return found;
		}
		found.of_ike |= d.protocol == PROTO_IKE;
		for (uint16_t i = 0; d.protocol == PROTO_ESP && i < d.n; i++)
			found.of_child |=
				child && wire_delete_spi(&d, i) == child->spi_out;
	}
	return found;
}

/* While a newer SA of the pair is there, a Delete is no wish to end the traffic. */
static enum ike_close deleted_by_peer(const struct ike_sa *sa)
{
	return sa->replaced ? IKE_CLOSE_REPLACED : IKE_CLOSE_DELETED_BY_PEER;
}

/* RFC 7296 2.21.2: the initiator could not believe our AUTH, and says so in the exchange
 * right after it. */
static bool is_late_refusal(const struct exchange *x, uint16_t error)
{
	return !x->sa->initiator && x->header.message_id == 2 &&
	       (error == N_AUTHENTICATION_FAILED || error == N_INVALID_SYNTAX ||
		       error == N_UNSUPPORTED_CRITICAL_PAYLOAD);
}

static enum ike_verdict on_child_delete(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	uint32_t spi = sa->child->spi_in;

	/* RFC 7296 1.4.1: the paired SA is deleted in the response. */
	delete_payload_write_child(
		message_payload(&x->out, PAYLOAD_DELETE), PROTO_ESP, &spi, 1);
	ike_child_down(x->e, sa, deleted_by_peer(sa));
	ike_fail(sa, deleted_by_peer(sa), IKE_WHY_NONE, 0);
	return VERDICT_DELETE;
}

enum ike_verdict ike_on_informational_request(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct deletes deletes = read_deletes(x);
	uint16_t error = ike_notify_error(&x->in);

	if (deletes.malformed) {
		ike_reply_error(x, N_INVALID_SYNTAX, span_of(NULL, 0));
		ike_fail(sa, IKE_CLOSE_WE_REFUSED, IKE_WHY_SYNTAX, N_INVALID_SYNTAX);
		return VERDICT_CLOSE;
	}
	if (is_late_refusal(x, error)) {
		ike_note(x->e, x->from, sa->id, "%s: the peer refuses: %s",
			ike_notify_name(error), ike_notify_advice(error));
		ike_fail(sa, IKE_CLOSE_REFUSED, ike_notify_why(error), error);
		return VERDICT_CLOSE;
	}
	if (deletes.of_ike) {
		ike_fail(sa, deleted_by_peer(sa), IKE_WHY_NONE, 0);
		return VERDICT_CLOSE;
	}
	if (deletes.of_child)
		return on_child_delete(x);
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

/* Its arrival is all that it says. */
enum ike_verdict ike_on_informational_response(struct exchange *x)
{
	(void)x;
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

	ike_child_down(e, sa, sa->failure.close);
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
