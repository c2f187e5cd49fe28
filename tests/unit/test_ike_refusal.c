/* tests/unit/test_ike_refusal.c - no SA comes up that should not, and both sides say why
 * in one clear line (RFC 7296 2.21).
 */
#include "ike_lab.h"

#include "wire/auth_payload.h"
#include "wire/ts_payload.h"

static void assert_closed(const struct lab_side *side, enum ike_close close,
	enum ike_why why, uint16_t notify)
{
	assert_int_equal(side->n_closed, 1);
	assert_int_equal(side->closed[0].why.close, close);
	assert_int_equal(side->closed[0].why.why, why);
	assert_int_equal(side->closed[0].why.notify, notify);
}

static void assert_nothing_is_left(struct lab *lab)
{
	lab_run(lab, 60000);
	for (int s = A; s <= B; s++) {
		assert_int_equal(lab_count(lab, (enum lab_side_name)s), 0);
		assert_true(list_empty(&lab->side[s].engine->sas));
		assert_int_equal(lab->side[s].n_up, lab->side[s].n_down);
		assert_int_equal(ike_next_due_ms(lab->side[s].engine), IKE_NEVER);
	}
}

/*	A                           B
 *	IKE_SA_INIT     <-->
 *	IKE_AUTH        -->
 *	                <--  N(AUTHENTICATION_FAILED)
 */
static void wrong_key(void **state)
{
	struct lab *lab = lab_new(1);

	(void)state;
	lab_set_psk(&lab->side[A], "another key");
	lab_call(lab, A);
	lab_run(lab, 10);
	assert_closed(
		&lab->side[A], IKE_CLOSE_REFUSED, IKE_WHY_AUTH, N_AUTHENTICATION_FAILED);
	assert_closed(&lab->side[B], IKE_CLOSE_WE_REFUSED, IKE_WHY_AUTH,
		N_AUTHENTICATION_FAILED);
	assert_int_equal(lab->side[A].n_established, 0);
	assert_int_equal(lab->side[B].n_established, 0);
	assert_int_equal(lab->side[B].n_up, 0);
	assert_true(identity_equal(
		&lab->side[B].closed[0].info.remote_id, &lab->side[A].conn.local_id));
	lab_assert_noted(&lab->side[A],
		"AUTHENTICATION_FAILED: the peer refuses: its pre-shared key differs");
	lab_assert_noted(&lab->side[B],
		"AUTHENTICATION_FAILED: the caller 192.0.2.10 has another "
		"pre-shared key than ours");
	assert_nothing_is_left(lab);
	lab_free(lab);
}

static void unknown_identity(void **state)
{
	struct lab *lab = lab_new(2);

	(void)state;
	assert_true(identity_parse("mallory.example", &lab->side[A].conn.local_id));
	lab_call(lab, A);
	lab_run(lab, 10);
	assert_closed(&lab->side[B], IKE_CLOSE_WE_REFUSED, IKE_WHY_AUTH,
		N_AUTHENTICATION_FAILED);
	lab_assert_noted(&lab->side[B], "mallory.example is not known to any rule here");
	assert_nothing_is_left(lab);
	lab_free(lab);
}

/*	A                           B
 *	IKE_SA_INIT     <-->
 *	IKE_AUTH        <-->                      B believes A, A does not believe B
 *	INFORMATIONAL {N(AUTHENTICATION_FAILED)} -->
 */
static void the_caller_may_not_believe_the_answer(void **state)
{
	struct lab *lab = lab_new(3);

	(void)state;
	lab_call(lab, A);
	lab_run(lab, 2); /* A's IKE_AUTH is on the wire */
	assert_true(secret_set(&lab_sa(lab, A)->conn->psk, span_text("changed since")));
	lab_run(lab, 10);
	assert_closed(&lab->side[A], IKE_CLOSE_WE_REFUSED, IKE_WHY_AUTH,
		N_AUTHENTICATION_FAILED);
	assert_closed(
		&lab->side[B], IKE_CLOSE_REFUSED, IKE_WHY_AUTH, N_AUTHENTICATION_FAILED);
	assert_int_equal(lab->side[A].n_established, 0);
	assert_int_equal(lab->side[B].n_up, 1);
	assert_int_equal(lab->side[B].n_down, 1);
	lab_assert_noted(&lab->side[A],
		"AUTHENTICATION_FAILED: the peer's pre-shared key differs from ours");
	assert_nothing_is_left(lab);
	lab_free(lab);
}

