/* test_plane_parts.c - the plane's small parts: ranges as prefixes, the ring of reports,
 * ICMP errors for path MTU, AH as the sockets have it.
 */
#include "unit.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "routing/cover.h"
#include "plane/report.h"
#include "plane/ah_packet.h"
#include "plane/toobig.h"
#include "wire/ip_packet.h"

/* ---- ranges ------------------------------------------------------------------------ */

static struct ts range(const char *lo, const char *hi)
{
	struct ts t = {.lo = unit_addr(lo), .hi = unit_addr(hi), .port_hi = UINT16_MAX};

	return t;
}

/* "10.0.0.0/8 10.1.0.0/16": what the range is made of. */
static const char *cover_text(const struct ts *t, char *out, size_t cap)
{
	static struct prefix parts[COVER_MAX];
	size_t n = cover_range(t, parts), len = 0;
	char text[ADDR_TEXT_MAX];

	out[0] = '\0';
	for (size_t i = 0; i < n && len < cap; i++)
		len += (size_t)snprintf(out + len, cap - len, "%s%s/%u", i > 0 ? " " : "",
			addr_format(&parts[i].addr, text), parts[i].bits);
	return out;
}

static void assert_cover(const char *lo, const char *hi, const char *want)
{
	struct ts t = range(lo, hi);
	char text[1024];

	assert_string_equal(cover_text(&t, text, sizeof(text)), want);
}

static void a_prefix_is_one(void **state)
{
	(void)state;
	assert_cover("0.0.0.0", "255.255.255.255", "0.0.0.0/0");
	assert_cover("192.0.2.0", "192.0.2.255", "192.0.2.0/24");
	assert_cover("192.0.2.7", "192.0.2.7", "192.0.2.7/32");
	assert_cover("255.255.255.255", "255.255.255.255", "255.255.255.255/32");
	assert_cover("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0");
	assert_cover("2001:db8::10", "2001:db8::10", "2001:db8::10/128");
}

static void a_range_is_the_fewest_prefixes(void **state)
{
	(void)state;
	assert_cover("192.0.2.1", "192.0.2.6",
		"192.0.2.1/32 192.0.2.2/31 192.0.2.4/31 192.0.2.6/32");
	assert_cover("10.0.0.0", "10.2.255.255", "10.0.0.0/15 10.2.0.0/16");
	assert_cover("128.0.0.0", "255.255.255.254",
		"128.0.0.0/2 192.0.0.0/3 224.0.0.0/4 240.0.0.0/5 248.0.0.0/6 252.0.0.0/7 "
		"254.0.0.0/8 255.0.0.0/9 255.128.0.0/10 255.192.0.0/11 255.224.0.0/12 "
		"255.240.0.0/13 255.248.0.0/14 255.252.0.0/15 255.254.0.0/16 "
		"255.255.0.0/17 "
		"255.255.128.0/18 255.255.192.0/19 255.255.224.0/20 255.255.240.0/21 "
		"255.255.248.0/22 255.255.252.0/23 255.255.254.0/24 255.255.255.0/25 "
		"255.255.255.128/26 255.255.255.192/27 255.255.255.224/28 "
		"255.255.255.240/29 "
		"255.255.255.248/30 255.255.255.252/31 255.255.255.254/32");
}

