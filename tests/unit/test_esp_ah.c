/* test_esp_ah.c - AH through two dataplanes, against packets of another hand (scapy 2.5), and
 * what must not pass (RFC 4302).
 */
#include "esp_pair.h"

#include "wire/ah_header.h"

enum { V4 = 20, V6 = 40, AH_SHA256 = 28, AH_SHA256_V6 = 32 };

static void open_ah(struct lab_options o)
{
	o.ah = true;
	open_lab(o);
}

/* ---- there and back ------------------------------------------------------------------ */

static void pass(size_t len)
{
	struct esp_packet p = lab_a_to_b(&l, 0, len);
	static uint8_t sent[LAB_PACKET_MAX];
	size_t sent_len = p.len;

	memcpy(sent, p.at, p.len);
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_SEND);
	assert_true(p.ah);
	lab_cross(&p);
	assert_int_equal(lab_in(&l.b, &p, LAB_NOW), ESP_INJECT);
	assert_int_equal(p.len, sent_len);
	assert_memory_equal(p.at, sent, sent_len);
}

/* Both modes, over and with both families, with and without ESN, each algorithm. */
static void all_ways_round_trip(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 16; i++)
		for (enum aead_alg alg = AEAD_NULL_SHA256; alg <= AEAD_NULL_SHA512;
			alg++) {
			open_ah((struct lab_options){
				.alg = alg,
				.mode = i & 1 ? POLICY_TUNNEL : POLICY_TRANSPORT,
				.v6 = (i & 2) != 0,
				.inner_v6 = (i & 4) != 0,
				.esn = (i & 8) != 0,
			});
			for (size_t len = 0; len <= 20; len++)
				pass(len);
			pass(1300);
			assert_int_equal(lab_count(&l.b).opened, 22);
			if (i != 15 || alg != AEAD_NULL_SHA512)
				lab_free(&l);
		}
}

/* RFC 4302 2, 3.1.1: IP header with protocol 51, AH, and the text in clear. */
static void a_packet_to_the_octet(void **state)
{
	struct esp_packet p;

	(void)state;
	open_ah((struct lab_options){0});
	for (uint32_t n = 1; n <= 3; n++) {
		uint8_t want[64];

		assert_int_equal(send_at(&p, 5, LAB_NOW), ESP_SEND);
		assert_int_equal(p.len, V4 + AH_SHA256 + 8 + 5);
		assert_int_equal(p.at[9], IP_AH);
		assert_int_equal(number_at(p.at + 2, 2), p.len);
		unit_assert_span_equal(
			span_of(p.at + V4, 4), unit_hex("11 05 0000", want, sizeof want));
		assert_int_equal(number_at(p.at + V4 + 4, 4), LAB_SPI_B);
		assert_int_equal(number_at(p.at + V4 + 8, 4), n);
		assert_memory_equal(p.at + V4 + AH_SHA256 + 8, "\x08\x09\x0a\x0b\x0c", 5);
	}
}

/* RFC 4302 2.6: a multiple of 4 octets over IPv4, of 8 over IPv6. */
static void its_length_is_aligned(void **state)
{
	static const struct {
		enum aead_alg alg;
		bool v6;
		unsigned octets;
	} v[] = {{AEAD_NULL_SHA256, false, 28}, {AEAD_NULL_SHA256, true, 32},
		{AEAD_NULL_SHA384, false, 36}, {AEAD_NULL_SHA384, true, 40},
		{AEAD_NULL_SHA512, false, 44}, {AEAD_NULL_SHA512, true, 48}};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
		struct esp_packet p;

		open_ah((struct lab_options){.alg = v[i].alg, .v6 = v[i].v6});
		assert_int_equal(send_at(&p, 0, LAB_NOW), ESP_SEND);
		assert_int_equal(p.len, (v[i].v6 ? V6 : V4) + v[i].octets + 8);
		assert_int_equal(4 * (p.at[(v[i].v6 ? V6 : V4) + 1] + 2), v[i].octets);
		if (i + 1 < sizeof v / sizeof v[0])
			lab_free(&l);
	}
}

/* ---- of another hand ------------------------------------------------------------------ */

struct foreign {
	enum aead_alg alg;
	bool v6;
	const char *packet;
};

