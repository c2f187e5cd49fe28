/* tests/unit/test_ike_misfit.c - messages of a peer that has the keys and gets it wrong, and
 * calls of our own at odd moments (RFC 7296 2.7, 2.9, 2.21, 2.25).
 */
#include "ike_lab.h"

#include "wire/auth_payload.h"
#include "wire/ke_payload.h"
#include "wire/notify_payload.h"
#include "wire/sa_payload.h"
#include "wire/ts_payload.h"

/* Loses the next IKE_AUTH of one side and nothing else. */
static struct lab_fate lose_auth(struct lab *lab, const struct lab_datagram *d)
{
	const enum lab_side_name *of = lab->filter_ctx;

	return (struct lab_fate){
		.copies = !(d->from == *of && d->bytes[18] == IKE_AUTH), .ms = 1};
}

/* A has called; the IKE_AUTH of that side is lost, and is here to be changed. */
static struct lab *lab_at_auth(
	uint64_t seed, enum lab_side_name of, struct payload_set *lost)
{
	struct lab *lab = lab_new(seed);
	static enum lab_side_name whose;

	whose = of;
	lab->filter = lose_auth;
	lab->filter_ctx = &whose;
	lab_call(lab, A);
	lab_run(lab, of == A ? 2 : 3);
	lab->filter = NULL;
	assert_int_equal(lab_last(lab)->from, of);
	assert_int_equal(lab_last(lab)->bytes[18], IKE_AUTH);
	*lost = lab_read(lab, lab_last(lab));
	return lab;
}

/* The message again, with one payload's body changed; type 0: none; no bytes: left out. */
static void send_changed(struct lab *lab, enum lab_side_name from,
	const struct payload_set *set, uint8_t type, struct span bytes)
{
	struct message m = lab_craft(lab, from, IKE_AUTH, from == B, 1);

	for (unsigned i = 0; i < set->n; i++) {
		struct reader body = set->at[i].body;

		if (set->at[i].type != type)
			wr_bytes(message_payload(&m, set->at[i].type), rd_rest(&body));
		else if (bytes.len > 0)
			wr_bytes(message_payload(&m, type), bytes);
	}
	lab_send_crafted(lab, from, &m);
	lab_run(lab, 10);
}

static void assert_end(
	const struct lab_side *side, enum ike_close close, enum ike_why why)
{
	assert_int_equal(side->n_closed, 1);
	assert_int_equal(side->closed[0].why.close, close);
	assert_int_equal(side->closed[0].why.why, why);
	assert_int_equal(side->n_up, side->n_down);
}

/* ---- IKE_AUTH, the response */

/* A refuses, tells B, and neither keeps anything. */
static void misfit_response(
	uint8_t type, struct span bytes, enum ike_why why, const char *note)
{
	struct payload_set lost;
	struct lab *lab = lab_at_auth(1, B, &lost);

	send_changed(lab, B, &lost, type, bytes);
	assert_end(&lab->side[A], IKE_CLOSE_WE_REFUSED, why);
	assert_int_equal(lab->side[A].n_established, 0);
	lab_assert_noted(&lab->side[A], note);
	assert_int_equal(lab->side[B].n_closed, 1);
	assert_int_equal(lab_count(lab, A) + lab_count(lab, B), 0);
	lab_free(lab);
}

static struct span esp_answer(uint8_t *store, size_t cap, uint8_t proposals,
	uint16_t encr, uint16_t bits, uint16_t esn)
{
	struct writer w = wr_over(store, cap);
	struct wire_sa sa = {.n = 0};

	for (uint8_t i = 0; i < proposals; i++) {
		struct wire_proposal *p = wire_sa_add(&sa, PROTO_ESP, 4, 0x4711);

		wire_proposal_add(p, TRANSFORM_ENCR, encr, bits);
		wire_proposal_add(p, TRANSFORM_ESN, esn, 0);
	}
	sa_payload_write(&w, &sa);
	return wr_span(&w);
}

static struct span selectors(uint8_t *store, size_t cap, const struct ts *t)
{
	struct writer w = wr_over(store, cap);
	struct ts_list l = {.n = 1, .at = {*t}};

	ts_payload_write(&w, &l);
	return wr_span(&w);
}

