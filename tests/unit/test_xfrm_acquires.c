/* test_xfrm_acquires.c - what the kernel has asked for is ended, so that it asks again. */
#include "xfrm_lab.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "xfrm/acquires.h"
#include "xfrm/rules.h"
#include "xfrm/sad.h"
#include "xfrm/select.h"
#include "xfrm/sweep.h"

enum { A_SECOND = 1000, LONG_MS = 60000 };

static struct acquires as;
static struct request_line *line;

static int begin(void **state)
{
	(void)state;
	fake_reset();
	memset(&as, 0, sizeof(as));
	line = request_open();
	return 0;
}

static void note(uint32_t seq, uint64_t now_ms)
{
	acquires_note(&as, &(struct request_larval){.seq = seq}, now_ms);
}

static void each_is_ended_a_second_after_it_was_told(void **state)
{
	(void)state;
	assert_true(acquires_due_ms(&as) == UINT64_MAX);
	note(1, 5000);
	note(2, 5300);
	assert_int_equal(acquires_due_ms(&as), 5000 + A_SECOND);
	acquires_end(&as, line, 4999 + A_SECOND);
	assert_int_equal(fake.n_ended, 0);
	acquires_end(&as, line, 5000 + A_SECOND);
	assert_int_equal(fake.n_ended, 1);
	assert_int_equal(fake.ended[0], 1);
	assert_int_equal(acquires_due_ms(&as), 5300 + A_SECOND);
	acquires_end(&as, line, UINT64_MAX);
	assert_int_equal(fake.n_ended, 2);
	assert_true(acquires_due_ms(&as) == UINT64_MAX);
}

static void of_too_many_the_oldest_are_let_be(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= ACQUIRES_MAX + 10; i++)
		note(i, 5000 + i);
	assert_int_equal(acquires_due_ms(&as), 5011 + A_SECOND);
	acquires_end(&as, line, 5011 + A_SECOND);
	assert_int_equal(fake.ended[0], 11);
	acquires_end(&as, line, UINT64_MAX);
	assert_int_equal(as.n, 0);
}

/* ---- the plane ---------------------------------------------------------------------------- */

/* A packet to the peer wants an SA. */
static void ask(uint32_t seq)
{
	const struct request_policy *p =
		fake_policy_for(&lab_own, &lab_peer, XFRM_POLICY_OUT);

	assert_non_null(p);
	struct kernel_event ev = {.kind = EVENT_ACQUIRE,
		.policy = p->sel,
		.dir = XFRM_POLICY_OUT,
		.flow = {.saddr = select_addr(&lab_own),
			.daddr = select_addr(&lab_peer),
			.family = AF_INET},
		.larval = {.family = AF_INET, .seq = seq, .reqid = REQID_ASK}};
	fake_say(&ev);
	assert_int_equal(lab_next(PLANE_NOTICE).u.notice.kind, ESP_ACQUIRE);
}

static void the_plane_does_so_by_itself(void **state)
{
	struct pollfd p = {.events = POLLIN};

	(void)state;
	lab_give_policy(NULL);
	ask(7);
	lab_no_more(PLANE_NOTICE);
	assert_int_equal(fake.n_ended, 0);
	p.fd = plane_fd(lab_plane);
	while (fake.n_ended == 0 && poll(&p, 1, LONG_MS) == 1)
		lab_no_more(PLANE_NOTICE);
	assert_int_equal(fake.n_ended, 1);
	assert_int_equal(fake.ended[0], 7);
}

static void a_plane_that_closes_leaves_none(void **state)
{
	(void)state;
	lab_give_policy(NULL);
	ask(8);
	(void)lab_tear_down(state);
	assert_int_equal(fake.n_ended, 1);
}

/* An SA's policies go behind it, and a packet comes in between. Another program's is let be. */
static void nor_does_one_that_asked_by_a_policy_now_gone(void **state)
{
	struct kernel_event ev = {
		.kind = EVENT_ACQUIRE, .larval = {.seq = 9, .reqid = REQID_FIRST + 3}};

	(void)state;
	fake_say(&ev);
	lab_no_more(PLANE_NOTICE);
	ev.larval.reqid = 5;
	fake_say(&ev);
	lab_no_more(PLANE_NOTICE);
	(void)lab_tear_down(state);
	assert_int_equal(fake.n_ended, 1);
	assert_int_equal(fake.ended[0], 9);
}

/* ---- a start -------------------------------------------------------------------------------- */

/* Another life's: this one is to be asked. Another program's is let be. */
static void a_start_ends_what_waits(void **state)
{
	size_t n;

	(void)state;
	lab_peer = unit_addr("198.51.100.1");
	fake_add_sa(&lab_peer, 0, REQID_ASK, 0);
	fake_add_sa(&lab_peer, 0, 16384, 0);
	assert_int_equal(sweep_sas(line, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(fake.n_ended, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_is_ended_a_second_after_it_was_told, begin),
		cmocka_unit_test_setup(of_too_many_the_oldest_are_let_be, begin),
		cmocka_unit_test_setup_teardown(
			the_plane_does_so_by_itself, lab_set_up, lab_tear_down),
		cmocka_unit_test_setup(a_plane_that_closes_leaves_none, lab_set_up),
		cmocka_unit_test_setup(
			nor_does_one_that_asked_by_a_policy_now_gone, lab_set_up),
		cmocka_unit_test_setup(a_start_ends_what_waits, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
