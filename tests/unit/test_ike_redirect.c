/* tests/unit/test_ike_redirect.c - being sent to another gateway, and sending there (RFC 5685).
 *
 * A is the peer, B the gateway that is to be drained.
 */
#include "ike_lab.h"

#include "wire/notify_payload.h"
#include "wire/redirect.h"

static struct addr elsewhere(void)
{
	return unit_addr("192.0.2.77");
}

/* A lets itself be sent away, and B does so. */
static struct lab *lab_away(void)
{
	struct lab *lab = lab_new(5685);

	lab->side[A].conn.redirect = true;
	lab->side[B].away = elsewhere();
	return lab;
}

static const struct lab_datagram *logged(
	const struct lab *lab, enum lab_side_name from, uint8_t exchange, unsigned nth)
{
	for (unsigned i = 0; i < lab->n_log; i++)
		if (lab->log[i].from == from && lab->log[i].bytes[18] == exchange &&
			nth-- == 0)
			return &lab->log[i];
	return NULL;
}

static bool says(struct lab *lab, enum lab_side_name from, uint8_t exchange, unsigned nth,
	uint16_t notify)
{
	const struct lab_datagram *d = logged(lab, from, exchange, nth);

	assert_non_null(d);
	struct payload_set set = lab_read(lab, d);
	return ike_notify_find(&set, notify, NULL);
}

static void assert_sent_away(const struct lab *lab, unsigned times)
{
	const struct addr to = elsewhere();

	assert_int_equal(lab->side[A].n_redirected, times);
	if (times > 0)
		assert_true(addr_equal(&lab->side[A].gateway.addr, &to));
}

/* ---- IKE_SA_INIT
 *
 *	A                                    B
 *	.., N(REDIRECT_SUPPORTED)     -->
 *	                              <--    N(REDIRECT, 192.0.2.77, Ni), SPIr = 0
 */

static void a_caller_is_sent_away_without_a_trace(void **state)
{
	struct lab *lab = lab_away();
	struct ike_header h;
	struct reader payloads;

	(void)state;
	uint32_t id = lab_call(lab, A);
	lab_run(lab, 20);
	assert_sent_away(lab, 1);
	assert_int_equal(lab->side[A].gateway_of, id);
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_REDIRECTED);
	const struct lab_datagram *d = logged(lab, B, IKE_SA_INIT, 0);
	assert_int_equal(
		ike_header_read(span_of(d->bytes, d->len), &h, &payloads), WIRE_OK);
	assert_true(h.spi_r == 0);
	assert_int_equal(lab->n_log, 2);
	assert_true(list_empty(&lab->side[B].engine->sas));
	assert_int_equal(lab_count(lab, A), 0);
	assert_int_equal(lab_counters(lab, B).redirected, 1);
	lab_free(lab);
}

/* RFC 5685 3: MUST NOT be sent to who has not said that it can be. */
static void who_cannot_be_sent_away_is_served(void **state)
{
	struct lab *lab = lab_away();

	(void)state;
	lab->side[A].conn.redirect = false;
	lab_up(lab);
	assert_false(says(lab, A, IKE_SA_INIT, 0, N_REDIRECT_SUPPORTED));
	assert_int_equal(ike_redirect(lab->side[B].engine, lab->now_ms,
				 lab->side[B].established[0].id, &lab->side[B].away),
		IKE_NOT_ALLOWED);
	lab_free(lab);
}

/* RFC 5685 3: MUST say by whom it was sent; that is the offer, too. */
static void the_next_gateway_hears_of_the_first(void **state)
{
	struct lab *lab = lab_away();
	struct wire_redirect from;
	struct span data;

	(void)state;
	lab->side[A].conn.redirected_from = unit_addr("192.0.2.99");
	lab_call(lab, A);
	lab_run(lab, 20);
	struct payload_set set = lab_read(lab, logged(lab, A, IKE_SA_INIT, 0));
	assert_false(ike_notify_find(&set, N_REDIRECT_SUPPORTED, NULL));
	assert_true(ike_notify_find(&set, N_REDIRECTED_FROM, &data));
	assert_int_equal(redirect_read(data, &from), WIRE_OK);
	assert_true(addr_equal(&from.addr, &lab->side[A].conn.redirected_from));
	assert_sent_away(lab, 1); /* RFC 5685 3: again */
	lab_free(lab);
}

