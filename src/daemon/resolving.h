/* daemon/resolving.h - what the node wants resolved.
 *
 * Floor 8.
 */
#ifndef VIPSEC_DAEMON_RESOLVING_H
#define VIPSEC_DAEMON_RESOLVING_H

#include "daemon/daemon.h"

void resolving_begin(struct daemon *d, const struct effect *fx);
void resolving_close(struct daemon *d);

#endif
