/* test_esp_reassembly.c - fragments in, datagrams out. */
#include "unit.h"
#include "../esp_lab.h"
#include "esp/reassembly.h"

static struct reassembly r;
static uint8_t whole[LAB_PACKET_MAX];
static struct buf out;

static int setup(void **state)
{
	(void)state;
	reassembly_init(&r);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	reassembly_wipe(&r);
	return 0;
}

static void put16(uint8_t *at, size_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

/* Octets [from, from + len) of the payload of `whole` as a fragment in buffer 1. */
static struct esp_packet cut(bool v6, uint16_t id, size_t from, size_t len, bool more)
{
	size_t head = v6 ? 40 : 20, head_f = v6 ? 48 : 20;
	struct esp_packet p = {.at = lab_buffer(1), .len = head_f + len};

	memcpy(p.at, whole, head);
	memcpy(p.at + head_f, whole + head + from, len);
	if (v6) {
		put16(p.at + 4, 8 + len);
		p.at[40] = p.at[6];
		p.at[6] = 44;
		p.at[41] = 0;
		put16(p.at + 42, from | more);
		put16(p.at + 44, 0);
		put16(p.at + 46, id);
	} else {
		put16(p.at + 2, p.len);
		put16(p.at + 4, id);
		put16(p.at + 6, from / 8 | (more ? 0x2000 : 0));
	}
	return p;
}

static enum reassembled add(struct esp_packet p, uint64_t now_ms)
{
	struct ip_packet ip;

	assert_int_equal(ip_packet_read(span_of(p.at, p.len), &ip), WIRE_OK);
	assert_true(ip.fragment);
	return reassembly_add(&r, &ip, p.at, now_ms, &out);
}

static size_t make_whole(bool v6, size_t len)
{
	struct addr src = lab_addr(v6, 1), dst = lab_addr(v6, 2);
	struct esp_packet p = lab_udp(0, &src, 1, &dst, 2, len - 8);

	memcpy(whole, p.at, p.len);
	return p.len;
}

static void assert_whole(size_t len)
{
	assert_int_equal(out.len, len);
	/* an IPv4 header's identification is the fragments' */
	if (whole[0] >> 4 == 4) {
		memcpy(out.at + 4, whole + 4, 2);
		ipv4_checksum_set(out.at, 20);
	}
	assert_memory_equal(out.at, whole, len);
}

enum { PIECE = 1480, PIECES = 5, DATAGRAM_MAX = UINT16_MAX, PAYLOAD = 4 * PIECE + 333 };

static struct esp_packet piece(bool v6, uint16_t id, size_t k)
{
	size_t from = k * PIECE;
	bool last = k == PIECES - 1;

	return cut(v6, id, from, last ? PAYLOAD - from : PIECE, !last);
}

/* All 120 orders of five fragments. */
static void every_order(bool v6)
{
	size_t len = make_whole(v6, PAYLOAD);

	for (size_t code = 0; code < 5 * 4 * 3 * 2; code++) {
		size_t left[PIECES] = {0, 1, 2, 3, 4}, c = code;

		reassembly_begin(&r, LAB_NOW);
		for (size_t n = PIECES; n > 0; c /= n, n--) {
			size_t pick = c % n;
			enum reassembled want =
				n == 1 ? REASSEMBLY_WHOLE : REASSEMBLY_WAITS;

			assert_int_equal(
				add(piece(v6, (uint16_t)code, left[pick]), LAB_NOW),
				want);
			left[pick] = left[n - 1];
		}
		assert_whole(len);
	}
	assert_int_equal(r.abandoned, 0);
	/* one slot did it all */
	assert_null(r.slots[1]);
}

static void every_order_v4(void **state)
{
	(void)state;
	every_order(false);
}

static void every_order_v6(void **state)
{
	(void)state;
	every_order(true);
}

static void datagrams_may_interleave(void **state)
{
	size_t len = make_whole(false, PAYLOAD);

	(void)state;
	for (size_t k = 0; k < PIECES - 1; k++) {
		assert_int_equal(add(piece(false, 1, k), LAB_NOW), REASSEMBLY_WAITS);
		assert_int_equal(add(piece(false, 2, k), LAB_NOW), REASSEMBLY_WAITS);
	}
	assert_int_equal(add(piece(false, 2, PIECES - 1), LAB_NOW), REASSEMBLY_WHOLE);
	assert_whole(len);
	assert_int_equal(add(piece(false, 1, PIECES - 1), LAB_NOW), REASSEMBLY_WHOLE);
	assert_whole(len);
}

/* RFC 5722: one overlap spoils the datagram. */
static void overlaps_spoil(void **state)
{
	static const struct {
		size_t from, len;
		bool more;
	} bad[] = {
		{0, 1480, true}, /* the same again */
		{1472, 16, true}, /* across the end of it */
		{8, 8, false}, /* a last one that ends before */
	};

	(void)state;
	make_whole(false, PAYLOAD);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		reassembly_begin(&r, LAB_NOW);
		assert_int_equal(add(piece(false, 9, 0), LAB_NOW), REASSEMBLY_WAITS);
		assert_int_equal(
			add(cut(false, 9, bad[i].from, bad[i].len, bad[i].more), LAB_NOW),
			REASSEMBLY_SPOILT);
		assert_int_equal(r.abandoned, i + 1);
	}
}

