/* ike/retransmit.c - requests of ours, until they are answered (RFC 7296 2.1, 2.3, 2.4).
 *
 * A request is kept as it was sent and repeated octet by octet, at growing intervals with
 * jitter. Nothing here gives up: initial exchanges end by their own deadline, and how
 * long a silent peer is believed is the node's to say (idle-timeout).
 *
 * When the third repetition of a large one is due, it goes in smaller fragments (RFC 7383
 * 2.5.2), and the intervals begin anew.
 *
 * An urgent request (takeover) is repeated about 20, 60 and 200 ms after it was first
 * sent: the answer to the first may go to the dead node's MAC address.
 */
#include "ike/sa.h"

#include <assert.h>

enum {
	FIRST_MS = 500,
	INITIAL_CAP_MS = 5000, /* IKE_SA_INIT, IKE_AUTH: be there soon when the peer is */
	LATER_CAP_MS = 10000,
	SHRINK_AT = 3, /* repetitions */
	COPY_GAP_MS = 10, /* Deletes that are not waited for */
	JITTER_PERCENT = 15
};

/* Each interval is 1.8 times the one before. */
static uint64_t grown(uint64_t ms, unsigned times, uint64_t cap)
{
	while (times-- > 0 && ms < cap)
		ms = ms * 9 / 5;
	return ms < cap ? ms : cap;
}

static uint64_t interval(const struct outgoing *out)
{
	static const uint16_t urgent_ms[] = {20, 40, 140, 250};
	const unsigned n = sizeof(urgent_ms) / sizeof(urgent_ms[0]);
	bool initial = out->exchange == IKE_SA_INIT || out->exchange == IKE_AUTH ||
		       out->exchange == IKE_INTERMEDIATE;
	uint64_t cap = initial ? INITIAL_CAP_MS : LATER_CAP_MS;

	if (!out->urgent)
		return grown(FIRST_MS, out->tries, cap);
	if (out->tries < n)
		return urgent_ms[out->tries];
	return grown(urgent_ms[n - 1], out->tries - (n - 1), cap);
}

static void schedule(struct ike_engine *e, struct outgoing *out)
{
	out->due_ms =
		e->now_ms + entropy_jitter(&e->entropy, interval(out), JITTER_PERCENT);
	out->tries++;
}

static void send(struct ike_engine *e, const struct ike_sa *sa)
{
	ike_flight_send(e, &sa->path, octets_span(&sa->out.bytes));
}

void ike_retransmit_start(struct ike_engine *e, struct ike_sa *sa, struct span bytes,
	uint32_t message_id, uint8_t exchange, bool urgent)
{
	octets_set(&sa->out.bytes, bytes);
	sa->out.message_id = message_id;
	sa->out.exchange = exchange;
	sa->out.urgent = urgent;
	sa->out.tries = 0;
	sa->out.first_ms = e->now_ms;
	schedule(e, &sa->out);
	send(e, sa);
}

/* Does not count as one of the growing intervals. */
void ike_retransmit_now(struct ike_engine *e, struct ike_sa *sa)
{
	assert(sa->out.bytes.len > 0);
	e->counters.retransmits++;
	send(e, sa);
}

void ike_retransmit_due(struct ike_engine *e, struct ike_sa *sa)
{
	struct outgoing *out = &sa->out;

	assert(out->bytes.len > 0);
	e->counters.retransmits++;
	if (out->tries == SHRINK_AT &&
		ike_flight_shrink(e, sa, &sa->path, &out->bytes, &out->whole))
		out->tries = 0;
	send(e, sa);
	if (sa->copies_left == 0) {
		schedule(e, &sa->out);
		return;
	}
	sa->out.due_ms = e->now_ms + COPY_GAP_MS;
	if (--sa->copies_left == 0)
		sa->expire_ms = e->now_ms;
}

/* The request stays, and goes out copies - 1 times more. */
void ike_retransmit_copies(struct ike_engine *e, struct ike_sa *sa, unsigned copies)
{
	sa->copies_left = copies - 1;
	sa->out.due_ms = e->now_ms + COPY_GAP_MS;
}

void ike_retransmit_drop(struct outgoing *out)
{
	octets_free(&out->bytes);
	ike_whole_free(&out->whole);
	*out = (struct outgoing){0};
}

void ike_retransmit_stop(struct ike_sa *sa)
{
	ike_retransmit_drop(&sa->out);
}

void ike_retransmit_resume(struct exchange *x)
{
	assert(x->sa->out.bytes.len == 0);
	x->sa->out = x->asked;
	x->asked = (struct outgoing){0};
}
