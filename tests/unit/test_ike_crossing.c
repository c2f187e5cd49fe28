/* tests/unit/test_ike_crossing.c - more than one IKE SA of a pair: both call at once, a
 * restarted peer, a peer that insists (RFC 7296 2.4; src/ike/crossing.c).
 */
#include "ike_lab.h"

static unsigned count_live(struct lab *lab, enum lab_side_name s, bool replaced)
{
	unsigned n = 0;

	list_each(item, &lab->side[s].engine->sas)
	{
		const struct ike_sa *sa = list_entry(item, struct ike_sa, all);

		n += sa->state == STATE_UP && sa->replaced == replaced;
	}
	return n;
}

static struct ike_sa *live(struct lab *lab, enum lab_side_name s)
{
	list_each(item, &lab->side[s].engine->sas)
	{
		struct ike_sa *sa = list_entry(item, struct ike_sa, all);

		if (sa->state == STATE_UP && !sa->replaced)
			return sa;
	}
	fail_msg("no SA is up");
	return NULL;
}

/* One SA each, and it is the same. */
static void assert_one_pair(struct lab *lab)
{
	assert_int_equal(lab_count(lab, A), 1);
	assert_int_equal(lab_count(lab, B), 1);
	assert_int_equal(live(lab, A)->spi_i, live(lab, B)->spi_i);
	assert_int_equal(live(lab, A)->spi_r, live(lab, B)->spi_r);
	assert_non_null(ike_child_first(live(lab, A)));
	assert_non_null(ike_child_first(live(lab, B)));
}

static void assert_quiet(struct lab *lab)
{
	unsigned sent = lab->side[A].n_sent + lab->side[B].n_sent;

	lab_run(lab, 120000);
	assert_int_equal(lab->side[A].n_sent + lab->side[B].n_sent, sent);
}

static bool has_contact(struct lab *lab, const struct lab_datagram *d)
{
	struct payload_set set = lab_read(lab, d);

	return ike_notify_find(&set, N_INITIAL_CONTACT, NULL);
}

/* ---- two of our own */

/*	A                       B
 *	IKE_SA_INIT -->  <-- IKE_SA_INIT
 *	        (answered, both)
 *	IKE_AUTH    -->  <-- IKE_AUTH         neither says INITIAL_CONTACT
 *	        (answered, both)
 *	two SAs; the one with the lowest nonce is deleted by who began it
 */
static void both_call_in_one_instant(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct lab *lab = lab_new(seed);

		lab_call(lab, A);
		lab_call(lab, B);
		lab_run(lab, 10);
		assert_int_equal(lab->side[A].n_up, 2);
		assert_int_equal(lab->side[B].n_up, 2);
		assert_int_equal(count_live(lab, A, false), 1);
		assert_int_equal(count_live(lab, A, true), 1);
		assert_int_equal(live(lab, A)->spi_i, live(lab, B)->spi_i);
		uint64_t winner = live(lab, A)->spi_i;
		lab_run(lab, 2000);
		assert_one_pair(lab);
		assert_int_equal(live(lab, A)->spi_i, winner);
		for (int s = A; s <= B; s++) {
			assert_int_equal(lab->side[s].n_closed, 1);
			assert_int_equal(
				lab->side[s].closed[0].why.close, IKE_CLOSE_REPLACED);
			assert_true(lab->side[s].closed[0].info.replaced);
		}
		assert_quiet(lab);
		lab_free(lab);
	}
}

static void a_crossing_call_is_no_initial_contact(void **state)
{
	struct lab *lab = lab_new(2);
	unsigned auths = 0;

	(void)state;
	lab_call(lab, A);
	lab_call(lab, B);
	lab_run(lab, 2);
	for (unsigned i = 0; i < lab->n_log; i++) {
		struct lab_datagram *d = &lab->log[i];

		if (d->bytes[18] != IKE_AUTH)
			continue;
		auths++;
		/* read it with the keys of the SA that it belongs to */
		struct ike_engine *e = lab->side[1 - (int)d->from].engine;
		struct ike_sa *sa = list_entry(e->sas.prev, struct ike_sa, all);
		list_del(&sa->all);
		list_add(&e->sas, &sa->all);
		assert_false(has_contact(lab, d));
	}
	assert_int_equal(auths, 2);
	lab_free(lab);
}

