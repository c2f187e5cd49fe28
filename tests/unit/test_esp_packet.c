/* test_esp_packet.c - reading IP headers, and the Internet checksum. */
#include "unit.h"
#include "../esp_lab.h"

static uint8_t bytes[2048];

static struct ip_packet parsed(const char *text)
{
	struct span s = unit_hex(text, bytes, sizeof bytes);
	struct ip_packet ip;

	assert_true(ip_parse(s, &ip));
	return ip;
}

static void refused(const char *text)
{
	struct ip_packet ip;

	assert_false(ip_parse(unit_hex(text, bytes, sizeof bytes), &ip));
}

/* The ICMP packet of RFC 7634 appendix A, its first octets. */
static void an_ipv4_header(void **state)
{
	struct ip_packet ip = parsed("45b80020a6f240004001e778c6336405c0000205"
				     "08005b7a3a080000553bec10");

	(void)state;
	assert_true(addr_equal(&ip.src, &(struct addr){ADDR_V4, {198, 51, 100, 5}}));
	assert_true(addr_equal(&ip.dst, &(struct addr){ADDR_V4, {192, 0, 2, 5}}));
	assert_int_equal(ip.total_len, 32);
	assert_int_equal(ip.base_len, 20);
	assert_int_equal(ip.upper_at, 20);
	assert_int_equal(ip.proto, IP_ICMP);
	assert_int_equal(ip.tos, 0xb8);
	assert_true(ip.dont_fragment);
	assert_false(ip.fragment);
	assert_true(ip.ports_known);
	assert_int_equal(ip.src_port, 0x0800);
	assert_int_equal(ip.dst_port, 0x0800);
}

static void ipv4_options_are_header(void **state)
{
	struct ip_packet ip =
		parsed("46000020000000004006000001010101020202020101010000500051"
		       "00000000");

	(void)state;
	assert_int_equal(ip.base_len, 24);
	assert_int_equal(ip.src_port, 0x50);
	assert_int_equal(ip.dst_port, 0x51);
}

static void bad_lengths_are_refused(void **state)
{
	(void)state;
	refused("");
	refused("45");
	refused("00001400000000400600000101010102020202");
	refused("4400001400000000400600000101010102020202"); /* header of 16 */
	refused("4600001400000000400600000101010102020202"); /* longer than all */
	refused("4500001500000000400600000101010102020202"); /* total beyond the end */
	refused("4500001300000000400600000101010102020202"); /* total within the header */
	refused("6500001400000000400600000101010102020202");
	refused("f500001400000000400600000101010102020202");
}

static void ports_may_be_cut_off(void **state)
{
	struct ip_packet ip = parsed("450000170000000040060000010101010202020200500051");

	(void)state;
	assert_false(ip.ports_known);
	ip = parsed("4500001400000000402f00000101010102020202");
	assert_false(ip.ports_known);
}

static void later_fragments_have_no_ports(void **state)
{
	struct ip_packet ip = parsed("4500001c1234200140110000010101010202020200010002"
				     "00030004");

	(void)state;
	assert_true(ip.fragment);
	assert_true(ip.more_fragments);
	assert_int_equal(ip.fragment_offset, 8);
	assert_int_equal(ip.fragment_id, 0x1234);
	assert_false(ip.ports_known);
}

#define V6(next, length)                   \
	"6b900000" length next "40"        \
	"20010db8000000000000000000000001" \
	"20010db8000000000000000000000002"

static void an_ipv6_header(void **state)
{
	struct ip_packet ip = parsed(V6("11", "0008") "0035d43100080000");

	(void)state;
	assert_int_equal(ip.src.family, ADDR_V6);
	assert_int_equal(ip.dst.b[15], 2);
	assert_int_equal(ip.tos, 0xb9);
	assert_int_equal(ip.total_len, 48);
	assert_int_equal(ip.upper_at, 40);
	assert_int_equal(ip.src_port, 53);
	assert_int_equal(ip.dst_port, 0xd431);
}