/* Units beyond the end must not make up for those that lack within. */
static void two_ends_spoil(void **state)
{
	(void)state;
	make_whole(false, PAYLOAD);
	assert_int_equal(add(cut(false, 1, 80, 16, false), LAB_NOW), REASSEMBLY_WAITS);
	assert_int_equal(add(cut(false, 1, 800, 16, false), LAB_NOW), REASSEMBLY_SPOILT);
	assert_int_equal(add(cut(false, 2, 80, 16, false), LAB_NOW), REASSEMBLY_WAITS);
	assert_int_equal(add(cut(false, 2, 160, 16, true), LAB_NOW), REASSEMBLY_SPOILT);
	assert_int_equal(add(cut(false, 3, 160, 16, true), LAB_NOW), REASSEMBLY_WAITS);
	assert_int_equal(add(cut(false, 3, 80, 16, false), LAB_NOW), REASSEMBLY_SPOILT);
}

/* The largest that IP can say, and one octet more. */
static void the_largest_datagram(void **state)
{
	size_t payload = DATAGRAM_MAX - 20, from = 0;

	(void)state;
	make_whole(false, payload);
	for (; from + PIECE < payload; from += PIECE)
		assert_int_equal(
			add(cut(false, 1, from, PIECE, true), LAB_NOW), REASSEMBLY_WAITS);
	assert_int_equal(add(cut(false, 1, from, payload - from, false), LAB_NOW),
		REASSEMBLY_WHOLE);
	assert_whole(DATAGRAM_MAX);

	/* within the bitmap, but not with a header in front */
	for (from = 0; from + PIECE < payload; from += PIECE)
		assert_int_equal(
			add(cut(false, 3, from, PIECE, true), LAB_NOW), REASSEMBLY_WAITS);
	assert_int_equal(add(cut(false, 3, from, payload - from + 1, false), LAB_NOW),
		REASSEMBLY_SPOILT);
}

static void time_ends_waiting(void **state)
{
	(void)state;
	make_whole(false, PAYLOAD);
	assert_int_equal(add(piece(false, 1, 0), LAB_NOW), REASSEMBLY_WAITS);
	reassembly_begin(&r, LAB_NOW + REASSEMBLY_TIMEOUT_MS - 1);
	assert_int_equal(r.abandoned, 0);
	reassembly_begin(&r, LAB_NOW + REASSEMBLY_TIMEOUT_MS);
	assert_int_equal(r.abandoned, 1);
	for (size_t k = 1; k < PIECES; k++)
		assert_int_equal(add(piece(false, 1, k), LAB_NOW + REASSEMBLY_TIMEOUT_MS),
			REASSEMBLY_WAITS);
}