static void a_choice_that_was_not_offered(void **state)
{
	uint8_t store[512];
	const char *note = "an ESP or AH proposal that we have not made";

	(void)state;
	misfit_response(PAYLOAD_SA,
		esp_answer(store, sizeof(store), 1, ENCR_AES_GCM_16, 256, ESN_NO),
		IKE_WHY_PROPOSAL, note);
	misfit_response(PAYLOAD_SA,
		esp_answer(store, sizeof(store), 1, ENCR_AES_GCM_16, 128, ESN_YES),
		IKE_WHY_PROPOSAL, note);
	misfit_response(PAYLOAD_SA,
		esp_answer(store, sizeof(store), 2, ENCR_AES_GCM_16, 128, ESN_NO),
		IKE_WHY_PROPOSAL, note);
	misfit_response(PAYLOAD_SA, span_text("nonsense"), IKE_WHY_PROPOSAL, note);
}

static void selectors_wider_than_asked_for(void **state)
{
	uint8_t store[512];
	struct ts any = ts_any(ADDR_V4);
	const char *note = "the peer's traffic selectors are not within";

	(void)state;
	misfit_response(PAYLOAD_TSR, selectors(store, sizeof(store), &any),
		IKE_WHY_SELECTORS, note);
	misfit_response(PAYLOAD_TSI, selectors(store, sizeof(store), &any),
		IKE_WHY_SELECTORS, note);
	misfit_response(PAYLOAD_TSI, span_text("\1\0\0\0shrt"), IKE_WHY_SELECTORS, note);
}

static void a_proof_of_another_kind(void **state)
{
	uint8_t rsa[36] = {AUTH_RSA_SIG}, wrong[36] = {AUTH_SHARED_KEY_MIC};

	(void)state;
	misfit_response(PAYLOAD_AUTH, span_of(rsa, sizeof(rsa)), IKE_WHY_AUTH,
		"does not prove itself with a pre-shared key");
	misfit_response(PAYLOAD_AUTH, span_of(wrong, sizeof(wrong)), IKE_WHY_AUTH,
		"pre-shared key differs from ours");
	misfit_response(PAYLOAD_AUTH, span_of(wrong, 20), IKE_WHY_AUTH,
		"pre-shared key differs from ours");
	misfit_response(PAYLOAD_IDR, span_text("\1\0\0\0bad"), IKE_WHY_AUTH,
		"INVALID_SYNTAX: the peer's identity or proof is malformed");
}

static void an_answer_without_what_it_must_have(void **state)
{
	(void)state;
	misfit_response(PAYLOAD_AUTH, span_of(NULL, 0), IKE_WHY_SYNTAX,
		"the peer's response is not well-formed");
	misfit_response(PAYLOAD_TSI, span_of(NULL, 0), IKE_WHY_SYNTAX,
		"the peer's response is not well-formed");
}

/* Refused the child by one who does not even have the key. */
static void a_refusal_of_the_child_must_be_proved(void **state)
{
	struct payload_set lost;
	struct lab *lab = lab_at_auth(2, B, &lost);
	uint8_t wrong[36] = {AUTH_SHARED_KEY_MIC};
	struct reader idr = payload_set_first(&lost, PAYLOAD_IDR)->body;

	(void)state;
	struct message m = lab_craft(lab, B, IKE_AUTH, true, 1);
	wr_bytes(message_payload(&m, PAYLOAD_IDR), rd_rest(&idr));
	wr_bytes(message_payload(&m, PAYLOAD_AUTH), span_of(wrong, sizeof(wrong)));
	ike_notify_write(&m, N_TS_UNACCEPTABLE, span_of(NULL, 0));
	lab_send_crafted(lab, B, &m);
	lab_run(lab, 10);
	assert_end(&lab->side[A], IKE_CLOSE_WE_REFUSED, IKE_WHY_AUTH);
	lab_free(lab);
}

static void an_error_that_nobody_has_heard_of(void **state)
{
	struct payload_set lost;
	struct lab *lab = lab_at_auth(3, B, &lost);

	(void)state;
	struct message m = lab_craft(lab, B, IKE_AUTH, true, 1);
	ike_notify_write(&m, 4711, span_of(NULL, 0));
	lab_send_crafted(lab, B, &m);
	lab_run(lab, 10);
	assert_end(&lab->side[A], IKE_CLOSE_REFUSED, IKE_WHY_OTHER);
	assert_int_equal(lab->side[A].closed[0].why.notify, 4711);
	lab_free(lab);
}

