/* routing/steer_watch.c - rtnetlink's news of rules, routes and links, sifted.
 *
 * Routes that the kernel itself takes away (with a link, with their source address) are not
 * told of, or with port 0; the link's own news, and port/watch.h, tell of those.
 */
#include "config.h"

#include "routing/steer_watch.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "routing/netlink.h"

enum { BUFFER = 1 << 18 };

static const int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE,
	RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE};

static int join(int fd)
{
	struct sockaddr_nl at = {.nl_family = AF_NETLINK};
	int size = BUFFER;

	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0)
		return -1;
	/* What does not fit is made good by a comparison of everything. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			    sizeof(groups[i])) != 0)
			return -1;
	return 0;
}

int steer_watch_open(void)
{
	int fd = socket(
		AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || join(fd) == 0)
		return fd;
	int err = errno;
	close(fd);
	errno = err;
	return -1;
}

static bool lies(uint32_t n, uint32_t lo, uint32_t hi)
{
	return n >= lo && n <= hi;
}

static bool is_our_rule(const struct steer_watch *w, struct nlmsghdr *head)
{
	struct nlattr *at[FRA_MAX + 1];

	if (nlmsg_parse(head, sizeof(struct fib_rule_hdr), at, FRA_MAX, NULL) < 0)
		return false;
	return at[FRA_PRIORITY] &&
	       lies(nla_get_u32(at[FRA_PRIORITY]), w->rules_lo, w->rules_hi) &&
	       at[FRA_PROTOCOL] && nla_get_u8(at[FRA_PROTOCOL]) == NETLINK_OWN_PROTOCOL;
}

static bool is_our_route(const struct steer_watch *w, struct nlmsghdr *head)
{
	struct nlattr *at[RTA_MAX + 1];
	const struct rtmsg *of = nlmsg_data(head);

	if (nlmsg_parse(head, sizeof(*of), at, RTA_MAX, NULL) < 0)
		return false;
	uint32_t table = at[RTA_TABLE] ? nla_get_u32(at[RTA_TABLE]) : of->rtm_table;
	return lies(table, w->tables_lo, w->tables_hi) &&
	       of->rtm_protocol == NETLINK_OWN_PROTOCOL;
}

/* Down, or too narrow for what is led into it. */
static bool is_our_link_unfit(const struct steer_watch *w, struct nlmsghdr *head)
{
	struct nlattr *at[IFLA_MAX + 1];
	const struct ifinfomsg *of = nlmsg_data(head);

	if (nlmsg_parse(head, sizeof(*of), at, IFLA_MAX, NULL) < 0 ||
		of->ifi_family != AF_UNSPEC || (unsigned)of->ifi_index != w->ifindex)
		return false;
	return (of->ifi_flags & IFF_UP) == 0 ||
	       (at[IFLA_MTU] && nla_get_u32(at[IFLA_MTU]) < w->mtu);
}

static bool concerns(const struct steer_watch *w, struct nlmsghdr *head)
{
	bool by_others = head->nlmsg_pid != 0 && head->nlmsg_pid != w->own_port;

	switch (head->nlmsg_type) {
	case RTM_NEWRULE:
	case RTM_DELRULE:
		return by_others && is_our_rule(w, head);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return by_others && nlmsg_valid_hdr(head, sizeof(struct rtmsg)) &&
		       is_our_route(w, head);
	case RTM_NEWLINK:
		return nlmsg_valid_hdr(head, sizeof(struct ifinfomsg)) &&
		       is_our_link_unfit(w, head);
	default:
		return false;
	}
}

bool steer_watch_concerns(const struct steer_watch *w, uint8_t *bytes, size_t len)
{
	struct nlmsghdr *head = (struct nlmsghdr *)(void *)bytes;
	int left = (int)len;

	for (; nlmsg_ok(head, left); head = nlmsg_next(head, &left))
		if (concerns(w, head))
			return true;
	return false;
}

bool steer_watch_changed(const struct steer_watch *w, int fd)
{
	_Alignas(max_align_t) uint8_t bytes[16384];
	bool changed = false;

	for (;;) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ENOBUFS)
			break;
		changed |= n < 0 || steer_watch_concerns(w, bytes, (size_t)n);
	}
	return changed;
}
