/* ike/sa_init.c - IKE_SA_INIT, both sides (RFC 7296 1.2, 2.6, 2.7, 2.14, 2.21.1, 2.23).
 *
 *	initiator                              responder
 *	[N(COOKIE)], SA, KE, Ni, NATD, V  -->
 *	                                  <--  SA, KE, Nr, NATD, V
 *	                              or  <--  N(COOKIE | INVALID_KE_PAYLOAD | REDIRECT | error)
 *
 * Nothing here is authenticated yet: an error is remembered and tried against until the
 * call gives up, and what does not fit is ignored. Leaves who may become half open to
 * cookie.c, and the octets to wire/.
 */
#include "ike/sa.h"

#include <assert.h>

#include "ike/suites.h"
#include "wire/ke_payload.h"

enum {
	COOKIES_MAX = 8, /* a forged cookie costs us one message; not many */
	GROUPS_MAX = 4
};

static void write_key_exchange(struct message *m, const struct wire_sa *proposals,
	struct kex *kex, struct nonce *n)
{
	struct wire_ke ke = {.group = kex_group(kex), .public = kex_public(kex)};

	sa_payload_write(message_payload(m, PAYLOAD_SA), proposals);
	ke_payload_write(message_payload(m, PAYLOAD_KE), &ke);
	nonce_payload_write(message_payload(m, PAYLOAD_NONCE), nonce_span(n));
}

/* ---- initiator */

static void send_request(struct ike_engine *e, struct ike_sa *sa)
{
	struct ike_header h = ike_header_for(sa, IKE_SA_INIT, false, 0);
	struct message m = message_begin(e->request, sizeof(e->request), &h);
	struct wire_sa offer = {.n = 0};

	/* RFC 7296 2.6, 2.6.1: the cookie comes first, all else stays as it was. */
	if (sa->cookie.len > 0)
		ike_notify_write(&m, N_COOKIE, octets_span(&sa->cookie));
	ike_suites_offer(&sa->conn->proposals, 0, &offer);
	write_key_exchange(&m, &offer, sa->kex, &sa->nonce_i);
	ike_natd_write(&m, sa->spi_i, 0, &sa->path, sa->forced);
	ike_notify_write(&m, N_IKEV2_FRAGMENTATION_SUPPORTED, span_of(NULL, 0));
	ike_cert_offer(&m, sa);
	ike_redirect_offer(&m, sa->conn);
	ike_ppk_offer(&m, sa->conn);
	ike_intermediate_offer(&m, &sa->conn->proposals);
	ike_vendor_write(&m, sa->conn->nlbs, sa->first);
	struct span datagram = message_finish(&m);
	assert(datagram.len > 0);
	octets_set(&sa->init_request, datagram);
	ike_retransmit_start(e, sa, datagram, 0, IKE_SA_INIT, sa->conn->urgent);
}

/* closed() comes with the next tick, when the host knows the id. */
static enum ike_verdict give_up_at_once(struct exchange *x)
{
	x->sa->expire_ms = x->e->now_ms;
	return VERDICT_STAY;
}

enum ike_verdict ike_on_call(struct exchange *x)
{
	struct ike_sa *sa = x->sa;

	if (!ike_selectors_restrict(sa->conn)) {
		ike_note(x->e, x->from, sa->id,
			"not called: in transport mode the rule must cover both ends' "
			"own "
			"addresses, and it does not");
		ike_fail(sa, IKE_CLOSE_WE_REFUSED, IKE_WHY_SELECTORS, 0);
		return give_up_at_once(x);
	}
	sa->kex = kex_new(sa->conn->proposals.ike[0].ke, &x->e->entropy);
	if (!sa->kex) /* the world's fault */
		return give_up_at_once(x);
	nonce_draw(&sa->nonce_i, &x->e->entropy);
	sa->forced = sa->conn->force_encap;
	sa->first = ike_crossing_is_first(x->e, sa);
	send_request(x->e, sa);
	return VERDICT_THEN;
}

/* RFC 7296 2.23: both ports become 4500 once a NAT is seen, or wanted. RFC 4555 3.3: or may
 * be there later. */
static void move_to_natt(struct ike_sa *sa)
{
	bool may_move = sa->natd && sa->conn->mobike && sa->conn->mode == POLICY_TUNNEL;

	if (sa->path.natt || !(ike_natd_encap(sa) || may_move))
		return;
	sa->path.local.port = IKE_NATT_PORT;
	sa->path.remote.port = IKE_NATT_PORT;
	sa->path.natt = true;
}

