/* tests/unit/test_node_gateway.c - peers that are sent to a gateway by its name (RFC 5685 9.2).
 *
 * No drain sends to a name. Here the notice of one that sends to NAMED has a name in it.
 */
#include "redirect_lab.h"

#include "base/iana.h"
#include "wire/redirect.h"

#define NAMED "192.0.2.99"
#define NAME "gw-b.example"
#define NOT_GONE "redirected to " NAME ", and not gone: "

static struct {
	const char *name; /* NULL: another one each time */
	unsigned turn;
	char text[32];
} sent;

struct wire_redirect __real_redirect_to(const struct addr *a);
struct wire_redirect __wrap_redirect_to(const struct addr *a);

struct wire_redirect __wrap_redirect_to(const struct addr *a)
{
	const struct addr named = unit_addr(NAMED);

	if (!addr_equal(a, &named))
		return __real_redirect_to(a);
	snprintf(sent.text, sizeof(sent.text), "gw-%u.example", ++sent.turn);
	return (struct wire_redirect){.type = GATEWAY_FQDN,
		.name = span_text(sent.name ? sent.name : sent.text)};
}

static struct lab *lab_named(const char *client)
{
	sent.name = NAME;
	sent.turn = 0;
	return lab_with(client);
}

/* It has called A, which sends it to the name. */
static struct lab *lab_asking(void)
{
	struct lab *l = lab_named(TUNNEL("", ACCEPT));

	drain(l, A, NAMED);
	traffic(l);
	lab_run(l, 50);
	assert_int_equal(lab_count(l, CLIENT, "resolve 1 " NAME), 1);
	return l;
}

static struct lab *lab_standing(void)
{
	struct lab *l = lab_named(TUNNEL("", ACCEPT));

	traffic(l);
	lab_run(l, 50);
	drain(l, A, NAMED);
	lab_run(l, 2000);
	assert_int_equal(lab_count(l, CLIENT, "resolve 1 " NAME), 1);
	assert_only_with(l, ADDR_A);
	return l;
}

/* It was called again without the offer, and A has served it. */
static void assert_served_by_a(struct lab *l, const char *why)
{
	char line[200];

	lab_run(l, 50);
	assert_only_with(l, ADDR_A);
	assert_int_equal(look(l, A).drain_turned, 1);
	snprintf(line, sizeof(line), NOT_GONE "%s", why);
	assert_int_equal(lab_count(l, CLIENT, line), 1);
	assert_int_equal(lab_count(l, CLIENT, "event redirected"), 0);
}

/* ---- the ways of being sent ------------------------------------------------------------ */

/*	client                       A, drained                   B, at 192.0.2.20
 *	IKE_SA_INIT ..         -->
 *	                       <--   N(REDIRECT, gw-b.example, Ni)
 *	(asks, and waits)
 *	IKE_SA_INIT .., N(REDIRECTED_FROM, A)                -->
 */
static void by_name_in_ike_sa_init(void **state)
{
	struct lab *l = lab_asking();

	(void)state;
	/* Nobody is called meanwhile, whatever waits. */
	for (unsigned i = 0; i < 20; i++) {
		traffic(l);
		lab_run(l, 100);
	}
	assert_int_equal(lab_count(l, CLIENT, "exchange 34"), 1);
	assert_int_equal(lab_peer(l, CLIENT).state, PEER_CALLING);
	lab_resolved(l, CLIENT, ADDR_B, 60, "");
	lab_run(l, 50);
	assert_only_with(l, ADDR_B);
	assert_int_equal(lab_count(l, CLIENT, "sends us to " NAME " at " ADDR_B), 1);
	assert_int_equal(lab_count(l, CLIENT, "resolve "), 1);
	lab_free(l);
}

/*	IKE_SA_INIT ..         -->
 *	                       <--   IKE_SA_INIT ..
 *	                             (is drained)
 *	IKE_AUTH SK{..}        -->
 *	                       <--   SK{IDr, AUTH, N(REDIRECT, gw-b.example)}
 */
