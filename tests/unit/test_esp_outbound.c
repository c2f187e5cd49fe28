/* test_esp_outbound.c - what A makes of packets from its TUN: which SA, what numbers, how
 * large, and when nothing may leave at all.
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

static enum esp_verdict send_at(struct esp_packet *p, size_t len, uint64_t now_ms)
{
	*p = lab_a_to_b(&l, 0, len);
	return lab_out(&l.a, p, now_ms);
}

static enum esp_verdict send_one(struct esp_packet *p)
{
	return send_at(p, 10, LAB_NOW);
}

static uint64_t number_at(const uint8_t *at, size_t len)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++)
		v = v << 8 | at[i];
	return v;
}

static uint64_t seq_of(const struct esp_packet *p)
{
	return number_at(p->at + 4, 4);
}

static uint64_t iv_of(const struct esp_packet *p)
{
	return number_at(p->at + 8, 8);
}

static unsigned count_notices(enum esp_notice_kind kind, struct esp_notice *last)
{
	struct esp_notice n;
	unsigned count = 0;

	while (esp_dp_notice(l.a.dp, &n)) {
		if (n.kind != kind)
			continue;
		*last = n;
		count++;
	}
	return count;
}

/* A second SA beside the lab's, made by changing its description. */
static struct esp_child another(uint32_t id)
{
	struct esp_child c = lab_child(&l, true);

	c.id = id;
	c.spi_in = 0xa0000000 + id;
	c.spi_out = 0xb0000000 + id;
	return c;
}

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

/* ---- which SA --------------------------------------------------------------------- */

static void the_policy_decides(void **state)
{
	struct spd *spd = spd_new();
	struct addr other = lab_addr(false, 50);
	struct ts here, there;
	struct esp_packet p;

	(void)state;
	open_lab((struct lab_options){0});
	here = ts_host(&l.a.inner);
	there = ts_host(&l.b.inner);
	lab_rule(spd, here, there, POLICY_NEGOTIATE, 0, LAB_RULE);
	lab_rule(spd, here, lab_ts(&l.b.inner, IP_UDP, 25), POLICY_BLOCK, 0, 2);
	lab_rule(spd, here, lab_ts(&l.b.inner, IP_UDP, 26), POLICY_PERMIT, 0, 3);
	lab_policy(&l.a, spd);

	assert_int_equal(send_one(&p), ESP_SEND);
	p = lab_udp(0, &l.a.inner, 5, &l.b.inner, 25, 4);
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_DROP);
	assert_int_equal(lab_count(&l.a).drop_blocked, 1);
	p = lab_udp(0, &l.a.inner, 5, &l.b.inner, 26, 4);
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_DROP);
	p = lab_udp(0, &l.a.inner, 5, &other, 143, 4);
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_DROP);
	p = lab_udp(0, &other, 5, &l.b.inner, 143, 4);
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_DROP);
	assert_int_equal(lab_count(&l.a).drop_no_policy, 3);
}

/* A new policy holds at once, for flows that were seen before too. */
static void a_new_policy_is_not_outrun_by_the_memo(void **state)
{
	struct spd *spd = spd_new();
	struct esp_packet p;

	(void)state;
	open_lab((struct lab_options){0});
	assert_int_equal(send_one(&p), ESP_SEND);
	lab_rule(spd, ts_host(&l.a.inner), ts_host(&l.b.inner), POLICY_BLOCK, 0, 2);
	lab_policy(&l.a, spd);
	assert_int_equal(send_one(&p), ESP_DROP);
	assert_int_equal(lab_count(&l.a).drop_blocked, 1);
}