static void the_oldest_makes_room(void **state)
{
	(void)state;
	make_whole(false, PAYLOAD);
	for (uint16_t id = 0; id <= REASSEMBLY_SLOTS; id++)
		assert_int_equal(
			add(piece(false, id, 0), LAB_NOW + id), REASSEMBLY_WAITS);
	assert_int_equal(r.abandoned, 1);
	/* number 1 is still there, number 0 not */
	for (size_t k = 1; k < PIECES; k++)
		assert_int_equal(add(piece(false, 1, k), LAB_NOW),
			k == PIECES - 1 ? REASSEMBLY_WHOLE : REASSEMBLY_WAITS);
	for (size_t k = 1; k < PIECES; k++)
		assert_int_equal(add(piece(false, 0, k), LAB_NOW), REASSEMBLY_WAITS);
}

/* What was handed out is not overwritten before the next call. */
static void handed_out_stays(void **state)
{
	size_t len = make_whole(false, 24);
	struct buf first;

	(void)state;
	assert_int_equal(add(cut(false, 1, 0, 8, true), LAB_NOW), REASSEMBLY_WAITS);
	assert_int_equal(add(cut(false, 1, 8, 16, false), LAB_NOW), REASSEMBLY_WHOLE);
	first = out;
	for (uint16_t id = 2; id < 2 + ESP_BATCH_MAX / 2 - 1; id++) {
		assert_int_equal(
			add(cut(false, id, 0, 8, true), LAB_NOW), REASSEMBLY_WAITS);
		assert_int_equal(
			add(cut(false, id, 8, 16, false), LAB_NOW), REASSEMBLY_WHOLE);
		assert_ptr_not_equal(out.at, first.at);
	}
	out = first;
	assert_whole(len);
}

/* RFC 8200 4.5: headers before the fragment header stay, with their link mended. */
static void ipv6_headers_before_stay(void **state)
{
#define BASE "40 20010db8000000000000000000000001 20010db8000000000000000000000002"
	static const char *const texts[] = {
		"60000000 0018 3c" BASE
		"2c00010400000000 1100000100000001 0001000200100000",
		"60000000 0018 3c" BASE
		"2c00010400000000 1100000800000001 a0a1a2a3a4a5a6a7",
	};
	static const char whole_text[] =
		"60000000 0018 3c" BASE "1100010400000000 0001000200100000"
		"a0a1a2a3a4a5a6a7";
	uint8_t bytes[128], want[128];
	struct esp_packet p = {.at = bytes};

	(void)state;
	p.len = unit_hex(texts[0], bytes, sizeof bytes).len;
	assert_int_equal(add(p, LAB_NOW), REASSEMBLY_WAITS);
	p.len = unit_hex(texts[1], bytes, sizeof bytes).len;
	assert_int_equal(add(p, LAB_NOW), REASSEMBLY_WHOLE);
	unit_assert_span_equal(buf_span(&out), unit_hex(whole_text, want, sizeof want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_order_v4, setup, teardown),
		cmocka_unit_test_setup_teardown(every_order_v6, setup, teardown),
		cmocka_unit_test_setup_teardown(
			datagrams_may_interleave, setup, teardown),
		cmocka_unit_test_setup_teardown(overlaps_spoil, setup, teardown),
		cmocka_unit_test_setup_teardown(two_ends_spoil, setup, teardown),
		cmocka_unit_test_setup_teardown(the_largest_datagram, setup, teardown),
		cmocka_unit_test_setup_teardown(time_ends_waiting, setup, teardown),
		cmocka_unit_test_setup_teardown(the_oldest_makes_room, setup, teardown),
		cmocka_unit_test_setup_teardown(handed_out_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(
			ipv6_headers_before_stay, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
