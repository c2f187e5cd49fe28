/* tests/unit/test_node_redirect.c - a drained VIP, and peers that are sent on (RFC 5685).
 */
#include "redirect_lab.h"

/* ---- the ways of being sent --------------------------------------------------------- */

static void a_call_is_sent_on(void **state)
{
	struct lab *l = lab_with(TUNNEL("", ACCEPT));

	(void)state;
	drain(l, A, ADDR_B);
	assert_int_equal(l->node[A].reply_code, 0);
	assert_string_equal(l->node[A].reply, "gw is drained to " ADDR_B);
	traffic(l);
	lab_run(l, 50);
	assert_only_with(l, ADDR_B);
	assert_int_equal(lab_up(l, A), 0);
	assert_int_equal(lab_up(l, B), 1);
	assert_int_equal(look(l, A).drain_turned, 1);
	assert_int_equal(lab_count(l, CLIENT, "event redirected"), 1);
	lab_free(l);
}

/* Until the child of B is there the one of A carries what there is. */
static void a_standing_peer_goes_without_a_gap(void **state)
{
	struct lab *l = lab_with(TUNNEL("", ACCEPT));

	(void)state;
	traffic(l);
	lab_run(l, 50);
	assert_only_with(l, ADDR_A);
	drain(l, A, ADDR_B);
	for (unsigned i = 0; i < 3000; i++) {
		lab_run(l, 1);
		assert_true(sends_to(l, ADDR_A) || sends_to(l, ADDR_B));
	}
	lab_run(l, 10000);
	assert_only_with(l, ADDR_B);
	assert_int_equal(lab_up(l, A), 0);
	assert_int_equal(look(l, A).drain_told, 1);
	assert_int_equal(look(l, A).drain_gone, 1);
	assert_int_equal(look(l, A).peers_up, 0);
	lab_free(l);
}

/* Traffic that finds no SA meanwhile does not call A again. */
static void traffic_goes_to_where_it_was_sent(void **state)
{
	struct lab *l = lab_with(TUNNEL("", ACCEPT));

	(void)state;
	drain(l, A, ADDR_B);
	for (unsigned i = 0; i < 20; i++) {
		traffic(l);
		lab_run(l, 1);
	}
	lab_run(l, 50);
	assert_only_with(l, ADDR_B);
	assert_int_equal(look(l, A).drain_turned, 1);
	lab_free(l);
}

static bool is_content(const struct peer_view *p, void *ctx)
{
	(void)ctx;
	assert_true(p->state == PEER_UP || p->state == PEER_IDLE);
	return true;
}

/* `vipsec up` calls A, which sends it to where it is already. */
static void who_has_gone_is_sent_there_once_more(void **state)
{
	struct lab *l = lab_with(TUNNEL("", ACCEPT));

	(void)state;
	drain(l, A, ADDR_B);
	for (unsigned i = 0; i < 4; i++) {
		traffic(l);
		lab_command(l, CLIENT, NODE_UP, "host");
		lab_run(l, 1000);
		assert_only_with(l, ADDR_B);
		node_each_peer(l->node[CLIENT].node, is_content, NULL);
	}
	assert_true(look(l, A).drain_turned > 1);
	lab_free(l);
}

/* Ten at once, and fifty a second; all are told, and once. */
static void they_are_told_at_a_pace(void **state)
{
	struct lab *l = lab_many();

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		lab_acquire(l, CLIENT, 0, CLIENT_ADDR, ADDR_A, (uint16_t)(1000 + i));
		lab_run(l, 20);
	}
	lab_run(l, 5000);
	assert_int_equal(look(l, A).peers_up, MANY);
	drain(l, A, ADDR_B);
	assert_int_equal(look(l, A).drain_told, 10);
	lab_run(l, 500);
	assert_in_range(look(l, A).drain_told, 30, 40);
	lab_run(l, 10000);
	assert_int_equal(look(l, A).drain_told, MANY);
	assert_int_equal(look(l, A).peers_up, MANY); /* nobody accepts ADDR_B */
	lab_free(l);
}

/* ---- who does not go ------------------------------------------------------------------ */

