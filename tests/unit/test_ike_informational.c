/* tests/unit/test_ike_informational.c - probes and Deletes (RFC 7296 1.4, 2.4). */
#include "ike_seen.h"

#include <stdlib.h>

#include "wire/notify_payload.h"

static void a_probe_is_answered(void **state)
{
	struct lab *lab = lab_new(9);
	struct ike_info info;

	(void)state;
	uint32_t id = lab_up(lab);
	struct ike_engine *a = lab->side[A].engine;
	assert_int_equal(ike_probe(a, lab->now_ms, id), IKE_OK);
	assert_true(ike_view(a, id, &info));
	assert_int_equal(info.unanswered_since_ms, lab->now_ms);
	lab_run(lab, 10);
	assert_true(ike_view(a, id, &info));
	assert_int_equal(info.unanswered_since_ms, 0);
	assert_int_equal(info.last_in_ms, lab->now_ms - 8);
	assert_int_equal(lab_read(lab, &lab->log[4]).n, 0);
	assert_int_equal(lab_read(lab, &lab->log[5]).n, 0);
	assert_int_equal(ike_probe(a, lab->now_ms, 4711), IKE_NOT_FOUND);
	lab_free(lab);
}

static void a_second_probe_repeats_the_first(void **state)
{
	struct lab *lab = lab_new(10);

	(void)state;
	uint32_t id = lab_up(lab);
	struct ike_engine *a = lab->side[A].engine;
	lab->filter = lab_drop_all;
	assert_int_equal(ike_probe(a, lab->now_ms, id), IKE_OK);
	struct lab_datagram first = *lab_last(lab);
	unsigned sent = lab->side[A].n_sent;
	lab->now_ms += 10;
	assert_int_equal(ike_probe(a, lab->now_ms, id), IKE_OK);
	assert_int_equal(lab->side[A].n_sent, sent + 1);
	unit_assert_span_equal(bytes_of(lab_last(lab)), bytes_of(&first));
	lab_free(lab);
}

/* How long a silent peer is believed is the node's to say. */
static void a_probe_is_never_given_up(void **state)
{
	struct lab *lab = lab_new(11);
	struct ike_info info;

	(void)state;
	uint32_t id = lab_up(lab);
	lab->filter = lab_drop_all;
	uint64_t asked = lab->now_ms;
	assert_int_equal(ike_probe(lab->side[A].engine, lab->now_ms, id), IKE_OK);
	lab_run(lab, 24 * 3600 * 1000);
	assert_true(ike_view(lab->side[A].engine, id, &info));
	assert_int_equal(info.unanswered_since_ms, asked);
	assert_int_equal(lab->side[A].n_closed, 0);
	assert_in_range(lab->side[A].n_sent, 24 * 360 - 1000, 24 * 360 + 1000);
	lab_free(lab);
}

static void assert_deleted(struct lab *lab, enum lab_side_name by)
{
	const struct lab_side *us = &lab->side[by], *peer = &lab->side[1 - (int)by];

	assert_int_equal(us->n_closed, 1);
	assert_int_equal(us->closed[0].why.close, IKE_CLOSE_DELETED_BY_US);
	assert_int_equal(us->down[0].why, IKE_CLOSE_DELETED_BY_US);
	assert_int_equal(us->down[0].child, us->up[0].id);
	assert_int_equal(peer->n_closed, 1);
	assert_int_equal(peer->closed[0].why.close, IKE_CLOSE_DELETED_BY_PEER);
	assert_int_equal(peer->down[0].why, IKE_CLOSE_DELETED_BY_PEER);
	assert_int_equal(lab_count(lab, A) + lab_count(lab, B), 0);
}

static void either_side_deletes_politely(void **state)
{
	(void)state;
	for (int by = A; by <= B; by++) {
		struct lab *lab = lab_new(12);

		lab_up(lab);
		uint32_t id = lab_sa(lab, (enum lab_side_name)by)->id;
		assert_int_equal(
			ike_delete(lab->side[by].engine, lab->now_ms, id, 150, 1),
			IKE_OK);
		assert_int_equal(lab->side[by].n_down, 1);
		assert_int_equal(lab->side[by].n_closed, 0);
		lab_run(lab, 10);
		assert_deleted(lab, (enum lab_side_name)by);
		assert_int_equal(
			ike_delete(lab->side[by].engine, lab->now_ms, id, 150, 1),
			IKE_NOT_FOUND);
		lab_free(lab);
	}
}

