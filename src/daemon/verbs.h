/* daemon/verbs.h - one function for each verb of `vipsec`; each answers, now or later.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_VERBS_H
#define VIPSEC_DAEMON_VERBS_H

#include "daemon/answer.h"

/* verbs_show.c: nothing changes */
void verb_status(const struct request *r);
void verb_show(const struct request *r);
void verb_vip_status(const struct request *r);
void verb_events(const struct request *r);
void verb_ping(const struct request *r);
/* verb_explain.c */
void verb_explain(const struct request *r);
/* verbs_change.c: the node answers when the work is done, or the daemon at once */
void verb_vip_bind(const struct request *r);
void verb_vip_unbind(const struct request *r);
void verb_up(const struct request *r);
void verb_down(const struct request *r);
void verb_rekey(const struct request *r);
void verb_tune(const struct request *r);
void verb_drain(const struct request *r);
void verb_undrain(const struct request *r);
void verb_reload(const struct request *r);
void verb_log(const struct request *r);

#endif
