/* tests/unit/test_esp_inside.c - what was sealed: padding, tunnels, fragments, selectors (RFC 4301 5.2). */
#include "esp_pair.h"

/* ---- inside ------------------------------------------------------------------------ */

static enum esp_verdict plain_into_b(uint64_t seq, const char *text)
{
	static uint8_t plain[256];

	return into_b(lab_craft(&l, 0, seq, unit_hex(text, plain, sizeof plain)));
}

/* RFC 4303 2.6: next header 59, whatever else it holds. */
static void dummies_vanish(void **state)
{
	(void)state;
	open_lab((struct lab_options){0});
	assert_int_equal(plain_into_b(1, "01 02 02 3b"), ESP_DROP);
	assert_int_equal(plain_into_b(2, "ffffffffffffffff 0102 02 3b"), ESP_DROP);
	assert_int_equal(lab_count(&l.b).dummy_packets, 2);
	assert_int_equal(lab_count(&l.b).drop_malformed, 0);
	/* authentic all the same: the peer lives */
	assert_int_equal(lab_usage(&l.b, LAB_ID).last_in_ms, LAB_NOW);
	assert_int_equal(lab_usage(&l.b, LAB_ID).packets_in, 0);
}

static void padding_beyond_the_text_is_malformed(void **state)
{
	(void)state;
	open_lab((struct lab_options){0});
	assert_int_equal(plain_into_b(1, "01 02 03 11"), ESP_DROP);
	assert_int_equal(plain_into_b(2, "ff 11"), ESP_DROP);
	assert_int_equal(lab_count(&l.b).drop_malformed, 2);
	/* all padding: an IP packet without payload */
	assert_int_equal(plain_into_b(3, "01 02 02 fd"), ESP_INJECT);
}

/* RFC 4303 3.1.1: a fragment header inside transport mode. */
static void transport_takes_no_fragment(void **state)
{
	(void)state;
	open_lab((struct lab_options){.v6 = true});
	assert_int_equal(plain_into_b(1, "1100000000000001 0001000200080000 0000 00 2c"),
		ESP_DROP);
	assert_int_equal(lab_count(&l.b).drop_malformed, 1);
}

static void a_tunnel_holds_ip(void **state)
{
	static const char udp[] = "4500001c00000000401100 00c000020bc000020c"
				  "1388008f00080000";
	static char text[256];

	(void)state;
	open_lab((struct lab_options){.mode = POLICY_TUNNEL});
	snprintf(text, sizeof text, "%s 0102 02 04", udp);
	assert_int_equal(plain_into_b(1, text), ESP_INJECT);
	snprintf(text, sizeof text, "%s 0102 02 29", udp); /* says IPv6 */
	assert_int_equal(plain_into_b(2, text), ESP_DROP);
	snprintf(text, sizeof text, "%s 0102 02 11", udp); /* says UDP */
	assert_int_equal(plain_into_b(3, text), ESP_DROP);
	assert_int_equal(plain_into_b(4, "4500001c 0000 00 04"), ESP_DROP);
	assert_int_equal(lab_count(&l.b).drop_malformed, 3);
}

/* RFC 4303 2.7: octets behind the inner packet hide its length, and go. */
static void traffic_flow_padding_goes(void **state)
{
	static uint8_t plain[64];
	struct span s = unit_hex("4500001c00000000401100 00c000020bc000020c"
				 "1388008f00080000"
				 "eeeeeeeeeeeeeeeeeeeeeeee 0102 02 04",
		plain, sizeof plain);

	(void)state;
	open_lab((struct lab_options){.mode = POLICY_TUNNEL});
	struct esp_packet p = lab_craft(&l, 0, 1, s);
	assert_int_equal(lab_in(&l.b, &p, LAB_NOW), ESP_INJECT);
	assert_int_equal(p.len, 28);
	assert_int_equal(lab_usage(&l.b, LAB_ID).bytes_in, 28 + 12);
}

/* RFC 4301 5.1.2.1: congestion seen on the way reaches the inner header. */
static void congestion_marks_pass(void **state)
{
	static const struct {
		uint8_t inner, outer, want;
	} cases[] = {
		{0, 3, 0}, {1, 3, 3}, {2, 3, 3}, {2, 1, 2}, {2, 0, 2}, {0xb9, 3, 0xbb}};

	(void)state;
	for (int v6 = 0; v6 <= 1; v6++) {
		open_lab((struct lab_options){.mode = POLICY_TUNNEL, .inner_v6 = v6});
		for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
			struct esp_packet p = lab_ip(0, &l.a.inner, &l.b.inner, 47, 24);
			const struct ip_packet h = {.src = l.a.inner,
				.dst = l.b.inner,
				.tos = cases[i].inner,
				.proto = 47};
			struct writer w = wr_over(p.at, p.len);
			struct ip_packet ip;

			ip_packet_write_header(&w, &h, 24);
			assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_SEND);
			assert_int_equal(p.tos, cases[i].inner);
			lab_cross(&p);
			p.tos = cases[i].outer;
			assert_int_equal(lab_in(&l.b, &p, LAB_NOW), ESP_INJECT);
			assert_int_equal(
				ip_packet_read(span_of(p.at, p.len), &ip), WIRE_OK);
			assert_int_equal(ip.tos, cases[i].want);
			assert_true(v6 || ipv4_checksum_ok(span_of(p.at, 20)));
		}
		if (v6 == 0)
			lab_free(&l);
	}
}

