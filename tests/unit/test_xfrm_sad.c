/* tests/unit/test_xfrm_sad.c - children and what the kernel holds of them, with a kernel in memory. */
#include "sad_lab.h"
#include "xfrm/looking.h"

#include <errno.h>

static void ignore(const struct sad_child *c, enum esp_notice_kind what, void *ctx)
{
	(void)c, (void)what, (void)ctx;
}

static const struct esp_usage *usage(uint32_t id)
{
	looking_round(&t.sad, NOW + 1, ignore, NULL);
	return &sad_find(&t.sad, id)->usage;
}

/* ---- counters ------------------------------------------------------------------------- */

/* The kernel counts what is behind the IP header; usage is of whole packets. */
static void octets_are_those_of_packets(void **state)
{
	static const struct {
		enum policy_mode mode;
		bool v6;
		uint64_t in, out;
	} cases[] = {
		{POLICY_TUNNEL, false, 1000, 300},
		{POLICY_TUNNEL, true, 1000, 300},
		{POLICY_TRANSPORT, false, 1000 + 10 * 20, 300 + 4 * 20},
		{POLICY_TRANSPORT, true, 1000 + 10 * 40, 300 + 4 * 40},
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct esp_child c = child(i + 1);
		c.mode = cases[i].mode;
		if (cases[i].v6) {
			c.local.addr = unit_addr("2001:db8::1");
			c.remote.addr = unit_addr("2001:db8::2");
		}
		add(&c);
		incoming(c.id)->counts =
			(struct request_counts){.bytes = 1000, .packets = 10};
		outgoing(c.id)->counts =
			(struct request_counts){.bytes = 300, .packets = 4};
		const struct esp_usage *u = usage(c.id);
		assert_int_equal(u->bytes_in, cases[i].in);
		assert_int_equal(u->bytes_out, cases[i].out);
		sad_delete(&t.sad, &t.scope, c.id);
	}
}

/* The SAs of a peer that has moved are new ones: what the old ones had counted since the
 * last look is not lost. */
static void a_move_loses_no_count(void **state)
{
	const struct endpoint there = {.addr = addr_v4(192, 0, 2, 3)};
	struct esp_child c = child(1);

	(void)state;
	add(&c);
	for (unsigned i = 1; i <= 3; i++) {
		incoming(1)->counts = (struct request_counts){
			.bytes = 1000, .packets = 10, .replayed = 2, .forged = 1};
		outgoing(1)->counts = (struct request_counts){
			.bytes = 300, .packets = 4, .seq_out = 70000 * i};
		assert_int_equal(sad_move(&t.sad, &t.scope, 1, &there, false), 0);
		assert_int_equal(incoming(1)->counts.packets, 0);
		const struct esp_usage *u = usage(1);
		assert_int_equal(u->packets_in, 10 * i);
		assert_int_equal(u->bytes_in, 1000 * i);
		assert_int_equal(u->replayed, 2 * i);
		assert_int_equal(u->forged, 1 * i);
		assert_int_equal(u->packets_out, 4 * i);
		assert_int_equal(u->bytes_out, 300 * i);
	}
}

static uint64_t pause_ms(uint64_t took_ms)
{
	t.sad.look_took_ms = took_ms;
	return looking_next_ms(&t.sad) - t.sad.looked_ms - took_ms;
}

/* They are to take a twentieth of the time. */
static void looks_that_take_long_are_rarer(void **state)
{
	struct esp_child c = child(1);

	(void)state;
	assert_true(looking_next_ms(&t.sad) == UINT64_MAX);
	add(&c);
	assert_int_equal(pause_ms(0), 20);
	assert_int_equal(pause_ms(1), 20);
	assert_int_equal(pause_ms(5), 100);
	assert_int_equal(pause_ms(3000), 5000);
	incoming(1)->counts.packets = 1;
	looking_round(&t.sad, NOW, ignore, NULL);
	assert_int_equal(pause_ms(0), 250);
	assert_int_equal(pause_ms(20), 400);
}

