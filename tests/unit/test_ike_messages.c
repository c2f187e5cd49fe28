/* tests/unit/test_ike_messages.c - message IDs, retransmission, replays and damage, and the
 * INFORMATIONAL and CREATE_CHILD_SA exchanges (RFC 7296 1.3, 1.4, 2.1 to 2.5, 2.21.3).
 */
#include "ike_lab.h"

#include <stdlib.h>

#include "wire/notify_payload.h"

static struct span bytes_of(const struct lab_datagram *d)
{
	return span_of(d->bytes, d->len);
}

/* ---- retransmission */

struct seen {
	uint64_t at[64];
	unsigned n;
};

static struct lab_fate note_and_drop(struct lab *lab, const struct lab_datagram *d)
{
	struct seen *seen = lab->filter_ctx;

	if (seen->n > 0)
		unit_assert_span_equal(bytes_of(d), bytes_of(&lab->log[lab->n_log - 2]));
	assert_true(seen->n < 64);
	seen->at[seen->n++] = lab->now_ms;
	return (struct lab_fate){.copies = 0};
}

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

/* ---- replays and damage */

static void assert_untouched(struct lab *lab, unsigned sent_b)
{
	for (int s = A; s <= B; s++) {
		assert_int_equal(lab_count(lab, (enum lab_side_name)s), 1);
		assert_int_equal(lab->side[s].n_up, 1);
		assert_int_equal(lab->side[s].n_closed, 0);
		assert_int_equal(lab->side[s].n_moved, 0);
		assert_int_equal(lab_sa(lab, (enum lab_side_name)s)->state, STATE_UP);
	}
	assert_int_equal(lab->side[B].n_sent, sent_b);
}

static void old_messages_change_nothing(void **state)
{
	struct lab *lab = lab_new(4);

	(void)state;
	uint32_t id = lab_up(lab);
	assert_int_equal(ike_probe(lab->side[A].engine, lab->now_ms, id), IKE_OK);
	lab_run(lab, 10);
	assert_int_equal(lab->n_log, 6);
	lab->filter = lab_drop_all;
	uint64_t last_in = lab_sa(lab, B)->last_in_ms;
	unsigned sent = lab->side[B].n_sent;
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 6; i++) {
			struct lab_datagram d = lab->log[i];

			ike_receive(lab->side[1 - (int)d.from].engine, lab->now_ms + 5000,
				&d.path, bytes_of(&d));
		}
	/* Only the last request is answered again, with what was answered before. */
	assert_untouched(lab, sent + 3);
	assert_int_equal(lab_sa(lab, B)->last_in_ms, last_in);
	unit_assert_span_equal(bytes_of(lab_last(lab)), bytes_of(&lab->log[5]));
	lab_free(lab);
}

/* A replayed request of a peer behind a NAT, from the attacker's address. */
static void a_replay_does_not_move_the_peer(void **state)
{
	struct lab *lab = lab_new(5);

	(void)state;
	lab_put_behind_nat(lab, B);
	lab_call(lab, B);
	lab_run(lab, 10);
	struct lab_datagram auth = lab->log[2];
	assert_int_equal(auth.bytes[18], IKE_AUTH);
	struct ike_path elsewhere = auth.path;
	elsewhere.remote.addr = addr_v4(198, 51, 100, 66);
	ike_receive(lab->side[A].engine, lab->now_ms, &elsewhere, bytes_of(&auth));
	assert_int_equal(lab->side[A].n_moved, 0);
	assert_true(addr_equal(&lab_sa(lab, A)->path.remote.addr, &lab->side[B].outside));
	lab_free(lab);
}

/* The state of B that a damaged message could have touched. */
static void assert_b_waits(struct lab *lab, unsigned message)
{
	assert_int_equal(lab->side[B].n_up, message > 2 ? 1 : 0);
	assert_int_equal(lab->side[A].n_up, message > 3 ? 1 : 0);
	assert_int_equal(lab->side[A].n_closed + lab->side[B].n_closed, 0);
	assert_int_equal(lab_sa(lab, A)->state, message < 2   ? STATE_INIT_SENT
						: message < 4 ? STATE_AUTH_SENT
							      : STATE_UP);
}

