/* test_wire_ah.c - the Authentication Header, and what it covers of the headers in front of
 * it (RFC 4302 2, 3.3.3.1, appendix A).
 */
#include "unit.h"

#include "wire/ah_header.h"

#include <stdio.h>

static uint8_t packet[2048];
static struct ah_cover cover;

static enum wire_err covered(const char *hex)
{
	struct span p = unit_hex(hex, packet, sizeof(packet));
	struct ip_packet ip;

	assert_int_equal(ip_packet_read(p, &ip), WIRE_OK);
	return ah_cover_read(p, &ip, &cover);
}

static void assert_covered(const char *hex, const char *want)
{
	uint8_t b[512];

	assert_int_equal(covered(hex), WIRE_OK);
	unit_assert_span_equal(
		span_of(cover.at, cover.len), unit_hex(want, b, sizeof(b)));
}

#define AH "06 04 0000 01020304 00000005 000102030405060708090a0b"

/* ---- the header */

static void a_header_to_the_octet(void **state)
{
	uint8_t b[64], want[64];
	struct writer w = wr_over(b, sizeof(b));
	const struct ah_header h = {
		.next = IP_TCP, .len = 28, .spi = 0x01020304, .seq = 0xfffffffe};
	struct ah_header got;

	(void)state;
	ah_header_write(&w, &h);
	unit_assert_span_equal(
		wr_span(&w), unit_hex("06 05 0000 01020304 fffffffe"
				      "00000000 00000000 00000000 00000000",
				     want, sizeof(want)));
	assert_int_equal(ah_header_read(wr_span(&w), &got), WIRE_OK);
	assert_int_equal(got.next, IP_TCP);
	assert_int_equal(got.len, 28);
	assert_int_equal(got.spi, 0x01020304);
	assert_int_equal(got.seq, 0xfffffffe);
	/* RFC 4302 2.3: what is reserved is not looked at */
	b[2] = b[3] = 0xff;
	assert_int_equal(ah_header_read(wr_span(&w), &got), WIRE_OK);
	for (size_t len = 0; len < 28; len++)
		assert_int_equal(ah_header_read(span_of(b, len), &got), WIRE_MALFORMED);
}

/* RFC 4302 2.2: shorter than its fixed part; 2.4: reserved. */
static void headers_that_cannot_be(void **state)
{
	uint8_t b[64];
	struct ah_header got;

	(void)state;
	assert_int_equal(ah_header_read(unit_hex("06 00 0000 01020304 00000005 00000000",
						b, sizeof(b)),
				 &got),
		WIRE_MALFORMED);
	assert_int_equal(
		ah_header_read(
			unit_hex("06 01 0000 01020304 00000005", b, sizeof(b)), &got),
		WIRE_OK);
	assert_int_equal(
		ah_header_read(
			unit_hex("06 01 0000 000000ff 00000005", b, sizeof(b)), &got),
		WIRE_MALFORMED);
	assert_int_equal(
		ah_header_read(
			unit_hex("06 ff 0000 01020304 00000005", b, sizeof(b)), &got),
		WIRE_MALFORMED);
}

/* ---- IPv4 */

static void ipv4_fields_that_change(void **state)
{
	(void)state;
	assert_covered("45 ff 002c 1234 4000 3f33 abcd c0000201 c0000202" AH,
		"45 00 002c 1234 0000 0033 0000 c0000201 c0000202");
}

