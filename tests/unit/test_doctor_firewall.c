/* Rules as nft writes them in JSON, and what becomes of IKE and ESP. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "doctor/firewall.h"

#define CHAIN(table, name, hook, policy)                                               \
	"{\"chain\":{\"family\":\"inet\",\"table\":\"" table "\",\"name\":\"" name     \
	"\",\"type\":\"filter\",\"hook\":\"" hook "\",\"prio\":0,\"policy\":\"" policy \
	"\"}}"
#define NAT                                                                         \
	"{\"chain\":{\"family\":\"ip\",\"table\":\"n\",\"name\":\"post\",\"type\":" \
	"\"nat\","                                                                  \
	"\"hook\":\"postrouting\",\"prio\":100,\"policy\":\"accept\"}}"
#define PLAIN(name) \
	"{\"chain\":{\"family\":\"inet\",\"table\":\"f\",\"name\":\"" name "\"}}"
#define RULE(chain, expressions)                                            \
	"{\"rule\":{\"family\":\"inet\",\"table\":\"f\",\"chain\":\"" chain \
	"\",\"expr\":[" expressions "]}}"
#define NAT_RULE(expressions)                                                       \
	"{\"rule\":{\"family\":\"ip\",\"table\":\"n\",\"chain\":\"post\",\"expr\":" \
	"[" expressions "]}}"
#define MATCH(left, op, right) \
	"{\"match\":{\"op\":\"" op "\",\"left\":{" left "},\"right\":" right "}}"
#define PAYLOAD(protocol, field) \
	"\"payload\":{\"protocol\":\"" protocol "\",\"field\":\"" field "\"}"
#define META(key) "\"meta\":{\"key\":\"" key "\"}"
#define STATE "\"ct\":{\"key\":\"state\"}"
#define ACCEPT "{\"accept\":null}"
#define DROP "{\"drop\":null}"
#define COUNTER "{\"counter\":null}"

static const char *where_to(const char *objects, const struct packet *p, enum passage is)
{
	static char where[WHERE_MAX];
	char *text;

	assert_true(asprintf(&text, "{\"nftables\":[%s]}", objects) > 0);
	json_t *ruleset = json_loads(text, 0, NULL);
	assert_non_null(ruleset);
	enum passage got = firewall_passage(ruleset, p, where);
	if (got != is)
		fail_msg("%d, not %d (%s): %s", got, is, where, objects);
	json_decref(ruleset);
	free(text);
	return where;
}

static struct packet ike(void)
{
	return (struct packet){.own = unit_addr("192.0.2.10"), .proto = 17, .port = 500};
}

static struct packet esp(void)
{
	return (struct packet){.own = unit_addr("192.0.2.10"), .proto = 50};
}

static struct packet ah(void)
{
	return (struct packet){.own = unit_addr("192.0.2.10"), .proto = 51};
}

static struct packet leaving(struct packet p)
{
	p.out = true;
	return p;
}

static void judge(const char *rules, enum passage of_ike, enum passage of_esp)
{
	char *text;
	struct packet i = ike(), e = esp();

	assert_true(
		asprintf(&text, "%s%s", CHAIN("f", "input", "input", "drop"), rules) > 0);
	where_to(text, &i, of_ike);
	where_to(text, &e, of_esp);
	free(text);
}

static void nothing_there(void **state)
{
	struct packet p = ike();
	(void)state;

	where_to("{\"metainfo\":{}}", &p, PASSAGE_FREE);
	where_to(CHAIN("f", "input", "input", "accept"), &p, PASSAGE_FREE);
	assert_string_equal(
		where_to(CHAIN("f", "input", "input", "drop"), &p, PASSAGE_SHUT),
		"inet f input");
	where_to(CHAIN("f", "forward", "forward", "drop"), &p, PASSAGE_FREE);
	where_to(CHAIN("vipsec", "hook_input", "input", "drop"), &p, PASSAGE_FREE);
	p.out = true;
	where_to(CHAIN("f", "input", "input", "drop"), &p, PASSAGE_FREE);
	where_to(CHAIN("f", "output", "output", "drop"), &p, PASSAGE_SHUT);
}

static void ports_and_protocols(void **state)
{
	(void)state;
	judge("," RULE("input", MATCH(PAYLOAD("udp", "dport"), "==", "500") "," ACCEPT),
		PASSAGE_FREE, PASSAGE_SHUT);
	judge("," RULE("input",
		      MATCH(PAYLOAD("udp", "dport"),
			      "==", "{\"set\":[22,{\"range\":[400,600]}]}") "," COUNTER
									    "," ACCEPT),
		PASSAGE_FREE, PASSAGE_SHUT);
	judge("," RULE("input", MATCH(PAYLOAD("udp", "dport"), "==", "4500") "," ACCEPT),
		PASSAGE_SHUT, PASSAGE_SHUT);
	judge("," RULE("input", MATCH(PAYLOAD("tcp", "dport"), "==", "500") "," ACCEPT),
		PASSAGE_SHUT, PASSAGE_SHUT);
	judge("," RULE("input", MATCH(META("l4proto"), "==", "\"esp\"") "," ACCEPT),
		PASSAGE_SHUT, PASSAGE_FREE);
	judge("," RULE("input", MATCH(PAYLOAD("ip", "protocol"),
					"==", "{\"set\":[\"esp\",\"udp\"]}") "," ACCEPT),
		PASSAGE_FREE, PASSAGE_FREE);
	judge("," RULE("input", MATCH(PAYLOAD("ip6", "nexthdr"), "==", "50") "," ACCEPT),
		PASSAGE_SHUT, PASSAGE_SHUT);
	judge("," RULE("input", MATCH(META("l4proto"), "!=", "\"tcp\"") "," ACCEPT),
		PASSAGE_FREE, PASSAGE_FREE);
}

static void ah_is_not_esp(void **state)
{
	static const struct {
		const char *rule;
		enum passage of_ah, of_esp;
	} v[] = {
		{RULE("input", MATCH(META("l4proto"), "==", "\"ah\"") "," ACCEPT),
			PASSAGE_FREE, PASSAGE_SHUT},
		{RULE("input", MATCH(META("l4proto"), "==", "\"esp\"") "," ACCEPT),
			PASSAGE_SHUT, PASSAGE_FREE},
		{RULE("input", MATCH(PAYLOAD("ip", "protocol"), "==", "51") "," ACCEPT),
			PASSAGE_FREE, PASSAGE_SHUT},
		{RULE("input", MATCH(PAYLOAD("ah", "spi"), ">=", "256") "," ACCEPT),
			PASSAGE_DEPENDS, PASSAGE_SHUT},
		{RULE("input", MATCH(PAYLOAD("esp", "spi"), ">=", "256") "," ACCEPT),
			PASSAGE_SHUT, PASSAGE_DEPENDS},
		{RULE("input", MATCH(PAYLOAD("th", "dport"), "!=", "22") "," ACCEPT),
			PASSAGE_SHUT, PASSAGE_SHUT},
	};
	struct packet a = ah(), e = esp();

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		char text[1024];

		snprintf(text, sizeof(text), "%s,%s",
			CHAIN("f", "input", "input", "drop"), v[i].rule);
		where_to(text, &a, v[i].of_ah);
		where_to(text, &e, v[i].of_esp);
	}
}

/* Not to have the header is not the same as to have another value in it. */
static void what_is_not_asked_of_others(void **state)
{
	(void)state;
	judge("," RULE("input", MATCH(PAYLOAD("tcp", "dport"), "!=", "22") "," ACCEPT),
		PASSAGE_SHUT, PASSAGE_SHUT);
	judge("," RULE("input", MATCH(PAYLOAD("udp", "dport"), "!=", "22") "," ACCEPT),
		PASSAGE_FREE, PASSAGE_SHUT);
	judge("," RULE("input",
		      MATCH(PAYLOAD("ip6", "daddr"), "!=", "\"::1\"") "," ACCEPT),
		PASSAGE_SHUT, PASSAGE_SHUT);
	judge("," RULE("input", MATCH(PAYLOAD("esp", "spi"), "!=", "5") "," ACCEPT),
		PASSAGE_SHUT, PASSAGE_DEPENDS);
	judge("," RULE("input",
		      MATCH(PAYLOAD("ip", "daddr"), "!=", "\"192.0.2.11\"") "," ACCEPT),
		PASSAGE_FREE, PASSAGE_FREE);
	judge("," RULE("input", MATCH(META("iifname"), "!=", "\"lo\"") "," ACCEPT),
		PASSAGE_FREE, PASSAGE_FREE);
}

