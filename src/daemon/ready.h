/* daemon/ready.h - going into the background, and telling that the work has begun.
 *
 * The starting process returns only when the daemon is ready or has failed, and with its
 * exit code: "start" in an agent or a script means what it says.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_READY_H
#define VIPSEC_DAEMON_READY_H

#include <stdbool.h>

/* Forks. The parent waits here for ready_tell() or the child's death and exits; the
 * child returns. Call before any thread or timer exists. */
void ready_detach(void);
/* Tells the waiting parent, and systemd when it started us. In the background the
 * standard streams are given up: they may be somebody's pipe. */
void ready_tell(bool foreground);

#endif
