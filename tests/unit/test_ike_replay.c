/* tests/unit/test_ike_replay.c - old messages, damaged ones, and message IDs out of the window (RFC 7296 2.2,
 * 2.3, 2.21).
 */
#include "ike_seen.h"

#include <stdlib.h>

#include "wire/notify_payload.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_messages_change_nothing),
		cmocka_unit_test(a_replay_does_not_move_the_peer),
		cmocka_unit_test(messages_cut_short_at_every_octet),
		cmocka_unit_test(one_wrong_bit_anywhere),
		cmocka_unit_test(a_changed_first_message_is_found_out),
		cmocka_unit_test(message_ids_out_of_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
