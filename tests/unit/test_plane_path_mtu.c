/* test_plane_path_mtu.c - whose word about a path's MTU counts, for which SAs, how long.
 *
 * The plane's table of children stands over a data path with real SAs; what it was told
 * shows in which packets with DF still fit.
 */
#include "unit.h"
#include "../esp_lab.h"

#include "plane/children.h"

enum { ROUTE = 1500, SECOND = LAB_ID + 1, MINUTE = 60000 };

static struct lab l;
static struct children *c;

static void open_lab(struct lab_options o)
{
	static struct seeded_entropy seed;
	struct entropy e = entropy_seeded(&seed, 7);
	struct esp_child child;

	lab_init(&l, o);
	c = children_new(l.a.dp, &e);
	child = lab_child(&l, true);
	children_add(c, &child, ROUTE);
}

static int teardown(void **state)
{
	(void)state;
	children_free(c);
	lab_free(&l);
	return 0;
}

/* Does a packet with DF whose sealed form has about so many octets leave? */
static bool fits(size_t total)
{
	size_t around = 60;
	struct esp_packet p =
		lab_a_to_b(&l, 0, total - around - 8 - lab_header_len(&l.a.inner));

	if (l.a.inner.family == ADDR_V4) {
		p.at[6] |= 0x40;
		ipv4_checksum_set(p.at, 20);
	}
	return lab_out(&l.a, &p, LAB_NOW) == ESP_SEND;
}

/* As a router on the way would say it. */
static struct path_mtu told(uint32_t octets)
{
	return (struct path_mtu){
		.local = l.a.outer,
		.remote = {l.b.outer, 4500},
		.encap = l.o.encap,
		.spi = LAB_SPI_B,
		.octets = octets,
	};
}

static bool tell(struct path_mtu t, uint64_t now_ms)
{
	return children_path_mtu(c, &t, now_ms);
}

static void one_that_quotes_our_packet_is_believed(void **state)
{
	(void)state;
	for (int encap = 0; encap <= 1; encap++) {
		open_lab((struct lab_options){.encap = encap});
		assert_true(fits(1400));
		assert_true(tell(told(1300), LAB_NOW));
		assert_false(fits(1400));
		assert_true(fits(1300));
		if (!encap)
			teardown(NULL);
	}
}

static void one_that_does_not_is_not(void **state)
{
	struct path_mtu t;

	(void)state;
	open_lab((struct lab_options){.encap = true});
	t = told(600);
	t.spi = LAB_SPI_A; /* the peer's to us */
	assert_false(tell(t, LAB_NOW));
	t = told(600);
	t.spi = 0;
	assert_false(tell(t, LAB_NOW));
	t = told(600);
	t.remote.port = 4501;
	assert_false(tell(t, LAB_NOW));
	t = told(600);
	t.remote.addr = l.a.outer;
	assert_false(tell(t, LAB_NOW));
	t = told(600);
	t.local = l.b.outer;
	assert_false(tell(t, LAB_NOW));
	t = told(600);
	t.encap = false;
	assert_false(tell(t, LAB_NOW));
	assert_true(fits(1400));
}

static void our_kernel_need_not_quote(void **state)
{
	struct path_mtu t;

	(void)state;
	open_lab((struct lab_options){0});
	t = told(1300);
	t.spi = 0;
	t.by_kernel = true;
	assert_true(tell(t, LAB_NOW));
	assert_false(fits(1400));
}

/* RFC 1191 and RFC 8200: no path is narrower. */
static void there_is_a_floor(void **state)
{
	(void)state;
	open_lab((struct lab_options){0});
	assert_true(tell(told(68), LAB_NOW));
	assert_true(fits(576));
	assert_false(fits(700));
	teardown(NULL);
	open_lab((struct lab_options){.v6 = true, .inner_v6 = true});
	assert_true(tell(told(68), LAB_NOW));
	assert_true(fits(1280));
	assert_false(fits(1400));
}

/* An on-path liar: each word would be a walk over the SAs of this way. */
static void a_path_does_not_shrink_a_hundred_times_a_second(void **state)
{
	(void)state;
	open_lab((struct lab_options){0});
	for (uint32_t i = 0; i < 100; i++)
		assert_true(tell(told(1499 - 5 * i), LAB_NOW));
	assert_true(fits(1450));
	assert_true(tell(told(1300), LAB_NOW + 2000));
	assert_false(fits(1400));
}

static void it_is_forgotten_after_ten_minutes(void **state)
{
	(void)state;
	open_lab((struct lab_options){0});
	assert_true(tell(told(1300), LAB_NOW));
	assert_true(children_forget_mtus(c, LAB_NOW + 9 * MINUTE));
	assert_false(fits(1400));
	assert_true(tell(told(1300), LAB_NOW + 9 * MINUTE)); /* still so narrow */
	assert_true(children_forget_mtus(c, LAB_NOW + 11 * MINUTE));
	assert_false(fits(1400));
	assert_false(children_forget_mtus(c, LAB_NOW + 19 * MINUTE));
	assert_true(fits(1400));
}

/* A path MTU is the way's: an SA that comes later takes it over. */
static void a_new_sa_knows_the_way(void **state)
{
	struct esp_child child;

	(void)state;
	open_lab((struct lab_options){0});
	assert_true(tell(told(1300), LAB_NOW));
	child = lab_child(&l, true);
	child.id = SECOND;
	child.spi_in++;
	child.spi_out++;
	lab_add(&l.a, &child);
	children_add(c, &child, ROUTE);
	assert_false(fits(1400)); /* the newest SA carries it */
	children_remove(c, LAB_ID);
	assert_false(tell(told(1200), LAB_NOW)); /* its SPI went with it */
	children_remove(c, SECOND);
	assert_int_equal(children_count(c), 0);
	assert_false(children_forget_mtus(c, LAB_NOW));
}

static void of_two_with_one_spi_either_may_go(void **state)
{
	struct esp_child child;

	(void)state;
	open_lab((struct lab_options){0});
	child = lab_child(&l, true);
	child.id = SECOND;
	child.spi_in++;
	lab_add(&l.a, &child);
	children_add(c, &child, ROUTE);
	children_remove(c, LAB_ID);
	assert_true(tell(told(1300), LAB_NOW));
	assert_false(fits(1400));
}

static void one_that_moves_has_another_way(void **state)
{
	struct endpoint elsewhere = {unit_addr("203.0.113.77"), 4500};

	(void)state;
	open_lab((struct lab_options){.encap = true});
	assert_true(tell(told(1300), LAB_NOW));
	children_move(c, LAB_ID, &elsewhere, true);
	assert_true(fits(1400));
	assert_false(tell(told(1300), LAB_NOW));
	struct path_mtu t = told(1300);
	t.remote = elsewhere;
	assert_true(tell(t, LAB_NOW));
	assert_false(fits(1400));
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_that_quotes_our_packet_is_believed),
		TEST(one_that_does_not_is_not),
		TEST(our_kernel_need_not_quote),
		TEST(there_is_a_floor),
		TEST(a_path_does_not_shrink_a_hundred_times_a_second),
		TEST(it_is_forgotten_after_ten_minutes),
		TEST(a_new_sa_knows_the_way),
		TEST(of_two_with_one_spi_either_may_go),
		TEST(one_that_moves_has_another_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
