/* tests/unit/test_node_reauth.c - IKE SAs and children that take each other's place: nothing is
 * sent where the other side does not receive (RFC 7296 2.8, 2.8.3; src/node/child.c,
 * sibling.c, idle.c).
 */
#include "node_rules.h"

#include "base/iana.h"

#include <stdio.h>
#include <stdlib.h>

enum { GRACE_MS = 2000, EXCHANGE_AT = 18, FLAGS_AT = 19, FLAG_RESPONSE = 0x20 };

/* Datagrams that do not arrive. */
struct lost {
	unsigned from;
	uint8_t exchange;
	bool responses;
	bool on;
};

static bool loses(const struct lost *o, unsigned from, const uint8_t *bytes)
{
	return o->on && from == o->from && bytes[EXCHANGE_AT] == o->exchange &&
	       !(bytes[FLAGS_AT] & FLAG_RESPONSE) == !o->responses;
}

/* filter_ctx: two of them. */
static bool lose(struct lab *l, unsigned from, const struct ike_path *path)
{
	const struct lost *o = l->filter_ctx;

	(void)path;
	return !loses(&o[0], from, l->leaving.at) && !loses(&o[1], from, l->leaving.at);
}

static void set_losses(struct lab *l, struct lost o[2])
{
	l->filter = lose;
	l->filter_ctx = o;
}

static void use(struct lab *l, struct lab_child *c)
{
	c->usage.last_in_ms = c->usage.last_out_ms = l->now_ms;
	c->usage.bytes_out += 100;
	c->usage.packets_out++;
}

struct search {
	uint32_t id;
	bool found;
};

static bool search_child(const struct child_view *v, void *ctx)
{
	struct search *s = ctx;

	s->found = s->found || v->child.id == s->id;
	return true;
}

/* The node has it, and has not only left it to the data path to receive on. */
static bool is_held(struct lab *l, unsigned i, uint32_t id)
{
	struct search s = {.id = id};

	node_each_child(l->node[i].node, search_child, &s);
	return s.found;
}

/* A packet of each rule each way, each 100 ms, and it arrives. */
static void all_send_for(struct lab *l, unsigned rules, uint64_t ms)
{
	for (uint64_t end = l->now_ms + ms; l->now_ms < end; lab_run(l, 100))
		for (unsigned i = SERVER; i <= CLIENT; i++)
			for (uint32_t rule = 0; rule < rules; rule++) {
				struct lab_child *c = lab_sender(l, i, rule);

				assert_non_null(c); /* there is always one */
				assert_true(is_held(l, i, c->c.id));
				assert_true(lab_receives(l, 1 - i, c->c.spi_out));
				use(l, c);
			}
}

static uint64_t time_of(struct lab *l, unsigned i, const char *text, unsigned nth)
{
	const struct lab_node *m = &l->node[i];
	int line = lab_line(l, i, text, nth);
	const char *at = m->log;

	assert_true(line >= 0);
	while (line-- > 0)
		at = strchr(at, '\n') + 1;
	return strtoull(at, NULL, 10);
}

static void rekey(struct lab *l, unsigned i, const char *rule)
{
	struct node_event ev = {.kind = NODE_REKEY};

	ev.u.command.token = 1;
	ev.u.command.key = "child";
	ev.u.command.rule = rule;
	lab_step(l, i, &ev);
}

/* ---- reauthentication with several rules --------------------------------------------------- */

static void assert_all_moved(struct lab *l)
{
	for (unsigned i = SERVER; i <= CLIENT; i++) {
		assert_int_equal(lab_up(l, i), 3);
		assert_int_equal(l->node[i].n_child, 3);
		assert_int_equal(lab_count(l, i, "event ike-down"), 1);
		assert_int_equal(lab_count(l, i, "selectors-taken"), 0);
	}
	/* two IKE SAs in all; requests and responses */
	assert_int_equal(
		lab_count(l, CLIENT, "exchange 34") + lab_count(l, SERVER, "exchange 34"),
		4);
}

