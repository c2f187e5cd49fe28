/* test_esp_inbound.c - what B makes of packets that A sent, might have sent, or did not.
 *
 * lab_craft() seals any plaintext under the SA's key, so a plaintext that no honest peer
 * makes reaches the code behind the integrity check.
 */
#include "unit.h"
#include "../esp_lab.h"
#include "esp/dp.h"

static struct lab l;

static void open_lab(struct lab_options o)
{
	lab_init(&l, o);
}

static int teardown(void **state)
{
	(void)state;
	lab_free(&l);
	return 0;
}

/* A to B; what comes out of A, about to enter B. */
static struct esp_packet from_a(unsigned i, size_t len)
{
	struct esp_packet p = lab_a_to_b(&l, i, len);

	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_SEND);
	lab_cross(&p);
	return p;
}

static enum esp_verdict into_b(struct esp_packet p)
{
	return lab_in(&l.b, &p, LAB_NOW);
}

static bool next_notice(
	struct lab_end *e, enum esp_notice_kind kind, struct esp_notice *n)
{
	while (esp_dp_notice(e->dp, n)) {
		if (n->kind == kind)
			return true;
	}
	return false;
}

/* ---- published -------------------------------------------------------------------- */

/* RFC 7634 appendix A: tunnel mode, number 5, the IV of the example. */
static void the_packet_of_rfc_7634(void **state)
{
	struct esp_child c = {
		.id = 1,
		.rule = LAB_RULE,
		.spi_in = 0x01020304,
		.spi_out = 1,
		.alg = AEAD_CHACHA20_POLY1305,
		.mode = POLICY_TUNNEL,
		.local = {addr_v4(203, 0, 113, 5), 0},
		.remote = {addr_v4(203, 0, 113, 153), 0},
		.replay_window = 64,
	};
	const struct addr inner = addr_v4(192, 0, 2, 5);
	struct ts any = ts_any(ADDR_V4), here = ts_host(&inner);
	struct spd *spd = spd_new();
	struct esp_packet p = {.at = lab_buffer(0), .local = c.local, .remote = c.remote};
	uint8_t want[84];

	(void)state;
	open_lab((struct lab_options){.mode = POLICY_TUNNEL});
	ts_list_add(&c.local_ts, &here);
	ts_list_add(&c.remote_ts, &any);
	for (uint8_t k = 0; k < 36; k++)
		c.key_in.b[k] = c.key_out.b[k] = (uint8_t)(0x80 + k);
	c.key_in.len = c.key_out.len = 36;
	lab_rule(spd, here, any, POLICY_NEGOTIATE, POLICY_TUNNEL, LAB_RULE);
	l.b.inner = inner;
	lab_policy(&l.b, spd);
	lab_add(&l.b, &c);

	p.len = unit_hex(
		"0102030400000005101112131415161724039428b97f417e3c13753a4f05087b"
		"67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95dfab4c02f7"
		"2aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da"
		"9165b82829f641e076aaa8266b7fb0f7b11b369907e1ad43",
		p.at, 200)
			.len;
	assert_int_equal(lab_in(&l.b, &p, LAB_NOW), ESP_INJECT);
	unit_assert_span_equal(span_of(p.at, p.len),
		unit_hex(
			"45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec10"
			"0007362708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223"
			"2425262728292a2b2c2d2e2f3031323334353637",
			want, sizeof want));
}

/* ---- replay and forgery ------------------------------------------------------------- */

static void a_packet_is_delivered_once(void **state)
{
	struct esp_packet p, again;

	(void)state;
	open_lab((struct lab_options){.window = 64});
	p = from_a(0, 10);
	again = p;
	again.at = lab_buffer(1);
	memcpy(again.at, p.at, p.len);
	assert_int_equal(into_b(p), ESP_INJECT);
	assert_int_equal(into_b(again), ESP_DROP);
	assert_int_equal(lab_count(&l.b).drop_replayed, 1);
	assert_int_equal(lab_usage(&l.b, LAB_ID).replayed, 1);
}

static void order_does_not_matter_within_the_window(void **state)
{
	struct esp_packet p[40];

	(void)state;
	open_lab((struct lab_options){.window = 32});
	for (unsigned i = 0; i < 40; i++)
		p[i] = from_a(i, 10);
	/* backwards: 32 pass, the rest is too old */
	for (unsigned i = 40; i-- > 0;)
		assert_int_equal(into_b(p[i]), i >= 8 ? ESP_INJECT : ESP_DROP);
	assert_int_equal(lab_count(&l.b).drop_replayed, 8);
}