/* ---- IKE_AUTH, the request */

static void misfit_request(
	uint8_t type, struct span bytes, enum ike_why why, uint16_t notify)
{
	struct payload_set lost;
	struct lab *lab = lab_at_auth(4, A, &lost);

	send_changed(lab, A, &lost, type, bytes);
	assert_end(&lab->side[B], IKE_CLOSE_WE_REFUSED, why);
	assert_int_equal(lab->side[B].closed[0].why.notify, notify);
	assert_int_equal(lab->side[B].n_established, 0);
	assert_end(&lab->side[A], IKE_CLOSE_REFUSED, why);
	lab_free(lab);
}

static void a_request_that_cannot_be_read(void **state)
{
	const struct span nothing = span_of(NULL, 0);

	(void)state;
	misfit_request(
		PAYLOAD_SA, span_text("nonsense"), IKE_WHY_SYNTAX, N_INVALID_SYNTAX);
	misfit_request(
		PAYLOAD_IDI, span_text("\1\0\0\0abc"), IKE_WHY_SYNTAX, N_INVALID_SYNTAX);
	misfit_request(
		PAYLOAD_TSI, span_text("\1\0\0\0shrt"), IKE_WHY_SYNTAX, N_INVALID_SYNTAX);
	misfit_request(PAYLOAD_IDI, nothing, IKE_WHY_SYNTAX, N_INVALID_SYNTAX);
}

static void a_request_with_another_proof(void **state)
{
	uint8_t rsa[36] = {AUTH_RSA_SIG};

	(void)state;
	misfit_request(PAYLOAD_AUTH, span_of(rsa, sizeof(rsa)), IKE_WHY_AUTH,
		N_AUTHENTICATION_FAILED);
}

static void selectors_of_no_use(void **state)
{
	uint8_t store[512];
	struct ts v6 = ts_any(ADDR_V6);

	(void)state;
	misfit_request(PAYLOAD_TSI, selectors(store, sizeof(store), &v6),
		IKE_WHY_SELECTORS, N_TS_UNACCEPTABLE);
}

static void an_esp_spi_that_is_reserved(void **state)
{
	uint8_t store[512];
	struct writer w = wr_over(store, sizeof(store));
	struct wire_sa sa = {.n = 0};
	struct wire_proposal *p = wire_sa_add(&sa, PROTO_ESP, 4, 255);

	(void)state;
	wire_proposal_add(p, TRANSFORM_ENCR, ENCR_AES_GCM_16, 128);
	wire_proposal_add(p, TRANSFORM_ESN, ESN_NO, 0);
	sa_payload_write(&w, &sa);
	misfit_request(PAYLOAD_SA, wr_span(&w), IKE_WHY_PROPOSAL, N_NO_PROPOSAL_CHOSEN);
}

/* RFC 7296 2.21.2: the whole message is rejected, and the SA does not come to be. */
static void a_critical_payload_in_the_request(void **state)
{
	struct payload_set lost;
	struct lab *lab = lab_at_auth(5, A, &lost);

	(void)state;
	struct message m = lab_craft(lab, A, IKE_AUTH, false, 1);
	wr_bytes(message_payload_critical(&m, 220), span_text("odd"));
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 10);
	assert_end(&lab->side[B], IKE_CLOSE_WE_REFUSED, IKE_WHY_SYNTAX);
	assert_end(&lab->side[A], IKE_CLOSE_REFUSED, IKE_WHY_SYNTAX);
	assert_int_equal(
		lab->side[A].closed[0].why.notify, N_UNSUPPORTED_CRITICAL_PAYLOAD);
	lab_free(lab);
}

/* ---- proposals: RFC 7296 2.7, 3.3.6 */

struct offer {
	uint8_t type;
	uint16_t id, bits;
};

