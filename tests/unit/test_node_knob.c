/* Who is dead, and when: the NLBSFlags knob, on a client without a cluster and a server
 * that is a member of one. */
#include "node_conf.h"
#include "node_lab.h"

#define SHORT_CONF CLIENT_WITH("tuning { nlbs-flags 1; idle-timeout-failover 8s; }\n")
#define LIFE_CONF CLIENT_WITH("tuning { idle-lifetime 10m; }\n")

enum { SERVER, CLIENT };

/* A working SA; from then on the server is silent and the client keeps sending. Returns
 * t0: the first packet that was not answered. */
static uint64_t silence_with(
	struct lab *l, const char *server_conf, const char *client_conf)
{
	lab_start(l, SERVER, server_conf);
	lab_start(l, CLIENT, client_conf);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	lab_group(l, 1u << SERVER);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 10);
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
	lab_run(l, 3000);
	assert_int_equal(lab_up(l, CLIENT), 1);
	lab_usage(l, CLIENT)->last_in_ms = l->now_ms - 5;
	lab_kill(l, SERVER);
	lab_usage(l, CLIENT)->unanswered_since_ms = l->now_ms;
	lab_usage(l, CLIENT)->last_out_ms = l->now_ms;
	lab_forget_log(l, CLIENT);
	return l->now_ms;
}

/* The packets go on: what the data plane would report. */
static void keep_sending(struct lab *l, uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i += 50) {
		if (l->node[CLIENT].n_child == 1)
			lab_usage(l, CLIENT)->last_out_ms = l->now_ms;
		lab_run(l, ms - i < 50 ? ms - i : 50);
	}
}

static void expect_death(struct lab *l, uint64_t limit)
{
	keep_sending(l, limit / 2 - 1);
	assert_int_equal(lab_count(l, CLIENT, "exchange 37"), 0);
	keep_sending(l, 2);
	assert_true(lab_count(l, CLIENT, "exchange 37") >= 1);
	keep_sending(l, limit - limit / 2 - 2);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	assert_int_equal(lab_count(l, CLIENT, "event peer-dead"), 0);
	assert_true(lab_count(l, CLIENT, "exchange 37") >= 3);
	keep_sending(l, 1);
	assert_int_equal(lab_count(l, CLIENT, "event peer-dead"), 1);
	assert_int_equal(l->node[CLIENT].n_child, 0);
	/* and IKE starts again at once */
	assert_true(lab_count(l, CLIENT, "exchange 34") >= 1);
}

static void dead_after_the_long_timeout(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	silence_with(l, SERVER_CONF, CLIENT_CONF);
	assert_int_equal(lab_peer(l, CLIENT).idle_timeout_ms, 300000);
	expect_death(l, 300000);
	lab_free(l);
}

/* The server is a cluster's and says NLBS_PRESENT: the client's shorter timer holds. */
static void dead_after_the_short_timeout_by_vendor_id(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	silence_with(l, MEMBER_CONF, CLIENT_CONF);
	assert_int_equal(lab_peer(l, CLIENT).idle_timeout_ms, 60000);
	expect_death(l, 60000);
	lab_free(l);
}

/* A cluster that does not say so: the client's own nlbs-flags decide. */
static void nlbs_present_no_leaves_it_to_the_peer(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	silence_with(l, MEMBER_QUIET_CONF, CLIENT_CONF);
	assert_int_equal(lab_peer(l, CLIENT).idle_timeout_ms, 300000);
	expect_death(l, 300000);
	lab_free(l);
}

/* The same where the cluster calls: the daemon comes back and knows its peer. */
static void nlbs_present_no_holds_for_the_caller_too(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	silence_with(l, MEMBER_QUIET_CONF, CLIENT_CONF);
	lab_restart(l, SERVER, MEMBER_QUIET_CONF);
	lab_group(l, 1u << SERVER);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 3000);
	assert_true(lab_count(l, SERVER, "exchange 34") >= 1);
	assert_int_equal(lab_up(l, CLIENT), 1);
	assert_int_equal(lab_peer(l, CLIENT).idle_timeout_ms, 300000);
	lab_free(l);
}

static void dead_after_the_configured_number(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	silence_with(l, SERVER_CONF, SHORT_CONF);
	assert_int_equal(lab_peer(l, CLIENT).idle_timeout_ms, 8000);
	expect_death(l, 8000);
	lab_free(l);
}

static void tuned_at_runtime(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	silence_with(l, SERVER_CONF, CLIENT_CONF);
	lab_tune(l, CLIENT, "idle-timeout-failover", "10s");
	lab_tune(l, CLIENT, "nlbs-flags", "1");
	assert_int_equal(l->node[CLIENT].reply_code, 0);
	expect_death(l, 10000);
	lab_free(l);
}

