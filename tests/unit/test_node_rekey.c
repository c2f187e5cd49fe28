/* tests/unit/test_node_rekey.c - several rules in one IKE SA, and new keys for both kinds of SA
 * while the old ones still do (RFC 7296 2.8).
 */
#include "node_lab.h"

#include "node_rules.h"

#include <stdio.h>

/* A packet each way, each 100 ms, and it arrives. */
static void send_for(struct lab *l, uint64_t ms, uint64_t octets)
{
	for (uint64_t end = l->now_ms + ms; l->now_ms < end;) {
		for (unsigned i = SERVER; i <= CLIENT; i++) {
			struct lab_child *c = lab_sender(l, i, 0);

			assert_non_null(c); /* there is always one */
			assert_true(lab_receives(l, 1 - i, c->c.spi_out));
			c->usage.last_in_ms = c->usage.last_out_ms = l->now_ms;
			c->usage.bytes_out += octets;
			c->usage.packets_out++;
		}
		lab_run(l, 100);
	}
}

static struct lab *one_rule(const char *proposal)
{
	static char server[4096], client[4096];

	snprintf(server, sizeof(server),
		ALONE "vip \"mail\" { address 192.0.2.10; }\n" SECRET "%s" OURS("mail",
			"143") "policy \"p\" { " USE("mail") " }\nassign policy "
							     "\"p\" to vip \"mail\";\n",
		proposal);
	snprintf(client, sizeof(client),
		ALONE SECRET "%s" THEIRS("mail", "143") "policy \"p\" { " USE(
			"mail") " }\nassign policy \"p\" to host;\n",
		proposal);
	struct lab *l = two(server, client);
	want(l, 143);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	assert_int_equal(l->node[SERVER].n_child, 1);
	return l;
}

static void assert_one_ike_sa(struct lab *l, unsigned calls)
{
	assert_int_equal(
		lab_count(l, CLIENT, "exchange 34") + lab_count(l, SERVER, "exchange 34"),
		2 * calls); /* request and response */
}

/* ---- by age ---------------------------------------------------------------------------- */

static void a_child_is_rekeyed_before_its_time(void **state)
{
	struct lab *l = one_rule(ACTION("lifetime child 100s;", ""));
	uint32_t first = l->node[CLIENT].child[0].c.id;

	(void)state;
	send_for(l, 79000, 100);
	assert_int_equal(l->node[CLIENT].child[0].c.id, first);
	send_for(l, 16000, 100);
	for (unsigned i = SERVER; i <= CLIENT; i++) {
		assert_int_equal(l->node[i].n_child, 1);
		assert_int_equal(lab_count(l, i, "event child-rekeyed"), 1);
		assert_int_equal(lab_count(l, i, "event child-up"), 1);
		assert_int_equal(lab_count(l, i, "event ike-down"), 0);
	}
	assert_int_not_equal(l->node[CLIENT].child[0].c.id, first);
	/* in first, then out */
	assert_true(
		lab_line(l, CLIENT, "sa-add", 1) < lab_line(l, CLIENT, "sa-delete", 0));
	assert_true(
		lab_line(l, SERVER, "sa-add", 1) < lab_line(l, SERVER, "sa-delete", 0));
	send_for(l, 3600000, 100);
	assert_one_ike_sa(l, 1);
	assert_in_range(lab_count(l, CLIENT, "event child-rekeyed"), 38, 46);
	lab_free(l);
}

static bool from_the_client(struct lab *l, unsigned from, const struct ike_path *path)
{
	(void)l, (void)path;
	return from == CLIENT;
}

/* Who asks says beforehand which SPI it is; who answers has its SA at once. */
static void assert_awaited(struct lab *l, uint32_t spi)
{
	char what[32];

	snprintf(what, sizeof(what), "sa await %08x", spi);
	assert_int_equal(lab_count(l, CLIENT, what), 1);
	assert_int_equal(lab_count(l, SERVER, "sa await"), 0);
}