static void who_does_not_offer_it_is_served(void **state)
{
	struct lab *l = lab_with(TUNNEL("", ""));

	(void)state;
	drain(l, A, ADDR_B);
	traffic(l);
	lab_run(l, 50);
	assert_only_with(l, ADDR_A);
	assert_int_equal(look(l, A).drain_turned, 0);
	lab_run(l, 5000);
	assert_int_equal(look(l, A).drain_told, 0);
	assert_int_equal(look(l, A).peers_up, 1);
	lab_free(l);
}

static void where_the_rule_does_not_accept_it_stays(void **state)
{
	struct lab *l = lab_with(TUNNEL("", "redirect accept 192.0.2.21;"));

	(void)state;
	drain(l, A, ADDR_B);
	traffic(l);
	lab_run(l, 50);
	assert_only_with(l, ADDR_A);
	assert_int_equal(lab_count(l, CLIENT, "the rule does not accept it"), 1);
	lab_free(l);
}

/* Told while the SA stands: answered, noted, and nothing else. */
static void where_the_rule_does_not_accept_it_stands(void **state)
{
	struct lab *l = lab_with(TUNNEL("", "redirect accept 192.0.2.21;"));

	(void)state;
	traffic(l);
	lab_run(l, 50);
	drain(l, A, ADDR_B);
	lab_run(l, 60000);
	assert_only_with(l, ADDR_A);
	assert_int_equal(look(l, A).drain_told, 1);
	assert_int_equal(look(l, A).drain_gone, 0);
	assert_int_equal(
		lab_count(l, CLIENT, "not gone: the rule does not accept it"), 1);
	lab_free(l);
}

/* ---- nobody is lost --------------------------------------------------------------------- */

/* B does not answer: A is called again, and has to serve. */
static void back_from_a_gateway_that_is_not_there(void **state)
{
	struct lab *l = lab_with(TUNNEL("", ACCEPT));

	(void)state;
	lab_kill(l, B);
	drain(l, A, ADDR_B);
	for (unsigned i = 0; i < 100 && lab_up(l, CLIENT) == 0; i++) {
		traffic(l);
		lab_run(l, 100);
	}
	assert_only_with(l, ADDR_A);
	lab_run(l, 20000);
	assert_only_with(l, ADDR_A);
	lab_free(l);
}

/* B was given up. `vipsec up` means A, and B is not called for ever after:
 *
 *	client                  A          B (dead)
 *	  IKE_SA_INIT -------->
 *	       <-- REDIRECT to B
 *	  IKE_SA_INIT --------------------->	for 8 s
 *	  IKE_SA_INIT, IKE_AUTH ->
 *	  (up)
 */
static void an_order_does_not_call_a_gateway_that_was_given_up(void **state)
{
	struct lab *l = lab_with(TUNNEL("", ACCEPT));

	(void)state;
	lab_kill(l, B);
	drain(l, A, ADDR_B);
	traffic(l);
	lab_run(l, 10000);
	assert_only_with(l, ADDR_A);
	assert_true(lab_count(l, CLIENT, "to " ADDR_B ":500") > 0);
	lab_forget_log(l, CLIENT);
	lab_command(l, CLIENT, NODE_UP, "host");
	assert_string_equal(l->node[CLIENT].reply, "calling 0, up already 1");
	lab_run(l, 20000);
	assert_int_equal(lab_count(l, CLIENT, "to " ADDR_B ":500"), 0);
	assert_only_with(l, ADDR_A);
	lab_free(l);
}

static void with_a_gateway_that_is_not_there_the_old_one_stays(void **state)
{
	struct lab *l = lab_with(TUNNEL("", ACCEPT));

	(void)state;
	traffic(l);
	lab_run(l, 50);
	lab_kill(l, B);
	drain(l, A, ADDR_B);
	for (unsigned i = 0; i < 300; i++) {
		lab_run(l, 100);
		assert_only_with(l, ADDR_A);
	}
	lab_free(l);
}

