/* tests/unit/test_ike_standing.c - of two IKE SAs, which takes the other's place: both sides
 * come to the same (src/ike/standing.c, crossing.c).
 */
#include "ike_steps.h"

/* ---- what the caller held (src/ike/standing.c) */

/* A message of B's in which it holds SAs as data says, read by A for the last of its SAs. */
static void hold(struct lab *lab, struct span data)
{
	struct ike_sa *sa = lab_sa(lab, A);
	struct message m = lab_craft(lab, B, INFORMATIONAL, false, 77);

	ike_notify_write(&m, N_VIPSEC_STANDING, data);
	lab_send_crafted(lab, B, &m);
	struct exchange x = {.e = engine(lab, A),
		.sa = sa,
		.from = &sa->path,
		.in = lab_read(lab, lab_last(lab))};
	lab->n_queue = 0;
	sa->n_over = 0;
	ike_standing_read(&x);
}

static struct span spis_of(const struct ike_sa *sa, uint8_t *store)
{
	struct writer w = wr_over(store, 16);

	wr_u64(&w, sa->spi_i);
	wr_u64(&w, sa->spi_r);
	return wr_span(&w);
}

static void only_what_both_hold_counts(void **state)
{
	struct lab *lab = lab_new(5);
	uint8_t spis[64] = {0};

	(void)state;
	const struct ike_sa *old = by_id(lab, lab_up(lab));
	lab_call(lab, A);
	lab_run(lab, 10);
	struct ike_sa *newer = lab_sa(lab, A);
	assert_ptr_not_equal(newer, old);
	assert_true(ike_standing_knew(newer, old));
	assert_false(ike_standing_knew(old, newer));
	hold(lab, spis_of(old, spis));
	assert_true(ike_standing_knew(newer, old));
	hold(lab, span_of(spis, 15));
	assert_int_equal(newer->n_over, 0);
	hold(lab, span_of(spis, 17));
	assert_int_equal(newer->n_over, 0);
	hold(lab, span_of(spis, 32)); /* the second is nobody's */
	assert_int_equal(newer->n_over, 1);
	hold(lab, span_of(NULL, 0));
	assert_int_equal(newer->n_over, 0);
	hold(lab, spis_of(newer, spis)); /* not itself */
	assert_int_equal(newer->n_over, 0);
	spis_of(old, spis);
	spis[15] ^= 1;
	hold(lab, span_of(spis, 16));
	assert_int_equal(newer->n_over, 0);
	lab_free(lab);
}

/* One for another rule is beside it. */
static void what_carries_other_traffic_is_not_named(void **state)
{
	struct lab *lab = lab_new(7);

	(void)state;
	lab_up(lab);
	lab->side[A].conn.rule++;
	lab->side[B].conn.rule++;
	uint32_t other = lab_call(lab, A);
	lab_run(lab, 10);
	assert_int_equal(by_id(lab, other)->state, STATE_UP);
	assert_int_equal(by_id(lab, other)->n_over, 0);
	assert_int_equal(lab_sa(lab, B)->n_over, 0);
	lab_free(lab);
}

static void it_is_said_to_our_own_kind_alone(void **state)
{
	struct lab *lab = lab_new(6);

	(void)state;
	lab_up(lab);
	lab_call(lab, A);
	lab_run(lab, 10);
	struct ike_sa *newer = lab_sa(lab, A);
	for (int vipsec = 0; vipsec <= 1; vipsec++) {
		struct message m = lab_craft(lab, A, INFORMATIONAL, false, 77);

		newer->peer_is_vipsec = vipsec;
		ike_standing_write(&m, newer);
		lab_send_crafted(lab, A, &m);
		struct payload_set in = lab_read(lab, lab_last(lab));
		assert_int_equal(ike_notify_find(&in, N_VIPSEC_STANDING, NULL), vipsec);
		assert_int_equal(newer->n_over, vipsec);
	}
	lab_free(lab);
}

static struct lab_fate lose_auth_answers_of_b(
	struct lab *lab, const struct lab_datagram *d)
{
	bool auth = d->bytes[18] == IKE_AUTH && (d->bytes[FLAGS_AT] & FLAG_RESPONSE);

	(void)lab;
	return (struct lab_fate){.copies = !(auth && d->from == B), .ms = 1};
}

/*	A                       B
 *	IKE_SA_INIT, IKE_AUTH -->             up at B, and the answer is lost
 *	                      <--  IKE_SA_INIT, IKE_AUTH: N(what it holds)
 *	...  -->
 *	IKE_AUTH again        -->
 *	                      <--  ...        up at A, the later of the two by A's clock
 */
static void both_know_which_was_there_first(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct lab *lab = lab_new(seed);

		lab->filter = lose_auth_answers_of_b;
		uint32_t old = lab_call(lab, A);
		lab_run(lab, 100);
		assert_int_equal(lab->side[A].n_established, 0);
		assert_int_equal(lab->side[B].n_established, 1);
		uint32_t newer = lab_call(lab, B);
		lab_run(lab, 100);
		lab->filter = NULL;
		lab_run(lab, 1000);
		assert_int_equal(lab->side[A].n_established, 2);
		assert_true(by_id(lab, old)->replaced);
		assert_false(ike_sa_by_id(engine(lab, B), newer)->replaced);
		lab_run(lab, 9000);
		assert_int_equal(lab_count(lab, A), 1);
		assert_int_equal(lab_count(lab, B), 1);
		assert_int_equal(lab_sa(lab, B)->id, newer);
		lab_free(lab);
	}
}

/* ---- the older of two goes */

/*	A                                   B
 *	CREATE_CHILD_SA (rekey the IKE SA)  -->
 *	                                    <--  ...
 *	IKE_SA_INIT, IKE_AUTH  -->                    reauthentication, right after it
 *	                       <--  ...
 *	D(the rekeyed one)  -->
 */
