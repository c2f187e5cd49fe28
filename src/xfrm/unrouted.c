/* xfrm/unrouted.c - the kernel asks its policies about packets that have a route, and what a
 * tunnel of a VIP covers may have none here: the steering gives it one.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "xfrm/inside.h"

void xfrm_begin_steering(struct xfrm *x, char *why, size_t cap)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &x->steering};
	char lack[80] = "";

	x->steering = steering_open(NULL, x->base.mark, lack, sizeof(lack));
	if (x->steering && epoll_ctl(x->base.epoll, EPOLL_CTL_ADD,
				   steering_fd(x->steering), &ev) != 0) {
		snprintf(lack, sizeof(lack), "epoll: %s", strerror(errno));
		steering_close(x->steering, false);
		x->steering = NULL;
	}
	if (x->steering)
		return;
	size_t said = strlen(why);
	snprintf(why + said, cap - said,
		"%swhat a tunnel leads to must have a route of this machine's: %s",
		said > 0 ? "; " : "", lack);
}

/* The host's own traffic has no source address where the host has no route. */
void xfrm_steer(struct xfrm *x, uint16_t scope)
{
	const struct xfrm_scope *s = &x->scopes[scope];
	const struct spd *spd = s->n_addrs > 0 ? s->spd : NULL;
	struct plane_report r = {.kind = PLANE_TROUBLED};
	struct plane_trouble *t = &r.u.trouble;

	*t = (struct plane_trouble){.scope = scope, .rule = PLANE_NO_RULE};
	if (x->steering && !steering_set(x->steering, scope, spd, s->addrs, s->n_addrs,
				   t->why, sizeof(t->why)))
		xfrm_report(x, &r);
}

void xfrm_refresh(struct plane *plane)
{
	struct xfrm *x = xfrm_of(plane);

	if (x->steering)
		steering_refresh(x->steering);
}

void xfrm_look_at_steering(struct xfrm *x)
{
	if (!steering_touched(x->steering))
		return;
	x->touched = true;
	xfrm_touch(x);
}
