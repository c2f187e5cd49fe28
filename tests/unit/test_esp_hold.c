/* test_esp_hold.c - packets that wait for their SA: which, how many, how long, and what
 * becomes of them.
 */
#include "unit.h"
#include "../esp_lab.h"
#include "esp/dp.h"

static struct lab l;
static struct esp_batch out; /* of the last release() */

static int teardown(void **state)
{
	(void)state;
	lab_free(&l);
	return 0;
}

/* A without its SA; the policy stands. */
static void open_without_sa(struct lab_options o)
{
	lab_init(&l, o);
	assert_int_equal(esp_dp_delete(l.a.dp, LAB_ID), ESP_OK);
}

static void give_sa(void)
{
	struct esp_child c = lab_child(&l, true);

	lab_add(&l.a, &c);
}

/* A packet whose data has this length: so they are told apart. */
static enum esp_verdict send_len(size_t len, uint64_t now_ms)
{
	struct esp_packet p = lab_a_to_b(&l, 0, len);

	return lab_out(&l.a, &p, now_ms);
}

static unsigned release(uint64_t now_ms)
{
	esp_dp_release(l.a.dp, &out, now_ms);
	return out.n;
}

/* The n-th that was released opens at B, and has data of this length. */
static void assert_opens(unsigned n, size_t len)
{
	struct esp_packet *p = &out.at[n];

	assert_int_equal(p->verdict, ESP_SEND);
	lab_cross(p);
	assert_int_equal(lab_in(&l.b, p, LAB_NOW), ESP_INJECT);
	assert_int_equal(p->len, lab_header_len(&l.a.inner) + 8 + len);
}

static void every_address_is_covered(void)
{
	struct spd *spd = spd_new();
	struct esp_child c = lab_child(&l, true);

	lab_rule(spd, ts_host(&l.a.inner), ts_any(ADDR_V4), POLICY_NEGOTIATE,
		POLICY_TUNNEL, LAB_RULE);
	lab_policy(&l.a, spd);
	c.remote_ts.at[0] = ts_any(ADDR_V4);
	lab_add(&l.a, &c);
	assert_int_equal(esp_dp_delete(l.a.dp, LAB_ID), ESP_OK);
}

static enum esp_verdict send_to(uint8_t host, uint64_t now_ms)
{
	struct addr to = addr_v4(198, 51, 100, host);
	struct esp_packet p = lab_udp(0, &l.a.inner, 5, &to, 143, 4);

	return lab_out(&l.a, &p, now_ms);
}

/* ---- it goes out ------------------------------------------------------------------- */

static void the_packets_that_asked_go_first_and_in_order(void **state)
{
	struct esp_notice n;

	(void)state;
	open_without_sa((struct lab_options){0});
	for (size_t len = 1; len <= 3; len++)
		assert_int_equal(send_len(len, LAB_NOW + len), ESP_HELD);
	assert_true(esp_dp_notice(l.a.dp, &n));
	assert_int_equal(n.kind, ESP_ACQUIRE);
	assert_int_equal(release(LAB_NOW + 10), 0);
	give_sa();
	assert_int_equal(release(LAB_NOW + 20), 3);
	for (unsigned i = 0; i < 3; i++)
		assert_opens(i, i + 1);
	assert_int_equal(release(LAB_NOW + 20), 0);
	assert_int_equal(esp_dp_held(l.a.dp), 0);
	assert_int_equal(lab_count(&l.a).held, 3);
	assert_int_equal(lab_count(&l.a).released, 3);
	assert_int_equal(lab_count(&l.a).drop_no_sa, 0);
}

static void every_kind_of_sa_takes_them(void **state)
{
	(void)state;
	for (int i = 0; i < 16; i++) {
		open_without_sa((struct lab_options){
			.mode = i & 1 ? POLICY_TUNNEL : POLICY_TRANSPORT,
			.v6 = (i & 2) != 0,
			.inner_v6 = (i & 4) != 0,
			.encap = (i & 8) != 0,
			.esn = true,
		});
		assert_int_equal(send_len(700, LAB_NOW), ESP_HELD);
		give_sa();
		assert_int_equal(release(LAB_NOW), 1);
		assert_opens(0, 700);
		lab_free(&l);
	}
	open_without_sa((struct lab_options){0});
}

/* The maker of a child may not be ready: what cannot send yet releases nothing. */
static void an_sa_that_only_receives_is_not_enough(void **state)
{
	struct esp_child c;

	(void)state;
	open_without_sa((struct lab_options){0});
	assert_int_equal(send_len(4, LAB_NOW), ESP_HELD);
	c = lab_child(&l, true);
	c.outbound_ready = false;
	lab_add(&l.a, &c);
	assert_int_equal(release(LAB_NOW), 0);
	assert_int_equal(esp_dp_activate(l.a.dp, c.id), ESP_OK);
	assert_int_equal(release(LAB_NOW), 1);
	assert_opens(0, 4);
}

/* RFC 4303 3.3.4: put together, kept whole, and fragmented outside if need be. */
static void a_datagram_from_fragments_waits_whole(void **state)
{
	struct esp_packet p;
	struct esp_batch b = {.n = 2};

	(void)state;
	open_without_sa((struct lab_options){0});
	p = lab_a_to_b(&l, 0, 8);
	memcpy(lab_buffer(1), p.at, p.len);
	b.at[0] = b.at[1] = p;
	b.at[1].at = lab_buffer(1);
	b.at[0].len = b.at[1].len = 28;
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *at = b.at[i].at;
		at[3] = 28;
		at[6] = i == 0 ? 0x20 : 0;
		at[7] = i == 0 ? 0 : 1;
	}
	memcpy(b.at[1].at + 20, p.at + 28, 8);
	esp_dp_outbound(l.a.dp, &b, LAB_NOW);
	assert_int_equal(b.at[1].verdict, ESP_HELD);
	assert_int_equal(esp_dp_held(l.a.dp), 1);
	give_sa();
	assert_int_equal(release(LAB_NOW), 1);
	assert_false(out.at[0].dont_fragment);
	assert_opens(0, 8);
}

