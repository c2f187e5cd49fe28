/* vlab-echo NAME PORT... - UDP echo service for the lab, IPv4 and IPv6.
 *
 * Answers from the address that the request was sent to, whether or not the machine had
 * that address when the service started: it stays up on every node while the VIP moves.
 * Into a probe (probe.h) it writes its own name and the device the request came in by,
 * so that a request that came past the tunnel can be told.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe.h"

#define MAX_SOCKETS 256
#define MAX_DATAGRAM 65536

static int open_port(int family, uint16_t port)
{
	int on = 1;
	int fd = socket(family, SOCK_DGRAM, 0);
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int rc;

	if (fd < 0)
		return -1;
	if (family == AF_INET) {
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
		rc = bind(fd, (struct sockaddr *)&sin, sizeof(sin));
	} else {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
		rc = bind(fd, (struct sockaddr *)&sin6, sizeof(sin6));
	}
	if (rc != 0) {
		fprintf(stderr, "vlab-echo: port %u: %s\n", port, strerror(errno));
		exit(1);
	}
	return fd;
}

/* The device that the request came by; the field is cleared, so the answer takes the
 * route of the day, with the source address kept. */
static int take_ifindex(struct msghdr *msg)
{
	int ifindex = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			ifindex = info.ipi_ifindex;
			info.ipi_ifindex = 0;
			info.ipi_spec_dst = info.ipi_addr;
			memcpy(CMSG_DATA(c), &info, sizeof(info));
		}
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			ifindex = (int)info.ipi6_ifindex;
			if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
				info.ipi6_ifindex = 0;
			memcpy(CMSG_DATA(c), &info, sizeof(info));
		}
	}
	return ifindex;
}

static void sign_probe(int fd, char *bytes, size_t len, const char *name, int ifindex)
{
	struct probe p;
	struct ifreq ifr = {.ifr_ifindex = ifindex};

	if (len < sizeof(p))
		return;
	memcpy(&p, bytes, sizeof(p));
	if (p.magic != PROBE_MAGIC)
		return;
	if (ioctl(fd, SIOCGIFNAME, &ifr) != 0)
		memset(&ifr, 0, sizeof(ifr));
	snprintf(p.node, sizeof(p.node), "%.15s", name);
	snprintf(p.in_name, sizeof(p.in_name), "%.15s", ifr.ifr_name);
	memcpy(bytes, &p, sizeof(p));
}

static void answer(int fd, const char *name)
{
	static char bytes[MAX_DATAGRAM];
	struct sockaddr_storage from;
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct msghdr msg = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);

	if (n <= 0)
		return;
	sign_probe(fd, bytes, (size_t)n, name, take_ifindex(&msg));
	iov.iov_len = (size_t)n;
	/* A refusal (no route, dropped by a rule) is what the lab measures: the prober sees
	 * that no answer came. */
	(void)!sendmsg(fd, &msg, MSG_DONTWAIT);
}

int main(int argc, char **argv)
{
	struct pollfd fds[MAX_SOCKETS];
	nfds_t count = 0;

	if (argc < 3 || argc > 2 + MAX_SOCKETS / 2) {
		fprintf(stderr, "usage: vlab-echo NAME PORT...\n");
		return 2;
	}
	for (int i = 2; i < argc; i++) {
		int families[] = {AF_INET, AF_INET6};
		for (size_t f = 0; f < 2; f++) {
			int fd = open_port(families[f], (uint16_t)atoi(argv[i]));
			if (fd >= 0)
				fds[count++] =
					(struct pollfd){.fd = fd, .events = POLLIN};
		}
	}
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		if (poll(fds, count, -1) < 0)
			continue;
		for (nfds_t i = 0; i < count; i++)
			if (fds[i].revents != 0)
				answer(fds[i].fd, argv[1]);
	}
}
