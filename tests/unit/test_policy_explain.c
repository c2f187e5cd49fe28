/* `vipsec explain`: which entry decides, why, and what is exempt. */
#include "unit.h"

#include "base/iana.h"
#include "policy/explain.h"

#include <stdio.h>
#include <string.h>

static const char vip[] = "192.0.2.10";

static void add(struct spd *s, const char *remote, uint8_t proto, uint16_t port,
	enum policy_action action, const char *name)
{
	struct addr a = unit_addr(vip);
	struct prefix p;
	struct spd_entry e = {.action = action, .mirrored = true, .local = ts_host(&a)};

	assert_true(prefix_parse(remote, &p));
	e.remote = ts_prefix(&p);
	e.local.proto = e.remote.proto = proto;
	if (port != 0)
		e.local.port_lo = e.local.port_hi = port;
	e.rule = e.binding = (uint32_t)name[0];
	snprintf(e.rule_name, sizeof(e.rule_name), "%s", name);
	assert_int_equal(spd_add(s, &e), POLICY_OK);
}

static struct spd *sealed(struct spd *s)
{
	const struct spd_entry *a, *b;

	assert_int_equal(spd_seal(s, &a, &b), POLICY_OK);
	return s;
}

static struct spd *mail_spd(void)
{
	struct spd *s = spd_new();

	add(s, "0.0.0.0/0", IP_ANY, 0, POLICY_BLOCK, "rest");
	add(s, "198.51.100.0/24", IP_TCP, 143, POLICY_NEGOTIATE, "mail");
	return sealed(s);
}

static struct flow flow_to_vip(uint8_t proto, uint16_t local_port, uint16_t remote_port)
{
	return (struct flow){
		.local = unit_addr(vip),
		.remote = unit_addr("198.51.100.20"),
		.proto = proto,
		.ports_known = true,
		.local_port = local_port,
		.remote_port = remote_port,
	};
}

static struct policy_explanation explain(
	struct spd *s, enum policy_direction d, struct flow f)
{
	struct policy_explanation e;

	policy_explain(s, d, &f, &e);
	return e;
}

static void the_deciding_entry_and_the_one_behind_it_are_named(void **state)
{
	(void)state;
	struct spd *s = mail_spd();
	char text[POLICY_WHY_MAX];
	struct policy_explanation e =
		explain(s, POLICY_IN, flow_to_vip(IP_TCP, 143, 40000));

	assert_int_equal(e.reason, REASON_ENTRY);
	assert_int_equal(e.action, POLICY_NEGOTIATE);
	assert_string_equal(e.entry->rule_name, "mail");
	assert_string_equal(e.second->rule_name, "rest");
	assert_int_equal(e.position, 0);
	assert_int_equal(e.covering, 2);
	assert_non_null(strstr(policy_why(&e, text), "rule \"mail\""));
	assert_non_null(strstr(text, "before rule \"rest\": a narrower remote address"));
	spd_free(s);
}

static void what_no_rule_covers_passes_in_clear(void **state)
{
	(void)state;
	struct spd *s = sealed(spd_new());
	char text[POLICY_WHY_MAX];
	struct policy_explanation e =
		explain(s, POLICY_OUT, flow_to_vip(IP_TCP, 143, 40000));

	assert_int_equal(e.reason, REASON_NO_ENTRY);
	assert_int_equal(e.action, POLICY_PERMIT);
	assert_null(e.entry);
	assert_non_null(strstr(policy_why(&e, text), "no rule covers it"));
	spd_free(s);
}

static void the_reason_says_what_made_the_winner_more_specific(void **state)
{
	(void)state;
	char text[POLICY_WHY_MAX];
	struct spd *s = spd_new();

	add(s, "198.51.100.0/24", IP_TCP, 143, POLICY_PERMIT, "narrow");
	add(s, "198.51.100.0/24", IP_TCP, 0, POLICY_BLOCK, "wide");
	sealed(s);
	struct policy_explanation e =
		explain(s, POLICY_OUT, flow_to_vip(IP_TCP, 143, 40000));
	assert_non_null(strstr(policy_why(&e, text), "narrower ports"));
	spd_free(s);

	s = spd_new();
	add(s, "198.51.100.0/24", IP_TCP, 0, POLICY_PERMIT, "one protocol");
	add(s, "198.51.100.0/24", IP_ANY, 0, POLICY_BLOCK, "all");
	sealed(s);
	e = explain(s, POLICY_OUT, flow_to_vip(IP_TCP, 143, 40000));
	assert_non_null(strstr(policy_why(&e, text), "a protocol"));
	spd_free(s);
}

