/* test_xfrm_awaiting.c - the kernel plane lets packets wait for an SA that it awaits, and for no
 * other (RFC 7296 2.8).
 */
#include "unit.h"

#include "xfrm/early.h"
#include "xfrm/inside.h"
#include "xfrm/xfrm.h"
#include "xfrm_lab.h"

static void come(uint32_t number, uint32_t spi)
{
	fake_early(&(struct holding_packet){.number = number,
		.spi = spi,
		.len = 100,
		.local.addr = lab_own,
		.remote.addr = lab_peer});
	xfrm_take_early((struct xfrm *)lab_plane);
}

static void assert_let_go(size_t n, uint32_t last)
{
	assert_int_equal(fake.n_let_go, n);
	if (n > 0)
		assert_int_equal(fake.let_go[n - 1], last);
}

static void they_go_when_the_sa_is_in_the_kernel(void **state)
{
	(void)state;
	plane_sa_await(lab_plane, LAB_SPI_IN);
	assert_int_equal(fake.held_spi, LAB_SPI_IN);
	come(1, LAB_SPI_IN);
	come(2, LAB_SPI_IN);
	assert_let_go(0, 0);
	lab_give_policy(NULL);
	assert_let_go(0, 0);
	lab_add_child(OFFLOAD_NO);
	assert_let_go(2, 2);
	assert_int_equal(fake.held_spi, 0);
	come(3, LAB_SPI_IN); /* it was on its way to us */
	assert_let_go(3, 3);
}

static void others_go_at_once(void **state)
{
	(void)state;
	come(1, LAB_SPI_IN);
	assert_let_go(1, 1);
	plane_sa_await(lab_plane, LAB_SPI_IN);
	come(2, LAB_SPI_IN + 1);
	assert_let_go(2, 2);
}

static void a_kernel_that_cannot_hold_serves_without(void **state)
{
	struct seeded_entropy seed;
	char why[256] = "";
	struct plane_params p = {
		.entropy = unit_entropy(&seed), .why = why, .why_cap = sizeof(why)};

	(void)state;
	plane_close(lab_plane, false);
	fake.cannot_hold = true;
	lab_plane = plane_open_xfrm(&p);
	assert_non_null(lab_plane);
	lab_expect_words(why, "before its SA is lost", "nft");
	plane_sa_await(lab_plane, LAB_SPI_IN);
	assert_int_equal(fake.held_spi, 0);
	lab_give_policy(NULL);
	lab_add_child(OFFLOAD_NO);
	assert_int_equal(fake.n_sas, 1); /* its gate is closed */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			they_go_when_the_sa_is_in_the_kernel, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(
			others_go_at_once, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(a_kernel_that_cannot_hold_serves_without,
			lab_set_up, lab_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
