/* tests/unit/test_node_names.c - a peer that its rule finds by name: unknown at first, at
 * several addresses, at another one; and a resolver that is down, or lies.
 *
 * GATE and its twins are the gateway, one address of it each; the client finds it by name.
 */
#include "node_lab.h"

#include "node_conf.h"

enum { CLIENT, GATE, GATE2 };

#define NAME "gw.example.net"
#define GW1 "203.0.113.1"
#define GW2 "203.0.113.2"
#define GW6 "2001:db8:113::1"
#define CLIENT6 "2001:db8:100::7"
#define INSIDE "10.2.0.1"
#define BY_NAME \
	"filter-action \"esp\" { negotiate require; mode tunnel to GW.example.net; }\n"
#define CLIENT_TO(tuning, remote_id)                                                   \
	ALONE "tuning { idle-lifetime 30d; " tuning " }\n" SECRET BY_NAME              \
	      "filter-list \"net\" { from me to 10.2.0.0/16 mirrored; }\n"             \
	      "policy \"p\" { rule \"net\" { match \"net\"; action \"esp\"; auth psk " \
	      "\"lab\" local-id \"c.example\" remote-id " remote_id "; } }\n"          \
	      "assign policy \"p\" to host;\n"
#define BY_ITS_NAME CLIENT_TO("", "\"gw.example\"")
#define GATE_AT(addr, mobike)                                                          \
	ALONE "tuning { idle-lifetime 30d; " mobike " }\nvip \"gw\" { address " addr   \
	      "; }\n" SECRET                                                           \
	      "filter-action \"esp\" { negotiate require; mode tunnel; }\n"            \
	      "filter-list \"net\" { from 10.2.0.0/16 to any mirrored; }\n"            \
	      "policy \"p\" { rule \"net\" { match \"net\"; action \"esp\"; auth psk " \
	      "\"lab\" local-id \"gw.example\" remote-id any; } }\n"                   \
	      "assign policy \"p\" to vip \"gw\";\n"

static struct lab *lab_with(const char *client)
{
	struct lab *l = lab_new();

	lab_start(l, CLIENT, client);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	lab_start(l, GATE, GATE_AT(GW1, ""));
	lab_address(l, GATE, GW1, NODE_ADDR_PRESENT);
	lab_start(l, GATE2, GATE_AT(GW2, ""));
	lab_address(l, GATE2, GW2, NODE_ADDR_PRESENT);
	lab_run(l, 10);
	return l;
}

static void want(struct lab *l)
{
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, INSIDE, 143);
	lab_run(l, 2000);
}

static struct lab *up_at(const char *addrs, uint32_t ttl_s)
{
	struct lab *l = lab_with(BY_ITS_NAME);

	lab_resolved(l, CLIENT, addrs, ttl_s, "");
	want(l);
	assert_int_equal(lab_up(l, CLIENT), 1);
	return l;
}

static bool keep_name(const struct name_view *v, void *ctx)
{
	*(struct name_view *)ctx = *v;
	return true;
}

static struct name_view look(struct lab *l)
{
	struct name_view v = {.n_addrs = 99};

	node_each_name(l->node[CLIENT].node, keep_name, &v);
	return v;
}

static const char *at(struct lab *l)
{
	static char text[ADDR_TEXT_MAX];
	struct peer_view p = lab_peer(l, CLIENT);

	return addr_format(&p.remote.addr, text);
}

/* The one child that is sent on, and where to. */
static const char *sends_to(struct lab *l)
{
	static char text[ADDR_TEXT_MAX];
	const struct lab_node *m = &l->node[CLIENT];
	const struct lab_child *found = NULL;

	for (unsigned i = 0; i < m->n_child; i++)
		if (m->child[i].active)
			found = &m->child[i];
	return found ? addr_format(&found->c.remote.addr, text) : "nowhere";
}

/* ---- it is asked for, and called when it is known */

static void unknown_at_first(void **state)
{
	struct lab *l = lab_with(BY_ITS_NAME);

	(void)state;
	assert_int_equal(lab_count(l, CLIENT, "resolve 1 " NAME), 1);
	assert_int_equal(lab_count(l, CLIENT, "policy 0 set"), 1); /* it protects */
	want(l);
	assert_int_equal(lab_count(l, CLIENT, "exchange 34"), 0);
	assert_int_equal(lab_count(l, CLIENT,
				 "packets wait, and it is not known where " NAME " is"),
		1);
	lab_resolved(l, CLIENT, GW1, 300, "");
	assert_int_equal(lab_count(l, CLIENT, "event name vip= " NAME " is at " GW1), 1);
	want(l);
	assert_int_equal(lab_up(l, CLIENT), 1);
	assert_string_equal(sends_to(l), GW1);
	lab_free(l);
}

