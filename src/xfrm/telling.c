/* xfrm/telling.c - how far a child's numbers have come: asked, set, and told by itself. */
#include "config.h"

#include <stdlib.h>

#include "base/mem.h"
#include "os/clock.h"
#include "xfrm/events.h"
#include "xfrm/inside.h"
#include "xfrm/numbers.h"

void xfrm_tell_numbers(struct xfrm *x, struct sad_child *c, bool asked)
{
	struct esp_replay_state *state = mem_new(1, sizeof(*state));
	struct plane_report r = {.kind = PLANE_REPLAY};
	bool known = numbers_read(&x->sad, c, state);

	if (known)
		numbers_told(c, state, clock_now_ms());
	else
		free(state);
	if (!known && !asked)
		return; /* it is amiss, or going */
	r.u.replay.id = c->sa.id;
	r.u.replay.asked = asked;
	r.u.replay.state = known ? state : NULL;
	xfrm_report(x, &r);
}

void xfrm_tell_due_numbers(struct xfrm *x)
{
	const uint64_t now_ms = clock_now_ms();

	list_each(item, &x->sad.all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		if (numbers_are_due(c, now_ms))
			xfrm_tell_numbers(x, c, false);
	}
}

void xfrm_tell_all_numbers(struct xfrm *x)
{
	list_each(item, &x->sad.all)
	{
		struct sad_child *c = list_entry(item, struct sad_child, link);
		if (sad_is_watched(c))
			xfrm_tell_numbers(x, c, false);
	}
}

void xfrm_replay_query(struct plane *plane, uint32_t id)
{
	struct xfrm *x = xfrm_of(plane);
	struct plane_report none = {.kind = PLANE_REPLAY};
	struct sad_child *c = sad_find(&x->sad, id);

	none.u.replay.id = id;
	none.u.replay.asked = true;
	if (c)
		xfrm_tell_numbers(x, c, true);
	else
		xfrm_report(x, &none);
}

void xfrm_replay_set(
	struct plane *plane, uint32_t id, const struct esp_replay_state *state)
{
	struct xfrm *x = xfrm_of(plane);
	struct sad_child *c = sad_find(&x->sad, id);

	if (!c)
		return;
	const struct sad_scope view = xfrm_view(x, c->sa.scope);
	xfrm_settle(x, &c->sa, numbers_set(&x->sad, &view, c, state));
}

/* Only as long as some child is watched so, for the sake of others' SAs. */
void xfrm_hear_numbers(struct xfrm *x)
{
	bool any = false;

	list_each(item, &x->sad.all) any =
		any || list_entry(item, struct sad_child, link)->watch.packets != 0;
	if (any != x->hears_numbers)
		events_hear_numbers(x->events, any);
	x->hears_numbers = any;
}

void xfrm_replay_watch(struct plane *plane, uint32_t id, uint32_t packets, uint32_t ms)
{
	struct xfrm *x = xfrm_of(plane);
	struct sad_child *c = sad_find(&x->sad, id);

	if (!c)
		return;
	numbers_watch(&x->sad, c, packets, ms);
	xfrm_hear_numbers(x);
}
