/* doctor/judge_setup.c - files, certificates, the guard, the cluster, the daemon. */
#include "doctor/judge.h"

#include <string.h>

enum { DAY_S = 24 * 3600 };

void judge_config(const struct facts_config *x, struct findings *f)
{
	for (size_t i = 0; i < x->n; i++) {
		bool warning = strstr(x->lines[i], ": error: ") == NULL;
		bool unread = strstr(x->lines[i], ":1:1: error: cannot be read") != NULL;

		find(f, warning ? GRADE_WARN : GRADE_BAD, "%s", x->lines[i]);
		if (unread)
			find_advise(f, "write it, or name another file: `vipsec doctor "
				       "FILE`; vipsecd does not start without");
		else
			find_advise(f, "mend that line, then `vipsec check %.150s`%s",
				x->file,
				warning ? "" : "; vipsecd does not start with it");
	}
	if (x->n == 0 && x->usable)
		find_ok(f, "%s: %u VIPs, %u policies, %u rules", x->file, x->vips,
			x->policies, x->rules);
}

/* ---- files --------------------------------------------------------------------------- */

void judge_files(const struct facts_files *x, struct findings *f)
{
	size_t wrong = f->count[GRADE_BAD];

	for (size_t i = 0; i < x->n; i++) {
		const struct fact_file *file = &x->at[i];
		unsigned open = file->mode & (file->secret ? 0077 : 0022);

		if (!file->there)
			continue;
		if (file->foreign) {
			find(f, GRADE_BAD, "%s belongs to another user", file->path);
			find_advise(f, "chown root %.200s", file->path);
		}
		if (open) {
			find(f, GRADE_BAD, "%s can be %s by others (mode %03o)",
				file->path, open & 0022 ? "written" : "read", file->mode);
			find_advise(f, "chmod %s %.200s",
				file->secret ? "go-rwx" : "go-w", file->path);
		}
	}
	if (wrong == f->count[GRADE_BAD])
		find_ok(f, "only root has access to secrets, keys and state");
}

/* ---- certificates ---------------------------------------------------------------------- */

static void judge_certificate(const struct facts_certificates *x,
	const struct fact_certificate *c, struct findings *f)
{
	int64_t left_s = c->not_after_s - x->now_s;
	const char *what = c->ca ? "the CA" : "the certificate";
	char date[CERT_DATE_MAX];

	if (left_s < 0) {
		find(f, GRADE_BAD, "identity \"%s\": %s %s has expired, on %s",
			c->identity, what, c->subject,
			certificate_date(c->not_after_s, date));
		find_advise(f, "renew it, then `vipsec reload`");
	} else if (c->not_before_s > x->now_s) {
		find(f, GRADE_BAD, "identity \"%s\": %s %s is good only from %s on",
			c->identity, what, c->subject,
			certificate_date(c->not_before_s, date));
		find_advise(f, "look at the clock; else wait, or have it issued anew");
	} else if (left_s < (int64_t)(x->warning_ms / 1000)) {
		find(f, GRADE_WARN, "identity \"%s\": %s %s expires on %s, in %lld days",
			c->identity, what, c->subject,
			certificate_date(c->not_after_s, date),
			(long long)(left_s / DAY_S));
		find_advise(f, "renew it, then `vipsec reload`");
	} else {
		find_ok(f, "identity \"%s\": %s %s is good until %s", c->identity, what,
			c->subject, certificate_date(c->not_after_s, date));
	}
}

void judge_certificates(const struct facts_certificates *x, struct findings *f)
{
	for (size_t i = 0; i < x->n; i++)
		judge_certificate(x, &x->at[i], f);
	if (x->n == 0)
		find_ok(f, "none is configured");
}

/* ---- the guard ----------------------------------------------------------------------- */

void judge_guard(const struct facts_guard *x, struct findings *f)
{
	if (!x->can_list) {
		find(f, GRADE_BAD,
			"nftables does not answer: vipsecd will not start "
			"without its guard");
		find_advise(f, "run as root; take a kernel with nf_tables (modprobe "
			       "nf_tables)");
	} else if (!x->there && x->daemon_runs) {
		find(f, GRADE_BAD,
			"vipsecd runs, and the table inet vipsec is not "
			"there: what rules protect may pass in clear");
		find_advise(f, "`vipsec reload` puts it back; find out who flushes it");
	} else if (!x->there) {
		find(f, GRADE_WARN,
			"the table inet vipsec is not there: what rules "
			"protect may pass in clear");
		find_advise(f, "start vipsecd");
	} else if (x->compared && !x->as_it_should) {
		find(f, x->daemon_runs ? GRADE_BAD : GRADE_WARN,
			"the table inet vipsec is not what the configuration asks for");
		find_advise(f, "%s",
			x->daemon_runs ? "`vipsec reload`, where the file is newer than "
					 "what runs or somebody changed the table"
				       : "start vipsecd, which replaces it");
	} else {
		find_ok(f, "the table inet vipsec %s",
			x->compared ? "is what the configuration asks for" : "is there");
	}
}

