/* plane/locals.h - the addresses that are bound, and those just unbound, which linger.
 *
 * A lingering address hears nothing, but what the loop has to say from it (Deletes) still
 * goes out.
 *
 * Floor 7. The loop's thread.
 */
#ifndef VIPSEC_PLANE_LOCALS_H
#define VIPSEC_PLANE_LOCALS_H

#include "plane/local.h"

struct locals {
	enum local_kind kind;
	struct list all; /* struct local */
	int timer; /* readable: locals_end_lingering() has work */
};

/* False: errno; to be wiped all the same. */
bool locals_init(struct locals *ls, enum local_kind kind);
void locals_wipe(struct locals *ls);

/* Lingering ones included. NULL: neither bound nor lingering. */
struct local *locals_find(const struct locals *ls, const struct addr *a);
/* Revives one that lingers, or opens one. NULL: errno. The address must not be bound. */
struct local *locals_bind(
	struct locals *ls, uint16_t scope, const struct addr *addr, uint32_t mark);
/* From now on it lingers. NULL: it was not bound. */
struct local *locals_unbind(struct locals *ls, const struct addr *addr);
void locals_end_lingering(struct locals *ls); /* of those whose time is over */

#endif