/*	client                            server
 *	IKE_SA_INIT, IKE_AUTH  -->                   the first rule's child
 *	                       <--  ...
 *	CREATE_CHILD_SA        -->                   and those of the others,
 *	                       <--  ...
 *	D(the old IKE SA)      -->                   before theirs go
 */
static void reauthentication_takes_all_rules_along(void **state)
{
	struct lab *l = three_rules(SERVER3(TRANSPORT),
		CLIENT3(ACTION("reauth 10m; lifetime child 30d;", "")));

	(void)state;
	all_send_for(l, 3, 600000);
	assert_all_moved(l);
	lab_free(l);
}

/* The same, begun by the side that has not called. What the client had asked for as further
 * children it knows by the server's name: they are no stranger's. */
static void the_other_side_may_begin_it(void **state)
{
	struct lab *l =
		three_rules(SERVER3(ACTION("reauth 10m; lifetime child 30d;", "")),
			CLIENT3(TRANSPORT));

	(void)state;
	all_send_for(l, 3, 600000);
	assert_all_moved(l);
	lab_free(l);
}

static void assert_received_on(struct lab *l, unsigned i, unsigned children)
{
	uint64_t over = time_of(l, i, "event ike-down", 0) + GRACE_MS;

	for (unsigned k = 0; k < children; k++)
		assert_in_range(time_of(l, i, "sa-delete", k), over - 10, over + 10);
}

/*	client                            server
 *	IKE_SA_INIT, IKE_AUTH  -->
 *	                       <--  ...
 *	D(the old IKE SA)      -->  {...}            both receive on its child
 *	                       <--  {}               for two seconds more
 */
static void what_goes_with_its_ike_sa_is_received_on_for_a_moment(void **state)
{
	struct lab *l = three_rules(SERVER3(TRANSPORT),
		CLIENT3(ACTION("reauth 10m; lifetime child 30d;", "")));

	(void)state;
	all_send_for(l, 3, 600000);
	assert_received_on(l, SERVER, 3);
	assert_received_on(l, CLIENT, 3);
	lab_free(l);
}

/*	client                            server
 *	IKE_SA_INIT, IKE_AUTH  -->
 *	                       <--  ...
 *	                 lost  <--  {}               are you there? Until it knows, the
 *	D(the old IKE SA)      -->  {...}            server has not replaced the old one
 *	                       <--  {}
 */
static void what_the_peer_deletes_is_received_on_for_a_moment(void **state)
{
	struct lab *l = two(SERVER3(TRANSPORT),
		CLIENT3(ACTION("reauth 10m; lifetime child 30d;", "")));
	struct lost o[2] = {{SERVER, INFORMATIONAL, false, true}, {0}};

	(void)state;
	want(l, 143);
	all_send_for(l, 1, 470000);
	set_losses(l, o);
	while (lab_count(l, SERVER, "event ike-down") == 0)
		all_send_for(l, 1, 100);
	assert_int_equal(lab_count(l, SERVER, "the peer deleted it"), 1);
	o[0].on = false;
	all_send_for(l, 1, 10000);
	assert_received_on(l, SERVER, 1);
	lab_free(l);
}

/* Both sides' times are near to each other: whoever is later has the newer one by then.
 * stays: the client's Deletes are lost, and the older one is there for some seconds more. */
static void renewed_once(const char *server, const char *client_action, bool stays)
{
	struct lost o[2] = {{CLIENT, INFORMATIONAL, false, stays}, {0}};
	char client[4096];

	snprintf(client, sizeof(client),
		ALONE SECRET "%s" THEIRS("mail", "143") "policy \"p\" { " USE(
			"mail") " }\nassign policy \"p\" to host;\n",
		client_action);
	struct lab *l = two(server, client);
	want(l, 143);
	set_losses(l, o);
	lab_run(l, 105000);
	assert_int_equal(
		lab_count(l, CLIENT, "exchange 34") + lab_count(l, SERVER, "exchange 34"),
		4);
	lab_free(l);
}

static void what_was_replaced_is_not_reauthenticated(void **state)
{
	char action[256];

	(void)state;
	for (unsigned tenths = 1000; tenths < 1120; tenths += 5) {
		snprintf(action, sizeof(action), ACTION("reauth %u00ms;", ""), tenths);
		renewed_once(SERVER3(ACTION("reauth 100s;", "")), action, false);
	}
}

