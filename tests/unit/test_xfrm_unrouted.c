/* test_xfrm_unrouted.c - what a tunnel of a VIP covers gets a way to the kernel's policies. */
#include "xfrm_lab.h"

#include <poll.h>

#include "xfrm/xfrm.h"

static const struct fake_steered *steered(void)
{
	return &fake.steered[LAB_SCOPE];
}

static void the_rules_of_a_vip_are_steered(void **state)
{
	(void)state;
	lab_give_policy(NULL);
	assert_true(steered()->set);
	assert_int_equal(steered()->n_addrs, 1);
	plane_policy(lab_plane, LAB_SCOPE, NULL, NULL, 0);
	assert_false(steered()->set);
	lab_no_more(PLANE_TROUBLED);
}

/* Where the host has no route, its own traffic has no address to come from. */
static void those_of_the_host_are_not(void **state)
{
	(void)state;
	lab_give_policy(NULL);
	plane_policy(lab_plane, LAB_SCOPE, spd_new(), NULL, 0);
	assert_false(steered()->set);
}

static void an_address_that_comes_back_has_its_routes_again(void **state)
{
	struct addr own = unit_addr("127.0.0.1");

	(void)state;
	lab_give_policy(NULL);
	if (plane_bind(lab_plane, LAB_SCOPE, &own) != 0)
		skip(); /* port 4500 is another's, or not to be had */
	assert_int_equal(steered()->refills, 1);
	plane_unbind(lab_plane, &own);
	plane_refresh(lab_plane);
	assert_int_equal(fake.refreshes, 1);
}

static void what_fails_is_told(void **state)
{
	struct plane_report r;

	(void)state;
	fake.steer_fails = true;
	lab_give_policy(NULL);
	r = lab_next(PLANE_TROUBLED);
	assert_int_equal(r.u.trouble.scope, LAB_SCOPE);
	assert_string_equal(r.u.trouble.why, "cannot steer: no room");
}

static void what_others_take_away_is_put_back(void **state)
{
	struct plane_found found;
	struct plane_report r;

	(void)state;
	lab_give_policy(NULL);
	(void)plane_touched(lab_plane); /* what that policy has stirred up */
	fake_lose_steering();
	while (plane_next_report(lab_plane, &r))
		;
	struct pollfd p = {.fd = plane_touched_fd(lab_plane), .events = POLLIN};
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_int_equal(plane_touched(lab_plane), PLANE_TOUCHED);
	plane_mend(lab_plane, &found);
	assert_int_equal(found.deeds, PLANE_DEED_RULES);
	assert_false(found.again);
	plane_mend(lab_plane, &found);
	assert_int_equal(found.deeds, 0);
}

static void a_kernel_without_rules_serves_without(void **state)
{
	struct seeded_entropy seed;
	char why[256] = "";
	struct plane_params p = {
		.entropy = unit_entropy(&seed), .why = why, .why_cap = sizeof(why)};
	struct plane_found found;

	(void)state;
	plane_close(lab_plane, false);
	assert_false(fake.steering_open);
	fake.cannot_steer = fake.cannot_hold = true;
	lab_plane = plane_open_xfrm(&p);
	assert_non_null(lab_plane);
	lab_expect_words(why, "before its SA is lost", "no such tables; ");
	lab_expect_words(why, "must have a route", "no such rules");
	lab_give_policy(NULL);
	plane_refresh(lab_plane);
	plane_mend(lab_plane, &found);
	assert_int_equal(found.deeds, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_rules_of_a_vip_are_steered, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(
			those_of_the_host_are_not, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(
			an_address_that_comes_back_has_its_routes_again, lab_set_up,
			lab_tear_down),
		cmocka_unit_test_setup_teardown(
			what_fails_is_told, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(
			what_others_take_away_is_put_back, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup_teardown(
			a_kernel_without_rules_serves_without, lab_set_up, lab_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