static bool derive(struct exchange *x, struct span peer_public)
{
	struct secret shared = {0};
	bool ok = kex_derive(x->sa->kex, peer_public, &shared) == CRYPTO_OK &&
		  ike_keys_derive(x->e, x->sa, &shared);

	secret_wipe(&shared);
	return ok;
}

/* RFC 9370 2.2.1: what is to be exchanged further takes both sides. */
static bool can_exchange_more(const struct exchange *x, const struct ike_suite *suite)
{
	return !ike_more_any(&suite->more) ||
	       ike_intermediate_agreed(x, &x->sa->conn->proposals);
}

/* False: the message does not fit to what we asked; nothing has changed. */
static bool take_answer(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct wire_sa answer;
	struct wire_ke ke;
	struct span nonce;
	struct ike_suite suite;

	if (sa_payload_read(payload_set_first(&x->in, PAYLOAD_SA)->body, &answer) !=
			WIRE_OK ||
		ke_payload_read(payload_set_first(&x->in, PAYLOAD_KE)->body, &ke) !=
			WIRE_OK ||
		nonce_payload_read(payload_set_first(&x->in, PAYLOAD_NONCE)->body,
			&nonce) != WIRE_OK)
		return false;
	if (!ike_suites_accept(&sa->conn->proposals, &answer, false, &suite, NULL) ||
		suite.ke != ke.group || suite.ke != kex_group(sa->kex) ||
		x->header.spi_r == 0 || !can_exchange_more(x, &suite))
		return false;
	sa->suite = suite;
	sa->spi_r = x->header.spi_r;
	nonce_set(&sa->nonce_r, nonce);
	if (derive(x, ke.public))
		return true;
	sa->spi_r = 0;
	return false;
}

/* RFC 6023 3: MUST NOT without the peer's word. Not believed at once, as any refusal here. */
static bool lacks_childless(struct exchange *x)
{
	struct ike_sa *sa = x->sa;

	if (sa->conn->childless != IKE_CHILDLESS_FORCE ||
		ike_notify_find(&x->in, N_CHILDLESS_IKEV2_SUPPORTED, NULL))
		return false;
	if (sa->failure.why != IKE_WHY_CHILDLESS)
		ike_note(x->e, x->from, sa->id,
			"the peer does not take an IKE SA without a child, and our rule "
			"has "
			"'childless force': have its side allow it, or ours");
	ike_fail(sa, IKE_CLOSE_WE_REFUSED, IKE_WHY_CHILDLESS, 0);
	return true;
}

enum ike_verdict ike_on_init_response(struct exchange *x)
{
	struct ike_sa *sa = x->sa;

	if (!ike_ppk_offered(x)) { /* RFC 8784 3: MUST abort */
		ike_note(x->e, x->from, sa->id,
			"the peer does not use a PPK, and our rule requires one: give "
			"its "
			"side the PPK, or make ours optional");
		ike_retransmit_stop(sa);
		ike_fail(sa, IKE_CLOSE_WE_REFUSED, IKE_WHY_AUTH, 0);
		return give_up_at_once(x);
	}
	if (lacks_childless(x))
		return VERDICT_STAY;
	if (!take_answer(x)) {
		x->e->counters.malformed++;
		ike_note(x->e, x->from, sa->id,
			"an answer to IKE_SA_INIT does not fit to what was asked; "
			"ignored");
		return VERDICT_STAY;
	}
	octets_set(&sa->init_response, x->datagram);
	ike_natd_read(x);
	ike_vendor_read(x);
	ike_redirect_read(x);
	sa->fragments = ike_notify_find(&x->in, N_IKEV2_FRAGMENTATION_SUPPORTED, NULL);
	sa->may_childless = ike_notify_find(&x->in, N_CHILDLESS_IKEV2_SUPPORTED, NULL);
	ike_cert_read_hashes(x);
	ike_retransmit_stop(sa);
	ike_fail(sa, IKE_CLOSE_TIMEOUT, IKE_WHY_NONE, 0);
	sa->next_out = 1;
	move_to_natt(sa);
	if (ike_intermediate_agreed(x, &sa->conn->proposals))
		ike_intermediate_expect(sa);
	if (ike_intermediate_owed(sa)) {
		ike_intermediate_ask(x->e, sa);
		return VERDICT_MORE;
	}
	ike_auth_ask(x->e, sa);
	return VERDICT_THEN;
}

