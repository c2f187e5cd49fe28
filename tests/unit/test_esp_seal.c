/* tests/unit/test_esp_seal.c - a sealed packet to the octet, and when nothing may be sealed. */
#include "esp_pair.h"

/* ---- the packet ------------------------------------------------------------------- */

/* Opened by hand: RFC 4303 2, RFC 4106 3 and 5, with the IV of the design. */
static void a_sealed_packet_to_the_octet(void **state)
{
	struct esp_packet p;
	uint8_t plain[64], aad[8];
	struct esp_child c;

	(void)state;
	open_lab((struct lab_options){0});
	for (uint64_t n = 1; n <= 3; n++) {
		assert_int_equal(send_at(&p, 5, LAB_NOW), ESP_SEND);
		/* UDP 8 + 5, padding to 16 with the trailer */
		assert_int_equal(p.len, 8 + 8 + 16 + 16);
		assert_int_equal(number_at(p.at, 4), LAB_SPI_B);
		assert_int_equal(seq_of(&p), n);
		assert_int_equal(iv_of(&p), UINT64_C(0xaa00010000000000) + n - 1);
		c = lab_child(&l, true);
		struct aead *a = aead_new(c.alg, secret_span(&c.key_out));
		memcpy(aad, p.at, 8);
		assert_int_equal(aead_open(a, iv_of(&p), span_of(aad, 8),
					 span_of(p.at + 16, 32), plain),
			CRYPTO_OK);
		assert_memory_equal(plain + 13, "\x01\x01\x11", 3);
		assert_memory_equal(plain + 8, "\x08\x09\x0a\x0b\x0c", 5);
		aead_free(a);
	}
}

/* RFC 4106 5: with ESN the upper half is authenticated, and not sent. */
static void esn_is_in_the_additional_data(void **state)
{
	struct esp_packet p;
	uint8_t plain[64], aad[12];
	struct esp_child c;

	(void)state;
	open_lab((struct lab_options){.esn = true});
	dp_by_spi(l.a.dp, LAB_SPI_A)->usage.seq_out = UINT64_C(0x123456789);
	assert_int_equal(send_at(&p, 6, LAB_NOW), ESP_SEND);
	c = lab_child(&l, true);
	struct aead *a = aead_new(c.alg, secret_span(&c.key_out));
	unit_hex("b0000001 00000001 2345678a", aad, sizeof aad);
	assert_int_equal(aead_open(a, iv_of(&p), span_of(aad, 12),
				 span_of(p.at + 16, p.len - 16), plain),
		CRYPTO_OK);
	aead_free(a);
}

/* RFC 4301 5.1.2: what the outer header shall say. */
static void the_outer_header_follows_the_inner(void **state)
{
	(void)state;
	for (int mode = 0; mode <= 1; mode++) {
		for (int df = 0; df <= 1; df++) {
			open_lab((struct lab_options){
				.mode = mode ? POLICY_TUNNEL : POLICY_TRANSPORT});
			struct esp_packet p = lab_ip(0, &l.a.inner, &l.b.inner, 47, 24);
			struct ip_packet h = {.src = l.a.inner,
				.dst = l.b.inner,
				.proto = 47,
				.tos = 0xba,
				.df = df};
			struct writer w = wr_over(p.at, 20);

			ip_packet_write_header(&w, &h, 24);
			assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_SEND);
			assert_int_equal(p.tos, 0xba);
			assert_int_equal(p.dont_fragment, df);
			if (!(mode && df))
				lab_free(&l);
		}
	}
}

static void what_is_no_packet_is_malformed(void **state)
{
	struct esp_packet p = {.at = lab_buffer(0), .len = 19};

	(void)state;
	open_lab((struct lab_options){0});
	memset(p.at, 0x45, 40);
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_DROP);
	p.len = 0;
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_DROP);
	assert_int_equal(lab_count(&l.a).drop_malformed, 2);
}

/* Options stand in front of ESP, where the socket would not put them. */
static void transport_mode_has_no_room_for_options(void **state)
{
	struct esp_packet p = {.at = lab_buffer(0)};

	(void)state;
	open_lab((struct lab_options){0});
	p.len = unit_hex("46000024000000004011000 0 c0000201c0000202 01010100"
			 "0005008f000c0000 01020304",
		p.at, 64)
			.len;
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_DROP);
	assert_int_equal(lab_count(&l.a).drop_malformed, 1);
}

/* ---- the gate ----------------------------------------------------------------------- */

static void a_closed_gate_uses_nothing_up(void **state)
{
	struct esp_gate *g;
	struct esp_packet p;

	(void)state;
	open_lab((struct lab_options){0});
	g = esp_dp_gate(l.a.dp, 0);
	esp_gate_close(g);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(send_one(&p), ESP_DROP);
	assert_int_equal(lab_count(&l.a).drop_gate, 5);
	assert_int_equal(lab_usage(&l.a, LAB_ID).unanswered_since_ms, 0);
	esp_gate_open(g, 1);
	assert_int_equal(send_one(&p), ESP_SEND);
	assert_int_equal(seq_of(&p), 1);
}