static void set_length(uint8_t *bytes, size_t len)
{
	bytes[24] = 0;
	bytes[25] = (uint8_t)(len >> 16);
	bytes[26] = (uint8_t)(len >> 8);
	bytes[27] = (uint8_t)len;
}

/* Runs until message number n of the handshake and the probe is on the wire. */
static struct lab *lab_until(unsigned n, struct lab_datagram *d)
{
	struct lab *lab = lab_new(6);

	uint32_t id = lab_call(lab, A);
	for (unsigned i = 0; i < n && i < 4; i++)
		lab_run(lab, 1);
	if (n >= 4)
		assert_int_equal(ike_probe(lab->side[A].engine, lab->now_ms, id), IKE_OK);
	if (n > 4)
		lab_run(lab, 1);
	assert_int_equal(lab->n_log, n + 1);
	*d = lab->log[n];
	lab->n_queue = 0; /* it is lost, and what follows is the damaged one */
	return lab;
}

static void give(struct lab *lab, const struct lab_datagram *d, size_t len)
{
	uint8_t *exact = malloc(len > 0 ? len : 1);

	assert_non_null(exact);
	memcpy(exact, d->bytes, len);
	ike_receive(lab->side[d->from == A ? B : A].engine, lab->now_ms, &d->path,
		span_of(exact, len));
	free(exact);
}

static void messages_cut_short_at_every_octet(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 6; n++) {
		struct lab_datagram whole, cut;
		struct lab *lab = lab_until(n, &whole);

		for (size_t len = 0; len < whole.len; len++) {
			give(lab, &whole, len);
			cut = whole;
			if (len >= IKE_HEADER_LEN)
				set_length(cut.bytes, len);
			give(lab, &cut, len);
		}
		assert_b_waits(lab, n);
		give(lab, &whole, whole.len); /* and the whole one is still welcome */
		lab_run(lab, 1000);
		assert_int_equal(lab->side[A].n_up, 1);
		assert_int_equal(lab->side[B].n_up, 1);
		lab_free(lab);
	}
}

/* Protected messages only: in IKE_SA_INIT, damage shows when AUTH is checked. */
static void one_wrong_bit_anywhere(void **state)
{
	(void)state;
	for (unsigned n = 2; n < 6; n++) {
		struct lab_datagram whole, bad;
		struct lab *lab = lab_until(n, &whole);

		for (size_t bit = 0; bit < whole.len * 8; bit++) {
			bad = whole;
			bad.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (bit / 8 == 17) /* another version is another test's */
				continue;
			give(lab, &bad, bad.len);
		}
		assert_b_waits(lab, n);
		lab_free(lab);
	}
}

static void a_changed_first_message_is_found_out(void **state)
{
	(void)state;
	for (size_t octet = IKE_HEADER_LEN; octet < 200; octet += 3) {
		struct lab *lab = lab_new(7);

		lab_call(lab, A);
		lab->queue[0].bytes[octet] ^= 0x10;
		lab_run(lab, 100);
		assert_int_equal(lab->side[A].n_up, 0);
		assert_int_equal(lab->side[B].n_up, 0);
		lab_free(lab);
	}
}

static void message_ids_out_of_the_window(void **state)
{
	struct lab *lab = lab_new(8);

	(void)state;
	lab_up(lab);
	unsigned sent = lab->side[B].n_sent;
	const uint32_t wrong[] = {0, 3, 4, 1000, UINT32_MAX};
	for (unsigned i = 0; i < 5; i++) {
		struct message m = lab_craft(lab, A, INFORMATIONAL, false, wrong[i]);

		delete_payload_write_ike(message_payload(&m, PAYLOAD_DELETE));
		lab_send_crafted(lab, A, &m);
		m = lab_craft(lab, A, INFORMATIONAL, true, wrong[i]);
		lab_send_crafted(lab, A, &m);
	}
	lab_run(lab, 10);
	assert_untouched(lab, sent);
	assert_int_equal(lab_counters(lab, B).wrong_message_id, 10);
	lab_free(lab);
}

