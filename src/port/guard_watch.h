/* port/guard_watch.h - has somebody taken the guard's table away?
 *
 * Whoever loads firewall rules tends to begin with `nft flush ruleset`, and with it goes
 * the guard. The kernel tells of every table that is deleted.
 *
 * Floor 7. Loop-agnostic: poll guard_watch_fd(); when it is readable ask
 * guard_watch_gone().
 */
#ifndef VIPSEC_PORT_GUARD_WATCH_H
#define VIPSEC_PORT_GUARD_WATCH_H

#include <stdbool.h>

/* A descriptor for the caller to close; -1: errno says why. */
int guard_watch_open(void);
/* Reads what waits. True: a table was deleted (or news were lost), and ours is not there
 * now. Our own replacing of it leaves it there. */
bool guard_watch_gone(int fd);

#endif
