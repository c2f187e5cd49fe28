/* tests/unit/test_node_childless.c - IKE SAs that begin without a child (RFC 6023), as an
 * operator has them by "childless force".
 */
#include "node_lab.h"

#include "node_conf.h"

enum { SERVER, CLIENT };

#define FORCE "filter-action \"esp\" { negotiate require; childless force; pfs yes; }\n"
#define CLIENT_TO(port, action)                                                \
	ALONE SECRET "filter-list \"mail\" { from me to 192.0.2.10 port " port \
		     " proto tcp mirrored; }\n" action POLICY("host")

static struct lab *two(const char *client)
{
	struct lab *l = lab_new();

	lab_start(l, SERVER, SERVER_CONF);
	lab_start(l, CLIENT, client);
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	return l;
}

static void want(struct lab *l, uint16_t port)
{
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, port);
}

/* Packets that come while the child is asked for do not ask for another. */
static void traffic_makes_one_ike_sa_and_one_child(void **state)
{
	struct lab *l = two(CLIENT_TO("143", FORCE));

	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		want(l, 143);
		lab_run(l, 1);
	}
	assert_int_equal(lab_up(l, CLIENT), 1);
	assert_int_equal(lab_up(l, SERVER), 1);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	assert_int_equal(lab_count(l, CLIENT, "exchange 34"), 1);
	assert_int_equal(lab_count(l, CLIENT, "exchange 35"), 1);
	assert_int_equal(lab_count(l, CLIENT, "exchange 36"), 1);
	assert_int_equal(lab_count(l, SERVER, "an IKE SA without a child (the peer"), 1);
	lab_free(l);
}

/* IKE_AUTH is answered, and then nothing comes from the client any more. */
static struct lab *silent_after_auth(void)
{
	struct lab *l = two(CLIENT_TO("143", FORCE));

	want(l, 143);
	for (unsigned i = 0; i < 50 && !lab_count(l, SERVER, "IKE SA without a child");
		i++)
		lab_run(l, 1);
	l->cut = true;
	lab_run(l, 10);
	assert_int_equal(lab_up(l, SERVER), 0);
	return l;
}

/* Nobody needs it: it goes as an idle one does, and nobody has failed. */
static void idle_without_a_child_it_goes(void **state)
{
	struct lab *l = silent_after_auth();

	(void)state;
	lab_kill(l, CLIENT);
	lab_run(l, 3500 * 1000);
	assert_int_equal(lab_count(l, SERVER, "ike-down"), 0);
	lab_run(l, 200 * 1000);
	assert_int_equal(lab_count(l, SERVER, "no traffic for the idle lifetime"), 1);
	assert_int_equal(lab_count(l, SERVER, "peer-failed"), 0);
	lab_free(l);
}

/* `vipsec up` on the other side makes the child in it. */
static void up_asks_for_a_child_in_it(void **state)
{
	struct lab *l = silent_after_auth();

	(void)state;
	lab_command(l, SERVER, NODE_UP, "mail");
	lab_run(l, 900); /* not at once: the client is expected to ask */
	assert_int_equal(lab_count(l, SERVER, "exchange 36"), 0);
	lab_run(l, 700);
	assert_int_equal(lab_count(l, SERVER, "exchange 36"), 2); /* asked, and again */
	l->cut = false;
	lab_run(l, 2000);
	assert_int_equal(lab_count(l, SERVER, "exchange 34"), 1); /* its answer */
	assert_int_equal(lab_up(l, SERVER), 1);
	assert_int_equal(lab_up(l, CLIENT), 1);
	lab_free(l);
}

/* The answer to CREATE_CHILD_SA never comes: as good as a call without an answer. */
static void a_child_that_does_not_come_is_given_up(void **state)
{
	struct lab *l = two(CLIENT_TO("143", FORCE));

	(void)state;
	want(l, 143);
	for (unsigned i = 0; i < 50 && !lab_count(l, CLIENT, "IKE SA without a child");
		i++)
		lab_run(l, 1);
	l->cut = true;
	lab_run(l, 8100);
	assert_int_equal(lab_count(l, CLIENT, "event ike-down"), 1);
	assert_int_equal(lab_count(l, CLIENT, "event peer-failed"), 1);
	l->cut = false;
	want(l, 143);
	lab_run(l, 2000);
	assert_int_equal(lab_up(l, CLIENT), 1);
	lab_free(l);
}

/* The same in an IKE SA that has stood for a while, with nobody at its other end. */
static void one_that_is_asked_for_later_is_given_up_too(void **state)
{
	struct lab *l = silent_after_auth();

	(void)state;
	lab_kill(l, CLIENT);
	lab_run(l, 10000);
	lab_command(l, SERVER, NODE_UP, "mail");
	lab_run(l, 7000);
	assert_int_not_equal(lab_count(l, SERVER, "exchange 36"), 0);
	assert_int_equal(lab_count(l, SERVER, "event ike-down"), 0);
	lab_run(l, 1500);
	assert_int_equal(lab_count(l, SERVER, "event ike-down"), 1);
	assert_int_equal(lab_count(l, SERVER, "event peer-failed"), 1);
	lab_run(l, 1000); /* and it is called anew */
	assert_int_not_equal(lab_count(l, SERVER, "exchange 34"), 1);
	lab_free(l);
}