static const struct foreign foreign[] = {
	{AEAD_NULL_SHA256, false,
		"45280040123440003f33a52bc0000201c0000202110500000102030400000005"
		"d388b1c1dfbfebd4ac29a94e44f9cc521388008f0010c6217265616461626c65"},
	{AEAD_NULL_SHA256, true,
		"628123450030333d20010db800000000000000000000000120010db800000000"
		"0000000000000002110600000102030400000005144818a94d4c5eb821704a8f"
		"4ca1f62c000000001388008f0010eeb07265616461626c65"},
	{AEAD_NULL_SHA384, false,
		"45280048123440003f33a523c0000201c0000202110700000102030400000005"
		"4c533fa6b9779b74fe270035ad07d05cd710c9f02026417f1388008f0010c621"
		"7265616461626c65"},
	{AEAD_NULL_SHA384, true,
		"628123450038333d20010db800000000000000000000000120010db800000000"
		"0000000000000002110800000102030400000005075908971b6f51d17c6af2ed"
		"e8a2def5a2a20d60b1fe81e5000000001388008f0010eeb07265616461626c65"},
	{AEAD_NULL_SHA512, false,
		"45280050123440003f33a51bc0000201c0000202110900000102030400000005"
		"51451960d9bc3e99ccfb2a6e1abb689f71f0bfd20f2145cddac957d754dea039"
		"1388008f0010c6217265616461626c65"},
	{AEAD_NULL_SHA512, true,
		"628123450040333d20010db800000000000000000000000120010db800000000"
		"0000000000000002110a000001020304000000058e28dfc20e519a28611c38b7"
		"bae515763ef119ae0b913646a8d5524e0c973d38000000001388008f0010eeb0"
		"7265616461626c65"},
	/* router alert and record route */
	{AEAD_NULL_SHA256, false,
		"490000501234000040334434c0000201c0000202940400000107070400000000"
		"00000000110500000102030400000006bbd2deab980baf45e2e8325df03c3e76"
		"1388008f0010c6217265616461626c65"},
	/* hop-by-hop and destination options, of which one may change */
	{AEAD_NULL_SHA256, true,
		"600000000048004020010db800000000000000000000000120010db800000000"
		"00000000000000023c01050200003e04616263640102000033001e0477787"
		"97a1106000001020304000000072ca49e6894a641d2d8e1604415f6be4800000"
		"0001388008f0010eeb07265616461626c65"},
};

/* An SA of B with the key that those packets have. */
static struct esp_packet foreign_packet(const struct foreign *f, unsigned i)
{
	struct esp_child c = another(9);
	struct esp_packet p = {.at = lab_buffer(i),
		.ah = true,
		.local = {l.b.outer, 0},
		.remote = {l.a.outer, 0}};

	c.spi_in = 0x01020304;
	c.local.addr = l.b.outer;
	c.remote.addr = l.a.outer;
	c.local_ts.at[0] = ts_host(&l.b.outer);
	c.remote_ts.at[0] = ts_host(&l.a.outer);
	for (size_t k = 0; k < c.key_in.len; k++)
		c.key_in.b[k] = (uint8_t)(0x40 + k);
	lab_add(&l.b, &c);
	p.len = unit_hex(f->packet, p.at, 512).len;
	return p;
}

static void packets_of_another_hand_are_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
		open_ah((struct lab_options){.alg = foreign[i].alg, .v6 = foreign[i].v6});
		struct esp_packet p = foreign_packet(&foreign[i], 0);

		assert_int_equal(into_b(p), ESP_INJECT);
		assert_int_equal(lab_count(&l.b).opened, 1);
		if (i + 1 < sizeof foreign / sizeof foreign[0])
			lab_free(&l);
	}
}

/* The same the other way round: under that key, number and identification we make the same. */
static void our_packets_are_like_those(void **state)
{
	uint8_t want[256];

	(void)state;
	open_ah((struct lab_options){0});
	struct esp_child c = another(9);
	struct esp_packet p = lab_udp(0, &l.a.inner, 5000, &l.b.inner, 143, 8);

	c.spi_out = 0x01020304;
	for (size_t k = 0; k < c.key_out.len; k++)
		c.key_out.b[k] = (uint8_t)(0x40 + k);
	lab_add(&l.a, &c);
	dp_by_spi(l.a.dp, c.spi_in)->usage.seq_out = 4;
	memcpy(p.at + V4 + 8, "readable", 8);
	memcpy(p.at + V4 + 6, "\xc6\x21", 2);
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_SEND);
	struct span theirs = unit_hex(foreign[0].packet, want, sizeof want);
	assert_int_equal(p.len, theirs.len);
	/* the identification is ours to choose, and it is under the ICV */
	assert_int_equal(number_at(p.at + 4, 2), 1 + (5 + 0x01020304) % UINT16_MAX);
	assert_memory_equal(p.at + V4, theirs.at + V4, 12);
	assert_memory_equal(p.at + V4 + AH_SHA256, theirs.at + V4 + AH_SHA256, 16);
}

