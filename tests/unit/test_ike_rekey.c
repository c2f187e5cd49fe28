/* tests/unit/test_ike_rekey.c - rekeying a child, one thing at a time (RFC 7296 1.3.3, 2.8,
 * 2.9.2, 2.25.1).
 */
#include "ike_rekey_lab.h"

static void assert_rekeyed(struct lab *lab, enum lab_side_name by)
{
	const struct lab_side *us = &lab->side[by], *peer = &lab->side[1 - (int)by];

	assert_int_equal(us->n_up, 2);
	assert_int_equal(peer->n_up, 2);
	assert_int_equal(us->up[1].replaces, us->up[0].id);
	assert_int_equal(peer->up[1].replaces, peer->up[0].id);
	assert_true(us->up[1].initiator);
	lab_assert_children_match(&us->up[1], &peer->up[1]);
	assert_true(ts_list_equal(&us->up[1].local_ts, &us->up[0].local_ts));
	assert_true(ts_list_equal(&us->up[1].remote_ts, &us->up[0].remote_ts));
	assert_true(ts_list_equal(&peer->up[1].remote_ts, &peer->up[0].remote_ts));
	assert_int_equal(peer->up[1].rule, peer->up[0].rule);
	assert_memory_not_equal(
		us->up[1].key_in.b, us->up[0].key_in.b, us->up[0].key_in.len);
	for (int s = A; s <= B; s++) {
		assert_int_equal(lab->side[s].n_down, 1);
		assert_int_equal(lab->side[s].down[0].child, lab->side[s].up[0].id);
		assert_int_equal(lab->side[s].down[0].why, IKE_CLOSE_REPLACED);
		assert_int_equal(lab->side[s].n_closed, 0);
		assert_int_equal(lab_sa(lab, (enum lab_side_name)s)->n_children, 1);
	}
}

/*	A                                          B
 *	N(REKEY_SA), SA, Ni, TSi, TSr, N(T)  -->
 *	                                     <--  SA, Nr, TSi, TSr, N(T)
 *	a second later, since packets may be under way on it: D(old)  -->
 *	                                     <--  D(old)
 */
static void either_side_rekeys_a_child(void **state)
{
	(void)state;
	for (int by = A; by <= B; by++) {
		struct lab *lab = lab_new(10);
		struct lab_side *peer = &lab->side[1 - by];

		lab_up(lab);
		/* B has to know that A has its answer to IKE_AUTH. */
		assert_int_equal(
			ike_probe(engine(lab, A), lab->now_ms, lab_sa(lab, A)->id),
			IKE_OK);
		lab_run(lab, 10);
		assert_int_equal(ike_rekey_child(lab->side[by].engine, lab->now_ms,
					 first_child(lab, (enum lab_side_name)by)),
			IKE_OK);
		lab_run(lab, 1);
		assert_int_equal(peer->n_up, 2); /* before its response arrives */
		assert_int_equal(peer->n_down, 0);
		lab_run(lab, 1);
		assert_int_equal(lab->side[by].n_up, 2);
		assert_int_equal(lab->side[by].n_down, 0); /* still received on */
		lab_run(lab, 990);
		assert_int_equal(peer->n_down, 0);
		lab_run(lab, 20);
		assert_rekeyed(lab, (enum lab_side_name)by);
		lab_free(lab);
	}
}

static void the_request_names_the_child_by_our_spi(void **state)
{
	struct lab *lab = lab_new(11);
	uint8_t protocol;
	uint32_t spi;

	(void)state;
	lab_up(lab);
	uint32_t in = lab->side[A].up[0].spi_in;
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
		IKE_OK);
	struct payload_set set = lab_read(lab, lab_last(lab));
	assert_true(ike_notify_find_child(&set, N_REKEY_SA, &protocol, &spi));
	assert_int_equal(spi, in);
	assert_int_equal(protocol, PROTO_ESP);
	assert_true(ike_notify_find(&set, N_USE_TRANSPORT_MODE, NULL));
	assert_false(payload_set_has(&set, PAYLOAD_KE));
	lab_free(lab);
}

static struct lab_fate lose_from_b(struct lab *lab, const struct lab_datagram *d)
{
	unsigned *left = lab->filter_ctx;

	return (struct lab_fate){
		.copies = !(d->from == B && *left > 0 && (*left)--), .ms = 1};
}

static void a_lost_answer_makes_no_second_child(void **state)
{
	struct lab *lab = lab_new(12);
	unsigned lose = 3;

	(void)state;
	lab_up(lab);
	lab->filter = lose_from_b;
	lab->filter_ctx = &lose;
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
		IKE_OK);
	lab_run(lab, 10000);
	assert_rekeyed(lab, A);
	lab_free(lab);
}

static void rekeying_twice_is_rekeying_once(void **state)
{
	struct lab *lab = lab_new(13);

	(void)state;
	lab_up(lab);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
			IKE_OK);
	lab_run(lab, 1500);
	assert_rekeyed(lab, A);
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, 4711), IKE_NOT_FOUND);
	lab_free(lab);
}

