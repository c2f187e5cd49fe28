/* daemon/ready.c - a pipe from the child to the waiting parent; sd_notify. */
#include "daemon/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/systemd.h"

static int parent = -1;

/* A byte: ready. None: the child died, with its exit code. */
static _Noreturn void wait_for(pid_t child, int from)
{
	char byte;
	ssize_t n;
	int status = 0;

	do
		n = read(from, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(0);
	waitpid(child, &status, 0);
	_exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 1);
}

void ready_detach(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0) {
		perror("vipsecd: pipe");
		exit(1);
	}
	pid_t child = fork();
	if (child < 0) {
		perror("vipsecd: fork");
		exit(1);
	}
	if (child > 0) {
		close(ends[1]);
		wait_for(child, ends[0]);
	}
	close(ends[0]);
	parent = ends[1];
	setsid();
	if (chdir("/") != 0)
		perror("vipsecd: /");
}

void ready_tell(bool foreground)
{
	systemd_ready();
	if (foreground || parent < 0)
		return;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	if (write(parent, "r", 1) != 1)
		_exit(1);
	close(parent);
	parent = -1;
}
