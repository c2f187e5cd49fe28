/* tests/unit/test_esp_dp.c - what the owner of a data path asks of it, and its accounts. */
#include "esp_pair.h"

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
	assert_int_equal(esp_dp_move(l.a.dp, 99, &to, false), ESP_NOT_FOUND);
	assert_int_equal(esp_dp_path_mtu(l.a.dp, 99, 1400), ESP_NOT_FOUND);
	assert_int_equal(esp_dp_usage(l.a.dp, 99, 0, &u), ESP_NOT_FOUND);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ids_and_spis_are_unique),
		TEST(unknown_ids_are_not_found),
		TEST(a_scope_ends_with_its_sas),
		TEST(no_sa_without_a_policy),
		TEST(the_host_is_the_rest),
		TEST(the_first_packet_is_told),
		TEST(silence_is_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
