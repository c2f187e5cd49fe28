/* IKE header, payload chain, and the frame of the encrypted payload. */
#include "unit.h"

#include "wire/message.h"

static const struct ike_header header = {
	.spi_i = 0x1122334455667788,
	.spi_r = 0x99aabbccddeeff00,
	.major = 2,
	.exchange = IKE_AUTH,
	.initiator = true,
	.message_id = 1,
};

static void header_round_trips(void **state)
{
	uint8_t b[64];
	struct ike_header h = header, got;
	struct reader rest;

	(void)state;
	for (int flags = 0; flags < 8; flags++) {
		h.initiator = flags & 1;
		h.response = flags & 2;
		h.higher_version = flags & 4;
		struct message m = message_begin(b, sizeof(b), &h);
		struct span out = message_finish(&m);
		assert_int_equal(out.len, IKE_HEADER_LEN);
		assert_int_equal(ike_header_read(out, &got, &rest), WIRE_OK);
		assert_true(got.spi_i == h.spi_i && got.spi_r == h.spi_r);
		assert_int_equal(got.major, 2);
		assert_int_equal(got.exchange, IKE_AUTH);
		assert_int_equal(got.message_id, 1);
		assert_true(got.initiator == h.initiator && got.response == h.response);
		assert_true(got.higher_version == h.higher_version);
		assert_true(rd_done(&rest));
	}
}

/* The octets of RFC 7296 3.1's drawing, written down by hand. */
static void header_has_the_layout_of_the_rfc(void **state)
{
	uint8_t b[28], want[28];
	struct ike_header h = header;

	(void)state;
	h.response = true;
	struct message m = message_begin(b, sizeof(b), &h);
	unit_assert_span_equal(message_finish(&m),
		unit_hex(
			"1122334455667788 99aabbccddeeff00 00 20 23 28 00000001 0000001c",
			want, sizeof(want)));
}

static void header_with_another_length_is_malformed(void **state)
{
	uint8_t b[64] = {0};
	struct ike_header got;
	struct reader rest;
	struct message m = message_begin(b, sizeof(b), &header);
	struct span out = message_finish(&m);

	(void)state;
	for (size_t len = 0; len < sizeof(b); len++) {
		enum wire_err want = len == out.len ? WIRE_OK : WIRE_MALFORMED;
		assert_int_equal(ike_header_read(span_of(b, len), &got, &rest), want);
	}
}

static void header_without_initiator_spi_is_malformed(void **state)
{
	uint8_t b[28];
	struct ike_header h = header, got;
	struct reader rest;

	(void)state;
	h.spi_i = 0;
	struct message m = message_begin(b, sizeof(b), &h);
	assert_int_equal(
		ike_header_read(message_finish(&m), &got, &rest), WIRE_MALFORMED);
}

static void another_major_version_is_reported(void **state)
{
	uint8_t b[28];
	struct ike_header h = header, got;
	struct reader rest;

	(void)state;
	h.major = 3;
	h.minor = 1;
	struct message m = message_begin(b, sizeof(b), &h);
	assert_int_equal(ike_header_read(message_finish(&m), &got, &rest), WIRE_OK);
	assert_int_equal(got.major, 3);
	assert_int_equal(got.minor, 1);
}

/* Reads a message in clear that some writer filled. */
static enum wire_err read_back(struct span datagram, struct payload_set *set)
{
	struct ike_header h;
	struct reader chain;

	assert_int_equal(ike_header_read(datagram, &h, &chain), WIRE_OK);
	return payload_set_read(chain, h.next_payload, set);
}

