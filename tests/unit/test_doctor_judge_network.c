/* tests/unit/test_doctor_judge_network.c - made-up facts of the network, and what is made of them. */
#include "judge_lab.h"

#include <stdio.h>
#include <stdlib.h>

static struct ts net(const char *text)
{
	struct prefix p;

	assert_true(prefix_parse(text, &p));
	return ts_prefix(&p);
}

static struct facts_policies *one_policy(bool in_kernel)
{
	struct facts_policies *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	x->offered = true;
	x->in_kernel = in_kernel;
	x->n = x->n_ours = 1;
	x->at[0] = (struct fact_policy){.out = true,
		.block = true,
		.local = net("192.0.2.0/24"),
		.remote = net("0.0.0.0/0"),
		.text = "dir out"};
	x->ours[0].local = net("192.0.2.10");
	x->ours[0].remote = net("198.51.100.0/24");
	x->ours[0].local.proto = x->ours[0].remote.proto = 6;
	x->ours[0].priority = 1089;
	snprintf(x->ours[0].what, sizeof(x->ours[0].what), "rule \"mail\"");
	return x;
}

static void policies_in_the_way(void **state)
{
	struct facts_policies *x = one_policy(true);
	(void)state;

	fresh();
	judge_policies(x, &found);
	expect(0, 0, 1);
	expect_words("drops, before rule \"mail\"", "ip xfrm policy");
	x->at[0].priority = 1089; /* which of equal ones serves is chance */
	fresh();
	judge_policies(x, &found);
	expect(0, 0, 1);
	x->at[0].block = false;
	fresh();
	judge_policies(x, &found);
	expect_words("lets pass in clear", "");
	x->in_kernel = false; /* nothing of ours is there: any number comes before */
	x->at[0].priority = 2000;
	x->at[0].secures = true;
	fresh();
	judge_policies(x, &found);
	expect(0, 0, 1);
	expect_words("SAs of its own", "");
	free(x);
}

static void policies_beside_ours(void **state)
{
	struct facts_policies *x = one_policy(true);
	(void)state;

	x->at[0].priority = 1090;
	fresh();
	judge_policies(x, &found);
	expect(1, 0, 0);
	x->at[0].priority = 0;
	x->at[0].local = net("203.0.113.0/24");
	fresh();
	judge_policies(x, &found);
	expect(1, 0, 0);
	x->at[0].local = net("192.0.2.0/24");
	x->at[0].local.proto = x->at[0].remote.proto = 17;
	fresh();
	judge_policies(x, &found);
	expect(1, 0, 0);
	x->at[0].local.proto = x->at[0].remote.proto = 0;
	x->at[0].if_id = 7; /* an XFRM interface's */
	fresh();
	judge_policies(x, &found);
	expect(1, 0, 0);
	x->at[0].if_id = 0;
	x->at[0].out = false; /* the rule says nothing of what arrives */
	fresh();
	judge_policies(x, &found);
	expect(1, 0, 0);
	x->ours[0].mirrored = true;
	fresh();
	judge_policies(x, &found);
	expect(0, 0, 1);
	x->in_kernel = x->at[0].block = false; /* lets pass what the TUN gets next */
	fresh();
	judge_policies(x, &found);
	expect(1, 0, 0);
	free(x);
}

static void ports(void **state)
{
	struct facts_ports x = {.n = 1, .n_own = 1};
	(void)state;

	x.own[0] = unit_addr("192.0.2.10");
	x.at[0] = (struct fact_port){.port = 500, .pid = 77, .program = "charon"};
	x.at[0].local = unit_addr("0.0.0.0");
	fresh();
	judge_ports(&x, &found);
	expect(0, 0, 1);
	expect_words("UDP 500 on any address is held by charon (pid 77)", "stop it");
	x.at[0].local = unit_addr("::");
	fresh();
	judge_ports(&x, &found);
	expect(0, 0, 1);
	x.at[0].local = unit_addr("192.0.2.11");
	fresh();
	judge_ports(&x, &found);
	expect(1, 0, 0);
	x.at[0].local = unit_addr("192.0.2.10");
	x.at[0].pid = 0;
	fresh();
	judge_ports(&x, &found);
	expect(0, 0, 1);
	expect_words("on 192.0.2.10 is held by a program that cannot be seen", "");
	x.own_any = true;
	x.at[0].local = unit_addr("127.0.0.1");
	fresh();
	judge_ports(&x, &found);
	expect(1, 0, 0);
}

static void ports_of_the_daemon(void **state)
{
	struct facts_ports x = {.n = 1, .n_own = 1, .daemon_pid = 5};
	(void)state;

	x.own[0] = unit_addr("192.0.2.10");
	x.at[0] = (struct fact_port){.port = 500, .pid = 5, .program = "memcheck"};
	x.at[0].local = x.own[0];
	fresh();
	judge_ports(&x, &found);
	expect(1, 0, 0);
	expect_words("vipsecd's", "");
	x.at[0].pid = 6; /* another, of whatever name */
	snprintf(x.at[0].program, sizeof(x.at[0].program), "vipsecd");
	fresh();
	judge_ports(&x, &found);
	expect(0, 0, 1);
	x.daemon_there = true;
	fresh();
	judge_ports(&x, &found);
	expect(1, 0, 0);
}

