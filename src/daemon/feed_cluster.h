/* daemon/feed_cluster.h - the group and the quorum become events.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_FEED_CLUSTER_H
#define VIPSEC_DAEMON_FEED_CLUSTER_H

#include "daemon/daemon.h"

void feed_join_cluster(struct daemon *d, const char *name);
void feed_leave_cluster(struct daemon *d); /* does nothing without a cluster */

#endif