static void the_worst_range_fits(void **state)
{
	struct ts t = range("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
	static struct prefix parts[COVER_MAX];

	(void)state;
	assert_int_equal(cover_range(&t, parts), COVER_MAX);
}

/* ---- reports ------------------------------------------------------------------------- */

static size_t push_until_full(struct report_ring *r, enum report_weight w)
{
	struct plane_report rep = {.kind = PLANE_USAGE_END};
	size_t n = 0;

	while (report_push(r, &rep, w))
		n++;
	return n;
}

static void reports_keep_their_order_and_wake_the_reader(void **state)
{
	struct report_ring *r = report_new();
	struct pollfd p = {.fd = report_fd(r), .events = POLLIN};
	struct plane_report rep = {.kind = PLANE_GATE_CLOSED};

	(void)state;
	assert_int_equal(poll(&p, 1, 0), 0);
	for (uint32_t turn = 1; turn <= 3; turn++) {
		rep.u.gate.turn = turn;
		assert_true(report_push(r, &rep, REPORT_VITAL));
	}
	report_wake(r);
	assert_int_equal(poll(&p, 1, 0), 1);
	for (uint32_t turn = 1; turn <= 3; turn++) {
		assert_true(report_pop(r, &rep));
		assert_int_equal(rep.u.gate.turn, turn);
	}
	assert_false(report_pop(r, &rep));
	report_unwake(r);
	assert_int_equal(poll(&p, 1, 0), 0);
	report_free(r);
}

/* Strangers fill their share; an answer and an acknowledgement still find room. */
static void what_strangers_cause_leaves_room(void **state)
{
	struct report_ring *r = report_new();

	(void)state;
	assert_true(push_until_full(r, REPORT_LIGHT) > 0);
	assert_true(push_until_full(r, REPORT_ANSWER) > 0);
	assert_true(push_until_full(r, REPORT_VITAL) >= SCOPE_MAX);
	report_free(r);
}

static void a_ring_works_on_when_it_was_full(void **state)
{
	struct report_ring *r = report_new();
	struct plane_report rep = {.kind = PLANE_USAGE_END};
	size_t n;

	(void)state;
	for (int round = 0; round < 5; round++) {
		n = push_until_full(r, REPORT_VITAL);
		assert_true(n > 0);
		while (report_pop(r, &rep))
			n--;
		assert_int_equal(n, 0);
	}
	report_free(r);
}

/* ---- ICMP errors ------------------------------------------------------------------------ */

#define ROUTER_TO_US "45000000 0001 0000 40 01 0000 cb007101 c000020a"
#define TOO_BIG "03 04 0000 0000 053c"
#define OURS(proto) "45000000 0001 4000 40 " proto " 0000 c000020a c6336407"

static bool parse(const char *hex, struct path_mtu *out)
{
	uint8_t bytes[256];

	return toobig_parse(unit_hex(hex, bytes, sizeof(bytes)), out);
}

static void an_error_for_esp_is_read(void **state)
{
	struct path_mtu t;
	struct addr us = unit_addr("192.0.2.10"), peer = unit_addr("198.51.100.7");

	(void)state;
	assert_true(parse(ROUTER_TO_US TOO_BIG OURS("32") "01020304 00000007", &t));
	assert_int_equal(t.octets, 1340);
	assert_false(t.encap);
	assert_true(addr_equal(&t.local, &us));
	assert_true(addr_equal(&t.remote.addr, &peer));
}

/* The SPI stands behind next header, length, reserved. */
static void an_error_for_ah_is_read(void **state)
{
	struct path_mtu t;

	(void)state;
	assert_true(parse(ROUTER_TO_US TOO_BIG OURS("33") "1105 0000 01020304", &t));
	assert_int_equal(t.octets, 1340);
	assert_false(t.encap);
	assert_int_equal(t.spi, 0x01020304);
	assert_false(parse(ROUTER_TO_US TOO_BIG OURS("33") "1105 0000 0102", &t));
}

#define TOO_BIG_V6 "02 00 0000 00000514"
#define OURS_V6(next)                                                \
	"60000000 0100 " next " 40 20010db8000000000000000000000010" \
	"20010db8000000000000000000000007"

static bool parse_v6(const char *hex, struct path_mtu *out)
{
	uint8_t bytes[256];

	return toobig_parse_v6(unit_hex(hex, bytes, sizeof(bytes)), out);
}

static void an_error_over_ipv6_is_read(void **state)
{
	struct addr us = unit_addr("2001:db8::10"), peer = unit_addr("2001:db8::7");
	struct path_mtu t;

	(void)state;
	assert_true(parse_v6(TOO_BIG_V6 OURS_V6("33") "1105 0000 01020304", &t));
	assert_int_equal(t.octets, 1300);
	assert_int_equal(t.spi, 0x01020304);
	assert_true(addr_equal(&t.local, &us));
	assert_true(addr_equal(&t.remote.addr, &peer));
	assert_true(parse_v6(
		TOO_BIG_V6 OURS_V6("3c") "3300 000000000000 1105 0000 01020304", &t));
	assert_int_equal(t.spi, 0x01020304);
	assert_true(parse_v6(
		TOO_BIG_V6 OURS_V6("2c") "3300 0001 00000001 1105 0000 01020304", &t));
	assert_int_equal(t.spi, 0x01020304);
	assert_true(parse_v6(TOO_BIG_V6 OURS_V6("32") "01020304 00000007", &t));
	assert_false(t.encap);
	assert_true(
		parse_v6(TOO_BIG_V6 OURS_V6("11") "1194 ee48 0064 0000 0a0b0c0d", &t));
	assert_int_equal(t.remote.port, 61000);
}

static void other_icmpv6_is_not_taken_for_it(void **state)
{
	struct path_mtu t;

	(void)state;
	/* unreachable; no size; a later fragment; TCP; IPv4; SPI 0; cut off */
	assert_false(parse_v6("01 00 0000 00000514" OURS_V6("32") "01020304", &t));
	assert_false(parse_v6("02 00 0000 00000000" OURS_V6("32") "01020304", &t));
	assert_false(parse_v6(
		TOO_BIG_V6 OURS_V6("2c") "3300 0009 00000001 1105 0000 01020304", &t));
	assert_false(parse_v6(TOO_BIG_V6 OURS_V6("06") "1194 ee48 0a0b0c0d", &t));
	assert_false(parse_v6(TOO_BIG_V6 OURS("32") "01020304 00000007", &t));
	assert_false(parse_v6(TOO_BIG_V6 OURS_V6("32") "00000000 00000007", &t));
	assert_false(parse_v6(TOO_BIG_V6 OURS_V6("33") "1105 0000 0102", &t));
}

static void an_error_for_esp_in_udp_is_read(void **state)
{
	struct path_mtu t;

	(void)state;
	assert_true(parse(
		ROUTER_TO_US TOO_BIG OURS("11") "1194 ee48 0064 0000 0a0b0c0d", &t));
	assert_true(t.encap);
	assert_int_equal(t.remote.port, 61000);
	assert_int_equal(t.spi, 0x0a0b0c0d);
}

static void other_icmp_is_not_taken_for_it(void **state)
{
	struct path_mtu t;

	(void)state;
	/* host unreachable; no size; UDP of another port; IKE; TCP; quotes another's packet, a
	 * later fragment */
	assert_false(parse(
		ROUTER_TO_US "03 01 0000 0000 053c" OURS("32") "01020304 00000007", &t));
	assert_false(parse(
		ROUTER_TO_US "03 04 0000 0000 0000" OURS("32") "01020304 00000007", &t));
	assert_false(parse(ROUTER_TO_US TOO_BIG OURS("11") "0035 ee48 0064 0000", &t));
	assert_false(parse(
		ROUTER_TO_US TOO_BIG OURS("11") "1194 ee48 0064 0000 00000000", &t));
	assert_false(parse(ROUTER_TO_US TOO_BIG
		"45000000 0001 4007 40 32 0000 c000020a c6336407 01020304 00000007",
		&t));
	assert_false(parse(
		ROUTER_TO_US TOO_BIG OURS("06") "1194 ee48 0064 0000 0a0b0c0d", &t));
	assert_false(parse(ROUTER_TO_US TOO_BIG
		"45000000 0001 4000 40 32 0000 c000020b c6336407 01020304 00000007",
		&t));
}

static void a_cut_off_error_is_skipped(void **state)
{
	uint8_t bytes[256];
	struct span whole =
		unit_hex(ROUTER_TO_US TOO_BIG OURS("11") "1194 ee48 0064 0000 0a0b0c0d",
			bytes, sizeof(bytes));
	struct path_mtu t;

	(void)state;
	/* Eight octets of UDP alone show no SPI: that is not enough. */
	for (size_t len = 0; len < whole.len; len++)
		assert_false(toobig_parse(span_of(whole.at, len), &t));
	assert_true(toobig_parse(whole, &t));
}

/* ---- AH -------------------------------------------------------------------------- */

static uint8_t room[ESP_ROOM_BEFORE + 4096];

/* RFC 791 3.2: parts of 8 octets, all with the header's numbers, that make the whole again. */
static void ah_is_cut_up_as_ipv4_wants_it(void **state)
{
	struct esp_packet p = {.at = room, .len = 3020, .ah = true, .mtu = 1003};
	struct writer w = wr_over(room, 20);
	const struct ip_packet whole = {.src = unit_addr("192.0.2.1"),
		.dst = unit_addr("192.0.2.2"),
		.proto = IP_AH,
		.ttl = 64,
		.tos = 0x28,
		.frag_id = 0x1234};
	size_t at = 0;

	(void)state;
	ip_packet_write_header(&w, &whole, 3000);
	for (size_t i = 20; i < p.len; i++)
		room[i] = (uint8_t)(i * 7);
	for (unsigned n = 0; at < 3000; n++) {
		uint8_t part[4096];
		struct span text;
		struct ip_packet ip;

		size_t len = ah_packet_part(&p, at, part, &text);
		assert_int_equal(len, n < 3 ? 976 : 72);
		assert_true(len + 20 <= 1003);
		assert_ptr_equal(text.at, room + 20 + at);
		memcpy(part + 20, text.at, text.len);
		assert_int_equal(ip_packet_read(span_of(part, 20 + len), &ip), WIRE_OK);
		assert_int_equal(ip.total_len, 20 + len);
		assert_true(ip.fragment);
		assert_int_equal(ip.more, n < 3);
		assert_int_equal(ip.frag_offset, at);
		assert_int_equal(ip.frag_id, 0x1234);
		assert_int_equal(ip.proto, IP_AH);
		assert_int_equal(ip.tos, 0x28);
		at += len;
	}
	assert_int_equal(at, 3000);
}

static void put_control(struct msghdr *m, struct cmsghdr **c, int type, const char *hex)
{
	uint8_t bytes[64];
	struct span s = unit_hex(hex, bytes, sizeof(bytes));

	*c = *c ? CMSG_NXTHDR(m, *c) : CMSG_FIRSTHDR(m);
	assert_non_null(*c);
	(*c)->cmsg_level = IPPROTO_IPV6;
	(*c)->cmsg_type = type;
	(*c)->cmsg_len = CMSG_LEN(s.len);
	memcpy(CMSG_DATA(*c), s.at, s.len);
}

static struct esp_packet arrived(size_t len)
{
	return (struct esp_packet){.at = room + ESP_ROOM_BEFORE,
		.len = len,
		.ah = true,
		.tos = 0x28,
		.local = {unit_addr("2001:db8::2"), 0},
		.remote = {unit_addr("2001:db8::1"), 0}};
}

static void what_a_raw_ipv6_socket_leaves_out_is_put_back(void **state)
{
	_Alignas(struct cmsghdr) uint8_t control[256] = {0};
	struct msghdr m = {.msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = NULL;
	struct esp_packet p = arrived(32);
	struct ip_packet ip;
	uint8_t want[16];

	(void)state;
	put_control(&m, &c, IPV6_TCLASS, "28000000");
	put_control(&m, &c, IPV6_HOPOPTS, "3c00 050200000100");
	put_control(&m, &c, IPV6_DSTOPTS, "3300 1e0461626364");
	m.msg_controllen = (size_t)((uint8_t *)c - control) + CMSG_SPACE(8);
	unit_hex("1106 0000 01020304 00000001", p.at, 12);
	assert_true(ah_packet_complete(&p, &m));
	assert_int_equal(p.len, 40 + 16 + 32);
	assert_int_equal(ip_packet_read(span_of(p.at, p.len), &ip), WIRE_OK);
	assert_int_equal(ip.proto, IP_AH);
	assert_int_equal(ip.l4_at, 56);
	assert_int_equal(ip.total_len, p.len);
	assert_int_equal(ip.tos, 0x28);
	assert_true(addr_equal(&ip.src, &p.remote.addr));
	assert_true(addr_equal(&ip.dst, &p.local.addr));
	unit_assert_span_equal(span_of(p.at + 40, 16),
		unit_hex("3c00050200000100 33001e0461626364", want, sizeof(want)));
	/* and without any */
	m.msg_controllen = 0;
	p = arrived(32);
	assert_true(ah_packet_complete(&p, &m));
	assert_int_equal(p.len, 72);
	assert_int_equal(p.at[6], IP_AH);
}

static void headers_without_room_are_refused(void **state)
{
	_Alignas(struct cmsghdr) uint8_t control[256] = {0};
	struct msghdr m = {.msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = NULL;
	struct esp_packet p = arrived(32);

	(void)state;
	for (size_t i = 0; i < 8; i++)
		put_control(&m, &c, IPV6_DSTOPTS, "3c00 1e0461626364");
	m.msg_controllen = (size_t)((uint8_t *)c - control) + CMSG_SPACE(8);
	assert_false(ah_packet_complete(&p, &m)); /* 40 + 64 octets */
	m.msg_controllen = 0;
	m.msg_flags = MSG_CTRUNC;
	assert_false(ah_packet_complete(&p, &m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prefix_is_one),
		cmocka_unit_test(a_range_is_the_fewest_prefixes),
		cmocka_unit_test(the_worst_range_fits),
		cmocka_unit_test(reports_keep_their_order_and_wake_the_reader),
		cmocka_unit_test(what_strangers_cause_leaves_room),
		cmocka_unit_test(a_ring_works_on_when_it_was_full),
		cmocka_unit_test(an_error_for_esp_is_read),
		cmocka_unit_test(an_error_for_ah_is_read),
		cmocka_unit_test(an_error_for_esp_in_udp_is_read),
		cmocka_unit_test(ah_is_cut_up_as_ipv4_wants_it),
		cmocka_unit_test(what_a_raw_ipv6_socket_leaves_out_is_put_back),
		cmocka_unit_test(headers_without_room_are_refused),
		cmocka_unit_test(an_error_over_ipv6_is_read),
		cmocka_unit_test(other_icmpv6_is_not_taken_for_it),
		cmocka_unit_test(other_icmp_is_not_taken_for_it),
		cmocka_unit_test(a_cut_off_error_is_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
