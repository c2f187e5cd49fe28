/* tests/unit/unit.h - what every unit test includes: cmocka and small helpers.
 *
 * A test file is a list of static void NAME(void **state) functions and a main() that
 * hands them to cmocka_run_group_tests().
 */
#ifndef VIPSEC_TESTS_UNIT_H
#define VIPSEC_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/entropy.h"
#include "base/span.h"

/* Octets of "c0 ff ee"; blanks are skipped. Fails the test when text is not hexadecimal
 * or does not fit. The span is over out. */
static inline struct span unit_hex(const char *text, uint8_t *out, size_t cap)
{
	size_t nibbles = 0;

	for (; *text != '\0'; text++) {
		if (*text == ' ' || *text == '\n' || *text == '\t')
			continue;
		static const char digits[] = "0123456789abcdef";
		const char *digit = strchr(digits, *text | 0x20);
		assert_true(digit && nibbles / 2 < cap);
		size_t at = nibbles++ / 2;
		out[at] = (uint8_t)(out[at] << 4 | (digit - digits));
	}
	assert_int_equal(nibbles % 2, 0);
	return span_of(out, nibbles / 2);
}

static inline void unit_assert_span_equal(struct span a, struct span b)
{
	assert_int_equal(a.len, b.len);
	if (a.len > 0)
		assert_memory_equal(a.at, b.at, a.len);
}

/* An address from its text; fails the test when it is none. */
static inline struct addr unit_addr(const char *text)
{
	struct addr a = {0};

	assert_true(addr_parse(text, &a));
	return a;
}

/* How often to do what is done ALL times: an eighth of it where each time takes thirty times
 * longer (valgrind; tests.mk says so). */
static inline unsigned unit_rounds(unsigned all)
{
	return getenv("UNIT_FEW_ROUNDS") ? (all + 7) / 8 : all;
}

/* A seeded source with storage of its own, one per call site and test. */
static inline struct entropy unit_entropy(struct seeded_entropy *store)
{
	return entropy_seeded(store, 1);
}

#endif
