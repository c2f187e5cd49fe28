/* daemon/fetching.h - what the node wants fetched, through port/fetch.h. */
#ifndef VIPSEC_DAEMON_FETCHING_H
#define VIPSEC_DAEMON_FETCHING_H

#include "daemon/daemon.h"

void fetching_begin(struct daemon *d, const struct effect *fx);
void fetching_close(struct daemon *d);

#endif