static void chain_round_trips(void **state)
{
	uint8_t b[128];
	struct payload_set set;
	struct message m = message_begin(b, sizeof(b), &header);

	(void)state;
	wr_bytes(message_payload(&m, PAYLOAD_NONCE), span_text("nonce"));
	wr_bytes(message_payload(&m, PAYLOAD_NOTIFY), span_text("one"));
	message_payload(&m, PAYLOAD_VENDOR);
	wr_bytes(message_payload(&m, PAYLOAD_NOTIFY), span_text("two"));
	assert_int_equal(read_back(message_finish(&m), &set), WIRE_OK);

	assert_int_equal(set.n, 4);
	assert_true(
		set.present == (PAYLOAD_BIT(PAYLOAD_NONCE) | PAYLOAD_BIT(PAYLOAD_NOTIFY) |
				       PAYLOAD_BIT(PAYLOAD_VENDOR)));
	const struct payload *n = payload_set_first(&set, PAYLOAD_NOTIFY);
	struct reader body = n->body;
	unit_assert_span_equal(rd_rest(&body), span_text("one"));
	n = payload_set_next(&set, PAYLOAD_NOTIFY, n);
	body = n->body;
	unit_assert_span_equal(rd_rest(&body), span_text("two"));
	assert_null(payload_set_next(&set, PAYLOAD_NOTIFY, n));
	assert_null(payload_set_first(&set, PAYLOAD_SA));
	assert_true(payload_set_has(&set, PAYLOAD_VENDOR));
}

static enum wire_err read_chain(const char *hex, uint8_t first, struct payload_set *set)
{
	uint8_t b[256];
	return payload_set_read(rd_over(unit_hex(hex, b, sizeof(b))), first, set);
}

static void malformed_chains_are_told(void **state)
{
	struct payload_set set;

	(void)state;
	/* a length below its own header, beyond the end, and a header cut short */
	assert_int_equal(read_chain("00000003", PAYLOAD_NONCE, &set), WIRE_MALFORMED);
	assert_int_equal(read_chain("00000006 00", PAYLOAD_NONCE, &set), WIRE_MALFORMED);
	assert_int_equal(read_chain("0000", PAYLOAD_NONCE, &set), WIRE_MALFORMED);
	/* bytes behind the last payload; bytes without any payload */
	assert_int_equal(read_chain("00000004 00", PAYLOAD_NONCE, &set), WIRE_MALFORMED);
	assert_int_equal(read_chain("00", PAYLOAD_NONE, &set), WIRE_MALFORMED);
	/* a payload is named but not there */
	assert_int_equal(read_chain("28000004", PAYLOAD_SA, &set), WIRE_MALFORMED);
	/* two nonces */
	assert_int_equal(
		read_chain("28000004 00000004", PAYLOAD_NONCE, &set), WIRE_MALFORMED);
	/* something behind the encrypted payload */
	assert_int_equal(
		read_chain("28000004 00000004", PAYLOAD_SK, &set), WIRE_MALFORMED);
	assert_int_equal(read_chain("", PAYLOAD_NONE, &set), WIRE_OK);
}

static void unknown_payloads_are_left_out(void **state)
{
	struct payload_set set;

	(void)state;
	assert_int_equal(read_chain("28000004 00000004", 200, &set), WIRE_OK);
	assert_int_equal(set.n, 1);
	assert_true(payload_set_has(&set, PAYLOAD_NONCE));
}

static void an_unknown_critical_payload_is_named(void **state)
{
	struct payload_set set;

	(void)state;
	assert_int_equal(read_chain("c9800004 00800004", 200, &set), WIRE_CRITICAL);
	assert_int_equal(set.unknown_critical, 200);
	/* the critical flag of a payload that we know says nothing (RFC 7296 2.5) */
	assert_int_equal(read_chain("00800004", PAYLOAD_NONCE, &set), WIRE_OK);
	/* a broken chain is malformed first of all */
	assert_int_equal(read_chain("c9800004 00800009", 200, &set), WIRE_MALFORMED);
}