static enum ike_verdict on_cookie(struct exchange *x, struct span cookie)
{
	struct ike_sa *sa = x->sa;

	if (cookie.len == 0 || cookie.len > IKE_COOKIE_MAX || sa->cookies >= COOKIES_MAX)
		return VERDICT_STAY;
	sa->cookies++;
	octets_set(&sa->cookie, cookie);
	send_request(x->e, sa);
	return VERDICT_THEN;
}

/* RFC 7296 1.2: the full offer again, with a public value of the group that is wanted. */
static enum ike_verdict on_other_group(struct exchange *x, uint16_t group)
{
	struct ike_sa *sa = x->sa;

	if (group == kex_group(sa->kex) || sa->groups >= GROUPS_MAX)
		return VERDICT_STAY;
	if (!ike_suites_has_group(&sa->conn->proposals, group)) {
		if (sa->failure.notify != N_INVALID_KE_PAYLOAD)
			ike_note(x->e, x->from, sa->id,
				"INVALID_KE_PAYLOAD: the peer wants key exchange group "
				"%u, "
				"which no proposal of ours has",
				group);
		ike_fail(sa, IKE_CLOSE_REFUSED, IKE_WHY_PROPOSAL, N_INVALID_KE_PAYLOAD);
		return VERDICT_STAY;
	}
	struct kex *kex = kex_new(group, &x->e->entropy);
	if (!kex)
		return VERDICT_STAY;
	kex_free(sa->kex);
	sa->kex = kex;
	sa->groups++;
	send_request(x->e, sa);
	return VERDICT_THEN;
}

/* RFC 7296 2.21.1: not believed at once, for anybody could have sent it. */
static enum ike_verdict on_unproved_error(struct exchange *x, uint16_t error)
{
	struct ike_sa *sa = x->sa;

	if (error != 0 && sa->failure.notify != error) {
		ike_fail(sa, IKE_CLOSE_REFUSED, ike_notify_why(error), error);
		ike_note(x->e, x->from, sa->id,
			"%s: the peer refuses: %s (not proved yet; still trying)",
			ike_notify_name(error), ike_notify_advice(error));
	}
	return VERDICT_STAY;
}

enum ike_verdict ike_on_init_refusal(struct exchange *x)
{
	struct span data;

	if (ike_notify_find(&x->in, N_COOKIE, &data))
		return on_cookie(x, data);
	if (ike_notify_find(&x->in, N_INVALID_KE_PAYLOAD, &data) && data.len == 2)
		return on_other_group(x, (uint16_t)(data.at[0] << 8 | data.at[1]));
	switch (ike_redirect_on_init(x)) {
	case REDIRECT_FOLLOWED:
		return VERDICT_CLOSE;
	case REDIRECT_REFUSED:
		send_request(x->e, x->sa);
		return VERDICT_THEN;
	case REDIRECT_FORGED:
		return VERDICT_STAY;
	case REDIRECT_NONE:
		break;
	}
	return on_unproved_error(x, ike_notify_error(&x->in));
}

/* ---- responder */

struct init_request {
	struct wire_sa offer;
	struct wire_ke ke;
	struct span nonce;
};

static bool read_request(struct exchange *x, struct init_request *q)
{
	return sa_payload_read(payload_set_first(&x->in, PAYLOAD_SA)->body, &q->offer) ==
		       WIRE_OK &&
	       ke_payload_read(payload_set_first(&x->in, PAYLOAD_KE)->body, &q->ke) ==
		       WIRE_OK &&
	       nonce_payload_read(payload_set_first(&x->in, PAYLOAD_NONCE)->body,
		       &q->nonce) == WIRE_OK;
}

/* Before anything is made for the caller. */
bool ike_init_may_enter(struct exchange *x)
{
	struct span nonce;

	if (nonce_payload_read(payload_set_first(&x->in, PAYLOAD_NONCE)->body, &nonce) !=
		WIRE_OK) {
		x->e->counters.malformed++;
		return false;
	}
	switch (ike_cookie_gate(x, nonce, &x->stranger)) {
	case GATE_PASS:
		return true;
	case GATE_COOKIE:
		ike_cookie_ask(x, nonce);
		return false;
	case GATE_REFUSE:
		x->e->counters.half_open_refused++;
		return false;
	}
	assert(false);
	return false;
}