static void the_peer_is_somebody_else(void **state)
{
	struct lab *lab = lab_new(4);

	(void)state;
	lab_call(lab, A);
	lab_run(lab, 2);
	assert_true(identity_parse("other.example", &lab_sa(lab, A)->conn->remote_id));
	lab_run(lab, 10);
	assert_closed(&lab->side[A], IKE_CLOSE_WE_REFUSED, IKE_WHY_AUTH,
		N_AUTHENTICATION_FAILED);
	lab_assert_noted(&lab->side[A], "another identity than configured");
	assert_nothing_is_left(lab);
	lab_free(lab);
}

/* Nothing in IKE_SA_INIT is proved: the call goes on until it gives up. */
static void no_common_ike_proposal(void **state)
{
	struct lab *lab = lab_new(5);

	(void)state;
	lab->side[A].conn.proposals.ike[0].encr = AEAD_AES256_GCM16;
	lab_call(lab, A);
	lab_run(lab, 10000);
	assert_int_equal(lab_count(lab, A), 1);
	assert_int_equal(lab_count(lab, B), 0);
	lab_assert_noted(&lab->side[A], "NO_PROPOSAL_CHOSEN: the peer refuses");
	lab_assert_noted(&lab->side[B],
		"NO_PROPOSAL_CHOSEN: none of the caller's IKE proposals is ours");
	lab_run(lab, 10000);
	assert_closed(
		&lab->side[A], IKE_CLOSE_REFUSED, IKE_WHY_PROPOSAL, N_NO_PROPOSAL_CHOSEN);
	assert_int_equal(lab->side[B].n_closed, 0);
	assert_nothing_is_left(lab);
	lab_free(lab);
}

/*	A                           B
 *	IKE_AUTH  -->
 *	          <--  IDr, AUTH, N(error)     the IKE SA would stand, without a child:
 *	D         -->  <--  D                  both end it
 */
static void refused_child(struct lab *lab, enum ike_why why, uint16_t notify)
{
	lab_call(lab, A);
	lab_run(lab, 10);
	assert_closed(&lab->side[A], IKE_CLOSE_REFUSED,
		why == IKE_WHY_MODE ? IKE_WHY_SELECTORS : why, notify);
	assert_closed(&lab->side[B], IKE_CLOSE_WE_REFUSED, why, notify);
	assert_int_equal(lab->side[A].n_established, 0);
	assert_int_equal(lab->side[B].n_established, 0);
	assert_int_equal(lab->side[A].n_up + lab->side[B].n_up, 0);
	assert_nothing_is_left(lab);
}

static void no_common_esp_proposal(void **state)
{
	struct lab *lab = lab_new(6);

	(void)state;
	lab->side[A].conn.proposals.esp[0] = AEAD_CHACHA20_POLY1305;
	refused_child(lab, IKE_WHY_PROPOSAL, N_NO_PROPOSAL_CHOSEN);
	lab_assert_noted(
		&lab->side[B], "none of the caller's ESP or AH proposals is ours");
	lab_free(lab);
}

static void no_common_selectors(void **state)
{
	struct lab *lab = lab_new(7);

	(void)state;
	lab->side[A].conn.remote_ts.at[0].proto = IP_TCP;
	lab->side[B].conn.local_ts.at[0].proto = IP_UDP;
	refused_child(lab, IKE_WHY_SELECTORS, N_TS_UNACCEPTABLE);
	lab_assert_noted(&lab->side[A], "TS_UNACCEPTABLE: the peer refuses");
	lab_assert_noted(&lab->side[B],
		"TS_UNACCEPTABLE: no rule covers what the caller asks for");
	lab_free(lab);
}

static void tunnel_asked_transport_configured(void **state)
{
	struct lab *lab = lab_new(8);

	(void)state;
	lab_set_mode(&lab->side[A], POLICY_TUNNEL);
	refused_child(lab, IKE_WHY_MODE, N_TS_UNACCEPTABLE);
	lab_assert_noted(&lab->side[B],
		"the caller asks for tunnel mode, the rule has transport mode");
	lab_free(lab);
}