/* Each of the pauses is longer than the one before; a minute at most. */
static void a_resolver_that_is_down_is_asked_again(void **state)
{
	struct lab *l = lab_with(BY_ITS_NAME);
	uint64_t pause_ms = 0;

	(void)state;
	for (unsigned i = 1; i < 12; i++) {
		uint64_t failed_ms = l->now_ms;

		lab_resolved(l, CLIENT, "", 0, "no DNS server answers");
		assert_int_equal(lab_count(l, CLIENT, "resolve "), i);
		while (lab_count(l, CLIENT, "resolve ") == i)
			lab_run(l, 100);
		assert_true(l->now_ms - failed_ms + 8000 > pause_ms);
		assert_true(l->now_ms - failed_ms < 67000);
		pause_ms = l->now_ms - failed_ms;
	}
	assert_true(pause_ms > 50000);
	assert_int_equal(lab_count(l, CLIENT,
				 "event name vip= " NAME
				 " is not resolved: no DNS server answers; its rules"),
		1); /* told once */
	assert_int_equal(look(l).failures, 11);
	assert_int_equal(lab_count(l, CLIENT, "exchange"), 0);
	lab_free(l);
}

static void known_once_it_goes_on_without_dns(void **state)
{
	struct lab *l = up_at(GW1, 30);

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		lab_run(l, 66000);
		lab_resolved(l, CLIENT, "", 0, "it is not known there");
	}
	assert_int_equal(lab_count(l, CLIENT, "event ike-down"), 0);
	assert_int_equal(look(l).n_addrs, 1);
	assert_string_equal(look(l).why, "it is not known there");
	lab_command(l, CLIENT, NODE_DOWN, NULL);
	lab_run(l, 1000);
	want(l);
	assert_int_equal(lab_up(l, CLIENT), 1);
	lab_free(l);
}

/* A TTL of a second, of none, of a year: between half a minute and what is configured. */
static void how_long_an_answer_is_good(void **state)
{
	static const struct {
		uint32_t ttl_s;
		uint64_t least_ms, most_ms;
	} rows[] = {{0, 27000, 33000}, {1, 27000, 33000}, {100, 90000, 110000},
		{31536000, 270000, 330000}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lab *l = lab_with(BY_ITS_NAME);

		lab_resolved(l, CLIENT, GW1, rows[i].ttl_s, "");
		assert_in_range(
			look(l).next_ms - l->now_ms, rows[i].least_ms, rows[i].most_ms);
		lab_run(l, rows[i].most_ms);
		assert_int_equal(lab_count(l, CLIENT, "resolve "), 2);
		assert_true(look(l).asking);
		lab_free(l);
	}
	struct lab *l = lab_with(CLIENT_TO("resolve-refresh 10s;", "\"gw.example\""));
	lab_resolved(l, CLIENT, GW1, 100, "");
	assert_in_range(look(l).next_ms - l->now_ms, 9000, 11000);
	lab_free(l);
}

/* ---- several addresses */

static void one_that_works_is_kept(void **state)
{
	struct lab *l = up_at(GW2 " " GW1, 60);

	(void)state;
	assert_string_equal(at(l), GW1); /* the first in order, not as they came */
	for (unsigned i = 0; i < 10;
		i++) { /* as resolvers do, in another order each time */
		lab_run(l, 66000);
		lab_resolved(l, CLIENT, i % 2 ? GW1 " " GW2 : GW2 " " GW1, 60, "");
	}
	assert_int_equal(lab_count(l, CLIENT, "event child-up"), 1);
	assert_int_equal(lab_count(l, CLIENT, "event name"), 1);
	assert_string_equal(at(l), GW1);
	lab_free(l);
}