/* ---- the cluster ------------------------------------------------------------------------ */

static void judge_times(const struct facts_cluster *x, struct findings *f)
{
	uint64_t failover_ms =
		x->configured_failover_ms ? x->configured_failover_ms : x->failover_ms;
	const struct {
		const char *name;
		uint64_t ms;
	} timers[] = {{"idle-timeout", x->idle_ms},
		{"idle-timeout-failover", x->idle_failover_ms}};
	bool fits = true;

	for (int i = 0; i < 2; i++) {
		if (failover_ms == 0 || timers[i].ms > failover_ms)
			continue;
		fits = false;
		find(f, GRADE_WARN,
			"%s (%llu ms) is not longer than what the cluster takes to fail "
			"over (%llu ms): peers are given up while it happens",
			timers[i].name, (unsigned long long)timers[i].ms,
			(unsigned long long)failover_ms);
		find_advise(f, "make %s longer, or token in corosync.conf shorter",
			timers[i].name);
	}
	if (fits)
		find_ok(f,
			"corosync answers and is quorate; it notices a lost node "
			"within %llu ms",
			(unsigned long long)failover_ms);
}

void judge_cluster(const struct facts_cluster *x, struct findings *f)
{
	if (!x->wanted) {
		find_ok(f, "not used (backend none)");
	} else if (x->silent) {
		find(f, GRADE_BAD, "corosync does not answer within seconds");
		find_advise(f, "`corosync-cfgtool -s`; restart corosync on this node");
	} else if (!x->cpg) {
		find(f, GRADE_BAD, "%s", x->why);
		find_advise(f, "systemctl start corosync; without a cluster write "
			       "\"backend none;\"");
	} else if (!x->quorum || !x->quorate) {
		find(f, GRADE_BAD, "%s: nothing is sent from any VIP",
			x->quorum ? "this node is not quorate"
				  : "corosync's votequorum does not answer");
		find_advise(f, "%s",
			x->quorum ? "`corosync-quorumtool`: see which nodes are missing"
				  : "quorum { provider: corosync_votequorum } in "
				    "corosync.conf");
	} else if (!x->cmap) {
		find(f, GRADE_WARN, "corosync's cmap does not tell token and consensus");
		find_advise(f, "cluster { failover-time ...; } says it instead");
	} else {
		judge_times(x, f);
	}
}

/* ---- the daemon --------------------------------------------------------------------------- */

void judge_daemon(const struct facts_daemon *x, struct findings *f)
{
	if (x->state == DAEMON_SILENT) {
		find(f, GRADE_BAD, "vipsecd (pid %d) does not answer", x->pid);
		find_advise(f, "look at its log; kill it (the guard stays) and start it");
	} else if (x->state == DAEMON_ABSENT && x->pid != 0 && x->pid_alive) {
		find(f, GRADE_BAD, "vipsecd (pid %d) runs and cannot be asked from here",
			x->pid);
		find_advise(f, "as root, in its own network namespace (nsenter -t %d -n)",
			x->pid);
	} else if (x->state == DAEMON_ABSENT && x->pid != 0) {
		find(f, GRADE_BAD, "vipsecd does not run: pid %d has died without a word",
			x->pid);
		find_advise(f, "look at its log and at crash.log in its state directory; "
			       "start it");
	} else if (x->state == DAEMON_ABSENT) {
		find(f, GRADE_WARN, "vipsecd does not run here");
		find_advise(f, "start it, by Pacemaker or by its unit; `vipsecd -f` says "
			       "why it ends");
	}
	for (size_t i = 0; i < x->n_problems; i++) {
		find(f, GRADE_WARN, "vipsecd says: %s", x->problems[i]);
		find_advise(f, "`vipsec status` shows it in full");
	}
	if (x->state == DAEMON_THERE && x->n_problems == 0)
		find_ok(f, "vipsecd answers, and sees no problem");
}
