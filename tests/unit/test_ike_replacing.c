/* tests/unit/test_ike_replacing.c - an IKE SA in the place of another one that has several
 * children, and further children that both sides want (RFC 7296 2.8.1, 2.8.3;
 * src/ike/crossing.c, create_child.c).
 *
 * Which rule's traffic a child carries is what both sides' conn says at that moment.
 */
#include "ike_steps.h"

enum { FIRST_RULE = 1, OTHER_RULE };

static void use_rule(struct lab *lab, uint32_t rule)
{
	lab->side[A].conn.rule = lab->side[B].conn.rule = rule;
}

/* By which name a side knows the IKE SA that is a's at A. */
static struct ike_sa *at(struct lab *lab, enum lab_side_name s, const struct ike_sa *a)
{
	list_each(item, &engine(lab, s)->sas)
	{
		struct ike_sa *sa = list_entry(item, struct ike_sa, all);

		if (sa->spi_i == a->spi_i && sa->state == STATE_UP)
			return sa;
	}
	fail_msg("it is not up");
	return NULL;
}

static uint32_t create_in(struct lab *lab, enum lab_side_name s, const struct ike_sa *sa)
{
	uint32_t child;

	assert_int_equal(ike_create_child(engine(lab, s), lab->now_ms, sa->id,
				 &lab->side[s].conn, &child),
		IKE_OK);
	return child;
}

/* A has called, long ago; with a child for each of the two rules. */
static struct lab *lab_with_two(uint64_t seed, uint32_t *ike)
{
	struct lab *lab = lab_new(seed);

	use_rule(lab, FIRST_RULE);
	*ike = lab_up(lab);
	use_rule(lab, OTHER_RULE);
	create_in(lab, A, by_id(lab, *ike));
	lab_run(lab, 20000);
	assert_int_equal(by_id(lab, *ike)->n_known, 2);
	use_rule(lab, FIRST_RULE);
	return lab;
}

/* ---- the older of two goes when nothing is left to it */

/*	A                            B
 *	IKE_SA_INIT, IKE_AUTH  -->             for the first rule's child
 *	                             <--  ...
 *	CREATE_CHILD_SA        -->             for the other rule's, four seconds later
 *	                             <--  ...
 *	D(the older IKE SA)    -->
 */
static void a_loser_waits_for_all_its_children(void **state)
{
	uint32_t old;
	struct lab *lab = lab_with_two(20, &old);

	(void)state;
	uint32_t newer = lab_call(lab, A);
	lab_run(lab, 4000);
	assert_true(by_id(lab, old)->replaced);
	assert_int_equal(by_id(lab, old)->state, STATE_UP);
	use_rule(lab, OTHER_RULE);
	create_in(lab, A, by_id(lab, newer));
	lab_run(lab, 1000);
	assert_int_equal(lab_count(lab, A), 1);
	assert_int_equal(lab_count(lab, B), 1);
	assert_int_equal(lab_sa(lab, A)->n_known, 2);
	lab_free(lab);
}

static struct lab_fate lose_probes_of_b(struct lab *lab, const struct lab_datagram *d)
{
	bool probe =
		d->bytes[18] == INFORMATIONAL && !(d->bytes[FLAGS_AT] & FLAG_RESPONSE);

	(void)lab;
	return (struct lab_fate){.copies = !(probe && d->from == B), .ms = 1};
}

/* As two crossing calls, of which the loser's child is asked for in the winner; B never gets
 * A's answer, or says so: there is an end to waiting for that, too. */
static void an_answer_that_stays_unknown_is_waited_for_a_few_seconds(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (uint64_t seed = 60; seed < 72; seed++) {
		struct lab *lab = lab_new(seed);
		uint32_t ike[2];

		for (uint32_t i = 0; i < 2; i++) {
			use_rule(lab, FIRST_RULE + i);
			ike[i] = lab_call(lab, A);
			lab_run(lab, 10);
		}
		/* B asks in the one for what the other has; then it says nothing more */
		use_rule(lab, FIRST_RULE);
		lab->filter = lose_probes_of_b;
		create_in(lab, B, at(lab, B, by_id(lab, ike[1])));
		lab_run(lab, 10);
		ike_crossing_confirmed(engine(lab, A), by_id(lab, ike[0]));
		if (by_id(lab, ike[0])->replaced) {
			tried++;
			lab_run(lab, 20000);
			assert_int_equal(lab_count(lab, A), 1);
			assert_int_equal(lab_sa(lab, A)->n_known, 2);
		}
		lab_free(lab);
	}
	assert_true(tried > 0);
}