static void another_scopes_gate_does_not_matter(void **state)
{
	struct esp_packet p;

	(void)state;
	open_lab((struct lab_options){0});
	esp_gate_open(esp_dp_gate(l.a.dp, 1), 1);
	esp_gate_close(esp_dp_gate(l.a.dp, 1));
	assert_int_equal(send_one(&p), ESP_SEND);
}

/* member 8 | activation 16 | counter 40: a new activation begins a new row of IVs, numbers
 * go on; an activation of the past is refused, since its IVs have been used. */
static void an_activation_begins_a_new_row_of_ivs(void **state)
{
	struct esp_gate *g;
	struct esp_packet p;

	(void)state;
	open_lab((struct lab_options){0});
	g = esp_dp_gate(l.a.dp, 0);
	esp_gate_open(g, 5);
	for (uint64_t n = 0; n < 3; n++) {
		assert_int_equal(send_one(&p), ESP_SEND);
		assert_int_equal(iv_of(&p), UINT64_C(0xaa00050000000000) + n);
	}
	esp_gate_close(g);
	esp_gate_open(g, 5);
	assert_int_equal(send_one(&p), ESP_SEND);
	assert_int_equal(iv_of(&p), UINT64_C(0xaa00050000000003));
	esp_gate_open(g, 0xffff);
	assert_int_equal(send_one(&p), ESP_SEND);
	assert_int_equal(iv_of(&p), UINT64_C(0xaaffff0000000000));
	assert_int_equal(seq_of(&p), 5);
	esp_gate_open(g, 6);
	assert_int_equal(send_one(&p), ESP_DROP);
	assert_int_equal(lab_count(&l.a).drop_gate, 1);
}

/* ---- limits ------------------------------------------------------------------------- */

/* RFC 4303 3.3.3: a number never comes twice; the last one is 2^32 - 1. */
static void numbers_never_wrap(void **state)
{
	struct esp_notice n;
	struct esp_packet p;

	(void)state;
	open_lab((struct lab_options){0});
	dp_by_spi(l.a.dp, LAB_SPI_A)->usage.seq_out = UINT32_MAX - 2;
	assert_int_equal(send_one(&p), ESP_SEND);
	assert_int_equal(send_one(&p), ESP_SEND);
	assert_int_equal(seq_of(&p), UINT32_MAX);
	assert_int_equal(count_notices(ESP_SEQ_HARD, &n), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(send_one(&p), ESP_DROP);
	assert_int_equal(lab_count(&l.a).drop_seq_exhausted, 3);
	assert_int_equal(count_notices(ESP_SEQ_HARD, &n), 1);
	assert_int_equal(n.id, LAB_ID);
}

static void esn_ends_at_64_bits(void **state)
{
	struct esp_packet p;

	(void)state;
	open_lab((struct lab_options){.esn = true});
	dp_by_spi(l.a.dp, LAB_SPI_A)->usage.seq_out = UINT64_MAX - 1;
	assert_int_equal(send_one(&p), ESP_SEND);
	assert_int_equal(send_one(&p), ESP_DROP);
	assert_int_equal(lab_count(&l.a).drop_seq_exhausted, 1);
}

/* 2^40 packets under one activation: no more IVs. */
static void ivs_never_wrap(void **state)
{
	struct esp_packet p;
	struct esp_notice n;

	(void)state;
	open_lab((struct lab_options){.esn = true});
	assert_int_equal(send_one(&p), ESP_SEND);
	dp_by_spi(l.a.dp, LAB_SPI_A)->iv_counter = (UINT64_C(1) << 40) - 1;
	assert_int_equal(send_one(&p), ESP_SEND);
	assert_int_equal(iv_of(&p), UINT64_C(0xaa0001ffffffffff));
	assert_int_equal(send_one(&p), ESP_DROP);
	assert_int_equal(count_notices(ESP_SEQ_HARD, &n), 1);
}

static void the_soft_limit_is_told_once(void **state)
{
	struct esp_notice n;
	struct esp_packet p;

	(void)state;
	open_lab((struct lab_options){.soft_seq = 3});
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(send_one(&p), ESP_SEND);
	assert_int_equal(count_notices(ESP_SEQ_SOFT, &n), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(send_one(&p), ESP_SEND);
	assert_int_equal(count_notices(ESP_SEQ_SOFT, &n), 1);
	assert_int_equal(n.id, LAB_ID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_sealed_packet_to_the_octet),
		TEST(esn_is_in_the_additional_data),
		TEST(the_outer_header_follows_the_inner),
		TEST(what_is_no_packet_is_malformed),
		TEST(transport_mode_has_no_room_for_options),
		TEST(a_closed_gate_uses_nothing_up),
		TEST(another_scopes_gate_does_not_matter),
		TEST(an_activation_begins_a_new_row_of_ivs),
		TEST(numbers_never_wrap),
		TEST(esn_ends_at_64_bits),
		TEST(ivs_never_wrap),
		TEST(the_soft_limit_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
