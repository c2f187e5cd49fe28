/* port/files.c - reading the configuration and the secrets that it names. */
#include "port/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/clock.h"

enum { TEXT_MAX = 1 << 20, FOLDER_MAX = 256 };

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

static bool is_private(const struct stat *st, char *why, size_t why_cap)
{
	if ((st->st_mode & 077) != 0)
		snprintf(why, why_cap, "readable by others than its owner: chmod 600");
	else if (st->st_uid != 0 && st->st_uid != geteuid())
		snprintf(why, why_cap, "owned by another user");
	else
		return true;
	return false;
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
	bool ok = false, safe = is_private(&st, why, why_cap);
	if (safe && n <= 0)
		snprintf(why, why_cap, "empty");
	else if (safe && !secret_set(out, span_of(bytes, (size_t)n)))
		snprintf(why, why_cap, "longer than %d octets", SECRET_MAX);
	else
		ok = safe;
	wipe(bytes, sizeof(bytes));
	return ok;
}

/* The whole file, NUL behind it. */
static char *read_whole(
	const char *path, struct stat *st, size_t *len, char *why, size_t why_cap)
{
	int fd = open_regular(path, st, why, why_cap);

	if (fd < 0)
		return NULL;
	if (st->st_size > TEXT_MAX) {
		snprintf(why, why_cap, "larger than 1 MiB");
		close(fd);
		return NULL;
	}
	char *text = malloc((size_t)st->st_size + 1);
	if (!text)
		abort();
	ssize_t n = read(fd, text, (size_t)st->st_size);
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

char *files_read_text(const char *path, size_t *len, char *why, size_t why_cap)
{
	struct stat st;

	return read_whole(path, &st, len, why, why_cap);
}

char *files_read_private(const char *path, size_t *len, char *why, size_t why_cap)
{
	struct stat st;
	char *text = read_whole(path, &st, len, why, why_cap);

	if (!text || is_private(&st, why, why_cap))
		return text;
	wipe(text, *len);
	free(text);
	return NULL;
}

/* ---- certificates, CRLs, keys */

static int wanted(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool give_file(const char *path, void (*take)(void *, const char *, struct span),
	void *to, char *why, size_t why_cap)
{
	size_t len;
	char *text = files_read_text(path, &len, why, why_cap);

	if (!text)
		return false;
	take(to, path, span_of(text, len));
	free(text);
	return true;
}

static bool give_folder(const char *path, void (*take)(void *, const char *, struct span),
	void *to, char *why, size_t why_cap)
{
	struct dirent **names;
	int n = scandir(path, &names, wanted, alphasort);
	bool any = false;

	snprintf(why, why_cap, "%s", n < 0 ? strerror(errno) : "no file in it");
	for (int i = 0; i < n; i++) {
		char file[PATH_MAX];
		int len = snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);

		if (i < FOLDER_MAX && len > 0 && (size_t)len < sizeof(file))
			any |= give_file(file, take, to, why, why_cap);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return any;
}

static bool each_file(void *ctx, const char *path,
	void (*take)(void *, const char *, struct span), void *to, char *why,
	size_t why_cap)
{
	struct stat st;

	(void)ctx;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return give_folder(path, take, to, why, why_cap);
	return give_file(path, take, to, why, why_cap);
}

static struct private_key *load_key(void *ctx, const char *uri, char *why, size_t why_cap)
{
	const struct files_source *from = ctx;
	bool old = false;
	struct private_key *k =
		keys_load(from ? from->keys : NULL, uri, &old, why, why_cap);
	char line[512];

	if (old && from->report) {
		snprintf(line, sizeof(line),
			"the key \"%s\" cannot be read now (%s): the one loaded before "
			"is "
			"used on",
			uri, why);
		from->report->line(from->report->ctx, line);
	}
	return k;
}

struct config_files files_of_disk(void)
{
	return (struct config_files){.read = read_secret,
		.each = each_file,
		.key = load_key,
		.wall_s = (int64_t)(clock_wall_ms() / 1000)};
}

struct config *files_load_config(const char *path, const struct files_source *from,
	const struct config_report *report)
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
	files.ctx = (void *)(uintptr_t)from;
	files.starting = from && from->starting;
	struct config *c = config_parse(path, span_of(text, len), &files, report);
	wipe(text, len);
	free(text);
	return c;
}
