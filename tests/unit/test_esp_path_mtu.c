/* test_esp_path_mtu.c - packets that do not fit, and datagrams that come in pieces. */
#include "esp_pair.h"

/* UDP from A to B of `total` octets in all, with or without DF. */
static struct esp_packet packet(size_t total, bool df)
{
	bool v4 = l.a.inner.family == ADDR_V4;
	struct esp_packet p = lab_a_to_b(&l, 0, total - 8 - lab_header_len(&l.a.inner));

	if (v4 && df) {
		p.at[6] |= 0x40;
		ipv4_checksum_set(p.at, 20);
	}
	return p;
}

static size_t outer_len(const struct esp_packet *p)
{
	return lab_header_len(&p->remote.addr) + (p->encap ? 8 : 0) + p->len;
}

static size_t told_mtu(const struct esp_packet *p)
{
	size_t icmp = lab_header_len(&l.a.inner);

	return (size_t)(p->at[icmp + 4] << 24 | p->at[icmp + 5] << 16 |
			p->at[icmp + 6] << 8 | p->at[icmp + 7]);
}

/* The largest packet that is sealed with DF fills the path to within the alignment; one
 * octet more is answered, with just that size. */
static void the_path_is_filled(uint32_t mtu)
{
	size_t last = 0;
	struct esp_packet p;

	if (mtu != 0)
		assert_int_equal(esp_dp_path_mtu(l.a.dp, LAB_ID, mtu), ESP_OK);
	for (size_t total = 1285; total <= 1500; total++) {
		p = packet(total, true);
		enum esp_verdict v = lab_out(&l.a, &p, LAB_NOW);
		if (v == ESP_INJECT)
			break;
		assert_int_equal(v, ESP_SEND);
		last = outer_len(&p);
		assert_true(last <= (mtu ? mtu : 1500));
		assert_int_equal(p.dont_fragment, true);
	}
	assert_int_equal(p.verdict, ESP_INJECT);
	assert_true(last > (mtu ? mtu : 1500) - 4);
	size_t room = told_mtu(&p);
	p = packet(room, true);
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_SEND);
	assert_int_equal(outer_len(&p), last);
	p = packet(room + 1, true);
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_INJECT);
}

static void every_path_is_filled(void **state)
{
	static const uint32_t mtus[] = {0, 1499, 1498, 1497, 1496, 1420};

	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		for (size_t k = 0; k < sizeof mtus / sizeof mtus[0]; k++) {
			open_lab((struct lab_options){
				.mode = i & 1 ? POLICY_TUNNEL : POLICY_TRANSPORT,
				.v6 = (i & 2) != 0,
				.inner_v6 = (i & 4) != 0,
				.encap = (i & 8) != 0,
			});
			the_path_is_filled(mtus[k]);
			lab_free(&l);
		}
	}
	open_lab((struct lab_options){0});
}

/* RFC 792, RFC 1191 4: from the packet's destination to its source. */
static void the_ipv4_answer(void **state)
{
	struct esp_packet p;
	struct ip_packet ip;
	uint8_t quoted[548];

	(void)state;
	open_lab((struct lab_options){0});
	p = packet(1490, true);
	memcpy(quoted, p.at, sizeof quoted);
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_INJECT);
	assert_int_equal(ip_packet_read(span_of(p.at, p.len), &ip), WIRE_OK);
	assert_true(addr_equal(&ip.src, &l.b.inner));
	assert_true(addr_equal(&ip.dst, &l.a.inner));
	assert_int_equal(ip.proto, IP_ICMP);
	assert_int_equal(ip.src_port, 3 << 8 | 4);
	assert_int_equal(p.len, 576);
	assert_true(ipv4_checksum_ok(span_of(p.at, 20)));
	assert_true(l4_checksum_ok(p.at, &ip));
	/* 1500 - 20 - 16 - 16, down to a multiple of 4, less the trailer, plus the header */
	assert_int_equal(told_mtu(&p), 1448 - 2 + 20);
	assert_memory_equal(p.at + 28, quoted, sizeof quoted);
	assert_int_equal(lab_count(&l.a).icmp_too_big_made, 1);
	assert_int_equal(lab_count(&l.a).drop_too_big, 0);
}

