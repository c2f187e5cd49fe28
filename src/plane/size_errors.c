/* plane/size_errors.c - the sockets' error queues, and the packet socket beside them.
 *
 * Only the size is used. Reading an error queue also clears what the kernel would tell
 * the next sender.
 */
#include "config.h"

#include "plane/size_errors.h"

#include <errno.h>
#include <time.h> /* errqueue.h wants it before */
#include <linux/errqueue.h>
#include <string.h>
#include <sys/socket.h>

#include "os/sockaddr.h"
#include "plane/listening.h"
#include "plane/toobig.h"

enum { AT_ONCE = 32 };

static uint32_t size_told(struct msghdr *m)
{
	struct sock_extended_err e;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
		bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
		if (!v4 && !v6)
			continue;
		memcpy(&e, CMSG_DATA(c), sizeof(e));
		return e.ee_errno == EMSGSIZE ? e.ee_info : 0;
	}
	return 0;
}

void size_errors_of_socket(struct data *d, const struct local_socket *s, uint64_t now_ms)
{
	for (unsigned i = 0; i < AT_ONCE; i++) {
		uint8_t quoted[64];
		_Alignas(struct cmsghdr) uint8_t control[256];
		struct sockaddr_storage name = {0}; /* whither the datagram went */
		struct endpoint remote;
		struct iovec vector = {quoted, sizeof(quoted)};
		struct msghdr m = {
			.msg_name = &name,
			.msg_namelen = sizeof(name),
			.msg_iov = &vector,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		if (recvmsg(s->fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
		uint32_t octets = size_told(&m);
		if (octets == 0 || !sockaddr_read(&name, &remote))
			continue;
		children_path_mtu(
			d->children, &s->local->addr, &remote, s->udp, octets, now_ms);
		d->mtus_learned = true;
	}
}

void size_errors_on_arrival(struct data *d, uint64_t now_ms)
{
	struct toobig t;

	for (unsigned i = 0; i < AT_ONCE && toobig_next(d->toobig_fd, &t); i++) {
		if (!listening_find(d, &t.local))
			continue;
		children_path_mtu(
			d->children, &t.local, &t.remote, t.encap, t.octets, now_ms);
		d->mtus_learned = true;
	}
}
