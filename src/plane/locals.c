/* plane/locals.c - a list and one timer. */
#include "config.h"

#include "plane/locals.h"

#include <unistd.h>

#include "os/clock.h"
#include "os/timer.h"

bool locals_init(struct locals *ls, enum local_kind kind)
{
	ls->kind = kind;
	list_init(&ls->all);
	ls->timer = timer_new();
	return ls->timer >= 0;
}

static void drop(struct local *l)
{
	list_del(&l->link);
	local_let_go(l);
}

void locals_wipe(struct locals *ls)
{
	list_each_safe(item, &ls->all)
	{
		drop(list_entry(item, struct local, link));
	}
	if (ls->timer >= 0)
		close(ls->timer);
}

struct local *locals_find(const struct locals *ls, const struct addr *a)
{
	list_each(item, &ls->all)
	{
		struct local *l = list_entry(item, struct local, link);
		if (addr_equal(&l->addr, a))
			return l;
	}
	return NULL;
}

struct local *locals_bind(
	struct locals *ls, uint16_t scope, const struct addr *addr, uint32_t mark)
{
	struct local *l = locals_find(ls, addr);

	if (l) {
		l->gone_ms = 0;
		local_revive(l);
		return l;
	}
	l = local_open(ls->kind, scope, addr, mark);
	if (l)
		list_add(&ls->all, &l->link);
	return l;
}

struct local *locals_unbind(struct locals *ls, const struct addr *addr)
{
	struct local *l = locals_find(ls, addr);

	if (!l || l->gone_ms != 0)
		return NULL;
	local_deafen(l);
	l->gone_ms = clock_now_ms() + LOCAL_LINGER_MS;
	timer_arm(ls->timer, l->gone_ms, 0);
	return l;
}

void locals_end_lingering(struct locals *ls)
{
	uint64_t now_ms = clock_now_ms(), next_ms = UINT64_MAX;

	if (!timer_rang(ls->timer))
		return;
	list_each_safe(item, &ls->all)
	{
		struct local *l = list_entry(item, struct local, link);
		if (l->gone_ms == 0)
			continue;
		if (l->gone_ms <= now_ms)
			drop(l);
		else if (l->gone_ms < next_ms)
			next_ms = l->gone_ms;
	}
	timer_arm(ls->timer, next_ms, 0);
}