static void more_than_a_batch_comes_in_several(void **state)
{
	struct esp_child c;
	unsigned all = 0;

	(void)state;
	open_without_sa((struct lab_options){.mode = POLICY_TUNNEL});
	every_address_is_covered();
	for (uint8_t i = 0; i < 200; i++)
		assert_int_equal(send_to(i, LAB_NOW), ESP_HELD);
	c = lab_child(&l, true);
	c.remote_ts.at[0] = ts_any(ADDR_V4);
	lab_add(&l.a, &c);
	while (release(LAB_NOW) > 0) {
		for (unsigned i = 0; i < out.n; i++)
			assert_int_equal(out.at[i].verdict, ESP_SEND);
		all += out.n;
	}
	assert_int_equal(all, 200);
}

/* ---- it does not ------------------------------------------------------------------- */

static void a_few_of_each_peer(void **state)
{
	(void)state;
	open_without_sa((struct lab_options){.mode = POLICY_TUNNEL});
	every_address_is_covered();
	for (unsigned i = 0; i < 10; i++) {
		enum esp_verdict want = i < HOLD_EACH ? ESP_HELD : ESP_DROP;
		assert_int_equal(send_to(1, LAB_NOW), want);
	}
	assert_int_equal(send_to(2, LAB_NOW), ESP_HELD);
	assert_int_equal(lab_count(&l.a).drop_no_sa, 10 - HOLD_EACH);
}

static void number_and_octets_are_bounded(void **state)
{
	unsigned held = 0;

	(void)state;
	open_without_sa((struct lab_options){.mode = POLICY_TUNNEL});
	every_address_is_covered();
	for (unsigned i = 0; i < 2 * HOLD_PACKETS; i++)
		held += send_to((uint8_t)(i / 3), LAB_NOW) == ESP_HELD;
	assert_int_equal(held, HOLD_PACKETS);
	held = 0;
	for (uint8_t i = 0; i < 20; i++) {
		struct addr to = addr_v4(203, 0, 113, i);
		struct esp_packet p = lab_udp(0, &l.a.inner, 5, &to, 143, 60000);
		held += lab_out(&l.a, &p, LAB_NOW + HOLD_MS) == ESP_HELD;
	}
	assert_int_equal(held, HOLD_OCTETS / 60028);
	assert_int_equal(lab_count(&l.a).drop_no_sa, 2 * HOLD_PACKETS + 20 - held);
}

static void old_ones_are_dropped(void **state)
{
	(void)state;
	open_without_sa((struct lab_options){0});
	assert_int_equal(send_len(1, LAB_NOW), ESP_HELD);
	assert_int_equal(send_len(2, LAB_NOW + 500), ESP_HELD);
	give_sa();
	assert_int_equal(release(LAB_NOW + HOLD_MS), 1);
	assert_opens(0, 2);
	assert_int_equal(lab_count(&l.a).drop_no_sa, 1);
}

/* They are judged anew: a rule that blocks them meanwhile does. */
static void a_new_policy_is_asked(void **state)
{
	struct spd *spd = spd_new();

	(void)state;
	open_without_sa((struct lab_options){0});
	assert_int_equal(send_len(1, LAB_NOW), ESP_HELD);
	lab_rule(spd, ts_host(&l.a.inner), ts_host(&l.b.inner), POLICY_BLOCK, 0, 2);
	lab_policy(&l.a, spd);
	give_sa();
	assert_int_equal(release(LAB_NOW), 1);
	assert_int_equal(out.at[0].verdict, ESP_DROP);
	assert_int_equal(lab_count(&l.a).drop_blocked, 1);
	assert_int_equal(lab_count(&l.a).released, 0);
}

static void they_end_with_their_scope(void **state)
{
	(void)state;
	open_without_sa((struct lab_options){0});
	assert_int_equal(send_len(1, LAB_NOW), ESP_HELD);
	esp_dp_policy(l.a.dp, 0, NULL, NULL, 0);
	assert_int_equal(esp_dp_held(l.a.dp), 0);
	assert_int_equal(lab_count(&l.a).drop_no_sa, 1);
	assert_int_equal(release(LAB_NOW), 0);
}

static void a_closed_gate_lets_none_out(void **state)
{
	(void)state;
	open_without_sa((struct lab_options){0});
	assert_int_equal(send_len(1, LAB_NOW), ESP_HELD);
	esp_gate_close(esp_dp_gate(l.a.dp, 0));
	give_sa();
	assert_int_equal(release(LAB_NOW), 1);
	assert_int_equal(out.at[0].verdict, ESP_DROP);
	assert_int_equal(lab_count(&l.a).drop_gate, 1);
	assert_int_equal(lab_usage(&l.a, LAB_ID).seq_out, 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_packets_that_asked_go_first_and_in_order),
		TEST(every_kind_of_sa_takes_them),
		TEST(an_sa_that_only_receives_is_not_enough),
		TEST(a_datagram_from_fragments_waits_whole),
		TEST(more_than_a_batch_comes_in_several),
		TEST(a_few_of_each_peer),
		TEST(number_and_octets_are_bounded),
		TEST(old_ones_are_dropped),
		TEST(a_new_policy_is_asked),
		TEST(they_end_with_their_scope),
		TEST(a_closed_gate_lets_none_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