static void tune_refuses_nonsense(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	lab_start(l, CLIENT, CLIENT_CONF);
	lab_tune(l, CLIENT, "idle-timeout", "soon");
	assert_int_equal(l->node[CLIENT].reply_code, 1);
	lab_tune(l, CLIENT, "idle-timeout", "10ms");
	assert_int_equal(l->node[CLIENT].reply_code, 1);
	lab_tune(l, CLIENT, "colour", "blue");
	assert_int_equal(l->node[CLIENT].reply_code, 1);
	lab_free(l);
}

static void tuned_values_outlive_a_reload_until_default(void **state)
{
	struct lab *l = lab_new();
	struct node_view v;

	(void)state;
	lab_start(l, CLIENT, CLIENT_CONF);
	lab_tune(l, CLIENT, "idle-timeout", "90s");
	lab_reload(l, CLIENT, CLIENT_CONF);
	node_look(l->node[CLIENT].node, &v);
	assert_int_equal(v.tuning.idle_timeout_ms, 90000);
	lab_tune(l, CLIENT, "idle-timeout", "default");
	node_look(l->node[CLIENT].node, &v);
	assert_int_equal(v.tuning.idle_timeout_ms, 300000);
	lab_free(l);
}

/* Who answers a probe lives, however long no ESP comes back. */
static void answered_probe_keeps_alive(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	lab_start(l, SERVER, SERVER_CONF);
	lab_start(l, CLIENT, SHORT_CONF);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
	lab_run(l, 3000);
	lab_usage(l, CLIENT)->unanswered_since_ms = l->now_ms;
	keep_sending(l, 60000);
	assert_int_equal(lab_count(l, CLIENT, "event peer-dead"), 0);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	/* one-way traffic costs one probe each T/2, not a stream of them */
	assert_in_range(lab_count(l, CLIENT, "exchange 37"), 8, 20);
	lab_free(l);
}

static void idle_is_not_dead(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	silence_with(l, SERVER_CONF, CLIENT_CONF);
	lab_usage(l, CLIENT)->unanswered_since_ms = 0;
	lab_run(l, 3300000);
	assert_int_equal(lab_count(l, CLIENT, "event peer-dead"), 0);
	assert_int_equal(lab_count(l, CLIENT, "send"), 0);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	lab_free(l);
}

static void idle_lifetime_deletes_politely(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	lab_start(l, SERVER, SERVER_CONF);
	lab_start(l, CLIENT, LIFE_CONF);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
	lab_run(l, 590000);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	lab_run(l, 21000);
	assert_int_equal(l->node[CLIENT].n_child, 0);
	assert_int_equal(l->node[SERVER].n_child, 0);
	/* nobody calls before there is traffic; then it is back */
	lab_forget_log(l, CLIENT);
	lab_run(l, 600000);
	assert_int_equal(lab_count(l, CLIENT, "send"), 0);
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 143);
	lab_run(l, 20);
	assert_int_equal(lab_up(l, CLIENT), 1);
	lab_free(l);
}

/* A daemon that was stopped for long must ask before it judges. */
static void after_a_pause_probes_come_first(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	silence_with(l, SERVER_CONF, SHORT_CONF);
	l->now_ms += 100000; /* nothing ran */
	lab_run(l, 10);
	assert_int_equal(lab_count(l, CLIENT, "event peer-dead"), 0);
	lab_run(l, 8000);
	assert_int_equal(lab_count(l, CLIENT, "event peer-dead"), 1);
	assert_true(lab_count(l, CLIENT, "exchange 37") >= 3);
	lab_free(l);
}

static void no_queries_without_children(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	lab_start(l, CLIENT, CLIENT_CONF);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	lab_run(l, 600000);
	assert_int_equal(l->node[CLIENT].queries, 0);
	assert_true(node_next_due_ms(l->node[CLIENT].node) == UINT64_MAX);
	lab_free(l);
}

static void queries_only_as_often_as_needed(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	silence_with(l, SERVER_CONF, CLIENT_CONF);
	lab_usage(l, CLIENT)->unanswered_since_ms = 0;
	l->node[CLIENT].queries = 0;
	lab_run(l, 75000);
	assert_in_range(l->node[CLIENT].queries, 9, 11); /* T/8 of one minute */
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dead_after_the_long_timeout),
		cmocka_unit_test(dead_after_the_short_timeout_by_vendor_id),
		cmocka_unit_test(nlbs_present_no_leaves_it_to_the_peer),
		cmocka_unit_test(nlbs_present_no_holds_for_the_caller_too),
		cmocka_unit_test(dead_after_the_configured_number),
		cmocka_unit_test(tuned_at_runtime),
		cmocka_unit_test(tune_refuses_nonsense),
		cmocka_unit_test(tuned_values_outlive_a_reload_until_default),
		cmocka_unit_test(answered_probe_keeps_alive),
		cmocka_unit_test(idle_is_not_dead),
		cmocka_unit_test(idle_lifetime_deletes_politely),
		cmocka_unit_test(after_a_pause_probes_come_first),
		cmocka_unit_test(no_queries_without_children),
		cmocka_unit_test(queries_only_as_often_as_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
