/* test_routing_rules.c - a scope's SPD as routing rules: in front of the host's own, and behind
 * them where the kernel seals.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/iana.h"
#include "routing/steer_rules.h"

enum { PREFERENCE = 14510, TABLE = 45000 };

static struct ts selector(const char *lo, const char *hi, uint8_t proto, uint16_t port)
{
	struct ts t = {.lo = unit_addr(lo), .hi = unit_addr(hi), .proto = proto};

	t.port_lo = port;
	t.port_hi = port != 0 ? port : UINT16_MAX;
	return t;
}

static void add(struct spd *spd, enum policy_action action, enum policy_mode mode,
	struct ts local, struct ts remote)
{
	struct spd_entry e = {
		.local = local, .remote = remote, .action = action, .mode = mode};

	e.mirrored = true;
	assert_int_equal(spd_add(spd, &e), POLICY_OK);
}

/* Of the VIP 192.0.2.50: a tunnel with one port in clear and one blocked inside it, and a
 * transport rule. */
static struct steered made(bool last, enum policy_mode mode)
{
	struct steered sc = {.spd = spd_new(), .last = last, .n_addrs = 1};
	const struct spd_entry *a, *b;
	const char *vip = "192.0.2.50", *lo = "10.7.0.0", *hi = "10.7.0.255";

	sc.addrs[0] = unit_addr(vip);
	add(sc.spd, POLICY_NEGOTIATE, mode, selector(vip, vip, IP_UDP, 0),
		selector(lo, hi, IP_UDP, 0));
	add(sc.spd, POLICY_PERMIT, POLICY_TRANSPORT, selector(vip, vip, IP_UDP, 53),
		selector(lo, hi, IP_UDP, 0));
	add(sc.spd, POLICY_BLOCK, POLICY_TRANSPORT, selector(vip, vip, IP_UDP, 7),
		selector(lo, hi, IP_UDP, 0));
	add(sc.spd, POLICY_NEGOTIATE, POLICY_TRANSPORT, selector(vip, vip, IP_TCP, 80),
		selector("0.0.0.0", "255.255.255.255", IP_TCP, 0));
	assert_int_equal(spd_seal(sc.spd, &a, &b), POLICY_OK);
	return sc;
}

struct words {
	char text[1024];
	size_t len;
};

/* "17 53>10.7.0.0/24 leave 14700": protocol, our port, whereto, and what becomes of it. */
static int say(void *ctx, const struct rule *r)
{
	struct words *w = ctx;
	char dst[ADDR_TEXT_MAX];

	assert_int_equal(r->preference, PREFERENCE);
	w->len += (size_t)snprintf(w->text + w->len, sizeof(w->text) - w->len,
		"%s%u %u>%s/%u %s %u", w->len > 0 ? "; " : "", r->proto, r->sport_lo,
		r->dst.bits > 0 ? addr_format(&r->dst.addr, dst) : "", r->dst.bits,
		r->action == RULE_LOOKUP ? "table" : "leave", r->target);
	return 0;
}

static void assert_rules(struct steered sc, const char *want)
{
	struct words w = {.text = ""};
	struct rule_sink to = {.take = say, .ctx = &w};

	assert_int_equal(steer_rules_give(&to, &sc, PREFERENCE, TABLE), 0);
	assert_string_equal(w.text, want);
	spd_free(sc.spd);
}

static void all_that_is_negotiated_is_led_into_the_tun(void **state)
{
	(void)state;
	assert_rules(made(false, POLICY_TUNNEL),
		"17 53>10.7.0.0/24 leave 14700; 17 0>10.7.0.0/24 table 45000; "
		"17 1>10.7.0.0/24 table 45000; 6 80>/0 table 45000; "
		"0 0>/0 leave 14700");
}

/* What a rule lets pass in clear, or seals between the machines themselves, keeps no way where
 * it had none. */
static void only_tunnels_lead_what_has_no_way(void **state)
{
	(void)state;
	assert_rules(made(true, POLICY_TUNNEL),
		"17 53>10.7.0.0/24 leave 45200; 17 0>10.7.0.0/24 table 45000; "
		"6 80>/0 leave 45200; 0 0>/0 leave 45200");
}

static void without_a_tunnel_nothing_is_led_there(void **state)
{
	struct steered sc = made(true, POLICY_TRANSPORT);

	(void)state;
	assert_false(steer_rules_lead(&sc, ADDR_V4));
	assert_rules(sc, "");
}

static void only_the_family_of_a_tunnel_has_a_table(void **state)
{
	struct steered sc = made(true, POLICY_TUNNEL);

	(void)state;
	assert_true(steer_rules_lead(&sc, ADDR_V4));
	assert_false(steer_rules_lead(&sc, ADDR_V6));
	spd_free(sc.spd);
}

static int refuse(void *ctx, const struct rule *r)
{
	(void)ctx;
	return r->action == RULE_LOOKUP ? -5 : 0;
}

static void a_rule_that_is_not_taken_ends_it(void **state)
{
	struct steered sc = made(true, POLICY_TUNNEL);
	struct rule_sink to = {.take = refuse};

	(void)state;
	assert_int_equal(steer_rules_give(&to, &sc, PREFERENCE, TABLE), -5);
	spd_free(sc.spd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_negotiated_is_led_into_the_tun),
		cmocka_unit_test(only_tunnels_lead_what_has_no_way),
		cmocka_unit_test(without_a_tunnel_nothing_is_led_there),
		cmocka_unit_test(only_the_family_of_a_tunnel_has_a_table),
		cmocka_unit_test(a_rule_that_is_not_taken_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