/* ---- INFORMATIONAL */

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
 *	                 <--  D(IKE)           it could never have a child again
 */
static void a_deleted_child_ends_the_ike_sa(void **state)
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
	lab_run(lab, 100);
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

/* ---- what is refused */

static uint16_t answer_to(struct lab *lab, struct message *m, struct span *data)
{
	static struct payload_set set;
	struct wire_notify n;

	lab_send_crafted(lab, A, m);
	lab_run(lab, 1);
	set = lab_read(lab, lab_last(lab));
	assert_int_equal(set.n, 1);
	assert_int_equal(
		notify_payload_read(payload_set_first(&set, PAYLOAD_NOTIFY)->body, &n),
		WIRE_OK);
	if (data)
		*data = n.data;
	return n.type;
}

static void another_child_or_a_rekey_is_refused(void **state)
{
	struct lab *lab = lab_new(22);

	(void)state;
	lab_up(lab);
	for (uint32_t id = 2; id < 6; id++) {
		struct message m = lab_craft(lab, A, CREATE_CHILD_SA, false, id);

		if (id % 2)
			ike_notify_write(&m, N_REKEY_SA, span_of(NULL, 0));
		wr_bytes(message_payload(&m, PAYLOAD_SA), span_text("anything"));
		wr_bytes(message_payload(&m, PAYLOAD_NONCE), span_text("anything"));
		assert_int_equal(answer_to(lab, &m, NULL), N_NO_ADDITIONAL_SAS);
	}
	assert_untouched(lab, 2 + 4);
	lab_free(lab);
}

static void a_critical_payload_is_named(void **state)
{
	struct lab *lab = lab_new(23);
	struct span data;

	(void)state;
	lab_up(lab);
	struct message m = lab_craft(lab, A, INFORMATIONAL, false, 2);
	wr_bytes(message_payload_critical(&m, 211), span_text("odd"));
	assert_int_equal(answer_to(lab, &m, &data), N_UNSUPPORTED_CRITICAL_PAYLOAD);
	assert_int_equal(data.len, 1);
	assert_int_equal(data.at[0], 211);
	assert_untouched(lab, 3);
	/* and a known type is not refused for the flag (RFC 7296 3.2) */
	m = lab_craft(lab, A, INFORMATIONAL, false, 3);
	wr_bytes(message_payload_critical(&m, PAYLOAD_VENDOR), span_text("odd"));
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 1);
	assert_int_equal(lab_read(lab, lab_last(lab)).n, 0);
	lab_free(lab);
}

/* RFC 7296 2.21.3: fatal on both sides. */
static void a_malformed_request_ends_the_sa(void **state)
{
	struct lab *lab = lab_new(24);

	(void)state;
	lab_up(lab);
	struct message m = lab_craft(lab, A, INFORMATIONAL, false, 2);
	wr_bytes(message_payload(&m, PAYLOAD_DELETE), span_text("\3\4\0\7short"));
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 1);
	assert_int_equal(lab->side[B].n_closed, 1);
	assert_int_equal(lab->side[B].closed[0].why.close, IKE_CLOSE_WE_REFUSED);
	assert_int_equal(lab->side[B].closed[0].why.why, IKE_WHY_SYNTAX);
	assert_int_equal(lab->side[B].n_down, 1);
	lab_free(lab);
}