/* RFC 4443 3.2. */
static void the_ipv6_answer(void **state)
{
	struct esp_packet p;
	struct ip_packet ip;

	(void)state;
	open_lab((struct lab_options){.v6 = true});
	p = packet(1490, true);
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_INJECT);
	assert_int_equal(ip_packet_read(span_of(p.at, p.len), &ip), WIRE_OK);
	assert_true(addr_equal(&ip.src, &l.b.inner));
	assert_true(addr_equal(&ip.dst, &l.a.inner));
	assert_int_equal(ip.src_port, 2 << 8);
	assert_int_equal(p.len, 1280);
	assert_true(l4_checksum_ok(p.at, &ip));
	/* 1500 - 40 - 32, less the trailer, plus the header */
	assert_int_equal(told_mtu(&p), 1428 - 2 + 40);
}

/* RFC 2473 7.1: an IPv6 sender is not told less than 1280; the outer packet has fragments. */
static void small_ipv6_packets_are_fragmented_outside(void **state)
{
	struct esp_packet p;

	(void)state;
	open_lab((struct lab_options){
		.mode = POLICY_TUNNEL, .v6 = true, .inner_v6 = true});
	assert_int_equal(esp_dp_path_mtu(l.a.dp, LAB_ID, 1280), ESP_OK);
	p = packet(1280, true);
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_SEND);
	assert_true(outer_len(&p) > 1280);
	assert_false(p.dont_fragment);
	p = packet(1281, true);
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_INJECT);
	assert_int_equal(told_mtu(&p), 1280);
}

static void without_df_it_is_sealed_and_fragmented(void **state)
{
	struct esp_packet p;

	(void)state;
	open_lab((struct lab_options){0});
	p = packet(4000, false);
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_SEND);
	assert_false(p.dont_fragment);
	lab_cross(&p);
	assert_int_equal(lab_in(&l.b, &p, LAB_NOW), ESP_INJECT);
	assert_int_equal(p.len, 4000);
}

/* RFC 4443 2.4: an error is not answered by an error. */
static void errors_are_not_answered(void **state)
{
	struct esp_packet p;

	(void)state;
	open_lab((struct lab_options){.v6 = true});
	p = lab_ip(0, &l.a.inner, &l.b.inner, IP_ICMPV6, 1450);
	p.at[40] = 1;
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_DROP);
	assert_int_equal(lab_count(&l.a).drop_too_big, 1);
	p = lab_ip(0, &l.a.inner, &l.b.inner, IP_ICMPV6, 1450);
	p.at[40] = 128;
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_INJECT);
}

/* No outer header can say a length beyond 65535. */
static void the_largest_packet(void **state)
{
	struct esp_packet p;
	size_t most = UINT16_MAX;

	(void)state;
	open_lab((struct lab_options){.mode = POLICY_TUNNEL, .encap = true});
	for (;; most--) {
		p = packet(most, false);
		if (lab_out(&l.a, &p, LAB_NOW) == ESP_SEND)
			break;
	}
	assert_in_range(outer_len(&p), UINT16_MAX - 3, UINT16_MAX);
	assert_int_equal(lab_count(&l.a).drop_too_big, UINT16_MAX - most);
	lab_cross(&p);
	assert_int_equal(lab_in(&l.b, &p, LAB_NOW), ESP_INJECT);
	assert_int_equal(p.len, most);
}

/* ---- reassembly before sealing -------------------------------------------------------- */

enum { PIECE = 1480 };

static size_t fragment_header(const struct esp_packet *p, struct esp_packet *f,
	size_t from, size_t len, bool more)
{
	struct ip_packet ip;
	struct writer w = wr_over(f->at, IPV6_HEADER_LEN + IPV6_FRAGMENT_LEN);

	assert_int_equal(ip_packet_read(span_of(p->at, p->len), &ip), WIRE_OK);
	ip.fragment = true;
	ip.more = more;
	ip.frag_offset = (uint16_t)from;
	ip.frag_id = 99;
	ip_packet_write_header(&w, &ip, len);
	return wr_len(&w);
}

/* Cuts the packet at p into fragments in the buffers from 1 on; returns the batch. */
static struct esp_batch cut(const struct esp_packet *p)
{
	struct esp_batch b = {.n = 0};
	size_t header = lab_header_len(&l.a.inner), payload = p->len - header;