static void a_lone_call_is_initial_contact(void **state)
{
	struct lab *lab = lab_new(3);

	(void)state;
	lab_up(lab);
	assert_true(has_contact(lab, &lab->log[2]));
	lab_free(lab);

	lab = lab_new(3);
	lab->side[A].conn.no_contact = true;
	lab_up(lab);
	assert_false(has_contact(lab, &lab->log[2]));
	lab_free(lab);
}

struct weather {
	struct entropy dice;
	bool fair;
};

static struct lab_fate bad_weather(struct lab *lab, const struct lab_datagram *d)
{
	struct weather *w = lab->filter_ctx;
	uint32_t roll = entropy_below(&w->dice, 100);

	(void)d;
	if (w->fair)
		return (struct lab_fate){.copies = 1, .ms = 1};
	return (struct lab_fate){.copies = roll < 30   ? 0
					   : roll < 50 ? 2
						       : 1,
		.ms = 1 + entropy_below(&w->dice, 400)};
}

/* Crossing calls in bad weather, at any distance in time: one pair in the end, and never
 * none once there was one. */
static void crossings_in_bad_weather(void **state)
{
	(void)state;
	for (uint64_t seed = 1000; seed < 1200; seed++) {
		struct lab *lab = lab_new(seed);
		struct seeded_entropy store;
		struct weather w = {.dice = entropy_seeded(&store, seed * 3)};

		lab->filter = bad_weather;
		lab->filter_ctx = &w;
		lab->side[A].conn.give_up_ms = lab->side[B].conn.give_up_ms = 12000;
		lab_call(lab, A);
		lab_run(lab, entropy_below(&w.dice, 1500));
		lab_call(lab, B);
		lab_run(lab, 14000);
		w.fair = true;
		lab_run(lab, 40000);
		if (lab->side[A].n_up > 0 && lab->side[B].n_up > 0)
			assert_one_pair(lab);
		assert_quiet(lab);
		lab_free(lab);
	}
}

/*	A                       B
 *	IKE_SA_INIT --> lost
 *	            <-- IKE_SA_INIT, and so on
 */
static void a_call_in_vain_ends(void **state)
{
	struct lab *lab = lab_new(4);

	(void)state;
	lab->filter = lab_drop_all;
	uint32_t id = lab_call(lab, A);
	lab->filter = NULL;
	lab_call(lab, B);
	lab_run(lab, 10);
	assert_one_pair(lab);
	assert_int_equal(lab->side[A].n_closed, 1);
	assert_int_equal(lab->side[A].closed[0].info.id, id);
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_REPLACED);
	assert_quiet(lab);
	lab_free(lab);
}

/* The winner goes before the loser is ended: the loser stays. */
static void the_loser_inherits(void **state)
{
	struct lab *lab = lab_new(5);

	(void)state;
	lab_call(lab, A);
	lab_call(lab, B);
	lab_run(lab, 10);
	struct ike_sa *winner = live(lab, A);
	assert_int_equal(
		ike_delete(lab->side[A].engine, lab->now_ms, winner->id, 2000, 1),
		IKE_OK);
	lab_run(lab, 100);
	assert_one_pair(lab);
	assert_quiet(lab);
	assert_one_pair(lab);
	lab_free(lab);
}