/* Hop-by-hop, destination options of 16 octets, then TCP. */
static void ipv6_extensions_are_passed(void **state)
{
	struct ip_packet ip = parsed(V6("00", "001c") "3c00010400000000"
						      "06010102000000000000000000000000"
						      "00500051");

	(void)state;
	assert_int_equal(ip.next, 0);
	assert_int_equal(ip.proto, IP_TCP);
	assert_int_equal(ip.upper_at, 64);
	assert_int_equal(ip.dst_port, 0x51);
}

static void ipv6_fragments(void **state)
{
	/* the first of two, behind destination options */
	struct ip_packet ip = parsed(V6("3c", "0018") "2c00010400000000"
						      "11000001cafebabe"
						      "0035003600080000");

	(void)state;
	assert_true(ip.fragment);
	assert_true(ip.more_fragments);
	assert_int_equal(ip.fragment_at, 48);
	assert_int_equal(ip.fragment_link, 40);
	assert_int_equal(ip.fragment_id, 0xcafebabe);
	assert_int_equal(ip.dst_port, 0x36);
	/* a later one: what looks like a header is data */
	ip = parsed(V6("2c", "0010") "3c000010cafebabe"
				     "1100010400000000");
	assert_int_equal(ip.fragment_offset, 16);
	assert_false(ip.more_fragments);
	assert_int_equal(ip.upper_at, 48);
	assert_false(ip.ports_known);
}

static void bad_ipv6_is_refused(void **state)
{
	(void)state;
	refused(V6("11", "0009") "0035d43100080000"); /* beyond the end */
	refused(V6("00", "0008") "1101010400000000"); /* option header beyond the end */
	refused(V6("2c", "0004") "11000001");
	/* two fragment headers */
	refused(V6("2c", "0010") "2c000001cafebabe11000001cafebabe");
	/* seventeen headers in a row */
	refused(V6("00", "0088") "0000000000000000"
				 "0000000000000000"
				 "0000000000000000"
				 "0000000000000000"
				 "0000000000000000"
				 "0000000000000000"
				 "0000000000000000"
				 "0000000000000000"
				 "0000000000000000"
				 "0000000000000000"
				 "0000000000000000"
				 "0000000000000000"
				 "0000000000000000"
				 "0000000000000000"
				 "0000000000000000"
				 "0000000000000000"
				 "1100000000000000");
}

static void a_flow_has_two_sides(void **state)
{
	struct ip_packet ip = parsed(V6("11", "0008") "0035d43100080000");
	struct flow out = ip_flow(&ip, true), in = ip_flow(&ip, false);

	(void)state;
	assert_int_equal(out.local.b[15], 1);
	assert_int_equal(out.local_port, 53);
	assert_int_equal(in.local.b[15], 2);
	assert_int_equal(in.remote_port, 53);
}

static void written_headers_read_back(void **state)
{
	(void)state;
	for (int v6 = 0; v6 <= 1; v6++) {
		struct ip_header h = {lab_addr(v6, 1), lab_addr(v6, 2), 0xb9, 200};
		struct ip_packet ip;

		ip_header_write(bytes, &h, 100);
		assert_true(ip_parse(span_of(bytes, sizeof bytes), &ip));
		assert_int_equal(ip.total_len, ip_header_len(&h.src) + 100);
		assert_true(addr_equal(&ip.src, &h.src));
		assert_true(addr_equal(&ip.dst, &h.dst));
		assert_int_equal(ip.tos, 0xb9);
		assert_int_equal(ip.proto, 200);
	}
}

/* ---- checksums ---------------------------------------------------------------- */