static bool b_accepts(const struct offer *extra)
{
	struct payload_set lost;
	struct lab *lab = lab_at_auth(6, A, &lost);
	uint8_t store[512];
	struct writer w = wr_over(store, sizeof(store));
	struct wire_sa sa = {.n = 0};
	struct wire_proposal *p = wire_sa_add(&sa, PROTO_ESP, 4, 0x4711);

	wire_proposal_add(p, TRANSFORM_ENCR, 12, 256); /* AES-CBC: only an alternative */
	wire_proposal_add(p, TRANSFORM_ENCR, ENCR_AES_GCM_16, 128);
	wire_proposal_add(p, extra->type, extra->id, extra->bits);
	sa_payload_write(&w, &sa);
	send_changed(lab, A, &lost, PAYLOAD_SA, wr_span(&w));
	bool up = lab->side[B].n_up == 1;
	if (up)
		assert_int_equal(lab->side[B].up[0].spi_out, 0x4711);
	lab_free(lab);
	return up;
}

static void transforms_that_may_and_may_not_stand_beside(void **state)
{
	(void)state;
	assert_true(b_accepts(&(struct offer){TRANSFORM_ESN, ESN_NO, 0}));
	assert_true(b_accepts(&(struct offer){TRANSFORM_INTEG, INTEG_NONE, 0}));
	assert_true(b_accepts(&(struct offer){TRANSFORM_KE, KE_NONE, 0}));
	assert_true(b_accepts(&(struct offer){TRANSFORM_ENCR, 60000, 0}));
	assert_false(b_accepts(&(struct offer){TRANSFORM_ESN, ESN_YES, 0}));
	assert_false(b_accepts(&(struct offer){TRANSFORM_INTEG, 12, 0}));
	assert_false(b_accepts(&(struct offer){TRANSFORM_KE, KE_CURVE25519, 0}));
	assert_false(b_accepts(&(struct offer){6, 1, 0})); /* a type we do not know */
	assert_false(b_accepts(&(struct offer){TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0}));
}

/* ---- IKE_SA_INIT, the response */

static void give_init(struct lab *lab, const struct wire_sa *choice, struct span public)
{
	struct ike_sa *a = lab_sa(lab, A);
	struct ike_header h = {.spi_i = a->spi_i,
		.spi_r = 99,
		.major = 2,
		.exchange = IKE_SA_INIT,
		.response = true};
	struct message m = message_begin(lab->crafted, sizeof(lab->crafted), &h);
	struct wire_ke ke = {.group = KE_CURVE25519, .public = public};
	uint8_t nonce[32] = {1};

	sa_payload_write(message_payload(&m, PAYLOAD_SA), choice);
	ke_payload_write(message_payload(&m, PAYLOAD_KE), &ke);
	nonce_payload_write(
		message_payload(&m, PAYLOAD_NONCE), span_of(nonce, sizeof(nonce)));
	ike_receive(lab->side[A].engine, lab->now_ms, &a->path, message_finish(&m));
}

static void an_init_answer_that_does_not_fit_is_as_if_it_had_not_come(void **state)
{
	struct lab *lab = lab_new(7);
	struct wire_sa choice = {.n = 0};
	struct wire_proposal *p = wire_sa_add(&choice, PROTO_IKE, 0, 0);
	uint8_t public[32] = {9};

	(void)state;
	wire_proposal_add(p, TRANSFORM_ENCR, ENCR_AES_GCM_16, 256);
	wire_proposal_add(p, TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0);
	wire_proposal_add(p, TRANSFORM_KE, KE_CURVE25519, 0);
	lab_call(lab, A);
	give_init(lab, &choice, span_of(public, 32)); /* not offered */
	p->at[0].key_bits = 128;
	give_init(lab, &choice, span_of(public, 31)); /* too short */
	public[0] = 0;
	give_init(lab, &choice, span_of(public, 32)); /* a point of low order */
	assert_int_equal(lab_sa(lab, A)->state, STATE_INIT_SENT);
	assert_int_equal(lab_counters(lab, A).malformed, 3);
	lab_assert_noted(&lab->side[A], "does not fit to what was asked");
	lab_run(lab, 10);
	assert_int_equal(lab->side[A].n_up, 1);
	lab_free(lab);
}

/* ---- odd moments */

