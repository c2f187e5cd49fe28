/* plane/local.c - the options that make a socket fit for ESP.
 *
 * IP_TRANSPARENT: sending from an address that has just gone. SO_MARK: past the steering.
 * IP_RECVERR: ICMP errors and local ones about size come with the datagram they concern.
 * Path MTU discovery is off until a packet asks for DF, so that the kernel fragments what
 * is too big and never refuses.
 */
#include "config.h"

#include "plane/local.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/iana.h"
#include "base/mem.h"
#include "plane/sockaddr.h"

enum { BUFFER_OCTETS = 4 << 20 };

static bool set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

static bool set_family_options(int fd, bool v4)
{
	if (v4)
		return set_int(fd, IPPROTO_IP, IP_TRANSPARENT, 1) &&
		       set_int(fd, IPPROTO_IP, IP_RECVERR, 1) &&
		       set_int(fd, IPPROTO_IP, IP_RECVTOS, 1) &&
		       set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	return set_int(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1) &&
	       set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1) &&
	       set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) &&
	       set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
}

static bool set_options(int fd, const struct addr *addr, uint32_t mark, bool udp)
{
	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0 ||
		!set_family_options(fd, addr->family == ADDR_V4))
		return false;
	if (udp && !set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1))
		return false;
	/* Raw sockets are of one family anyway, and refuse the option. */
	if (udp && addr->family == ADDR_V6 && !set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1))
		return false;
	/* Without the privilege the ordinary limit has to do. */
	set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_OCTETS);
	set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_OCTETS);
	return true;
}

static int open_one(const struct addr *addr, uint32_t mark, bool udp)
{
	struct sockaddr_storage name;
	socklen_t len = sockaddr_of(addr, udp ? IKE_NATT_PORT : 0, &name);
	int fd = socket(sockaddr_family(addr),
		(udp ? SOCK_DGRAM : SOCK_RAW) | SOCK_CLOEXEC | SOCK_NONBLOCK,
		udp ? IPPROTO_UDP : IPPROTO_ESP);

	if (fd < 0)
		return -1;
	if (set_options(fd, addr, mark, udp) &&
		bind(fd, (struct sockaddr *)&name, len) == 0)
		return fd;
	int err = errno;
	close(fd);
	errno = err;
	return -1;
}

struct local *local_open(uint16_t scope, const struct addr *addr, uint32_t mark)
{
	int esp = open_one(addr, mark, false);
	int udp = esp < 0 ? -1 : open_one(addr, mark, true);

	if (udp < 0) {
		int err = errno;
		if (esp >= 0)
			close(esp);
		errno = err;
		return NULL;
	}
	struct local *l = mem_new(1, sizeof(*l));
	l->addr = *addr;
	l->scope = scope;
	l->esp.local = l->udp.local = l;
	l->esp.fd = esp;
	l->udp.fd = udp;
	l->udp.udp = true;
	atomic_init(&l->holders, 1);
	list_init(&l->link);
	list_init(&l->listening);
	return l;
}

void local_hold(struct local *l)
{
	atomic_fetch_add_explicit(&l->holders, 1, memory_order_relaxed);
}

void local_let_go(struct local *l)
{
	if (atomic_fetch_sub_explicit(&l->holders, 1, memory_order_acq_rel) != 1)
		return;
	close(l->esp.fd);
	close(l->udp.fd);
	free(l);
}

void local_deafen(struct local *l)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {.len = 1, .filter = &nothing};

	setsockopt(l->esp.fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
	setsockopt(l->udp.fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static void hear_again(int fd)
{
	uint8_t rest;

	while (recv(fd, &rest, sizeof(rest), MSG_DONTWAIT) >= 0)
		;
	set_int(fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
}

void local_revive(struct local *l)
{
	hear_again(l->esp.fd);
	hear_again(l->udp.fd);
}

void local_set_df(struct local_socket *s, bool df)
{
	if (s->local->addr.family != ADDR_V4 ||
		atomic_load_explicit(&s->df, memory_order_relaxed) == df)
		return;
	set_int(s->fd, IPPROTO_IP, IP_MTU_DISCOVER,
		df ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
	atomic_store_explicit(&s->df, df, memory_order_relaxed);
}
