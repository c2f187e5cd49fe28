/* daemon/feed.h - the world becomes events.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_FEED_H
#define VIPSEC_DAEMON_FEED_H

#include "daemon/daemon.h"

/* Opens the ports and gives the node its configuration (taken over), what was stored, and
 * the addresses that are here. */
bool feed_open(struct daemon *d, struct config *c, char *why, size_t why_cap);
void feed_close(struct daemon *d);

#endif