static void refusals_while_leaving(void **state)
{
	struct lab *lab = lab_new(8);
	struct wire_notify n;

	(void)state;
	uint32_t id = lab_up(lab);
	lab->filter = lab_drop_from_a;
	assert_int_equal(
		ike_delete(lab->side[A].engine, lab->now_ms, id, 5000, 1), IKE_OK);
	struct message m = lab_craft(lab, B, CREATE_CHILD_SA, false, 0);
	wr_bytes(message_payload(&m, PAYLOAD_NONCE), span_text("anything"));
	lab_send_crafted(lab, B, &m);
	lab_run(lab, 1);
	struct payload_set set = lab_read(lab, lab_last(lab));
	assert_int_equal(
		notify_payload_read(payload_set_first(&set, PAYLOAD_NOTIFY)->body, &n),
		WIRE_OK);
	assert_int_equal(n.type, N_TEMPORARY_FAILURE);
	m = lab_craft(lab, B, INFORMATIONAL, false, 1);
	lab_send_crafted(lab, B, &m);
	lab_run(lab, 1);
	assert_int_equal(lab_read(lab, lab_last(lab)).n, 0);
	lab_free(lab);
}

static void a_delete_can_be_hurried(void **state)
{
	struct lab *lab = lab_new(9);

	(void)state;
	uint32_t id = lab_up(lab);
	struct ike_engine *a = lab->side[A].engine;
	lab->filter = lab_drop_from_a;
	assert_int_equal(ike_delete(a, lab->now_ms, id, 60000, 1), IKE_OK);
	assert_int_equal(ike_probe(a, lab->now_ms, id), IKE_NOT_READY);
	assert_int_equal(ike_move(a, id, &lab->side[B].conn.path.local), IKE_NOT_READY);
	assert_int_equal(ike_delete(a, lab->now_ms, id, 100, 1), IKE_OK);
	lab_run(lab, 100);
	assert_int_equal(lab->side[A].n_closed, 1);
	lab_free(lab);

	lab = lab_new(9);
	id = lab_up(lab);
	a = lab->side[A].engine;
	lab->filter = lab_drop_from_a;
	assert_int_equal(ike_delete(a, lab->now_ms, id, 60000, 1), IKE_OK);
	unsigned sent = lab->side[A].n_sent;
	assert_int_equal(ike_delete(a, lab->now_ms, id, 0, 3), IKE_OK);
	lab_run(lab, 50);
	assert_int_equal(lab->side[A].n_sent, sent + 3);
	assert_int_equal(lab->side[A].n_closed, 1);
	lab_free(lab);
}

/* The probe before it was never answered: the Delete leaves all the same. */
static void a_delete_is_the_last_word(void **state)
{
	struct lab *lab = lab_new(10);

	(void)state;
	uint32_t id = lab_up(lab);
	lab->filter = lab_drop_from_a;
	assert_int_equal(ike_probe(lab->side[A].engine, lab->now_ms, id), IKE_OK);
	assert_int_equal(
		ike_delete(lab->side[A].engine, lab->now_ms, id, 100, 1), IKE_OK);
	lab_run(lab, 100);
	assert_int_equal(lab->side[A].n_closed, 1);
	struct payload_set set = lab_read(lab, lab_last(lab));
	assert_true(payload_set_has(&set, PAYLOAD_DELETE));
	lab_free(lab);
}

static void a_call_is_taken_back(void **state)
{
	struct lab *lab = lab_new(11);

	(void)state;
	lab->filter = lab_drop_all;
	uint32_t id = lab_call(lab, A);
	assert_int_equal(
		ike_delete(lab->side[A].engine, lab->now_ms, id, 5000, 1), IKE_OK);
	assert_int_equal(lab->side[A].n_closed, 1);
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_DELETED_BY_US);
	assert_true(list_empty(&lab->side[A].engine->sas));
	lab_free(lab);
}

static void a_malformed_answer_while_leaving(void **state)
{
	struct lab *lab = lab_new(12);

	(void)state;
	uint32_t id = lab_up(lab);
	lab->filter = lab_drop_from_a;
	assert_int_equal(
		ike_delete(lab->side[A].engine, lab->now_ms, id, 60000, 1), IKE_OK);
	struct message m = lab_craft(lab, B, INFORMATIONAL, true, 2);
	wr_bytes(message_payload_critical(&m, 220), span_text("odd"));
	lab_send_crafted(lab, B, &m);
	lab_run(lab, 1);
	assert_int_equal(lab->side[A].n_closed, 1);
	lab_free(lab);
}