/* RFC 7296 2.8: the peer sends on a child whose making it has not answered, as it seems.
 *
 *	client                                   server
 *	CREATE_CHILD_SA  -->
 *	                   x--  CREATE_CHILD_SA
 *	                 <--  ESP on the new child
 *	CREATE_CHILD_SA  -->                     the same, at once
 */
static void a_packet_before_the_answer_repeats_the_request(void **state)
{
	struct lab *l = one_rule(ACTION("lifetime child 100s;", ""));
	struct node_event ev = {.kind = NODE_NOTICE};

	(void)state;
	l->filter = from_the_client;
	for (unsigned i = 0; i < 900 && lab_count(l, CLIENT, "exchange 36") == 0; i++)
		send_for(l, 100, 100);
	l->filter = NULL;
	const unsigned asked = lab_count(l, CLIENT, "exchange 36");
	assert_int_not_equal(asked, 0);
	assert_int_equal(l->node[SERVER].n_child, 2);
	ev.u.notice = (struct esp_notice){.kind = ESP_UNKNOWN_SPI,
		.spi = l->node[SERVER].child[1].c.spi_out,
		.local = l->node[CLIENT].child[0].c.local,
		.remote = l->node[CLIENT].child[0].c.remote};
	assert_awaited(l, ev.u.notice.spi);
	lab_step(l, CLIENT, &ev);
	assert_int_equal(lab_count(l, CLIENT, "exchange 36"), asked + 1);
	lab_run(l, 10);
	assert_true(lab_receives(l, CLIENT, ev.u.notice.spi));
	lab_free(l);
}

/* RFC 7296 2.8: the peer's packet on the new one shows that it has it; but some begin to send
 * before they receive. */
static void who_answered_sends_on_it_a_moment_after_the_peer(void **state)
{
	struct lab *l = one_rule(ACTION("lifetime child 100s;", ""));
	struct node_event ev = {.kind = NODE_NOTICE};

	(void)state;
	for (unsigned i = 0; i < 900 && lab_count(l, CLIENT, "event child-rekeyed") == 0;
		i++)
		send_for(l, 100, 100);
	assert_int_equal(l->node[SERVER].n_child, 2);
	const uint32_t old = l->node[SERVER].child[0].c.id,
		       fresh = l->node[SERVER].child[1].c.id;
	assert_int_equal(lab_sender(l, SERVER, 0)->c.id, old);
	ev.u.notice = (struct esp_notice){.kind = ESP_INBOUND, .id = fresh};
	lab_step(l, SERVER, &ev);
	lab_run(l, 200);
	assert_int_equal(lab_sender(l, SERVER, 0)->c.id, old);
	lab_run(l, 100);
	assert_int_equal(lab_sender(l, SERVER, 0)->c.id, fresh);
	lab_free(l);
}

/* What was replaced is received on for two seconds, and the server goes meanwhile. Its
 * packets have no SA then, and not the one that nobody has any more.
 *
 *	client                                   server
 *	CREATE_CHILD_SA, later D  -->            the old child wanes on both sides
 *	                     <--  D              the IKE SA
 */
static void what_wanes_is_not_sent_on_when_the_rest_goes(void **state)
{
	struct lab *l = one_rule(ACTION("lifetime child 100s;", ""));

	(void)state;
	for (unsigned i = 0; i < 900 && lab_count(l, CLIENT, "event child-rekeyed") == 0;
		i++)
		send_for(l, 100, 100);
	lab_run(l, 1500);
	assert_int_equal(l->node[CLIENT].n_child, 2);
	lab_command(l, SERVER, NODE_DOWN, "mail");
	lab_run(l, 10);
	assert_int_equal(lab_count(l, CLIENT, "event ike-down"), 1);
	assert_null(lab_sender(l, CLIENT, 0));
	assert_null(lab_sender(l, SERVER, 0));
	want(l, 143);
	assert_int_equal(lab_up(l, CLIENT), 1);
	lab_free(l);
}