static void where_nobody_answers_the_next_is_called(void **state)
{
	struct lab *l = lab_with(BY_ITS_NAME);

	(void)state;
	lab_resolved(l, CLIENT, "203.0.113.9 " GW2 " 192.0.2.200", 3600, "");
	for (unsigned i = 0; i < 30 && lab_up(l, CLIENT) == 0; i++)
		want(l);
	assert_int_equal(lab_up(l, CLIENT), 1);
	assert_string_equal(at(l), GW2);
	/* Somebody has to know better by now. */
	assert_int_equal(lab_count(l, CLIENT, "resolve 2 "), 1);
	lab_free(l);
}

static void only_a_family_that_we_have(void **state)
{
	struct lab *l = lab_with(BY_ITS_NAME);

	(void)state;
	lab_resolved(l, CLIENT, GW6, 300, "");
	want(l);
	assert_int_equal(lab_count(l, CLIENT, "exchange 34"), 0);
	lab_address(l, CLIENT, CLIENT6, NODE_ADDR_PRESENT);
	lab_kill(l, GATE);
	lab_start(l, GATE, GATE_AT(GW6, ""));
	lab_address(l, GATE, GW6, NODE_ADDR_PRESENT);
	want(l);
	assert_int_equal(lab_up(l, CLIENT), 1);
	assert_string_equal(sends_to(l), GW6);
	lab_free(l);
}

/* ---- another address */

/* Both hosts are there: traffic is sent on to one or the other at every moment. */
static void a_new_one_is_called_beside_the_old(void **state)
{
	struct lab *l = up_at(GW1, 60);

	(void)state;
	lab_run(l, 66000);
	lab_resolved(l, CLIENT, GW2, 60, "");
	for (unsigned i = 0; i < 100; i++) {
		assert_string_not_equal(sends_to(l), "nowhere");
		lab_run(l, 100);
	}
	assert_string_equal(sends_to(l), GW2);
	assert_string_equal(at(l), GW2);
	assert_int_equal(lab_up(l, CLIENT), 1);
	assert_int_equal(l->node[CLIENT].n_child, 1);
	assert_int_equal(l->node[GATE].n_child, 0); /* it was told */
	assert_true(
		lab_line(l, CLIENT, "sa-add", 1) < lab_line(l, CLIENT, "sa-delete", 0));
	lab_free(l);
}

/* Nobody is at the new one: what works goes on, and it is tried with each answer. */
static void the_old_stays_until_the_new_one_answers(void **state)
{
	struct lab *l = up_at(GW1, 60);

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		lab_run(l, 66000);
		lab_resolved(l, CLIENT, "203.0.113.9", 60, "");
		lab_run(l, 20000);
		assert_string_equal(sends_to(l), GW1);
		if (look(l).asking)
			lab_resolved(l, CLIENT, "203.0.113.9", 60, "");
	}
	assert_int_equal(lab_count(l, CLIENT, "event ike-down"), 0);
	lab_run(l, 66000);
	lab_resolved(l, CLIENT, GW2, 60, "");
	lab_run(l, 10000);
	assert_string_equal(sends_to(l), GW2);
	lab_free(l);
}

/* It is dead where it was, and DNS says so later: called at once, whatever the pause. */
static void a_dead_one_is_called_where_it_is_now(void **state)
{
	struct lab *l = up_at(GW1, 60);

	(void)state;
	lab_kill(l, GATE);
	lab_usage(l, CLIENT)->unanswered_since_ms = l->now_ms;
	lab_usage(l, CLIENT)->last_out_ms = l->now_ms;
	lab_run(l, 330000);
	assert_int_equal(lab_count(l, CLIENT, "event peer-dead"), 1);
	assert_int_equal(lab_up(l, CLIENT), 0);
	assert_true(look(l).asking);
	lab_resolved(l, CLIENT, GW2, 60, "");
	lab_run(l, 100);
	assert_int_equal(lab_up(l, CLIENT), 1);
	assert_string_equal(sends_to(l), GW2);
	lab_free(l);
}

