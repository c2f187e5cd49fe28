/* test_esp_early.c - packets that come before their SA (RFC 7296 2.8): opened when it is
 * there, and judged as any; how many, how long, and for whom.
 *
 *	A                                          B
 *	                <--  CREATE_CHILD_SA: new keys, please
 *	here they are   -->
 *	ESP on the new  -->  which B has not got yet
 */
#include "esp_pair.h"

static struct esp_batch out; /* of the last release() */

/* B without its SA; the policy stands. */
static void open_early(struct lab_options o)
{
	open_lab(o);
	assert_int_equal(esp_dp_delete(l.b.dp, LAB_ID), ESP_OK);
}

static void give_sa(void)
{
	struct esp_child c = lab_child(&l, false);

	lab_add(&l.b, &c);
}

static enum esp_verdict into_b_at(struct esp_packet p, uint64_t now_ms)
{
	return lab_in(&l.b, &p, now_ms);
}

static unsigned release(uint64_t now_ms)
{
	esp_dp_release(l.b.dp, &out, now_ms);
	return out.n;
}

/* The n-th that was released is an inner packet with data of this length. */
static void assert_opened(unsigned n, size_t len)
{
	assert_int_equal(out.at[n].verdict, ESP_INJECT);
	assert_int_equal(out.at[n].len, lab_header_len(&l.b.inner) + 8 + len);
}

/* ---- they are opened --------------------------------------------------------------- */

static void they_are_opened_when_the_sa_is_there(void **state)
{
	struct esp_notice n;

	(void)state;
	open_early((struct lab_options){0});
	for (size_t len = 1; len <= 3; len++)
		assert_int_equal(into_b(from_a(0, len)), ESP_HELD);
	/* The node hears of it, and repeats a request that waits for its answer. */
	assert_true(next_notice(&l.b, ESP_UNKNOWN_SPI, &n));
	assert_int_equal(release(LAB_NOW), 0);
	give_sa();
	assert_int_equal(release(LAB_NOW), 3);
	for (unsigned i = 0; i < 3; i++)
		assert_opened(i, i + 1);
	assert_int_equal(release(LAB_NOW), 0);
	assert_int_equal(esp_dp_held(l.b.dp), 0);
	assert_int_equal(lab_count(&l.b).early, 3);
	assert_int_equal(lab_count(&l.b).drop_unknown_spi, 0);
	assert_true(next_notice(&l.b, ESP_INBOUND, &n));
}

static void every_kind_of_sa_opens_them(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++) {
		open_early((struct lab_options){
			.v6 = (i & 1) != 0,
			.encap = (i & 2) != 0,
			.esn = (i & 4) != 0,
		});
		assert_int_equal(into_b(from_a(0, 700)), ESP_HELD);
		give_sa();
		assert_int_equal(release(LAB_NOW), 1);
		assert_opened(0, 700);
		lab_free(&l);
	}
	open_early((struct lab_options){0});
}

static void more_than_a_batch_comes_in_several(void **state)
{
	unsigned all = 0;

	(void)state;
	open_early((struct lab_options){.window = 1024});
	for (unsigned i = 0; i < EARLY_PACKETS; i++)
		assert_int_equal(into_b(from_a(0, 10)), ESP_HELD);
	give_sa();
	while (release(LAB_NOW) > 0) {
		for (unsigned i = 0; i < out.n; i++)
			assert_opened(i, 10);
		all += out.n;
	}
	assert_int_equal(all, EARLY_PACKETS);
}

/* What waits on its way out leaves with the same release. */
static void both_ways_are_released(void **state)
{
	struct esp_packet back;

	(void)state;
	open_early((struct lab_options){0});
	assert_int_equal(into_b(from_a(0, 10)), ESP_HELD);
	back = lab_udp(1, &l.b.inner, 143, &l.a.inner, 5000, 20);
	assert_int_equal(lab_out(&l.b, &back, LAB_NOW), ESP_HELD);
	assert_int_equal(esp_dp_held(l.b.dp), 2);
	give_sa();
	assert_int_equal(release(LAB_NOW), 2);
	assert_opened(0, 10);
	assert_int_equal(out.at[1].verdict, ESP_SEND);
}

/* ---- they are judged as any ---------------------------------------------------------- */

static void a_forged_one_is_not_delivered(void **state)
{
	struct esp_packet p;

	(void)state;
	open_early((struct lab_options){0});
	p = from_a(0, 10);
	p.at[p.len - 1] ^= 1;
	assert_int_equal(into_b(p), ESP_HELD);
	give_sa();
	assert_int_equal(release(LAB_NOW), 1);
	assert_int_equal(out.at[0].verdict, ESP_DROP);
	assert_int_equal(lab_count(&l.b).drop_forged, 1);
}