/* RFC 1071 written down as it is defined: 16-bit words, end-around carry. */
static uint16_t plain_sum(const uint8_t *at, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += (uint32_t)at[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void sums_of_all_lengths(void **state)
{
	struct seeded_entropy store;
	struct entropy e = unit_entropy(&store);
	uint8_t out[2];

	(void)state;
	entropy_fill(&e, bytes, sizeof bytes);
	for (size_t len = 0; len < 300; len++) {
		size_t cut = len / 3 * 2; /* even */
		uint64_t sum = sum_add(0, span_of(bytes + 1, cut));
		sum_finish(sum_add(sum, span_of(bytes + 1 + cut, len - cut)), out);
		assert_int_equal(out[0] << 8 | out[1], plain_sum(bytes + 1, len));
	}
}

/* The headers of RFC 7634 appendix A. */
static void a_known_ipv4_checksum(void **state)
{
	(void)state;
	unit_hex("4500008c2345000040320000cb007199cb007105", bytes, sizeof bytes);
	ipv4_checksum_write(bytes, 20);
	assert_int_equal(bytes[10] << 8 | bytes[11], 0xde5b);
}

static bool upper_sum_is_right(const struct esp_packet *p)
{
	struct ip_packet ip;
	uint8_t out[2];

	assert_true(ip_parse(span_of(p->at, p->len), &ip));
	size_t len = ip.total_len - ip.upper_at;
	uint64_t sum = sum_pseudo(&ip.src, &ip.dst, ip.proto, len);
	sum_finish(sum_add(sum, span_of(p->at + ip.upper_at, len)), out);
	return out[0] == 0 && out[1] == 0;
}

static void upper_checksums_are_mended(void **state)
{
	static const uint8_t protos[] = {IP_TCP, IP_UDP, IP_ICMPV6};

	(void)state;
	for (int v6 = 0; v6 <= 1; v6++) {
		struct addr src = lab_addr(v6, 1), dst = lab_addr(v6, 2);
		for (size_t i = 0; i < sizeof protos; i++) {
			struct esp_packet p = lab_ip(0, &src, &dst, protos[i], 33);
			struct ip_packet ip;

			assert_true(ip_parse(span_of(p.at, p.len), &ip));
			upper_checksum_write(p.at, &ip);
			assert_true(upper_sum_is_right(&p));
		}
	}
}

/* A UDP sum that comes to zero is sent as all ones; none at all stays none. */
static void udp_has_two_zeros(void **state)
{
	struct addr src = lab_addr(false, 1), dst = lab_addr(false, 2);
	struct esp_packet p = lab_udp(0, &src, 1, &dst, 2, 2);
	struct ip_packet ip;
	uint8_t *udp = p.at + 20;

	(void)state;
	assert_true(ip_parse(span_of(p.at, p.len), &ip));
	/* the sum without the last word goes into the last word */
	udp[8] = udp[9] = 0;
	upper_checksum_write(p.at, &ip);
	memcpy(udp + 8, udp + 6, 2);
	upper_checksum_write(p.at, &ip);
	assert_int_equal(udp[6] << 8 | udp[7], 0xffff);

	udp[6] = udp[7] = 0;
	upper_checksum_write(p.at, &ip);
	assert_int_equal(udp[6] << 8 | udp[7], 0);
}

static void other_protocols_are_left_alone(void **state)
{
	struct addr src = lab_addr(false, 1), dst = lab_addr(false, 2);
	struct esp_packet p = lab_ip(0, &src, &dst, 47, 40);
	struct ip_packet ip;
	uint8_t before[60];

	(void)state;
	memcpy(before, p.at, 60);
	assert_true(ip_parse(span_of(p.at, p.len), &ip));
	upper_checksum_write(p.at, &ip);
	assert_memory_equal(before, p.at, 60);
	/* too short to hold one */
	p = lab_ip(0, &src, &dst, IP_TCP, 17);
	memcpy(before, p.at, 37);
	assert_true(ip_parse(span_of(p.at, p.len), &ip));
	upper_checksum_write(p.at, &ip);
	assert_memory_equal(before, p.at, 37);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ipv4_header),
		cmocka_unit_test(ipv4_options_are_header),
		cmocka_unit_test(bad_lengths_are_refused),
		cmocka_unit_test(ports_may_be_cut_off),
		cmocka_unit_test(later_fragments_have_no_ports),
		cmocka_unit_test(an_ipv6_header),
		cmocka_unit_test(ipv6_extensions_are_passed),
		cmocka_unit_test(ipv6_fragments),
		cmocka_unit_test(bad_ipv6_is_refused),
		cmocka_unit_test(a_flow_has_two_sides),
		cmocka_unit_test(written_headers_read_back),
		cmocka_unit_test(sums_of_all_lengths),
		cmocka_unit_test(a_known_ipv4_checksum),
		cmocka_unit_test(upper_checksums_are_mended),
		cmocka_unit_test(udp_has_two_zeros),
		cmocka_unit_test(other_protocols_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