static void the_ike_sa_is_rekeyed_and_the_child_stays(void **state)
{
	struct lab *l = one_rule(ACTION("lifetime ike 100s child 30d;", ""));
	uint32_t child = l->node[CLIENT].child[0].c.id, ike = lab_peer(l, CLIENT).ike;

	(void)state;
	send_for(l, 95000, 100);
	for (unsigned i = SERVER; i <= CLIENT; i++) {
		assert_int_equal(lab_count(l, i, "event ike-rekeyed"), 1);
		assert_int_equal(lab_count(l, i, "sa-add"), 1);
		assert_int_equal(lab_count(l, i, "sa-delete"), 0);
		assert_int_equal(lab_up(l, i), 1);
	}
	assert_int_equal(l->node[CLIENT].child[0].c.id, child);
	assert_int_not_equal(lab_peer(l, CLIENT).ike, ike);
	send_for(l, 3600000, 100);
	assert_one_ike_sa(l, 1);
	assert_int_equal(l->node[CLIENT].child[0].c.id, child);
	lab_free(l);
}

static void both_kinds_for_a_day(void **state)
{
	struct lab *l = one_rule(ACTION("lifetime ike 1h child 10m;", "pfs yes;"));
	size_t kept[2];

	(void)state;
	send_for(l, 7200000, 100);
	for (unsigned i = SERVER; i <= CLIENT; i++)
		kept[i] = node_count_kept(l->node[i].node);
	for (unsigned hour = 0; hour < 22; hour++) {
		send_for(l, 3600000, 100);
		for (unsigned i = SERVER; i <= CLIENT; i++)
			lab_forget_log(l, i);
	}
	send_for(l, 5000, 100);
	for (unsigned i = SERVER; i <= CLIENT; i++) {
		assert_int_equal(lab_up(l, i), 1);
		assert_in_range(
			node_count_kept(l->node[i].node), kept[i] - 2, kept[i] + 2);
	}
	lab_free(l);
}

static void what_nobody_uses_is_not_rekeyed(void **state)
{
	struct lab *l = one_rule(ACTION("lifetime child 45m;", ""));

	(void)state;
	lab_run(l, 44 * 60000);
	assert_int_equal(lab_count(l, CLIENT, "event child-rekeyed"), 0);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	send_for(l, 30000, 100); /* its time to be rekeyed has come long ago */
	assert_int_equal(lab_count(l, CLIENT, "event child-rekeyed"), 1);
	lab_free(l);
}

static void by_octets_and_packets(void **state)
{
	static const char *const limits[] = {"rekey bytes 10m;", "rekey packets 1k;"};

	(void)state;
	for (unsigned how = 0; how < 2; how++) {
		char text[512];

		snprintf(text, sizeof(text), ACTION("%s", ""), limits[how]);
		struct lab *l = one_rule(text);
		/* a report comes each 7.5 s: one tenth of the limit comes in between */
		send_for(l, how ? 40000 : 60000, how ? 10 : 10000);
		assert_int_equal(lab_count(l, CLIENT, "event child-rekeyed"), 0);
		send_for(l, 80000, how ? 10 : 10000);
		assert_in_range(lab_count(l, CLIENT, "event child-rekeyed"), 1, 2);
		assert_int_equal(lab_count(l, CLIENT, "event ike-down"), 0);
		lab_free(l);
	}
}

/* ---- several rules ----------------------------------------------------------------------- */

static void further_rules_are_further_children(void **state)
{
	struct lab *l = three_rules(SERVER3(TRANSPORT), CLIENT3(TRANSPORT));

	(void)state;
	assert_one_ike_sa(l, 1);
	assert_int_equal(lab_count(l, CLIENT, "exchange 36"), 2);
	for (unsigned k = 0; k < 3; k++)
		assert_int_equal(l->node[CLIENT].child[k].c.rule, k);
	lab_free(l);
}