/* RFC 4303 3.4.3: the window moves for authentic packets only. */
static void a_forgery_moves_nothing(void **state)
{
	struct esp_packet forged, honest;

	(void)state;
	open_lab((struct lab_options){.window = 32});
	honest = from_a(0, 10);
	forged = honest;
	forged.at = lab_buffer(1);
	memcpy(forged.at, honest.at, honest.len);
	forged.at[4] = 0x7f; /* a number far ahead */
	assert_int_equal(into_b(forged), ESP_DROP);
	assert_int_equal(lab_count(&l.b).drop_forged, 1);
	assert_int_equal(lab_usage(&l.b, LAB_ID).forged, 1);
	assert_int_equal(lab_usage(&l.b, LAB_ID).last_in_ms, 0);
	assert_int_equal(into_b(honest), ESP_INJECT);
}

static void every_octet_is_protected(void **state)
{
	(void)state;
	open_lab((struct lab_options){.esn = true});
	struct esp_packet p = from_a(0, 9);
	static uint8_t copy[512];

	memcpy(copy, p.at, p.len);
	for (size_t i = 4; i < p.len; i++) {
		struct esp_packet bad = p;
		bad.at = lab_buffer(1);
		memcpy(bad.at, copy, p.len);
		bad.at[i] ^= 1;
		assert_int_equal(into_b(bad), ESP_DROP);
	}
	assert_int_equal(lab_count(&l.b).opened, 0);
	assert_int_equal(into_b(p), ESP_INJECT);
}

/* With ESN numbers pass 2^32 on both sides; without, they end there (test_esp_limits). */
static void esn_crosses_the_half(void **state)
{
	(void)state;
	open_lab((struct lab_options){.esn = true, .window = 128});
	dp_by_spi(l.a.dp, LAB_SPI_A)->usage.seq_out = UINT32_MAX - 100;
	dp_by_spi(l.b.dp, LAB_SPI_B)->replay.top = UINT32_MAX - 100;
	for (unsigned i = 0; i < 200; i++) {
		struct esp_packet p = from_a(0, 10);
		assert_int_equal(into_b(p), ESP_INJECT);
	}
	assert_int_equal(lab_usage(&l.a, LAB_ID).seq_out, UINT64_C(0x100000000) + 99);
	assert_int_equal(
		dp_by_spi(l.b.dp, LAB_SPI_B)->replay.top, UINT64_C(0x100000000) + 99);
}

/* ---- not for us -------------------------------------------------------------------- */

static void short_packets_are_malformed(void **state)
{
	struct esp_packet p;
	size_t least = 16 + 2 + 16;

	(void)state;
	open_lab((struct lab_options){0});
	p = from_a(0, 10);
	for (size_t len = 0; len < least; len++) {
		struct esp_packet cut = p;
		cut.len = len;
		assert_int_equal(into_b(cut), ESP_DROP);
	}
	assert_int_equal(lab_count(&l.b).drop_malformed, least);
}

static void a_keepalive_is_only_counted(void **state)
{
	struct esp_packet p = {.at = lab_buffer(0), .len = 1, .encap = true};

	(void)state;
	open_lab((struct lab_options){.encap = true});
	p.at[0] = 0xff;
	assert_int_equal(into_b(p), ESP_DROP);
	assert_int_equal(lab_count(&l.b).keepalives_in, 1);
	p.encap = false;
	assert_int_equal(into_b(p), ESP_DROP);
	assert_int_equal(lab_count(&l.b).keepalives_in, 1);
	assert_int_equal(lab_count(&l.b).drop_malformed, 1);
}

static void unknown_spis_are_told_rarely(void **state)
{
	struct esp_notice n;
	unsigned told = 0;

	(void)state;
	open_lab((struct lab_options){0});
	struct esp_packet p = from_a(0, 10);
	p.at[3] ^= 0x55;
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(into_b(p), ESP_DROP);
	assert_int_equal(lab_count(&l.b).drop_unknown_spi, 1000);
	while (next_notice(&l.b, ESP_UNKNOWN_SPI, &n)) {
		assert_int_equal(n.spi, LAB_SPI_B ^ 0x55);
		assert_true(endpoint_equal(&n.remote, &p.remote));
		told++;
	}
	assert_in_range(told, 1, 32);
}

/* The SA belongs to one address: its SPI at another is unknown. */
static void an_spi_at_another_address_is_unknown(void **state)
{
	(void)state;
	open_lab((struct lab_options){0});
	struct esp_packet p = from_a(0, 10);
	p.local.addr = lab_addr(false, 77);
	assert_int_equal(into_b(p), ESP_DROP);
	assert_int_equal(lab_count(&l.b).drop_unknown_spi, 1);
}

