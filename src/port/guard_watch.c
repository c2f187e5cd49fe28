/* port/guard_watch.c - nf_tables' notifications (netlink group NFNLGRP_NFTABLES). */
#include "port/guard_watch.h"

#include <netinet/in.h> /* linux/netfilter.h wants it before */

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stddef.h>
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

/* Of every message about a table, a chain, a rule, a set or an object the table's name is
 * the first kind of attribute. A new generation is told after each transaction. */
static bool is_ours(struct nlmsghdr *head)
{
	const struct nfgenmsg *of;
	const struct nlattr *table;

	if (NFNL_SUBSYS_ID(head->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
		NFNL_MSG_TYPE(head->nlmsg_type) == NFT_MSG_NEWGEN ||
		!nlmsg_valid_hdr(head, sizeof(*of)))
		return false;
	of = nlmsg_data(head);
	table = nlmsg_find_attr(head, sizeof(*of), NFTA_TABLE_NAME);
	return of->nfgen_family == NFPROTO_INET && table &&
	       nla_strcmp(table, GUARD_TABLE) == 0;
}

bool guard_watch_concerns(uint8_t *bytes, size_t len)
{
	struct nlmsghdr *head = (struct nlmsghdr *)(void *)bytes;
	int left = (int)len;

	for (; nlmsg_ok(head, left); head = nlmsg_next(head, &left))
		if (is_ours(head))
			return true;
	return false;
}

bool guard_watch_changed(int fd)
{
	_Alignas(max_align_t) uint8_t bytes[16384];
	bool changed = false;

	for (;;) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ENOBUFS)
			break;
		changed |= n < 0 || guard_watch_concerns(bytes, (size_t)n);
	}
	return changed;
}
