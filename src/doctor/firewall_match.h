/* doctor/firewall_match.h - is what a rule asks true of a packet?
 *
 * Floor 9. Private to firewall.c.
 */
#ifndef VIPSEC_DOCTOR_FIREWALL_MATCH_H
#define VIPSEC_DOCTOR_FIREWALL_MATCH_H

#include "doctor/firewall.h"

enum answer { NO, PERHAPS, YES };

/* The value of a "match". */
enum answer match_answer(const json_t *match, const struct packet *p);
/* A member that is text; empty: there is none such. */
const char *match_text(const json_t *object, const char *name);

#endif
