/* tests/unit/test_ike_strange.c - requests and notices that have no place, in an SA that is up (RFC 7296 2.5, 2.21.3). */
#include "ike_seen.h"

#include <stdlib.h>

#include "wire/notify_payload.h"

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

		if (exchange == INFORMATIONAL || exchange == CREATE_CHILD_SA ||
			exchange == IKE_FOLLOWUP_KE)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_critical_payload_is_named),
		cmocka_unit_test(a_malformed_request_ends_the_sa),
		cmocka_unit_test(an_exchange_out_of_place_is_dropped),
		cmocka_unit_test(a_notice_in_clear_is_ignored),
		cmocka_unit_test(spis_that_nobody_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