static void addresses(void **state)
{
	(void)state;
	judge("," RULE("input",
		      MATCH(PAYLOAD("ip", "daddr"), "==", "\"192.0.2.10\"") "," ACCEPT),
		PASSAGE_FREE, PASSAGE_FREE);
	judge("," RULE("input", MATCH(PAYLOAD("ip", "daddr"), "==",
					"{\"prefix\":{\"addr\":\"192.0.2.0\",\"len\":24}"
					"}") "," ACCEPT),
		PASSAGE_FREE, PASSAGE_FREE);
	judge("," RULE("input",
		      MATCH(PAYLOAD("ip", "daddr"), "==", "\"192.0.2.11\"") "," ACCEPT),
		PASSAGE_SHUT, PASSAGE_SHUT);
	/* whose the peer's is, nobody knows */
	judge("," RULE("input",
		      MATCH(PAYLOAD("ip", "saddr"), "==", "\"198.51.100.7\"") "," ACCEPT),
		PASSAGE_DEPENDS, PASSAGE_DEPENDS);
	judge("," RULE("input",
		      MATCH(PAYLOAD("ip", "daddr"), "==", "\"@ours\"") "," ACCEPT),
		PASSAGE_DEPENDS, PASSAGE_DEPENDS);
}

/* What other hosts and connections are about is no help to a first packet. */
static void what_does_not_help(void **state)
{
	(void)state;
	judge("," RULE("input",
		      MATCH(STATE, "in",
			      "{\"|\":[\"established\",\"related\"]}") "," ACCEPT),
		PASSAGE_SHUT, PASSAGE_SHUT);
	judge("," RULE("input",
		      MATCH(STATE, "==",
			      "{\"set\":[\"established\",\"related\"]}") "," ACCEPT),
		PASSAGE_SHUT, PASSAGE_SHUT);
	judge("," RULE("input", MATCH(STATE, "in", "\"new\"") "," ACCEPT), PASSAGE_FREE,
		PASSAGE_FREE);
	judge("," RULE("input", MATCH(META("iifname"), "==", "\"lo\"") "," ACCEPT),
		PASSAGE_SHUT, PASSAGE_SHUT);
	judge("," RULE("input", MATCH(META("iifname"), "==", "\"eth0\"") "," ACCEPT),
		PASSAGE_DEPENDS, PASSAGE_DEPENDS);
	judge("," RULE("input", "{\"xt\":null}," ACCEPT), PASSAGE_DEPENDS,
		PASSAGE_DEPENDS);
	judge("," RULE("input", COUNTER), PASSAGE_SHUT, PASSAGE_SHUT);
}

