/* tests/unit/test_esp_open.c - packets that A sent, might have sent, or did not.
 *
 * lab_craft() seals any plaintext under the SA's key, so a plaintext that no honest peer
 * makes reaches the code behind the integrity check.
 */
#include "esp_pair.h"

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

/* What scapy 2.5 made of UDP with "readable" in transport mode, without encryption (RFC
 * 2410), number 5: everybody could, and only the SA accepts it. */
static void packets_of_another_hand_without_encryption(void **state)
{
	static const struct {
		enum aead_alg alg;
		const char *tag;
	} v[] = {{AEAD_NULL_SHA256, "31d24a8726fc38a7c1296d0b1c14e6d4"},
		{AEAD_NULL_SHA384, "060f4369c8b26a2ff2e34459670ee540ed86164ac843beab"},
		{AEAD_NULL_SHA512, "c8bcea42a65a9de908aa9b8be8e2e780"
				   "99eb3b5d1e1b51872599e9038c714ee5"}};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
		open_lab((struct lab_options){.alg = v[i].alg});
		struct esp_child c = another(9);
		struct esp_packet p = {.at = lab_buffer(0),
			.local = {l.b.outer, 0},
			.remote = {l.a.outer, 0}};
		char packet[256];

		c.spi_in = 0x01020304;
		c.local.addr = l.b.outer;
		c.remote.addr = l.a.outer;
		c.local_ts.at[0] = ts_host(&l.b.outer);
		c.remote_ts.at[0] = ts_host(&l.a.outer);
		for (size_t k = 0; k < c.key_in.len; k++)
			c.key_in.b[k] = (uint8_t)(0x40 + k);
		lab_add(&l.b, &c);
		snprintf(packet, sizeof packet, "%s%s",
			"0102030400000005"
			"1388008f0010c6217265616461626c6501020211",
			v[i].tag);
		p.len = unit_hex(packet, p.at, sizeof packet).len;
		assert_int_equal(into_b(p), ESP_INJECT);
		assert_memory_equal(p.at + 8 + 8, "readable", 8);
		if (i + 1 < sizeof v / sizeof v[0])
			lab_free(&l);
	}
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
	struct esp_batch none;
	struct esp_notice n;
	unsigned told = 0;

	(void)state;
	open_lab((struct lab_options){0});
	struct esp_packet p = from_a(0, 10);
	p.at[3] ^= 0x55;
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(into_b(p), ESP_HELD);
	esp_dp_release(l.b.dp, &none, LAB_NOW + EARLY_MS);
	assert_int_equal(none.n, 0);
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
	assert_int_not_equal(into_b(p), ESP_INJECT);
	assert_int_equal(lab_count(&l.b).opened, 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_packet_of_rfc_7634),
		TEST(packets_of_another_hand_without_encryption),
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
