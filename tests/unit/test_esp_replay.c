/* test_esp_replay.c - the anti-replay window against a model that remembers everything.
 *
 *        top-window+1           top
 *   ------[====================]-------->   left: too old; right: new
 */
#include "unit.h"
#include "esp/replay.h"
#include "esp/replay_state.h"

static const uint32_t WINDOWS[] = {1, 2, 31, 32, 63, 64, 65, 100, 128, 1000, 1024, 4096};
enum { N_WINDOWS = sizeof WINDOWS / sizeof WINDOWS[0] };

static bool take(struct esp_replay *r, uint64_t seq)
{
	if (!esp_replay_fresh(r, seq))
		return false;
	esp_replay_accept(r, seq);
	return true;
}

static void zero_is_no_number(void **state)
{
	struct esp_replay r;

	(void)state;
	esp_replay_init(&r, 64, false);
	assert_false(esp_replay_fresh(&r, 0));
	esp_replay_wipe(&r);
	esp_replay_init(&r, 0, false);
	assert_false(esp_replay_fresh(&r, 0));
	esp_replay_wipe(&r);
}

static void the_edges_of_the_window(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_WINDOWS; i++) {
		uint32_t w = WINDOWS[i];
		struct esp_replay r;

		esp_replay_init(&r, w, false);
		assert_true(take(&r, 10000));
		assert_false(take(&r, 10000));
		assert_false(take(&r, 10000 - w));
		if (w > 1) {
			assert_true(take(&r, 10000 - w + 1));
			assert_false(take(&r, 10000 - w + 1));
		}
		assert_true(take(&r, 10001));
		assert_false(esp_replay_fresh(&r, 10000 - w + 1));
		esp_replay_wipe(&r);
	}
}

/* For a ring of another size breaks where the number on the wire begins anew. */
static void windows_are_powers_of_two(void **state)
{
	(void)state;
	assert_int_equal(esp_replay_window(0), 0);
	assert_int_equal(esp_replay_window(1), 32);
	assert_int_equal(esp_replay_window(32), 32);
	assert_int_equal(esp_replay_window(33), 64);
	assert_int_equal(esp_replay_window(1000), 1024);
	assert_int_equal(esp_replay_window(4096), 4096);
	assert_int_equal(esp_replay_window(5000), 4096);
}

enum { MODEL = 200000 };

/* A walk forward with steps of all sizes and looks back of all depths. */
static void agrees_with_the_model(void **state)
{
	static bool seen[MODEL];
	struct seeded_entropy store;

	(void)state;
	for (size_t i = 0; i < N_WINDOWS; i++) {
		uint32_t w = WINDOWS[i];
		struct entropy e = entropy_seeded(&store, w);
		struct esp_replay r;
		uint32_t top = 0;

		memset(seen, 0, sizeof seen);
		esp_replay_init(&r, w, false);
		while (top < MODEL - 3 * w - 200) {
			uint32_t around =
				entropy_below(&e, 8) == 0 ? 3 * w + 100 : w / 4 + 3;
			uint32_t seq = top + entropy_below(&e, around);
			uint32_t back = entropy_below(&e, w + 70);

			seq = seq > back ? seq - back : 0;
			bool want =
				seq != 0 && !seen[seq] && (seq > top || top - seq < w);
			assert_int_equal(take(&r, seq), want);
			if (want)
				seen[seq] = true;
			if (want && seq > top)
				top = seq;
		}
		esp_replay_wipe(&r);
	}
}

static void a_leap_clears_everything(void **state)
{
	struct esp_replay r;

	(void)state;
	esp_replay_init(&r, 128, false);
	for (uint64_t n = 1; n <= 500; n++)
		assert_true(take(&r, n));
	assert_true(take(&r, UINT32_MAX));
	for (uint64_t n = UINT32_MAX - 127; n < UINT32_MAX; n++)
		assert_true(take(&r, n));
	esp_replay_wipe(&r);
}

static void no_window_no_check(void **state)
{
	struct esp_replay r;

	(void)state;
	esp_replay_init(&r, 0, false);
	assert_true(take(&r, 9));
	assert_true(take(&r, 9));
	assert_true(take(&r, 1));
	esp_replay_wipe(&r);
}

/* RFC 4303 A2.2: the upper half is told from the lower, all around a change of it. */
static void esn_number_is_recovered(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_WINDOWS; i++) {
		for (uint64_t high = 0; high < 3; high++) {
			uint64_t w = WINDOWS[i], edge = (high + 1) << 32;
			struct esp_replay r;

			esp_replay_init(&r, (uint32_t)w, true);
			for (uint64_t top = edge - 2 * w; top < edge + 2 * w; top++) {
				uint64_t seq = top - w + 1;
				r.top = top;
				for (; seq <= top + 5; seq++)
					assert_int_equal(
						esp_replay_number(&r, (uint32_t)seq),
						seq);
				seq = top + (UINT64_C(1) << 32) - w;
				assert_int_equal(
					esp_replay_number(&r, (uint32_t)seq), seq);
				if (w > 1000)
					top += 97;
			}
			esp_replay_wipe(&r);
		}
	}
}

/* Left of the very first window there is nothing. */
static void esn_has_no_number_before_the_first(void **state)
{
	struct esp_replay r;

	(void)state;
	esp_replay_init(&r, 64, true);
	assert_int_equal(esp_replay_number(&r, UINT32_MAX), 0);
	assert_int_equal(esp_replay_number(&r, 1), 1);
	r.top = 62;
	assert_int_equal(esp_replay_number(&r, UINT32_MAX), 0);
	r.top = 63;
	assert_int_equal(esp_replay_number(&r, UINT32_MAX), UINT32_MAX);
	esp_replay_wipe(&r);
}

static void without_esn_the_number_is_on_the_wire(void **state)
{
	struct esp_replay r;

	(void)state;
	esp_replay_init(&r, 64, false);
	r.top = UINT32_MAX;
	assert_int_equal(esp_replay_number(&r, 1), 1);
	assert_false(esp_replay_fresh(&r, 1));
	esp_replay_wipe(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zero_is_no_number),
		cmocka_unit_test(the_edges_of_the_window),
		cmocka_unit_test(windows_are_powers_of_two),
		cmocka_unit_test(agrees_with_the_model),
		cmocka_unit_test(a_leap_clears_everything),
		cmocka_unit_test(no_window_no_check),
		cmocka_unit_test(esn_number_is_recovered),
		cmocka_unit_test(esn_has_no_number_before_the_first),
		cmocka_unit_test(without_esn_the_number_is_on_the_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
