/* What `vipsec doctor` makes of facts: each judgement is given made-up ones. */
#include "unit.h"

#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>

#include "doctor/judge.h"

static struct findings found;

static void fresh(void)
{
	memset(&found, 0, sizeof(found));
	found.topic = "test";
}

/* So many of each, and the words in the first of the worst, and in its advice. */
static void expect(size_t ok, size_t warn, size_t bad)
{
	assert_int_equal(found.count[GRADE_OK], ok);
	assert_int_equal(found.count[GRADE_WARN], warn);
	assert_int_equal(found.count[GRADE_BAD], bad);
}

static void expect_words(const char *text, const char *advice)
{
	enum grade worst = found.count[GRADE_BAD]    ? GRADE_BAD
			   : found.count[GRADE_WARN] ? GRADE_WARN
						     : GRADE_OK;

	for (size_t i = 0; i < found.n; i++) {
		if (found.at[i].grade != worst)
			continue;
		if (!strstr(found.at[i].text, text) ||
			!strstr(found.at[i].advice, advice))
			fail_msg("'%s' -> '%s' has not '%s' -> '%s'", found.at[i].text,
				found.at[i].advice, text, advice);
		return;
	}
	fail_msg("nothing was found");
}

/* Whatever is not well says what to do. */
static void expect_advice(void)
{
	for (size_t i = 0; i < found.n; i++)
		if (found.at[i].grade != GRADE_OK)
			assert_true(found.at[i].advice[0] != '\0');
}

/* ---- the machine ------------------------------------------------------------------------ */

static void privileges(void **state)
{
	const uint64_t all = 1ull << CAP_NET_ADMIN | 1ull << CAP_NET_RAW |
			     1ull << CAP_NET_BIND_SERVICE | 1ull << CAP_IPC_LOCK;
	struct facts_privileges x = {.effective = all};
	(void)state;

	fresh();
	judge_privileges(&x, &found);
	expect(1, 0, 0);
	x.effective = all & ~(1ull << CAP_IPC_LOCK);
	fresh();
	judge_privileges(&x, &found);
	expect(0, 1, 0);
	x.effective = all & ~(1ull << CAP_NET_RAW);
	fresh();
	judge_privileges(&x, &found);
	expect(0, 0, 1);
	expect_words("CAP_NET_RAW", "root");
	x.effective = 0;
	fresh();
	judge_privileges(&x, &found);
	expect(0, 1, 3);
}

static void esp(void **state)
{
	struct facts_esp x = {.configured = true, .prefer = PLANE_KERNEL, .n = 2};
	(void)state;

	x.at[0].alg = AEAD_AES128_GCM16;
	x.at[1].alg = AEAD_AES256_GCM16;
	x.at[0].offered = x.at[1].offered = true;
	fresh();
	judge_esp(&x, &found);
	expect(1, 0, 0);
	expect_words("aes128gcm16, aes256gcm16", "");
	x.at[1].offered = false;
	snprintf(x.at[1].why, sizeof(x.at[1].why), "no such thing");
	fresh();
	judge_esp(&x, &found);
	expect(0, 0, 1);
	expect_words("no such thing", "fallback userspace");
	x.has_fallback = true;
	fresh();
	judge_esp(&x, &found);
	expect(0, 1, 0);
	expect_words("no such thing", "modprobe");
	x.prefer = PLANE_USERSPACE;
	fresh();
	judge_esp(&x, &found);
	expect(1, 0, 0);
	expect_words("no such thing", "");
}

