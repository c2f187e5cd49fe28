/* config/errors.h - collects what is wrong with a configuration, and reports it in order.
 *
 * The parser looks at a file more than once; an operator wants to read from top to
 * bottom. So messages are kept, sorted by their place and given out at the end.
 *
 * Floor 2; within the room.
 */
#ifndef VIPSEC_CONFIG_ERRORS_H
#define VIPSEC_CONFIG_ERRORS_H

#include "config/config.h"

enum { ERRORS_MAX = 20, WARNINGS_MAX = 20, ERROR_TEXT_MAX = 400 };

/* In the file: both from 1. Line 0: the file as a whole. */
struct place {
	unsigned line, column;
};

struct message {
	struct place at;
	bool warning;
	char text[ERROR_TEXT_MAX];
};

struct errors {
	struct message kept[ERRORS_MAX + WARNINGS_MAX];
	unsigned n; /* kept */
	unsigned n_errors, n_warnings; /* including those beyond the maximum */
};

void errors_add(struct errors *e, struct place at, const char *form, ...)
	__attribute__((format(printf, 3, 4)));
void errors_warn(struct errors *e, struct place at, const char *form, ...)
	__attribute__((format(printf, 3, 4)));
void errors_report(
	struct errors *e, const char *file, const struct config_report *report);

#endif