/* ---- what is authenticated --------------------------------------------------------------- */

/* RFC 4302 3.3.3.1.1.1, 3.3.3.1.2.1: the bits that may change on the way. */
static uint8_t changing(const struct foreign *f, size_t at)
{
	if (f->v6) /* class, flow label, hop limit */
		return at == 0 ? 0x0f : at <= 3 || at == 7 ? 0xff : 0;
	if (at == 6)
		return 0xc0; /* with the third flag, or an offset, it is a fragment */
	return at == 1 || at == 8 || at == 10 || at == 11 ? 0xff : 0;
}

/* Version, lengths, flags and next headers change what the packet is: those are dropped, and
 * it does not matter why. */
static void every_octet_that_stays_is_protected(void **state)
{
	static uint8_t copy[512];

	(void)state;
	for (size_t n = 0; n < 6; n++) {
		const struct foreign *f = &foreign[n];

		open_ah((struct lab_options){.alg = f->alg, .v6 = f->v6});
		struct esp_packet good = foreign_packet(f, 0), p = good;
		size_t header = f->v6 ? V6 : V4;
		p.at = lab_buffer(1);
		memcpy(copy, good.at, good.len);
		for (size_t bit = 0; bit < 8 * good.len; bit++) {
			uint8_t flip = (uint8_t)(1 << bit % 8);

			if (bit / 8 < header && (changing(f, bit / 8) & flip))
				continue;
			memcpy(p.at, copy, good.len);
			p.at[bit / 8] ^= flip;
			assert_true(into_b(p) != ESP_INJECT);
		}
		assert_int_equal(lab_count(&l.b).opened, 0);
		for (size_t at = 0; at < header; at++)
			good.at[at] ^= changing(f, at);
		assert_int_equal(into_b(good), ESP_INJECT);
		if (n < 5)
			lab_free(&l);
	}
}

/* RFC 4302 3.3.3.1.1.2, 3.3.3.1.2.2: options that may change, and those that may not. */
static void options_are_protected_as_they_say(void **state)
{
	static const struct {
		unsigned packet, at;
		bool may_change;
	} v[] = {{6, 22, false}, {6, 28, true}, {6, 31, true}, {7, 44, false},
		{7, 48, true}, {7, 51, true}, {7, 61, false}};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
		const struct foreign *f = &foreign[v[i].packet];

		open_ah((struct lab_options){.alg = f->alg, .v6 = f->v6});
		struct esp_packet p = foreign_packet(f, 0);
		p.at[v[i].at] ^= 0x40;
		assert_int_equal(into_b(p), v[i].may_change ? ESP_INJECT : ESP_DROP);
		assert_int_equal(lab_count(&l.b).drop_forged, !v[i].may_change);
		if (i + 1 < sizeof v / sizeof v[0])
			lab_free(&l);
	}
}

/* RFC 4302 3.3.3.2.2: the upper half of the number is behind all else. */
static void esn_is_authenticated(void **state)
{
	(void)state;
	open_ah((struct lab_options){.esn = true});
	dp_by_spi(l.a.dp, LAB_SPI_A)->usage.seq_out = UINT64_C(0x300000000);
	struct esp_packet p = from_a(0, 10);
	assert_int_equal(into_b(p), ESP_DROP); /* taken for one below 2^32 */
	assert_int_equal(lab_count(&l.b).drop_forged, 1);
	dp_by_spi(l.b.dp, LAB_SPI_B)->replay.top = UINT64_C(0x300000000);
	p = from_a(0, 10);
	assert_int_equal(into_b(p), ESP_INJECT);
}

/* ---- numbers -------------------------------------------------------------------------------- */