static void one_just_rekeyed_is_as_old_as_before(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct lab *lab = lab_new(seed);
		uint32_t old = lab_up(lab);

		lab_run(lab, 60000);
		assert_int_equal(ike_rekey(engine(lab, A), lab->now_ms, old), IKE_OK);
		lab_run(lab, 2000);
		uint32_t newer = lab_call(lab, A);
		lab_run(lab, 8000);
		/* never by lot, as between two calls that have crossed */
		assert_int_equal(lab_count(lab, A), 1);
		assert_int_equal(lab_sa(lab, A)->id, newer);
		lab_free(lab);
	}
}

/*	A                       B
 *	IKE_SA_INIT, IKE_AUTH -->
 *	                      <--  ...
 *	IKE_SA_INIT, IKE_AUTH -->             a few seconds later: on purpose, since the first
 *	                      <--  ...        was there when it was begun
 *	D(the first)  -->
 */
static void a_later_call_has_not_crossed(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct lab *lab = lab_new(seed);

		lab_up(lab);
		lab_run(lab, 8000); /* four fifths of the shortest lifetime */
		uint32_t newer = lab_call(lab, A);
		lab_run(lab, 3000);
		assert_int_equal(lab_count(lab, A), 1);
		assert_int_equal(lab_count(lab, B), 1);
		assert_int_equal(lab_sa(lab, A)->id, newer);
		lab_free(lab);
	}
}

/*	A                                   B
 *	                              lost  <--  CREATE_CHILD_SA (rekey the IKE SA)
 *	IKE_SA_INIT, IKE_AUTH  -->
 *	                                    <--  ...
 *	                                    <--  CREATE_CHILD_SA again
 *	...  -->
 *	D(the rekeyed one)  -->
 */
static void nor_is_one_younger_that_was_rekeyed_later(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct lab *lab = lab_new(seed);
		uint32_t old = lab_up(lab);
		struct loss loss;

		lab_run(lab, 5000);
		lose_of(lab, &loss, B);
		assert_int_equal(
			ike_rekey(engine(lab, B), lab->now_ms, lab_sa(lab, B)->id),
			IKE_OK);
		loss.on = false;
		uint32_t newer = lab_call(lab, A);
		lab_run(lab, 1000);
		assert_int_equal(lab->side[A].n_rekeyed, 1);
		assert_int_equal(lab->side[A].rekeyed[0].old, old);
		lab_run(lab, 8000);
		assert_int_equal(lab_count(lab, A), 1);
		assert_int_equal(lab_sa(lab, A)->id, newer);
		lab_free(lab);
	}
}

/* Nothing is said of what a caller holds; not ours: nor is side B of our kind. */
static void run_silent(struct lab *lab, uint64_t ms, bool ours)
{
	while (ms-- > 0) {
		lab_run(lab, 1);
		for (int s = A; s <= B; s++)
			list_each(item, &lab->side[s].engine->sas)
			{
				struct ike_sa *sa = list_entry(item, struct ike_sa, all);

				sa->peer_is_vipsec = ours;
				sa->n_over = 0;
			}
	}
}

/* The same where nobody says so: of two that are rekeyed and called within the same
 * seconds, the older goes. */
static void nor_where_it_is_not_said(void **state)
{
	(void)state;
	for (uint64_t seed = 14; seed < 38; seed++) {
		struct lab *lab = lab_new(seed);
		uint32_t old = lab_up(lab);
		struct loss loss;

		run_silent(lab, 20000, seed % 2);
		lose_of(lab, &loss, B);
		assert_int_equal(
			ike_rekey(engine(lab, B), lab->now_ms, lab_sa(lab, B)->id),
			IKE_OK);
		loss.on = false;
		uint32_t newer = lab_call(lab, A);
		run_silent(lab, 1000, seed % 2);
		assert_int_equal(lab->side[A].rekeyed[0].old, old);
		assert_false(by_id(lab, newer)->replaced);
		assert_true(by_id(lab, lab->side[A].rekeyed[0].sa.id)->replaced);
		lab_free(lab);
	}
}

/*	A                       B
 *	IKE_SA_INIT, IKE_AUTH  -->
 *	                       <--  ...
 *	CREATE_CHILD_SA (rekey that)  -->     before the older one has gone
 *	                       <--  ...
 *	D(the older)  -->
 */
static void what_takes_a_place_may_be_rekeyed_meanwhile(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct lab *lab = lab_new(seed);

		lab_up(lab);
		lab_run(lab, 5000);
		uint32_t newer = lab_call(lab, A);
		lab_run(lab, 100);
		assert_int_equal(ike_rekey(engine(lab, A), lab->now_ms, newer), IKE_OK);
		lab_run(lab, 9000);
		assert_int_equal(lab->side[A].n_rekeyed, 1);
		assert_int_equal(lab->side[A].rekeyed[0].old, newer);
		assert_int_equal(lab_count(lab, A), 1);
		assert_int_equal(lab_sa(lab, A)->id, lab->side[A].rekeyed[0].sa.id);
		lab_free(lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_both_hold_counts),
		cmocka_unit_test(what_carries_other_traffic_is_not_named),
		cmocka_unit_test(it_is_said_to_our_own_kind_alone),
		cmocka_unit_test(both_know_which_was_there_first),
		cmocka_unit_test(one_just_rekeyed_is_as_old_as_before),
		cmocka_unit_test(nor_is_one_younger_that_was_rekeyed_later),
		cmocka_unit_test(nor_where_it_is_not_said),
		cmocka_unit_test(what_takes_a_place_may_be_rekeyed_meanwhile),
		cmocka_unit_test(a_later_call_has_not_crossed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