	for (size_t from = 0; from < payload; from += PIECE) {
		size_t len = payload - from < PIECE ? payload - from : PIECE;
		struct esp_packet *f = &b.at[b.n];

		*f = (struct esp_packet){.at = lab_buffer(++b.n)};
		f->len = fragment_header(p, f, from, len, from + len < payload);
		memcpy(f->at + f->len, p->at + header + from, len);
		f->len += len;
	}
	return b;
}

/* RFC 4303 3.3.4: a datagram of 4,000 octets leaves in one ESP packet. */
static void put_together(struct lab_options o)
{
	static uint8_t sent[5000];
	size_t header, len;
	struct esp_batch b;

	open_lab(o);
	header = lab_header_len(&l.a.inner);
	len = header + 8 + 4000;
	struct esp_packet p = packet(len, false);
	memcpy(sent, p.at, p.len);
	b = cut(&p);
	assert_int_equal(b.n, 3);
	esp_dp_outbound(l.a.dp, &b, LAB_NOW);
	assert_int_equal(b.at[0].verdict, ESP_HELD);
	assert_int_equal(b.at[1].verdict, ESP_HELD);
	assert_int_equal(b.at[2].verdict, ESP_SEND);
	assert_false(b.at[2].dont_fragment);
	assert_int_equal(lab_count(&l.a).reassembled, 1);
	assert_int_equal(lab_count(&l.a).sealed, 1);
	lab_cross(&b.at[2]);
	assert_int_equal(lab_in(&l.b, &b.at[2], LAB_NOW), ESP_INJECT);
	assert_int_equal(b.at[2].len, len);
	assert_memory_equal(b.at[2].at + header, sent + header, len - header);
	lab_free(&l);
}

static void datagrams_are_put_together(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		put_together((struct lab_options){
			.mode = i & 1 ? POLICY_TUNNEL : POLICY_TRANSPORT,
			.v6 = (i & 2) != 0,
			.inner_v6 = (i & 2) != 0,
			.proto = IP_UDP,
			.port = 143,
		});
	open_lab((struct lab_options){0});
}

static void a_datagram_that_stays_incomplete_is_counted(void **state)
{
	struct esp_packet p;
	struct esp_batch b;

	(void)state;
	open_lab((struct lab_options){0});
	p = packet(4028, false);
	b = cut(&p);
	b.n = 2;
	esp_dp_outbound(l.a.dp, &b, LAB_NOW);
	assert_int_equal(lab_count(&l.a).drop_reassembly, 0);
	b.n = 0;
	esp_dp_outbound(l.a.dp, &b, LAB_NOW + 60000);
	assert_int_equal(lab_count(&l.a).drop_reassembly, 1);
}

/* A batch full of pairs: all 32 datagrams stay intact until the next call. */
static void a_whole_batch_of_datagrams(void **state)
{
	struct esp_batch b = {.n = ESP_BATCH_MAX};

	(void)state;
	open_lab((struct lab_options){0});
	for (unsigned i = 0; i < ESP_BATCH_MAX; i++) {
		bool second = i % 2;
		b.at[i] = lab_a_to_b(&l, i, 8);
		b.at[i].len = 28;
		uint8_t *at = b.at[i].at;
		if (second)
			memset(at + 20, (int)i, 8);
		at[3] = 28;
		at[5] = (uint8_t)(i / 2);
		at[6] = second ? 0 : 0x20;
		at[7] = second ? 1 : 0;
	}
	esp_dp_outbound(l.a.dp, &b, LAB_NOW);
	for (unsigned i = 1; i < ESP_BATCH_MAX; i += 2) {
		uint8_t want[8];
		memset(want, (int)i, sizeof want);
		assert_int_equal(b.at[i - 1].verdict, ESP_HELD);
		assert_int_equal(b.at[i].verdict, ESP_SEND);
		lab_cross(&b.at[i]);
		assert_int_equal(lab_in(&l.b, &b.at[i], LAB_NOW), ESP_INJECT);
		assert_memory_equal(b.at[i].at + 28, want, 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_path_is_filled),
		TEST(the_ipv4_answer),
		TEST(the_ipv6_answer),
		TEST(small_ipv6_packets_are_fragmented_outside),
		TEST(without_df_it_is_sealed_and_fragmented),
		TEST(errors_are_not_answered),
		TEST(the_largest_packet),
		TEST(datagrams_are_put_together),
		TEST(a_datagram_that_stays_incomplete_is_counted),
		TEST(a_whole_batch_of_datagrams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
