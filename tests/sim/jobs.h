/* tests/sim/jobs.h - seeds spread over processes, and their sums.
 */
#ifndef VIPSEC_SIM_JOBS_H
#define VIPSEC_SIM_JOBS_H

#include "sim/run.h"

enum { JOBS_MAX = 64, JOBS_LISTED_MAX = 1024 };

struct job {
	int pid, fd; /* 0, -1: none */
	uint64_t next; /* index of the seed that it is at, or begins with */
	bool busy; /* is at it */
};

struct jobs {
	uint64_t seeds, from;
	uint64_t listed[JOBS_LISTED_MAX]; /* instead of from, from + 1, ... */
	unsigned n_listed;
	unsigned n_jobs;
	enum sabotage sabotage;
	unsigned rekeys; /* percent of the seeds */
	bool tracing, first_only;

	struct job at[JOBS_MAX];
	struct counts counts;
	uint64_t passed, failed, virtual_ms;
};

/* The exit status: 0, or 1 when a seed has failed. */
int jobs_run(struct jobs *j);

#endif