/* The gateway calls from an address that no DNS knows: its key proves it. */
static void who_calls_is_judged_by_his_proof(void **state)
{
	struct lab *l = lab_with(BY_ITS_NAME);

	(void)state;
	lab_kill(l, GATE);
	lab_start(l, GATE,
		ALONE SECRET
		"filter-action \"esp\" { negotiate require; mode tunnel to " CLIENT_ADDR
		"; }\nfilter-list \"net\" { from 10.2.0.0/16 to " CLIENT_ADDR
		" mirrored; }\npolicy \"p\" { rule \"net\" { match \"net\"; action "
		"\"esp\"; auth psk \"lab\" local-id \"gw.example\" remote-id "
		"\"c.example\"; } }\nassign policy \"p\" to host;\n");
	lab_address(l, GATE, "192.0.2.77", NODE_ADDR_PRESENT);
	lab_command(l, GATE, NODE_UP, NULL);
	lab_run(l, 1000);
	assert_int_equal(lab_up(l, CLIENT), 1);
	/* And it is let be when DNS says something else. */
	lab_resolved(l, CLIENT, GW2, 60, "");
	lab_run(l, 10000);
	assert_string_equal(sends_to(l), "192.0.2.77");
	assert_int_equal(lab_count(l, CLIENT, "event child-up"), 1);
	lab_free(l);
}

/* The gateway is behind a NAT, which gives it another address: authentic traffic says so,
 * and neither the old answer nor a new one has it called elsewhere while it lives. */
static struct lab *moved_by_itself(void)
{
	struct lab *l = lab_with(BY_ITS_NAME);
	struct node_event ev = {.kind = NODE_NOTICE};

	lab_kill(l, GATE);
	lab_start(l, GATE, GATE_AT("10.0.0.1", ""));
	lab_address(l, GATE, "10.0.0.1", NODE_ADDR_PRESENT);
	l->inside = unit_addr("10.0.0.1");
	l->outside = unit_addr(GW1);
	lab_resolved(l, CLIENT, GW1, 60, "");
	want(l);
	assert_int_equal(lab_up(l, CLIENT), 1);
	l->outside = unit_addr("192.0.2.88");
	ev.u.notice.kind = ESP_MAPPING;
	ev.u.notice.id = l->node[CLIENT].child[0].c.id;
	ev.u.notice.remote =
		(struct endpoint){.addr = unit_addr("192.0.2.88"), .port = 4500};
	lab_step(l, CLIENT, &ev);
	assert_string_equal(at(l), "192.0.2.88");
	return l;
}

static void one_that_has_moved_by_itself_is_not_called_back(void **state)
{
	struct lab *l = moved_by_itself();

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		lab_run(l, 66000);
		lab_resolved(l, CLIENT, i < 2 ? GW1 : GW2, 60, "");
		lab_run(l, 9000);
	}
	assert_int_equal(lab_count(l, CLIENT, "event child-up"), 1);
	assert_int_equal(lab_count(l, CLIENT, "event ike-down"), 0);
	assert_string_equal(at(l), "192.0.2.88");
	lab_free(l);
}

/* Its last place is newer than what DNS has said: there first, then where DNS has it. */
static void one_that_has_moved_and_died_is_called_there_first(void **state)
{
	struct lab *l = moved_by_itself();

	(void)state;
	lab_kill(l, GATE);
	lab_forget_log(l, CLIENT);
	lab_usage(l, CLIENT)->unanswered_since_ms = l->now_ms;
	lab_usage(l, CLIENT)->last_out_ms = l->now_ms;
	lab_run(l, 330000);
	int there = lab_line(l, CLIENT, "to 192.0.2.88:4500 exchange 34", 0);
	int by_name = lab_line(l, CLIENT, "to " GW1 ":500 exchange 34", 0);
	assert_true(there >= 0 && by_name > there);
	lab_free(l);
}

/* ---- answers that are wrong */

static void addresses_that_nobody_can_have(void **state)
{
	struct lab *l = lab_with(BY_ITS_NAME);

	(void)state;
	lab_resolved(l, CLIENT,
		"127.0.0.1 0.0.0.0 255.255.255.255 224.0.0.1 ::1 :: fe80::1 "
		"ff02::1 " CLIENT_ADDR,
		60, "");
	assert_int_equal(look(l).n_addrs, 0);
	assert_int_equal(lab_count(l, CLIENT, "127.0.0.1 cannot be a peer's address"), 1);
	lab_run(l, 5000);
	lab_resolved(l, CLIENT, "127.0.0.1 " GW1, 60, "");
	assert_int_equal(look(l).n_addrs, 1);
	lab_free(l);
}

static void more_than_a_peer_can_have(void **state)
{
	struct lab *l = lab_with(BY_ITS_NAME);

	(void)state;
	lab_resolved(l, CLIENT,
		"203.0.113.20 203.0.113.19 203.0.113.18 203.0.113.17 203.0.113.16 "
		"203.0.113.15 203.0.113.14 203.0.113.13 203.0.113.12 203.0.113.11 "
		"203.0.113.20 203.0.113.20",
		60, "");
	assert_int_equal(look(l).n_addrs, NAME_ADDRS);
	lab_free(l);
}

