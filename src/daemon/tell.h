/* daemon/tell.h - what happens is told: to the log, to the journal, to whoever follows.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_TELL_H
#define VIPSEC_DAEMON_TELL_H

#include "daemon/daemon.h"

void tell_effect(struct daemon *d, const struct effect *fx); /* FX_EVENT */
/* An event of the daemon's own. */
void tell(struct daemon *d, enum effect_severity severity, const char *kind,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
/* `events --follow`: until the client is gone. */
void tell_follower(struct daemon *d, uint64_t client);
void tell_no_more(struct daemon *d, uint64_t client);

#endif