static void an_exchange_out_of_place_is_dropped(void **state)
{
	struct lab *lab = lab_new(25);

	(void)state;
	lab_up(lab);
	for (uint8_t exchange = IKE_AUTH; exchange < 50; exchange++) {
		struct message m = lab_craft(lab, A, exchange, false, 2);

		if (exchange == INFORMATIONAL || exchange == CREATE_CHILD_SA)
			continue;
		lab_send_crafted(lab, A, &m);
	}
	lab_run(lab, 10);
	assert_untouched(lab, 2);
	assert_true(lab_counters(lab, B).wrong_state >= 10);
	lab_free(lab);
}

/* RFC 7296 2.21.4: it must not change the state of any SA. */
static void a_notice_in_clear_is_ignored(void **state)
{
	struct lab *lab = lab_new(26);

	(void)state;
	lab_up(lab);
	for (int response = 0; response <= 1; response++) {
		struct ike_header h =
			ike_header_for(lab_sa(lab, A), INFORMATIONAL, response == 1, 2);
		struct message m = message_begin(lab->crafted, LAB_DATAGRAM, &h);

		ike_notify_write(&m, N_INVALID_IKE_SPI, span_of(NULL, 0));
		lab_inject(lab, A, &lab_sa(lab, A)->path, message_finish(&m));
	}
	lab_run(lab, 10);
	assert_untouched(lab, 2);
	assert_int_equal(lab_counters(lab, B).forged, 1);
	lab_free(lab);
}

static void spis_that_nobody_has(void **state)
{
	struct lab *lab = lab_new(27);

	(void)state;
	lab_up(lab);
	struct message m = lab_craft(lab, A, INFORMATIONAL, false, 2);
	lab->crafted[15] ^= 1; /* the responder's SPI */
	lab_send_crafted(lab, A, &m);
	m = lab_craft(lab, A, INFORMATIONAL, false, 2);
	lab->crafted[0] ^= 1; /* the initiator's, which B did not draw */
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 10);
	assert_untouched(lab, 2);
	assert_int_equal(lab_counters(lab, B).unknown_spi, 2);
	lab_free(lab);
}

/* ---- where the peer is */

static void a_peer_behind_a_nat_is_followed(void **state)
{
	struct lab *lab = lab_new(28);

	(void)state;
	lab_put_behind_nat(lab, B);
	lab_call(lab, B);
	lab_run(lab, 10);
	assert_int_equal(lab->side[A].n_moved, 0);
	lab->side[B].mapped = 20000; /* the NAT has forgotten, and maps anew */
	assert_int_equal(
		ike_probe(lab->side[B].engine, lab->now_ms, lab_sa(lab, B)->id), IKE_OK);
	lab_run(lab, 10);
	assert_int_equal(lab->side[A].n_moved, 1);
	assert_int_equal(lab->side[A].moved[0].path.remote.port, IKE_NATT_PORT + 20000);
	assert_int_equal(lab_sa(lab, B)->out.bytes.len, 0); /* and it was answered */
	lab_free(lab);
}

static void a_peer_without_nat_stays_where_it_is(void **state)
{
	struct lab *lab = lab_new(29);

	(void)state;
	lab_up(lab);
	lab->side[A].outside = addr_v4(192, 0, 2, 99);
	lab->side[A].mapped = 5;
	struct message m = lab_craft(lab, A, INFORMATIONAL, false, 2);
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 1);
	assert_int_equal(lab->side[B].n_moved, 0);
	/* The answer goes to where the request came from (RFC 7296 2.11). */
	assert_int_equal(lab_last(lab)->from, B);
	assert_true(addr_equal(&lab_last(lab)->path.local.addr, &lab->side[A].addr));
	assert_int_equal(lab_sa(lab, B)->path.remote.port, IKE_PORT);
	lab_free(lab);
}

static void the_data_path_moves_a_peer(void **state)
{
	struct lab *lab = lab_new(30);
	struct endpoint there = {.addr = addr_v4(203, 0, 113, 9), .port = 4711};
	struct ike_info info;

	(void)state;
	uint32_t id = lab_up(lab);
	assert_int_equal(ike_move(lab->side[A].engine, id, &there), IKE_OK);
	assert_true(ike_view(lab->side[A].engine, id, &info));
	assert_true(endpoint_equal(&info.path.remote, &there));
	assert_int_equal(ike_move(lab->side[A].engine, id + 9, &there), IKE_NOT_FOUND);
	lab_free(lab);
}

