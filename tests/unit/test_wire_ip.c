/* IP headers and checksums. The packets were made with scapy, an independent hand. */
#include "unit.h"

#include "wire/checksum.h"
#include "wire/ip_packet.h"
#include "wire/talk.h"

#define V6_PAIR                            \
	"20010db8000000000000000000000001" \
	"20010db8000000000000000000000002"

static const char tcp4[] =
	"452e002d000740003f064f5ac0000201c63364079c40008f0000000100000002"
	"50022000c2fc000068656c6c6f";
static const char udp4[] =
	"4500001f0001000040118e91c0000201c633640700350fa0000b3f64616263";
static const char icmp4[] =
	"450000230001000040018e9dc0000201c633640703042c5f0000000031323334353637";
static const char opt4[] =
	"46000023000100004011f988c0000201c63364079404000000350fa0000b3f64616263";
static const char frag4[] =
	"450000241234200340115c56c0000201c63364077a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a";
static const char tcp6[] =
	"62e12345001a0609" V6_PAIR "008f9c4000000000000000005002200053a5000068656c6c6f21";
static const char udp6[] = "60000000000b1140" V6_PAIR "00350fa0000bd02b616263";
static const char icmp6[] = "60000000000b3a40" V6_PAIR "800031c80001000278797a";
static const char ext6[] = "60000000001b0040" V6_PAIR "3c000104000000001100010400000000"
			   "00350fa0000bd02b616263";
static const char frag6[] = "6000000000200040" V6_PAIR "2c0001040000000011000001abcdef01"
			    "00350fa000201234"
			    "7878787878787878";
static const char frag6_last[] =
	"6000000000132c40" V6_PAIR "11000010abcdef017979797979797979797979";

static uint8_t b[128];

static struct span packet_of(const char *hex)
{
	return unit_hex(hex, b, sizeof(b));
}

static struct ip_packet read_ok(const char *hex)
{
	struct ip_packet p;

	assert_int_equal(ip_packet_read(packet_of(hex), &p), WIRE_OK);
	return p;
}

static void assert_malformed(const char *hex)
{
	struct ip_packet p;

	assert_int_equal(ip_packet_read(packet_of(hex), &p), WIRE_MALFORMED);
}

static void ipv4_tcp_is_read(void **state)
{
	struct ip_packet p = read_ok(tcp4);
	struct addr src = unit_addr("192.0.2.1"), dst = unit_addr("198.51.100.7");

	(void)state;
	assert_true(addr_equal(&p.src, &src) && addr_equal(&p.dst, &dst));
	assert_int_equal(p.proto, IP_TCP);
	assert_true(p.ports_known && p.df && !p.fragment);
	assert_int_equal(p.src_port, 40000);
	assert_int_equal(p.dst_port, 143);
	assert_int_equal(p.tos, 0x2e);
	assert_int_equal(p.ttl, 63);
	assert_int_equal(p.frag_id, 7);
	assert_int_equal(p.total_len, 45);
	assert_int_equal(p.l4_at, 20);
	assert_int_equal(p.proto_at, 9);
}

static void ipv6_tcp_is_read(void **state)
{
	struct ip_packet p = read_ok(tcp6);

	(void)state;
	assert_int_equal(p.src.family, ADDR_V6);
	assert_int_equal(p.proto, IP_TCP);
	assert_int_equal(p.src_port, 143);
	assert_int_equal(p.tos, 0x2e);
	assert_int_equal(p.ttl, 9);
	assert_int_equal(p.total_len, 66);
	assert_int_equal(p.l4_at, 40);
	assert_int_equal(p.proto_at, 6);
	assert_true(p.df && !p.fragment);
}

static void options_and_extensions_are_walked(void **state)
{
	struct ip_packet p = read_ok(opt4);

	(void)state;
	assert_int_equal(p.header_len, 24);
	assert_int_equal(p.l4_at, 24);
	assert_int_equal(p.dst_port, 4000);
	p = read_ok(ext6);
	assert_int_equal(p.header_len, 40);
	assert_int_equal(p.l4_at, 56);
	assert_int_equal(p.proto_at, 48);
	assert_int_equal(p.proto, IP_UDP);
	assert_int_equal(p.src_port, 53);
}

static void icmp_type_and_code_stand_in_both_ports(void **state)
{
	struct ip_packet p = read_ok(icmp4);

	(void)state;
	assert_true(p.ports_known);
	assert_int_equal(p.src_port, 0x0304);
	assert_int_equal(p.dst_port, 0x0304);
	p = read_ok(icmp6);
	assert_int_equal(p.src_port, 0x8000);
	assert_int_equal(p.dst_port, 0x8000);
}

