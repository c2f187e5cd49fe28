/* daemon/pending.h - answers that come when the node says that the work is done.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_PENDING_H
#define VIPSEC_DAEMON_PENDING_H

#include "daemon/answer.h"

/* The token that FX_REPLY will bring. 0: too many wait already. */
uint64_t pending_add(const struct request *r);
void pending_reply(struct daemon *d, uint64_t token, int code, const char *text);
void pending_gone(struct daemon *d, uint64_t client);

#endif