static void the_newest_active_sa_sends(void **state)
{
	struct esp_packet p;
	struct esp_child c;

	(void)state;
	open_lab((struct lab_options){0});
	assert_int_equal(send_one(&p), ESP_SEND);
	c = another(100);
	c.outbound_ready = false;
	lab_add(&l.a, &c);
	assert_int_equal(send_one(&p), ESP_SEND);
	assert_int_equal(number_at(p.at, 4), LAB_SPI_B);
	assert_int_equal(esp_dp_activate(l.a.dp, 100), ESP_OK);
	assert_int_equal(send_one(&p), ESP_SEND);
	assert_int_equal(number_at(p.at, 4), 0xb0000000 + 100);
	/* the older one, activated again, is the newest */
	assert_int_equal(esp_dp_activate(l.a.dp, LAB_ID), ESP_OK);
	assert_int_equal(send_one(&p), ESP_SEND);
	assert_int_equal(number_at(p.at, 4), LAB_SPI_B);
	/* and when it goes, the other is there */
	assert_int_equal(esp_dp_delete(l.a.dp, LAB_ID), ESP_OK);
	assert_int_equal(send_one(&p), ESP_SEND);
	assert_int_equal(number_at(p.at, 4), 0xb0000000 + 100);
	assert_int_equal(esp_dp_delete(l.a.dp, 100), ESP_OK);
	assert_int_equal(send_one(&p), ESP_HELD);
}

/* An SA of another rule, or for another host in transport mode, is not borrowed. */
static void only_a_fitting_sa_sends(void **state)
{
	struct esp_packet p;
	struct esp_child c;

	(void)state;
	open_lab((struct lab_options){0});
	assert_int_equal(esp_dp_delete(l.a.dp, LAB_ID), ESP_OK);
	c = another(100);
	c.rule = 2;
	lab_add(&l.a, &c);
	c = another(101);
	c.mode = POLICY_TUNNEL;
	lab_add(&l.a, &c);
	c = another(102);
	c.remote.addr = lab_addr(false, 77);
	lab_add(&l.a, &c);
	c = another(103);
	c.remote_ts.at[0].proto = IP_TCP;
	lab_add(&l.a, &c);
	assert_int_equal(send_one(&p), ESP_HELD);
	c = another(105);
	c.outbound_ready = false;
	lab_add(&l.a, &c);
	assert_int_equal(send_one(&p), ESP_HELD);
	c = another(104);
	lab_add(&l.a, &c);
	assert_int_equal(send_one(&p), ESP_SEND);
}

/* ---- asking for an SA --------------------------------------------------------------- */

static void an_sa_is_asked_for_once_a_second(void **state)
{
	struct esp_packet p;
	struct esp_notice n;

	(void)state;
	open_lab((struct lab_options){0});
	assert_int_equal(esp_dp_delete(l.a.dp, LAB_ID), ESP_OK);
	for (uint64_t now = 10000; now < 12000; now += 10)
		assert_int_not_equal(send_at(&p, 10, now), ESP_SEND);
	assert_int_equal(count_notices(ESP_ACQUIRE, &n), 2);
	assert_int_equal(n.rule, LAB_RULE);
	assert_int_equal(n.scope, 0);
	assert_true(addr_equal(&n.remote.addr, &l.b.inner));
	assert_true(addr_equal(&n.flow.local, &l.a.inner));
	assert_int_equal(n.flow.remote_port, 143);
	assert_int_equal(lab_count(&l.a).drop_no_sa + esp_dp_held(l.a.dp), 200);
	assert_int_equal(lab_count(&l.a).notices_lost, 0);
}

/* A rule for a network has many peers; each is asked for by itself. */
static void every_peer_is_asked_for(void **state)
{
	enum { PEERS = 200 };
	struct prefix net = {addr_v4(198, 51, 0, 0), 16};
	struct spd *spd = spd_new();
	struct esp_notice n;
	unsigned told = 0;

	(void)state;
	open_lab((struct lab_options){0});
	lab_rule(
		spd, ts_host(&l.a.inner), ts_prefix(&net), POLICY_NEGOTIATE, 0, LAB_RULE);
	lab_policy(&l.a, spd);
	for (unsigned round = 0; round < 3; round++) {
		for (uint8_t i = 0; i < PEERS; i++) {
			struct addr peer = addr_v4(198, 51, 100, i);
			struct esp_packet p = lab_udp(0, &l.a.inner, 5, &peer, 143, 4);
			assert_int_not_equal(
				lab_out(&l.a, &p, LAB_NOW + round), ESP_SEND);
		}
		told += count_notices(ESP_ACQUIRE, &n);
	}
	assert_int_equal(told, PEERS);
}