/* As a bit each, the rules whose traffic a side carries; none twice. */
static unsigned carried(struct lab *lab, enum lab_side_name s)
{
	unsigned rules = 0;

	list_each(item, &engine(lab, s)->sas)
	{
		const struct ike_sa *sa = list_entry(item, struct ike_sa, all);

		list_each(child, &sa->children)
		{
			uint32_t rule = list_entry(child, struct child, link)->is.rule;
			assert_false(rules >> rule & 1);
			rules |= 1u << rule;
		}
	}
	return rules;
}

/*	A                            B
 *	CREATE_CHILD_SA        -->             in an IKE SA of another rule's
 *	                             <--  ...
 *	D(that child)          -->             of two IKE SAs that only share a rule,
 *	                             <--  ...  neither is in the other's place
 */
static void what_only_shares_a_rule_keeps_the_others(void **state)
{
	unsigned left[3] = {0};

	(void)state;
	for (uint64_t seed = 23; seed < 39; seed++) {
		struct lab *lab = lab_new(seed);
		uint32_t ike[2];

		for (uint32_t i = 0; i < 2; i++) {
			use_rule(lab, FIRST_RULE + i);
			ike[i] = lab_call(lab, A);
			lab_run(lab, 10);
		}
		use_rule(lab, FIRST_RULE + seed % 2);
		create_in(lab, A, by_id(lab, ike[1 - seed % 2]));
		lab_run(lab, 10);
		/* whoever was heard of is compared with the others */
		ike_crossing_confirmed(engine(lab, A), by_id(lab, ike[0]));
		lab_run(lab, 20000);
		for (int s = A; s <= B; s++)
			assert_int_equal(carried(lab, (enum lab_side_name)s),
				1 << FIRST_RULE | 1 << OTHER_RULE);
		assert_int_equal(lab_count(lab, A), lab_count(lab, B));
		left[lab_count(lab, A)]++;
		lab_free(lab);
	}
	assert_true(left[1] > 0 && left[2] > 0);
}

/* The others may be wanted no more: it does not wait for ever. */
static void a_loser_waits_a_few_seconds(void **state)
{
	uint32_t old;
	struct lab *lab = lab_with_two(21, &old);

	(void)state;
	lab_call(lab, A);
	lab_run(lab, 5000);
	assert_non_null(by_id(lab, old));
	lab_run(lab, 3000);
	assert_int_equal(lab_count(lab, A), 1);
	assert_int_equal(lab_count(lab, B), 1);
	lab_free(lab);
}

/*	A                            B
 *	IKE_SA_INIT, IKE_AUTH  -->
 *	                             <--  ...
 *	                             <--  CREATE_CHILD_SA, for the other rule
 *	lost  <--  ...                         B does not have it: the older stays
 *	                             <--  CREATE_CHILD_SA again
 *	...  -->
 *	                             <--  {}   B has it
 *	D(the older IKE SA)    -->
 */
static void a_child_whose_answer_may_be_lost_covers_nothing(void **state)
{
	uint32_t old;
	struct lab *lab = lab_with_two(22, &old);
	struct loss loss;

	(void)state;
	uint32_t newer = lab_call(lab, A);
	lab_run(lab, 100);
	struct ike_sa *at_b = at(lab, B, by_id(lab, newer));
	lose_of(lab, &loss, A);
	use_rule(lab, OTHER_RULE);
	create_in(lab, B, at_b);
	lab_run(lab, 2500);
	assert_int_equal(by_id(lab, newer)->n_known, 2);
	assert_int_equal(at_b->n_known, 1);
	assert_int_equal(by_id(lab, old)->state, STATE_UP);
	loss.on = false;
	lab_run(lab, 1300);
	assert_int_equal(at_b->n_known, 2);
	assert_int_equal(by_id(lab, old)->state, STATE_UP);
	probe(lab, B, at_b);
	lab_run(lab, 1000);
	assert_int_equal(lab_count(lab, A), 1);
	assert_int_equal(lab_count(lab, B), 1);
	lab_free(lab);
}

/* ---- does the peer have it? */