/* A call to whoever has the key: with whom is known only by the address. */
static void calls_to_nobody_in_particular(void **state)
{
	struct lab *lab = lab_new(13);
	struct ike_conn *c = &lab->side[A].conn;

	(void)state;
	c->remote_any = true;
	c->remote_id = (struct identity){.type = ID_ANY};
	lab_up(lab);
	struct payload_set set = lab_read(lab, &lab->log[2]);
	assert_true(ike_notify_find(&set, N_INITIAL_CONTACT, NULL));
	assert_false(payload_set_has(&set, PAYLOAD_IDR));
	lab_run(lab, 20000);
	lab_call(lab, A);
	lab_run(lab, 2);
	set = lab_read(lab, lab_last(lab));
	assert_false(ike_notify_find(&set, N_INITIAL_CONTACT, NULL));
	lab_run(lab, 20000);
	assert_int_equal(lab_count(lab, A), 1);
	assert_int_equal(lab_count(lab, B), 1);
	lab_free(lab);
}

/* After its NAT gave a peer another address, old selectors name nobody. */
static void selectors_that_the_call_itself_does_not_have(void **state)
{
	struct lab *lab = lab_new(15);

	(void)state;
	lab->side[A].conn.remote_ts.at[0] = ts_host(&lab->side[A].addr);
	uint32_t id = lab_call(lab, A);
	assert_int_not_equal(id, 0);
	assert_int_equal(lab->side[A].n_closed, 0);
	lab_run(lab, 1);
	assert_end(&lab->side[A], IKE_CLOSE_WE_REFUSED, IKE_WHY_SELECTORS);
	assert_int_equal(lab->side[A].n_sent, 0);
	lab_assert_noted(&lab->side[A], "not called");
	lab_free(lab);
}

static void a_friends_cookie(void **state)
{
	static const struct ike_limits limits = {.half_open = 4,
		.half_open_per_addr = 100,
		.cookie_above = 100,
		.established = 100};
	struct lab *lab = lab_new_limited(14, &limits);
	enum lab_side_name whose = A;

	(void)state;
	lab->side[B].friends = true;
	lab->filter = lose_auth;
	lab->filter_ctx = &whose;
	for (int i = 0; i < 6; i++) {
		lab_call(lab, A);
		lab_run(lab, 5);
	}
	/* A friend's address is no proof either: from half of the pool on it is asked. More
	 * than that one address does not get. */
	assert_int_equal(ike_count_half_open(lab->side[B].engine), 3);
	assert_int_equal(lab_counters(lab, B).cookies_sent, 1);
	assert_true(lab_counters(lab, B).half_open_refused >= 3);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_choice_that_was_not_offered),
		cmocka_unit_test(selectors_wider_than_asked_for),
		cmocka_unit_test(a_proof_of_another_kind),
		cmocka_unit_test(an_answer_without_what_it_must_have),
		cmocka_unit_test(a_refusal_of_the_child_must_be_proved),
		cmocka_unit_test(an_error_that_nobody_has_heard_of),
		cmocka_unit_test(a_request_that_cannot_be_read),
		cmocka_unit_test(a_request_with_another_proof),
		cmocka_unit_test(selectors_of_no_use),
		cmocka_unit_test(an_esp_spi_that_is_reserved),
		cmocka_unit_test(a_critical_payload_in_the_request),
		cmocka_unit_test(transforms_that_may_and_may_not_stand_beside),
		cmocka_unit_test(
			an_init_answer_that_does_not_fit_is_as_if_it_had_not_come),
		cmocka_unit_test(refusals_while_leaving),
		cmocka_unit_test(a_delete_can_be_hurried),
		cmocka_unit_test(a_delete_is_the_last_word),
		cmocka_unit_test(a_call_is_taken_back),
		cmocka_unit_test(a_malformed_answer_while_leaving),
		cmocka_unit_test(calls_to_nobody_in_particular),
		cmocka_unit_test(selectors_that_the_call_itself_does_not_have),
		cmocka_unit_test(a_friends_cookie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