/* Two that are drained to each other: it stays with the second. */
static void nobody_is_sent_back_to_where_he_came_from(void **state)
{
	struct lab *lab = lab_away();

	(void)state;
	lab->side[A].conn.redirected_from = elsewhere();
	lab_up(lab);
	assert_sent_away(lab, 0);
	lab_free(lab);
}

/* It is asked for again, without the offer, and B has to serve. */
static void who_may_not_go_is_served_where_he_is(void **state)
{
	struct lab *lab = lab_away();

	(void)state;
	lab->side[A].stays = "the rule does not name it";
	lab_up(lab);
	assert_sent_away(lab, 0);
	lab_assert_noted(
		&lab->side[A], "redirected to 192.0.2.77, and not gone: the rule");
	assert_true(says(lab, A, IKE_SA_INIT, 0, N_REDIRECT_SUPPORTED));
	assert_false(says(lab, A, IKE_SA_INIT, 1, N_REDIRECT_SUPPORTED));
	lab_free(lab);
}

static struct lab_fate lose_init_of_b(struct lab *lab, const struct lab_datagram *d)
{
	(void)lab;
	return (struct lab_fate){
		.copies = !(d->from == B && d->bytes[18] == IKE_SA_INIT), .ms = 1};
}

/* The answer that B has sent again, with that gateway and another nonce. */
static void answer_with(struct lab *lab, struct wire_redirect r)
{
	static uint8_t bytes[2048], store[600];
	const struct lab_datagram *d = logged(lab, A, IKE_SA_INIT, 0);
	struct ike_header h;
	struct reader payloads;
	struct writer w = wr_over(store, sizeof(store));

	assert_int_equal(
		ike_header_read(span_of(d->bytes, d->len), &h, &payloads), WIRE_OK);
	h.initiator = false;
	h.response = true;
	struct message m = message_begin(bytes, sizeof(bytes), &h);
	redirect_write(&w, &r);
	ike_notify_write(&m, N_REDIRECT, wr_span(&w));
	const struct ike_path path = {.local = lab->side[A].conn.path.remote,
		.remote = lab->side[A].conn.path.local};
	lab_inject(lab, B, &path, message_finish(&m));
	lab_run(lab, 2);
}

static void assert_still_calling(struct lab *lab)
{
	assert_sent_away(lab, 0);
	assert_int_equal(lab_sa(lab, A)->state, STATE_INIT_SENT);
	assert_int_equal(lab->side[A].n_closed, 0);
}

/* RFC 5685 3: MUST be silently discarded if the nonce is not ours. */
static void a_strangers_redirect_is_ignored(void **state)
{
	static const uint8_t other[32] = {1};
	struct lab *lab = lab_away();
	const struct addr to = elsewhere();
	struct wire_redirect r = redirect_to(&to);

	(void)state;
	lab->filter = lose_init_of_b;
	lab_call(lab, A);
	lab_run(lab, 5);
	lab->filter = NULL;
	answer_with(lab, r); /* none */
	assert_still_calling(lab);
	r.nonce = span_of(other, sizeof(other));
	answer_with(lab, r);
	assert_still_calling(lab);
	lab_sa(lab, A)->conn->redirect = false; /* the right one, but it is not offered */
	r.nonce = nonce_span(&lab_sa(lab, A)->nonce_i);
	answer_with(lab, r);
	assert_still_calling(lab);
	assert_string_equal(lab->side[A].notes, "");
	lab_sa(lab, A)->conn->redirect = true;
	answer_with(lab, r);
	assert_sent_away(lab, 1);
	lab_free(lab);
}

/* The name of a gateway is for the host to resolve; this one cannot. */
static void a_name_that_is_not_resolved(void **state)
{
	struct lab *lab = lab_away();
	struct wire_redirect r = {.type = GATEWAY_FQDN, .name = span_text("gw.example")};

	(void)state;
	lab->filter = lose_init_of_b;
	lab_call(lab, A);
	lab_run(lab, 5);
	lab->filter = NULL;
	lab->side[B].away = (struct addr){0};
	r.nonce = nonce_span(&lab_sa(lab, A)->nonce_i);
	answer_with(lab, r);
	lab_assert_noted(
		&lab->side[A], "redirected to gw.example, and not gone: names are not");
	lab_run(lab, 20);
	assert_int_equal(lab->side[A].n_up, 1);
	lab_free(lab);
}