/* With master key PFS new keys come with a new IKE SA. */
static void nor_are_its_children_renewed(void **state)
{
	char action[256];

	(void)state;
	for (unsigned tenths = 1000; tenths < 1120; tenths += 5) {
		snprintf(action, sizeof(action),
			ACTION("lifetime child %u00ms;", "pfs master;"), tenths);
		renewed_once(SERVER3(ACTION("lifetime child 100s;", "pfs master;")),
			action, true);
	}
}

#define KEYS(name, suite)                                                              \
	"proposal \"" name "\" { ike " suite "; esp aes128gcm16; reauth 100s; "        \
	"lifetime child 30d; }\nfilter-action \"" name "\" { negotiate require; mode " \
	"transport; childless force; proposal \"" name "\"; }\n"
#define BY(name)                                                                 \
	"rule \"" name "\" { match \"" name "\"; action \"" name "\"; auth psk " \
	"\"lab\"; }"

/* Two rules, and an IKE SA for each, since their algorithms differ. Whose IKE SA it is that
 * begins without a child the server can only guess: it counts both to "pop".
 *
 *	client                            server
 *	IKE_SA_INIT, IKE_AUTH  -->                   another one for "pop"
 *	CREATE_CHILD_SA        -->                   and its child, which the server
 *	                       <--  ...              need not ask for elsewhere
 *	D(the old IKE SA)      -->
 */
static void what_the_new_ike_sa_carries_is_not_asked_for_in_a_third(void **state)
{
	struct lab *l = two(ALONE
		"tuning { idle-timeout 4s; idle-timeout-failover 4s; }\n"
		"vip \"mail\" { address 192.0.2.10; }\n" SECRET ACTION(
			"ike aes128gcm16-sha256-x25519, aes256gcm16-sha384-ecp384; "
			"esp aes128gcm16;",
			"") OURS("mail", "143")
			OURS("pop", "110") "policy \"p\" { " USE("mail")
				USE("pop") " }\nassign policy \"p\" to vip \"mail\";\n",
		ALONE SECRET KEYS("mail", "aes256gcm16-sha384-ecp384")
			KEYS("pop", "aes128gcm16-sha256-x25519") THEIRS("mail", "143")
				THEIRS("pop", "110") "policy \"p\" { " BY("mail")
					BY("pop") " }\nassign policy \"p\" to host;\n");

	(void)state;
	want(l, 110);
	lab_run(l, 5000);
	want(l, 143);
	assert_int_equal(lab_up(l, SERVER), 2);
	assert_int_equal(lab_count(l, SERVER, "rule pop: an IKE SA without a child"), 2);
	lab_run(l, 110000);
	assert_int_equal(lab_count(l, SERVER, "event ike-down"), 2);
	assert_int_equal(lab_count(l, CLIENT, "exchange 36 response"), 0);
	assert_int_equal(l->node[SERVER].n_child, 2);
	lab_free(l);
}

/*	client                            server
 *	IKE_SA_INIT, IKE_AUTH  -->                   it guesses: for "web"
 *	                       <--  ...
 *	CREATE_CHILD_SA        -->                   no, for "mail"
 *	                       <--  ...
 *	                       <--  IKE_SA_INIT ...  and reauthenticates for that
 */
static void what_began_without_a_child_is_renewed_for_the_one_that_came(void **state)
{
	struct lab *l = two(
		SERVER3(ACTION("reauth 100s; lifetime child 30d;", "childless force;")),
		CLIENT3(ACTION("lifetime child 30d;", "childless force;")));

	(void)state;
	want(l, 143);
	assert_int_equal(lab_count(l, SERVER, "rule web: an IKE SA without a child"), 1);
	assert_int_equal(lab_count(l, SERVER, "rule mail: protected"), 1);
	all_send_for(l, 1, 110000);
	assert_int_equal(lab_count(l, SERVER, "without a child (we called)"), 1);
	assert_int_equal(lab_count(l, SERVER, "rule mail: protected"), 2);
	assert_int_equal(lab_count(l, SERVER, "rule web: protected"), 0);
	assert_int_equal(l->node[SERVER].n_child, 1);
	lab_free(l);
}