static void fragments_are_described(void **state)
{
	struct ip_packet p = read_ok(frag4);

	(void)state;
	assert_true(p.fragment && p.more && !p.ports_known);
	assert_int_equal(p.frag_offset, 24);
	assert_int_equal(p.frag_id, 0x1234);
	assert_int_equal(p.proto, IP_UDP);

	p = read_ok(frag6);
	assert_true(p.fragment && p.more && p.ports_known);
	assert_int_equal(p.frag_offset, 0);
	assert_int_equal(p.frag_id, 0xabcdef01);
	assert_int_equal(p.frag_at, 48);
	assert_int_equal(p.frag_named_at, 40);
	assert_int_equal(p.l4_at, 56);

	p = read_ok(frag6_last);
	assert_true(p.fragment && !p.more && !p.ports_known);
	assert_int_equal(p.frag_offset, 16);
	assert_int_equal(p.frag_named_at, 6);
}

static void a_lone_whole_fragment_is_no_fragment(void **state)
{
	struct ip_packet p = read_ok(
		"6000000000132c40" V6_PAIR "11000000abcdef0100350fa0000bd02b616263");

	(void)state;
	assert_false(p.fragment);
	assert_true(p.ports_known);
	assert_true(l4_checksum_ok(b, &p));
}

static void every_cut_packet_is_malformed(void **state)
{
	static const char *const rows[] = {tcp4, udp4, icmp4, opt4, frag4, tcp6, udp6,
		icmp6, ext6, frag6, frag6_last};
	struct ip_packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span whole = packet_of(rows[i]);
		for (size_t len = 0; len < whole.len; len++)
			assert_int_equal(
				ip_packet_read(span_of(b, len), &p), WIRE_MALFORMED);
		/* octets behind the packet are not its own */
		assert_int_equal(ip_packet_read(span_of(b, whole.len + 3), &p), WIRE_OK);
		assert_int_equal(p.total_len, whole.len);
	}
}

static void packets_that_hide_something_are_malformed(void **state)
{
	(void)state;
	/* neither 4 nor 6; a header below 20; a total below its header */
	assert_malformed(
		"5500001f0001000040118e91c0000201c633640700350fa0000b3f64616263");
	assert_malformed(
		"4400001f0001000040118e91c0000201c633640700350fa0000b3f64616263");
	assert_malformed(
		"450000130001000040118e91c0000201c633640700350fa0000b3f64616263");
	/* UDP that claims to be whole, without its ports */
	assert_malformed("45000018000100004011 8e91c0000201c633640700350fa0");
	/* a first fragment with 8 octets of TCP (RFC 1858) */
	assert_malformed("4500001c0001200040068e91c0000201c63364079c40008f00000001");
	/* a middle fragment of odd length, one without content, one beyond 65535 */
	assert_malformed("450000171234200340115c56c0000201c63364077a7a7a");
	assert_malformed("450000141234000340115c56c0000201c6336407");
	assert_malformed("4500001c12341fff40115c56c0000201c63364077a7a7a7a7a7a7a7a");
	/* hop-by-hop behind another header; two fragment headers; segments left */
	assert_malformed("6000000000103c40" V6_PAIR "00000104000000003b00010400000000");
	assert_malformed("6000000000182c40" V6_PAIR "2c00000000000001"
			 "1100000100000001"
			 "7878787878787878");
	assert_malformed("6000000000102b40" V6_PAIR "3b02000100000000"
			 "0000000000000000");
	assert_malformed("6000000000182b40" V6_PAIR "3b02000100000000"
			 "20010db8000000000000000000000009");
	/* first fragment that ends inside its chain of headers (RFC 7112) */
	assert_malformed("6000000000102c40" V6_PAIR "3c00000100000001"
			 "1101010400000000");
}

static void an_endless_chain_of_extensions_is_malformed(void **state)
{
	struct writer w = wr_over(b, sizeof(b));
	struct ip_packet p;

	(void)state;
	wr_bytes(&w, packet_of("6000000000483c40" V6_PAIR));
	for (int i = 0; i < 9; i++)
		wr_bytes(&w, span_of("\x3c\0\1\4\0\0\0\0", 8));
	b[40 + 64] = IP_NONE;
	assert_int_equal(ip_packet_read(wr_span(&w), &p), WIRE_MALFORMED);
	b[40 + 56] = IP_NONE; /* eight of them are walked */
	assert_int_equal(ip_packet_read(wr_span(&w), &p), WIRE_OK);
	assert_int_equal(p.proto, IP_NONE);
}