static void what_comes_does_not_put_the_look_off(void **state)
{
	uint64_t due = 0;

	(void)state;
	t.sad.look_took_ms = 50;
	for (uint32_t i = 1; i <= 20; i++) {
		struct esp_child c = child(i);
		assert_int_equal(
			sad_add(&t.sad, &t.scope, &c, NOW + 100 * (uint64_t)i), 0);
		due = due ? due : looking_next_ms(&t.sad);
		assert_true(looking_next_ms(&t.sad) == due);
	}
}

static void count_soft(const struct sad_child *c, enum esp_notice_kind what, void *ctx)
{
	assert_int_equal(c->sa.id, 1);
	*(unsigned *)ctx += what == ESP_SEQ_SOFT;
}

/* The kernel says so once, and that may be lost. */
static void numbers_that_run_out_are_seen_by_a_look(void **state)
{
	struct esp_child c = child(1);
	unsigned told = 0;

	(void)state;
	c.soft_seq = 100;
	add(&c);
	outgoing(1)->counts.seq_out = 99;
	looking_round(&t.sad, NOW, count_soft, &told);
	assert_int_equal(told, 0);
	outgoing(1)->counts.seq_out = 100;
	looking_round(&t.sad, NOW + 1, count_soft, &told);
	looking_round(&t.sad, NOW + 2, count_soft, &told);
	assert_int_equal(told, 1);
}

/* ---- windows -------------------------------------------------------------------------- */

/* The kernel numbers its ring by 32 bits: RFC 6479 2. */
static void windows_are_powers_of_two(void **state)
{
	static const uint32_t cases[][2] = {
		{32, 32}, {33, 64}, {100, 128}, {1000, 1024}, {4000, 4096}, {4096, 4096}};

	(void)state;
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct esp_child c = child(i + 1);
		c.replay_window = cases[i][0];
		c.esn = i % 2 == 0;
		add(&c);
		assert_int_equal(incoming(c.id)->sa.replay_window, cases[i][1]);
		/* One that only sends needs none, but with ESN the kernel wants one. */
		assert_int_equal(outgoing(c.id)->sa.replay_window, c.esn ? 32 : 0);
	}
}

/* A new outgoing SA begins some numbers behind what is known; with none left it would begin
 * anew, and with it the IVs. */
static void note_refusal(const struct sad_child *c, int err, void *ctx)
{
	assert_int_equal(c->sa.id, 1);
	assert_int_equal(err, EOVERFLOW);
	++*(unsigned *)ctx;
}

static void a_used_up_sa_is_not_made_anew(void **state)
{
	struct esp_child c = child(1);
	unsigned refused = 0;

	(void)state;
	add(&c);
	outgoing(1)->counts.seq_out = UINT32_MAX - 70000;
	assert_int_equal(sad_gate_close(&t.sad, 0), 0);
	sad_gate_open(&t.sad, 0, &t.scope, note_refusal, &refused);
	assert_true(outgoing(1)->sa.seq_out > UINT32_MAX - 70000);
	assert_int_equal(refused, 0);
	outgoing(1)->counts.seq_out = outgoing(1)->sa.seq_out;
	assert_int_equal(sad_gate_close(&t.sad, 0), 0);
	sad_gate_open(&t.sad, 0, &t.scope, note_refusal, &refused);
	assert_int_equal(refused, 1);
	const struct endpoint there = {.addr = addr_v4(192, 0, 2, 3)};
	assert_int_equal(sad_move(&t.sad, &t.scope, 1, &there, false), EOVERFLOW);
	assert_int_equal(fake.n_sas, 1); /* it still receives */
	assert_non_null(incoming(1));
}

/* ---- lineages ------------------------------------------------------------------------- */

