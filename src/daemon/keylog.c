/* daemon/keylog.c - writes session keys to a file; never part of a production build. */
#include "daemon/keylog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static FILE *file;

bool keylog_open(const char *path, char *why, size_t why_cap)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

	file = fd < 0 ? NULL : fdopen(fd, "a");
	if (!file)
		snprintf(why, why_cap, "cannot open the key log %s: %s", path,
			strerror(errno));
	return file != NULL;
}

static void line(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(file, "%s\n", text);
	fflush(file);
}

const struct ike_key_sink *keylog_sink(void)
{
	static const struct ike_key_sink sink = {.line = line};

	return file ? &sink : NULL;
}

static void one_way(uint32_t spi, const struct addr *src, const struct addr *dst,
	const struct esp_child *c, const struct secret *key)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	fprintf(file, "%s %08x %s %s %s ", c->ah ? "ah" : "esp", spi,
		addr_format(src, from), addr_format(dst, to), aead_name(c->alg));
	for (size_t i = 0; i < key->len; i++)
		fprintf(file, "%02x", key->b[i]);
	fputc('\n', file);
}

void keylog_child(const struct esp_child *c)
{
	if (!file)
		return;
	one_way(c->spi_in, &c->remote.addr, &c->local.addr, c, &c->key_in);
	one_way(c->spi_out, &c->local.addr, &c->remote.addr, c, &c->key_out);
	fflush(file);
}