/* A loser that the host deletes is not deleted once more at its own deadline. */
static void the_loser_is_deleted_by_the_host(void **state)
{
	struct lab *lab = lab_new(13);

	(void)state;
	lab_call(lab, A);
	lab_call(lab, B);
	lab_run(lab, 10);
	lab->filter = lab_drop_all;
	for (int s = A; s <= B; s++)
		list_each(item, &lab->side[s].engine->sas)
		{
			struct ike_sa *sa = list_entry(item, struct ike_sa, all);

			if (sa->replaced)
				assert_int_equal(ike_delete(lab->side[s].engine,
							 lab->now_ms, sa->id, 20000, 1),
					IKE_OK);
		}
	lab_run(lab, 30000);
	assert_one_pair(lab);
	assert_int_equal(lab->side[A].n_closed, 1);
	lab_free(lab);
}

/* ---- a peer that has lost its state */

static void a_restarted_peer_replaces_at_once(void **state)
{
	struct lab *lab = lab_new(6);

	(void)state;
	uint32_t old = lab_up(lab);
	lab_run(lab, 5000);
	ike_forget_scope(lab->side[B].engine, lab->now_ms, 0);
	lab_call(lab, B);
	lab_run(lab, 10);
	assert_one_pair(lab);
	assert_int_equal(lab->side[A].n_closed, 1);
	assert_int_equal(lab->side[A].closed[0].info.id, old);
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_REPLACED);
	/* the new one came first: no gap */
	assert_int_equal(lab->side[A].n_up, 2);
	assert_quiet(lab);
	lab_free(lab);
}

static void without_contact_the_older_goes(void **state)
{
	struct lab *lab = lab_new(7);

	(void)state;
	lab->side[B].conn.no_contact = true;
	uint32_t old = lab_up(lab);
	lab_run(lab, 20000);
	ike_forget_scope(lab->side[B].engine, lab->now_ms, 0);
	lab_call(lab, B);
	lab_run(lab, 10);
	assert_int_equal(lab_count(lab, A), 2);
	assert_int_not_equal(live(lab, A)->id, old);
	lab_run(lab, 9000);
	assert_one_pair(lab);
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_REPLACED);
	lab_free(lab);
}

/* The other node's SA is 9 s old and its node is dead: whatever the nonces say, the SA that
 * works is not given up for it. */
static void a_dead_winner_takes_nobody_with_it(void **state)
{
	unsigned older_won = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct lab *lab = lab_new(seed);

		lab->side[B].conn.no_contact = true;
		uint32_t old = lab_up(lab);
		lab_run(lab, 9000);
		ike_forget_scope(lab->side[B].engine, lab->now_ms, 0);
		lab_call(lab, B);
		lab_run(lab, 10);
		older_won += live(lab, A)->id == old;
		lab_run(lab, 8000);
		assert_int_equal(lab_count(lab, B), 1);
		unsigned fresh = 0;
		list_each(item, &lab->side[A].engine->sas)
		{
			struct ike_sa *sa = list_entry(item, struct ike_sa, all);
			fresh += sa->state == STATE_UP && sa->id != old;
		}
		assert_int_equal(fresh, 1);
		lab_free(lab);
	}
	assert_in_range(older_won, 1, 7); /* both were tried */
}

static void two_rules_of_one_pair_do_not_fight(void **state)
{
	struct lab *lab = lab_new(8);

	(void)state;
	for (int rule = 1; rule <= 2; rule++) {
		for (int s = A; s <= B; s++)
			lab->side[s].conn.rule = (uint32_t)rule;
		lab_call(lab, A);
	}
	lab_run(lab, 1);
	lab->side[B].conn.rule = 1; /* B's policy is asked when IKE_AUTH comes */
	lab_run(lab, 100);
	assert_int_equal(count_live(lab, A, false), 2);
	lab_free(lab);

	/* the same rule, but other traffic: TCP and UDP */
	lab = lab_new(9);
	for (int proto = 0; proto <= 1; proto++) {
		for (int s = A; s <= B; s++)
			lab->side[s].conn.local_ts.at[0].proto = proto ? IP_TCP : IP_UDP;
		lab_call(lab, A);
		lab_run(lab, 20);
	}
	lab_run(lab, 20000);
	assert_int_equal(count_live(lab, A, false), 2);
	assert_int_equal(count_live(lab, B, false), 2);
	lab_free(lab);
}

