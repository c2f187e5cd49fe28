/* xfrm/reports.h - reports that wait for the loop, in order.
 *
 * Floor 8.
 */
#ifndef VIPSEC_XFRM_REPORTS_H
#define VIPSEC_XFRM_REPORTS_H

#include "base/list.h"
#include "plane/plane.h"

struct reports {
	struct list all;
	size_t n;
};

void reports_init(struct reports *r);
void reports_wipe(struct reports *r);
bool reports_empty(const struct reports *r);
void reports_add(struct reports *r, const struct plane_report *one);
/* One that strangers can cause: not when many wait already. False: not taken. */
bool reports_add_light(struct reports *r, const struct plane_report *one);
bool reports_take(struct reports *r, struct plane_report *out); /* false: none waits */

#endif
