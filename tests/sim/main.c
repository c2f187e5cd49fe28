/* tests/sim/main.c - vipsec-sim: many seeds, on several processors.
 *
 * Each job is a process of its own that reports through a pipe, before and after each
 * seed; so an assertion that ends a job is a failure of the seed that it was at, and the
 * job goes on with the next one.
 */
#include "sim/jobs.h"
#include "sim/run.h"
#include "sim/soak.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(void)
{
	fprintf(stderr,
		"usage: vipsec-sim [--seeds N] [--from S] [--list FILE] [--jobs J]\n"
		"                  [--rekeys PERCENT] [--trace] [--first]\n"
		"                  [--break gate|quorum|claim|replay|grace|haste|owner]\n"
		"       vipsec-sim --soak DAYS [--from S]\n"
		"  --list FILE  the seeds that stand at the beginning of its lines\n"
		"  --rekeys P   how many of a hundred seeds rekey (%d)\n"
		"  --trace      what happens, readable (one seed)\n"
		"  --first      end with the first failure\n"
		"  --break X    take a safeguard out: it must be noticed\n"
		"  --soak DAYS  one run of so many ordinary days, all of them "
		"rekeying\n",
		REKEYS_USUAL);
	return 2;
}

static bool read_break(const char *word, enum sabotage *out)
{
	static const char *const words[] = {
		[BREAK_NOTHING] = "nothing",
		[BREAK_GATE] = "gate",
		[BREAK_QUORUM] = "quorum",
		[BREAK_CLAIM] = "claim",
		[BREAK_REPLAY] = "replay",
		[BREAK_GRACE] = "grace",
		[BREAK_HASTE] = "haste",
		[BREAK_OWNER] = "owner",
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i], word) == 0) {
			*out = (enum sabotage)i;
			return true;
		}
	}
	return false;
}

static bool read_number(const char *word, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(word, &end, 10);
	return errno == 0 && end != word && *end == '\0';
}

/* Lines "SEED - what it found"; others are comments. */
static bool read_list(const char *name, struct jobs *j)
{
	char line[512];
	FILE *f = fopen(name, "r");

	if (!f) {
		fprintf(stderr, "vipsec-sim: %s: %s\n", name, strerror(errno));
		return false;
	}
	while (j->n_listed < JOBS_LISTED_MAX && fgets(line, sizeof(line), f)) {
		char *end;
		uint64_t seed = strtoull(line, &end, 10);
		if (end != line)
			j->listed[j->n_listed++] = seed;
	}
	fclose(f);
	j->seeds = j->n_listed;
	return true;
}

static bool read_option(
	struct jobs *j, uint64_t *days, const char *word, const char *value)
{
	uint64_t n = 0;

	if (!value)
		return false;
	if (strcmp(word, "--break") == 0)
		return read_break(value, &j->sabotage);
	if (strcmp(word, "--list") == 0)
		return read_list(value, j);
	if (!read_number(value, &n))
		return false;
	if (strcmp(word, "--seeds") == 0)
		j->seeds = n;
	else if (strcmp(word, "--from") == 0)
		j->from = n;
	else if (strcmp(word, "--soak") == 0)
		*days = n;
	else if (strcmp(word, "--rekeys") == 0 && n <= 100)
		j->rekeys = (unsigned)n;
	else if (strcmp(word, "--jobs") == 0 && n > 0 && n <= JOBS_MAX)
		j->n_jobs = (unsigned)n;
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	struct jobs j = {.seeds = 1, .from = 1, .n_jobs = 1, .rekeys = REKEYS_USUAL};
	uint64_t days = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--trace") == 0)
			j.tracing = true;
		else if (strcmp(argv[i], "--first") == 0)
			j.first_only = true;
		else if (!read_option(&j, &days, argv[i], argv[i + 1]))
			return usage();
		else
			i++;
	}
	return days > 0 ? soak_run(days, j.from) : jobs_run(&j);
}
