/* port/known.c - two lists, and a call for each difference.
 *
 * An address is known by (interface, address); one made anew meanwhile is recognised by its
 * time of creation. It is not gone as long as another link has it.
 */
#include "config.h"

#include "port/known.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void known_init(struct known *k)
{
	list_init(&k->addrs);
	list_init(&k->links);
}

void known_wipe(struct known *k)
{
	list_each_safe(item, &k->addrs)
	{
		free(list_entry(item, struct known_addr, link));
	}
	list_each_safe(item, &k->links)
	{
		free(list_entry(item, struct known_link, link));
	}
}

/* ---- addresses -------------------------------------------------------------- */

static void tell_addr(const struct known *all, const struct known_addr *k)
{
	struct watch_event e = {.kind = k->state,
		.ifindex = k->ifindex,
		.addr = k->addr,
		.dad_failed = k->dad_failed};

	all->changed(all->ctx, &e);
}

static struct known_addr *find_addr(
	struct known *all, unsigned ifindex, const struct addr *a)
{
	list_each(item, &all->addrs)
	{
		struct known_addr *k = list_entry(item, struct known_addr, link);
		if (k->ifindex == ifindex && addr_equal(&k->addr, a))
			return k;
	}
	return NULL;
}

/* The same address on another link: it is not gone as long as one has it. */
static bool held_elsewhere(struct known *all, const struct known_addr *k)
{
	list_each(item, &all->addrs)
	{
		const struct known_addr *other =
			list_entry(item, struct known_addr, link);
		if (other != k && addr_equal(&other->addr, &k->addr))
			return true;
	}
	return false;
}

static void forget_addr(struct known *all, struct known_addr *k)
{
	k->state = WATCH_GONE;
	k->dad_failed = false;
	if (!held_elsewhere(all, k))
		tell_addr(all, k);
	list_del(&k->link);
	free(k);
}

void known_learn_addr(struct known *all, const struct known_addr *now)
{
	struct known_addr *k = find_addr(all, now->ifindex, &now->addr);

	if (k && k->created != now->created) {
		forget_addr(all, k);
		k = NULL;
	}
	if (!k) {
		k = mem_new(1, sizeof(*k));
		*k = *now;
		k->state = WATCH_GONE;
		list_add(&all->addrs, &k->link);
	}
	bool same = k->state == now->state && k->dad_failed == now->dad_failed;
	k->state = now->state;
	k->dad_failed = now->dad_failed;
	k->seen = true;
	if (!same)
		tell_addr(all, k);
}

void known_lose_addr(struct known *all, unsigned ifindex, const struct addr *a)
{
	struct known_addr *k = find_addr(all, ifindex, a);

	if (k)
		forget_addr(all, k);
}

/* ---- links -------------------------------------------------------------------- */

static void tell_link(const struct known *all, const struct known_link *k)
{
	struct watch_event e = {.kind = WATCH_LINK, .ifindex = k->ifindex, .up = k->up};

	snprintf(e.link, sizeof(e.link), "%s", k->name);
	all->changed(all->ctx, &e);
}

static struct known_link *find_link(struct known *all, unsigned ifindex)
{
	list_each(item, &all->links)
	{
		struct known_link *k = list_entry(item, struct known_link, link);
		if (k->ifindex == ifindex)
			return k;
	}
	return NULL;
}

static void forget_link(struct known *all, struct known_link *k)
{
	k->up = false;
	tell_link(all, k);
	list_del(&k->link);
	free(k);
}

void known_learn_link(struct known *all, const struct known_link *now)
{
	struct known_link *k = find_link(all, now->ifindex);
	bool same = k && k->up == now->up;

	if (!k) {
		k = mem_new(1, sizeof(*k));
		k->ifindex = now->ifindex;
		list_add(&all->links, &k->link);
	}
	snprintf(k->name, sizeof(k->name), "%s", now->name);
	k->up = now->up;
	k->seen = true;
	if (!same)
		tell_link(all, k);
}

void known_lose_link(struct known *all, unsigned ifindex)
{
	struct known_link *k = find_link(all, ifindex);

	if (k)
		forget_link(all, k);
}

/* ---- everything anew ------------------------------------------------------------ */

void known_doubt_all(struct known *all)
{
	list_each(item, &all->addrs)
	{
		list_entry(item, struct known_addr, link)->seen = false;
	}
	list_each(item, &all->links)
	{
		list_entry(item, struct known_link, link)->seen = false;
	}
}

void known_lose_unseen(struct known *all)
{
	list_each_safe(item, &all->addrs)
	{
		struct known_addr *k = list_entry(item, struct known_addr, link);
		if (!k->seen)
			forget_addr(all, k);
	}
	list_each_safe(item, &all->links)
	{
		struct known_link *k = list_entry(item, struct known_link, link);
		if (!k->seen)
			forget_link(all, k);
	}
}
