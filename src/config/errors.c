/* config/errors.c - messages about a configuration: kept, sorted, given out.
 *
 * At most 20 errors and 20 warnings: what follows the first few is seldom worth reading.
 */
#include "config/errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* What a stranger's file holds may end in a terminal: nothing unprintable gets there. */
static void make_printable(char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
			*text = '?';
	}
}

__attribute__((format(printf, 4, 0))) static void keep(
	struct errors *e, struct place at, bool warning, const char *form, va_list args)
{
	struct message *m = &e->kept[e->n++];

	m->at = at;
	m->warning = warning;
	vsnprintf(m->text, sizeof(m->text), form, args);
	make_printable(m->text);
}

void errors_add(struct errors *e, struct place at, const char *form, ...)
{
	va_list args;

	if (e->n_errors++ >= ERRORS_MAX)
		return;
	va_start(args, form);
	keep(e, at, false, form, args);
	va_end(args);
}

void errors_warn(struct errors *e, struct place at, const char *form, ...)
{
	va_list args;

	if (e->n_warnings++ >= WARNINGS_MAX)
		return;
	va_start(args, form);
	keep(e, at, true, form, args);
	va_end(args);
}

/* As one may stand in a message of ours, too. */
void config_report_error(const struct config_report *report, const char *file,
	const struct config_place *at, const char *text)
{
	struct errors *one = mem_new(1, sizeof(*one));

	errors_add(one, (struct place){at->line, at->column}, "%s", text);
	errors_report(one, file, report);
	free(one);
}

static bool is_after(const struct message *a, const struct message *b)
{
	if (a->at.line != b->at.line)
		return a->at.line > b->at.line;
	return a->at.column > b->at.column;
}

/* Insertion: few messages, and those of one place stay in the order they came. */
static void sort(struct errors *e)
{
	for (unsigned i = 1; i < e->n; i++) {
		struct message m = e->kept[i];
		unsigned k = i;

		for (; k > 0 && is_after(&e->kept[k - 1], &m); k--)
			e->kept[k] = e->kept[k - 1];
		e->kept[k] = m;
	}
}

static void say(
	const struct config_report *report, const char *file, const struct message *m)
{
	char line[ERROR_TEXT_MAX + 320];
	const char *kind = m->warning ? "warning" : "error";

	if (m->at.line == 0)
		snprintf(line, sizeof(line), "%.256s: %s: %s", file, kind, m->text);
	else
		snprintf(line, sizeof(line), "%.256s:%u:%u: %s: %s", file, m->at.line,
			m->at.column, kind, m->text);
	report->line(report->ctx, line);
}

void errors_report(struct errors *e, const char *file, const struct config_report *report)
{
	struct message more = {.warning = false};

	sort(e);
	for (unsigned i = 0; i < e->n; i++)
		say(report, file, &e->kept[i]);
	if (e->n_errors <= ERRORS_MAX)
		return;
	snprintf(more.text, sizeof(more.text), "%u more errors are not shown",
		e->n_errors - ERRORS_MAX);
	say(report, file, &more);
}