static void ipv6_as_well(void **state)
{
	struct lab *lab = lab_away();
	const struct addr to = unit_addr("2001:db8::77");

	(void)state;
	lab_use_v6(lab);
	lab->side[B].away = to;
	lab_call(lab, A);
	lab_run(lab, 20);
	assert_int_equal(lab->side[A].n_redirected, 1);
	assert_true(addr_equal(&lab->side[A].gateway.addr, &to));
	lab_free(lab);
}

/* ---- IKE_AUTH
 *
 *	A                                    B
 *	SK{IDi, AUTH, SA, ..}         -->
 *	                              <--    SK{IDr, AUTH, N(REDIRECT, 192.0.2.77)}
 *	SK{D}                         -->                              and the same from B
 */

/* B begins to drain between the two exchanges. */
static struct lab *lab_at_auth(void)
{
	struct lab *lab = lab_away();

	lab->side[B].away = (struct addr){0};
	lab_call(lab, A);
	lab_run(lab, 2);
	lab->side[B].away = elsewhere();
	return lab;
}

static void assert_nothing_left(struct lab *lab)
{
	assert_int_equal(lab->side[A].n_up + lab->side[B].n_up, 0);
	assert_int_equal(lab_count(lab, A) + lab_count(lab, B), 0);
}

static void in_ike_auth_both_have_proved_themselves(void **state)
{
	struct lab *lab = lab_at_auth();

	(void)state;
	lab_run(lab, 2);
	struct payload_set set = lab_read(lab, logged(lab, B, IKE_AUTH, 0));
	struct wire_redirect r;
	struct span data;
	assert_true(payload_set_has(&set, PAYLOAD_AUTH));
	assert_false(payload_set_has(&set, PAYLOAD_SA));
	assert_true(ike_notify_find(&set, N_REDIRECT, &data));
	assert_int_equal(redirect_read(data, &r), WIRE_OK);
	assert_int_equal(r.nonce.len, 0);
	lab_run(lab, 20);
	assert_sent_away(lab, 1);
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_REDIRECTED);
	assert_nothing_left(lab);
	lab_free(lab);
}

/* RFC 5685 6: MUST verify; of a gateway with another key A does not hear it. */
static void in_ike_auth_who_is_not_believed_sends_nobody(void **state)
{
	struct lab *lab = lab_at_auth();

	(void)state;
	lab->side[B].conn.local_id = identity_from_addr(&lab->side[B].away);
	lab_run(lab, 20);
	lab_assert_noted(&lab->side[A], "AUTHENTICATION_FAILED");
	assert_sent_away(lab, 0);
	assert_nothing_left(lab);
	lab_free(lab);
}

static void in_ike_auth_who_may_not_go_has_failed(void **state)
{
	struct lab *lab = lab_at_auth();

	(void)state;
	lab->side[A].stays = "the rule does not name it";
	lab_run(lab, 20);
	assert_sent_away(lab, 0);
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_REFUSED);
	assert_int_equal(lab->side[A].closed[0].why.why, IKE_WHY_REDIRECT);
	assert_nothing_left(lab);
	lab_free(lab);
}

/* ---- while the SA stands
 *
 *	A                                    B
 *	                              <--    SK{N(REDIRECT, 192.0.2.77)}
 *	SK{}                          -->
 */

static struct lab *lab_standing(enum lab_side_name caller)
{
	struct lab *lab = lab_new(5685);

	lab->side[A].conn.redirect = true;
	lab_call(lab, caller);
	lab_run(lab, 100);
	assert_int_equal(lab->side[B].n_up, 1);
	return lab;
}

static enum ike_err send_away(struct lab *lab)
{
	const struct addr to = elsewhere();
	enum ike_err err =
		ike_redirect(lab->side[B].engine, lab->now_ms, lab_sa(lab, B)->id, &to);

	lab_run(lab, 20);
	return err;
}

