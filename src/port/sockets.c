/* port/sockets.c - UDP port 500, one socket for each local address.
 *
 * The sockets hang in an epoll descriptor, together with a timer that ends lingering; so
 * the loop has one descriptor to poll. Each is bound to its address, which therefore need
 * not be asked of the kernel for each datagram. IP_TRANSPARENT lets a socket send from an
 * address that the machine no longer has. Large messages may be fragmented (RFC 7296 2
 * wants 3000 octets to pass): path MTU discovery is off.
 *
 * Whether something may be sent at all is the node's decision, not judged here.
 */
#include "config.h"

#include "port/sockets.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/iana.h"
#include "base/list.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/sockaddr.h"
#include "os/socket.h"
#include "os/timer.h"

/* A burst of strangers is to be judged by the engine, not cut off by the kernel. */
enum { DATAGRAM_MAX = 65535, BUFFER_OCTETS = 4 << 20 };

struct sockets {
	int epoll, timer;
	uint32_t mark;
	struct list open; /* struct bound */
	size_t count;
	uint8_t *bytes; /* the datagram handed out */
};

struct bound {
	struct list link;
	struct addr local;
	int fd;
	uint64_t gone_ms; /* lingers until then; 0: open */
};

struct sockets *sockets_new(uint32_t mark)
{
	struct sockets *s = mem_new(1, sizeof(*s));
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};

	list_init(&s->open);
	s->mark = mark;
	s->bytes = mem_new(DATAGRAM_MAX, 1);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->timer = timer_new();
	if (s->epoll >= 0 && s->timer >= 0 &&
		epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->timer, &ev) == 0)
		return s;
	int err = errno;
	sockets_free(s);
	errno = err;
	return NULL;
}

static void drop(struct sockets *s, struct bound *b)
{
	close(b->fd); /* also takes it out of the epoll set */
	list_del(&b->link);
	s->count--;
	free(b);
}

void sockets_free(struct sockets *s)
{
	list_each_safe(item, &s->open)
	{
		drop(s, list_entry(item, struct bound, link));
	}
	if (s->epoll >= 0)
		close(s->epoll);
	if (s->timer >= 0)
		close(s->timer);
	free(s->bytes);
	free(s);
}

int sockets_fd(const struct sockets *s)
{
	return s->epoll;
}

size_t sockets_count(const struct sockets *s)
{
	return s->count;
}

static struct bound *find(struct sockets *s, const struct addr *local)
{
	list_each(item, &s->open)
	{
		struct bound *b = list_entry(item, struct bound, link);
		if (addr_equal(&b->local, local))
			return b;
	}
	return NULL;
}

static bool set_family_options(int fd, const struct addr *local)
{
	if (local->family == ADDR_V4)
		return socket_set_int(fd, IPPROTO_IP, IP_TRANSPARENT, 1) &&
		       socket_set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	return socket_set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
	       socket_set_int(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1) &&
	       socket_set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
}

static int open_bound(const struct sockets *s, const struct addr *local)
{
	struct sockaddr_storage name;
	socklen_t len = sockaddr_of(local, IKE_PORT, &name);
	int fd = socket(
		sockaddr_family(local), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &s->mark, sizeof(s->mark)) == 0 &&
		socket_set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
		set_family_options(fd, local) &&
		bind(fd, (struct sockaddr *)&name, len) == 0) {
		/* Without the privilege the ordinary limit has to do. */
		socket_set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_OCTETS);
		return fd;
	}
	return socket_give_up(fd);
}

static int watch_input(struct sockets *s, struct bound *b)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = b};

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, b->fd, &ev) == 0 ? 0 : errno;
}

/* A lingering socket hears again. */
static int revive(struct sockets *s, struct bound *b)
{
	if (b->gone_ms == 0)
		return 0;
	b->gone_ms = 0;
	socket_hear_again(b->fd);
	return watch_input(s, b);
}

int sockets_open(struct sockets *s, const struct addr *local)
{
	struct bound *b = find(s, local);

	if (b)
		return revive(s, b);
	int fd = open_bound(s, local);
	if (fd < 0)
		return errno;
	b = mem_new(1, sizeof(*b));
	b->local = *local;
	b->fd = fd;
	list_add(&s->open, &b->link);
	s->count++;
	int err = watch_input(s, b);
	if (err != 0)
		drop(s, b);
	return err;
}

void sockets_close(struct sockets *s, const struct addr *local)
{
	struct bound *b = find(s, local);

	if (!b || b->gone_ms != 0)
		return;
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, b->fd, NULL);
	socket_deafen(b->fd);
	/* What came before the filter was meant for a bound address; it is one no more. */
	socket_drain(b->fd);
	b->gone_ms = clock_now_ms() + SOCKETS_LINGER_MS;
	timer_arm(s->timer, b->gone_ms, 0);
}

/* Closes what has lingered long enough, and sets the timer for the rest. */
static void end_lingering(struct sockets *s)
{
	uint64_t now_ms = clock_now_ms(), next_ms = UINT64_MAX;

	if (!timer_rang(s->timer))
		return;
	list_each_safe(item, &s->open)
	{
		struct bound *b = list_entry(item, struct bound, link);
		if (b->gone_ms == 0)
			continue;
		if (b->gone_ms <= now_ms)
			drop(s, b);
		else if (b->gone_ms < next_ms)
			next_ms = b->gone_ms;
	}
	timer_arm(s->timer, next_ms, 0);
}

int sockets_send(struct sockets *s, const struct endpoint *local,
	const struct endpoint *remote, struct span bytes)
{
	struct bound *b = find(s, &local->addr);
	struct sockaddr_storage to;

	if (!b)
		return ENOTCONN;
	if (remote->addr.family != local->addr.family)
		return EAFNOSUPPORT;
	socklen_t len = sockaddr_of(&remote->addr, remote->port, &to);
	if (sendto(b->fd, bytes.at, bytes.len, MSG_DONTWAIT, (struct sockaddr *)&to,
		    len) < 0)
		return errno;
	return 0;
}

static bool receive(
	struct sockets *s, const struct bound *b, struct sockets_datagram *out)
{
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(b->fd, s->bytes, DATAGRAM_MAX, MSG_DONTWAIT,
		(struct sockaddr *)&from, &from_len);

	if (n < 0 || !sockaddr_read(&from, &out->remote))
		return false;
	out->local = (struct endpoint){.addr = b->local, .port = IKE_PORT};
	out->bytes = span_of(s->bytes, (size_t)n);
	return true;
}

bool sockets_next(struct sockets *s, struct sockets_datagram *out)
{
	struct epoll_event ev;

	/* Level-triggered: a socket that has more to say is named again. One event at a
	 * time, since end_lingering() may free the next one's socket. */
	while (epoll_wait(s->epoll, &ev, 1, 0) > 0) {
		struct bound *b = ev.data.ptr;
		if (!b)
			end_lingering(s);
		else if (receive(s, b, out))
			return true;
	}
	return false;
}
