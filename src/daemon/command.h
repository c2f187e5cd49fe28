/* daemon/command.h - what comes over the control socket.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_COMMAND_H
#define VIPSEC_DAEMON_COMMAND_H

#include "daemon/daemon.h"

/* For port/control.h; ctx is the daemon. */
void command_request(void *ctx, uint64_t client, const char *text, size_t len);
void command_gone(void *ctx, uint64_t client);

#endif
