/* plane/local.c - the options that make a socket fit for ESP.
 *
 * IP_TRANSPARENT: sending from an address that has just gone. SO_MARK: past the steering.
 * IP_RECVERR: ICMP errors and local ones about size come with the datagram they concern.
 * Path MTU discovery is off until a packet asks for DF, so that the kernel fragments what
 * is too big and never refuses. With DF the kernel's own idea of the path is not asked: it
 * believes errors that quote ports alone, children.c only those that quote an SPI.
 */
#include "config.h"

#include "plane/local.h"

#include <errno.h>
#include <linux/udp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/iana.h"
#include "base/mem.h"
#include "os/sockaddr.h"
#include "os/socket.h"

enum { BUFFER_OCTETS = 4 << 20 };

static bool set_family_options(int fd, bool v4)
{
	if (v4)
		return socket_set_int(fd, IPPROTO_IP, IP_TRANSPARENT, 1) &&
		       socket_set_int(fd, IPPROTO_IP, IP_RECVERR, 1) &&
		       socket_set_int(fd, IPPROTO_IP, IP_RECVTOS, 1) &&
		       socket_set_int(fd, IPPROTO_IP, IP_RECVTTL, 1) &&
		       socket_set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	return socket_set_int(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1) &&
	       socket_set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1) &&
	       socket_set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) &&
	       socket_set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) &&
	       socket_set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
}

static bool set_options(int fd, const struct addr *addr, uint32_t mark, bool udp)
{
	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0 ||
		!set_family_options(fd, addr->family == ADDR_V4))
		return false;
	if (udp && !socket_set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1))
		return false;
	/* Raw sockets are of one family anyway, and refuse the option. */
	if (udp && addr->family == ADDR_V6 &&
		!socket_set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1))
		return false;
	/* Without the privilege the ordinary limit has to do. */
	socket_set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_OCTETS);
	socket_set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_OCTETS);
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
	return socket_give_up(fd);
}

static uint8_t own_ttl(int fd, const struct addr *addr)
{
	bool v4 = addr->family == ADDR_V4;
	int ttl = 0;
	socklen_t len = sizeof(ttl);

	if (fd < 0 || getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6,
			      v4 ? IP_TTL : IPV6_UNICAST_HOPS, &ttl, &len) != 0)
		return 0;
	return (uint8_t)ttl;
}

/* The kernel looks at what comes to this port, and keeps ESP to itself (RFC 3948). */
static bool leave_esp(int udp)
{
	return socket_set_int(udp, IPPROTO_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP);
}

struct local *local_open(
	enum local_kind kind, uint16_t scope, const struct addr *addr, uint32_t mark)
{
	bool kernel = kind == LOCAL_KERNEL;
	int esp = kernel ? -1 : open_one(addr, mark, false);
	int udp = esp < 0 && !kernel ? -1 : open_one(addr, mark, true);

	if (kernel && udp >= 0 && !leave_esp(udp))
		udp = socket_give_up(udp);
	if (udp < 0) {
		if (esp >= 0)
			socket_give_up(esp);
		return NULL;
	}
	struct local *l = mem_new(1, sizeof(*l));
	l->addr = *addr;
	l->scope = scope;
	l->esp.local = l->udp.local = l;
	l->esp.fd = esp;
	l->udp.fd = udp;
	l->esp.ttl = own_ttl(esp, addr);
	l->udp.ttl = own_ttl(udp, addr);
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
	if (l->esp.fd >= 0)
		close(l->esp.fd);
	close(l->udp.fd);
	free(l);
}

void local_deafen(struct local *l)
{
	if (l->esp.fd >= 0)
		socket_deafen(l->esp.fd);
	socket_deafen(l->udp.fd);
}

void local_revive(struct local *l)
{
	if (l->esp.fd >= 0) {
		socket_drain(l->esp.fd);
		socket_hear_again(l->esp.fd);
	}
	socket_drain(l->udp.fd);
	socket_hear_again(l->udp.fd);
}

void local_set_df(struct local_socket *s, bool df)
{
	if (s->local->addr.family != ADDR_V4 ||
		atomic_load_explicit(&s->df, memory_order_relaxed) == df)
		return;
	socket_set_int(s->fd, IPPROTO_IP, IP_MTU_DISCOVER,
		df ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT);
	atomic_store_explicit(&s->df, df, memory_order_relaxed);
}