static void with_master_pfs_each_has_an_ike_sa(void **state)
{
	struct lab *l = three_rules(
		SERVER3(ACTION("", "pfs master;")), CLIENT3(ACTION("", "pfs master;")));

	(void)state;
	assert_one_ike_sa(l, 3);
	assert_int_equal(lab_count(l, CLIENT, "exchange 36"), 0);
	lab_free(l);
}

/* The server alone wants it so: it refuses with NO_ADDITIONAL_SAS. */
static void refused_a_further_child_it_gets_an_ike_sa(void **state)
{
	struct lab *l = two(SERVER3(ACTION("", "pfs master;")), CLIENT3(TRANSPORT));

	(void)state;
	want(l, 143);
	want(l, 110);
	lab_run(l, 5000);
	assert_int_equal(lab_up(l, CLIENT), 2);
	assert_one_ike_sa(l, 2);
	lab_free(l);
}

static void one_of_them_is_ended_alone(void **state)
{
	struct lab *l = three_rules(SERVER3(TRANSPORT), CLIENT3(TRANSPORT));
	struct node_event ev = {.kind = NODE_DOWN};

	(void)state;
	ev.u.command.token = 1;
	ev.u.command.rule = "pop";
	lab_step(l, CLIENT, &ev);
	lab_run(l, 20000);
	assert_int_equal(lab_up(l, CLIENT), 2);
	assert_int_equal(lab_up(l, SERVER), 2);
	assert_int_equal(lab_count(l, SERVER, "event ike-down"), 0);
	/* and the next packet brings it back, in the same IKE SA */
	want(l, 110);
	assert_int_equal(lab_up(l, CLIENT), 3);
	assert_one_ike_sa(l, 1);
	lab_free(l);
}

static void the_last_one_takes_the_ike_sa_along(void **state)
{
	struct lab *l = three_rules(SERVER3(TRANSPORT), CLIENT3(TRANSPORT));
	struct node_event ev = {.kind = NODE_DOWN};

	(void)state;
	ev.u.command.token = 1;
	lab_step(l, CLIENT, &ev);
	lab_run(l, 1000);
	for (unsigned i = SERVER; i <= CLIENT; i++) {
		assert_int_equal(lab_up(l, i), 0);
		assert_int_equal(l->node[i].n_child, 0);
		assert_int_equal(lab_count(l, i, "event ike-down"), 1);
	}
	lab_free(l);
}

/* The rule that the IKE SA was made for is another one now: the others keep their SAs. */
static void a_rule_that_goes_leaves_the_others_theirs(void **state)
{
	static const char changed[] =
		ALONE "vip \"mail\" { address 192.0.2.10; }\n" SECRET TRANSPORT OURS(
			"mail", "144") OURS("pop", "110")
			OURS("web", "80") "policy \"p\" { " RULES " }\nassign policy "
					  "\"p\" to vip \"mail\";\n";
	struct lab *l = three_rules(SERVER3(TRANSPORT), CLIENT3(TRANSPORT));
	uint32_t pop = l->node[SERVER].child[1].c.spi_in;
	uint32_t web = l->node[SERVER].child[2].c.spi_in;

	(void)state;
	lab_reload(l, SERVER, changed);
	lab_run(l, 1000);
	assert_int_equal(l->node[SERVER].n_child, 2);
	assert_true(lab_receives(l, SERVER, pop));
	assert_true(lab_receives(l, SERVER, web));
	assert_int_equal(l->node[CLIENT].n_child, 2);
	assert_int_equal(lab_up(l, SERVER), 2);
	assert_int_equal(lab_count(l, SERVER, "event ike-down"), 0);
	lab_run(l, 100000);
	assert_int_equal(lab_up(l, SERVER), 2);
	lab_free(l);
}

