/* doctor/look_file.c - small files of /proc. */
#include "doctor/look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

bool look_text(const char *path, char *out, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, out, cap - 1);

	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	return n > 0;
}

long look_number(const char *path, long otherwise)
{
	char text[64], *end;

	if (!look_text(path, text, sizeof(text)))
		return otherwise;
	long n = strtol(text, &end, 10);
	return end == text ? otherwise : n;
}