/* Each option of RFC 4302 A1, one that nobody knows, and what pads. */
static void ipv4_options(void **state)
{
	static const struct {
		const char *option;
		bool stays;
	} v[] = {
		{"82 04 abcd", true},
		{"85 04 abcd", true},
		{"86 04 abcd", true},
		{"94 04 abcd", true},
		{"95 04 abcd", true},
		{"83 04 abcd", false},
		{"44 04 abcd", false},
		{"07 04 abcd", false},
		{"89 04 abcd", false},
		{"52 04 abcd", false},
		{"88 04 abcd", false},
		{"0b 04 abcd", false},
		{"9e 04 abcd", false},
		{"01 01 01 01", true},
		{"01 01 00 ff", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		char text[256], want[256];

		snprintf(text, sizeof(text), "%s%s%s",
			"46 00 0030 1234 0000 4033 0000 c0000201 c0000202", v[i].option,
			AH);
		snprintf(want, sizeof(want), "%s%s",
			"46 00 0030 1234 0000 0033 0000 c0000201 c0000202",
			v[i].stays ? v[i].option : "00000000");
		assert_covered(text, want);
	}
}

static void ipv4_options_that_lie(void **state)
{
	static const char *const v[] = {"07 00 0000", "07 01 0000", "07 05 0000",
		"01 01 01 07", "01 01 07 03", "94 ff 0000"};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		char text[256];

		snprintf(text, sizeof(text), "%s%s%s",
			"46 00 0030 1234 0000 4033 0000 c0000201 c0000202", v[i], AH);
		assert_int_equal(covered(text), WIRE_MALFORMED);
	}
}

/* RFC 4302 3.4.1 */
static void fragments_are_not_for_ah(void **state)
{
	(void)state;
	assert_int_equal(covered("45 00 002c 1234 2000 4033 0000 c0000201 c0000202" AH),
		WIRE_MALFORMED);
	assert_int_equal(covered("45 00 002c 1234 0001 4033 0000 c0000201 c0000202" AH),
		WIRE_MALFORMED);
}

static void what_is_not_ah_is_not_covered(void **state)
{
	(void)state;
	assert_int_equal(covered("45 00 002c 1234 0000 4032 0000 c0000201 c0000202" AH),
		WIRE_MALFORMED);
}

/* ---- IPv6 */

#define A "20010db8 00000000 00000000 00000001"
#define B "20010db8 00000000 00000000 00000002"

static void ipv6_fields_that_change(void **state)
{
	(void)state;
	assert_covered("6fffffff 0018 33 40" A B AH, "60000000 0018 33 00" A B);
}

/* RFC 4302 3.3.3.1.2.2: the third bit of an option's type says it; type and length count
 * always. Pad1 has neither. */
static void ipv6_options(void **state)
{
	(void)state;
	assert_covered("60000000 0028 00 40" A B "3c 00 3e 02 abcd 00 00"
		       "33 00 1e 04 61626364" AH,
		"60000000 0028 00 00" A B "3c 00 3e 02 0000 00 00"
		"33 00 1e 04 61626364");
}

/* RFC 4302 A2: as it is; with segments left it is not for us. */
static void an_ipv6_routing_header(void **state)
{
	(void)state;
	assert_covered("60000000 0030 2b 40" A B
		       "33 02 00 00 00000000 20010db8 00000000 00000000 00000009" AH,
		"60000000 0030 2b 00" A B
		"33 02 00 00 00000000 20010db8 00000000 00000000 00000009");
}

/* RFC 4302 A2: a fragment header that stands alone is skipped. */
static void an_ipv6_fragment_that_is_whole(void **state)
{
	(void)state;
	assert_covered("60000000 0028 3c 40" A B "2c 00 1e 04 61626364"
		       "33 00 0000 00001234" AH,
		"60000000 0020 3c 00" A B "33 00 1e 04 61626364");
}

static void ipv6_options_that_lie(void **state)
{
	static const char *const v[] = {"33 00 3e 05 61626364", "33 00 01 03 616263 3e"};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		char text[512];

		snprintf(text, sizeof(text), "60000000 0020 3c 40%s%s%s%s", A, B, v[i],
			AH);
		assert_int_equal(covered(text), WIRE_MALFORMED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_to_the_octet),
		cmocka_unit_test(headers_that_cannot_be),
		cmocka_unit_test(ipv4_fields_that_change),
		cmocka_unit_test(ipv4_options),
		cmocka_unit_test(ipv4_options_that_lie),
		cmocka_unit_test(fragments_are_not_for_ah),
		cmocka_unit_test(what_is_not_ah_is_not_covered),
		cmocka_unit_test(ipv6_fields_that_change),
		cmocka_unit_test(ipv6_options),
		cmocka_unit_test(an_ipv6_routing_header),
		cmocka_unit_test(an_ipv6_fragment_that_is_whole),
		cmocka_unit_test(ipv6_options_that_lie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