/* RFC 7296 2.23: with UDP and without, whatever was agreed. */
static void encapsulation_is_the_senders_choice(void **state)
{
	(void)state;
	for (int encap = 0; encap <= 1; encap++) {
		open_lab((struct lab_options){.encap = encap});
		struct esp_packet p = from_a(0, 10);
		p.encap = !encap;
		assert_int_equal(into_b(p), ESP_INJECT);
		if (encap == 0)
			lab_free(&l);
	}
}

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
	assert_int_equal(lab_usage(&l.b, LAB_ID).packets_in, 1);
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

/* ---- behind NAT -------------------------------------------------------------------- */

/* RFC 3948 3.1.2: the sums that A made are of an address that B never sees. */
static void checksums_are_mended_behind_nat(void **state)
{
	static const uint8_t protos[] = {IP_UDP, IP_TCP};
	struct addr private = lab_addr(false, 201);

	(void)state;
	open_lab((struct lab_options){.encap = true});
	for (size_t i = 0; i < 2; i++) {
		struct esp_packet p = lab_ip(1, &private, &l.b.inner, protos[i], 40);
		static uint8_t plain[64];
		struct ip_packet ip;

		p.at[24] = 0;
		p.at[25] = 40; /* UDP's length */
		assert_int_equal(ip_packet_read(span_of(p.at, p.len), &ip), WIRE_OK);
		l4_checksum_set(p.at, &ip);
		memcpy(plain, p.at + 20, 40);
		memcpy(plain + 40, "\x01\x02\x02", 3);
		plain[43] = protos[i];
		struct esp_packet e = lab_craft(&l, 0, i + 1, span_of(plain, 44));
		assert_int_equal(lab_in(&l.b, &e, LAB_NOW), ESP_INJECT);
		assert_int_equal(ip_packet_read(span_of(e.at, e.len), &ip), WIRE_OK);
		assert_true(addr_equal(&ip.src, &l.a.outer));
		assert_true(l4_checksum_ok(e.at, &ip));
	}
}

/* Without UDP there is no NAT, and a wrong sum is the sender's own. */
static void checksums_are_not_touched_without_nat(void **state)
{
	static uint8_t plain[] = {0, 1, 0, 2, 0, 8, 0xba, 0xad, 1, 2, 2, IP_UDP};

	(void)state;
	open_lab((struct lab_options){0});
	struct esp_packet e = lab_craft(&l, 0, 1, span_of(plain, sizeof plain));
	assert_int_equal(lab_in(&l.b, &e, LAB_NOW), ESP_INJECT);
	assert_memory_equal(e.at + 26, "\xba\xad", 2);
}

/* RFC 7296 2.23: the newest authentic packet shows where the peer is now. */
static void a_moved_mapping_is_told_once(void **state)
{
	struct esp_notice n;
	struct esp_packet old, p;

	(void)state;
	open_lab((struct lab_options){.encap = true, .mode = POLICY_TUNNEL});
	old = from_a(0, 10);
	p = from_a(1, 10);
	p.remote.port = 40000;
	assert_int_equal(into_b(p), ESP_INJECT);
	assert_true(next_notice(&l.b, ESP_MAPPING, &n));
	assert_int_equal(n.remote.port, 40000);
	assert_int_equal(n.id, LAB_ID);
	/* a second of the same, and a straggler from the old place */
	p = from_a(1, 10);
	p.remote.port = 40000;
	assert_int_equal(into_b(p), ESP_INJECT);
	assert_int_equal(into_b(old), ESP_INJECT);
	p = from_a(1, 10);
	p.remote.port = 40000;
	assert_int_equal(into_b(p), ESP_INJECT);
	assert_false(next_notice(&l.b, ESP_MAPPING, &n));

	/* nothing is sent there before the node says so */
	struct esp_packet back = lab_udp(2, &l.b.inner, 143, &l.a.inner, 5, 4);
	assert_int_equal(lab_out(&l.b, &back, LAB_NOW), ESP_SEND);
	assert_int_equal(back.remote.port, 4500);
	struct endpoint to = {l.a.outer, 40000};
	assert_int_equal(esp_dp_move(l.b.dp, LAB_ID, &to), ESP_OK);
	back = lab_udp(2, &l.b.inner, 143, &l.a.inner, 5, 4);
	assert_int_equal(lab_out(&l.b, &back, LAB_NOW), ESP_SEND);
	assert_int_equal(back.remote.port, 40000);
	p = from_a(1, 10);
	p.remote.port = 40000;
	assert_int_equal(into_b(p), ESP_INJECT);
	assert_false(next_notice(&l.b, ESP_MAPPING, &n));
}

