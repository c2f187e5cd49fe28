/* vlab-ns - makes and enters the lab's hosts.
 *
 *   vlab-ns init NAME [-t DIR] [-T DIR] [-b SRC=DST] ...
 *       a host of its own: network, mount, uts, ipc and pid namespaces, with a tmpfs on
 *       each DIR (-T: for everybody, like /tmp) and each SRC bound on its DST. Prints the
 *       pid of its PID 1 when it is ready. Everything in it ends when standard input ends, so a
 *       lab cannot outlive the program that holds the other end of that pipe.
 *   vlab-ns exec PID COMMAND ...   runs a command inside a host, and dies with it
 *   vlab-ns net PID COMMAND ...    the same, in its network namespace only
 *   vlab-ns janitor DIR            waits for the end of standard input, removes DIR (empty)
 *
 * Leaves addresses, links and services to the Python side.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST_NAMESPACES (CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC)

static void fail(const char *what)
{
	fprintf(stderr, "vlab-ns: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void bind_over(const char *src, const char *dst)
{
	if (mount(src, dst, NULL, MS_BIND | MS_REC, NULL) != 0) {
		fprintf(stderr, "vlab-ns: bind %s on %s: %s\n", src, dst,
			strerror(errno));
		exit(125);
	}
}

/* The sysrq trigger belongs to the whole machine: a host that panics must not reach it. */
static void mount_basics(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		fail("make mounts private");
	if (mount("proc", "/proc", "proc", 0, NULL) != 0)
		fail("mount /proc");
	if (mount("sysfs", "/sys", "sysfs", 0, NULL) != 0)
		fail("mount /sys");
	if (access("/proc/sysrq-trigger", F_OK) == 0)
		bind_over("/dev/null", "/proc/sysrq-trigger");
	if (access("/proc/sys/kernel/sysrq", F_OK) == 0)
		bind_over("/dev/null", "/proc/sys/kernel/sysrq");
}

static void mount_wishes(char **wish)
{
	for (; wish[0] != NULL && wish[1] != NULL; wish += 2) {
		if (strcmp(wish[0], "-t") == 0 || strcmp(wish[0], "-T") == 0) {
			const char *mode = wish[0][1] == 't' ? "mode=755" : "mode=1777";
			if (mount("tmpfs", wish[1], "tmpfs", 0, mode) != 0)
				fail(wish[1]);
			continue;
		}
		char *eq = strchr(wish[1], '=');
		if (strcmp(wish[0], "-b") != 0 || eq == NULL) {
			fprintf(stderr, "vlab-ns: bad mount %s %s\n", wish[0], wish[1]);
			exit(125);
		}
		*eq = '\0';
		bind_over(wish[1], eq + 1);
	}
}

/* PID 1 of the host: orphans are reaped by the kernel (SIGCHLD ignored). */
static void be_pid1(const char *name, char **wishes, int ready)
{
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	mount_basics();
	mount_wishes(wishes);
	if (sethostname(name, strlen(name)) != 0 || chdir("/") != 0)
		fail(name);
	if (write(ready, "r", 1) != 1)
		exit(125);
	close(ready);
	close(STDOUT_FILENO);
	while (read(STDIN_FILENO, &c, 1) != 0)
		continue;
	exit(0);
}

static int host_init(const char *name, char **wishes)
{
	int ready[2];
	char c;

	setsid();
	if (unshare(HOST_NAMESPACES | CLONE_NEWPID) != 0)
		fail("unshare");
	if (pipe(ready) != 0)
		fail("pipe");
	pid_t pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		close(ready[0]);
		be_pid1(name, wishes, ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) == 1) {
		printf("%d\n", (int)pid);
		fflush(stdout);
	}
	fclose(stdout);
	close(STDIN_FILENO);
	waitpid(pid, NULL, 0);
	return 0;
}

static void enter(const char *pid_text, int kinds)
{
	int pidfd = (int)syscall(SYS_pidfd_open, atoi(pid_text), 0);

	if (pidfd < 0)
		fail("no such host");
	if (setns(pidfd, kinds) != 0)
		fail("enter the host");
	close(pidfd);
}

static pid_t exec_child;

static void pass_on(int sig)
{
	if (exec_child > 0)
		kill(exec_child, sig);
}

static int host_exec(const char *pid_text, char **argv)
{
	int status = 0;

	enter(pid_text, HOST_NAMESPACES | CLONE_NEWPID);
	exec_child = fork();
	if (exec_child < 0)
		fail("fork");
	if (exec_child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (chdir("/") != 0)
			fail("/");
		execvp(argv[0], argv);
		fail(argv[0]);
	}
	signal(SIGTERM, pass_on);
	signal(SIGINT, pass_on);
	while (waitpid(exec_child, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int net_exec(const char *pid_text, char **argv)
{
	enter(pid_text, CLONE_NEWNET);
	execvp(argv[0], argv);
	fail(argv[0]);
	return 125;
}

static int be_janitor(const char *dir)
{
	char c;

	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	while (read(STDIN_FILENO, &c, 1) > 0)
		continue;
	/* The private mount on it goes with the last process that sees it. */
	for (int i = 0; i < 500 && rmdir(dir) != 0 && errno != ENOENT; i++)
		usleep(10000);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 3 && strcmp(argv[1], "init") == 0)
		return host_init(argv[2], argv + 3);
	if (argc >= 4 && strcmp(argv[1], "exec") == 0)
		return host_exec(argv[2], argv + 3);
	if (argc >= 4 && strcmp(argv[1], "net") == 0)
		return net_exec(argv[2], argv + 3);
	if (argc == 3 && strcmp(argv[1], "janitor") == 0)
		return be_janitor(argv[2]);
	fprintf(stderr, "usage: vlab-ns init|exec|net|janitor ... (see its source)\n");
	return 2;
}
