/* tests/unit/test_ike_followup_crossing.c - additional key exchanges behind CREATE_CHILD_SA (RFC
 * 9370 2.2.4) beside what the other side does: deletes, or begins the same.
 */
#include "followup_lab.h"

/* ---- what ends on the way */

static void either_side_deletes_the_ike_sa_meanwhile(void **state)
{
	(void)state;
	for (int what = 0; what < 2; what++)
		for (enum lab_side_name s = A; s <= B; s++)
			for (uint64_t after = 0; after < unit_rounds(8); after++) {
				struct lab *lab = lab_ready(59);

				rekeys[what](lab, A);
				lab_run(lab, after);
				assert_int_equal(
					ike_delete(lab->side[s].engine, lab->now_ms,
						lab->side[s].n_rekeyed > 0
							? lab->side[s].rekeyed[0].sa.id
							: lab->side[s].established[0].id,
						2000, 1),
					IKE_OK);
				lab_run(lab, 90000);
				assert_int_equal(lab_count(lab, A), 0);
				assert_int_equal(lab_count(lab, B), 0);
				assert_int_equal(lab->side[A].n_up, lab->side[A].n_down);
				assert_int_equal(lab->side[B].n_up, lab->side[B].n_down);
				lab_free(lab);
			}
}

static void either_side_deletes_the_child_meanwhile(void **state)
{
	(void)state;
	for (enum lab_side_name s = A; s <= B; s++)
		for (uint64_t after = 0; after < unit_rounds(8); after++) {
			struct lab *lab = lab_ready(60);
			uint32_t keep;

			assert_int_equal(
				ike_create_child(lab->side[A].engine, lab->now_ms,
					lab_sa(lab, A)->id, &lab->side[A].conn, &keep),
				IKE_OK);
			lab_run(lab, 100);
			rekey_child(lab, A);
			lab_run(lab, after);
			uint32_t old = lab->side[s].up[0].id;
			(void)!ike_delete_child(lab->side[s].engine, lab->now_ms, old);
			lab_run(lab, 90000);
			/* the other one, and perhaps what was made in its place */
			unsigned n = lab_sa(lab, A)->n_children;
			assert_in_range(n, 1, 2);
			assert_settled(lab, n);
			lab_free(lab);
		}
}

/* ---- collisions */

static void both_rekey(
	void (*rekey)(struct lab *, enum lab_side_name), unsigned exchanges)
{
	unsigned won[2] = {0, 0};

	for (uint64_t seed = 100; seed < 120; seed++) {
		struct lab *lab = lab_ready(seed);

		rekey(lab, A);
		rekey(lab, B);
		lab_run(lab, 2000);
		assert_int_equal(sent(lab, CREATE_CHILD_SA), 4);
		/* RFC 9370 2.2.4: one of them goes on, the other one MUST NOT */
		assert_int_equal(sent(lab, IKE_FOLLOWUP_KE), exchanges);
		enum lab_side_name winner = A;
		for (unsigned i = 0; i < lab->n_log; i++)
			if (lab->log[i].bytes[EXCHANGE_AT] == IKE_FOLLOWUP_KE &&
				!(lab->log[i].bytes[FLAGS_AT] & RESPONSE))
				winner = lab->log[i].from;
		won[winner]++;
		for (unsigned i = 0; i < lab->n_log; i++)
			if (lab->log[i].bytes[EXCHANGE_AT] == IKE_FOLLOWUP_KE)
				assert_true((lab->log[i].from == winner) ==
					    !(lab->log[i].bytes[FLAGS_AT] & RESPONSE));
		lab_run(lab, 60000);
		assert_settled(lab, 1);
		assert_int_equal(sent(lab, IKE_FOLLOWUP_KE), exchanges);
		lab_free(lab);
	}
	assert_true(won[A] > 0 && won[B] > 0);
}

static void both_rekey_the_child(void **state)
{
	(void)state;
	both_rekey(rekey_child, 4);
}

static void both_rekey_the_ike_sa(void **state)
{
	(void)state;
	both_rekey(rekey_ike, 4);
}

/* The request of one side arrives when the other's exchange is over, and what follows it goes
 * on: TEMPORARY_FAILURE (RFC 9370 2.2.4: MUST). */
static void one_side_has_gone_on(void **state)
{
	(void)state;
	for (int what = 0; what < 2; what++) {
		struct lab *lab = lab_ready(61);

		lab->filter = lose_followups;
		lost_now = true;
		rekeys[what](lab, A);
		lab_run(lab, 10); /* A waits for the answer to its IKE_FOLLOWUP_KE */
		ike_follow_drop(lab->side[B].engine, lab_sa(lab, B)); /* B tries, too */
		rekeys[what](lab, B);
		lab_run(lab, 5);
		assert_int_equal(last_error_of(lab, A), N_TEMPORARY_FAILURE);
		lost_now = false;
		lab_run(lab, 60000);
		assert_settled(lab, 1);
		lab_free(lab);
	}
}