/* The node may learn of a third place from IKE: what was told before is told again. */
static void a_move_elsewhere_forgets_what_was_told(void **state)
{
	struct endpoint third;
	struct esp_notice n;
	struct esp_packet p;

	(void)state;
	open_lab((struct lab_options){.encap = true});
	third = (struct endpoint){l.a.outer, 50000};
	for (int i = 0; i < 2; i++) {
		p = from_a(1, 10);
		p.remote.port = 40000;
		assert_int_equal(into_b(p), ESP_INJECT);
		assert_true(next_notice(&l.b, ESP_MAPPING, &n));
		assert_int_equal(n.remote.port, 40000);
		assert_int_equal(esp_dp_move(l.b.dp, LAB_ID, &third), ESP_OK);
	}
}

static void a_forged_mapping_is_not_told(void **state)
{
	struct esp_notice n;

	(void)state;
	open_lab((struct lab_options){.encap = true});
	struct esp_packet p = from_a(0, 10);
	p.remote.port = 40000;
	p.at[20] ^= 1;
	assert_int_equal(into_b(p), ESP_DROP);
	assert_false(next_notice(&l.b, ESP_MAPPING, &n));
}

/* ---- accounts ---------------------------------------------------------------------- */

static void the_first_packet_is_told(void **state)
{
	struct esp_notice n;

	(void)state;
	open_lab((struct lab_options){0});
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(into_b(from_a(0, 10)), ESP_INJECT);
	assert_true(next_notice(&l.b, ESP_INBOUND, &n));
	assert_int_equal(n.id, LAB_ID);
	assert_false(next_notice(&l.b, ESP_INBOUND, &n));
}

/* t0 of the idle timer: the first packet out since the last authentic one in. */
static void silence_is_measured(void **state)
{
	struct esp_packet p;

	(void)state;
	open_lab((struct lab_options){0});
	assert_int_equal(lab_usage(&l.a, LAB_ID).unanswered_since_ms, 0);
	for (uint64_t now = 5000; now < 5003; now++) {
		p = lab_a_to_b(&l, 0, 10);
		assert_int_equal(lab_out(&l.a, &p, now), ESP_SEND);
	}
	assert_int_equal(lab_usage(&l.a, LAB_ID).unanswered_since_ms, 5000);
	assert_int_equal(lab_usage(&l.a, LAB_ID).last_out_ms, 5002);
	assert_int_equal(lab_usage(&l.a, LAB_ID).last_in_ms, 0);

	p = lab_udp(1, &l.b.inner, 143, &l.a.inner, 5000, 7);
	assert_int_equal(lab_out(&l.b, &p, 5003), ESP_SEND);
	lab_cross(&p);
	assert_int_equal(lab_in(&l.a, &p, 5003), ESP_INJECT);
	assert_int_equal(lab_usage(&l.a, LAB_ID).unanswered_since_ms, 0);
	assert_int_equal(lab_usage(&l.a, LAB_ID).last_in_ms, 5003);
	assert_int_equal(lab_usage(&l.a, LAB_ID).packets_out, 3);
	assert_int_equal(lab_usage(&l.a, LAB_ID).bytes_out, 3 * (28 + 10));
	assert_int_equal(lab_usage(&l.a, LAB_ID).packets_in, 1);
	assert_int_equal(lab_usage(&l.a, LAB_ID).bytes_in, 28 + 7);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_packet_of_rfc_7634),
		TEST(a_packet_is_delivered_once),
		TEST(order_does_not_matter_within_the_window),
		TEST(a_forgery_moves_nothing),
		TEST(every_octet_is_protected),
		TEST(esn_crosses_the_half),
		TEST(short_packets_are_malformed),
		TEST(a_keepalive_is_only_counted),
		TEST(unknown_spis_are_told_rarely),
		TEST(an_spi_at_another_address_is_unknown),
		TEST(encapsulation_is_the_senders_choice),
		TEST(dummies_vanish),
		TEST(padding_beyond_the_text_is_malformed),
		TEST(transport_takes_no_fragment),
		TEST(a_tunnel_holds_ip),
		TEST(traffic_flow_padding_goes),
		TEST(congestion_marks_pass),
		TEST(selectors_are_checked),
		TEST(selectors_are_each_sas_own),
		TEST(more_specific_rules_are_kept),
		TEST(rules_of_one_binding_share_an_sa),
		TEST(checksums_are_mended_behind_nat),
		TEST(checksums_are_not_touched_without_nat),
		TEST(a_moved_mapping_is_told_once),
		TEST(a_move_elsewhere_forgets_what_was_told),
		TEST(a_forged_mapping_is_not_told),
		TEST(the_first_packet_is_told),
		TEST(silence_is_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
