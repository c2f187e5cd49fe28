/* base/list.h - intrusive doubly linked list; a node sits inside its owner.
 *
 * Floor 0.
 */
#ifndef VIPSEC_BASE_LIST_H
#define VIPSEC_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

/* Appends. */
static inline void list_add(struct list *l, struct list *item)
{
	item->prev = l->prev;
	item->next = l;
	l->prev->next = item;
	l->prev = item;
}

/* The item may be removed again without harm. */
static inline void list_del(struct list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

#define list_entry(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define list_each(item, head) \
	for (struct list *item = (head)->next; item != (head); item = item->next)

/* The current item may be removed inside the loop. */
#define list_each_safe(item, head)                                        \
	for (struct list *item = (head)->next, *item##_next = item->next; \
		item != (head); item = item##_next, item##_next = item->next)

#endif