/* ---- hops --------------------------------------------------------------------------- */

static struct esp_packet with_ttl(uint8_t ttl)
{
	struct esp_packet p = lab_ip(0, &l.a.inner, &l.b.inner, 47, 24);
	const struct ip_packet h = {
		.src = l.a.inner, .dst = l.b.inner, .proto = 47, .ttl = ttl};
	struct writer w = wr_over(p.at, p.len);

	ip_packet_write_header(&w, &h, 24);
	return p;
}

/* Sends one with this TTL; on the way it loses `hops`. Gives what B has of it. */
static uint8_t ttl_after(uint8_t ttl, uint8_t outer, uint8_t hops)
{
	struct esp_packet p = with_ttl(ttl);
	struct ip_packet ip;

	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_SEND);
	assert_int_equal(p.ttl, outer);
	lab_cross(&p);
	p.ttl = (uint8_t)(p.ttl - hops);
	assert_int_equal(lab_in(&l.b, &p, LAB_NOW), ESP_INJECT);
	assert_int_equal(ip_packet_read(span_of(p.at, p.len), &ip), WIRE_OK);
	assert_true(l.o.v6 || ipv4_checksum_ok(span_of(p.at, 20)));
	return ip.ttl;
}

/* RFC 4301 5.1.2: in transport mode there is one header, and RFC 5082 lives of its TTL. */
static void hops_are_counted_in_transport_mode(void **state)
{
	(void)state;
	for (int v6 = 0; v6 <= 1; v6++) {
		open_lab((struct lab_options){.v6 = v6});
		assert_int_equal(ttl_after(255, 255, 0), 255);
		assert_int_equal(ttl_after(1, 1, 0), 1);
		assert_int_equal(ttl_after(64, 64, 3), 61);
		if (v6 == 0)
			lab_free(&l);
	}
}

/* RFC 4301 5.1.2.1: the outer header's is the sender's own business, and counts nothing. */
static void hops_of_a_tunnel_are_not_the_packets(void **state)
{
	(void)state;
	open_lab((struct lab_options){.mode = POLICY_TUNNEL});
	assert_int_equal(ttl_after(5, 0, 0), 5);
	assert_int_equal(ttl_after(255, 0, 7), 255);
}

/* ---- selectors --------------------------------------------------------------------- */

static enum esp_verdict b_takes(uint64_t seq, const struct addr *src, uint16_t src_port,
	const struct addr *dst, uint16_t dst_port)
{
	static uint8_t plain[64];
	struct esp_packet p = lab_udp(1, src, src_port, dst, dst_port, 4);

	memcpy(plain, p.at, 32);
	memcpy(plain + 32, "\x01\x02\x02\x04", 4);
	return into_b(lab_craft(&l, 0, seq, span_of(plain, 36)));
}

/* RFC 4301 5.2: an authenticated peer may send what was agreed, and nothing else. */
static void selectors_are_checked(void **state)
{
	struct addr other = lab_addr(false, 99);

	(void)state;
	open_lab((struct lab_options){
		.mode = POLICY_TUNNEL, .proto = IP_UDP, .port = 143});
	assert_int_equal(b_takes(1, &l.a.inner, 5, &l.b.inner, 143), ESP_INJECT);
	assert_int_equal(b_takes(2, &l.a.inner, 5, &l.b.inner, 144), ESP_DROP);
	assert_int_equal(b_takes(3, &other, 5, &l.b.inner, 143), ESP_DROP);
	assert_int_equal(b_takes(4, &l.a.inner, 5, &other, 143), ESP_DROP);
	assert_int_equal(lab_count(&l.b).drop_selector, 3);
	assert_int_equal(lab_usage(&l.b, LAB_ID).wrong_selector, 3);
	/* authentic, and so counted: as the kernel does it */
	assert_int_equal(lab_usage(&l.b, LAB_ID).packets_in, 4);
	assert_int_equal(lab_usage(&l.b, LAB_ID).bytes_in, 4 * 32);
	/* the memo of what passed changes nothing */
	assert_int_equal(b_takes(5, &l.a.inner, 5, &l.b.inner, 143), ESP_INJECT);
	assert_int_equal(b_takes(6, &l.a.inner, 5, &l.b.inner, 144), ESP_DROP);
}

