/* daemon/report.h - what the node and the plane show, as JSON (docs/PROTOCOL.md).
 *
 * Each returns a new value. Times are milliseconds; ages, not instants.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_REPORT_H
#define VIPSEC_DAEMON_REPORT_H

#include "daemon/daemon.h"

json_t *report_identities(struct daemon *d);
/* Those that have expired, or soon will. */
void report_identity_problems(struct daemon *d, json_t *list);
/* One that this scope's rules prove us with; false: there is none. */
bool report_identity_trouble(
	const struct daemon *d, uint16_t scope, char *out, size_t cap);
json_t *report_status(struct daemon *d); /* degraded when its "problems" are not empty */
json_t *report_vips(struct daemon *d);
json_t *report_rules(struct daemon *d);
json_t *report_names(struct daemon *d); /* that rules find their peers by */
void report_name_problems(struct daemon *d, json_t *list);
/* report_peers.c */
json_t *report_peers(struct daemon *d, const char *vip); /* vip NULL: all */
json_t *report_ikes(struct daemon *d);
json_t *report_children(struct daemon *d);

#endif