/* ---- what the peer may not have is not sent on ----------------------------------------------- */

/*	client                            server
 *	IKE_SA_INIT, IKE_AUTH  -->
 *	                 lost  <--  ...              the client does not have the child
 *	IKE_AUTH               -->                   again and again
 *	                       <--  ...
 */
static void an_answer_that_may_be_lost_is_waited_for(void **state)
{
	struct lab *l = three_rules(SERVER3(TRANSPORT),
		CLIENT3(ACTION("reauth 10m; lifetime child 30d;", "")));
	struct lost o[2] = {{SERVER, IKE_AUTH, true, true}, {0}};

	(void)state;
	set_losses(l, o);
	uint32_t first = lab_sender(l, SERVER, 0)->c.id;
	while (l->node[SERVER].n_child == 3)
		all_send_for(l, 3, 100);
	all_send_for(l, 3, 4000);
	assert_int_equal(l->node[SERVER].n_child, 4);
	assert_int_equal(lab_sender(l, SERVER, 0)->c.id, first);
	o[0].on = false;
	all_send_for(l, 3, 20000);
	assert_int_not_equal(lab_sender(l, SERVER, 0)->c.id, first);
	lab_free(l);
}

/*	client                            server
 *	IKE_SA_INIT, IKE_AUTH  -->                   B, in the place of A's IKE SA
 *	                       <--  ...
 *	D(A's IKE SA)          --> lost              A is not received on any more
 *	N(REKEY_SA), ...       -->                   B is rekeyed as C
 *	                       <--  ...
 *	D(B)                   -->                   the client has C, perhaps not A
 */
static void after_a_delete_what_is_older_is_not_sent_on(void **state)
{
	struct lab *l = two(SERVER3(TRANSPORT),
		CLIENT3(ACTION("reauth 100s; lifetime child 30d;", "")));
	struct lost o[2] = {{CLIENT, INFORMATIONAL, false, true}, {0}};

	(void)state;
	want(l, 143);
	uint32_t a = lab_sender(l, SERVER, 0)->c.id;
	all_send_for(l, 1, 79000);
	set_losses(l, o);
	while (l->node[CLIENT].n_child == 1)
		all_send_for(l, 1, 100);
	while (l->node[CLIENT].n_child == 2)
		all_send_for(l, 1, 100);
	assert_true(is_held(l, SERVER, a));
	o[0].on = false;
	rekey(l, CLIENT, "mail");
	all_send_for(l, 1, 1000);
	assert_true(is_held(l, SERVER, a));
	assert_int_equal(lab_count(l, SERVER, "event child-rekeyed"), 1);
	all_send_for(l, 1, 20000);
	assert_int_equal(l->node[SERVER].n_child, 1);
	lab_free(l);
}

/*	client                            server
 *	N(REKEY_SA), ...       -->                   A is rekeyed as B
 *	                       <--  ...
 *	D(A)                   --> lost
 *	IKE_SA_INIT, IKE_AUTH  -->                   C, in another IKE SA
 *	                 lost  <--  ...
 *	D(A)                   -->                   the client has B, perhaps not C
 */
static void after_a_delete_what_was_rekeyed_is_sent_on(void **state)
{
	struct lab *l = three_rules(SERVER3(TRANSPORT),
		CLIENT3(ACTION("reauth 100s; lifetime child 30d;", "")));
	struct lost o[2] = {
		{CLIENT, INFORMATIONAL, false, true}, {SERVER, IKE_AUTH, true, true}};

	(void)state;
	uint32_t a = lab_sender(l, SERVER, 0)->c.id;
	all_send_for(l, 3, 79000);
	set_losses(l, o);
	rekey(l, CLIENT, "mail");
	lab_run(l, 50);
	assert_int_equal(l->node[SERVER].n_child, 4);
	uint32_t b = l->node[SERVER].child[3].c.id;
	while (l->node[SERVER].n_child == 4)
		all_send_for(l, 3, 10);
	assert_int_equal(lab_sender(l, SERVER, 0)->c.id, a);
	o[0].on = false;
	all_send_for(l, 3, 5000);
	assert_int_equal(lab_sender(l, SERVER, 0)->c.id, b);
	o[1].on = false;
	all_send_for(l, 3, 20000);
	assert_int_not_equal(lab_sender(l, SERVER, 0)->c.id, b);
	lab_free(l);
}

