/* plane/size_errors.c - the sockets' error queues, and what toobig.h hears beside them.
 *
 * Of an error from the network the quoted packet's SPI must be one of ours; the kernel's own
 * word (the device is too narrow) quotes nothing. Reading an error queue also clears what the
 * kernel would tell the next sender.
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
#include "wire/reader.h"

enum { AT_ONCE = 32 };

/* Sockets that send whole packets have the IP header quoted, too; and AH has its SPI behind
 * two lengths. */
static struct reader at_spi(const struct local_socket *s, struct span quoted)
{
	struct reader r = rd_over(quoted);

	if (!s->ah)
		return r;
	if (s->local->addr.family == ADDR_V4)
		rd_skip(&r, quoted.len == 0 ? 0 : (size_t)(quoted.at[0] & 0x0f) * 4);
	rd_skip(&r, 4);
	return r;
}

/* quoted: what was behind the IP header, or in the UDP datagram. False: not of a size. */
static bool size_told(const struct local_socket *s, struct msghdr *m, struct span quoted,
	struct path_mtu *out)
{
	struct reader r = at_spi(s, quoted);
	struct sock_extended_err e;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
		bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
		if (!v4 && !v6)
			continue;
		memcpy(&e, CMSG_DATA(c), sizeof(e));
		out->octets = e.ee_errno == EMSGSIZE ? e.ee_info : 0;
		out->by_kernel = e.ee_origin == SO_EE_ORIGIN_LOCAL;
		out->spi = rd_u32(&r);
		return out->octets != 0 && (out->by_kernel || rd_ok(&r));
	}
	return false;
}

void size_errors_of_socket(struct data *d, const struct local_socket *s, uint64_t now_ms)
{
	for (unsigned i = 0; i < AT_ONCE; i++) {
		uint8_t quoted[64];
		_Alignas(struct cmsghdr) uint8_t control[256];
		struct sockaddr_storage name = {0}; /* whither the datagram went */
		struct path_mtu told = {.local = s->local->addr, .encap = s->udp};
		struct iovec vector = {quoted, sizeof(quoted)};
		struct msghdr m = {
			.msg_name = &name,
			.msg_namelen = sizeof(name),
			.msg_iov = &vector,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		ssize_t n = recvmsg(s->fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT);
		if (n < 0)
			return;
		if (!size_told(s, &m, span_of(quoted, (size_t)n), &told) ||
			!sockaddr_read(&name, &told.remote))
			continue;
		if (children_path_mtu(d->children, &told, now_ms))
			d->mtus_learned = true;
	}
}

void size_errors_on_arrival(struct data *d, uint64_t now_ms)
{
	struct path_mtu t;

	for (unsigned i = 0; i < AT_ONCE && toobig_next(&d->toobig, &t); i++) {
		if (listening_find(d, &t.local) &&
			children_path_mtu(d->children, &t, now_ms))
			d->mtus_learned = true;
	}
}
