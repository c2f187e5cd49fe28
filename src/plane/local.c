/* plane/local.c - the options that make a socket fit for ESP and AH.
 *
 * IP_TRANSPARENT: sending from an address that has just gone. SO_MARK: past the steering.
 * IP_RECVERR: ICMP errors and local ones about size come with the datagram they concern.
 * Path MTU discovery is off until a packet asks for DF, so that the kernel fragments what
 * is too big and never refuses. With DF the kernel's own idea of the path is not asked: it
 * believes errors that quote ports alone, children.c only those that quote an SPI.
 * IP_HDRINCL for AH: its ICV covers what the kernel would choose (RFC 4302 3.3.3.1.1.1).
 * IPv6 has nothing of that kind, but extension headers in front of AH are covered, too, and
 * are handed out beside it.
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

static bool set_ah_options(int fd, bool v4)
{
	if (v4)
		return socket_set_int(fd, IPPROTO_IP, IP_HDRINCL, 1);
	return socket_set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPOPTS, 1) &&
	       socket_set_int(fd, IPPROTO_IPV6, IPV6_RECVDSTOPTS, 1) &&
	       socket_set_int(fd, IPPROTO_IPV6, IPV6_RECVRTHDR, 1);
}

static int open_one(const struct addr *addr, uint32_t mark, int protocol)
{
	bool udp = protocol == IPPROTO_UDP;
	struct sockaddr_storage name;
	socklen_t len = sockaddr_of(addr, udp ? IKE_NATT_PORT : 0, &name);
	int fd = socket(sockaddr_family(addr),
		(udp ? SOCK_DGRAM : SOCK_RAW) | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

	if (fd < 0)
		return -1;
	if (set_options(fd, addr, mark, udp) &&
		(protocol != IPPROTO_AH || set_ah_options(fd, addr->family == ADDR_V4)) &&
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

struct local_socket *local_socket_at(struct local *l, unsigned i)
{
	struct local_socket *all[LOCAL_SOCKETS] = {&l->esp, &l->ah, &l->udp};

	return all[i];
}

static void close_all(struct local *l)
{
	for (unsigned i = 0; i < LOCAL_SOCKETS; i++)
		if (local_socket_at(l, i)->fd >= 0)
			close(local_socket_at(l, i)->fd);
}

static bool open_all(struct local *l, enum local_kind kind, uint32_t mark)
{
	if (kind == LOCAL_USERSPACE) {
		l->esp.fd = open_one(&l->addr, mark, IPPROTO_ESP);
		l->ah.fd = l->esp.fd < 0 ? -1 : open_one(&l->addr, mark, IPPROTO_AH);
		if (l->ah.fd < 0)
			return false;
	}
	l->udp.fd = open_one(&l->addr, mark, IPPROTO_UDP);
	return l->udp.fd >= 0 && (kind == LOCAL_USERSPACE || leave_esp(l->udp.fd));
}

struct local *local_open(
	enum local_kind kind, uint16_t scope, const struct addr *addr, uint32_t mark)
{
	struct local *l = mem_new(1, sizeof(*l));

	l->addr = *addr;
	l->scope = scope;
	for (unsigned i = 0; i < LOCAL_SOCKETS; i++) {
		local_socket_at(l, i)->local = l;
		local_socket_at(l, i)->fd = -1;
	}
	l->ah.ah = l->udp.udp = true;
	atomic_init(&l->holders, 1);
	list_init(&l->link);
	list_init(&l->listening);
	if (open_all(l, kind, mark)) {
		for (unsigned i = 0; i < LOCAL_SOCKETS; i++)
			local_socket_at(l, i)->ttl =
				own_ttl(local_socket_at(l, i)->fd, addr);
		return l;
	}
	int why = errno;
	close_all(l);
	free(l);
	errno = why;
	return NULL;
}

void local_hold(struct local *l)
{
	atomic_fetch_add_explicit(&l->holders, 1, memory_order_relaxed);
}

void local_let_go(struct local *l)
{
	if (atomic_fetch_sub_explicit(&l->holders, 1, memory_order_acq_rel) != 1)
		return;
	close_all(l);
	free(l);
}

void local_deafen(struct local *l)
{
	for (unsigned i = 0; i < LOCAL_SOCKETS; i++)
		if (local_socket_at(l, i)->fd >= 0)
			socket_deafen(local_socket_at(l, i)->fd);
}

void local_revive(struct local *l)
{
	for (unsigned i = 0; i < LOCAL_SOCKETS; i++) {
		int fd = local_socket_at(l, i)->fd;
		if (fd < 0)
			continue;
		socket_drain(fd);
		socket_hear_again(fd);
	}
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

void local_set_fragments(struct local_socket *s, size_t mtu)
{
	socket_set_int(s->fd, IPPROTO_IPV6, IPV6_MTU, (int)mtu);
}
