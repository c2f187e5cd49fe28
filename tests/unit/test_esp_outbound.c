/* tests/unit/test_esp_outbound.c - which SA a packet from the TUN takes, when one is asked for, and what
 * leaves in clear.
 */
#include "esp_pair.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_policy_decides),
		TEST(a_new_policy_is_not_outrun_by_the_memo),
		TEST(the_newest_active_sa_sends),
		TEST(only_a_fitting_sa_sends),
		TEST(an_sa_is_asked_for_once_a_second),
		TEST(every_peer_is_asked_for),
		TEST(a_tunnels_peer_is_its_endpoint),
		TEST(notices_are_bounded),
		TEST(clear_traffic_is_judged_like_the_guard_does),
		TEST(neighbour_discovery_stays_clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
