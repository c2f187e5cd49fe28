/* The activation numbers: what is on disk is never smaller than what was used. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/activation.h"

struct box {
	char path[64];
	struct store store;
	struct activation activation;
};

static int setup(void **state)
{
	struct box *b = calloc(1, sizeof(*b));
	char why[128];

	snprintf(b->path, sizeof(b->path), "/tmp/vipsec-unit-XXXXXX");
	assert_non_null(mkdtemp(b->path));
	assert_true(store_open(&b->store, b->path, why, sizeof(why)));
	activation_open(&b->activation, &b->store);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct box *b = *state;

	assert_int_equal(
		store_put(&b->store, "activation", span_of(NULL, 0), STORE_LAZY), 0);
	assert_int_equal(store_put(&b->store, "peers", span_of(NULL, 0), STORE_LAZY), 0);
	store_close(&b->store);
	assert_int_equal(rmdir(b->path), 0); /* and nothing else lies there */
	free(b);
	return 0;
}

static void take_number(void *ctx, const char *name, struct span bytes)
{
	if (strcmp(name, "activation") == 0 && bytes.len == 2)
		*(unsigned *)ctx = (unsigned)(bytes.at[0] << 8 | bytes.at[1]);
}

static unsigned on_disk(struct box *b)
{
	unsigned n = 0;

	store_each(&b->store, take_number, &n);
	return n;
}

static void use(struct box *b, unsigned n)
{
	uint8_t bytes[2] = {(uint8_t)(n >> 8), (uint8_t)n};

	assert_int_equal(activation_put(&b->activation, span_of(bytes, 2)), 0);
}

static void the_first_use_is_on_disk(void **state)
{
	use(*state, 1);
	assert_true(on_disk(*state) >= 1);
}

static void every_use_is_covered_by_the_disk(void **state)
{
	for (unsigned n = 1; n < 200; n++) {
		use(*state, n);
		assert_true(on_disk(*state) >= n);
	}
}

static void what_was_reserved_needs_no_writing(void **state)
{
	struct box *b = *state;

	activation_reserve(&b->activation);
	unsigned before = on_disk(b);
	assert_true(before >= 4);
	for (unsigned n = 1; n <= before; n++) {
		use(b, n);
		assert_int_equal(on_disk(b), before);
	}
}

static void it_is_short_before_it_is_used_up(void **state)
{
	struct box *b = *state;

	activation_reserve(&b->activation);
	assert_false(activation_is_short(&b->activation));
	use(b, on_disk(b) - 1);
	assert_true(activation_is_short(&b->activation));
	unsigned before = on_disk(b);
	activation_reserve(&b->activation);
	assert_true(on_disk(b) > before);
}

static void after_a_restart_the_disk_speaks(void **state)
{
	struct box *b = *state;

	activation_reserve(&b->activation);
	use(b, 3);
	unsigned before = on_disk(b);
	activation_open(&b->activation, &b->store);
	use(b, before + 1); /* where the node goes on */
	assert_true(on_disk(b) >= before + 1);
}

static void behind_the_last_number_comes_the_first(void **state)
{
	struct box *b = *state;

	use(b, 65535);
	assert_int_equal(on_disk(b), 65535);
	use(b, 1);
	assert_true(on_disk(b) >= 1 && on_disk(b) < 100);
}

static void a_number_of_another_length_is_refused(void **state)
{
	struct box *b = *state;
	const uint8_t bytes[3] = {0, 0, 1};

	assert_int_not_equal(activation_put(&b->activation, span_of(bytes, 3)), 0);
	assert_int_equal(on_disk(b), 0);
}

static void a_record_is_replaced_whole(void **state)
{
	struct box *b = *state;
	const uint8_t bytes[4] = {0, 7, 0, 9};

	assert_int_equal(
		store_put(&b->store, "activation", span_of(bytes, 4), STORE_DURABLE), 0);
	assert_int_equal(on_disk(b), 0); /* four octets are none */
	assert_int_equal(
		store_put(&b->store, "activation", span_of(bytes, 2), STORE_LAZY), 0);
	assert_int_equal(on_disk(b), 7);
}

static void names_that_could_lead_elsewhere_are_refused(void **state)
{
	struct box *b = *state;
	static const char *const names[] = {"", "../x", "a/b", "a.b", "A", "."};
	const uint8_t octet = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_not_equal(
			store_put(&b->store, names[i], span_of(&octet, 1), STORE_LAZY),
			0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_first_use_is_on_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(
			every_use_is_covered_by_the_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_was_reserved_needs_no_writing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			it_is_short_before_it_is_used_up, setup, teardown),
		cmocka_unit_test_setup_teardown(
			after_a_restart_the_disk_speaks, setup, teardown),
		cmocka_unit_test_setup_teardown(
			behind_the_last_number_comes_the_first, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_number_of_another_length_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_record_is_replaced_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(
			names_that_could_lead_elsewhere_are_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
