/* Traffic selectors: containment, intersection, matching, text. */
#include "unit.h"

#include "base/iana.h"
#include "base/ts.h"

static struct ts ts_of(const char *prefix, uint8_t proto, uint16_t lo, uint16_t hi)
{
	struct prefix p = {.bits = 0};

	assert_true(prefix_parse(prefix, &p));
	struct ts t = ts_prefix(&p);
	t.proto = proto;
	t.port_lo = lo;
	t.port_hi = hi;
	assert_true(ts_valid(&t));
	return t;
}

static void any_contains_all_of_its_family(void **state)
{
	struct ts any = ts_any(ADDR_V4);
	struct ts net = ts_of("10.0.0.0/8", IP_TCP, 143, 143);
	struct ts opaque = ts_of("10.0.0.0/8", IP_TCP, 65535, 0);
	struct ts six = ts_any(ADDR_V6);

	(void)state;
	assert_true(ts_contains(&any, &net) && ts_contains(&any, &opaque));
	assert_false(ts_contains(&net, &any) || ts_contains(&any, &six));
	assert_false(ts_contains(&net, &opaque) || ts_contains(&opaque, &net));
	assert_true(ts_contains(&opaque, &opaque));
}

static void a_range_contains_what_lies_within_it(void **state)
{
	struct ts outer = ts_of("10.0.0.0/8", IP_TCP, 100, 200);
	struct ts inner = ts_of("10.1.0.0/16", IP_TCP, 100, 150);
	struct ts below = ts_of("10.1.0.0/16", IP_TCP, 99, 150);
	struct ts above = ts_of("10.1.0.0/16", IP_TCP, 150, 201);
	struct ts udp = ts_of("10.1.0.0/16", IP_UDP, 100, 150);
	struct ts wider = ts_of("8.0.0.0/6", IP_TCP, 100, 150);

	(void)state;
	assert_true(ts_contains(&outer, &inner) && ts_contains(&outer, &outer));
	assert_false(ts_contains(&outer, &below) || ts_contains(&outer, &above));
	assert_false(ts_contains(&outer, &udp) || ts_contains(&outer, &wider));
}

static void intersection_narrows_every_part(void **state)
{
	struct ts a = ts_of("10.0.0.0/8", IP_ANY, 0, 65535);
	struct ts b = ts_of("10.1.0.0/16", IP_TCP, 100, 200);
	struct ts c = ts_of("0.0.0.0/0", IP_TCP, 150, 300);
	struct ts want = ts_of("10.1.0.0/16", IP_TCP, 150, 200);
	struct ts got;

	(void)state;
	assert_true(ts_intersect(&a, &b, &got));
	assert_true(ts_equal(&got, &b));
	assert_true(ts_intersect(&b, &c, &got));
	assert_true(ts_equal(&got, &want));
}

static void nothing_in_common_leaves_the_result_alone(void **state)
{
	struct ts tcp = ts_of("10.0.0.0/8", IP_TCP, 0, 65535);
	struct ts udp = ts_of("10.0.0.0/8", IP_UDP, 0, 65535);
	struct ts far = ts_of("11.0.0.0/8", IP_TCP, 0, 65535);
	struct ts low = ts_of("10.0.0.0/8", IP_TCP, 0, 99);
	struct ts high = ts_of("10.0.0.0/8", IP_TCP, 100, 200);
	struct ts opaque = ts_of("10.0.0.0/8", IP_TCP, 65535, 0);
	struct ts six = ts_any(ADDR_V6);
	struct ts got = tcp;

	(void)state;
	assert_false(ts_intersect(&tcp, &udp, &got));
	assert_false(ts_intersect(&tcp, &far, &got));
	assert_false(ts_intersect(&low, &high, &got));
	assert_false(ts_intersect(&opaque, &high, &got));
	assert_false(ts_intersect(&tcp, &six, &got));
	assert_true(ts_equal(&got, &tcp));
	assert_true(ts_intersect(&tcp, &opaque, &got));
	assert_true(ts_equal(&got, &opaque));
}

static void a_packet_without_ports_matches_any_and_opaque_only(void **state)
{
	struct addr a = unit_addr("10.0.0.1");
	struct ts any = ts_of("10.0.0.0/8", IP_UDP, 0, 65535);
	struct ts opaque = ts_of("10.0.0.0/8", IP_UDP, 65535, 0);
	struct ts zero = ts_of("10.0.0.0/8", IP_UDP, 0, 0);

	(void)state;
	assert_true(ts_matches(&any, &a, IP_UDP, false, 0));
	assert_true(ts_matches(&opaque, &a, IP_UDP, false, 0));
	assert_false(ts_matches(&zero, &a, IP_UDP, false, 0));
	assert_true(ts_matches(&zero, &a, IP_UDP, true, 0));
	assert_false(ts_matches(&opaque, &a, IP_UDP, true, 65535));
	assert_false(ts_matches(&any, &a, IP_TCP, true, 5));
}