/*	client                     server
 *	IKE_SA_INIT  -->  <--  IKE_SA_INIT           with master key PFS, both want new keys
 *	        ...                                  two new IKE SAs, and children
 *	D  -->                                       of the one that loses, by whoever made it
 */
static void what_loses_is_not_sent_on_while_it_wanes(void **state)
{
	struct lab *l = three_rules(
		SERVER3(ACTION("", "pfs master;")), CLIENT3(ACTION("", "pfs master;")));

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		rekey(l, SERVER, "mail");
		rekey(l, CLIENT, "mail");
		all_send_for(l, 3, 20000);
		assert_int_equal(l->node[SERVER].n_child, 3);
		assert_int_equal(l->node[CLIENT].n_child, 3);
	}
	assert_true(lab_count(l, SERVER, "exchange 34") >= 2 * 20);
	lab_free(l);
}

/* ---- a further child that both want ----------------------------------------------------------- */

static struct lab *first_of_three(void)
{
	struct lab *l = two(SERVER3(TRANSPORT), CLIENT3(TRANSPORT));

	want(l, 143);
	assert_int_equal(lab_up(l, CLIENT), 1);
	return l;
}

static void acquire_pop(struct lab *l, unsigned i)
{
	const struct flow answer = {.local = unit_addr(VIP),
		.remote = unit_addr(CLIENT_ADDR),
		.proto = IP_TCP,
		.ports_known = true,
		.local_port = 110,
		.remote_port = 40000};

	if (i == CLIENT)
		lab_acquire(l, CLIENT, 0, CLIENT_ADDR, VIP, 110);
	else
		lab_acquire_flow(l, SERVER, 0, &answer);
}

/*	client                          server
 *	N(REKEY_SA), ...  -->                        the client's window is taken
 *	            lost  <--  ...
 *	                  <--  SA, Ni, TSi, TSr      what it wants to ask for, too
 *	SA, Nr, TSi, TSr  -->
 *	N(REKEY_SA), ...  -->                        again
 *	                  <--  ...
 *	D(...)            -->                        and nothing else is asked for
 */
static void what_the_peer_has_made_is_not_asked_for(void **state)
{
	struct lab *l = first_of_three();
	struct lost o[2] = {{SERVER, CREATE_CHILD_SA, true, true}, {0}};
	struct node_event down = {.kind = NODE_DOWN};

	(void)state;
	all_send_for(l, 1, 10000);
	set_losses(l, o);
	rekey(l, CLIENT, "mail");
	lab_run(l, 20);
	acquire_pop(l, CLIENT);
	lab_run(l, 20);
	acquire_pop(l, SERVER);
	lab_run(l, 20);
	o[0].on = false;
	lab_run(l, 10000);
	assert_int_equal(l->node[CLIENT].n_child, 2);
	assert_int_equal(l->node[SERVER].n_child, 2);
	assert_int_equal(lab_count(l, CLIENT, "event child-up"), 2);
	/* and nobody still waits for an answer: it can be called again */
	down.u.command.token = 1;
	down.u.command.rule = "pop";
	lab_step(l, SERVER, &down);
	lab_run(l, 5000);
	assert_int_equal(lab_up(l, CLIENT), 1);
	acquire_pop(l, CLIENT);
	lab_run(l, 1000);
	assert_int_equal(lab_up(l, CLIENT), 2);
	assert_int_equal(lab_count(l, CLIENT, "exchange 34"), 1);
	lab_free(l);
}

/*	client                          server
 *	SA, Ni, TSi, TSr  --> <--  SA, Ni, TSi, TSr
 *	SA, Nr, TSi, TSr  --> <--  SA, Nr, TSi, TSr
 *	one deletes its own, which is still received on for two seconds
 */