static void a_delete_is_waited_for_so_long_and_no_longer(void **state)
{
	struct lab *lab = lab_new(13);

	(void)state;
	uint32_t id = lab_up(lab);
	lab->filter = lab_drop_all;
	assert_int_equal(
		ike_delete(lab->side[A].engine, lab->now_ms, id, 150, 1), IKE_OK);
	lab_run(lab, 149);
	assert_int_equal(lab->side[A].n_closed, 0);
	assert_true(lab->n_log >= 4 + 3); /* repeated soon */
	lab_run(lab, 1);
	assert_int_equal(lab->side[A].n_closed, 1);
	lab_free(lab);
}

static void copies_of_a_delete_from_an_address_that_has_gone(void **state)
{
	struct lab *lab = lab_new(14);
	struct seen seen = {.n = 0};

	(void)state;
	uint32_t id = lab_up(lab);
	lab->filter = note_and_drop;
	lab->filter_ctx = &seen;
	assert_int_equal(ike_delete(lab->side[A].engine, lab->now_ms, id, 0, 3), IKE_OK);
	lab_run(lab, 100);
	assert_int_equal(seen.n, 3);
	assert_int_equal(seen.at[1] - seen.at[0], 10);
	assert_int_equal(seen.at[2] - seen.at[1], 10);
	assert_int_equal(lab->side[A].n_closed, 1);
	assert_true(list_empty(&lab->side[A].engine->sas));
	lab_free(lab);
}

/*	A                        B
 *	probe      --> lost
 *	probe      -->           again, since B must see it first
 *	Delete     -->
 */
static void copies_behind_a_request_under_way(void **state)
{
	struct lab *lab = lab_new(15);

	(void)state;
	uint32_t id = lab_up(lab);
	lab->filter = lab_drop_all;
	assert_int_equal(ike_probe(lab->side[A].engine, lab->now_ms, id), IKE_OK);
	lab->filter = NULL;
	assert_int_equal(ike_delete(lab->side[A].engine, lab->now_ms, id, 0, 3), IKE_OK);
	lab_run(lab, 100);
	assert_deleted(lab, A);
	lab_free(lab);
}

/* With time to wait, the window is kept: first the answer, then the Delete. */
static void a_delete_waits_for_the_window(void **state)
{
	struct lab *lab = lab_new(16);

	(void)state;
	uint32_t id = lab_up(lab);
	lab->filter = lab_drop_all;
	assert_int_equal(ike_probe(lab->side[A].engine, lab->now_ms, id), IKE_OK);
	lab->filter = NULL;
	assert_int_equal(
		ike_delete(lab->side[A].engine, lab->now_ms, id, 150, 1), IKE_OK);
	lab_run(lab, 10);
	assert_deleted(lab, A);
	assert_int_equal(lab->n_log, 4 + 1 + 2 + 2);
	lab_free(lab);
}

static void both_delete_at_once(void **state)
{
	struct lab *lab = lab_new(17);

	(void)state;
	lab_up(lab);
	for (int s = A; s <= B; s++)
		assert_int_equal(ike_delete(lab->side[s].engine, lab->now_ms,
					 lab_sa(lab, (enum lab_side_name)s)->id, 2000, 1),
			IKE_OK);
	lab_run(lab, 10);
	for (int s = A; s <= B; s++) {
		assert_int_equal(lab->side[s].n_closed, 1);
		assert_int_equal(
			lab->side[s].closed[0].why.close, IKE_CLOSE_DELETED_BY_US);
	}
	lab_free(lab);
}

