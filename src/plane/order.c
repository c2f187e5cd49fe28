/* plane/order.c - the queue behind order.h. */
#include "config.h"

#include "plane/order.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

struct order_queue {
	pthread_mutex_t lock;
	struct list waiting;
	int fd;
	atomic_bool some;
};

struct order_queue *order_queue_new(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return NULL;
	struct order_queue *q = mem_new(1, sizeof(*q));
	q->fd = fd;
	list_init(&q->waiting);
	pthread_mutex_init(&q->lock, NULL);
	return q;
}

void order_queue_free(struct order_queue *q)
{
	list_each_safe(item, &q->waiting)
	{
		list_del(item);
		order_free(list_entry(item, struct order, link));
	}
	pthread_mutex_destroy(&q->lock);
	close(q->fd);
	free(q);
}

int order_queue_fd(const struct order_queue *q)
{
	return q->fd;
}

struct order *order_new(enum order_kind kind)
{
	struct order *o = mem_new(1, sizeof(*o));

	o->kind = kind;
	list_init(&o->link);
	return o;
}

void order_free(struct order *o)
{
	if (o->kind == ORDER_POLICY)
		spd_free(o->u.policy.spd);
	if (o->kind == ORDER_BIND && o->u.local)
		local_let_go(o->u.local);
	if (o->kind == ORDER_SA_ADD && o->u.add.child) {
		esp_child_wipe(o->u.add.child);
		free(o->u.add.child);
	}
	if (o->kind == ORDER_REPLAY_SET)
		free(o->u.replay);
	free(o);
}

void order_give(struct order_queue *q, struct order *o)
{
	uint64_t one = 1;

	pthread_mutex_lock(&q->lock);
	list_add(&q->waiting, &o->link);
	atomic_store_explicit(&q->some, true, memory_order_release);
	pthread_mutex_unlock(&q->lock);
	ssize_t n = write(q->fd, &one, sizeof(one));
	(void)n; /* a full counter is raised already */
}

bool order_waits(const struct order_queue *q)
{
	return atomic_load_explicit(&q->some, memory_order_acquire);
}

void order_take_all(struct order_queue *q, struct list *out)
{
	uint64_t raised;
	/* First lower the flag: what comes behind it raises it again. */
	ssize_t n = read(q->fd, &raised, sizeof(raised));

	(void)n;
	pthread_mutex_lock(&q->lock);
	atomic_store_explicit(&q->some, false, memory_order_relaxed);
	list_each_safe(item, &q->waiting)
	{
		list_del(item);
		list_add(out, item);
	}
	pthread_mutex_unlock(&q->lock);
}