static void by_name_in_ike_auth(void **state)
{
	struct lab *l = lab_named(TUNNEL("", ACCEPT));

	(void)state;
	traffic(l);
	while (lab_count(l, CLIENT, "exchange 35") == 0)
		lab_run(l, 1);
	drain(l, A, NAMED);
	lab_run(l, 50);
	assert_int_equal(lab_count(l, CLIENT, "resolve 1 " NAME), 1);
	assert_int_equal(lab_up(l, CLIENT), 0);
	lab_resolved(l, CLIENT, ADDR_B, 60, "");
	lab_run(l, 50);
	assert_only_with(l, ADDR_B);
	lab_free(l);
}

/*	                       <--   SK{N(REDIRECT, gw-b.example)}
 *	SK{}                   -->
 *	(asks; the SA with A carries what there is until the one with B does)
 */
static void by_name_while_the_sa_stands(void **state)
{
	struct lab *l = lab_standing();

	(void)state;
	lab_resolved(l, CLIENT, ADDR_B, 60, "");
	for (unsigned i = 0; i < 3000; i++) {
		lab_run(l, 1);
		assert_true(sends_to(l, ADDR_A) || sends_to(l, ADDR_B));
	}
	lab_run(l, 10000);
	assert_only_with(l, ADDR_B);
	assert_int_equal(look(l, A).peers_up, 0);
	lab_free(l);
}

/* ---- which address, if any --------------------------------------------------------------- */

/* Not accepted; A itself; of another family; in their order, not as they came. */
static void the_first_that_is_accepted(void **state)
{
	struct lab *l = lab_asking();

	(void)state;
	lab_resolved(l, CLIENT, "2001:db8::1 " ADDR_C " " ADDR_B " " ADDR_A " 10.0.0.1",
		60, "");
	lab_run(l, 50);
	assert_only_with(l, ADDR_B);
	lab_free(l);
}

static void none_that_is_accepted(void **state)
{
	struct lab *l = lab_asking();

	(void)state;
	lab_resolved(l, CLIENT, ADDR_A " 10.0.0.1", 60, "");
	assert_served_by_a(l, "the rule does not accept it");
	lab_free(l);
}

static void none_that_anybody_can_have(void **state)
{
	struct lab *l = lab_asking();

	(void)state;
	lab_resolved(l, CLIENT, "127.0.0.1", 60, "");
	assert_served_by_a(l, "127.0.0.1 cannot be a peer's address");
	lab_free(l);
}

static void the_resolver_fails(void **state)
{
	struct lab *l = lab_asking();

	(void)state;
	lab_resolved(l, CLIENT, "", 0, "no DNS server answers");
	assert_served_by_a(l, "no DNS server answers");
	lab_free(l);
}

/* The answer that comes later changes nothing. */
static void no_answer_in_time(void **state)
{
	struct lab *l = lab_asking();

	(void)state;
	lab_run(l, 2900);
	assert_int_equal(lab_count(l, CLIENT, "exchange 34"), 1);
	lab_run(l, 50);
	assert_served_by_a(l, "its name is not resolved within 3 s");
	lab_resolved(l, CLIENT, ADDR_B, 60, "");
	lab_run(l, 10000);
	assert_only_with(l, ADDR_A);
	lab_free(l);
}

static void what_stands_stays(void **state)
{
	struct lab *l = lab_standing();

	(void)state;
	lab_resolved(l, CLIENT, "", 0, "it is not known there");
	lab_run(l, 10000);
	assert_only_with(l, ADDR_A);
	assert_int_equal(lab_count(l, CLIENT, "event child-up"), 1);
	assert_int_equal(lab_count(l, CLIENT, NOT_GONE "it is not known there"), 1);
	lab_free(l);
}