static void helps_of_the_kernel_plane(void **state)
{
	struct facts_helps x = {.in_kernel = true};
	(void)state;

	fresh();
	judge_helps(&x, &found);
	expect(1, 0, 0);
	expect_words("not tried", "");
	x.tried = x.holds = x.steers = true;
	fresh();
	judge_helps(&x, &found);
	expect(1, 0, 0);
	x.holds = false;
	snprintf(x.not_held, sizeof(x.not_held), "no such queue");
	fresh();
	judge_helps(&x, &found);
	expect(0, 1, 0);
	expect_words("before its SA is lost, as the kernel cannot hold it: no such queue",
		"nft_queue");
	x.holds = true;
	x.steers = false;
	snprintf(x.not_steered, sizeof(x.not_steered), "no such rules");
	fresh();
	judge_helps(&x, &found);
	expect(0, 1, 0);
	expect_words("must have a route of this machine's: no such rules", "ip route");
	x.holds = x.in_kernel = false;
	fresh();
	judge_helps(&x, &found);
	expect(0, 0, 0);
}

static void crypto(void **state)
{
	struct facts_crypto x = {.in_kernel = true, .n = 2};
	(void)state;

	snprintf(x.at[0].name, sizeof(x.at[0].name), "cbc(aes)");
	snprintf(x.at[0].driver, sizeof(x.at[0].driver), "cbc-aes-aesni");
	snprintf(x.at[1].name, sizeof(x.at[1].name), "rfc4106(gcm(aes))");
	snprintf(x.at[1].driver, sizeof(x.at[1].driver),
		"rfc4106(gcm_base(ctr(aes-generic),ghash-generic))");
	fresh();
	judge_crypto(&x, &found);
	expect(1, 1, 0);
	expect_words("ghash-generic", "modprobe");
	x.cpu_without_aes = true; /* there is nothing to load */
	fresh();
	judge_crypto(&x, &found);
	expect(2, 0, 0);
	x.in_kernel = false;
	fresh();
	judge_crypto(&x, &found);
	expect(1, 0, 0);
}

static void tun(void **state)
{
	struct facts_tun x = {.needed = true, .offered = true};
	(void)state;

	fresh();
	judge_tun(&x, &found);
	expect(1, 0, 0);
	x.daemon_uses_it = true;
	fresh();
	judge_tun(&x, &found);
	expect(0, 0, 1);
	expect_words("not up", "vipsec0");
	x = (struct facts_tun){.needed = true, .why = "it is not there"};
	fresh();
	judge_tun(&x, &found);
	expect(0, 0, 1);
	expect_words("it is not there", "modprobe tun");
	x.needed = false;
	fresh();
	judge_tun(&x, &found);
	expect(1, 0, 0);
}

static void clocks(void **state)
{
	struct facts_clock x = {.wall_s = 1900000000, .known = true, .needed = true};
	(void)state;

	fresh();
	judge_clock(&x, &found);
	expect(0, 1, 0);
	expect_words("NTP", "chrony");
	x.synchronised = true;
	fresh();
	judge_clock(&x, &found);
	expect(1, 0, 0);
	x.synchronised = x.needed = false;
	fresh();
	judge_clock(&x, &found);
	expect(1, 0, 0);
	x.wall_s = 40;
	fresh();
	judge_clock(&x, &found);
	expect(0, 0, 1);
	expect_words("not set", "date -s");
}

/* ---- the network ------------------------------------------------------------------------- */

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

/* ---- the setup ----------------------------------------------------------------------------- */

static void configuration(void **state)
{
	struct facts_config x = {.file = "c.conf", .usable = true, .rules = 3};
	(void)state;

	fresh();
	judge_config(&x, &found);
	expect(1, 0, 0);
	x.n = 2;
	snprintf(x.lines[0], sizeof(x.lines[0]), "c.conf:3:4: warning: odd");
	snprintf(x.lines[1], sizeof(x.lines[1]), "c.conf:5:1: error: no word 'a'");
	x.usable = false;
	fresh();
	judge_config(&x, &found);
	expect(0, 1, 1);
	expect_words("c.conf:5:1", "vipsec check c.conf");
	x.n = 1;
	snprintf(x.lines[0], sizeof(x.lines[0]),
		"c.conf:1:1: error: cannot be read: No such file or directory");
	fresh();
	judge_config(&x, &found);
	expect(0, 0, 1);
	expect_words("cannot be read", "write it");
}

