/* plane/report.h - the bounded ring of reports from the data thread to the loop.
 *
 * One writer (the data thread), one reader (the loop's), no lock. The writer raises the
 * descriptor once a round, with report_wake().
 *
 * Floor 7.
 */
#ifndef VIPSEC_PLANE_REPORT_H
#define VIPSEC_PLANE_REPORT_H

#include "plane/plane.h"

struct report_ring;

/* How much of the ring a report may use: what strangers can cause leaves room for what the
 * loop waits for. */
enum report_weight { REPORT_LIGHT, REPORT_ANSWER, REPORT_VITAL };

struct report_ring *report_new(void); /* NULL: errno */
void report_free(struct report_ring *r);

/* What a report has that its reader is lent: the plane's to free. NULL: nothing. */
void *report_lends(const struct plane_report *rep);

/* Writer. False: no room, and the report is not taken (its bytes stay the caller's). */
bool report_push(
	struct report_ring *r, const struct plane_report *rep, enum report_weight w);
void report_wake(struct report_ring *r);

/* Reader. */
int report_fd(const struct report_ring *r);
bool report_pop(struct report_ring *r, struct plane_report *out);
void report_unwake(struct report_ring *r); /* before looking a last time */
/* Both in one: when it returns false the descriptor is not readable until more comes. */
bool report_next(struct report_ring *r, struct plane_report *out);

#endif