static const struct request_policy *policy(uint8_t dir, const struct ts *remote)
{
	const struct ts any = net("10.1.0.0/16");
	const struct ts_list l = {.n = 1, .at = {any}}, r = {.n = 1, .at = {*remote}};
	const struct xfrm_selector want =
		select_hull(&l, &r, dir == XFRM_POLICY_OUT ? SELECT_OUT : SELECT_IN);

	for (size_t i = 0; i < fake.n_policies; i++)
		if (fake.policies[i].dir == dir &&
			memcmp(&fake.policies[i].sel, &want, sizeof(want)) == 0)
			return &fake.policies[i];
	fail();
	return NULL;
}

/* Two children of one rule, one for less than the other: what the peer sends may come through
 * either, what leaves takes the one whose policy it meets. */
static void a_packet_may_come_through_each_sa_that_covers_it(void **state)
{
	struct esp_child wide = child(1), narrow = child(2);

	(void)state;
	narrow.remote_ts.at[0] = net("10.2.3.0/24");
	add(&wide);
	add(&narrow);
	uint32_t in = incoming(1)->sa.info.reqid;
	assert_int_equal(incoming(2)->sa.info.reqid, in);
	assert_int_not_equal(outgoing(1)->sa.info.reqid, outgoing(2)->sa.info.reqid);
	for (uint32_t id = 1; id <= 2; id++) {
		const struct ts *remote = &sad_find(&t.sad, id)->sa.remote_ts.at[0];
		assert_int_equal(policy(XFRM_POLICY_OUT, remote)->tmpl.reqid,
			outgoing(id)->sa.info.reqid);
		assert_int_equal(policy(XFRM_POLICY_IN, remote)->tmpl.reqid, in);
		assert_int_equal(policy(XFRM_POLICY_FWD, remote)->tmpl.reqid, in);
	}
}

static void a_successor_has_the_same_reqids(void **state)
{
	struct esp_child old = child(1), heir = child(2), stranger = child(3);

	(void)state;
	add(&old);
	fake.now_s++;
	add(&heir);
	stranger.remote.addr = addr_v4(192, 0, 2, 9);
	add(&stranger);
	assert_int_equal(incoming(1)->sa.info.reqid, incoming(2)->sa.info.reqid);
	assert_int_equal(outgoing(1)->sa.info.reqid, outgoing(2)->sa.info.reqid);
	assert_int_not_equal(incoming(1)->sa.info.reqid, incoming(3)->sa.info.reqid);
	assert_int_not_equal(outgoing(1)->sa.info.reqid, outgoing(3)->sa.info.reqid);
	uint32_t in = incoming(1)->sa.info.reqid;
	sad_delete(&t.sad, &t.scope, 1);
	struct esp_child third = child(4);
	add(&third);
	assert_int_equal(incoming(4)->sa.info.reqid, in);
}

/* ---- which of them sends -------------------------------------------------------------- */

static void assert_sends(uint32_t id, bool yes)
{
	const struct esp_child *sa = &sad_find(&t.sad, id)->sa;

	assert_int_equal(fake_find_sa(&sa->remote.addr, sa->spi_out) != NULL, yes);
	assert_int_equal(sad_find(&t.sad, id)->out_there, yes);
}

static void assert_older(uint32_t id, uint32_t than)
{
	assert_true(outgoing(id)->added_s < outgoing(than)->added_s);
}

static void add_a_second_apart(void)
{
	struct esp_child old = child(1), heir = child(2);

	fake.now_s = 1000;
	add(&old);
	fake.now_s = 1001;
	add(&heir);
}

static void the_kernel_takes_the_youngest_by_itself(void **state)
{
	(void)state;
	add_a_second_apart();
	assert_sends(1, true);
	assert_sends(2, true);
	sad_delete(&t.sad, &t.scope, 2);
	assert_sends(1, true);
}

/* Of two of one second it may take either, and of a later one after the clock was set back.
 * The older one stays: with a packet that is just being sealed with it. */
static void an_older_one_it_might_take_is_made_older(void **state)
{
	struct esp_child old = child(1), heir = child(2), third = child(3);

	(void)state;
	fake.now_s = 1000;
	add(&old);
	add(&heir);
	assert_sends(1, true);
	assert_older(1, 2);
	fake.now_s = 998;
	add(&third);
	assert_older(1, 2);
	assert_older(2, 3);
	/* Its turn comes again. */
	sad_delete(&t.sad, &t.scope, 3);
	assert_sends(2, true);
	assert_sends(1, true);
}

