/* xfrm/usage.c - who has sent how much: asked for, and told child by child. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/clock.h"
#include "os/timer.h"
#include "xfrm/inside.h"
#include "xfrm/looking.h"

void xfrm_look_later(struct xfrm *x)
{
	timer_arm(x->timer, looking_next_ms(&x->sad), 0);
}

static void on_seen(const struct sad_child *c, enum esp_notice_kind what, void *ctx)
{
	xfrm_notice(ctx, what, c);
}

void xfrm_look(struct xfrm *x)
{
	const uint64_t begun_ms = clock_now_ms();

	xfrm_close_gates(x);
	xfrm_hear(x); /* of an SA that has come to its end, before it is missed */
	looking_round(&x->sad, begun_ms, on_seen, x);
	xfrm_tell_due_numbers(x);
	x->sad.look_took_ms = clock_now_ms() - begun_ms;
	xfrm_heed(x);
	xfrm_look_later(x);
}

void xfrm_usage_query(struct plane *plane)
{
	struct xfrm *x = xfrm_of(plane);

	if (!looking_is_fresh(&x->sad, clock_now_ms()))
		xfrm_look(x);
	x->queries++;
	xfrm_wake(x);
}

static void begin_telling(struct xfrm *x)
{
	size_t n = map_count(x->sad.by_id);

	x->telling = mem_new(n + 1, sizeof(*x->telling));
	x->n_telling = x->told = 0;
	list_each(item, &x->sad.all) x->telling[x->n_telling++] =
		list_entry(item, struct sad_child, link)->sa.id;
}

bool xfrm_next_usage(struct xfrm *x, struct plane_report *out)
{
	if (x->queries == 0)
		return false;
	if (!x->telling)
		begin_telling(x);
	while (x->told < x->n_telling) {
		const struct sad_child *c = sad_find(&x->sad, x->telling[x->told++]);
		if (!c)
			continue;
		*out = (struct plane_report){.kind = PLANE_USAGE};
		out->u.usage = c->usage;
		out->u.usage.as_of_ms = x->sad.as_of_ms;
		return true;
	}
	free(x->telling);
	x->telling = NULL;
	x->queries--;
	*out = (struct plane_report){.kind = PLANE_USAGE_END};
	return true;
}

static void add_usage(const struct esp_usage *u, struct plane_totals *out)
{
	out->esp.sealed += u->packets_out;
	out->esp.opened += u->packets_in;
	out->esp.drop_replayed += u->replayed;
	out->esp.drop_forged += u->forged;
}

void xfrm_totals(struct plane *plane, struct plane_totals *out)
{
	struct xfrm *x = xfrm_of(plane);

	memset(out, 0, sizeof(*out));
	out->children = map_count(x->sad.by_id);
	list_each(item, &x->sad.all)
		add_usage(&list_entry(item, struct sad_child, link)->usage, out);
}
