/* tests/unit/test_doctor_judge.c - made-up facts of setup and daemon, what is made of them, and the list of it. */
#include "judge_lab.h"

#include <stdio.h>

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