static void a_copy_is_delivered_once(void **state)
{
	struct esp_packet p;

	(void)state;
	open_early((struct lab_options){0});
	p = from_a(0, 10);
	assert_int_equal(into_b(p), ESP_HELD);
	assert_int_equal(into_b(p), ESP_HELD);
	give_sa();
	assert_int_equal(release(LAB_NOW), 2);
	assert_opened(0, 10);
	assert_int_equal(out.at[1].verdict, ESP_DROP);
	assert_int_equal(lab_count(&l.b).drop_replayed, 1);
}

/* RFC 4301 4.1: the SA belongs to one address. */
static void one_for_another_address_waits_on(void **state)
{
	struct addr both[2];
	struct spd *spd = spd_new();
	struct esp_packet p;
	const struct spd_entry *x, *y;

	(void)state;
	open_early((struct lab_options){0});
	both[0] = l.b.outer;
	both[1] = lab_addr(false, 77);
	lab_rule(spd, lab_local_ts(&l, false), lab_local_ts(&l, true), POLICY_NEGOTIATE,
		l.o.mode, LAB_RULE);
	assert_int_equal(spd_seal(spd, &x, &y), POLICY_OK);
	esp_dp_policy(l.b.dp, 0, spd, both, 2);
	p = from_a(0, 10);
	p.local.addr = both[1];
	assert_int_equal(into_b(p), ESP_HELD);
	give_sa();
	assert_int_equal(release(LAB_NOW), 0);
	assert_int_equal(esp_dp_held(l.b.dp), 1);
}

/* ---- they do not wait ---------------------------------------------------------------- */

static void old_ones_are_dropped(void **state)
{
	(void)state;
	open_early((struct lab_options){0});
	assert_int_equal(into_b_at(from_a(0, 1), LAB_NOW), ESP_HELD);
	assert_int_equal(into_b_at(from_a(0, 2), LAB_NOW + 500), ESP_HELD);
	give_sa();
	assert_int_equal(release(LAB_NOW + EARLY_MS), 1);
	assert_opened(0, 2);
	assert_int_equal(lab_count(&l.b).drop_unknown_spi, 1);
}

/* A stranger's flood pushes out what is oldest, and grows nothing. */
static void the_newest_of_many_wait(void **state)
{
	struct esp_packet p;

	(void)state;
	open_early((struct lab_options){0});
	assert_int_equal(into_b(from_a(0, 1)), ESP_HELD);
	p = from_a(0, 2);
	p.at[3] ^= 0x55;
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(into_b(p), ESP_HELD);
	assert_int_equal(into_b(from_a(1, 3)), ESP_HELD);
	assert_int_equal(esp_dp_held(l.b.dp), EARLY_PACKETS);
	give_sa();
	assert_int_equal(release(LAB_NOW), 1);
	assert_opened(0, 3);
	assert_int_equal(lab_count(&l.b).drop_unknown_spi, 1002 - EARLY_PACKETS);
}

static void a_long_one_is_dropped(void **state)
{
	struct esp_packet p;

	(void)state;
	open_early((struct lab_options){0});
	p = from_a(0, 10);
	p.at[3] ^= 0x55;
	p.len = EARLY_LEN_MAX + 1;
	assert_int_equal(into_b(p), ESP_DROP);
	p.len = EARLY_LEN_MAX;
	assert_int_equal(into_b(p), ESP_HELD);
	assert_int_equal(lab_count(&l.b).drop_unknown_spi, 1);
}

/* Where no scope is, there will be no SA. */
static void one_for_nobody_is_dropped(void **state)
{
	struct esp_packet p;

	(void)state;
	open_early((struct lab_options){0});
	p = from_a(0, 10);
	p.local.addr = lab_addr(false, 77);
	assert_int_equal(into_b(p), ESP_DROP);
	assert_int_equal(lab_count(&l.b).drop_unknown_spi, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(they_are_opened_when_the_sa_is_there),
		TEST(every_kind_of_sa_opens_them),
		TEST(more_than_a_batch_comes_in_several),
		TEST(both_ways_are_released),
		TEST(a_forged_one_is_not_delivered),
		TEST(a_copy_is_delivered_once),
		TEST(one_for_another_address_waits_on),
		TEST(old_ones_are_dropped),
		TEST(the_newest_of_many_wait),
		TEST(a_long_one_is_dropped),
		TEST(one_for_nobody_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
