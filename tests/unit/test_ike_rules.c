/* tests/unit/test_ike_rules.c - the table of rules makes sense as a whole. */
#include "ike_lab.h"

static void every_state_is_reached_and_left(void **state)
{
	bool reached[IKE_STATES] = {[STATE_LARVAL] = true};
	bool left[IKE_STATES] = {[STATE_GONE] = true};
	size_t n;
	const struct ike_rule *rules = ike_rules(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_non_null(rules[i].handle);
		assert_non_null(rules[i].story);
		reached[rules[i].then] = true;
		reached[ike_state_before(rules[i].then)] = true;
		left[rules[i].state] |= rules[i].then != rules[i].state;
	}
	for (int s = 0; s < IKE_STATES; s++) {
		assert_true(reached[s]);
		assert_true(left[s]);
		assert_non_null(ike_state_name((enum ike_state)s));
	}
}

/* A row that an earlier one always takes would never run. */
static void no_row_hides_another(void **state)
{
	size_t n;
	const struct ike_rule *rules = ike_rules(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const struct ike_rule *taken;

		assert_int_equal(ike_rule_find(rules[i].state, rules[i].on,
					 rules[i].exchange, rules[i].must, &taken),
			MATCH_RULE);
		assert_ptr_equal(taken, &rules[i]);
	}
}

static void payloads_decide_between_rows(void **state)
{
	const uint64_t good = PAYLOAD_BIT(PAYLOAD_IDR) | PAYLOAD_BIT(PAYLOAD_AUTH) |
			      PAYLOAD_BIT(PAYLOAD_SA) | PAYLOAD_BIT(PAYLOAD_TSI) |
			      PAYLOAD_BIT(PAYLOAD_TSR);
	const struct ike_rule *r;

	(void)state;
	assert_int_equal(ike_rule_find(STATE_AUTH_SENT, ON_RESPONSE, IKE_AUTH, good, &r),
		MATCH_RULE);
	assert_int_equal(r->then, STATE_UP);
	assert_int_equal(ike_rule_find(STATE_AUTH_SENT, ON_RESPONSE, IKE_AUTH,
				 PAYLOAD_BIT(PAYLOAD_NOTIFY) | RULE_ERROR, &r),
		MATCH_RULE);
	assert_int_equal(r->then, STATE_GONE);
	assert_int_equal(ike_rule_find(STATE_AUTH_SENT, ON_RESPONSE, IKE_AUTH,
				 good & ~PAYLOAD_BIT(PAYLOAD_AUTH), &r),
		MATCH_PAYLOADS);
	assert_int_equal(ike_rule_find(STATE_AUTH_SENT, ON_RESPONSE, IKE_AUTH,
				 good | PAYLOAD_BIT(PAYLOAD_KE), &r),
		MATCH_PAYLOADS);
	assert_int_equal(
		ike_rule_find(STATE_UP, ON_REQUEST, IKE_AUTH, good, &r), MATCH_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_is_reached_and_left),
		cmocka_unit_test(no_row_hides_another),
		cmocka_unit_test(payloads_decide_between_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
