/* tests/unit/test_ike_retransmit.c - requests repeated, answers repeated, storms (RFC 7296 2.1, 2.4). */
#include "ike_seen.h"

#include <stdlib.h>

#include "wire/notify_payload.h"

static void a_call_is_repeated_at_growing_intervals(void **state)
{
	struct lab *lab = lab_new(1);
	struct seen seen = {.n = 0};

	(void)state;
	lab->filter = note_and_drop;
	lab->filter_ctx = &seen;
	lab_call(lab, A);
	lab_run(lab, 20000);
	assert_in_range(seen.n, 6, 9);
	uint64_t want = 500;
	for (unsigned i = 1; i < seen.n && i < 5; i++, want = want * 9 / 5)
		assert_in_range(
			seen.at[i] - seen.at[i - 1], want * 80 / 100, want * 120 / 100);
	assert_int_equal(lab->side[A].n_closed, 1);
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_TIMEOUT);
	assert_int_equal(lab_counters(lab, A).retransmits, seen.n - 1);
	lab_free(lab);
}

static void an_urgent_call_is_repeated_at_once(void **state)
{
	struct lab *lab = lab_new(2);
	struct seen seen = {.n = 0};

	(void)state;
	lab->side[A].conn.urgent = true;
	lab->filter = note_and_drop;
	lab->filter_ctx = &seen;
	lab_call(lab, A);
	lab_run(lab, 1000);
	assert_true(seen.n >= 5);
	assert_in_range(seen.at[1] - seen.at[0], 17, 23);
	assert_in_range(seen.at[2] - seen.at[0], 50, 70);
	assert_in_range(seen.at[3] - seen.at[0], 170, 230);
	lab_free(lab);
}

/*	A                 B
 *	IKE_AUTH  -->
 *	      lost   <--  IKE_AUTH
 *	IKE_AUTH  -->                 the same octets
 *	             <--  IKE_AUTH    the same octets
 */
static struct lab_fate lose_first_answers(struct lab *lab, const struct lab_datagram *d)
{
	struct seen *seen = lab->filter_ctx;
	bool lost = d->from == B && seen->n++ % 2 == 0;

	return (struct lab_fate){.copies = !lost, .ms = 1};
}

static void a_repeated_request_gets_the_same_octets(void **state)
{
	struct lab *lab = lab_new(3);
	struct seen seen = {.n = 0};

	(void)state;
	lab->filter = lose_first_answers;
	lab->filter_ctx = &seen;
	lab_call(lab, A);
	lab_run(lab, 3000);
	assert_int_equal(lab->n_log, 8);
	for (unsigned i = 0; i < 8; i += 4) {
		unit_assert_span_equal(
			bytes_of(&lab->log[i]), bytes_of(&lab->log[i + 2]));
		unit_assert_span_equal(
			bytes_of(&lab->log[i + 1]), bytes_of(&lab->log[i + 3]));
	}
	assert_int_equal(lab->side[B].n_up, 1);
	assert_int_equal(lab->side[A].n_up, 1);
	assert_int_equal(lab_counters(lab, B).replayed_request, 2);
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
	uint64_t ms = 1 + entropy_below(&w->dice, 700);

	(void)d;
	if (w->fair)
		return (struct lab_fate){.copies = 1, .ms = 1};
	return (struct lab_fate){.copies = roll < 40 ? 0 : roll < 60 ? 2 : 1, .ms = ms};
}

/* Whatever is lost, doubled and reordered: one SA each, in step, and it can be ended. */
static void one_storm(uint64_t seed)
{
	struct lab *lab = lab_new(seed);
	struct seeded_entropy store;
	struct weather w = {.dice = entropy_seeded(&store, seed + 1000000)};

	lab->side[A].conn.give_up_ms = 60000;
	lab->filter = bad_weather;
	lab->filter_ctx = &w;
	uint32_t id = lab_call(lab, A);
	lab_run(lab, 120000);
	w.fair = true;
	if (lab->side[A].n_up == 0) /* B had forgotten A between the two exchanges */
		id = lab_call(lab, A);
	lab_run(lab, 120000);
	assert_int_equal(lab->side[A].n_up, 1);
	assert_int_equal(lab_count(lab, A), 1);
	assert_true(lab_count(lab, B) >= 1);
	const struct lab_side *b = &lab->side[B];
	lab_assert_children_match(&lab->side[A].up[0], &b->up[b->n_up - 1]);
	w.fair = false;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(ike_probe(lab->side[A].engine, lab->now_ms, id), IKE_OK);
		lab_run(lab, 5000);
	}
	w.fair = true;
	lab_run(lab, 60000);
	assert_int_equal(lab_sa(lab, A)->next_out, lab_sa(lab, B)->next_in);
	assert_int_equal(
		ike_delete(lab->side[A].engine, lab->now_ms, id, 5000, 1), IKE_OK);
	lab_run(lab, 60000);
	assert_int_equal(lab_count(lab, A), 0);
	assert_true(list_empty(&lab->side[A].engine->sas));
	lab_free(lab);
}

static void storms_end_with_one_sa(void **state)
{
	(void)state;
	for (uint64_t seed = 100; seed < 200; seed++)
		one_storm(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_repeated_at_growing_intervals),
		cmocka_unit_test(an_urgent_call_is_repeated_at_once),
		cmocka_unit_test(a_repeated_request_gets_the_same_octets),
		cmocka_unit_test(storms_end_with_one_sa),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