static void files(void **state)
{
	struct facts_files x = {.n = 2};
	(void)state;

	x.at[0] = (struct fact_file){.path = "/a", .there = true, .mode = 0755};
	x.at[1] = (struct fact_file){
		.path = "/b", .there = true, .secret = true, .mode = 0700};
	fresh();
	judge_files(&x, &found);
	expect(1, 0, 0);
	x.at[0].mode = 0775;
	fresh();
	judge_files(&x, &found);
	expect(0, 0, 1);
	expect_words("/a can be written by others (mode 775)", "chmod go-w /a");
	x.at[0].mode = 0755;
	x.at[1].mode = 0750;
	fresh();
	judge_files(&x, &found);
	expect(0, 0, 1);
	expect_words("/b can be read by others", "chmod go-rwx /b");
	x.at[1].there = false;
	x.at[0].foreign = true;
	fresh();
	judge_files(&x, &found);
	expect(0, 0, 1);
	expect_words("another user", "chown root /a");
}

static void certificates(void **state)
{
	enum { NOW = 1900000000, DAY = 86400 };
	struct facts_certificates x = {
		.now_s = NOW, .warning_ms = 14ull * DAY * 1000, .n = 1};
	(void)state;

	x.at[0] = (struct fact_certificate){.identity = "mail",
		.subject = "CN=mail",
		.not_before_s = NOW - DAY,
		.not_after_s = NOW + 15 * DAY};
	fresh();
	judge_certificates(&x, &found);
	expect(1, 0, 0);
	x.at[0].not_after_s = NOW + 13 * DAY;
	fresh();
	judge_certificates(&x, &found);
	expect(0, 1, 0);
	expect_words("in 13 days", "renew");
	x.at[0].not_after_s = NOW - 1;
	x.at[0].ca = true;
	fresh();
	judge_certificates(&x, &found);
	expect(0, 0, 1);
	expect_words("identity \"mail\": the CA CN=mail has expired", "renew");
	x.at[0].not_after_s = NOW + 99 * DAY;
	x.at[0].not_before_s = NOW + 1;
	fresh();
	judge_certificates(&x, &found);
	expect(0, 0, 1);
	expect_words("only from", "clock");
}

static void guard(void **state)
{
	struct facts_guard x = {.can_list = true, .there = true};
	(void)state;

	fresh();
	judge_guard(&x, &found);
	expect(1, 0, 0);
	x.compared = true;
	fresh();
	judge_guard(&x, &found);
	expect(0, 1, 0);
	x.daemon_runs = true;
	fresh();
	judge_guard(&x, &found);
	expect(0, 0, 1);
	expect_words("not what the configuration asks for", "vipsec reload");
	x.as_it_should = true;
	fresh();
	judge_guard(&x, &found);
	expect(1, 0, 0);
	x.there = false;
	fresh();
	judge_guard(&x, &found);
	expect(0, 0, 1);
	x.daemon_runs = false;
	fresh();
	judge_guard(&x, &found);
	expect(0, 1, 0);
	x.can_list = false;
	fresh();
	judge_guard(&x, &found);
	expect(0, 0, 1);
	expect_words("nftables does not answer", "nf_tables");
}