/* In tunnel mode the peer is the endpoint, whatever lies behind it. */
static void a_tunnels_peer_is_its_endpoint(void **state)
{
	struct spd_entry e = {
		.action = POLICY_NEGOTIATE,
		.mode = POLICY_TUNNEL,
		.mirrored = true,
		.rule = LAB_RULE,
		.remote = ts_any(ADDR_V4),
	};
	const struct spd_entry *x, *y;
	struct spd *spd = spd_new();
	struct esp_notice n;

	(void)state;
	open_lab((struct lab_options){.mode = POLICY_TUNNEL});
	assert_int_equal(esp_dp_delete(l.a.dp, LAB_ID), ESP_OK);
	e.local = ts_host(&l.a.inner);
	e.tunnel_to = l.b.outer;
	assert_int_equal(spd_add(spd, &e), POLICY_OK);
	assert_int_equal(spd_seal(spd, &x, &y), POLICY_OK);
	esp_dp_policy(l.a.dp, 0, spd, &l.a.inner, 1);
	for (uint8_t i = 1; i < 9; i++) {
		struct addr host = addr_v4(198, 51, 100, i);
		struct esp_packet p = lab_udp(0, &l.a.inner, 5, &host, 143, 4);
		assert_int_not_equal(lab_out(&l.a, &p, LAB_NOW), ESP_SEND);
	}
	assert_int_equal(count_notices(ESP_ACQUIRE, &n), 1);
	assert_true(addr_equal(&n.remote.addr, &l.b.outer));
}

/* The queue is bounded: the oldest stay, the others are counted, and what was lost is
 * asked for again. */
static void notices_are_bounded(void **state)
{
	struct prefix net = {addr_v4(198, 51, 0, 0), 16};
	struct spd *spd = spd_new();
	struct esp_notice n;

	(void)state;
	open_lab((struct lab_options){0});
	lab_rule(
		spd, ts_host(&l.a.inner), ts_prefix(&net), POLICY_NEGOTIATE, 0, LAB_RULE);
	lab_policy(&l.a, spd);
	for (unsigned i = 0; i < 400; i++) {
		struct addr peer = addr_v4(198, 51, (uint8_t)(i >> 8), (uint8_t)i);
		struct esp_packet p = lab_udp(0, &l.a.inner, 5, &peer, 143, 4);
		assert_int_not_equal(lab_out(&l.a, &p, LAB_NOW), ESP_SEND);
	}
	assert_true(esp_dp_notice(l.a.dp, &n));
	assert_int_equal(n.remote.addr.b[3], 0);
	assert_int_equal(count_notices(ESP_ACQUIRE, &n) + 1, NOTICES_MAX);
	assert_int_equal(lab_count(&l.a).notices_lost, 400 - NOTICES_MAX);
	struct addr last = addr_v4(198, 51, 399 >> 8, 399 & 0xff);
	struct esp_packet p = lab_udp(0, &l.a.inner, 5, &last, 143, 4);
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_DROP);
	assert_int_equal(count_notices(ESP_ACQUIRE, &n), 1);
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

/* ---- control ------------------------------------------------------------------------ */

static void ids_and_spis_are_unique(void **state)
{
	struct esp_child c;

	(void)state;
	open_lab((struct lab_options){0});
	c = another(LAB_ID);
	assert_int_equal(esp_dp_add(l.a.dp, &c), ESP_EXISTS);
	c = another(100);
	c.spi_in = LAB_SPI_A;
	assert_int_equal(esp_dp_add(l.a.dp, &c), ESP_EXISTS);
	assert_int_equal(esp_dp_count(l.a.dp), 1);
	c = another(100);
	c.spi_out = LAB_SPI_B; /* the peer's choice, not ours to judge */
	lab_add(&l.a, &c);
	assert_int_equal(esp_dp_count(l.a.dp), 2);
}

