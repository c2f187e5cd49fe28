/* The ESP header, and what else may come to UDP port 4500. */
#include "unit.h"

#include "wire/esp_header.h"

static void header_round_trips(void **state)
{
	uint8_t b[10] = {0};
	struct esp_header h = {.spi = 0xc0ffee01, .seq = 0xfffffffe}, got;
	struct writer w = wr_over(b, sizeof(b));
	struct reader rest;

	(void)state;
	esp_header_write(&w, &h);
	assert_int_equal(wr_len(&w), ESP_HEADER_LEN);
	assert_int_equal(esp_header_read(span_of(b, sizeof(b)), &got, &rest), WIRE_OK);
	assert_true(got.spi == h.spi && got.seq == h.seq);
	assert_int_equal(rd_left(&rest), 2);
}

static void short_headers_and_reserved_spis_are_malformed(void **state)
{
	uint8_t b[8] = {0, 0, 1, 0};
	struct esp_header got;
	struct reader rest;

	(void)state;
	assert_int_equal(esp_header_read(span_of(b, 8), &got, &rest), WIRE_OK);
	assert_int_equal(esp_header_read(span_of(b, 7), &got, &rest), WIRE_MALFORMED);
	memcpy(b, "\0\0\0\377", 4);
	assert_int_equal(esp_header_read(span_of(b, 8), &got, &rest), WIRE_MALFORMED);
}

static enum natt_kind kind_of(const char *hex, struct span *content)
{
	static uint8_t b[64];
	return natt_classify(unit_hex(hex, b, sizeof(b)), content);
}

static void datagrams_of_port_4500_are_told_apart(void **state)
{
	struct span content;

	(void)state;
	assert_int_equal(kind_of("ff", &content), NATT_KEEPALIVE);
	assert_int_equal(kind_of("00000000 aabb", &content), NATT_IKE);
	unit_assert_span_equal(content, span_of("\xaa\xbb", 2));
	assert_int_equal(kind_of("00000100 00000001 aa", &content), NATT_ESP);
	assert_int_equal(content.len, 9);
}

static void other_datagrams_are_nothing(void **state)
{
	static const char *const rows[] = {"", "fe", "00", "ffff", "000000", "00000000",
		"00000100", "00000100 000000"};
	struct span content;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(kind_of(rows[i], &content), NATT_OTHER);
		assert_int_equal(content.len, 0);
	}
}

static void marker_and_message_are_ike(void **state)
{
	uint8_t b[16];
	struct span content;
	struct writer w = wr_over(b, sizeof(b));

	(void)state;
	natt_marker_write(&w);
	wr_bytes(&w, span_text("message"));
	assert_int_equal(natt_classify(wr_span(&w), &content), NATT_IKE);
	unit_assert_span_equal(content, span_text("message"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_round_trips),
		cmocka_unit_test(short_headers_and_reserved_spis_are_malformed),
		cmocka_unit_test(datagrams_of_port_4500_are_told_apart),
		cmocka_unit_test(other_datagrams_are_nothing),
		cmocka_unit_test(marker_and_message_are_ike),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