static void cluster(void **state)
{
	struct facts_cluster x = {.wanted = true,
		.cpg = true,
		.cmap = true,
		.quorum = true,
		.quorate = true,
		.failover_ms = 2200,
		.idle_ms = 300000,
		.idle_failover_ms = 60000};
	(void)state;

	fresh();
	judge_cluster(&x, &found);
	expect(1, 0, 0);
	x.idle_failover_ms = 2200;
	fresh();
	judge_cluster(&x, &found);
	expect(0, 1, 0);
	expect_words("idle-timeout-failover (2200 ms)", "token");
	x.configured_failover_ms = 400000; /* the operator knows of fencing */
	fresh();
	judge_cluster(&x, &found);
	expect(0, 2, 0);
	x.cmap = false;
	fresh();
	judge_cluster(&x, &found);
	expect(0, 1, 0);
	x.quorate = false;
	fresh();
	judge_cluster(&x, &found);
	expect(0, 0, 1);
	expect_words("not quorate", "corosync-quorumtool");
	x.cpg = false;
	snprintf(x.why, sizeof(x.why), "corosync does not answer");
	fresh();
	judge_cluster(&x, &found);
	expect(0, 0, 1);
	expect_words("corosync does not answer", "systemctl start corosync");
	x.silent = true;
	fresh();
	judge_cluster(&x, &found);
	expect(0, 0, 1);
	expect_words("within seconds", "restart corosync");
	x.wanted = false;
	fresh();
	judge_cluster(&x, &found);
	expect(1, 0, 0);
}

static void daemon_states(void **state)
{
	struct facts_daemon x = {.state = DAEMON_THERE, .pid = 9, .pid_alive = true};
	(void)state;

	fresh();
	judge_daemon(&x, &found);
	expect(1, 0, 0);
	x.n_problems = 1;
	snprintf(x.problems[0], sizeof(x.problems[0]), "a peer is lost");
	fresh();
	judge_daemon(&x, &found);
	expect(0, 1, 0);
	expect_words("a peer is lost", "vipsec status");
	x = (struct facts_daemon){.state = DAEMON_SILENT, .pid = 9, .pid_alive = true};
	fresh();
	judge_daemon(&x, &found);
	expect(0, 0, 1);
	expect_words("(pid 9) does not answer", "kill");
	x.state = DAEMON_ABSENT;
	fresh();
	judge_daemon(&x, &found);
	expect(0, 0, 1);
	expect_words("cannot be asked", "nsenter -t 9");
	x.pid_alive = false;
	fresh();
	judge_daemon(&x, &found);
	expect(0, 0, 1);
	expect_words("pid 9 has died", "crash.log");
	x.pid = 0;
	fresh();
	judge_daemon(&x, &found);
	expect(0, 1, 0);
	expect_words("does not run here", "vipsecd -f");
}

/* ---- the list ------------------------------------------------------------------------------- */

static void what_others_wrote_is_made_printable(void **state)
{
	(void)state;
	fresh();
	find(&found, GRADE_WARN, "%s", "a\033[2Jb");
	find_advise(&found, "%s", "c\nd");
	assert_string_equal(found.at[0].text, "a?[2Jb");
	assert_string_equal(found.at[0].advice, "c?d");
}

static void a_full_list_still_counts(void **state)
{
	(void)state;
	fresh();
	for (int i = 0; i < FINDINGS_MAX; i++)
		find_ok(&found, "fine");
	find(&found, GRADE_BAD, "not fine");
	find_advise(&found, "nothing of anybody else's");
	assert_string_equal(found.at[FINDINGS_MAX - 1].advice, "");
	assert_int_equal(found.n, FINDINGS_MAX);
	assert_int_equal(found.count[GRADE_BAD], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(privileges),
		cmocka_unit_test(esp),
		cmocka_unit_test(helps_of_the_kernel_plane),
		cmocka_unit_test(crypto),
		cmocka_unit_test(tun),
		cmocka_unit_test(clocks),
		cmocka_unit_test(policies_in_the_way),
		cmocka_unit_test(policies_beside_ours),
		cmocka_unit_test(ports),
		cmocka_unit_test(ports_of_the_daemon),
		cmocka_unit_test(mtu),
		cmocka_unit_test(rp_filter),
		cmocka_unit_test(what_passes_by_the_policies),
		cmocka_unit_test(forwarding),
		cmocka_unit_test(configuration),
		cmocka_unit_test(files),
		cmocka_unit_test(certificates),
		cmocka_unit_test(guard),
		cmocka_unit_test(cluster),
		cmocka_unit_test(daemon_states),
		cmocka_unit_test(what_others_wrote_is_made_printable),
		cmocka_unit_test(a_full_list_still_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
