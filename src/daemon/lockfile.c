/* daemon/lockfile.c - an open-file-description lock on the pid file (fcntl F_OFD_SETLK):
 * it survives the fork into the background and ends with the last holder. */
#include "daemon/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int lockfile_take(const char *dir, char *why, size_t why_cap)
{
	char path[4096];
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (mkdir(dir, 0755) != 0 && errno != EEXIST) {
		snprintf(why, why_cap, "cannot make %s: %s", dir, strerror(errno));
		return -1;
	}
	snprintf(path, sizeof(path), "%s/vipsecd.pid", dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0) {
		snprintf(why, why_cap, "cannot open %s: %s", path, strerror(errno));
		return -1;
	}
	if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
		char pid[32] = "";
		ssize_t n = read(fd, pid, sizeof(pid) - 1);

		snprintf(why, why_cap, "another vipsecd is running here (pid %d)",
			n > 0 ? atoi(pid) : 0);
		close(fd);
		return -1;
	}
	return fd;
}

/* Field 22, counted behind the last ')': the name in field 2 may hold anything. */
static unsigned long long start_time(void)
{
	char text[2048];
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	char *at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++) {
		at = strchr(at, ' ');
		if (at)
			at++;
	}
	return at ? strtoull(at, NULL, 10) : 0;
}

void lockfile_write(int fd)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%d %llu\n", (int)getpid(), start_time());

	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
		fprintf(stderr, "vipsecd: cannot write the pid file\n");
}

void lockfile_clear(int fd)
{
	if (ftruncate(fd, 0) != 0)
		fprintf(stderr, "vipsecd: cannot empty the pid file\n");
}
