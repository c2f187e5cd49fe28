/* plane/listening.c - in the epoll set and in the list of the data thread. */
#include "config.h"

#include "plane/listening.h"

#include <assert.h>
#include <sys/epoll.h>

struct local *listening_find(struct data *d, const struct addr *a)
{
	list_each(item, &d->listening)
	{
		struct local *l = list_entry(item, struct local, listening);
		if (addr_equal(&l->addr, a))
			return l;
	}
	return NULL;
}

static void listen_to(struct data *d, struct local_socket *s)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};
	int rc = epoll_ctl(d->epoll, EPOLL_CTL_ADD, s->fd, &ev);

	assert(rc == 0);
}

void listening_add(struct data *d, struct local *l)
{
	list_add(&d->listening, &l->listening);
	for (unsigned i = 0; i < LOCAL_SOCKETS; i++)
		listen_to(d, local_socket_at(l, i));
}

void listening_remove(struct data *d, struct local *l)
{
	for (unsigned i = 0; i < LOCAL_SOCKETS; i++)
		epoll_ctl(d->epoll, EPOLL_CTL_DEL, local_socket_at(l, i)->fd, NULL);
	list_del(&l->listening);
	local_let_go(l);
}

bool listening_has(struct data *d, const struct local_socket *s)
{
	list_each(item, &d->listening)
	{
		struct local *l = list_entry(item, struct local, listening);
		for (unsigned i = 0; i < LOCAL_SOCKETS; i++)
			if (s == local_socket_at(l, i))
				return true;
	}
	return false;
}