/* B had taken it, and is lost later: the first that answers has it. */
static void back_when_the_new_gateway_is_lost(void **state)
{
	struct lab *l = lab_with(TUNNEL(
		"tuning { idle-timeout 4s; idle-timeout-failover 4s; }\n", ACCEPT));

	(void)state;
	drain(l, A, ADDR_B);
	traffic(l);
	lab_run(l, 1000);
	assert_only_with(l, ADDR_B);
	lab_kill(l, B);
	struct esp_usage *u = lab_usage(l, CLIENT);
	u->unanswered_since_ms = u->last_out_ms = l->now_ms;
	lab_run(l, 15000);
	assert_only_with(l, ADDR_A);
	start_gateway(l, B);
	lab_run(l, 60000);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	lab_free(l);
}

static void two_that_are_drained_to_each_other(void **state)
{
	struct lab *l = lab_with(TUNNEL("", ACCEPT));

	(void)state;
	drain(l, A, ADDR_B);
	drain(l, B, ADDR_A);
	traffic(l);
	lab_run(l, 10000);
	assert_only_with(l, ADDR_B);
	assert_int_equal(lab_count(l, CLIENT, "event redirected"), 1);
	lab_free(l);
}

/* RFC 5685 7. */
static void a_round_of_three_ends(void **state)
{
	struct lab *l = lab_with(TUNNEL("", ACCEPT));

	(void)state;
	start_gateway(l, C);
	drain(l, A, ADDR_B);
	drain(l, B, ADDR_C);
	drain(l, C, ADDR_A);
	traffic(l);
	lab_run(l, 2000);
	assert_int_equal(lab_count(l, CLIENT, "event redirected"), 5);
	assert_int_equal(lab_up(l, CLIENT), 1);
	lab_run(l, 20000);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	lab_free(l);
}

/* B does not know the client, and C is not there. B is given up while C is still called; when
 * C is given up, too, A is who serves, and neither is called for ever:
 *
 *	client                  A          B          C (dead)
 *	  IKE_SA_INIT -------->
 *	       <-- REDIRECT to B
 *	  IKE_SA_INIT --------------------->
 *	       <---------------- REDIRECT to C
 *	  IKE_SA_INIT -------------------------------->	for 8 s
 *	  (traffic: the same again, until five redirects are enough)
 *	  IKE_SA_INIT, IKE_AUTH ----------->
 *	       <-- AUTHENTICATION_FAILED
 *	  IKE_SA_INIT, IKE_AUTH ->
 *	  (up)
 */
static void a_gateway_that_was_given_up_is_not_gone_back_to(void **state)
{
	struct lab *l = lab_with(TUNNEL("", ACCEPT));

	(void)state;
	lab_kill(l, B);
	lab_start(l, B, GATEWAY_OF(ALONE, ADDR_B, " remote-id \"other.example\""));
	lab_address(l, B, ADDR_B, NODE_ADDR_PRESENT);
	drain(l, A, ADDR_B);
	drain(l, B, ADDR_C);
	for (unsigned i = 0; i < 60 && lab_up(l, CLIENT) == 0; i++) {
		traffic(l);
		lab_run(l, 100);
	}
	assert_only_with(l, ADDR_A);
	lab_run(l, 9000);
	assert_true(lab_count(l, CLIENT, "to " ADDR_C ":500") > 0);
	lab_forget_log(l, CLIENT);
	lab_run(l, 60000);
	assert_int_equal(lab_count(l, CLIENT, "to " ADDR_B), 0);
	assert_int_equal(lab_count(l, CLIENT, "to " ADDR_C), 0);
	assert_only_with(l, ADDR_A);
	lab_free(l);
}

/* ---- transport mode ------------------------------------------------------------------------ */

#define SERVER_AT(addr) SERVER_WITH(ALONE, "address " addr ";")
#define HOSTS(to, redirect)                                        \
	ALONE SECRET "filter-list \"net\" { from me to " to        \
		     " port 143 proto tcp mirrored; }\n" TRANSPORT \
		     RULE(redirect) "assign policy \"p\" to host;\n"

static struct lab *lab_transport(const char *client)
{
	struct lab *l = lab_new();

	lab_start(l, A, SERVER_AT(ADDR_A));
	lab_start(l, CLIENT, client);
	lab_start(l, B, SERVER_AT(ADDR_B));
	lab_address(l, A, ADDR_A, NODE_ADDR_PRESENT);
	lab_address(l, B, ADDR_B, NODE_ADDR_PRESENT);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	return l;
}

