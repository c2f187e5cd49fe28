/* port/files.c - reading the configuration and the secrets that it names. */
#include "port/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 1 << 20 };

/* Opens a regular file only: a FIFO or a device must not block the daemon. */
static int open_regular(const char *path, struct stat *st, char *why, size_t why_cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	snprintf(why, why_cap, "%s", fd < 0 ? strerror(errno) : "not a regular file");
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool read_secret(
	void *ctx, const char *path, struct secret *out, char *why, size_t why_cap)
{
	struct stat st;
	uint8_t bytes[SECRET_MAX + 2];
	int fd = open_regular(path, &st, why, why_cap);

	(void)ctx;
	if (fd < 0)
		return false;
	ssize_t n = read(fd, bytes, sizeof(bytes));
	close(fd);
	if (n > 0 && bytes[n - 1] == '\n')
		n--;
	bool ok = false;
	if ((st.st_mode & 077) != 0)
		snprintf(why, why_cap, "readable by others than its owner: chmod 600");
	else if (st.st_uid != 0 && st.st_uid != geteuid())
		snprintf(why, why_cap, "owned by another user");
	else if (n <= 0)
		snprintf(why, why_cap, "empty");
	else if (!secret_set(out, span_of(bytes, (size_t)n)))
		snprintf(why, why_cap, "longer than %d octets", SECRET_MAX);
	else
		ok = true;
	wipe(bytes, sizeof(bytes));
	return ok;
}

struct config_files files_of_disk(void)
{
	return (struct config_files){.read = read_secret};
}

char *files_read_text(const char *path, size_t *len, char *why, size_t why_cap)
{
	struct stat st;
	int fd = open_regular(path, &st, why, why_cap);

	if (fd < 0)
		return NULL;
	if (st.st_size > TEXT_MAX) {
		snprintf(why, why_cap, "larger than 1 MiB");
		close(fd);
		return NULL;
	}
	char *text = malloc((size_t)st.st_size + 1);
	if (!text)
		abort();
	ssize_t n = read(fd, text, (size_t)st.st_size);
	close(fd);
	if (n < 0) {
		snprintf(why, why_cap, "%s", strerror(errno));
		free(text);
		return NULL;
	}
	text[n] = '\0';
	*len = (size_t)n;
	return text;
}

struct config *files_load_config(const char *path, const struct config_report *report)
{
	char why[128], line[512];
	size_t len;
	char *text = files_read_text(path, &len, why, sizeof(why));

	if (!text) {
		snprintf(line, sizeof(line), "%s:1:1: error: cannot be read: %s", path,
			why);
		report->line(report->ctx, line);
		return NULL;
	}
	struct config_files files = files_of_disk();
	struct config *c = config_parse(path, span_of(text, len), &files, report);
	wipe(text, len);
	free(text);
	return c;
}