/* ---- peers that are not ours: B here answers and calls, and ends nothing by itself */

static void make_stock(struct lab *lab)
{
	for (int s = A; s <= B; s++)
		list_each(item, &lab->side[s].engine->sas)
		{
			struct ike_sa *sa = list_entry(item, struct ike_sa, all);

			sa->peer_is_vipsec = false;
			if (s == B && sa->crossing.due_ms != IKE_NEVER) {
				sa->crossing.due_ms = IKE_NEVER;
				ike_timer_update(lab->side[s].engine, sa);
			}
		}
}

static void run_stock(struct lab *lab, uint64_t ms)
{
	while (ms-- > 0) {
		lab_run(lab, 1);
		make_stock(lab);
	}
}

static void crossing_with_another_peer(void **state)
{
	struct lab *lab = lab_new(10);

	(void)state;
	lab_call(lab, A);
	lab_call(lab, B);
	run_stock(lab, 100);
	assert_int_equal(count_live(lab, A, false), 1);
	assert_int_equal(count_live(lab, A, true), 1);
	run_stock(lab, 4800);
	assert_int_equal(lab_count(lab, A), 2); /* 5 s, for what is still on its way */
	run_stock(lab, 300);
	assert_one_pair(lab);
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_REPLACED);
	assert_quiet(lab);
	lab_free(lab);
}

static void a_duplicate_in_use_stays_until_it_is_not(void **state)
{
	struct lab *lab = lab_new(11);

	(void)state;
	lab_call(lab, A);
	lab_call(lab, B);
	run_stock(lab, 100);
	for (int i = 0; i < 20; i++) {
		list_each(item, &lab->side[A].engine->sas) ike_used(lab->side[A].engine,
			list_entry(item, struct ike_sa, all)->id, lab->now_ms);
		run_stock(lab, 1000);
	}
	assert_int_equal(lab_count(lab, A), 2);
	run_stock(lab, 6000);
	assert_one_pair(lab);
	lab_free(lab);
}

/*	A                       B (start_action=start)
 *	two SAs after a crossing
 *	D (the older)  -->
 *	               <--  IKE_SA_INIT         B wants both: it has them
 */
static void a_peer_that_insists_keeps_its_duplicate(void **state)
{
	struct lab *lab = lab_new(12);

	(void)state;
	lab->side[B].conn.no_contact = true;
	lab_call(lab, A);
	lab_call(lab, B);
	run_stock(lab, 5200);
	assert_one_pair(lab);
	lab_call(lab, B);
	run_stock(lab, 20000);
	assert_int_equal(lab_count(lab, A), 2);
	unsigned sent = lab->side[A].n_sent;
	run_stock(lab, 60000);
	assert_int_equal(lab->side[A].n_sent, sent);
	assert_int_equal(lab->side[A].n_closed, 1);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_call_in_one_instant),
		cmocka_unit_test(a_crossing_call_is_no_initial_contact),
		cmocka_unit_test(a_lone_call_is_initial_contact),
		cmocka_unit_test(crossings_in_bad_weather),
		cmocka_unit_test(a_call_in_vain_ends),
		cmocka_unit_test(the_loser_inherits),
		cmocka_unit_test(the_loser_is_deleted_by_the_host),
		cmocka_unit_test(a_restarted_peer_replaces_at_once),
		cmocka_unit_test(without_contact_the_older_goes),
		cmocka_unit_test(a_dead_winner_takes_nobody_with_it),
		cmocka_unit_test(two_rules_of_one_pair_do_not_fight),
		cmocka_unit_test(crossing_with_another_peer),
		cmocka_unit_test(a_duplicate_in_use_stays_until_it_is_not),
		cmocka_unit_test(a_peer_that_insists_keeps_its_duplicate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