/* RFC 7296 1.3.1: the responder may decline transport mode, the initiator then deletes. */
static void transport_asked_tunnel_configured(void **state)
{
	struct lab *lab = lab_new(9);

	(void)state;
	lab_set_mode(&lab->side[B], POLICY_TUNNEL);
	lab_call(lab, A);
	lab_run(lab, 10);
	assert_closed(&lab->side[A], IKE_CLOSE_WE_REFUSED, IKE_WHY_MODE, 0);
	assert_closed(&lab->side[B], IKE_CLOSE_DELETED_BY_PEER, IKE_WHY_NONE, 0);
	assert_int_equal(lab->side[A].n_up, 0);
	lab_assert_noted(&lab->side[A], "the peer answers with tunnel mode");
	lab_assert_noted(&lab->side[B], "the caller asks for transport mode");
	assert_nothing_is_left(lab);
	lab_free(lab);
}

static void an_unbound_scope_says_nothing(void **state)
{
	struct lab *lab = lab_new(10);

	(void)state;
	lab->side[B].bound = false;
	lab_call(lab, A);
	lab_run(lab, 20000);
	assert_int_equal(lab->side[B].n_sent, 0);
	assert_closed(&lab->side[A], IKE_CLOSE_TIMEOUT, IKE_WHY_NONE, 0);
	assert_nothing_is_left(lab);
	lab_free(lab);
}

static struct lab_fate lose_proof_of_b(struct lab *lab, const struct lab_datagram *d)
{
	(void)lab;
	return (struct lab_fate){
		.copies = !(d->from == B && d->bytes[18] == IKE_AUTH), .ms = 1};
}

/* What the peer has of a call that was given up would be in the way of the next one.
 *
 *	SK{IDi, AUTH, ..}  -->
 *	                    x--  SK{IDr, AUTH, ..}     each time
 *	SK{D}              -->
 */
static void a_call_given_up_is_taken_back(void **state)
{
	struct lab *lab = lab_new(12);

	(void)state;
	lab->filter = lose_proof_of_b;
	lab_call(lab, A);
	lab_run(lab, 1000);
	assert_int_equal(lab->side[B].n_up, 1);
	lab_run(lab, 30000);
	assert_closed(&lab->side[A], IKE_CLOSE_TIMEOUT, IKE_WHY_NONE, 0);
	assert_closed(&lab->side[B], IKE_CLOSE_DELETED_BY_PEER, IKE_WHY_NONE, 0);
	assert_int_equal(lab->side[B].n_down, 1);
	assert_nothing_is_left(lab);
	lab_free(lab);
}

/* RFC 7296 2.16: IKE_AUTH without AUTH asks for EAP. */
static void a_caller_without_proof(void **state)
{
	struct lab *lab = lab_new(11);

	(void)state;
	lab_call(lab, A);
	lab_run(lab, 1); /* B is half open */
	lab->filter = lab_drop_from_a;
	lab_run(lab, 1); /* A's IKE_AUTH is lost */
	lab->filter = NULL;
	struct message m = lab_craft(lab, A, IKE_AUTH, false, 1);
	id_payload_write(message_payload(&m, PAYLOAD_IDI), &lab->side[A].conn.local_id);
	ts_payload_write(message_payload(&m, PAYLOAD_TSI), &lab->side[A].conn.local_ts);
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 5);
	assert_closed(&lab->side[B], IKE_CLOSE_WE_REFUSED, IKE_WHY_AUTH,
		N_AUTHENTICATION_FAILED);
	assert_closed(
		&lab->side[A], IKE_CLOSE_REFUSED, IKE_WHY_AUTH, N_AUTHENTICATION_FAILED);
	lab_assert_noted(&lab->side[B], "wants EAP");
	assert_nothing_is_left(lab);
	lab_free(lab);
}

/* RFC 7296 3.5: type 0 is reserved. With us it means "any". */
static void nobody_in_particular_is_not_believed(void **state)
{
	struct lab *lab = lab_new(13);

	(void)state;
	lab->side[B].conn.remote_any = true;
	lab_call(lab, A);
	lab_run(lab, 1);
	lab->filter = lab_drop_from_a;
	lab_run(lab, 1);
	lab->filter = NULL;
	struct payload_set set = lab_read(lab, lab_last(lab));
	struct message m = lab_craft(lab, A, IKE_AUTH, false, 1);
	for (unsigned i = 0; i < set.n; i++) {
		struct reader body = set.at[i].body;
		struct span bytes = rd_rest(&body);
		size_t at = wr_len(&m.w) + PAYLOAD_HEADER_LEN;

		wr_bytes(message_payload(&m, set.at[i].type), bytes);
		if (set.at[i].type == PAYLOAD_IDI)
			wr_fill_u8(&m.w, at, ID_ANY);
	}
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 5);
	assert_closed(
		&lab->side[B], IKE_CLOSE_WE_REFUSED, IKE_WHY_SYNTAX, N_INVALID_SYNTAX);
	assert_nothing_is_left(lab);
	lab_free(lab);
}