static void a_packet_is_delivered_once(void **state)
{
	struct esp_packet p, again;

	(void)state;
	open_ah((struct lab_options){.window = 64});
	p = from_a(0, 10);
	again = p;
	again.at = lab_buffer(1);
	memcpy(again.at, p.at, p.len);
	assert_int_equal(into_b(p), ESP_INJECT);
	assert_int_equal(into_b(again), ESP_DROP);
	assert_int_equal(lab_usage(&l.b, LAB_ID).replayed, 1);
}

static void a_forgery_moves_nothing(void **state)
{
	struct esp_packet forged, honest;

	(void)state;
	open_ah((struct lab_options){.window = 32});
	honest = from_a(0, 10);
	forged = honest;
	forged.at = lab_buffer(1);
	memcpy(forged.at, honest.at, honest.len);
	forged.at[V4 + 8] = 0x7f; /* a number far ahead */
	assert_int_equal(into_b(forged), ESP_DROP);
	assert_int_equal(lab_usage(&l.b, LAB_ID).forged, 1);
	assert_int_equal(lab_usage(&l.b, LAB_ID).last_in_ms, 0);
	assert_int_equal(into_b(honest), ESP_INJECT);
}

/* RFC 4302 3.3.2 */
static void numbers_never_wrap(void **state)
{
	struct esp_notice n;
	struct esp_packet p;

	(void)state;
	open_ah((struct lab_options){0});
	dp_by_spi(l.a.dp, LAB_SPI_A)->usage.seq_out = UINT32_MAX - 1;
	assert_int_equal(send_one(&p), ESP_SEND);
	assert_int_equal(send_one(&p), ESP_DROP);
	assert_int_equal(count_notices(ESP_SEQ_HARD, &n), 1);
}

/* ---- what is not for an SA of AH ------------------------------------------------------------- */

/* RFC 4302 2.4: the SPI together with the protocol. What has none waits for its SA. */
static void esp_and_ah_are_not_mixed_up(void **state)
{
	(void)state;
	open_ah((struct lab_options){0});
	struct esp_packet p = {.at = lab_buffer(0),
		.len = 64,
		.local = {l.b.outer, 0},
		.remote = {l.a.outer, 0}};
	memset(p.at, 0, p.len);
	unit_hex("b0000001 00000001", p.at, 8);
	assert_int_equal(into_b(p), ESP_HELD);
	lab_free(&l);

	open_lab((struct lab_options){0});
	p = lab_ip(0, &l.a.outer, &l.b.outer, IP_AH, 60);
	unit_hex("11 05 0000 b0000001 00000001", p.at + V4, 12);
	p.ah = true;
	p.local.addr = l.b.outer;
	p.remote.addr = l.a.outer;
	assert_int_equal(into_b(p), ESP_HELD);
	assert_int_equal(lab_count(&l.b).drop_forged, 0);
}

/* Linux aligns to 8 octets over IPv4, too; what is longer than that is nobody's. */
static void linux_padding_is_accepted_and_no_other(void **state)
{
	static const struct {
		unsigned extra;
		enum esp_verdict verdict;
	} v[] = {{0, ESP_INJECT}, {4, ESP_INJECT}, {8, ESP_DROP}, {12, ESP_DROP}};

	(void)state;
	for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
		open_ah((struct lab_options){0});
		struct esp_packet p = lab_ip(
			0, &l.a.outer, &l.b.outer, IP_AH, AH_SHA256 + v[i].extra + 24);
		struct esp_child c = lab_child(&l, true);
		struct aead *a = aead_new(c.alg, secret_span(&c.key_out));
		uint8_t *ah = p.at + V4;
		struct ah_cover front;
		struct ip_packet ip;

		p.ah = true;
		p.local.addr = l.b.outer;
		p.remote.addr = l.a.outer;
		memset(ah, 0, AH_SHA256 + v[i].extra);
		unit_hex("2f 05 0000 b0000001 00000001", ah, 12);
		ah[1] = (uint8_t)(ah[1] + v[i].extra / 4);
		assert_int_equal(ip_packet_read(span_of(p.at, p.len), &ip), WIRE_OK);
		assert_int_equal(
			ah_cover_read(span_of(p.at, p.len), &ip, &front), WIRE_OK);
		const struct span parts[] = {
			span_of(front.at, front.len), span_of(ah, p.len - V4)};
		uint8_t icv[16];
		assert_int_equal(aead_tag(a, parts, 2, icv), CRYPTO_OK);
		memcpy(ah + 12, icv, sizeof icv);
		assert_int_equal(into_b(p), v[i].verdict);
		aead_free(a);
		if (i + 1 < sizeof v / sizeof v[0])
			lab_free(&l);
	}
}