/* The address that it has may not be written as a name, either. */
static void names_that_no_host_can_have(void **state)
{
	static const char *const names[] = {
		ADDR_B, "gw_b.example", "-gw.example", "gw..example", "."};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct lab *l = lab_named(TUNNEL("", ACCEPT));

		sent.name = names[i];
		drain(l, A, NAMED);
		traffic(l);
		lab_run(l, 50);
		assert_only_with(l, ADDR_A);
		assert_int_equal(lab_count(l, CLIENT, "resolve "), 0);
		assert_int_equal(lab_count(l, CLIENT, "no host can have that name"), 1);
		lab_free(l);
	}
}

#define TWO_RULES                                                                       \
	ALONE SECRET "filter-list \"a\" { from me to 10.1.0.0/16 port 143 proto tcp "   \
		     "mirrored; }\nfilter-list \"b\" { from me to 10.1.0.0/16 port 80 " \
		     "proto tcp mirrored; }\nfilter-action \"esp\" { negotiate "        \
		     "require; mode tunnel to " ADDR_A "; }\npolicy \"p\" { rule "      \
		     "\"a\" { match \"a\"; action \"esp\"; auth psk \"lab\"; " ACCEPT   \
		     " } rule \"b\" { match \"b\"; action \"esp\"; auth psk "           \
		     "\"lab\"; } }\nassign policy \"p\" to host;\n"

/* Two rules have their children in one IKE SA; one of them may go, and does. */
static void a_rule_that_accepts_nothing_waits_for_no_name(void **state)
{
	struct lab *l = lab_named(TWO_RULES);

	(void)state;
	traffic(l);
	lab_run(l, 50);
	lab_acquire(l, CLIENT, 0, CLIENT_ADDR, "10.1.0.1", 80);
	lab_run(l, 50);
	assert_int_equal(lab_up(l, CLIENT), 2);
	assert_int_equal(look(l, A).peers_up, 1);
	drain(l, A, NAMED);
	lab_run(l, 50);
	lab_resolved(l, CLIENT, ADDR_B, 60, "");
	lab_run(l, 10000);
	assert_int_equal(lab_up(l, CLIENT), 2);
	assert_int_equal(l->node[CLIENT].n_child, 2);
	assert_int_equal(look(l, A).peers_up, 1);
	assert_int_equal(look(l, B).peers_up, 1);
	assert_int_equal(lab_count(l, CLIENT, "event redirected"), 1);
	assert_int_equal(lab_count(l, CLIENT, "not gone"), 0);
	lab_free(l);
}

/* ---- who goes away meanwhile --------------------------------------------------------------- */

/* The rule is not the same any more: the peer goes with it, and the answer is nobody's. */
static void a_reload_takes_the_peer(void **state)
{
	struct lab *l = lab_asking();

	(void)state;
	lab_reload(l, CLIENT, CLIENT_CONF);
	lab_resolved(l, CLIENT, ADDR_B, 60, "");
	lab_run(l, 5000);
	assert_int_equal(lab_count(l, CLIENT, "exchange 34"), 1);
	assert_int_equal(lab_count(l, CLIENT, "event redirected"), 0);
	lab_free(l);
}

static void an_operator_says_down(void **state)
{
	struct lab *l = lab_asking();

	(void)state;
	lab_command(l, CLIENT, NODE_DOWN, NULL);
	lab_resolved(l, CLIENT, ADDR_B, 60, "");
	lab_run(l, 5000);
	assert_int_equal(lab_count(l, CLIENT, "exchange 34"), 1);
	assert_int_equal(lab_up(l, CLIENT), 0);
	lab_free(l);
}

/* ---- bounds ---------------------------------------------------------------------------------- */