static void an_answer_that_nobody_waits_for(void **state)
{
	struct lab *l = lab_with(BY_ITS_NAME);

	(void)state;
	l->node[CLIENT].ask += 5;
	lab_resolved(l, CLIENT, GW1, 60, "");
	assert_int_equal(look(l).n_addrs, 0);
	l->node[CLIENT].ask = 0;
	lab_resolved(l, CLIENT, GW1, 60, "");
	assert_int_equal(look(l).n_addrs, 0);
	lab_free(l);
}

/* ---- reload, restart */

/* What was stored of the peer says where it was; then DNS says where it is. */
static struct lab *restarted(bool cut)
{
	struct lab *l = up_at(GW1, 3600);

	lab_run(l, 60000); /* it is stored */
	l->cut = cut;
	lab_kill(l, CLIENT);
	lab_kill(l, GATE2);
	lab_restart(l, CLIENT, BY_ITS_NAME);
	lab_address(l, CLIENT, CLIENT_ADDR, NODE_ADDR_PRESENT);
	lab_resolved(l, CLIENT, "", 0, "no DNS server answers");
	lab_run(l, 2000);
	assert_int_equal(lab_up(l, CLIENT), cut ? 0 : 1);
	return l;
}

/* Nobody answers at first, and it is called there again. */
static void a_restart_without_dns(void **state)
{
	struct lab *l = restarted(true);

	(void)state;
	lab_command(l, CLIENT, NODE_UP, NULL);
	lab_run(l, 10000);
	l->cut = false;
	lab_run(l, 30000);
	assert_int_equal(lab_up(l, CLIENT), 1);
	assert_string_equal(sends_to(l), GW1);
	lab_free(l);
}

static void dns_comes_after_a_restart(void **state)
{
	struct lab *l = restarted(false);

	(void)state;
	assert_string_equal(sends_to(l), GW1);
	lab_start(l, GATE2, GATE_AT(GW2, ""));
	lab_address(l, GATE2, GW2, NODE_ADDR_PRESENT);
	while (!look(l).asking)
		lab_run(l, 1000);
	lab_resolved(l, CLIENT, GW2, 60, "");
	lab_run(l, 10000);
	assert_string_equal(sends_to(l), GW2);
	lab_free(l);
}

static void a_reload_keeps_what_is_known(void **state)
{
	struct lab *l = up_at(GW1, 3600);

	(void)state;
	lab_reload(l, CLIENT, BY_ITS_NAME);
	lab_run(l, 1000);
	assert_int_equal(lab_count(l, CLIENT, "event ike-down"), 0);
	assert_int_equal(lab_count(l, CLIENT, "resolve "), 1);
	assert_int_equal(look(l).n_addrs, 1);
	lab_reload(l, CLIENT, CLIENT_CONF);
	assert_int_equal(look(l).n_addrs, 99); /* no names any more */
	lab_resolved(l, CLIENT, GW2, 60, "");
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_at_first),
		cmocka_unit_test(a_resolver_that_is_down_is_asked_again),
		cmocka_unit_test(known_once_it_goes_on_without_dns),
		cmocka_unit_test(how_long_an_answer_is_good),
		cmocka_unit_test(one_that_works_is_kept),
		cmocka_unit_test(where_nobody_answers_the_next_is_called),
		cmocka_unit_test(only_a_family_that_we_have),
		cmocka_unit_test(a_new_one_is_called_beside_the_old),
		cmocka_unit_test(the_old_stays_until_the_new_one_answers),
		cmocka_unit_test(a_dead_one_is_called_where_it_is_now),
		cmocka_unit_test(who_calls_is_judged_by_his_proof),
		cmocka_unit_test(one_that_has_moved_by_itself_is_not_called_back),
		cmocka_unit_test(one_that_has_moved_and_died_is_called_there_first),
		cmocka_unit_test(addresses_that_nobody_can_have),
		cmocka_unit_test(more_than_a_peer_can_have),
		cmocka_unit_test(an_answer_that_nobody_waits_for),
		cmocka_unit_test(a_restart_without_dns),
		cmocka_unit_test(dns_comes_after_a_restart),
		cmocka_unit_test(a_reload_keeps_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