static void want_another(struct lab *lab, enum lab_side_name s)
{
	uint32_t child;

	assert_int_equal(ike_create_child(lab->side[s].engine, lab->now_ms,
				 lab_sa(lab, s)->id, &lab->side[s].conn, &child),
		IKE_OK);
}

/* Both want the same further child, one of them so much later: there is one in the end.
 *
 *	CREATE_CHILD_SA SK{SA, Ni, KEi, TS}   -->
 *	                                      <--  SK{SA, Nr, KEr, TS, N(link1)}
 *	                                           ... it wants the same now, and waits
 *	IKE_FOLLOWUP_KE SK{KEi(1), N(link1)}  -->   ... */
static void both_want_the_same_child(void **state)
{
	(void)state;
	for (uint64_t seed = 160; seed < 160 + unit_rounds(10); seed++)
		for (uint64_t after = 0; after < 5; after++)
			for (enum lab_side_name s = A; s <= B; s++) {
				struct lab *lab = lab_ready(seed);

				want_another(lab, s);
				lab_run(lab, after);
				want_another(lab, s == A ? B : A);
				lab_run(lab, 60000);
				assert_settled(lab, 2);
				lab_free(lab);
			}
}

static unsigned in_use(const struct lab *lab, enum lab_side_name s)
{
	unsigned n = 0;

	list_each(item, &lab->side[s].engine->sas)
	{
		const struct ike_sa *sa = list_entry(item, struct ike_sa, all);

		n += sa->state == STATE_UP && !sa->replaced;
	}
	return n;
}

/* Both call without a child (RFC 6023), one of them so much later. When the last child of
 * the two has come, both sides know which of the IKE SAs is used. */
static void of_two_begun_without_a_child_one_is_used(void **state)
{
	(void)state;
	for (uint64_t after = 0; after < 12; after++) {
		struct lab *lab = lab_new(after + 1);

		for (enum lab_side_name s = A; s <= B; s++) {
			give(&lab->side[s], &two);
			lab->side[s].conn.childless = IKE_CHILDLESS_FORCE;
			lab->side[s].conn.nlbs = true;
		}
		lab_call(lab, A);
		lab_run(lab, after);
		lab_call(lab, B);
		lab_run(lab, 40);
		assert_int_equal(in_use(lab, A), 1);
		assert_int_equal(in_use(lab, B), 1);
		lab_free(lab);
	}
}

/* What the peer has begun may never come: then it is asked for all the same. */
static void the_child_that_is_waited_for_does_not_come(void **state)
{
	struct lab *lab = lab_ready(170);

	(void)state;
	want_another(lab, A);
	lab_run(lab, 1);
	lab->filter = lose_followups;
	lost_now = true;
	want_another(lab, B);
	lab_run(lab, 5000);
	assert_int_equal(lab->side[B].n_up, 1);
	assert_int_equal(sent(lab, CREATE_CHILD_SA), 2);
	lab_run(lab, 16000); /* B forgets what A has begun */
	lost_now = false;
	lab_run(lab, 60000);
	assert_settled(lab, 2);
	assert_true(sent(lab, CREATE_CHILD_SA) >= 4);
	lab_free(lab);
}

/* One side's suite has more behind it, the other side's not; both ask at once. */
static void crossed_with_and_without(void **state)
{
	static const struct ike_more none = {{0}};

	(void)state;
	for (int what = 0; what < 2; what++)
		for (uint64_t seed = 130; seed < 130 + unit_rounds(20); seed++) {
			struct lab *lab = lab_new(seed);

			for (enum lab_side_name s = A; s <= B; s++) {
				struct ike_proposals *p = &lab->side[s].conn.proposals;

				give(&lab->side[s], &two);
				p->ike[1] = p->ike[0];
				p->ike[1].more = none;
				p->n_ike = 2;
				p->pfs[1] = KE_CURVE25519;
				p->n_pfs = 2;
			}
			lab_up(lab);
			/* A asks for less from now on, B for more. */
			struct ike_sa *a = lab_sa(lab, A);
			a->conn->proposals.ike[0] = a->conn->proposals.ike[1];
			a->conn->proposals.n_ike = 1;
			ike_child_first(a)->proposals.pfs_more[0] = none;
			ike_child_first(a)->proposals.n_pfs = 1;
			rekeys[what](lab, A);
			rekeys[what](lab, B);
			lab_run(lab, 90000);
			assert_settled(lab, 1);
			lab_free(lab);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(either_side_deletes_the_ike_sa_meanwhile),
		cmocka_unit_test(either_side_deletes_the_child_meanwhile),
		cmocka_unit_test(both_rekey_the_child),
		cmocka_unit_test(both_rekey_the_ike_sa),
		cmocka_unit_test(one_side_has_gone_on),
		cmocka_unit_test(both_want_the_same_child),
		cmocka_unit_test(of_two_begun_without_a_child_one_is_used),
		cmocka_unit_test(the_child_that_is_waited_for_does_not_come),
		cmocka_unit_test(crossed_with_and_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