static void mtu(void **state)
{
	struct facts_links x = {.n = 2, .fragment_size = 1280};
	(void)state;

	x.at[0] = (struct fact_link){.name = "eth0", .mtu = 1500, .v4 = true};
	x.at[1] = (struct fact_link){.name = "eth1", .mtu = 1280, .v4 = true};
	fresh();
	judge_mtu(&x, &found);
	expect(1, 0, 0);
	expect_words("1280 at least (eth1)", "");
	x.at[1].mtu = 1279;
	fresh();
	judge_mtu(&x, &found);
	expect(0, 1, 0);
	expect_words("fragment-size 1280", "fragment-size 1279");
	x.needs_v6 = true;
	fresh();
	judge_mtu(&x, &found);
	expect(0, 0, 1);
	expect_words("IPv6", "ip link set eth1 mtu 1500");
	x.at[1].mtu = 1280;
	fresh();
	judge_mtu(&x, &found);
	expect(1, 0, 0);
	x.needs_v6 = false;
	x.at[1].mtu = 500;
	fresh();
	judge_mtu(&x, &found);
	expect(0, 0, 1);
	x.n = 0;
	fresh();
	judge_mtu(&x, &found);
	expect(0, 1, 0);
	expect_advice();
}

static void rp_filter(void **state)
{
	struct facts_links x = {.n = 1};
	(void)state;

	x.at[0] = (struct fact_link){.name = "eth0", .rp_filter = 1, .v4 = true};
	fresh();
	judge_rp_filter(&x, &found);
	expect(1, 0, 0);
	x.n = 2;
	x.at[1] = (struct fact_link){.name = "eth1", .rp_filter = 2, .v6 = true};
	fresh();
	judge_rp_filter(&x, &found);
	expect(1, 0, 0);
	x.at[1].v4 = true;
	fresh();
	judge_rp_filter(&x, &found);
	expect(0, 1, 0);
	expect_words("strict on eth0,", "rp_filter=2");
	x.at[0].rp_filter = 2;
	fresh();
	judge_rp_filter(&x, &found);
	expect(1, 0, 0);
}

static void what_passes_by_the_policies(void **state)
{
	struct facts_links x = {.n = 2, .in_kernel = true};
	(void)state;

	snprintf(x.at[0].name, sizeof(x.at[0].name), "eth0");
	snprintf(x.at[1].name, sizeof(x.at[1].name), "eth1.7");
	fresh();
	judge_passing(&x, &found);
	expect(1, 0, 0);
	x.at[1].passing.no_xfrm = true;
	fresh();
	judge_passing(&x, &found);
	expect(0, 1, 0);
	expect_words("eth1.7: disable_xfrm of IPv4 is set",
		"sysctl -w net/ipv4/conf/eth1.7/disable_xfrm=0");
	x.at[1].passing = (struct fact_passing){.no_policy = true};
	fresh();
	judge_passing(&x, &found);
	expect(0, 1, 0);
	expect_words("eth1.7: disable_policy of IPv4 is set",
		"net/ipv4/conf/eth1.7/disable_policy=0");
	x.at[1].passing = (struct fact_passing){.no_policy_v6 = true};
	fresh();
	judge_passing(&x, &found);
	expect(0, 1, 0);
	expect_words(
		"disable_policy of IPv6 is set", "net/ipv6/conf/eth1.7/disable_policy=0");
	x.all.no_xfrm = true; /* each of both must go */
	fresh();
	judge_passing(&x, &found);
	expect(0, 2, 0);
	expect_words("all interfaces: disable_xfrm", "net/ipv4/conf/all/disable_xfrm=0");
	x.in_kernel = false; /* there are no policies of ours */
	fresh();
	judge_passing(&x, &found);
	expect(0, 0, 0);
}

static void forwarding(void **state)
{
	struct facts_forwarding x = {.v4 = false};
	(void)state;

	fresh();
	judge_forwarding(&x, &found);
	expect(1, 0, 0);
	snprintf(x.rule, sizeof(x.rule), "branch");
	x.v4_needed = x.v6_needed = true;
	x.v6 = true;
	fresh();
	judge_forwarding(&x, &found);
	expect(0, 0, 1);
	expect_words("rule \"branch\"", "net.ipv4.ip_forward=1");
	x.v4 = true;
	fresh();
	judge_forwarding(&x, &found);
	expect(1, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policies_in_the_way),
		cmocka_unit_test(policies_beside_ours),
		cmocka_unit_test(ports),
		cmocka_unit_test(ports_of_the_daemon),
		cmocka_unit_test(mtu),
		cmocka_unit_test(rp_filter),
		cmocka_unit_test(what_passes_by_the_policies),
		cmocka_unit_test(forwarding),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