/* A list of those who are not welcome is no fault where the rest passes. */
static void blocklists(void **state)
{
	struct packet p = ike();
	const char *rules = CHAIN("f", "input", "input", "accept") "," RULE("input",
		MATCH(PAYLOAD("ip", "saddr"), "==", "\"198.51.100.7\"") "," DROP);
	(void)state;

	where_to(rules, &p, PASSAGE_FREE);
	rules = CHAIN("f", "input", "input", "accept") "," RULE("input",
		MATCH(META("iifname"), "==", "\"eth1\"") "," ACCEPT) "," RULE("input",
		MATCH(PAYLOAD("udp", "dport"), "==", "500") "," DROP);
	where_to(rules, &p, PASSAGE_DEPENDS);
	rules = CHAIN("f", "input", "input", "accept") "," RULE("input",
		MATCH(PAYLOAD("udp", "dport"), "==", "500") ",{\"reject\":null}");
	where_to(rules, &p, PASSAGE_SHUT);
}

#define JUMP(to) "{\"jump\":{\"target\":\"" to "\"}}"
#define GOTO(to) "{\"goto\":{\"target\":\"" to "\"}}"

static void jumps(void **state)
{
	(void)state;
	judge("," PLAIN("more") "," RULE("input", JUMP("more")) "," RULE(
		      "more", MATCH(PAYLOAD("udp", "dport"), "==", "500") "," ACCEPT),
		PASSAGE_FREE, PASSAGE_SHUT);
	judge("," PLAIN("more") "," RULE("input", JUMP("more")) "," RULE(
		      "more", "{\"return\":null}") "," RULE("more", ACCEPT),
		PASSAGE_SHUT, PASSAGE_SHUT);
	judge("," PLAIN("more") "," RULE("input", JUMP("more")) "," RULE("input", ACCEPT),
		PASSAGE_FREE, PASSAGE_FREE);
	judge("," PLAIN("more") "," RULE("input", GOTO("more")) "," RULE("input", ACCEPT),
		PASSAGE_SHUT, PASSAGE_SHUT);
	judge("," PLAIN("more") "," RULE("input", JUMP("more")) "," RULE(
		      "more", "{\"xt\":null}," ACCEPT) "," RULE("input", ACCEPT),
		PASSAGE_FREE, PASSAGE_FREE);
	judge("," PLAIN("a") "," PLAIN("b") "," PLAIN("c") "," RULE(
		      "input", JUMP("a")) "," RULE("a", JUMP("b")) "," RULE("b",
		      JUMP("c")) "," RULE("c", ACCEPT),
		PASSAGE_FREE, PASSAGE_FREE);
	/* nft refuses such a ring; so does this */
	judge("," PLAIN("more") "," RULE("input", JUMP("more")) "," RULE(
		      "more", JUMP("input")),
		PASSAGE_DEPENDS, PASSAGE_DEPENDS);
}