static void unknown_ids_are_not_found(void **state)
{
	const struct endpoint to = {lab_addr(false, 3), 1};
	struct esp_usage u;

	(void)state;
	open_lab((struct lab_options){0});
	assert_int_equal(esp_dp_delete(l.a.dp, 99), ESP_NOT_FOUND);
	assert_int_equal(esp_dp_activate(l.a.dp, 99), ESP_NOT_FOUND);
	assert_int_equal(esp_dp_move(l.a.dp, 99, &to), ESP_NOT_FOUND);
	assert_int_equal(esp_dp_path_mtu(l.a.dp, 99, 1400), ESP_NOT_FOUND);
	assert_int_equal(esp_dp_usage(l.a.dp, 99, &u), ESP_NOT_FOUND);
}

/* One without any rule. */
static void give_policy(uint16_t scope, uint8_t last)
{
	struct addr own = lab_addr(false, last);
	struct spd *spd = spd_new();
	const struct spd_entry *x, *y;

	assert_int_equal(spd_seal(spd, &x, &y), POLICY_OK);
	esp_dp_policy(l.a.dp, scope, spd, &own, 1);
}

static void a_scope_ends_with_its_sas(void **state)
{
	struct esp_child c;

	(void)state;
	open_lab((struct lab_options){0});
	give_policy(1, 60);
	for (uint32_t id = 100; id < 110; id++) {
		c = another(id);
		c.scope = id % 2;
		lab_add(&l.a, &c);
	}
	assert_int_equal(esp_dp_count_scope(l.a.dp, 0), 6);
	assert_int_equal(esp_dp_count_scope(l.a.dp, 1), 5);
	esp_dp_policy(l.a.dp, 0, NULL, NULL, 0);
	assert_int_equal(esp_dp_count_scope(l.a.dp, 0), 0);
	assert_int_equal(esp_dp_count_scope(l.a.dp, 1), 5);
	assert_int_equal(esp_dp_count(l.a.dp), 5);
	/* their numbers are free again */
	give_policy(0, 61);
	c = lab_child(&l, true);
	lab_add(&l.a, &c);
}

/* Nothing would judge what comes out of it. */
static void no_sa_without_a_policy(void **state)
{
	struct esp_child c;

	(void)state;
	open_lab((struct lab_options){0});
	esp_dp_policy(l.a.dp, 0, NULL, NULL, 0);
	c = another(100);
	assert_int_equal(esp_dp_add(l.a.dp, &c), ESP_NOT_FOUND);
}

/* The host's scope has every address that no virtual IP has. */
static void the_host_is_the_rest(void **state)
{
	struct addr host = lab_addr(false, 40);
	struct spd *spd = spd_new();
	const struct spd_entry *x, *y;
	struct esp_notice n;
	struct esp_packet p;

	(void)state;
	open_lab((struct lab_options){0});
	lab_rule(spd, ts_any(ADDR_V4), ts_host(&l.b.inner), POLICY_NEGOTIATE, 0, 9);
	assert_int_equal(spd_seal(spd, &x, &y), POLICY_OK);
	esp_dp_policy(l.a.dp, 1, spd, NULL, 0);
	p = lab_udp(0, &host, 5, &l.b.inner, 143, 4);
	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_HELD);
	assert_int_equal(count_notices(ESP_ACQUIRE, &n), 1);
	assert_int_equal(n.scope, 1);
	assert_int_equal(n.rule, 9);
	assert_int_equal(send_one(&p), ESP_SEND);
	assert_int_equal(p.scope, 0);
}

/* ---- traffic in clear --------------------------------------------------------------- */

