/* doctor/findings.h - what was found, each with what to do about it.
 *
 * Floor 9. Values; no heap. Text that came from elsewhere is made printable.
 */
#ifndef VIPSEC_DOCTOR_FINDINGS_H
#define VIPSEC_DOCTOR_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

enum grade { GRADE_OK, GRADE_WARN, GRADE_BAD };

enum { FINDINGS_MAX = 160, FINDING_TEXT_MAX = 400, FINDING_ADVICE_MAX = 240 };

struct finding {
	enum grade grade;
	const char *topic; /* static text */
	char text[FINDING_TEXT_MAX];
	char advice[FINDING_ADVICE_MAX]; /* what to do; empty: nothing */
};

struct findings {
	const char *topic; /* of those that come */
	struct finding at[FINDINGS_MAX];
	size_t n;
	bool full; /* the last one has found no room */
	size_t count[GRADE_BAD + 1]; /* also of those that have found no room */
};

const char *grade_name(enum grade g); /* "ok", "warn", "bad" */

void find_ok(struct findings *f, const char *form, ...)
	__attribute__((format(printf, 2, 3)));
/* The advice belongs to the finding that was added last. */
void find(struct findings *f, enum grade grade, const char *form, ...)
	__attribute__((format(printf, 3, 4)));
void find_advise(struct findings *f, const char *form, ...)
	__attribute__((format(printf, 2, 3)));

#endif
