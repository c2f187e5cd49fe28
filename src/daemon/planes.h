/* daemon/planes.h - which plane carries the packets, and why.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_PLANES_H
#define VIPSEC_DAEMON_PLANES_H

#include "daemon/daemon.h"

/* Another vipsecd has the kernel's IPsec of this network namespace, and its guard; why says so.
 * Nobody may serve beside it: a start clears its SAs away. */
bool planes_another_serves(char *why, size_t why_cap);
/* Decides by trying (dataplane { prefer, fallback } of the configuration); fills
 * d->in_kernel and d->plane_note. False: what is preferred cannot be had, and there is no
 * fallback, or another vipsecd serves with the kernel's plane. */
bool planes_choose(struct daemon *d, const struct config *c, char *why, size_t why_cap);
/* The chosen one could not be opened; why: planes_open()'s, or else what makes it final. True:
 * another is chosen, which wants its own guard before it is opened. */
bool planes_choose_again(
	struct daemon *d, const struct config *c, char *why, size_t why_cap);
/* NULL: see why. */
struct plane *planes_open(const struct daemon *d, char *why, size_t why_cap);
/* May the running plane serve another configuration? False: at says what of it not, line 0:
 * the file as a whole. */
bool planes_accept(const struct daemon *d, const struct config *c,
	struct config_place *at, char *why, size_t why_cap);
void planes_accepted(struct daemon *d, const struct config *c); /* it is in force */
const char *planes_name(const struct daemon *d); /* "kernel", "userspace" */

#endif