/*	A                            B
 *	                             <--  CREATE_CHILD_SA
 *	lost  <--  ...                         A does not know whether B has it
 *	                             <--  CREATE_CHILD_SA again
 *	...  -->
 *	                             <--  {}   it has
 */
static void what_the_peer_asked_for_it_has_when_it_asks_for_more(void **state)
{
	struct lab *lab = lab_new(30);
	struct loss loss;

	(void)state;
	lab_up(lab);
	const struct ike_sa *b = lab_sa(lab, B);
	/* the initiator of the IKE SA has seen its answer, and so the first child's */
	assert_true(ike_peer_has_child(engine(lab, A), lab->side[A].up[0].id));
	lose_of(lab, &loss, A);
	create_in(lab, B, b);
	lab_run(lab, 100);
	uint32_t child = lab->side[A].up[1].id;
	assert_false(ike_peer_has_child(engine(lab, A), child));
	loss.on = false;
	lab_run(lab, 1000);
	assert_int_equal(lab->side[B].n_up, 2);
	assert_true(ike_peer_has_child(engine(lab, B), lab->side[B].up[1].id));
	assert_false(ike_peer_has_child(engine(lab, A), child));
	probe(lab, B, b);
	lab_run(lab, 100);
	assert_true(ike_peer_has_child(engine(lab, A), child));
	lab_free(lab);
}

/* Of the first child, the responder learns it with any message after IKE_AUTH: here, the
 * answer to its own request. */
static void the_first_child_is_there_when_the_ike_sa_is(void **state)
{
	struct lab *lab = lab_new(31);

	(void)state;
	lab->side[A].conn.no_contact = true;
	lab_call(lab, A);
	lab_run(lab, 3);
	assert_int_equal(lab->side[B].n_up, 1);
	assert_false(ike_peer_has_child(engine(lab, B), lab->side[B].up[0].id));
	lab_run(lab, 1000);
	probe(lab, B, lab_sa(lab, B));
	lab_run(lab, 100);
	assert_true(ike_peer_has_child(engine(lab, B), lab->side[B].up[0].id));
	/* nobody that is not there has to be waited for */
	assert_true(ike_peer_has_child(engine(lab, B), 4711));
	lab_free(lab);
}

/* ---- both want the same further child */

static unsigned live_children(const struct ike_sa *sa)
{
	unsigned n = 0;

	list_each(item, &sa->children) n +=
		list_entry(item, struct child, link)->state == CHILD_UP;
	return n;
}

static void assert_children(struct lab *lab, unsigned n)
{
	for (int s = A; s <= B; s++) {
		assert_int_equal(lab_sa(lab, (enum lab_side_name)s)->n_children, n);
		assert_int_equal(live_children(lab_sa(lab, (enum lab_side_name)s)), n);
	}
}

/*	A                               B
 *	SA, Ni, TSi, TSr  --> lost
 *	                                <--  SA, Ni, TSi, TSr      the same child
 *	SA, Nr, TSi, TSr  -->
 *	SA, Ni, TSi, TSr  -->                again; B has long been answered, and makes it
 *	                                <--  SA, Nr, TSi, TSr
 *	                                <--  {}   B has the answer to its own
 *	{}  -->
 *	one of the two is deleted: A's at once if its nonce is the lowest; else B's, by A
 *	after five seconds, since B has not noticed
 */
static void a_late_crossing_leaves_no_duplicate(void **state)
{
	unsigned lost = 0, won = 0;

	(void)state;
	for (uint64_t seed = 40; seed < 60; seed++) {
		struct lab *lab = lab_new(seed);
		struct loss loss;

		use_rule(lab, FIRST_RULE);
		lab_up(lab);
		use_rule(lab, OTHER_RULE);
		lose_of(lab, &loss, A);
		create_in(lab, A, lab_sa(lab, A));
		loss.on = false;
		create_in(lab, B, lab_sa(lab, B));
		lab_run(lab, 1000);
		const struct ike_child *late = &lab->side[A].up[2];
		assert_int_equal(lab->side[A].n_up, 3);
		assert_true(late->initiator);
		lost += late->receive_only;
		won += !late->receive_only;
		assert_int_equal(lab_counters(lab, A).crossed_further, 1);
		lab_run(lab, 7000);
		assert_children(lab, 2);
		lab_free(lab);
	}
	assert_true(lost > 0 && won > 0);
}

/* As before, but B's last word comes late: for all that A knows B may not have the child
 * that it has asked for, and would not know which is meant. */