static void another_scope_is_another_world(void **state)
{
	struct lab *lab = lab_new(31);

	(void)state;
	uint32_t id = lab_up(lab);
	assert_int_equal(ike_probe(lab->side[A].engine, lab->now_ms, id), IKE_OK);
	lab->queue[0].path.scope = 3;
	lab_run(lab, 10);
	assert_int_equal(lab_counters(lab, B).unknown_spi, 1);
	lab_free(lab);
}

static void forgetting_is_silent(void **state)
{
	struct lab *lab = lab_new(32);

	(void)state;
	uint32_t id = lab_up(lab);
	unsigned sent = lab->side[A].n_sent;
	assert_int_equal(ike_forget(lab->side[A].engine, lab->now_ms, id), IKE_OK);
	assert_int_equal(lab->side[A].n_down, 1);
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_FORGOTTEN);
	assert_int_equal(lab->side[A].n_sent, sent);
	assert_int_equal(ike_forget(lab->side[A].engine, lab->now_ms, id), IKE_NOT_FOUND);
	ike_forget_scope(lab->side[B].engine, lab->now_ms, 1);
	assert_int_equal(lab_count(lab, B), 1);
	ike_forget_scope(lab->side[B].engine, lab->now_ms, 0);
	assert_true(list_empty(&lab->side[B].engine->sas));
	assert_int_equal(lab->side[B].n_closed, 1);
	lab_free(lab);
}

static void nothing_is_left_of_the_keys(void **state)
{
	struct lab *lab = lab_new(33);

	(void)state;
	lab_up(lab);
	for (int s = A; s <= B; s++) {
		const struct ike_sa *sa = lab_sa(lab, (enum lab_side_name)s);

		assert_int_equal(sa->conn->psk.len, 0);
		assert_int_equal(sa->sk_pi.len + sa->sk_pr.len, 0);
		assert_int_equal(sa->child->key_in.len + sa->child->key_out.len, 0);
		assert_null(sa->kex);
		assert_int_equal(sa->init_request.len + sa->init_response.len, 0);
	}
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_repeated_at_growing_intervals),
		cmocka_unit_test(an_urgent_call_is_repeated_at_once),
		cmocka_unit_test(a_repeated_request_gets_the_same_octets),
		cmocka_unit_test(storms_end_with_one_sa),
		cmocka_unit_test(old_messages_change_nothing),
		cmocka_unit_test(a_replay_does_not_move_the_peer),
		cmocka_unit_test(messages_cut_short_at_every_octet),
		cmocka_unit_test(one_wrong_bit_anywhere),
		cmocka_unit_test(a_changed_first_message_is_found_out),
		cmocka_unit_test(message_ids_out_of_the_window),
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
		cmocka_unit_test(a_deleted_child_ends_the_ike_sa),
		cmocka_unit_test(the_delete_of_an_unknown_child),
		cmocka_unit_test(unknown_notices_are_answered_and_ignored),
		cmocka_unit_test(another_child_or_a_rekey_is_refused),
		cmocka_unit_test(a_critical_payload_is_named),
		cmocka_unit_test(a_malformed_request_ends_the_sa),
		cmocka_unit_test(an_exchange_out_of_place_is_dropped),
		cmocka_unit_test(a_notice_in_clear_is_ignored),
		cmocka_unit_test(spis_that_nobody_has),
		cmocka_unit_test(a_peer_behind_a_nat_is_followed),
		cmocka_unit_test(a_peer_without_nat_stays_where_it_is),
		cmocka_unit_test(the_data_path_moves_a_peer),
		cmocka_unit_test(another_scope_is_another_world),
		cmocka_unit_test(forgetting_is_silent),
		cmocka_unit_test(nothing_is_left_of_the_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