static void repeated_payloads_are_bounded(void **state)
{
	static uint8_t b[8192];
	struct payload_set set;
	struct message m = message_begin(b, sizeof(b), &header);
	static const uint8_t types[] = {PAYLOAD_NOTIFY, PAYLOAD_VENDOR, PAYLOAD_CERT,
		PAYLOAD_CERTREQ, PAYLOAD_DELETE};

	(void)state;
	for (int i = 0; i < 40; i++)
		for (size_t t = 0; t < sizeof(types); t++)
			message_payload(&m, types[t]);
	for (uint8_t t = PAYLOAD_SA; t <= PAYLOAD_EAP; t++)
		if (!memchr(types, t, sizeof(types)) && t != PAYLOAD_SK)
			message_payload(&m, t);
	message_payload(&m, PAYLOAD_SK);
	assert_int_equal(read_back(message_finish(&m), &set), WIRE_OK);
	assert_int_equal(set.n, 5 * PAYLOAD_REPEAT_MAX + 11);
}

static void critical_flag_is_written(void **state)
{
	uint8_t b[64];
	struct payload_set set;
	struct message m = message_begin(b, sizeof(b), &header);

	(void)state;
	message_payload_critical(&m, 201);
	assert_int_equal(read_back(message_finish(&m), &set), WIRE_CRITICAL);
	assert_int_equal(set.unknown_critical, 201);
}

static void a_message_that_does_not_fit_is_empty(void **state)
{
	uint8_t b[40];

	(void)state;
	for (size_t cap = 0; cap < 37; cap++) {
		struct message m = message_begin(b, cap, &header);
		wr_bytes(message_payload(&m, PAYLOAD_NONCE), span_text("nonce"));
		assert_int_equal(message_finish(&m).len, 0);
	}
}

static void a_payload_beyond_its_length_field_breaks_the_message(void **state)
{
	static uint8_t b[70000];
	struct message m = message_begin(b, sizeof(b), &header);

	(void)state;
	wr_zeros(message_payload(&m, PAYLOAD_NONCE), UINT16_MAX - 3);
	assert_int_equal(message_finish(&m).len, 0);
}

/*	HDR, SK { NONCE, NOTIFY }    written, "sealed" by flipping bits, read, opened */
static void encrypted_frame_round_trips(void **state)
{
	uint8_t b[128];
	struct sk_frame f;
	struct sk_sealed got;
	struct ike_header h;
	struct reader chain;
	struct payload_set set;
	struct message m = message_begin(b, sizeof(b), &header);

	(void)state;
	message_encrypt(&m);
	wr_bytes(message_payload(&m, PAYLOAD_NONCE), span_text("nonce"));
	wr_bytes(message_payload(&m, PAYLOAD_NOTIFY), span_text("note"));
	assert_true(message_finish_sk(&m, &f));
	memcpy(f.iv, "\1\2\3\4\5\6\7\10", 8);
	assert_int_equal(f.text_len, 4 + 5 + 4 + 4 + 1);
	assert_ptr_equal(
		f.text + f.text_len + SK_TAG_LEN, f.datagram.at + f.datagram.len);
	assert_int_equal(f.aad.len, IKE_HEADER_LEN + 4);

	assert_int_equal(ike_header_read(f.datagram, &h, &chain), WIRE_OK);
	assert_int_equal(h.next_payload, PAYLOAD_SK);
	assert_int_equal(payload_set_read(chain, h.next_payload, &set), WIRE_OK);
	const struct payload *sk = payload_set_first(&set, PAYLOAD_SK);
	assert_int_equal(sk_payload_read(f.datagram, sk, &got), WIRE_OK);
	unit_assert_span_equal(got.aad, f.aad);
	assert_true(got.iv == 0x0102030405060708);
	assert_ptr_equal(got.sealed.at, f.text);
	assert_int_equal(got.sealed.len, f.text_len + SK_TAG_LEN);

	assert_int_equal(sk_payload_strip(span_of(f.text, f.text_len), &chain), WIRE_OK);
	assert_int_equal(payload_set_read(chain, got.inner, &set), WIRE_OK);
	assert_int_equal(set.n, 2);
}