static void what_the_peer_may_not_have_is_not_deleted(uint64_t late_ms)
{
	unsigned won = 0;

	for (uint64_t seed = 40; seed < 60; seed++) {
		struct lab *lab = lab_new(seed);
		struct loss loss;

		use_rule(lab, FIRST_RULE);
		lab_up(lab);
		use_rule(lab, OTHER_RULE);
		lose_of(lab, &loss, A);
		create_in(lab, A, lab_sa(lab, A));
		lab->filter = lose_probes_of_b;
		create_in(lab, B, lab_sa(lab, B));
		lab_run(lab, late_ms);
		if (!lab->side[A].up[2].receive_only) {
			won++;
			assert_int_equal(lab_sa(lab, A)->n_children, 3);
		}
		lab->filter = NULL;
		lab_run(lab, 25000);
		assert_children(lab, 2);
		lab_free(lab);
	}
	assert_true(won > 0);
}

static void what_the_peer_may_not_have_is_kept(void **state)
{
	(void)state;
	what_the_peer_may_not_have_is_not_deleted(2000);
	what_the_peer_may_not_have_is_not_deleted(12000);
}

/*	A                               B
 *	{}  --> lost                              A's window is taken
 *	                                <--  SA, Ni, TSi, TSr
 *	SA, Nr, TSi, TSr  -->                     what A wants to ask for, it has
 *	{}  -->
 */
static void what_the_peer_has_made_is_not_asked_for(void **state)
{
	struct lab *lab = lab_new(61);
	struct loss loss;

	(void)state;
	use_rule(lab, FIRST_RULE);
	uint32_t ike = lab_up(lab);
	use_rule(lab, OTHER_RULE);
	lose_of(lab, &loss, A);
	probe(lab, A, lab_sa(lab, A));
	uint32_t child = create_in(lab, A, lab_sa(lab, A));
	loss.on = false;
	create_in(lab, B, lab_sa(lab, B));
	lab_run(lab, 10);
	assert_int_equal(lab->side[A].n_up, 2);
	assert_int_equal(lab->side[A].n_refused, 1);
	assert_int_equal(lab->side[A].refused[0].ike, ike);
	assert_int_equal(lab->side[A].refused[0].child, child);
	assert_int_equal(lab->side[A].refused[0].why.close, IKE_CLOSE_REPLACED);
	lab_run(lab, 130000);
	assert_children(lab, 2);
	assert_int_equal(lab->side[A].n_up, 2);
	assert_int_equal(lab->side[A].n_refused, 1);
	lab_free(lab);
}

/* Another rule's is another matter. */
static void what_else_the_peer_has_made_changes_nothing(void **state)
{
	struct lab *lab = lab_new(62);
	struct loss loss;

	(void)state;
	use_rule(lab, FIRST_RULE);
	lab_up(lab);
	use_rule(lab, OTHER_RULE);
	lose_of(lab, &loss, A);
	probe(lab, A, lab_sa(lab, A));
	create_in(lab, A, lab_sa(lab, A));
	loss.on = false;
	use_rule(lab, OTHER_RULE + 1);
	create_in(lab, B, lab_sa(lab, B));
	lab_run(lab, 10);
	use_rule(lab, OTHER_RULE);
	lab_run(lab, 5000);
	assert_int_equal(lab->side[A].n_refused, 0);
	assert_children(lab, 3);
	lab_free(lab);
}

/*	A                               B
 *	SA, Ni, TSi, TSr  --> lost
 *	                                <--  SA, Ni, TSi, TSr      the same child
 *	SA, Nr, TSi, TSr  -->
 *	                                <--  SA, Ni, KEi           B rekeys the IKE SA
 *	N(TEMPORARY_FAILURE)  --> lost
 *	SA, Ni, TSi, TSr  -->                again
 *	                                <--  N(TEMPORARY_FAILURE)  A has it: no third time
 */