static void sums_made_elsewhere_are_right(void **state)
{
	static const char *const rows[] = {
		tcp4, udp4, icmp4, opt4, tcp6, udp6, icmp6, ext6};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ip_packet p = read_ok(rows[i]);
		assert_true(l4_checksum_ok(b, &p));
		if (p.src.family == ADDR_V4)
			assert_true(ipv4_checksum_ok(span_of(b, p.header_len)));
		b[p.total_len - 1] ^= 0x10;
		assert_false(l4_checksum_ok(b, &p));
	}
}

static void a_sum_is_made_anew(void **state)
{
	static const char *const rows[] = {
		tcp4, udp4, icmp4, opt4, tcp6, udp6, icmp6, ext6};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t want[sizeof(b)];
		struct ip_packet p = read_ok(rows[i]);

		memcpy(want, b, sizeof(b));
		size_t sum_at = p.l4_at + (p.proto == IP_TCP          ? 16U
						  : p.proto == IP_UDP ? 6U
								      : 2U);
		b[sum_at] ^= 0x55;
		assert_true(l4_checksum_set(b, &p));
		assert_memory_equal(b, want, p.total_len);
		if (p.src.family == ADDR_V4) {
			b[10] ^= 0x55;
			ipv4_checksum_set(b, p.header_len);
			assert_memory_equal(b, want, p.header_len);
		}
	}
}

static void udp_over_ipv4_without_a_sum_stays_without(void **state)
{
	struct ip_packet p = read_ok(udp4);

	(void)state;
	b[26] = b[27] = 0;
	assert_true(l4_checksum_ok(b, &p));
	assert_true(l4_checksum_set(b, &p));
	assert_int_equal(b[26] | b[27], 0);

	p = read_ok(udp6);
	b[46] = b[47] = 0;
	assert_false(l4_checksum_ok(b, &p));
	assert_true(l4_checksum_set(b, &p));
	assert_int_equal(b[46], 0xd0);
}

static void a_udp_sum_of_zero_is_written_as_ones(void **state)
{
	struct ip_packet p = read_ok(udp4);

	(void)state;
	/* add the complement of the sum to the data, and it comes out as zero */
	uint16_t sum = (uint16_t)(b[26] << 8 | b[27]);
	uint32_t data = (uint32_t)(b[28] << 8 | b[29]) + sum;
	data = (data & 0xffff) + (data >> 16);
	b[28] = (uint8_t)(data >> 8);
	b[29] = (uint8_t)data;
	assert_true(l4_checksum_set(b, &p));
	assert_int_equal(b[26], 0xff);
	assert_int_equal(b[27], 0xff);
	assert_true(l4_checksum_ok(b, &p));
}

static void octets_behind_the_udp_length_are_not_summed(void **state)
{
	struct ip_packet p = read_ok(
		"450000200001000040118e90c0000201c633640700350fa0000b3f64616263ee");

	(void)state;
	assert_true(l4_checksum_ok(b, &p));
	b[26] ^= 1;
	assert_true(l4_checksum_set(b, &p));
	assert_int_equal(b[26], 0x3f);
}

static void fragments_and_other_protocols_have_no_sum(void **state)
{
	struct ip_packet p = read_ok(frag6);

	(void)state;
	assert_false(l4_checksum_set(b, &p));
	assert_true(l4_checksum_ok(b, &p));
	p = read_ok("450000150001000040328e7ac0000201c633640700");
	assert_int_equal(p.proto, IP_ESP);
	assert_false(p.ports_known);
	assert_false(l4_checksum_set(b, &p));
}

static void the_flow_is_seen_from_the_local_side(void **state)
{
	struct ip_packet p = read_ok(tcp4);
	struct flow out = ip_packet_flow(&p, true), in = ip_packet_flow(&p, false);

	(void)state;
	assert_true(addr_equal(&out.local, &p.src) && addr_equal(&in.local, &p.dst));
	assert_int_equal(out.local_port, 40000);
	assert_int_equal(in.local_port, 143);
	assert_int_equal(in.remote_port, 40000);
	assert_true(out.ports_known && out.proto == IP_TCP);
}

static void a_written_header_reads_back(void **state)
{
	static const char *const rows[] = {tcp4, icmp4, frag4, tcp6, frag6_last};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t out[128];
		struct ip_packet p = read_ok(rows[i]), got;
		struct writer w = wr_over(out, sizeof(out));

		ip_packet_write_header(&w, &p, p.total_len - p.l4_at);
		assert_int_equal(wr_len(&w), p.l4_at);
		wr_bytes(&w, span_of(b + p.l4_at, p.total_len - p.l4_at));
		if (p.src.family == ADDR_V4)
			assert_memory_equal(out, b, p.total_len);
		assert_int_equal(ip_packet_read(wr_span(&w), &got), WIRE_OK);
		assert_true(addr_equal(&got.src, &p.src) && addr_equal(&got.dst, &p.dst));
		assert_int_equal(got.total_len, p.total_len);
		assert_int_equal(got.frag_offset, p.frag_offset);
		assert_int_equal(got.frag_id, p.frag_id);
		assert_true(got.more == p.more && got.fragment == p.fragment);
		assert_int_equal(got.tos, p.tos);
		assert_int_equal(got.ttl, p.ttl);
		assert_int_equal(got.proto, p.proto);
	}
}

