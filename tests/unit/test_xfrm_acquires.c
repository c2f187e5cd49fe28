/* test_xfrm_acquires.c - what the kernel has asked for waits no longer than for its SA. */
#include "xfrm_lab.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "xfrm/select.h"

/* A packet from that port of ours wants an SA. */
static void ask(const struct addr *remote, uint16_t port, uint32_t seq)
{
	const struct request_policy *p =
		fake_policy_for(&lab_own, remote, XFRM_POLICY_OUT);

	assert_non_null(p);
	struct kernel_event ev = {.kind = EVENT_ACQUIRE,
		.policy = p->sel,
		.dir = XFRM_POLICY_OUT,
		.flow = {.saddr = select_addr(&lab_own),
			.daddr = select_addr(remote),
			.sport = htons(port),
			.sport_mask = 0xffff,
			.proto = IPPROTO_UDP,
			.family = AF_INET},
		.larval = {.family = AF_INET, .seq = seq}};
	fake_say(&ev);
}

static void assert_told(uint16_t port)
{
	const struct plane_report r = lab_next(PLANE_NOTICE);

	assert_int_equal(r.u.notice.kind, ESP_ACQUIRE);
	assert_int_equal(r.u.notice.rule, LAB_RULE);
	assert_int_equal(r.u.notice.flow.local_port, port);
}

static int set_up(void **state)
{
	(void)lab_set_up(state);
	lab_give_policy(NULL);
	plane_gate_open(lab_plane, LAB_SCOPE, 1);
	return 0;
}

static void each_flow_that_has_its_sa_waits_no_more(void **state)
{
	(void)state;
	for (uint16_t port = 1; port <= 3; port++) {
		ask(&lab_peer, port, port);
		assert_told(port);
	}
	assert_int_equal(fake.n_ended, 0);
	lab_add_child(OFFLOAD_NO);
	assert_int_equal(fake.n_ended, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(fake.ended[i], i + 1);
}

static void one_that_another_sa_is_for_waits(void **state)
{
	const struct addr other = unit_addr("198.51.100.2");

	(void)state;
	ask(&other, 1, 1);
	assert_told(1);
	lab_add_child(OFFLOAD_NO);
	assert_int_equal(fake.n_ended, 0);
	ask(&other, 2, 2);
	assert_told(2);
}

/* It was asked for while the SA was being put in place, and read afterwards. */
static void one_that_comes_late_is_ended_and_not_told(void **state)
{
	(void)state;
	lab_add_child(OFFLOAD_NO);
	ask(&lab_peer, 1, 7);
	lab_no_more(PLANE_NOTICE);
	assert_int_equal(fake.n_ended, 1);
	assert_int_equal(fake.ended[0], 7);
}

/* The kernel does not take the SA for it: so no end of asking. */
static void those_that_come_again_and_again_are_told(void **state)
{
	unsigned told = 0;
	struct plane_report r;

	(void)state;
	lab_add_child(OFFLOAD_NO);
	for (uint32_t seq = 1; seq <= 60; seq++) {
		ask(&lab_peer, 1, seq);
		while (plane_next_report(lab_plane, &r))
			told += r.kind == PLANE_NOTICE;
	}
	assert_in_range(fake.n_ended, 30, 59);
	assert_int_equal(told + fake.n_ended, 60);
}

/* A gate that opens brings the SA. */
static void a_gate_that_opens_ends_what_waits(void **state)
{
	(void)state;
	(void)plane_gate_close(lab_plane, LAB_SCOPE);
	lab_add_child(OFFLOAD_NO);
	ask(&lab_peer, 1, 1);
	assert_told(1);
	assert_int_equal(fake.n_ended, 0);
	plane_gate_open(lab_plane, LAB_SCOPE, 2);
	assert_int_equal(fake.n_ended, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, lab_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_flow_that_has_its_sa_waits_no_more),
		TEST(one_that_another_sa_is_for_waits),
		TEST(one_that_comes_late_is_ended_and_not_told),
		TEST(those_that_come_again_and_again_are_told),
		TEST(a_gate_that_opens_ends_what_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