/* RFC 7296 2.1: the answer to a Delete may be lost; the SA is gone, its answer is not. */
static void a_repeated_delete_is_answered_again(void **state)
{
	struct lab *lab = lab_new(18);

	(void)state;
	uint32_t id = lab_up(lab);
	assert_int_equal(
		ike_delete(lab->side[A].engine, lab->now_ms, id, 5000, 1), IKE_OK);
	lab_run(lab, 1);
	assert_int_equal(lab->side[B].n_closed, 1);
	lab->n_queue = 0; /* B's answer is lost */
	lab_run(lab, 1000);
	assert_int_equal(lab->side[A].n_closed, 1);
	assert_true(lab_counters(lab, B).replayed_request >= 1);
	assert_int_equal(lab->side[B].n_closed, 1);
	lab_run(lab, 20000);
	assert_true(list_empty(&lab->side[B].engine->sas));
	lab_free(lab);
}

/*	A                        B
 *	D(ESP, A's SPI)  -->
 *	                 <--  D(ESP, B's SPI)
 *	                 ..   10 s
 *	                 <--  D(IKE)           nobody wanted another child
 */
static void the_last_child_deleted_ends_the_ike_sa(void **state)
{
	struct lab *lab = lab_new(19);
	struct wire_delete d;

	(void)state;
	lab_up(lab);
	uint32_t spi = lab->side[A].up[0].spi_in;
	struct message m = lab_craft(lab, A, INFORMATIONAL, false, 2);
	delete_payload_write_child(
		message_payload(&m, PAYLOAD_DELETE), PROTO_ESP, &spi, 1);
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 1);
	assert_int_equal(lab->side[B].n_down, 1);
	assert_int_equal(lab->side[B].down[0].why, IKE_CLOSE_DELETED_BY_PEER);
	struct payload_set set = lab_read(lab, &lab->log[5]);
	assert_int_equal(
		delete_payload_read(payload_set_first(&set, PAYLOAD_DELETE)->body, &d),
		WIRE_OK);
	assert_int_equal(d.protocol, PROTO_ESP);
	assert_int_equal(wire_delete_spi(&d, 0), lab->side[B].up[0].spi_in);
	lab_run(lab, 9000);
	assert_int_equal(lab->side[B].n_closed, 0);
	lab_run(lab, 2000);
	assert_int_equal(lab->side[B].n_closed, 1);
	assert_int_equal(lab->side[B].closed[0].why.close, IKE_CLOSE_DELETED_BY_PEER);
	assert_int_equal(lab->side[A].n_closed, 1);
	lab_free(lab);
}

static void the_delete_of_an_unknown_child(void **state)
{
	struct lab *lab = lab_new(20);
	const uint32_t spis[] = {0x9999, 0x8888};

	(void)state;
	lab_up(lab);
	struct message m = lab_craft(lab, A, INFORMATIONAL, false, 2);
	delete_payload_write_child(
		message_payload(&m, PAYLOAD_DELETE), PROTO_ESP, spis, 2);
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 1);
	assert_int_equal(lab_read(lab, lab_last(lab)).n, 0);
	assert_int_equal(lab->side[B].n_down, 0);
	lab_free(lab);
}

static void unknown_notices_are_answered_and_ignored(void **state)
{
	struct lab *lab = lab_new(21);

	(void)state;
	lab_up(lab);
	struct message m = lab_craft(lab, A, INFORMATIONAL, false, 2);
	ike_notify_write(&m, 16400, span_text("whatever"));
	ike_notify_write(&m, 40000, span_text("private"));
	ike_notify_write(&m, N_INVALID_SPI, span_text("\1\2\3\4"));
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 1);
	assert_int_equal(lab_read(lab, lab_last(lab)).n, 0);
	assert_untouched(lab, 3);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_probe_is_answered),
		cmocka_unit_test(a_second_probe_repeats_the_first),
		cmocka_unit_test(a_probe_is_never_given_up),
		cmocka_unit_test(either_side_deletes_politely),
		cmocka_unit_test(a_delete_is_waited_for_so_long_and_no_longer),
		cmocka_unit_test(copies_of_a_delete_from_an_address_that_has_gone),
		cmocka_unit_test(copies_behind_a_request_under_way),
		cmocka_unit_test(a_delete_waits_for_the_window),
		cmocka_unit_test(both_delete_at_once),
		cmocka_unit_test(a_repeated_delete_is_answered_again),
		cmocka_unit_test(the_last_child_deleted_ends_the_ike_sa),
		cmocka_unit_test(the_delete_of_an_unknown_child),
		cmocka_unit_test(unknown_notices_are_answered_and_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