/* Wrong proofs leave something to answer their repetition with, but not without end. */
static void refused_callers_are_not_kept_in_numbers(void **state)
{
	static const struct ike_limits limits = {.half_open = 10,
		.half_open_per_addr = 10,
		.cookie_above = 10,
		.established = 100};
	struct lab *lab = lab_new_limited(14, &limits);

	(void)state;
	lab_set_psk(&lab->side[A], "another key");
	for (int i = 0; i < 30; i++) {
		lab_call(lab, A);
		lab_run(lab, 10);
	}
	assert_int_equal(lab->side[B].n_closed, 30);
	assert_int_equal(lab->side[B].engine->n_gone, 10);
	assert_int_equal(map_count(lab->side[B].engine->by_spi), 10);
	lab_run(lab, 11000);
	assert_int_equal(lab->side[B].engine->n_gone, 0);
	assert_int_equal(map_count(lab->side[B].engine->by_spi), 0);
	assert_int_equal(map_count(lab->side[B].engine->by_pair), 0);
	lab_free(lab);
}

/* What a peer offers beyond what we do is ignored: here MOBIKE, fragmentation, a request
 * for an address, a vendor ID of its own. */
static struct lab_fate swap_auth(struct lab *lab, const struct lab_datagram *d)
{
	struct lab_fate fate = {.copies = 1, .ms = 1};

	if (d->bytes[18] == IKE_AUTH && d->from == A && lab->filter_ctx == NULL)
		fate.copies = 0;
	return fate;
}

static void the_peers_extras_are_ignored(void **state)
{
	struct lab *lab = lab_new(12);

	(void)state;
	lab_call(lab, A);
	lab->filter = swap_auth;
	lab_run(lab, 2);
	lab->filter_ctx = lab;

	struct lab_datagram *sent = &lab->log[lab->n_log - 1];
	assert_int_equal(sent->bytes[18], IKE_AUTH);
	/* The same payloads once more, with extras behind them. */
	struct ike_sa *b = lab_sa(lab, B);
	(void)b;
	struct payload_set set = lab_read(lab, sent);
	struct message m = lab_craft(lab, A, IKE_AUTH, false, 1);
	for (unsigned i = 0; i < set.n; i++) {
		struct reader body = set.at[i].body;

		wr_bytes(message_payload(&m, set.at[i].type), rd_rest(&body));
	}
	ike_notify_write(&m, N_MOBIKE_SUPPORTED, span_of(NULL, 0));
	ike_notify_write(&m, N_IKEV2_FRAGMENTATION_SUPPORTED, span_of(NULL, 0));
	ike_notify_write(&m, 16397, span_text("\xc0\x00\x02\x63"));
	wr_bytes(message_payload(&m, PAYLOAD_CP), span_text("\1\0\0\0"));
	wr_bytes(message_payload(&m, PAYLOAD_VENDOR), span_text("somebody else"));
	wr_bytes(message_payload(&m, 200), span_text("not critical"));
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 5);
	assert_int_equal(lab->side[B].n_up, 1);
	assert_int_equal(lab->side[A].n_up, 1);
	set = lab_read(lab, lab_last(lab));
	assert_false(ike_notify_find(&set, N_MOBIKE_SUPPORTED, NULL));
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_key),
		cmocka_unit_test(unknown_identity),
		cmocka_unit_test(the_caller_may_not_believe_the_answer),
		cmocka_unit_test(the_peer_is_somebody_else),
		cmocka_unit_test(no_common_ike_proposal),
		cmocka_unit_test(no_common_esp_proposal),
		cmocka_unit_test(no_common_selectors),
		cmocka_unit_test(tunnel_asked_transport_configured),
		cmocka_unit_test(transport_asked_tunnel_configured),
		cmocka_unit_test(an_unbound_scope_says_nothing),
		cmocka_unit_test(a_call_given_up_is_taken_back),
		cmocka_unit_test(a_caller_without_proof),
		cmocka_unit_test(nobody_in_particular_is_not_believed),
		cmocka_unit_test(refused_callers_are_not_kept_in_numbers),
		cmocka_unit_test(the_peers_extras_are_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