static bool agree(
	struct exchange *x, const struct init_request *q, struct wire_sa *answer)
{
	struct ike_suite *suite = &x->sa->suite;

	bool may_more = ike_intermediate_agreed(x, &x->answer.proposals);

	if (!ike_suites_choose(&x->answer.proposals, &q->offer, q->ke.group, may_more, 0,
		    suite, NULL, answer)) {
		ike_note(x->e, x->from, 0,
			"NO_PROPOSAL_CHOSEN: none of the caller's IKE proposals is ours: "
			"compare the algorithms on both sides");
		ike_answer_stateless(x, N_NO_PROPOSAL_CHOSEN, span_of(NULL, 0));
		return false;
	}
	if (suite->ke != q->ke.group) {
		const uint8_t want[2] = {(uint8_t)(suite->ke >> 8), (uint8_t)suite->ke};

		ike_answer_stateless(
			x, N_INVALID_KE_PAYLOAD, span_of(want, sizeof(want)));
		return false;
	}
	return true;
}

static void answer_request(struct exchange *x, const struct wire_sa *answer)
{
	struct ike_engine *e = x->e;
	struct ike_sa *sa = x->sa;
	struct ike_header h = ike_header_for(sa, IKE_SA_INIT, true, 0);
	struct message m = message_begin(e->reply, sizeof(e->reply), &h);

	write_key_exchange(&m, answer, sa->kex, &sa->nonce_r);
	if (sa->natd)
		ike_natd_write(&m, sa->spi_i, sa->spi_r, x->from, sa->forced);
	if (sa->fragments) /* RFC 7383 2.3: only to one that knows them */
		ike_notify_write(&m, N_IKEV2_FRAGMENTATION_SUPPORTED, span_of(NULL, 0));
	if (sa->may_childless) /* RFC 6023 3, 4 */
		ike_notify_write_ike(&m, N_CHILDLESS_IKEV2_SUPPORTED);
	ike_cert_answer(x, &m);
	ike_ppk_answer(x, &m);
	ike_redirect_answer(x, &m);
	if (sa->intermediate)
		ike_intermediate_offer(&m, &x->answer.proposals);
	ike_vendor_write(&m, x->answer.nlbs, false);
	struct span datagram = message_finish(&m);
	assert(datagram.len > 0);
	octets_set(&sa->init_response, datagram);
	e->host.send(e->host.ctx, x->from, datagram);
}

static bool share(struct exchange *x, struct span peer_public)
{
	struct ike_sa *sa = x->sa;
	struct secret shared = {0};
	bool ok = kex_answer(sa->suite.ke, &x->e->entropy, peer_public, &shared,
			  &sa->kex) == CRYPTO_OK &&
		  ike_keys_derive(x->e, sa, &shared);

	secret_wipe(&shared);
	return ok;
}

enum ike_verdict ike_on_init_request(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct init_request q;
	struct wire_sa answer = {.n = 0};

	if (!read_request(x, &q)) {
		x->e->counters.malformed++;
		return VERDICT_CLOSE;
	}
	if (ike_redirect_init(x, q.nonce))
		return VERDICT_CLOSE;
	if (!ike_init_may_enter(x) || !agree(x, &q, &answer))
		return VERDICT_CLOSE;
	sa->stranger = x->stranger;
	ike_origin_join(x->e, sa);
	if (!ike_work_charge(x->e, sa, kex_work(sa->suite.ke)))
		return VERDICT_CLOSE;
	sa->spi_i = x->header.spi_i;
	sa->spi_r = sa->own_spi;
	nonce_set(&sa->nonce_i, q.nonce);
	nonce_draw(&sa->nonce_r, &x->e->entropy);
	if (!share(x, q.ke.public)) {
		x->e->counters.malformed++;
		return VERDICT_CLOSE;
	}
	sa->next_in = 1;
	sa->forced = x->answer.force_encap;
	sa->may_childless = x->answer.childless;
	octets_set(&sa->init_request, x->datagram);
	ike_natd_read(x);
	ike_vendor_read(x);
	ike_redirect_read(x);
	sa->fragments = ike_notify_find(&x->in, N_IKEV2_FRAGMENTATION_SUPPORTED, NULL);
	ike_cert_read_hashes(x);
	if (ike_intermediate_agreed(x, &x->answer.proposals))
		ike_intermediate_expect(sa);
	answer_request(x, &answer);
	return ike_intermediate_owed(sa) ? VERDICT_MORE : VERDICT_THEN;
}
