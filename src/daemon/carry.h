/* daemon/carry.h - effects become deeds.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_CARRY_H
#define VIPSEC_DAEMON_CARRY_H

#include "daemon/daemon.h"

void carry_all(struct daemon *d); /* those in d->fx, in order; then it is empty */

#endif
