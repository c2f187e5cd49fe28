/* daemon/blackbox.c - a ring of lines behind libqb's log, written out by signal handler.
 *
 * libqb's own black box lives in /dev/shm under the process's number, and a process that
 * is killed leaves it there for ever: so this one is ours.
 */
#include "daemon/blackbox.h"

#include <fcntl.h>
#include <qb/qblog.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { LINES = 512, LINE_MAX = 200 };

static char lines[LINES][LINE_MAX];
static unsigned next;
static char path[4096];

static void on_line(int32_t target, struct qb_log_callsite *site, struct timespec *when,
	const char *text)
{
	char *line = lines[next++ % LINES];

	(void)target;
	snprintf(line, LINE_MAX, "%lld.%03ld %u %s\n", (long long)when->tv_sec,
		when->tv_nsec / 1000000, site->priority, text);
	line[LINE_MAX - 2] = '\n';
}

/* Only what a signal handler may do. */
static void on_crash(int number)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	for (unsigned i = 0; fd >= 0 && i < LINES; i++) {
		const char *line = lines[(next + i) % LINES];

		if (write(fd, line, strlen(line)) < 0)
			break;
	}
	raise(number); /* SA_RESETHAND: this one is for good */
}

int blackbox_open(const char *dir)
{
	static const int faults[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
	struct sigaction action = {
		.sa_handler = on_crash, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER)};
	int32_t target = qb_log_custom_open(on_line, NULL, NULL, NULL);

	snprintf(path, sizeof(path), "%s/" BLACKBOX_FILE, dir);
	if (target < 0)
		return -1;
	qb_log_ctl(target, QB_LOG_CONF_ENABLED, QB_TRUE);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigaction(faults[i], &action, NULL);
	return target;
}
