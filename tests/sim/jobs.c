/* tests/sim/jobs.c - a process for each job, a pipe from each, and the summary.
 */
#include "sim/jobs.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct report { /* smaller than PIPE_BUF: written and read whole */
	bool begun; /* with this seed; else it is done */
	uint64_t index;
	struct outcome outcome;
};
_Static_assert(sizeof(struct report) <= 4096, "a report is one write");

static uint64_t seed_at(const struct jobs *j, uint64_t index)
{
	return j->n_listed ? j->listed[index] : j->from + index;
}

/* ---- the sums ---------------------------------------------------------------------------- */

static void add_counts(struct counts *sum, const struct counts *one)
{
	uint64_t *a = (uint64_t *)sum;
	const uint64_t *b = (const uint64_t *)one;
	uint64_t most = sum->recovery_max_ms > one->recovery_max_ms
				? sum->recovery_max_ms
				: one->recovery_max_ms;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*a); i++)
		a[i] += b[i];
	sum->recovery_max_ms = most;
}

static void take_outcome(struct jobs *j, const struct outcome *o)
{
	printf("seed %llu hash %016llx ", (unsigned long long)o->seed,
		(unsigned long long)o->hash);
	if (o->failed)
		printf("FAILED after %llu.%03u s: %s\n",
			(unsigned long long)(o->failed_ms / 1000),
			(unsigned)(o->failed_ms % 1000), o->why);
	else
		printf("ok\n");
	j->virtual_ms += o->virtual_ms;
	add_counts(&j->counts, &o->counts);
	if (o->failed)
		j->failed++;
	else
		j->passed++;
}

#define SAY(name) printf("  %-16s %llu\n", #name, (unsigned long long)j->counts.name)

static void print_summary(const struct jobs *j)
{
	printf("went through, in %llu s of virtual time:\n",
		(unsigned long long)(j->virtual_ms / 1000));
	SAY(crashes);
	SAY(fences);
	SAY(partitions);
	SAY(memberships);
	SAY(cuts);
	SAY(freezes);
	SAY(pauses);
	SAY(moves);
	SAY(kills);
	SAY(pulls);
	SAY(restarts);
	SAY(strays);
	SAY(bursts);
	SAY(reboots);
	SAY(nat_resets);
	SAY(tunes);
	SAY(reloads);
	SAY(orders);
	SAY(hushes);
	SAY(drains);
	SAY(floods);
	SAY(knocks);
	SAY(cookies_asked);
	SAY(cookies_shown);
	SAY(narrows);
	SAY(too_big);
	SAY(mtus_learned);
	SAY(apps_told);
	SAY(claims);
	SAY(bindings);
	SAY(takeovers);
	SAY(mutes);
	SAY(children);
	SAY(crossings);
	SAY(app_sent);
	SAY(app_answered);
	SAY(clear_sent);
	SAY(clear_answered);
	SAY(sealed);
	SAY(sealed_ah);
	SAY(datagrams);
	SAY(lost);
	SAY(duplicated);
	SAY(replays_tried);
	SAY(spoofs_tried);
	SAY(guarded);
	SAY(rekeyed_children);
	SAY(rekeyed_ikes);
	SAY(crossed_children);
	SAY(crossed_ikes);
	SAY(crossed_further);
	SAY(said_busy);
	SAY(said_not_found);
	SAY(judged);
	SAY(lost_at_expiry);
	SAY(recoveries);
	SAY(recovery_max_ms);
	printf("%llu passed, %llu failed, 0 skipped\n", (unsigned long long)j->passed,
		(unsigned long long)j->failed);
}

/* ---- in a job -------------------------------------------------------------------------------- */

static void tell(int fd, const struct report *r)
{
	if (write(fd, r, sizeof(*r)) != (ssize_t)sizeof(*r))
		_exit(1);
}

static void work(const struct jobs *j, int fd, uint64_t first)
{
	for (uint64_t i = first; i < j->seeds; i += j->n_jobs) {
		struct report r = {.begun = true, .index = i};
		tell(fd, &r);
		r.begun = false;
		run_seed(seed_at(j, i), j->sabotage, j->rekeys, false, &r.outcome);
		tell(fd, &r);
	}
	exit(0); /* a sanitizer has its say then */
}

/* ---- around them ------------------------------------------------------------------------------ */

static void start_job(struct jobs *j, struct job *job)
{
	int ends[2];

	*job = (struct job){.fd = -1, .next = job->next};
	if (job->next >= j->seeds)
		return;
	fflush(stdout);
	if (pipe(ends) != 0)
		abort();
	job->pid = fork();
	if (job->pid < 0)
		abort();
	if (job->pid == 0) {
		close(ends[0]);
		work(j, ends[1], job->next);
	}
	close(ends[1]);
	job->fd = ends[0];
}

/* Its end: if it was at a seed, that seed has ended it. Else the status is that of a
 * sanitizer, and the seed the last. */
static void end_job(struct jobs *j, struct job *job)
{
	int status = 0;

	waitpid(job->pid, &status, 0);
	close(job->fd);
	job->fd = -1;
	if (!job->busy && status == 0)
		return;
	struct outcome o = {.seed = seed_at(j, job->next), .failed = true};
	snprintf(o.why, sizeof(o.why), "the simulator ended with %s %d",
		WIFSIGNALED(status) ? "signal" : "status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	take_outcome(j, &o);
	if (!job->busy)
		return;
	job->next += j->n_jobs;
	start_job(j, job);
}

static void listen_to(struct jobs *j, struct job *job)
{
	struct report r;
	size_t have = 0;

	while (have < sizeof(r)) {
		ssize_t n = read(job->fd, (char *)&r + have, sizeof(r) - have);
		if (n <= 0) {
			end_job(j, job);
			return;
		}
		have += (size_t)n;
	}
	job->next = r.index;
	job->busy = r.begun;
	if (!r.begun)
		take_outcome(j, &r.outcome);
}

static void stop_all(struct jobs *j)
{
	for (unsigned i = 0; i < j->n_jobs; i++) {
		if (j->at[i].fd < 0)
			continue;
		kill(j->at[i].pid, SIGKILL);
		waitpid(j->at[i].pid, NULL, 0);
		close(j->at[i].fd);
		j->at[i].fd = -1;
	}
}

static void run_forked(struct jobs *j)
{
	struct pollfd fds[JOBS_MAX];
	unsigned open;

	for (unsigned i = 0; i < j->n_jobs; i++) {
		j->at[i].next = i;
		start_job(j, &j->at[i]);
	}
	do {
		open = 0;
		for (unsigned i = 0; i < j->n_jobs; i++) {
			fds[i] = (struct pollfd){.fd = j->at[i].fd, .events = POLLIN};
			open += j->at[i].fd >= 0;
		}
		if (open == 0 || poll(fds, j->n_jobs, -1) < 0)
			break;
		for (unsigned i = 0; i < j->n_jobs; i++)
			if (fds[i].fd >= 0 && fds[i].revents != 0)
				listen_to(j, &j->at[i]);
	} while (!(j->first_only && j->failed > 0));
	stop_all(j);
}

int jobs_run(struct jobs *j)
{
	struct outcome o;

	if (j->tracing) {
		setvbuf(stdout, NULL, _IOLBF, 0);
		run_seed(seed_at(j, 0), j->sabotage, j->rekeys, true, &o);
		take_outcome(j, &o);
	} else {
		run_forked(j);
	}
	print_summary(j);
	return j->failed > 0;
}
