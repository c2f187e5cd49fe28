/* plane/reporting.h - what the data thread tells the loop: reports, answers, totals.
 *
 * Floor 7. Private to the data thread.
 */
#ifndef VIPSEC_PLANE_REPORTING_H
#define VIPSEC_PLANE_REPORTING_H

#include "plane/data.h"

/* Dropped and counted when there is no room. Takes the bytes of PLANE_IKE over. */
void reporting_tell(struct data *d, const struct plane_report *r);
void reporting_notices(struct data *d); /* all that esp/ has noticed */
void reporting_refusal(struct data *d, uint32_t id, enum esp_err err);
/* How far a child's numbers have come is to be told: asked for, or by itself. */
void reporting_replay(struct data *d, uint32_t id, bool asked);
void reporting_rung(struct data *d, uint64_t now_ms); /* all that do by themselves */
/* Closings of gates, usage and numbers, which are never dropped. True: something still waits for
 * room. */
bool reporting_answers(struct data *d, uint64_t now_ms);
void reporting_wipe(struct data *d); /* what is not told yet */
void reporting_totals(struct data *d, uint64_t now_ms); /* into the snapshot */

#endif
