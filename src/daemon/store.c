/* daemon/store.c - records as files of a private directory, renamed into place. */
#include "daemon/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool store_open(struct store *s, const char *path, char *why, size_t why_cap)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		snprintf(why, why_cap, "cannot make %s: %s", path, strerror(errno));
		return false;
	}
	s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0) {
		snprintf(why, why_cap, "cannot open %s: %s", path, strerror(errno));
		return false;
	}
	return true;
}

void store_close(struct store *s)
{
	close(s->dir);
	s->dir = -1;
}

/* Record names come from the node: [a-z0-9-], never a path. */
static bool name_ok(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n < 64 && name[n] == '\0';
}

static int write_all(int fd, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.at, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		bytes.at += n;
		bytes.len -= (size_t)n;
	}
	return 0;
}

int store_put(struct store *s, const char *name, struct span bytes, enum store_care care)
{
	char beside[72];

	if (!name_ok(name))
		return EINVAL;
	if (bytes.len == 0)
		return unlinkat(s->dir, name, 0) == 0 || errno == ENOENT ? 0 : errno;
	snprintf(beside, sizeof(beside), "%s.new", name);
	int fd = openat(s->dir, beside,
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return errno;
	int err = write_all(fd, bytes);
	if (err == 0 && care == STORE_DURABLE && fsync(fd) != 0)
		err = errno;
	if (close(fd) != 0 && err == 0)
		err = errno;
	if (err == 0 && renameat(s->dir, beside, s->dir, name) != 0)
		err = errno;
	if (err == 0 && care == STORE_DURABLE && fsync(s->dir) != 0)
		err = errno;
	return err;
}

static void read_one(struct store *s, const char *name,
	void (*each)(void *, const char *, struct span), void *ctx)
{
	struct stat st;
	int fd = openat(s->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
		st.st_size <= STORE_RECORD_MAX) {
		size_t len = (size_t)st.st_size;
		uint8_t *bytes = malloc(len);

		if (!bytes)
			abort();
		if (read(fd, bytes, len) == (ssize_t)len)
			each(ctx, name, span_of(bytes, len));
		free(bytes);
	}
	close(fd);
}

static int wanted(const struct dirent *entry)
{
	return name_ok(entry->d_name);
}

void store_each(struct store *s,
	void (*each)(void *ctx, const char *name, struct span bytes), void *ctx)
{
	struct dirent **names;
	int n = scandirat(s->dir, ".", &names, wanted, alphasort);

	for (int i = 0; i < n; i++) {
		read_one(s, names[i]->d_name, each, ctx);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}
