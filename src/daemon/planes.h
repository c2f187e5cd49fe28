/* daemon/planes.h - which plane carries the packets, and why.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_PLANES_H
#define VIPSEC_DAEMON_PLANES_H

#include "daemon/daemon.h"

/* Decides by trying (dataplane { prefer, fallback } of the configuration); fills
 * d->in_kernel and d->plane_note. False: what is preferred cannot be had, and there is no
 * fallback. */
bool planes_choose(struct daemon *d, const struct config *c, char *why, size_t why_cap);
/* NULL: see why. */
struct plane *planes_open(const struct daemon *d, char *why, size_t why_cap);
/* May the running plane serve another configuration? */
bool planes_accept(
	const struct daemon *d, const struct config *c, char *why, size_t why_cap);
const char *planes_name(const struct daemon *d); /* "kernel", "userspace" */

#endif