static void a_dead_peer_loses_all_of_them(void **state)
{
	struct lab *l = three_rules(SERVER3(TRANSPORT), CLIENT3(TRANSPORT));

	(void)state;
	lab_kill(l, SERVER);
	l->node[CLIENT].child[1].usage.unanswered_since_ms = l->now_ms;
	l->node[CLIENT].child[1].usage.last_out_ms = l->now_ms;
	lab_run(l, 301000);
	assert_int_equal(lab_count(l, CLIENT, "event peer-dead"), 1);
	assert_int_equal(l->node[CLIENT].n_child, 0);
	lab_start(l, SERVER, SERVER3(TRANSPORT));
	lab_address(l, SERVER, VIP, NODE_ADDR_PRESENT);
	lab_run(l, 60000);
	assert_int_equal(lab_up(l, CLIENT), 3);
	assert_int_equal(lab_up(l, SERVER), 3);
	lab_free(l);
}

/* ---- reauthentication, and new keys refused ---------------------------------------------- */

static void a_new_ike_sa_before_the_old_one_goes(void **state)
{
	struct lab *l = one_rule(ACTION("reauth 10m;", ""));

	(void)state;
	send_for(l, 600000, 100);
	assert_one_ike_sa(l, 2);
	assert_int_equal(lab_up(l, CLIENT), 1);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	assert_int_equal(l->node[SERVER].n_child, 1);
	assert_true(
		lab_line(l, CLIENT, "sa-add", 1) < lab_line(l, CLIENT, "sa-delete", 0));
	lab_free(l);
}

/* A peer that wants no PFS, against one that wants nothing else. */
static void new_keys_that_are_refused_come_with_a_new_ike_sa(void **state)
{
	static char server[4096];
	snprintf(server, sizeof(server),
		ALONE "vip \"mail\" { address 192.0.2.10; }\n" SECRET ACTION(
			"lifetime child 10m;", "pfs no;") OURS("mail", "143")
			OURS("pop", "110") OURS("web", "80") "policy \"p\" { " RULES
							     " }\nassign policy "
							     "\"p\" to vip \"mail\";\n");
	struct lab *l = two(server, CLIENT3(ACTION("lifetime child 1m;", "pfs yes;")));

	(void)state;
	want(l, 143);
	send_for(l, 120000, 100);
	assert_true(lab_count(l, CLIENT, "exchange 34") >= 2);
	assert_int_equal(lab_count(l, CLIENT, "event child-rekeyed"), 0);
	assert_int_equal(lab_up(l, CLIENT), 1);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_is_rekeyed_before_its_time),
		cmocka_unit_test(a_packet_before_the_answer_repeats_the_request),
		cmocka_unit_test(who_answered_sends_on_it_a_moment_after_the_peer),
		cmocka_unit_test(what_wanes_is_not_sent_on_when_the_rest_goes),
		cmocka_unit_test(the_ike_sa_is_rekeyed_and_the_child_stays),
		cmocka_unit_test(both_kinds_for_a_day),
		cmocka_unit_test(what_nobody_uses_is_not_rekeyed),
		cmocka_unit_test(by_octets_and_packets),
		cmocka_unit_test(further_rules_are_further_children),
		cmocka_unit_test(with_master_pfs_each_has_an_ike_sa),
		cmocka_unit_test(refused_a_further_child_it_gets_an_ike_sa),
		cmocka_unit_test(one_of_them_is_ended_alone),
		cmocka_unit_test(the_last_one_takes_the_ike_sa_along),
		cmocka_unit_test(a_rule_that_goes_leaves_the_others_theirs),
		cmocka_unit_test(a_dead_peer_loses_all_of_them),
		cmocka_unit_test(a_new_ike_sa_before_the_old_one_goes),
		cmocka_unit_test(new_keys_that_are_refused_come_with_a_new_ike_sa),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
