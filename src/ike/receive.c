/* ike/receive.c - a datagram, up to the exchange that it belongs to.
 *
 * Header and version, SA, message ID, integrity (RFC 7296 1.5, 2.1 to 2.3, 2.5, 2.11, 2.21.4,
 * 3.1):
 * what does not pass is dropped and counted here. Leaves what may happen to dispatch.c.
 */
#include "ike/sa.h"

#include <assert.h>

enum {
	SHRINK_AT = 3, /* times that an answer is asked for again */
	/* In half a minute nobody asks so often, and an answer is longer than what asks: who
	 * gives somebody else's address does not get more than these sent there. */
	INIT_REPEATS_MAX = 32
};

/* ---- IKE_SA_INIT */

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
	if (ike_is_half_open(sa) && sa->init_repeats < INIT_REPEATS_MAX) {
		sa->init_repeats++;
		x->e->host.send(x->e->host.ctx, x->from, octets_span(&sa->init_response));
	}
	return true;
}

static void on_init_request(struct exchange *x, struct reader payloads)
{
	struct ike_engine *e = x->e;
	const struct ike_rule *rule;

	e->counters.init_requests++;
	if (!x->header.initiator || x->header.message_id != 0 || x->header.spi_r != 0 ||
		x->datagram.len > IKE_INIT_MAX) {
		e->counters.malformed++;
		return;
	}
	if (!e->host.accept(e->host.ctx, x->from, &x->answer))
		return;
	uint8_t key[SHA256_LEN];
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
	memcpy(x->sa->init_key, key, sizeof(key));
	ike_dispatch_stranger(x, rule);
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
	ike_dispatch_answer(x, rule);
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

/* RFC 7296 2.1: the stored answer, to the octet; in smaller fragments (RFC 7383 2.5.2)
 * once it seems not to get through. */
static void repeat_response(struct exchange *x)
{
	struct ike_sa *sa = x->sa;

	x->e->counters.replayed_request++;
	sa->answered_ms = x->e->now_ms;
	if (++sa->response_asked == SHRINK_AT)
		(void)ike_flight_shrink(
			x->e, sa, x->from, &sa->response, &sa->response_whole);
	ike_flight_send(x->e, x->from, octets_span(&sa->response));
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
	/* RFC 7296 2.2: behind the last one there is none. */
	return x->header.message_id == sa->next_in && sa->next_in != UINT32_MAX &&
	       sa->state != STATE_GONE;
}

/* RFC 7296 2.23, RFC 9242 3.2: the caller moves to port 4500 behind IKE_SA_INIT; later, a peer behind a NAT is
 * followed to its new address by the side that is not behind one. */
static void follow(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct ike_info info;

	if (ike_is_half_open(sa))
		sa->path = *x->from;
	if (sa->mobike.on) /* RFC 4555 3.8: it says itself when it moves */
		return;
	if (sa->state != STATE_UP || !sa->nat_remote || sa->nat_local ||
		endpoint_equal(&sa->path.remote, &x->from->remote))
		return;
	sa->path = *x->from;
	ike_sa_move(sa, &x->from->remote);
	if (!sa->known)
		return;
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

/* A new, authentic message: the peer lives, and there it is. */
void ike_heard(struct exchange *x)
{
	x->sa->last_in_ms = x->e->now_ms;
	x->sa->heard = true;
	follow(x);
	confirm(x);
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
	x->repeated = is_repeated(x);
	enum ike_sk opened = payload_set_has(&x->in, PAYLOAD_SKF)
				     ? ike_pieces_take(x, &inner, &first)
				     : ike_sk_open(x, &inner, &first);
	e->counters.forged += opened == SK_FORGED;
	if (opened == SK_FORGED || opened == SK_PARTIAL)
		return;
	if (x->repeated) {
		repeat_response(x);
		return;
	}
	if (opened == SK_OPENED)
		x->text = span_of(inner.at, rd_left(&inner));
	enum wire_err err = opened == SK_OPENED ? payload_set_read(inner, first, &x->in)
						: WIRE_MALFORMED;
	x->has_error = err == WIRE_OK && ike_notify_error(&x->in) != 0;
	x->redirects = err == WIRE_OK && ike_notify_find(&x->in, N_REDIRECT, NULL);
	x->rekeys = err == WIRE_OK && ike_notify_find(&x->in, N_REKEY_SA, NULL);
	if (x->header.response)
		ike_dispatch_response(x, err);
	else
		ike_dispatch_request(x, err);
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
