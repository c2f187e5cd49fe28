/* The map and the hash under it. */
#include "unit.h"

#include "base/map.h"
#include "base/siphash.h"

static struct span key_of(uint32_t *k)
{
	return span_of(k, sizeof(*k));
}

/* The reference vectors of the SipHash paper's appendix: key 00..0f, input 00..0e. */
static void siphash_gives_the_published_value(void **state)
{
	struct siphash_key key = {.k0 = 0x0706050403020100U, .k1 = 0x0f0e0d0c0b0a0908U};
	uint8_t in[15];

	(void)state;
	for (uint8_t i = 0; i < sizeof(in); i++)
		in[i] = i;
	assert_true(siphash(&key, span_of(in, 15)) == 0xa129ca6149be45e5U);
	assert_true(siphash(&key, span_of(in, 0)) == 0x726fdb47dd0e0e31U);
}

static struct map *new_map(void)
{
	struct seeded_entropy store;
	struct entropy e = unit_entropy(&store);
	return map_new(&e);
}

static void what_is_put_is_found_until_taken(void **state)
{
	enum { N = 5000 };
	static uint32_t values[N];
	struct map *m = new_map();

	(void)state;
	for (uint32_t i = 0; i < N; i++)
		map_put(m, key_of(&i), &values[i]);
	assert_int_equal(map_count(m), N);
	for (uint32_t i = 0; i < N; i++)
		assert_ptr_equal(map_get(m, key_of(&i)), &values[i]);
	for (uint32_t i = 0; i < N; i += 2)
		assert_ptr_equal(map_take(m, key_of(&i)), &values[i]);
	for (uint32_t i = 0; i < N; i++)
		assert_ptr_equal(map_get(m, key_of(&i)), i % 2 ? &values[i] : NULL);
	for (uint32_t i = 1; i < N; i += 2)
		assert_non_null(map_take(m, key_of(&i)));
	assert_int_equal(map_count(m), 0);
	map_free(m);
}

static void put_replaces(void **state)
{
	int a = 0, b = 0;
	struct map *m = new_map();

	(void)state;
	map_put(m, span_text("k"), &a);
	map_put(m, span_text("k"), &b);
	assert_int_equal(map_count(m), 1);
	assert_ptr_equal(map_get(m, span_text("k")), &b);
	map_free(m);
}

static void a_shorter_key_is_another_key(void **state)
{
	int a = 0;
	struct map *m = new_map();

	(void)state;
	map_put(m, span_of("ab\0", 3), &a);
	assert_null(map_get(m, span_of("ab", 2)));
	assert_null(map_get(m, span_of(NULL, 0)));
	map_put(m, span_of(NULL, 0), &a);
	assert_non_null(map_get(m, span_of(NULL, 0)));
	assert_null(map_take(m, span_of("x", 1)));
	map_free(m);
}

struct walk {
	struct map *m;
	uint32_t *seen[4];
	unsigned n;
	unsigned stop_after;
	bool remove;
};

static bool step(void *value, void *ctx)
{
	struct walk *w = ctx;

	w->seen[w->n++] = value;
	if (w->remove)
		map_take(w->m, key_of(value));
	return w->n < w->stop_after;
}

static void iteration_keeps_the_order_of_insertion(void **state)
{
	uint32_t k[] = {30, 10, 20};
	struct walk w = {.m = new_map(), .stop_after = 4};

	(void)state;
	for (int i = 0; i < 3; i++)
		map_put(w.m, key_of(&k[i]), &k[i]);
	map_each(w.m, step, &w);
	assert_int_equal(w.n, 3);
	for (int i = 0; i < 3; i++)
		assert_ptr_equal(w.seen[i], &k[i]);
	w.n = 0;
	w.stop_after = 2;
	map_each(w.m, step, &w);
	assert_int_equal(w.n, 2);
	map_free(w.m);
}

static void the_visited_entry_may_be_removed(void **state)
{
	uint32_t k[] = {1, 2, 3};
	struct walk w = {.m = new_map(), .stop_after = 4, .remove = true};

	(void)state;
	for (int i = 0; i < 3; i++)
		map_put(w.m, key_of(&k[i]), &k[i]);
	map_each(w.m, step, &w);
	assert_int_equal(w.n, 3);
	assert_int_equal(map_count(w.m), 0);
	map_free(w.m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_gives_the_published_value),
		cmocka_unit_test(what_is_put_is_found_until_taken),
		cmocka_unit_test(put_replaces),
		cmocka_unit_test(a_shorter_key_is_another_key),
		cmocka_unit_test(iteration_keeps_the_order_of_insertion),
		cmocka_unit_test(the_visited_entry_may_be_removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
