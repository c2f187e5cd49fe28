/* doctor/findings.c - a list of findings. Where it is full the worst still counts. */
#include "doctor/findings.h"

#include <stdarg.h>
#include <stdio.h>

const char *grade_name(enum grade g)
{
	static const char *const names[] = {
		[GRADE_OK] = "ok", [GRADE_WARN] = "warn", [GRADE_BAD] = "bad"};

	return names[g];
}

/* Names of programs, of chains and of files may hold anything, and end in a terminal. */
static void make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
			*text = '?';
}

__attribute__((format(printf, 3, 0))) static void add(
	struct findings *f, enum grade grade, const char *form, va_list args)
{
	f->count[grade]++;
	f->full = f->n == FINDINGS_MAX;
	if (f->full)
		return;
	struct finding *one = &f->at[f->n++];
	*one = (struct finding){.grade = grade, .topic = f->topic};
	vsnprintf(one->text, sizeof(one->text), form, args);
	make_printable(one->text);
}

void find_ok(struct findings *f, const char *form, ...)
{
	va_list args;

	va_start(args, form);
	add(f, GRADE_OK, form, args);
	va_end(args);
}

void find(struct findings *f, enum grade grade, const char *form, ...)
{
	va_list args;

	va_start(args, form);
	add(f, grade, form, args);
	va_end(args);
}

void find_advise(struct findings *f, const char *form, ...)
{
	va_list args;

	if (f->n == 0 || f->full)
		return;
	struct finding *one = &f->at[f->n - 1];
	va_start(args, form);
	vsnprintf(one->advice, sizeof(one->advice), form, args);
	va_end(args);
	make_printable(one->advice);
}
