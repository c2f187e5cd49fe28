/* The heap of deadlines: always the earliest first, whatever is moved or taken out. */
#include "unit.h"

#include "node/due.h"

enum { COUNT = 500 };

static void the_earliest_is_first(void **state)
{
	static struct due item[COUNT];
	struct seeded_entropy store;
	struct entropy e = unit_entropy(&store);
	struct dues h = {0};

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		struct due *d = &item[entropy_below(&e, COUNT)];
		uint64_t ms = entropy_below(&e, 1000);
		if (ms < 100)
			dues_remove(&h, d);
		else
			dues_set(&h, d, ms < 150 ? UINT64_MAX : ms);
		uint64_t least = UINT64_MAX;
		size_t inside = 0;
		for (unsigned i = 0; i < COUNT; i++) {
			inside += item[i].at != 0;
			if (item[i].at != 0 && item[i].ms < least)
				least = item[i].ms;
		}
		assert_int_equal(h.n, inside);
		assert_true(dues_first_ms(&h) == least);
	}
	dues_free(&h);
}

static void empty_is_never(void **state)
{
	struct dues h = {0};
	struct due d = {0};

	(void)state;
	assert_null(dues_first(&h));
	dues_remove(&h, &d);
	dues_set(&h, &d, 5);
	assert_ptr_equal(dues_first(&h), &d);
	dues_set(&h, &d, UINT64_MAX);
	assert_true(dues_first_ms(&h) == UINT64_MAX);
	dues_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_earliest_is_first),
		cmocka_unit_test(empty_is_never),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