/* RFC 5685 7: a round of three, all by name. */
static void a_round_of_names_ends(void **state)
{
	static const char *const next[] = {ADDR_B, ADDR_C, ADDR_A};
	struct lab *l = lab_named(TUNNEL("", ACCEPT));
	unsigned asked = 0;

	(void)state;
	sent.name = NULL;
	start_gateway(l, C);
	drain(l, A, NAMED);
	drain(l, B, NAMED);
	drain(l, C, NAMED);
	traffic(l);
	for (unsigned i = 0; i < 2000; i++) {
		lab_run(l, 1);
		if (lab_count(l, CLIENT, "resolve ") > asked)
			lab_resolved(l, CLIENT, next[asked++ % 3], 60, "");
	}
	assert_int_equal(asked, 5);
	assert_int_equal(lab_count(l, CLIENT, "event redirected"), 5);
	assert_int_equal(lab_up(l, CLIENT), 1);
	lab_free(l);
}

/* All of them call at once. */
static struct lab *lab_many_named(const char *name)
{
	struct lab *l = lab_many();

	sent.name = name;
	sent.turn = 0;
	drain(l, A, NAMED);
	for (unsigned i = 0; i < MANY; i++)
		lab_acquire(l, CLIENT, 0, CLIENT_ADDR, ADDR_A, (uint16_t)(1000 + i));
	return l;
}

/* Eight; the others are served, and so are these, and as long as no answer comes there is no
 * room for more. */
static void so_many_names_at_once(void **state)
{
	struct lab *l = lab_many_named(NULL);

	(void)state;
	lab_run(l, 2000);
	assert_int_equal(lab_count(l, CLIENT, "resolve "), 8);
	assert_int_equal(lab_up(l, CLIENT), MANY - 8);
	lab_run(l, 10000);
	assert_int_equal(lab_count(l, CLIENT, "resolve "), 8);
	assert_int_equal(lab_up(l, CLIENT), MANY);
	lab_free(l);
}

/* Each is answered at once: sixteen, and two a second. */
static void so_many_names_a_second(void **state)
{
	struct lab *l = lab_many_named(NULL);
	unsigned asked = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		lab_run(l, 1);
		for (; lab_count(l, CLIENT, "resolve ") > asked; asked++)
			lab_resolved(l, CLIENT, "", 0, "it is not known there");
	}
	assert_in_range(asked, 16, 18);
	lab_run(l, 2000);
	assert_int_equal(lab_up(l, CLIENT), MANY);
	lab_free(l);
}

static void one_name_is_asked_for_once(void **state)
{
	struct lab *l = lab_many_named(NAME);

	(void)state;
	lab_run(l, 2000);
	assert_int_equal(lab_count(l, CLIENT, "resolve "), 1);
	assert_int_equal(lab_up(l, CLIENT), 0);
	lab_resolved(l, CLIENT, "", 0, "it is not known there");
	lab_run(l, 2000);
	assert_int_equal(lab_count(l, CLIENT, "resolve "), 1);
	assert_int_equal(lab_up(l, CLIENT), MANY);
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_name_in_ike_sa_init),
		cmocka_unit_test(by_name_in_ike_auth),
		cmocka_unit_test(by_name_while_the_sa_stands),
		cmocka_unit_test(the_first_that_is_accepted),
		cmocka_unit_test(none_that_is_accepted),
		cmocka_unit_test(none_that_anybody_can_have),
		cmocka_unit_test(the_resolver_fails),
		cmocka_unit_test(no_answer_in_time),
		cmocka_unit_test(what_stands_stays),
		cmocka_unit_test(names_that_no_host_can_have),
		cmocka_unit_test(a_rule_that_accepts_nothing_waits_for_no_name),
		cmocka_unit_test(a_reload_takes_the_peer),
		cmocka_unit_test(an_operator_says_down),
		cmocka_unit_test(a_round_of_names_ends),
		cmocka_unit_test(so_many_names_at_once),
		cmocka_unit_test(so_many_names_a_second),
		cmocka_unit_test(one_name_is_asked_for_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