/* Nobody would send: the older one does again. */
static void a_newer_one_that_is_refused_leaves_the_older(void **state)
{
	struct esp_child old = child(1), heir = child(2);

	(void)state;
	add(&old);
	fake.life_error = ENOMEM;
	heir.outbound_ready = false;
	add(&heir);
	fake.sa_error = ENOMEM;
	assert_int_equal(sad_activate(&t.sad, &t.scope, 2), ENOMEM);
	fake.sa_error = 0;
	sad_delete(&t.sad, &t.scope, 2);
	assert_sends(1, true);
}

static void one_that_cannot_be_made_older_leaves_it(void **state)
{
	struct esp_child old = child(1), heir = child(2);

	(void)state;
	fake.now_s = 1000;
	fake.life_error = EINVAL;
	add(&old);
	outgoing(1)->counts.seq_out = 500;
	outgoing(1)->counts.packets = 500;
	add(&heir);
	assert_sends(1, false);
	assert_sends(2, true);
	assert_non_null(incoming(1));
	sad_delete(&t.sad, &t.scope, 2);
	assert_sends(1, true);
	assert_true(outgoing(1)->sa.seq_out > 500);
	assert_int_equal(usage(1)->packets_out, 500);
}

/* Made anew, it would be the younger one to the kernel. */
static void an_older_one_does_not_come_back_beside_a_younger(void **state)
{
	(void)state;
	add_a_second_apart();
	fake.now_s = 1002;
	assert_int_equal(sad_send_behind(&t.sad, &t.scope, 1, 1000), 0);
	assert_sends(1, false);
	assert_sends(2, true);
	assert_int_equal(sad_gate_close(&t.sad, 0), 0);
	assert_sends(2, false);
	sad_gate_open(&t.sad, 0, &t.scope, NULL, NULL);
	assert_sends(1, false);
	assert_sends(2, true);
}

/* The younger one is about to go, and the peer has nothing but the old one. */
static void the_one_that_is_told_last_sends(void **state)
{
	(void)state;
	add_a_second_apart();
	fake.now_s = 1002;
	assert_int_equal(sad_activate(&t.sad, &t.scope, 1), 0);
	assert_sends(1, true);
	assert_sends(2, false);
	assert_int_equal(sad_activate(&t.sad, &t.scope, 1), 0);
	assert_sends(1, true);
	assert_int_equal(sad_activate(&t.sad, &t.scope, 2), 0);
	assert_sends(2, true);
	sad_delete(&t.sad, &t.scope, 2);
	assert_sends(1, true);
}

static void one_that_is_not_active_changes_nobody(void **state)
{
	struct esp_child old = child(1), heir = child(2);

	(void)state;
	fake.now_s = 1000;
	add(&old);
	heir.outbound_ready = false;
	add(&heir);
	assert_sends(1, true);
	assert_int_equal(outgoing(1)->added_s, 1000);
	assert_int_equal(sad_activate(&t.sad, &t.scope, 2), 0);
	assert_sends(2, true);
	assert_older(1, 2);
}

/* The kernel's selector of an SA with several may cover what is another peer's. */
static void peers_behind_one_nat_do_not_share(void **state)
{
	struct esp_child a = child(1), b = child(2);

	(void)state;
	a.encap = b.encap = true;
	a.local.port = b.local.port = 4500;
	a.remote.port = 40001;
	b.remote.port = 40002;
	a.remote_ts.at[0] = net("10.2.0.1/32");
	a.remote_ts.at[a.remote_ts.n++] = net("10.2.0.14/32");
	b.remote_ts.at[0] = net("10.2.0.7/32");
	add(&a);
	add(&b);
	assert_int_not_equal(incoming(1)->sa.info.reqid, incoming(2)->sa.info.reqid);
	assert_int_equal(policy(XFRM_POLICY_IN, &b.remote_ts.at[0])->tmpl.reqid,
		incoming(2)->sa.info.reqid);
	/* The NAT gives it another port. */
	const struct endpoint there = {b.remote.addr, 40003};
	assert_int_equal(sad_move(&t.sad, &t.scope, 2, &there, true), 0);
	assert_int_equal(policy(XFRM_POLICY_IN, &b.remote_ts.at[0])->tmpl.reqid,
		incoming(2)->sa.info.reqid);
}