static void with_a_key_exchange_of_its_own(void **state)
{
	static const struct {
		uint16_t a[2], b[2];
		bool required;
		uint16_t used;
		unsigned messages; /* of A */
	} cases[] = {
		{{KE_CURVE25519}, {KE_CURVE25519}, true, KE_CURVE25519, 1},
		{{KE_CURVE25519, KE_ECP_256}, {KE_ECP_256}, true, KE_ECP_256, 2},
		{{KE_MODP_2048, KE_ECP_256}, {KE_ECP_256, KE_MODP_2048}, true,
			KE_MODP_2048, 1},
		{{KE_CURVE25519}, {KE_NONE}, false, KE_NONE, 1},
		{{KE_NONE}, {KE_CURVE25519}, false, KE_NONE, 1},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lab *lab = lab_new(14);

		if (cases[i].a[0] != KE_NONE)
			set_pfs(&lab->side[A], cases[i].a[0], cases[i].a[1],
				cases[i].required);
		if (cases[i].b[0] != KE_NONE)
			set_pfs(&lab->side[B], cases[i].b[0], cases[i].b[1],
				cases[i].required);
		lab_up(lab);
		assert_int_equal(lab->side[A].up[0].pfs, KE_NONE);
		assert_int_equal(
			ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
			IKE_OK);
		lab_run(lab, 1500);
		assert_rekeyed(lab, A);
		assert_int_equal(lab->side[A].up[1].pfs, cases[i].used);
		assert_int_equal(lab->side[B].up[1].pfs, cases[i].used);
		assert_int_equal(lab->side[A].n_sent, 2 + cases[i].messages + 1);
		lab_free(lab);
	}
}

static void rekeying_that_is_refused_leaves_the_child(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		struct lab *lab = lab_new(15);
		static const uint16_t notify[] = {
			N_NO_PROPOSAL_CHOSEN, N_TS_UNACCEPTABLE, N_NO_ADDITIONAL_SAS};

		if (how == 0)
			set_pfs(&lab->side[B], KE_CURVE25519, KE_NONE, true);
		lab->side[B].conn.proposals.master_pfs = how == 2;
		lab_up(lab);
		if (how == 1) /* fewer selectors than there are */
			ike_child_first(lab_sa(lab, A))->is.local_ts.at[0].proto = IP_TCP;
		assert_int_equal(
			ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
			IKE_OK);
		lab_run(lab, 100);
		assert_int_equal(lab->side[A].n_refused, 1);
		assert_int_equal(lab->side[A].refused[0].child, lab->side[A].up[0].id);
		assert_int_equal(lab->side[A].refused[0].why.notify, notify[how]);
		assert_int_equal(lab->side[A].n_down + lab->side[B].n_down, 0);
		assert_int_equal(lab_sa(lab, A)->n_children, 1);
		assert_int_equal(lab_sa(lab, B)->n_children, 1);
		lab_free(lab);
	}
}

static void a_master_key_with_one_child_only(void **state)
{
	struct lab *lab = lab_new(16);
	uint32_t child;

	(void)state;
	lab->side[A].conn.proposals.master_pfs = true;
	uint32_t ike = lab_up(lab);
	assert_int_equal(ike_create_child(engine(lab, A), lab->now_ms, ike,
				 &lab->side[A].conn, &child),
		IKE_NOT_ALLOWED);
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
		IKE_NOT_ALLOWED);
	assert_int_equal(lab->n_log, 4);
	lab_free(lab);
}

/*	A                        B
 *	N(REKEY_SA), ...  -->            B does not have it any more
 *	                  <--  N(CHILD_SA_NOT_FOUND, SPI)
 *	SA, Ni, ...       -->            from scratch
 */
static void a_child_that_the_peer_has_lost(void **state)
{
	struct lab *lab = lab_new(17);
	struct wire_notify n;

	(void)state;
	lab_up(lab);
	struct child *lost = ike_child_first(lab_sa(lab, B));
	uint32_t spi = lost->is.spi_out;
	ike_child_down(engine(lab, B), lost, IKE_CLOSE_DELETED_BY_US);
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
		IKE_OK);
	lab_run(lab, 1);
	struct payload_set set = lab_read(lab, lab_last(lab));
	assert_int_equal(
		notify_payload_read(payload_set_first(&set, PAYLOAD_NOTIFY)->body, &n),
		WIRE_OK);
	assert_int_equal(n.type, N_CHILD_SA_NOT_FOUND);
	assert_int_equal(n.protocol, PROTO_ESP);
	const uint8_t octets[] = {0, 0, (uint8_t)(spi >> 8), (uint8_t)spi};
	unit_assert_span_equal(n.spi, span_of(octets, sizeof(octets)));
	lab_run(lab, 100);
	assert_int_equal(lab->side[A].n_down, 1);
	assert_int_equal(lab->side[A].n_up, 2);
	assert_int_equal(lab->side[A].up[1].replaces, 0);
	lab_assert_children_match(&lab->side[A].up[1], &lab->side[B].up[1]);
	lab_free(lab);
}