/* ---- talks */

static struct talk talk_ok(const char *hex, bool outbound)
{
	struct ip_packet p = read_ok(hex);
	struct talk t;

	assert_true(talk_read(span_of(b, p.total_len), &p, outbound, &t));
	return t;
}

static void a_talk_is_the_same_from_either_side(void **state)
{
	struct talk out = talk_ok(tcp4, true), in = talk_ok(tcp4, false);

	(void)state;
	assert_true(out.proto == IP_TCP && out.opens && !out.closes && !out.quoted);
	assert_true(out.local_port == 40000 && out.remote_port == 143);
	assert_int_equal(out.port_at, 20 + 2);
	assert_true(in.local_port == 143 && in.remote_port == 40000);
	assert_int_equal(in.port_at, 20);
	in = talk_ok(udp6, false);
	assert_true(in.local_port == 4000 && in.remote_port == 53 && in.port_at == 40);
	in = talk_ok(ext6, false);
	assert_true(in.remote_port == 53 && b[in.port_at + 1] == 53);
}

/* An echo's identifier is the asking side's port; ours cannot be changed. */
static void an_echo_has_an_identifier(void **state)
{
	struct talk asked = talk_ok(icmp6, false), we = talk_ok(icmp6, true);

	(void)state;
	assert_true(asked.local_port == 1 && asked.remote_port == 1);
	assert_int_equal(asked.port_at, 40 + 4);
	assert_true(we.local_port == 0 && we.remote_port == 1 && we.port_at == 0);
	/* icmp4 is an error that quotes nothing which is a packet */
	struct ip_packet p = read_ok(icmp4);
	struct talk t;
	assert_false(talk_read(span_of(b, p.total_len), &p, false, &t));
}

static void an_error_is_of_what_it_quotes(void **state)
{
	/* 198.51.100.7 to 192.0.2.1: port 53, which you wrote to, is nobody's */
	static const char error[] = "4500003800010000400163e6c6336407c0000201"
				    "0303000000000000"
				    "4500001f0001000040118e91c0000201c6336407"
				    "0fa000350000b3f6";
	struct talk in = talk_ok(error, false), out = talk_ok(error, true);

	(void)state;
	assert_true(in.quoted && in.proto == IP_UDP);
	assert_true(in.local_port == 4000 && in.remote_port == 53);
	assert_int_equal(in.port_at, 20 + 8 + 20 + 2);
	assert_true(out.local_port == 53 && out.remote_port == 4000);
	assert_int_equal(out.port_at, 20 + 8 + 20);
}

/* Nobody here can make the sum of SCTP again. */
static void a_port_without_a_sum_stays(void **state)
{
	static const char sctp[] = "450000200001000040848e0dc0000201c6336407"
				   "13880b590000000000000000";
	struct talk t = talk_ok(sctp, false);

	(void)state;
	assert_true(t.proto == 132 && t.remote_port == 5000 && t.port_at == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_tcp_is_read),
		cmocka_unit_test(ipv6_tcp_is_read),
		cmocka_unit_test(options_and_extensions_are_walked),
		cmocka_unit_test(icmp_type_and_code_stand_in_both_ports),
		cmocka_unit_test(fragments_are_described),
		cmocka_unit_test(a_lone_whole_fragment_is_no_fragment),
		cmocka_unit_test(every_cut_packet_is_malformed),
		cmocka_unit_test(packets_that_hide_something_are_malformed),
		cmocka_unit_test(an_endless_chain_of_extensions_is_malformed),
		cmocka_unit_test(sums_made_elsewhere_are_right),
		cmocka_unit_test(a_sum_is_made_anew),
		cmocka_unit_test(udp_over_ipv4_without_a_sum_stays_without),
		cmocka_unit_test(a_udp_sum_of_zero_is_written_as_ones),
		cmocka_unit_test(octets_behind_the_udp_length_are_not_summed),
		cmocka_unit_test(fragments_and_other_protocols_have_no_sum),
		cmocka_unit_test(the_flow_is_seen_from_the_local_side),
		cmocka_unit_test(a_written_header_reads_back),
		cmocka_unit_test(a_talk_is_the_same_from_either_side),
		cmocka_unit_test(an_echo_has_an_identifier),
		cmocka_unit_test(an_error_is_of_what_it_quotes),
		cmocka_unit_test(a_port_without_a_sum_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