static void of_two_that_crossed_one_is_received_on_for_a_moment(void **state)
{
	struct lab *l = first_of_three();
	uint32_t sent_on[2];

	(void)state;
	all_send_for(l, 1, 10000);
	acquire_pop(l, CLIENT);
	acquire_pop(l, SERVER);
	lab_run(l, 20);
	for (unsigned i = SERVER; i <= CLIENT; i++) {
		assert_int_equal(lab_up(l, i), 2);
		assert_int_equal(l->node[i].n_child, 3);
		sent_on[i] = lab_sender(l, i, 1)->c.id;
	}
	all_send_for(l, 2, GRACE_MS - 100);
	for (unsigned i = SERVER; i <= CLIENT; i++)
		assert_int_equal(l->node[i].n_child, 3);
	all_send_for(l, 2, 300);
	for (unsigned i = SERVER; i <= CLIENT; i++) {
		assert_int_equal(l->node[i].n_child, 2);
		assert_int_equal(lab_sender(l, i, 1)->c.id, sent_on[i]);
	}
	lab_free(l);
}

/*	client                          server
 *	IKE_SA_INIT  -->  <--  ...              in the place of the IKE SA that stands
 *	SA, Ni, TSi, TSr  -->                   in that one, for "pop"
 *	            lost  <--  ...
 *	IKE_AUTH     -->  <--  ...              the new one carries "mail", and wins
 *	SA, Ni, TSi, TSr  -->                   again
 *	                  <--  ...              what loses now carries "pop" alone
 *	SA, Ni, TSi, TSr  -->                   in the new one
 *	                  <--  ...
 *	D(the old IKE SA) -->
 */
static void what_comes_late_in_the_loser_is_asked_for_in_the_winner(void **state)
{
	struct lab *l = two(SERVER3(TRANSPORT),
		CLIENT3(ACTION("reauth 100s; lifetime child 30d;", "")));
	struct lost o[2] = {{SERVER, CREATE_CHILD_SA, true, true}, {0}};

	(void)state;
	want(l, 143);
	all_send_for(l, 1, 79000);
	while (lab_count(l, CLIENT, "exchange 34") == 1)
		lab_run(l, 1);
	set_losses(l, o);
	acquire_pop(l, CLIENT);
	all_send_for(l, 1, 300);
	assert_int_equal(l->node[SERVER].n_child, 3);
	assert_int_equal(l->node[CLIENT].n_child, 2);
	o[0].on = false;
	while (l->node[CLIENT].n_child == 2)
		lab_run(l, 10);
	all_send_for(l, 2, 20000);
	for (unsigned i = SERVER; i <= CLIENT; i++) {
		assert_int_equal(lab_count(l, i, "event ike-down"), 1);
		assert_int_equal(l->node[i].n_child, 2);
	}
	assert_int_equal(lab_count(l, CLIENT, "exchange 34"), 2);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reauthentication_takes_all_rules_along),
		cmocka_unit_test(the_other_side_may_begin_it),
		cmocka_unit_test(what_goes_with_its_ike_sa_is_received_on_for_a_moment),
		cmocka_unit_test(what_the_peer_deletes_is_received_on_for_a_moment),
		cmocka_unit_test(what_was_replaced_is_not_reauthenticated),
		cmocka_unit_test(nor_are_its_children_renewed),
		cmocka_unit_test(what_the_new_ike_sa_carries_is_not_asked_for_in_a_third),
		cmocka_unit_test(
			what_began_without_a_child_is_renewed_for_the_one_that_came),
		cmocka_unit_test(an_answer_that_may_be_lost_is_waited_for),
		cmocka_unit_test(after_a_delete_what_was_rekeyed_is_sent_on),
		cmocka_unit_test(after_a_delete_what_is_older_is_not_sent_on),
		cmocka_unit_test(what_loses_is_not_sent_on_while_it_wanes),
		cmocka_unit_test(what_the_peer_has_made_is_not_asked_for),
		cmocka_unit_test(of_two_that_crossed_one_is_received_on_for_a_moment),
		cmocka_unit_test(what_comes_late_in_the_loser_is_asked_for_in_the_winner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