static void an_empty_encrypted_message_round_trips(void **state)
{
	uint8_t b[57];
	struct sk_frame f;
	struct sk_sealed got;
	struct ike_header h;
	struct reader chain;
	struct payload_set set;
	struct message m = message_begin(b, sizeof(b), &header);

	(void)state;
	message_encrypt(&m);
	assert_true(message_finish_sk(&m, &f));
	assert_int_equal(f.datagram.len, sizeof(b));
	assert_int_equal(ike_header_read(f.datagram, &h, &chain), WIRE_OK);
	assert_int_equal(payload_set_read(chain, h.next_payload, &set), WIRE_OK);
	assert_int_equal(sk_payload_read(f.datagram, &set.at[0], &got), WIRE_OK);
	assert_int_equal(got.inner, PAYLOAD_NONE);
	assert_int_equal(sk_payload_strip(span_of(f.text, f.text_len), &chain), WIRE_OK);
	assert_true(rd_done(&chain));
}

static void a_short_encrypted_payload_is_malformed(void **state)
{
	uint8_t b[128];

	(void)state;
	for (size_t len = 0; len <= SK_IV_LEN + SK_TAG_LEN + 1; len++) {
		struct message m = message_begin(b, sizeof(b), &header);
		struct ike_header h;
		struct reader chain;
		struct payload_set set;
		struct sk_sealed got;

		wr_zeros(message_payload(&m, PAYLOAD_SK), len);
		struct span out = message_finish(&m);
		assert_int_equal(ike_header_read(out, &h, &chain), WIRE_OK);
		assert_int_equal(payload_set_read(chain, h.next_payload, &set), WIRE_OK);
		enum wire_err want =
			len < SK_IV_LEN + SK_TAG_LEN + 1 ? WIRE_MALFORMED : WIRE_OK;
		assert_int_equal(sk_payload_read(out, &set.at[0], &got), want);
	}
}

static void padding_is_taken_off_and_checked(void **state)
{
	uint8_t text[] = {1, 2, 3, 0, 0, 2};
	struct reader r;

	(void)state;
	assert_int_equal(sk_payload_strip(span_of(text, 6), &r), WIRE_OK);
	assert_int_equal(rd_left(&r), 3);
	text[5] = 5;
	assert_int_equal(sk_payload_strip(span_of(text, 6), &r), WIRE_OK);
	assert_int_equal(rd_left(&r), 0);
	text[5] = 6;
	assert_int_equal(sk_payload_strip(span_of(text, 6), &r), WIRE_MALFORMED);
	assert_int_equal(sk_payload_strip(span_of(text, 0), &r), WIRE_MALFORMED);
}

static void an_encrypted_message_that_does_not_fit_is_refused(void **state)
{
	uint8_t b[57];
	struct sk_frame f;

	(void)state;
	for (size_t cap = 0; cap < sizeof(b); cap++) {
		struct message m = message_begin(b, cap, &header);
		message_encrypt(&m);
		assert_false(message_finish_sk(&m, &f));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_round_trips),
		cmocka_unit_test(header_has_the_layout_of_the_rfc),
		cmocka_unit_test(header_with_another_length_is_malformed),
		cmocka_unit_test(header_without_initiator_spi_is_malformed),
		cmocka_unit_test(another_major_version_is_reported),
		cmocka_unit_test(chain_round_trips),
		cmocka_unit_test(malformed_chains_are_told),
		cmocka_unit_test(unknown_payloads_are_left_out),
		cmocka_unit_test(an_unknown_critical_payload_is_named),
		cmocka_unit_test(repeated_payloads_are_bounded),
		cmocka_unit_test(critical_flag_is_written),
		cmocka_unit_test(a_message_that_does_not_fit_is_empty),
		cmocka_unit_test(a_payload_beyond_its_length_field_breaks_the_message),
		cmocka_unit_test(encrypted_frame_round_trips),
		cmocka_unit_test(an_empty_encrypted_message_round_trips),
		cmocka_unit_test(a_short_encrypted_payload_is_malformed),
		cmocka_unit_test(padding_is_taken_off_and_checked),
		cmocka_unit_test(an_encrypted_message_that_does_not_fit_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