/* RFC 7296 2.25: not at once, and after several minutes of it the SA is closed. */
static void a_peer_that_is_always_busy(void **state)
{
	struct lab *lab = lab_new(18);

	(void)state;
	lab_up(lab);
	rate_init(&lab_sa(lab, B)->creates, 0, 0, lab->now_ms);
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
		IKE_OK);
	lab_run(lab, 500);
	assert_int_equal(lab->n_log, 4 + 2);
	assert_int_equal(error_in(lab, lab_last(lab)), N_TEMPORARY_FAILURE);
	lab_run(lab, 1000);
	assert_int_equal(lab->n_log, 4 + 2 + 2);
	lab_run(lab, 170000);
	assert_int_equal(lab->side[A].n_closed, 0);
	assert_in_range(lab->n_log, 4 + 2 * 7, 4 + 2 * 14);
	lab_run(lab, 60000);
	assert_int_equal(lab->side[A].n_closed, 1);
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_REFUSED);
	assert_int_equal(lab->side[A].closed[0].why.notify, N_TEMPORARY_FAILURE);
	assert_int_equal(lab->side[B].n_closed, 1);
	lab_free(lab);
}

static void a_peer_that_was_busy_for_a_while(void **state)
{
	struct lab *lab = lab_new(19);

	(void)state;
	lab_up(lab);
	rate_init(&lab_sa(lab, B)->creates, 0, 0, lab->now_ms);
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
		IKE_OK);
	lab_run(lab, 10000);
	rate_init(&lab_sa(lab, B)->creates, 100, 100, lab->now_ms);
	lab_run(lab, 30000);
	assert_rekeyed(lab, A);
	lab_free(lab);
}

/*	A                        B
 *	N(REKEY_SA), ...  -->
 *	                  <--  SA, Nr, ...
 *	{}                -->            and no Delete of the old one
 *	                  <--  {}
 *	                  ..   60 s
 *	                  <--  D(old)
 */
static void an_old_child_is_not_kept_for_ever(void **state)
{
	struct lab *lab = lab_new(20);

	(void)state;
	uint32_t ike = lab_up(lab);
	uint32_t old = first_child(lab, A);
	assert_int_equal(ike_rekey_child(engine(lab, A), lab->now_ms, old), IKE_OK);
	lab_run(lab, 1);
	engine(lab, A)->now_ms = lab->now_ms;
	ike_child_deleting(ike_child_by_id(engine(lab, A), old), IKE_CLOSE_REPLACED);
	lab->queue[0].at_ms = UINT64_MAX - 1; /* the answer: A does as if it had come */
	lab->n_queue = 0;
	ike_retransmit_stop(lab_sa(lab, A));
	ike_task_done(engine(lab, A), lab_sa(lab, A));
	assert_int_equal(ike_probe(engine(lab, A), lab->now_ms, ike), IKE_OK);
	lab_run(lab, 59000);
	assert_int_equal(lab->side[B].n_down, 0);
	lab_run(lab, 2000);
	assert_int_equal(lab->side[B].n_down, 1);
	assert_int_equal(lab->side[B].down[0].child, lab->side[B].up[0].id);
	assert_int_equal(lab->side[B].down[0].why, IKE_CLOSE_REPLACED);
	lab_free(lab);
}

/* What B was asked for in IKE_AUTH, it does not yet know to have come; the answer about
 * rekeying it shows that, and the Delete need not wait. */
static void the_first_child_is_rekeyed_by_its_responder(void **state)
{
	struct lab *lab = lab_new(21);

	(void)state;
	lab_up(lab);
	assert_int_equal(
		ike_rekey_child(engine(lab, B), lab->now_ms, first_child(lab, B)),
		IKE_OK);
	lab_run(lab, 10500);
	assert_rekeyed(lab, B);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(either_side_rekeys_a_child),
		cmocka_unit_test(the_request_names_the_child_by_our_spi),
		cmocka_unit_test(a_lost_answer_makes_no_second_child),
		cmocka_unit_test(rekeying_twice_is_rekeying_once),
		cmocka_unit_test(with_a_key_exchange_of_its_own),
		cmocka_unit_test(rekeying_that_is_refused_leaves_the_child),
		cmocka_unit_test(a_master_key_with_one_child_only),
		cmocka_unit_test(a_child_that_the_peer_has_lost),
		cmocka_unit_test(a_peer_that_is_always_busy),
		cmocka_unit_test(a_peer_that_was_busy_for_a_while),
		cmocka_unit_test(an_old_child_is_not_kept_for_ever),
		cmocka_unit_test(the_first_child_is_rekeyed_by_its_responder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