static void drain_mail(struct lab *l, unsigned i, const char *to)
{
	struct node_event ev = {.kind = NODE_DRAIN};

	ev.u.command.token = 1;
	ev.u.command.vip = "mail";
	ev.u.command.value = to;
	lab_step(l, i, &ev);
}

/* The filter names A alone: an SA with B would carry nothing. */
static void in_transport_mode_the_filter_must_cover_it(void **state)
{
	struct lab *l = lab_transport(HOSTS(ADDR_A, ACCEPT));

	(void)state;
	drain_mail(l, A, ADDR_B);
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, ADDR_A, 143);
	lab_run(l, 50);
	assert_only_with(l, ADDR_A);
	assert_int_equal(lab_count(l, CLIENT, "in transport mode the rule's filter"), 1);
	lab_free(l);
}

/* It goes; and packets that go on to A are A's to serve. */
static void in_transport_mode_packets_to_the_old_address_are_served(void **state)
{
	struct lab *l = lab_transport(HOSTS("192.0.2.0/24", ACCEPT));

	(void)state;
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, ADDR_A, 143);
	lab_run(l, 50);
	assert_only_with(l, ADDR_A);
	drain_mail(l, A, ADDR_B);
	lab_run(l, 10000);
	assert_only_with(l, ADDR_B);
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, ADDR_A, 143);
	lab_run(l, 10000);
	assert_int_equal(l->node[CLIENT].n_child, 2);
	assert_int_equal(look(l, A).peers_up, 1);
	assert_int_equal(look(l, B).peers_up, 1);
	lab_free(l);
}

/* ---- the words of an operator, and where they hold ------------------------------------------ */

static void undrained_it_serves_again(void **state)
{
	struct lab *l = lab_with(TUNNEL("", ACCEPT));

	(void)state;
	drain(l, A, ADDR_B);
	assert_true(look(l, A).drained);
	drain(l, A, NULL);
	assert_string_equal(l->node[A].reply, "gw is not drained any more");
	assert_false(look(l, A).drained);
	traffic(l);
	lab_run(l, 50);
	assert_only_with(l, ADDR_A);
	drain(l, A, NULL);
	assert_int_equal(l->node[A].reply_code, 0);
	lab_free(l);
}

static void words_that_make_no_sense_are_refused(void **state)
{
	static const char *const bad[] = {"", "gw.example", ADDR_A, "2001:db8::1",
		"192.0.2.20,192.0.2.21", "192.0.2.20,", "192.0.2.20, 2001:db8::1"};
	struct lab *l = lab_with(TUNNEL("", ACCEPT));
	struct node_event ev = {.kind = NODE_DRAIN};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		drain(l, A, bad[i]);
		assert_int_equal(l->node[A].reply_code, 1);
		assert_false(look(l, A).drained);
	}
	ev.u.command.vip = "gw";
	lab_step(l, A, &ev);
	assert_int_equal(l->node[A].reply_code, 1); /* no drain-to */
	ev.u.command.vip = "other";
	lab_step(l, A, &ev);
	assert_string_equal(l->node[A].reply, "no such VIP: other");
	drain(l, A, "192.0.2.20,2001:db8::1");
	assert_int_equal(l->node[A].reply_code, 0);
	lab_free(l);
}

static void the_configuration_can_say_where_to(void **state)
{
	struct lab *l = lab_new();
	struct node_event ev = {.kind = NODE_DRAIN};

	(void)state;
	lab_start(l, A, SERVER_WITH(ALONE, "address 192.0.2.10; drain-to 192.0.2.20;"));
	ev.u.command.vip = "mail";
	lab_step(l, A, &ev);
	assert_string_equal(l->node[A].reply, "mail is drained to 192.0.2.20");
	lab_free(l);
}

#define MEMBER GATEWAY_IN(WEB, ADDR_A)

/* Members A and C; B is the gateway beside them. */
static struct lab *lab_cluster(void)
{
	struct lab *l = lab_new();