static void clear_traffic_is_judged_like_the_guard_does(void **state)
{
	struct spd *spd = spd_new();
	struct addr a, b, other = lab_addr(false, 50);
	struct esp_dp *dp;

	(void)state;
	open_lab((struct lab_options){0});
	a = l.a.inner;
	b = l.b.inner;
	dp = l.a.dp;
	lab_rule(spd, ts_host(&a), ts_host(&b), POLICY_NEGOTIATE, 0, LAB_RULE);
	lab_rule(spd, lab_ts(&a, IP_TCP, 22), ts_any(ADDR_V4), POLICY_BLOCK, 0, 2);
	lab_policy(&l.a, spd);
#define OUT(proto, sp, dp_) esp_dp_clear_verdict(dp, POLICY_OUT, &a, &b, proto, sp, dp_)
#define IN(proto, sp, dp_) esp_dp_clear_verdict(dp, POLICY_IN, &b, &a, proto, sp, dp_)
	assert_int_equal(OUT(IP_TCP, 5, 143), POLICY_NEGOTIATE);
	assert_int_equal(IN(IP_TCP, 143, 5), POLICY_NEGOTIATE);
	assert_int_equal(OUT(47, 0, 0), POLICY_NEGOTIATE);
	assert_int_equal(esp_dp_clear_verdict(dp, POLICY_IN, &other, &a, IP_TCP, 9, 22),
		POLICY_BLOCK);
	assert_int_equal(esp_dp_clear_verdict(dp, POLICY_IN, &other, &a, IP_TCP, 9, 23),
		POLICY_PERMIT);
	assert_int_equal(esp_dp_clear_verdict(dp, POLICY_OUT, &other, &b, IP_TCP, 9, 23),
		POLICY_PERMIT);
	/* the exemptions */
	assert_int_equal(OUT(IP_UDP, 500, 500), POLICY_PERMIT);
	assert_int_equal(OUT(IP_UDP, 4500, 40000), POLICY_PERMIT);
	assert_int_equal(IN(IP_UDP, 40000, 4500), POLICY_PERMIT);
	assert_int_equal(IN(IP_UDP, 500, 7), POLICY_NEGOTIATE);
	assert_int_equal(OUT(IP_ESP, 0, 0), POLICY_PERMIT);
	assert_int_equal(IN(IP_AH, 0, 0), POLICY_PERMIT);
	assert_int_equal(IN(IP_ICMP, 0x0304, 0x0304), POLICY_PERMIT);
	assert_int_equal(OUT(IP_ICMP, 0x0304, 0x0304), POLICY_NEGOTIATE);
	assert_int_equal(IN(IP_ICMP, 0x0800, 0x0800), POLICY_NEGOTIATE);
#undef OUT
#undef IN
}

static void neighbour_discovery_stays_clear(void **state)
{
	struct addr a, b;

	(void)state;
	open_lab((struct lab_options){.v6 = true});
	a = l.a.inner;
	b = l.b.inner;
	for (unsigned type = 0; type < 256; type++) {
		uint16_t port = (uint16_t)(type << 8);
		enum policy_action in = esp_dp_clear_verdict(
			l.a.dp, POLICY_IN, &b, &a, IP_ICMPV6, port, port);
		bool exempt = type == 2 || (type >= 133 && type <= 137);
		assert_int_equal(in, exempt ? POLICY_PERMIT : POLICY_NEGOTIATE);
	}
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_sealed_packet_to_the_octet),
		TEST(esn_is_in_the_additional_data),
		TEST(the_outer_header_follows_the_inner),
		TEST(what_is_no_packet_is_malformed),
		TEST(transport_mode_has_no_room_for_options),
		TEST(the_policy_decides),
		TEST(a_new_policy_is_not_outrun_by_the_memo),
		TEST(the_newest_active_sa_sends),
		TEST(only_a_fitting_sa_sends),
		TEST(an_sa_is_asked_for_once_a_second),
		TEST(every_peer_is_asked_for),
		TEST(a_tunnels_peer_is_its_endpoint),
		TEST(notices_are_bounded),
		TEST(a_closed_gate_uses_nothing_up),
		TEST(another_scopes_gate_does_not_matter),
		TEST(an_activation_begins_a_new_row_of_ivs),
		TEST(numbers_never_wrap),
		TEST(esn_ends_at_64_bits),
		TEST(ivs_never_wrap),
		TEST(the_soft_limit_is_told_once),
		TEST(ids_and_spis_are_unique),
		TEST(unknown_ids_are_not_found),
		TEST(a_scope_ends_with_its_sas),
		TEST(no_sa_without_a_policy),
		TEST(the_host_is_the_rest),
		TEST(clear_traffic_is_judged_like_the_guard_does),
		TEST(neighbour_discovery_stays_clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
