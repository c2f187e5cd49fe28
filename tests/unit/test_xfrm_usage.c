/* test_xfrm_usage.c - how often the kernel is asked who has sent how much. */
#include "xfrm_lab.h"

enum { DUMP_MS = 10, QUESTIONS = 50 };

/* Agents and people ask as often as they like. */
static void questions_that_come_fast_share_a_look(void **state)
{
	unsigned before;

	(void)state;
	lab_give_policy(NULL);
	lab_add_child(OFFLOAD_NO);
	fake.dump_ms = DUMP_MS;
	(void)lab_usage();
	before = fake.dumps;
	for (unsigned i = 0; i < QUESTIONS; i++)
		(void)lab_usage();
	assert_true(fake.dumps - before < QUESTIONS / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			questions_that_come_fast_share_a_look, lab_set_up, lab_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
