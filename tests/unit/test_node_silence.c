/* tests/unit/test_node_silence.c - several IKE SAs with one peer, and it falls silent: which of
 * them go (src/node/idle.c).
 */
#include "node_rules.h"

#define CLIENT_CONF_PFS                                                 \
	"tuning { nlbs-flags 1; idle-timeout-failover 8s; }\n" CLIENT3( \
		ACTION("", "pfs master;"))

enum { R_MAIL, R_POP, R_WEB, TIMEOUT_MS = 8000 };

/* With master key PFS: an IKE SA for each of three rules. */
static struct lab *three_ike_sas(void)
{
	struct lab *l = three_rules(SERVER3(ACTION("", "pfs master;")), CLIENT_CONF_PFS);

	assert_int_equal(lab_count(l, CLIENT, "exchange 34"), 3);
	lab_run(l, 1000);
	lab_kill(l, SERVER);
	lab_forget_log(l, CLIENT);
	return l;
}

/* One rule has packets, and no answer. */
static void send_in_vain(struct lab *l, uint32_t rule, uint64_t ms)
{
	for (uint64_t end = l->now_ms + ms; l->now_ms < end; lab_run(l, 50)) {
		struct lab_child *c = lab_sender(l, CLIENT, rule);

		if (!c)
			continue;
		c->usage.last_out_ms = l->now_ms;
		if (c->usage.unanswered_since_ms == 0)
			c->usage.unanswered_since_ms = l->now_ms;
	}
}

/* Nobody knows of the other two that they work; were they kept, the peer might go on to send
 * in the first. */
static void what_is_as_silent_goes_with_it(void **state)
{
	struct lab *l = three_ike_sas();

	(void)state;
	send_in_vain(l, R_MAIL, TIMEOUT_MS - 100);
	assert_int_equal(lab_up(l, CLIENT), 3);
	assert_int_equal(lab_count(l, CLIENT, "exchange 34"), 0);
	send_in_vain(l, R_MAIL, 300);
	assert_int_equal(lab_count(l, CLIENT, "event peer-dead"), 1);
	assert_int_equal(lab_count(l, CLIENT, "event ike-down"), 3);
	assert_int_equal(lab_up(l, CLIENT), 0);
	assert_int_equal(l->node[CLIENT].n_child, 0);
	assert_true(lab_count(l, CLIENT, "exchange 34") >= 1);
	lab_free(l);
}

static void what_has_been_heard_stays(void **state)
{
	struct lab *l = three_ike_sas();

	(void)state;
	send_in_vain(l, R_MAIL, TIMEOUT_MS / 2);
	lab_sender(l, CLIENT, R_POP)->usage.last_in_ms = l->now_ms;
	send_in_vain(l, R_MAIL, TIMEOUT_MS / 2 + 200);
	assert_int_equal(lab_count(l, CLIENT, "event peer-dead"), 1);
	assert_int_equal(lab_count(l, CLIENT, "event ike-down"), 2);
	assert_int_equal(lab_up(l, CLIENT), 1);
	assert_non_null(lab_sender(l, CLIENT, R_POP));
	assert_null(lab_sender(l, CLIENT, R_WEB));
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_as_silent_goes_with_it),
		cmocka_unit_test(what_has_been_heard_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
