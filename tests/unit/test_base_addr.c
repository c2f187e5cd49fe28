/* Addresses, endpoints and prefixes, against the C library where it knows better. */
#include "unit.h"

#include "base/addr.h"

#include <arpa/inet.h>

static void text_round_trips(void **state)
{
	static const char *const texts[] = {"0.0.0.0", "192.0.2.10", "255.255.255.255",
		"::", "::1", "1::", "2001:db8::10", "2001:db8:0:1:1:1:1:1",
		"2001:0:0:1::1", "::ffff:192.0.2.1", "fe80::1:2:3:4", "1:2:3:4:5:6:7:8",
		"1:2:3:4:5:6:7::"};
	char out[ADDR_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct addr a = unit_addr(texts[i]);
		struct addr b = unit_addr(addr_format(&a, out));
		assert_true(addr_equal(&a, &b));
	}
	struct addr a = unit_addr("2001:DB8:0:0:1:0:0:1");
	assert_string_equal(addr_format(&a, out), "2001:db8::1:0:0:1");
	a = unit_addr("2001:db8:0:1:1:1:1:1");
	assert_string_equal(addr_format(&a, out), "2001:db8:0:1:1:1:1:1");
	a = unit_addr("1:2:3:4:5:6:7::");
	assert_string_equal(addr_format(&a, out), "1:2:3:4:5:6:7:0");
}

static void malformed_text_is_refused(void **state)
{
	static const char *const texts[] = {"", "1.2.3", "1.2.3.4.5", "256.1.1.1",
		"01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1..2.3", "1.2.3.-4", ":",
		":::", "1:2", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3",
		"12345::", "::1:", ":1::", "::g", "1.2.3.4::", "::1.2.3",
		"1:2:3:4:5:6:7:1.2.3.4", "fe80::1%eth0", "::1.2.3.4:5", "mail",
		"1:2:3:4:5:6:7:8::"};
	struct addr a = addr_v4(9, 9, 9, 9);

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(addr_parse(texts[i], &a));
	assert_int_equal(a.b[0], 9);
}

static void random_text_agrees_with_the_c_library(void **state)
{
	static const char alphabet[] = "01259afg:::::..";
	struct seeded_entropy store;
	struct entropy e = unit_entropy(&store);
	unsigned accepted = 0;

	(void)state;
	for (int i = 0; i < 300000; i++) {
		char text[24];
		uint8_t want[16];
		struct addr got;
		uint32_t len = entropy_below(&e, sizeof(text) - 1);

		for (uint32_t k = 0; k < len; k++)
			text[k] = alphabet[entropy_below(&e, sizeof(alphabet) - 1)];
		text[len] = '\0';
		bool theirs = inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text,
				      want) == 1;
		assert_int_equal(addr_parse(text, &got), theirs);
		if (theirs) {
			assert_memory_equal(got.b, want, addr_len(&got));
			accepted++;
		}
	}
	assert_true(accepted > 100);
}

static void format_agrees_with_the_c_library(void **state)
{
	struct seeded_entropy store;
	struct entropy e = unit_entropy(&store);

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint8_t b[16];
		char ours[ADDR_TEXT_MAX], theirs[INET6_ADDRSTRLEN];

		entropy_fill(&e, b, sizeof(b));
		uint32_t zeros = entropy_u32(&e);
		for (int g = 1; g < 8; g++) /* never the embedded IPv4 forms */
			if (zeros >> g & 1)
				b[2 * g] = b[2 * g + 1] = 0;
		b[0] |= 1;
		struct addr a = addr_from_bytes(b, 16);
		inet_ntop(AF_INET6, b, theirs, sizeof(theirs));
		assert_string_equal(addr_format(&a, ours), theirs);
	}
}

static void order_is_family_then_number(void **state)
{
	struct addr v4 = unit_addr("255.0.0.0"), v6 = unit_addr("::1");
	struct addr low = unit_addr("10.0.0.9"), high = unit_addr("10.0.1.0");

	(void)state;
	assert_true(addr_cmp(&v4, &v6) < 0);
	assert_true(addr_cmp(&high, &low) > 0);
	assert_int_equal(addr_cmp(&low, &low), 0);
	assert_false(addr_equal(&low, &high));
}

static void bytes_of_an_odd_length_are_no_address(void **state)
{
	uint8_t b[16] = {1};
	struct addr none = addr_from_bytes(b, 5);
	char out[ADDR_TEXT_MAX];

	(void)state;
	assert_false(addr_is_set(&none));
	assert_int_equal(addr_len(&none), 0);
	assert_string_equal(addr_format(&none, out), "none");
}

static void multicast_is_known_in_both_families(void **state)
{
	struct addr a = unit_addr("224.0.0.1"), b = unit_addr("ff02::1");
	struct addr c = unit_addr("223.255.255.255"), d = unit_addr("fe80::1");

	(void)state;
	assert_true(addr_is_multicast(&a) && addr_is_multicast(&b));
	assert_false(addr_is_multicast(&c) || addr_is_multicast(&d));
}

static void endpoint_shows_its_port(void **state)
{
	struct endpoint v4 = {.addr = unit_addr("192.0.2.1"), .port = 500};
	struct endpoint v6 = {.addr = unit_addr("2001:db8::1"), .port = 4500};
	char out[ENDPOINT_TEXT_MAX];

	(void)state;
	assert_string_equal(endpoint_format(&v4, out), "192.0.2.1:500");
	assert_string_equal(endpoint_format(&v6, out), "[2001:db8::1]:4500");
	assert_false(endpoint_equal(&v4, &v6));
}

static void prefix_knows_its_range(void **state)
{
	struct prefix p;
	struct addr last, in = unit_addr("10.1.127.255"), out = unit_addr("10.1.128.0");
	char text[ADDR_TEXT_MAX];

	(void)state;
	assert_true(prefix_parse("10.1.0.0/17", &p));
	last = prefix_last(&p);
	assert_string_equal(addr_format(&last, text), "10.1.127.255");
	assert_true(prefix_contains(&p, &in));
	assert_false(prefix_contains(&p, &out));

	assert_true(prefix_parse("2001:db8::/33", &p));
	last = prefix_last(&p);
	assert_string_equal(
		addr_format(&last, text), "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff");
	assert_false(prefix_contains(&p, &in));
	assert_true(prefix_parse("0.0.0.0/0", &p) && prefix_contains(&p, &in));
	assert_true(prefix_parse("192.0.2.7", &p));
	assert_int_equal(p.bits, 32);
}

static void malformed_prefix_is_refused(void **state)
{
	static const char *const texts[] = {"10.0.0.1/24", "10.0.0.0/33", "10.0.0.0/",
		"/8", "10.0.0.0/08", "10.0.0.0/8 ", "10.0.0.0/-1", "::1/127", "::/129",
		"::/1234", "0000000000000000000000000000000000000000000000000000/8"};
	struct prefix p;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(prefix_parse(texts[i], &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_round_trips),
		cmocka_unit_test(malformed_text_is_refused),
		cmocka_unit_test(random_text_agrees_with_the_c_library),
		cmocka_unit_test(format_agrees_with_the_c_library),
		cmocka_unit_test(order_is_family_then_number),
		cmocka_unit_test(bytes_of_an_odd_length_are_no_address),
		cmocka_unit_test(multicast_is_known_in_both_families),
		cmocka_unit_test(endpoint_shows_its_port),
		cmocka_unit_test(prefix_knows_its_range),
		cmocka_unit_test(malformed_prefix_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
