/* The reader and the writer: neither ever leaves its bytes. */
#include "unit.h"

#include "wire/reader.h"
#include "wire/writer.h"

static void integers_are_big_endian_both_ways(void **state)
{
	uint8_t b[15];
	struct writer w = wr_over(b, sizeof(b));

	(void)state;
	wr_u8(&w, 0x01);
	wr_u16(&w, 0x0203);
	wr_u32(&w, 0x04050607);
	wr_u64(&w, 0x08090a0b0c0d0e0f);
	assert_true(wr_ok(&w));
	for (unsigned i = 0; i < sizeof(b); i++)
		assert_int_equal(b[i], i + 1);

	struct reader r = rd_over(wr_span(&w));
	assert_int_equal(rd_u8(&r), 0x01);
	assert_int_equal(rd_u16(&r), 0x0203);
	assert_int_equal(rd_u32(&r), 0x04050607);
	assert_true(rd_u64(&r) == 0x08090a0b0c0d0e0f);
	assert_true(rd_done(&r));
}

static void a_short_read_breaks_for_good(void **state)
{
	uint8_t b[3] = {1, 2, 3};
	struct reader r = rd_over(span_of(b, sizeof(b)));

	(void)state;
	assert_int_equal(rd_u32(&r), 0);
	assert_false(rd_ok(&r));
	assert_int_equal(rd_left(&r), 0);
	assert_int_equal(rd_u8(&r), 0);
	assert_int_equal(rd_rest(&r).len, 0);
	assert_false(rd_ok(&r) || rd_done(&r));
}

static void a_child_has_its_own_end(void **state)
{
	uint8_t b[4] = {1, 2, 3, 4};
	struct reader r = rd_over(span_of(b, sizeof(b)));
	struct reader sub = rd_sub(&r, 2);

	(void)state;
	assert_int_equal(rd_u16(&sub), 0x0102);
	assert_true(rd_done(&sub));
	rd_u8(&sub);
	assert_false(rd_ok(&sub));
	assert_true(rd_ok(&r));
	assert_int_equal(rd_left(&r), 2);
}

static void a_child_of_a_short_parent_is_born_broken(void **state)
{
	uint8_t b[4] = {1, 2, 3, 4};
	struct reader r = rd_over(span_of(b, sizeof(b)));
	struct reader sub = rd_sub(&r, SIZE_MAX);

	(void)state;
	assert_false(rd_ok(&sub) || rd_ok(&r));
	assert_int_equal(rd_left(&sub), 0);
}

static void empty_bytes_are_done_at_once(void **state)
{
	struct reader r = rd_over(span_of(NULL, 0));
	struct reader sub = rd_sub(&r, 0);

	(void)state;
	assert_true(rd_done(&r) && rd_done(&sub));
	rd_skip(&r, 1);
	assert_false(rd_ok(&r));
}

static void a_full_buffer_breaks_for_good(void **state)
{
	uint8_t b[4] = {0, 0, 0, 0xee};
	struct writer w = wr_over(b, 3);

	(void)state;
	wr_u16(&w, 0x0102);
	wr_u16(&w, 0x0304);
	wr_u8(&w, 0x05);
	assert_false(wr_ok(&w));
	assert_int_equal(wr_span(&w).len, 0);
	wr_fill_u8(&w, 0, 9);
	assert_int_equal(b[0], 1);
	assert_int_equal(b[2], 0);
	assert_int_equal(b[3], 0xee);
}

static void a_length_is_filled_in_later(void **state)
{
	uint8_t b[11];
	struct writer w = wr_over(b, sizeof(b));

	(void)state;
	wr_zeros(&w, 7);
	wr_bytes(&w, span_text("data"));
	wr_fill_u8(&w, 0, 0x11);
	wr_fill_u16(&w, 1, 0x2233);
	wr_fill_u32(&w, 3, 0x44556677);
	assert_true(wr_ok(&w));
	assert_memory_equal(b,
		"\x11\x22\x33\x44\x55\x66\x77"
		"data",
		11);
	assert_int_equal(wr_len(&w), 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_big_endian_both_ways),
		cmocka_unit_test(a_short_read_breaks_for_good),
		cmocka_unit_test(a_child_has_its_own_end),
		cmocka_unit_test(a_child_of_a_short_parent_is_born_broken),
		cmocka_unit_test(empty_bytes_are_done_at_once),
		cmocka_unit_test(a_full_buffer_breaks_for_good),
		cmocka_unit_test(a_length_is_filled_in_later),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
