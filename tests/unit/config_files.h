/* tests/unit/config_files.h - key files that need no disk, and a report kept in memory.
 *
 * /keys/missing, /keys/open, /keys/empty and /keys/short behave as they are called; any
 * other path holds a key made from its name.
 */
#ifndef VIPSEC_TESTS_CONFIG_FILES_H
#define VIPSEC_TESTS_CONFIG_FILES_H

#include "config/config.h"

#include <stdio.h>

enum { REPORT_MAX = 16384 };

struct reported {
	char text[REPORT_MAX];
	size_t len;
	unsigned errors, warnings;
};

static inline bool fake_read(
	void *ctx, const char *path, struct secret *out, char *why, size_t why_cap)
{
	char key[128];

	(void)ctx;
	if (strcmp(path, "/keys/missing") == 0) {
		snprintf(why, why_cap, "No such file or directory");
		return false;
	}
	if (strcmp(path, "/keys/open") == 0) {
		snprintf(why, why_cap, "can be read by others (mode 0644)");
		return false;
	}
	if (strcmp(path, "/keys/empty") == 0)
		return secret_set(out, span_text("\n"));
	if (strcmp(path, "/keys/short") == 0)
		return secret_set(out, span_text("password\n"));
	snprintf(key, sizeof(key), "the long key kept in %s\n", path);
	return secret_set(out, span_text(key));
}

static inline void keep_line(void *ctx, const char *line)
{
	struct reported *r = ctx;

	r->errors += strstr(line, ": error: ") != NULL;
	r->warnings += strstr(line, ": warning: ") != NULL;
	int n = snprintf(r->text + r->len, sizeof(r->text) - r->len, "%s\n", line);
	r->len += n < 0 ? 0 : (size_t)n;
	assert_true(r->len < sizeof(r->text));
}

static inline struct config *parse_as(
	const char *file, struct span text, struct reported *r)
{
	const struct config_files files = {.read = fake_read};
	const struct config_report report = {.line = keep_line, .ctx = r};

	*r = (struct reported){.len = 0};
	return config_parse(file, text, &files, &report);
}

#endif