/* A peer that copies another's SPI has nothing of it, and does it no harm. */
static void an_spi_that_is_another_s_is_refused(void **state)
{
	const struct endpoint there = {.addr = addr_v4(192, 0, 2, 3)};
	struct esp_child a = child(1), b = child(2), c = child(3);

	(void)state;
	b.spi_out = c.spi_out = a.spi_out;
	add(&a);
	assert_int_equal(sad_add(&t.sad, &t.scope, &b, NOW), ENOTUNIQ);
	c.remote = there;
	add(&c);
	assert_int_equal(sad_move(&t.sad, &t.scope, 3, &a.remote, false), ENOTUNIQ);
	assert_int_equal(fake.n_sas, 4);
	looking_round(&t.sad, NOW, ignore, NULL);
	assert_false(t.sad.amiss);
}

/* Traffic asks, and who knows where the peer is (by name, say) calls it. In does not come. */
static void a_tunnel_to_nobody_known_asks_all_the_same(void **state)
{
	const struct addr ours = addr_v4(10, 1, 0, 1), theirs = addr_v4(10, 2, 0, 1);
	const struct rules_scope scope = {.is_host = true, .spd = t.spd};
	struct claimant w;

	(void)state;
	claimant_init(&w, 0);
	assert_int_equal(rules_claim_scope(t.claims, &w, &scope), 0);
	const struct request_policy *p = fake_policy_for(&ours, &theirs, XFRM_POLICY_OUT);
	assert_non_null(p);
	assert_int_equal(p->action, XFRM_POLICY_ALLOW);
	assert_true(p->has_tmpl);
	assert_int_equal(p->tmpl.reqid, REQID_ASK);
	assert_int_equal(p->tmpl.mode, XFRM_MODE_TUNNEL);
	assert_int_equal(ntohl(p->tmpl.saddr.a4), RULE + 1);
	assert_int_equal(ntohl(p->tmpl.id.daddr.a4), RULE + 1);
	p = fake_policy_for(&theirs, &ours, XFRM_POLICY_IN);
	assert_non_null(p);
	assert_int_equal(p->action, XFRM_POLICY_BLOCK);
	claims_drop(t.claims, &w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SAD_TEST(octets_are_those_of_packets),
		SAD_TEST(a_move_loses_no_count),
		SAD_TEST(looks_that_take_long_are_rarer),
		SAD_TEST(what_comes_does_not_put_the_look_off),
		SAD_TEST(numbers_that_run_out_are_seen_by_a_look),
		SAD_TEST(windows_are_powers_of_two),
		SAD_TEST(a_used_up_sa_is_not_made_anew),
		SAD_TEST(a_packet_may_come_through_each_sa_that_covers_it),
		SAD_TEST(a_successor_has_the_same_reqids),
		SAD_TEST(the_kernel_takes_the_youngest_by_itself),
		SAD_TEST(an_older_one_it_might_take_is_made_older),
		SAD_TEST(one_that_cannot_be_made_older_leaves_it),
		SAD_TEST(a_newer_one_that_is_refused_leaves_the_older),
		SAD_TEST(an_older_one_does_not_come_back_beside_a_younger),
		SAD_TEST(the_one_that_is_told_last_sends),
		SAD_TEST(one_that_is_not_active_changes_nobody),
		SAD_TEST(peers_behind_one_nat_do_not_share),
		SAD_TEST(an_spi_that_is_another_s_is_refused),
		SAD_TEST(a_tunnel_to_nobody_known_asks_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