/* The server's rule has another port. Told once a try, and no IKE SA is left. */
static void a_refused_child_is_a_failed_call(void **state)
{
	struct lab *l = two(CLIENT_TO("110", FORCE));

	(void)state;
	want(l, 110);
	lab_run(l, 1000);
	assert_int_equal(lab_count(l, CLIENT, "event peer-failed"), 1);
	assert_int_equal(lab_count(l, CLIENT, "no matching selectors"), 1);
	assert_int_equal(lab_count(l, CLIENT, "event ike-down"), 1);
	assert_int_equal(lab_count(l, SERVER, "event ike-down"), 1);
	lab_run(l, 3000); /* and it is called again */
	assert_int_equal(lab_count(l, CLIENT, "exchange 34"), 2);
	lab_free(l);
}

/* One rule of the VIP forbids it: it is offered to nobody, and who must cannot. */
static void one_rule_that_forbids_it_is_enough(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	lab_start(l, SERVER,
		ALONE
		"vip \"mail\" { address 192.0.2.10; }\n" SECRET TRANSPORT
		"filter-list \"mail\" { from vip \"mail\" port 143 to any proto tcp "
		"mirrored; }\n"
		"filter-list \"web\" { from vip \"mail\" port 80 to any proto tcp "
		"mirrored; }\n"
		"filter-action \"no\" { negotiate require; childless no; }\n"
		"policy \"p\" { rule \"mail\" { match \"mail\"; action \"esp\"; auth "
		"psk \"lab\"; } rule \"web\" { match \"web\"; action \"no\"; auth psk "
		"\"lab\"; } }\nassign policy \"p\" to vip \"mail\";\n");
	lab_start(l, CLIENT, CLIENT_TO("143", FORCE));
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	want(l, 143);
	lab_run(l, 9000);
	assert_int_equal(lab_up(l, CLIENT), 0);
	assert_true(lab_count(l, CLIENT, "childless force here") >= 1);
	lab_free(l);
}

#define SERVER_RULE(name, port)                                                        \
	"filter-list \"" name "\" { from vip \"mail\" port " port " to any proto tcp " \
	"mirrored; }\n"
#define SERVER_TWO                                                                   \
	ALONE "vip \"mail\" { address 192.0.2.10; }\n" SECRET TRANSPORT SERVER_RULE( \
		"pop", "110")                                                        \
		SERVER_RULE("mail", "143") "policy \"p\" { rule \"pop\" { "          \
					   "match \"pop\"; action \"esp\"; "         \
					   "auth psk \"lab\"; } rule "               \
					   "\"mail\" { match \"mail\"; "             \
					   "action \"esp\"; auth psk "               \
					   "\"lab\"; } }\nassign policy \"p\" "      \
					   "to vip \"mail\";\n"

static bool keep_rule(const struct ike_info *sa, void *ctx)
{
	*(uint32_t *)ctx = sa->rule;
	return true;
}

/* Two rules believe the caller, and it is counted to the first: its child says that it is
 * the other one's. Nobody is left who could be called for the first. */
static void the_first_child_says_whose_it_is(void **state)
{
	struct lab *l = lab_new();
	uint32_t rule = 0;

	(void)state;
	lab_start(l, SERVER, SERVER_TWO);
	lab_start(l, CLIENT, CLIENT_TO("143", FORCE));
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	want(l, 143);
	lab_run(l, 100);
	assert_int_equal(lab_count(l, SERVER, "rule pop: an IKE SA without a child"), 1);
	assert_int_equal(lab_up(l, SERVER), 1);
	assert_string_equal(lab_peer(l, SERVER).rule_name, "mail");
	node_each_ike(l->node[SERVER].node, keep_rule, &rule);
	assert_int_equal(rule, 1);
	lab_command(l, SERVER, NODE_UP, "mail");
	lab_run(l, 3000);
	assert_string_equal(l->node[SERVER].reply, "calling 0, up already 1");
	assert_int_equal(lab_count(l, SERVER, "event peer-failed"), 0);
	lab_command(l, SERVER, NODE_DOWN, "mail"); /* its session is with that peer */
	lab_run(l, 100);
	assert_int_equal(lab_up(l, CLIENT), 0);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(traffic_makes_one_ike_sa_and_one_child),
		cmocka_unit_test(idle_without_a_child_it_goes),
		cmocka_unit_test(up_asks_for_a_child_in_it),
		cmocka_unit_test(a_child_that_does_not_come_is_given_up),
		cmocka_unit_test(one_that_is_asked_for_later_is_given_up_too),
		cmocka_unit_test(a_refused_child_is_a_failed_call),
		cmocka_unit_test(one_rule_that_forbids_it_is_enough),
		cmocka_unit_test(the_first_child_says_whose_it_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