/* What one SA may carry, another of the same peer still may not. */
static void selectors_are_each_sas_own(void **state)
{
	struct esp_child c;

	(void)state;
	open_lab((struct lab_options){.mode = POLICY_TUNNEL});
	assert_int_equal(b_takes(1, &l.a.inner, 5, &l.b.inner, 143), ESP_INJECT);
	assert_int_equal(b_takes(2, &l.a.inner, 5, &l.b.inner, 25), ESP_INJECT);
	assert_int_equal(esp_dp_delete(l.b.dp, LAB_ID), ESP_OK);
	/* a wide SA on another SPI, a narrow one on the old */
	c = lab_child(&l, false);
	c.id = 100;
	c.spi_in = 0xb0000100;
	lab_add(&l.b, &c);
	c = lab_child(&l, false);
	c.local_ts.at[0] = lab_ts(&l.b.inner, IP_UDP, 143);
	lab_add(&l.b, &c);
	static uint8_t plain[64];
	struct esp_packet p = lab_udp(1, &l.a.inner, 5, &l.b.inner, 25, 4);
	memcpy(plain, p.at, 32);
	memcpy(plain + 32, "\x01\x02\x02\x04", 4);
	p = lab_craft_for(&l, 0, 0xb0000100, 1, span_of(plain, 36));
	assert_int_equal(into_b(p), ESP_INJECT);
	assert_int_equal(b_takes(1, &l.a.inner, 5, &l.b.inner, 25), ESP_DROP);
	assert_int_equal(lab_count(&l.b).drop_selector, 1);
}

/* Rules more specific than the SA's: what they block, or bind to another peer's
 * authentication, does not come in through this SA; what they permit may. */
static void more_specific_rules_are_kept(void **state)
{
	struct spd *spd = spd_new();
	struct ts here, there;

	(void)state;
	open_lab((struct lab_options){.mode = POLICY_TUNNEL});
	here = ts_host(&l.b.inner);
	there = ts_host(&l.a.inner);
	lab_rule(spd, here, there, POLICY_NEGOTIATE, POLICY_TUNNEL, LAB_RULE);
	lab_rule(spd, lab_ts(&l.b.inner, IP_UDP, 25), there, POLICY_BLOCK, 0, 2);
	lab_rule(spd, lab_ts(&l.b.inner, IP_UDP, 26), there, POLICY_PERMIT, 0, 3);
	lab_rule(spd, lab_ts(&l.b.inner, IP_UDP, 27), there, POLICY_NEGOTIATE,
		POLICY_TUNNEL, 4);
	lab_policy(&l.b, spd);
	assert_int_equal(b_takes(1, &l.a.inner, 5, &l.b.inner, 24), ESP_INJECT);
	assert_int_equal(b_takes(2, &l.a.inner, 5, &l.b.inner, 25), ESP_DROP);
	assert_int_equal(b_takes(3, &l.a.inner, 5, &l.b.inner, 26), ESP_INJECT);
	assert_int_equal(b_takes(4, &l.a.inner, 5, &l.b.inner, 27), ESP_DROP);
	assert_int_equal(lab_count(&l.b).drop_selector, 2);
}

static void rules_of_one_binding_share_an_sa(void **state)
{
	struct spd_entry e = {
		.action = POLICY_NEGOTIATE,
		.mode = POLICY_TUNNEL,
		.mirrored = true,
		.binding = 5,
	};
	const struct spd_entry *x, *y;
	struct spd *spd = spd_new();

	(void)state;
	open_lab((struct lab_options){.mode = POLICY_TUNNEL});
	e.local = ts_host(&l.b.inner);
	e.remote = ts_host(&l.a.inner);
	e.rule = LAB_RULE;
	assert_int_equal(spd_add(spd, &e), POLICY_OK);
	e.local = lab_ts(&l.b.inner, IP_UDP, 27);
	e.rule = 2;
	assert_int_equal(spd_add(spd, &e), POLICY_OK);
	assert_int_equal(spd_seal(spd, &x, &y), POLICY_OK);
	esp_dp_policy(l.b.dp, 0, spd, &l.b.inner, 1);
	assert_int_equal(b_takes(1, &l.a.inner, 5, &l.b.inner, 27), ESP_INJECT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(dummies_vanish),
		TEST(padding_beyond_the_text_is_malformed),
		TEST(transport_takes_no_fragment),
		TEST(a_tunnel_holds_ip),
		TEST(traffic_flow_padding_goes),
		TEST(congestion_marks_pass),
		TEST(hops_are_counted_in_transport_mode),
		TEST(hops_of_a_tunnel_are_not_the_packets),
		TEST(selectors_are_checked),
		TEST(selectors_are_each_sas_own),
		TEST(more_specific_rules_are_kept),
		TEST(rules_of_one_binding_share_an_sa),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
