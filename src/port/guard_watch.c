/* port/guard_watch.c - nf_tables' notifications (netlink group NFNLGRP_NFTABLES). */
#include "port/guard_watch.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port/guard.h"

int guard_watch_open(void)
{
	struct sockaddr_nl at = {
		.nl_family = AF_NETLINK, .nl_groups = 1u << (NFNLGRP_NFTABLES - 1)};
	int fd = socket(
		AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);

	if (fd < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	int err = errno;
	close(fd);
	errno = err;
	return -1;
}

static bool tells_of_deletion(const uint8_t *bytes, size_t len)
{
	const uint16_t deleted = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE;
	struct nlmsghdr head;

	while (len >= sizeof(head)) {
		memcpy(&head, bytes, sizeof(head));
		if (head.nlmsg_type == deleted)
			return true;
		size_t whole = NLMSG_ALIGN((size_t)head.nlmsg_len);
		if (head.nlmsg_len < sizeof(head) || whole > len)
			return false;
		bytes += whole;
		len -= whole;
	}
	return false;
}

bool guard_watch_gone(int fd)
{
	uint8_t bytes[16384];
	bool deleted = false;

	for (;;) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ENOBUFS)
			break;
		deleted |= n < 0 || tells_of_deletion(bytes, (size_t)n);
	}
	return deleted && !guard_present();
}
