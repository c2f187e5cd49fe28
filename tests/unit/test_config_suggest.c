/* Which word was probably meant. */
#include "unit.h"

#include "config/suggest.h"

static const char *suggestion(const char *wrong)
{
	static const char *const words[] = {
		"idle-timeout", "idle-timeout-failover", "vip", "permit", "policy"};
	struct suggest s = suggest_for(wrong);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		suggest_offer(&s, words[i]);
	return s.best;
}

static void a_slip_of_one_letter_is_recognised(void **state)
{
	(void)state;
	assert_string_equal(suggestion("permt"), "permit");
	assert_string_equal(suggestion("permitt"), "permit");
	assert_string_equal(suggestion("pernit"), "permit");
	assert_string_equal(suggestion("vpi"), "vip");
}

static void the_nearest_of_several_is_taken(void **state)
{
	(void)state;
	assert_string_equal(suggestion("idle-timeout-failvoer"), "idle-timeout-failover");
	assert_string_equal(suggestion("idle_timeout"), "idle-timeout");
}

static void what_is_far_from_everything_has_no_suggestion(void **state)
{
	(void)state;
	assert_null(suggestion("frobnicate"));
	assert_null(suggestion("xyz"));
	assert_null(suggestion(""));
}

static void a_word_too_long_to_compare_has_no_suggestion(void **state)
{
	(void)state;
	char wrong[200];

	memset(wrong, 'p', sizeof(wrong) - 1);
	wrong[sizeof(wrong) - 1] = '\0';
	assert_null(suggestion(wrong));
}

static void the_text_is_ready_to_be_appended(void **state)
{
	(void)state;
	struct suggest s = suggest_for("polcy");
	char text[SUGGEST_TEXT_MAX];

	assert_string_equal(suggest_text(&s, text), "");
	suggest_offer(&s, "policy");
	assert_string_equal(suggest_text(&s, text), "; did you mean \"policy\"?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slip_of_one_letter_is_recognised),
		cmocka_unit_test(the_nearest_of_several_is_taken),
		cmocka_unit_test(what_is_far_from_everything_has_no_suggestion),
		cmocka_unit_test(a_word_too_long_to_compare_has_no_suggestion),
		cmocka_unit_test(the_text_is_ready_to_be_appended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