static void what_is_not_whole_is_malformed(void **state)
{
	static uint8_t copy[512];

	(void)state;
	open_ah((struct lab_options){0});
	struct esp_packet p = from_a(0, 10), cut = p;

	memcpy(copy, p.at, p.len);
	cut.at = lab_buffer(1);
	for (cut.len = 0; cut.len < p.len; cut.len++) {
		memcpy(cut.at, copy, cut.len);
		assert_int_equal(into_b(cut), ESP_DROP);
	}
	assert_int_equal(lab_count(&l.b).drop_malformed, p.len);
	/* RFC 4302 3.4.1 */
	memcpy(cut.at, copy, p.len);
	cut.len = p.len;
	cut.at[6] |= 0x20;
	assert_int_equal(into_b(cut), ESP_DROP);
	assert_int_equal(lab_count(&l.b).drop_malformed, p.len + 1);
	/* from another address than its header has */
	memcpy(cut.at, copy, p.len);
	cut.remote.addr = addr_v4(192, 0, 2, 99);
	assert_int_equal(into_b(cut), ESP_DROP);
	assert_int_equal(lab_count(&l.b).drop_malformed, p.len + 2);
}

/* RFC 4301 5.2 */
static void selectors_are_checked(void **state)
{
	(void)state;
	open_ah((struct lab_options){.proto = IP_UDP, .port = 143});
	struct esp_child c = lab_child(&l, true);

	c.id = 9;
	c.spi_in = 0xa0000009;
	c.remote_ts.at[0] = ts_host(&l.b.inner); /* all of it, A believes */
	lab_add(&l.a, &c);
	dp_by_spi(l.a.dp, LAB_SPI_A)->active = false;
	struct spd *spd = spd_new();
	lab_rule(spd, ts_host(&l.a.inner), ts_host(&l.b.inner), POLICY_NEGOTIATE,
		POLICY_TRANSPORT, LAB_RULE);
	lab_policy(&l.a, spd);
	struct esp_packet p = lab_udp(0, &l.a.inner, 5000, &l.b.inner, 144, 8);
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_SEND);
	lab_cross(&p);
	assert_int_equal(into_b(p), ESP_DROP);
	assert_int_equal(lab_usage(&l.b, LAB_ID).wrong_selector, 1);
}

/* ---- size ------------------------------------------------------------------------------------- */

/* No trailer, no alignment: 1500 octets hold 1500 - 20 - 28 of text. */
static void it_fits_to_the_octet(void **state)
{
	(void)state;
	open_ah((struct lab_options){0});
	for (int over = 0; over <= 1; over++) {
		size_t len = 1500 - V4 - AH_SHA256 - 8 + (size_t)over;
		struct esp_packet p = lab_a_to_b(&l, 0, len);

		p.at[6] = 0x40; /* DF */
		assert_int_equal(
			lab_out(&l.a, &p, LAB_NOW), over ? ESP_INJECT : ESP_SEND);
		if (!over)
			assert_int_equal(p.len, 1500);
		else /* ICMP: 1472 octets of packet would fit */
			assert_int_equal(number_at(p.at + V4 + 6, 2), 1500 - AH_SHA256);
	}
	/* without DF it leaves as it is, and who sends it is told where to cut */
	assert_int_equal(esp_dp_path_mtu(l.a.dp, LAB_ID, 1400), ESP_OK);
	struct esp_packet p = lab_a_to_b(&l, 0, 3000);
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_SEND);
	assert_int_equal(p.mtu, 1400);
	assert_false(p.dont_fragment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_ways_round_trip),
		TEST(a_packet_to_the_octet),
		TEST(its_length_is_aligned),
		TEST(packets_of_another_hand_are_accepted),
		TEST(our_packets_are_like_those),
		TEST(every_octet_that_stays_is_protected),
		TEST(options_are_protected_as_they_say),
		TEST(esn_is_authenticated),
		TEST(a_packet_is_delivered_once),
		TEST(a_forgery_moves_nothing),
		TEST(numbers_never_wrap),
		TEST(esp_and_ah_are_not_mixed_up),
		TEST(linux_padding_is_accepted_and_no_other),
		TEST(what_is_not_whole_is_malformed),
		TEST(selectors_are_checked),
		TEST(it_fits_to_the_octet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