static void refused_for_now_what_the_peer_has_made_is_not_asked_for_again(void **state)
{
	struct lab *lab = lab_new(63);
	struct loss loss;

	(void)state;
	use_rule(lab, FIRST_RULE);
	lab_up(lab);
	use_rule(lab, OTHER_RULE);
	lose_of(lab, &loss, A);
	uint32_t child = create_in(lab, A, lab_sa(lab, A));
	loss.on = false;
	create_in(lab, B, lab_sa(lab, B));
	lab_run(lab, 50);
	loss.on = loss.answers_only = true;
	assert_int_equal(
		ike_rekey(engine(lab, B), lab->now_ms, lab_sa(lab, B)->id), IKE_OK);
	lab_run(lab, 1000);
	loss.on = false;
	assert_int_equal(lab_counters(lab, B).said_temporary_failure, 1);
	assert_int_equal(lab->side[A].n_refused, 1);
	assert_int_equal(lab->side[A].refused[0].child, child);
	assert_int_equal(lab->side[A].refused[0].why.close, IKE_CLOSE_REPLACED);
	lab_run(lab, 130000);
	assert_children(lab, 2);
	assert_int_equal(lab->side[A].n_up, 2);
	lab_free(lab);
}

/* ---- what has been replaced goes with what took its place ------------------------------- */

/*	A                            B
 *	SA, Ni, KEi            -->             new keys for the IKE SA
 *	                       <--  SA, Nr, KEr
 *	D(the old IKE SA)      -->  lost       and A forgets it
 *	D(the new IKE SA)      -->
 *	                       <--  {}
 *	                ..           10 s
 *	                       <--  D(the old IKE SA)
 */
static void a_rekeyed_ike_sa_does_not_outlive_its_heir_for_long(void **state)
{
	struct lab *lab = lab_new(31);

	(void)state;
	uint32_t old = lab_up(lab);
	assert_int_equal(ike_rekey(engine(lab, A), lab->now_ms, old), IKE_OK);
	while (lab->side[A].n_rekeyed == 0)
		lab_run(lab, 1);
	uint32_t heir = lab->side[A].rekeyed[0].sa.id;
	lab->n_queue = 0;
	assert_int_equal(ike_forget(engine(lab, A), lab->now_ms, old), IKE_OK);
	/* B has heard something of the new one: it keeps the old for nobody's sake. */
	assert_int_equal(ike_probe(engine(lab, A), lab->now_ms, heir), IKE_OK);
	lab_run(lab, 1000);
	assert_int_equal(lab_count(lab, B), 2);
	assert_int_equal(ike_delete(engine(lab, A), lab->now_ms, heir, 2000, 1), IKE_OK);
	lab_run(lab, 8000);
	assert_int_equal(lab_count(lab, B), 1);
	lab_run(lab, 8000);
	assert_int_equal(lab_count(lab, B), 0);
	lab_free(lab);
}

/* ---- with the IKE SA ------------------------------------------------------------------------ */

/* What waits for another one's end would be sent on for a moment if that went first. */
static void the_newest_child_goes_first_with_the_ike_sa(void **state)
{
	uint32_t ike;
	struct lab *lab = lab_with_two(32, &ike);

	(void)state;
	assert_int_equal(ike_delete(engine(lab, A), lab->now_ms, ike, 2000, 1), IKE_OK);
	lab_run(lab, 5000);
	for (int s = A; s <= B; s++) {
		assert_int_equal(lab->side[s].n_down, 2);
		assert_int_equal(lab->side[s].down[0].child, lab->side[s].up[1].id);
		assert_int_equal(lab->side[s].down[1].child, lab->side[s].up[0].id);
	}
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loser_waits_for_all_its_children),
		cmocka_unit_test(
			an_answer_that_stays_unknown_is_waited_for_a_few_seconds),
		cmocka_unit_test(what_only_shares_a_rule_keeps_the_others),
		cmocka_unit_test(a_loser_waits_a_few_seconds),
		cmocka_unit_test(a_child_whose_answer_may_be_lost_covers_nothing),
		cmocka_unit_test(what_the_peer_asked_for_it_has_when_it_asks_for_more),
		cmocka_unit_test(the_first_child_is_there_when_the_ike_sa_is),
		cmocka_unit_test(a_late_crossing_leaves_no_duplicate),
		cmocka_unit_test(what_the_peer_may_not_have_is_kept),
		cmocka_unit_test(what_the_peer_has_made_is_not_asked_for),
		cmocka_unit_test(what_else_the_peer_has_made_changes_nothing),
		cmocka_unit_test(
			refused_for_now_what_the_peer_has_made_is_not_asked_for_again),
		cmocka_unit_test(a_rekeyed_ike_sa_does_not_outlive_its_heir_for_long),
		cmocka_unit_test(the_newest_child_goes_first_with_the_ike_sa),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
