/* daemon/values.h - single values as JSON, for the reports.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_VALUES_H
#define VIPSEC_DAEMON_VALUES_H

#include "daemon/daemon.h"

json_t *value_endpoint(const struct endpoint *e); /* null when not set */
json_t *value_addr(const struct addr *a);
json_t *value_identity(const struct identity *id);
/* How long ago; null for never (at_ms 0). */
json_t *value_age(uint64_t now_ms, uint64_t at_ms);
json_t *value_hex(uint64_t value, int digits);
json_t *value_ts_list(const struct ts_list *l);
json_t *value_count(uint64_t count);
const char *value_scope_name(struct daemon *d, uint16_t scope);
const char *value_rule_name(struct daemon *d, uint32_t rule);

#endif