static void a_flow_matches_some_pair_of_two_lists(void **state)
{
	struct ts_list l = {.n = 0}, r = {.n = 0};
	struct ts imap = ts_of("192.0.2.10/32", IP_TCP, 143, 143);
	struct ts pop = ts_of("192.0.2.10/32", IP_TCP, 110, 110);
	struct ts clients = ts_of("198.51.100.0/24", IP_TCP, 0, 65535);
	struct flow f = {.local = unit_addr("192.0.2.10"),
		.remote = unit_addr("198.51.100.7"),
		.proto = IP_TCP,
		.ports_known = true,
		.local_port = 110,
		.remote_port = 40000};

	(void)state;
	assert_true(ts_list_add(&l, &imap) && ts_list_add(&l, &pop));
	assert_true(ts_list_add(&r, &clients));
	assert_true(ts_lists_match(&l, &r, &f));
	f.local_port = 80;
	assert_false(ts_lists_match(&l, &r, &f));
	f.local_port = 143;
	f.remote = unit_addr("198.51.101.7");
	assert_false(ts_lists_match(&l, &r, &f));
	assert_false(ts_pair_matches(&clients, &imap, &f));
}

static void malformed_selectors_are_told(void **state)
{
	struct ts t = ts_of("10.0.0.0/8", IP_ANY, 0, 65535);
	struct ts reversed = {.lo = t.hi, .hi = t.lo, .port_hi = 65535};
	struct ts mixed = {
		.lo = t.lo, .hi = ts_any(ADDR_V6).hi, .proto = 0, .port_hi = 65535};
	struct ts ports_without_proto = t;
	struct ts backwards = t;

	(void)state;
	ports_without_proto.port_hi = 80;
	backwards.proto = IP_TCP;
	backwards.port_lo = 9;
	backwards.port_hi = 8;
	assert_false(ts_valid(&reversed) || ts_valid(&mixed));
	assert_false(ts_valid(&ports_without_proto) || ts_valid(&backwards));
	assert_false(ts_valid(&(struct ts){0}));
}

static void lists_fill_up_and_compare(void **state)
{
	struct ts_list a = {.n = 0}, b = {.n = 0};
	struct ts any = ts_any(ADDR_V4), other = ts_any(ADDR_V6);

	(void)state;
	for (int i = 0; i < TS_LIST_MAX; i++)
		assert_true(ts_list_add(&a, &any));
	assert_false(ts_list_add(&a, &any));
	assert_false(ts_list_equal(&a, &b));
	b = a;
	assert_true(ts_list_equal(&a, &b));
	b.at[3] = other;
	assert_false(ts_list_equal(&a, &b));
}

static void text_is_what_a_person_writes(void **state)
{
	char out[TS_TEXT_MAX];
	struct ts t = ts_any(ADDR_V6);
	struct addr host = unit_addr("192.0.2.1");

	(void)state;
	assert_string_equal(ts_format(&t, out), "any");
	t = ts_of("192.0.2.0/24", IP_TCP, 143, 143);
	assert_string_equal(ts_format(&t, out), "192.0.2.0/24 tcp 143");
	t = ts_of("2001:db8::1", IP_ICMPV6, 0x8000, 0x80ff);
	assert_string_equal(ts_format(&t, out), "2001:db8::1/128 icmpv6 type 128");
	t = ts_of("0.0.0.0/0", IP_ICMP, 0x0301, 0x0301);
	assert_string_equal(ts_format(&t, out), "0.0.0.0/0 icmp type 3 code 1");
	t = ts_of("10.0.0.0/8", IP_UDP, 65535, 0);
	assert_string_equal(ts_format(&t, out), "10.0.0.0/8 udp opaque");
	t = ts_of("10.0.0.0/8", 132, 1, 9);
	assert_string_equal(ts_format(&t, out), "10.0.0.0/8 proto 132 1-9");
	t = ts_host(&host);
	assert_string_equal(ts_format(&t, out), "192.0.2.1/32");
	t.hi = unit_addr("192.0.2.9");
	assert_string_equal(ts_format(&t, out), "192.0.2.1-192.0.2.9");
}

static void the_longest_text_is_not_cut(void **state)
{
	char out[TS_TEXT_MAX];
	struct ts t = {.lo = unit_addr("1111:1111:1111:1111:1111:1111:1111:1111"),
		.hi = unit_addr("2222:2222:2222:2222:2222:2222:2222:2222"),
		.proto = 255,
		.port_lo = 10000,
		.port_hi = 65535};

	(void)state;
	assert_string_equal(ts_format(&t, out),
		"1111:1111:1111:1111:1111:1111:1111:1111-"
		"2222:2222:2222:2222:2222:2222:2222:2222 proto 255 10000-65535");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_contains_all_of_its_family),
		cmocka_unit_test(a_range_contains_what_lies_within_it),
		cmocka_unit_test(intersection_narrows_every_part),
		cmocka_unit_test(nothing_in_common_leaves_the_result_alone),
		cmocka_unit_test(a_packet_without_ports_matches_any_and_opaque_only),
		cmocka_unit_test(a_flow_matches_some_pair_of_two_lists),
		cmocka_unit_test(malformed_selectors_are_told),
		cmocka_unit_test(lists_fill_up_and_compare),
		cmocka_unit_test(text_is_what_a_person_writes),
		cmocka_unit_test(the_longest_text_is_not_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