static void rewriting(void **state)
{
	struct packet p = leaving(ike()), six = p;
	(void)state;

	six.own = unit_addr("2001:db8::10");
	where_to(NAT "," NAT_RULE("{\"masquerade\":null}"), &p, PASSAGE_REWRITTEN);
	where_to(NAT "," NAT_RULE("{\"masquerade\":null}"), &six, PASSAGE_FREE);
	where_to(NAT "," NAT_RULE(MATCH(
			 PAYLOAD("ip", "saddr"), "==", "\"10.0.0.1\"") ",{\"snat\":{}}"),
		&p, PASSAGE_FREE);
	where_to(NAT "," NAT_RULE(MATCH(
			 META("oifname"), "==", "\"eth0\"") ",{\"masquerade\":null}"),
		&p, PASSAGE_DEPENDS);
	where_to(NAT "," NAT_RULE(MATCH(PAYLOAD("udp", "sport"),
			 "==", "500") "," ACCEPT) "," NAT_RULE("{\"masquerade\":null}"),
		&p, PASSAGE_FREE);
}

static void families(void **state)
{
	struct packet six = ike();
	(void)state;

	six.own = unit_addr("2001:db8::10");
	where_to(CHAIN("f", "input", "input", "drop") "," RULE("input",
			 MATCH(PAYLOAD("ip", "protocol"), "==", "\"udp\"") "," ACCEPT),
		&six, PASSAGE_SHUT);
	where_to(CHAIN("f", "input", "input", "drop") "," RULE(
			 "input", MATCH(META("nfproto"), "==", "\"ipv4\"") "," ACCEPT),
		&six, PASSAGE_SHUT);
	where_to(CHAIN("f", "input", "input", "drop") "," RULE(
			 "input", MATCH(META("nfproto"), "==", "\"ipv6\"") "," ACCEPT),
		&six, PASSAGE_FREE);
	where_to(CHAIN("f", "input", "input", "drop") "," RULE(
			 "input", MATCH(PAYLOAD("ip6", "daddr"), "==",
					  "{\"range\":[\"2001:db8::1\",\"2001:db8::ff\"]"
					  "}") "," ACCEPT),
		&six, PASSAGE_FREE);
}

