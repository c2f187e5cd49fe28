/* daemon/guarding.h - the guard follows the configuration, bound or not, and stays.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_GUARDING_H
#define VIPSEC_DAEMON_GUARDING_H

#include "daemon/daemon.h"

/* False: the old one stays; see why. */
bool guarding_apply(
	const struct daemon *d, const struct config *c, char *why, size_t why_cap);
/* The table as it is now is ours: to be called after guarding_apply(). */
void guarding_applied(struct daemon *d);
/* Puts the table back as it was last applied when somebody else touches it. */
void guarding_watch(struct daemon *d);
void guarding_unwatch(struct daemon *d);

#endif