	lab_start(l, A, MEMBER);
	lab_start(l, C, MEMBER);
	lab_start(l, CLIENT, TUNNEL("", ACCEPT));
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	start_gateway(l, B);
	lab_group(l, 1u << A | 1u << C);
	lab_run(l, 10);
	return l;
}

static void every_member_knows_and_a_restart_does_not_forget(void **state)
{
	struct lab *l = lab_cluster();

	(void)state;
	drain(l, C, ADDR_B); /* which does not even have it */
	lab_run(l, 10);
	assert_true(look(l, A).drained);
	lab_kill(l, A);
	lab_restart(l, A, MEMBER);
	assert_true(look(l, A).drained);
	lab_group(l, 1u << A | 1u << C);
	lab_run(l, 10);
	drain(l, A, NULL);
	lab_run(l, 10);
	assert_false(look(l, C).drained);
	lab_free(l);
}

/* What was said while a member was away is the later word. */
static void who_was_away_learns_it(void **state)
{
	struct lab *l = lab_cluster();

	(void)state;
	drain(l, A, ADDR_B);
	lab_run(l, 10);
	lab_kill(l, C);
	lab_group(l, 1u << A);
	drain(l, A, NULL);
	lab_run(l, 10);
	lab_restart(l, C, MEMBER);
	assert_true(look(l, C).drained);
	lab_group(l, 1u << A | 1u << C);
	lab_run(l, 10);
	assert_false(look(l, C).drained);
	assert_false(look(l, A).drained);
	lab_free(l);
}

/* The VIP moves while it is drained and its peer cannot go: the new owner calls it. When it
 * can, it is told there, though the cluster has called it. */
static void a_moved_vip_is_still_drained(void **state)
{
	struct lab *l = lab_cluster();

	(void)state;
	lab_address(l, A, ADDR_A, NODE_ADDR_PRESENT);
	lab_run(l, 10);
	traffic(l);
	lab_run(l, 100);
	assert_only_with(l, ADDR_A);
	lab_kill(l, B);
	drain(l, A, ADDR_B);
	lab_run(l, 30000);
	lab_kill(l, A);
	lab_group(l, 1u << C);
	lab_address(l, C, ADDR_A, NODE_ADDR_PRESENT);
	start_gateway(l, B);
	lab_run(l, 10000);
	assert_true(look(l, C).drained);
	assert_int_equal(look(l, C).drain_told, 1);
	assert_only_with(l, ADDR_B);
	assert_int_equal(look(l, C).peers_up, 0);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_sent_on),
		cmocka_unit_test(a_standing_peer_goes_without_a_gap),
		cmocka_unit_test(traffic_goes_to_where_it_was_sent),
		cmocka_unit_test(who_has_gone_is_sent_there_once_more),
		cmocka_unit_test(they_are_told_at_a_pace),
		cmocka_unit_test(who_does_not_offer_it_is_served),
		cmocka_unit_test(where_the_rule_does_not_accept_it_stays),
		cmocka_unit_test(where_the_rule_does_not_accept_it_stands),
		cmocka_unit_test(back_from_a_gateway_that_is_not_there),
		cmocka_unit_test(an_order_does_not_call_a_gateway_that_was_given_up),
		cmocka_unit_test(with_a_gateway_that_is_not_there_the_old_one_stays),
		cmocka_unit_test(back_when_the_new_gateway_is_lost),
		cmocka_unit_test(two_that_are_drained_to_each_other),
		cmocka_unit_test(a_round_of_three_ends),
		cmocka_unit_test(a_gateway_that_was_given_up_is_not_gone_back_to),
		cmocka_unit_test(in_transport_mode_the_filter_must_cover_it),
		cmocka_unit_test(in_transport_mode_packets_to_the_old_address_are_served),
		cmocka_unit_test(undrained_it_serves_again),
		cmocka_unit_test(words_that_make_no_sense_are_refused),
		cmocka_unit_test(the_configuration_can_say_where_to),
		cmocka_unit_test(every_member_knows_and_a_restart_does_not_forget),
		cmocka_unit_test(who_was_away_learns_it),
		cmocka_unit_test(a_moved_vip_is_still_drained),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
