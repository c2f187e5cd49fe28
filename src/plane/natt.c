/* plane/natt.c - the non-ESP marker (RFC 3948 2.2, RFC 7296 2) and the keepalive
 * (RFC 3948 2.3). */
#include "config.h"

#include "plane/natt.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "os/sockaddr.h"

static int send_marked(int fd, const struct endpoint *remote, struct span bytes)
{
	static const uint8_t marker[4];
	struct sockaddr_storage to;
	struct iovec parts[] = {
		{(void *)(uintptr_t)marker, sizeof(marker)},
		{(void *)(uintptr_t)bytes.at, bytes.len},
	};
	struct msghdr m = {
		.msg_name = &to,
		.msg_namelen = sockaddr_of(&remote->addr, remote->port, &to),
		.msg_iov = parts,
		.msg_iovlen = 2,
	};

	return sendmsg(fd, &m, MSG_DONTWAIT) < 0 ? errno : 0;
}

int natt_send_ike(struct local *l, const struct endpoint *remote, struct span bytes)
{
	if (remote->addr.family != l->addr.family)
		return EAFNOSUPPORT;
	int err = send_marked(l->udp.fd, remote, bytes);
	if (err == 0 || err == EAGAIN)
		return err;
	/* EMSGSIZE: a large message may be fragmented. Anything else may be the ICMP error
	 * for an earlier datagram; telling it once has cleared it. */
	if (err == EMSGSIZE)
		local_set_df(&l->udp, false);
	return send_marked(l->udp.fd, remote, bytes);
}

int natt_send_keepalive(const struct local *l, const struct endpoint *remote)
{
	static const uint8_t octet = 0xff;
	struct sockaddr_storage to;

	if (remote->addr.family != l->addr.family)
		return EAFNOSUPPORT;
	socklen_t len = sockaddr_of(&remote->addr, remote->port, &to);
	ssize_t n = sendto(l->udp.fd, &octet, sizeof(octet), MSG_DONTWAIT,
		(const struct sockaddr *)&to, len);
	return n < 0 ? errno : 0;
}