static void assert_reason(enum policy_direction d, struct flow f, enum policy_reason want)
{
	struct spd *s = mail_spd();
	struct policy_explanation e = explain(s, d, f);

	assert_int_equal(e.reason, want);
	assert_int_equal(e.action, want == REASON_ENTRY ? POLICY_BLOCK : POLICY_PERMIT);
	assert_string_equal(e.entry->rule_name, "rest"); /* without the exemption */
	spd_free(s);
}

static void ike_is_exempt_at_our_ports_only(void **state)
{
	(void)state;
	assert_reason(POLICY_IN, flow_to_vip(IP_UDP, 500, 500), REASON_EXEMPT_IKE);
	assert_reason(POLICY_OUT, flow_to_vip(IP_UDP, 4500, 61234), REASON_EXEMPT_IKE);
	assert_reason(POLICY_OUT, flow_to_vip(IP_UDP, 61234, 500), REASON_ENTRY);
	assert_reason(POLICY_IN, flow_to_vip(IP_TCP, 500, 500), REASON_ENTRY);
}

static void esp_and_ah_are_exempt(void **state)
{
	(void)state;
	assert_reason(POLICY_IN, flow_to_vip(IP_ESP, 0, 0), REASON_EXEMPT_ESP);
	assert_reason(POLICY_OUT, flow_to_vip(IP_AH, 0, 0), REASON_EXEMPT_AH);
}

static void path_mtu_errors_are_exempt_inbound(void **state)
{
	(void)state;
	uint16_t frag_needed = 3 << 8 | 4, port_unreachable = 3 << 8 | 3;

	assert_reason(POLICY_IN, flow_to_vip(IP_ICMP, frag_needed, frag_needed),
		REASON_EXEMPT_PATH_MTU);
	assert_reason(
		POLICY_OUT, flow_to_vip(IP_ICMP, frag_needed, frag_needed), REASON_ENTRY);
	assert_reason(POLICY_IN, flow_to_vip(IP_ICMP, port_unreachable, port_unreachable),
		REASON_ENTRY);
}

static void neighbour_discovery_is_exempt_and_ping_is_not(void **state)
{
	(void)state;
	for (unsigned type = 128; type < 140; type++) {
		uint16_t port = (uint16_t)(type << 8);
		enum policy_reason want =
			type >= 133 && type <= 137 ? REASON_EXEMPT_ND : REASON_ENTRY;

		assert_reason(POLICY_OUT, flow_to_vip(IP_ICMPV6, port, port), want);
	}
}

static void a_packet_is_turned_to_our_side(void **state)
{
	(void)state;
	struct addr ours = unit_addr(vip), peer = unit_addr("198.51.100.20");
	struct addr stranger = unit_addr("203.0.113.1"), v6 = unit_addr("2001:db8::1");
	enum policy_direction d;
	struct flow f;

	assert_true(policy_orient(&ours, 1, &peer, 40000, &ours, 143, IP_TCP, &d, &f));
	assert_int_equal(d, POLICY_IN);
	assert_int_equal(f.local_port, 143);
	assert_int_equal(f.remote_port, 40000);

	assert_true(policy_orient(&ours, 1, &ours, 143, &peer, 40000, IP_TCP, &d, &f));
	assert_int_equal(d, POLICY_OUT);
	assert_int_equal(f.local_port, 143);

	assert_true(policy_orient(NULL, 0, &stranger, 1, &peer, 2, IP_TCP, &d, &f));
	assert_int_equal(d, POLICY_OUT);
	assert_false(policy_orient(&ours, 1, &stranger, 1, &peer, 2, IP_TCP, &d, &f));
	assert_false(policy_orient(&ours, 1, &ours, 1, &v6, 2, IP_TCP, &d, &f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_deciding_entry_and_the_one_behind_it_are_named),
		cmocka_unit_test(what_no_rule_covers_passes_in_clear),
		cmocka_unit_test(the_reason_says_what_made_the_winner_more_specific),
		cmocka_unit_test(ike_is_exempt_at_our_ports_only),
		cmocka_unit_test(esp_and_ah_are_exempt),
		cmocka_unit_test(path_mtu_errors_are_exempt_inbound),
		cmocka_unit_test(neighbour_discovery_is_exempt_and_ping_is_not),
		cmocka_unit_test(a_packet_is_turned_to_our_side),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
