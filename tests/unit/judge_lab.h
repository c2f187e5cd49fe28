/* tests/unit/judge_lab.h - what a judgement of `vipsec doctor` has found. */
#ifndef VIPSEC_TESTS_JUDGE_LAB_H
#define VIPSEC_TESTS_JUDGE_LAB_H

#include "unit.h"

#include "doctor/judge.h"

static struct findings found;

static inline void fresh(void)
{
	memset(&found, 0, sizeof(found));
	found.topic = "test";
}

/* So many of each, and the words in the first of the worst, and in its advice. */
static inline void expect(size_t ok, size_t warn, size_t bad)
{
	assert_int_equal(found.count[GRADE_OK], ok);
	assert_int_equal(found.count[GRADE_WARN], warn);
	assert_int_equal(found.count[GRADE_BAD], bad);
}

static inline void expect_words(const char *text, const char *advice)
{
	enum grade worst = found.count[GRADE_BAD]    ? GRADE_BAD
			   : found.count[GRADE_WARN] ? GRADE_WARN
						     : GRADE_OK;

	for (size_t i = 0; i < found.n; i++) {
		if (found.at[i].grade != worst)
			continue;
		if (!strstr(found.at[i].text, text) ||
			!strstr(found.at[i].advice, advice))
			fail_msg("'%s' -> '%s' has not '%s' -> '%s'", found.at[i].text,
				found.at[i].advice, text, advice);
		return;
	}
	fail_msg("nothing was found");
}

/* Whatever is not well says what to do. */
static inline void expect_advice(void)
{
	for (size_t i = 0; i < found.n; i++)
		if (found.at[i].grade != GRADE_OK)
			assert_true(found.at[i].advice[0] != '\0');
}

#endif