static void a_standing_peer_is_told(void **state)
{
	struct lab *lab = lab_standing(A);
	struct wire_redirect r;
	struct span data;

	(void)state;
	assert_true(lab->side[B].established[0].redirectable);
	assert_int_equal(send_away(lab), IKE_OK);
	struct payload_set set = lab_read(lab, logged(lab, B, INFORMATIONAL, 0));
	assert_true(ike_notify_find(&set, N_REDIRECT, &data));
	assert_int_equal(redirect_read(data, &r), WIRE_OK);
	assert_int_equal(r.nonce.len, 0); /* RFC 5685 5: MUST NOT */
	assert_sent_away(lab, 1);
	assert_int_equal(lab->side[A].n_closed, 0); /* the host goes when it can */
	assert_int_equal(lab_sa(lab, B)->out.bytes.len, 0);
	lab_free(lab);
}

static void it_is_told_again_after_a_rekey(void **state)
{
	struct lab *lab = lab_standing(A);

	(void)state;
	assert_int_equal(
		ike_rekey(lab->side[A].engine, lab->now_ms, lab_sa(lab, A)->id), IKE_OK);
	lab_run(lab, 1000);
	assert_int_equal(send_away(lab), IKE_OK);
	assert_sent_away(lab, 1);
	lab_free(lab);
}

/* With a nonce it is no such message; and a message that is lost is sent again. */
static void what_does_not_fit_is_answered_and_ignored(void **state)
{
	struct lab *lab = lab_standing(A);
	const struct addr to = elsewhere();
	struct wire_redirect r = redirect_to(&to);
	uint8_t store[128];
	struct writer w = wr_over(store, sizeof(store));

	(void)state;
	r.nonce = nonce_span(&lab_sa(lab, A)->nonce_i);
	redirect_write(&w, &r);
	struct message m = lab_craft(lab, B, INFORMATIONAL, false, 0);
	ike_notify_write(&m, N_REDIRECT, wr_span(&w));
	lab_send_crafted(lab, B, &m);
	lab_run(lab, 5);
	assert_sent_away(lab, 0);
	assert_int_equal(lab_last(lab)->from, A);
	lab_free(lab);
}

/* After a takeover it is the gateway that has called. RFC 5685 10 has nothing for that; a
 * vipsec peer says all the same that it can be sent away, and to vipsec only. */
static void a_vipsec_peer_that_was_called_is_told_too(void **state)
{
	struct lab *lab = lab_standing(B);

	(void)state;
	assert_true(says(lab, A, IKE_SA_INIT, 0, N_REDIRECT_SUPPORTED));
	assert_int_equal(send_away(lab), IKE_OK);
	assert_sent_away(lab, 1);
	lab_free(lab);
}

static void who_has_called_is_not_sent_away_by_whom_he_called(void **state)
{
	struct lab *lab = lab_standing(A);
	const struct addr to = elsewhere();

	(void)state;
	assert_int_equal(
		ike_redirect(lab->side[A].engine, lab->now_ms, lab_sa(lab, A)->id, &to),
		IKE_NOT_ALLOWED);
	lab_free(lab);
}

static void who_has_not_offered_it_does_not_go(void **state)
{
	struct lab *lab = lab_standing(A);

	(void)state;
	lab_sa(lab, A)->redirectable = false;
	assert_int_equal(send_away(lab), IKE_OK);
	assert_sent_away(lab, 0);
	assert_int_equal(lab_count(lab, A), 1);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_caller_is_sent_away_without_a_trace),
		cmocka_unit_test(who_cannot_be_sent_away_is_served),
		cmocka_unit_test(the_next_gateway_hears_of_the_first),
		cmocka_unit_test(nobody_is_sent_back_to_where_he_came_from),
		cmocka_unit_test(who_may_not_go_is_served_where_he_is),
		cmocka_unit_test(a_strangers_redirect_is_ignored),
		cmocka_unit_test(a_name_that_is_not_resolved),
		cmocka_unit_test(ipv6_as_well),
		cmocka_unit_test(in_ike_auth_both_have_proved_themselves),
		cmocka_unit_test(in_ike_auth_who_is_not_believed_sends_nobody),
		cmocka_unit_test(in_ike_auth_who_may_not_go_has_failed),
		cmocka_unit_test(a_standing_peer_is_told),
		cmocka_unit_test(it_is_told_again_after_a_rekey),
		cmocka_unit_test(what_does_not_fit_is_answered_and_ignored),
		cmocka_unit_test(a_vipsec_peer_that_was_called_is_told_too),
		cmocka_unit_test(who_has_called_is_not_sent_away_by_whom_he_called),
		cmocka_unit_test(who_has_not_offered_it_does_not_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