/* Whatever the text says: no crash, and an answer. */
static void nonsense(void **state)
{
	struct packet p = ike();
	(void)state;

	where_to("1,null,{\"chain\":3},{\"rule\":{\"expr\":7}}", &p, PASSAGE_FREE);
	where_to(CHAIN("f", "input", "input", "drop") "," RULE("input",
			 "{\"match\":{\"op\":7,\"left\":[],\"right\":{}}}," ACCEPT),
		&p, PASSAGE_DEPENDS);
	where_to(CHAIN("f", "input", "input", "drop") "," RULE(
			 "input", MATCH(PAYLOAD("udp", "dport"),
					  "==", "{\"range\":[1]}") "," ACCEPT),
		&p, PASSAGE_DEPENDS);
	where_to(CHAIN("f", "input", "input", "drop") "," RULE("input",
			 MATCH(PAYLOAD("ip", "daddr"), "==",
				 "{\"prefix\":{\"addr\":7,\"len\":900}}") "," ACCEPT),
		&p, PASSAGE_DEPENDS);
}

static void all_is_said(void **state)
{
	struct findings f = {.topic = "firewall"};
	struct addr own = unit_addr("192.0.2.10");
	json_t *shut = json_loads(
		"{\"nftables\":[" CHAIN("f", "input", "input", "drop") "]}", 0, NULL);
	(void)state;

	firewall_judge(shut, &own, 1, false, &f);
	assert_int_equal(f.count[GRADE_BAD], 3);
	assert_string_equal(f.at[0].text,
		"UDP 500 to 192.0.2.10 is dropped by chain \"inet f input\"");
	assert_string_equal(
		f.at[0].advice, "nft insert rule inet f input udp dport 500 accept");
	assert_string_equal(
		f.at[2].advice, "nft insert rule inet f input meta l4proto esp accept");
	json_decref(shut);
}

/* Where a rule asks for it. */
static void ah_is_asked_about_when_it_is_used(void **state)
{
	struct findings f = {.topic = "firewall"};
	struct addr own = unit_addr("192.0.2.10");
	json_t *shut = json_loads(
		"{\"nftables\":[" CHAIN("f", "input", "input", "drop") "]}", 0, NULL);
	(void)state;

	firewall_judge(shut, &own, 1, true, &f);
	assert_int_equal(f.count[GRADE_BAD], 4);
	assert_string_equal(
		f.at[3].text, "AH to 192.0.2.10 is dropped by chain \"inet f input\"");
	assert_string_equal(
		f.at[3].advice, "nft insert rule inet f input meta l4proto ah accept");
	json_decref(shut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_there),
		cmocka_unit_test(ports_and_protocols),
		cmocka_unit_test(ah_is_not_esp),
		cmocka_unit_test(what_is_not_asked_of_others),
		cmocka_unit_test(addresses),
		cmocka_unit_test(what_does_not_help),
		cmocka_unit_test(blocklists),
		cmocka_unit_test(jumps),
		cmocka_unit_test(rewriting),
		cmocka_unit_test(families),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(all_is_said),
		cmocka_unit_test(ah_is_asked_about_when_it_is_used),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
