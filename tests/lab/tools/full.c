/* tests/lab/tools/full.c - a kernel whose table of SAs or of policies is full, or another one
 * than this.
 *
 * Linux has no limit for either but memory, which no test can fill. Loaded into a program
 * (LD_PRELOAD), this has the kernel refuse what the file that VLAB_FULL names asks for, as
 * long as it is there: "sa", "policy" or both. The request goes out as one that no kernel
 * knows, so nothing is made; the answer comes in as the one of a kernel without memory.
 *
 * In the same way "old" makes a Linux before 5.12, which knows no tables that belong to a
 * socket, and "esp" one that takes each SA (and keeps none): for the start of a plane where
 * the kernel has no ESP.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Beyond any that there will be. */
enum { UNKNOWN_SA = 0x7fe0, UNKNOWN_POLICY, UNKNOWN_SA_TAKEN };
enum { NEW_TABLE = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE };
enum { UNKNOWN_TABLE = NFNL_SUBSYS_NFTABLES << 8 | 0xfe };

typedef ssize_t send_function(int fd, const struct msghdr *m, int flags);
typedef ssize_t receive_function(int fd, struct msghdr *m, int flags);
typedef ssize_t plain_receive_function(int fd, void *bytes, size_t len, int flags);

static void *next(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (!found)
		abort();
	return found;
}

static bool is_said(const char *word)
{
	const char *path = getenv("VLAB_FULL");
	FILE *f = path ? fopen(path, "re") : NULL;
	char text[64] = "";

	if (!f)
		return false;
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return strstr(text, word) != NULL;
}

static bool is_netlink(int fd, int wanted)
{
	int protocol = -1, domain = -1;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
	       domain == AF_NETLINK && protocol == wanted;
}

static uint16_t type_instead(uint16_t type)
{
	bool sa = type == XFRM_MSG_NEWSA || type == XFRM_MSG_UPDSA;
	bool policy = type == XFRM_MSG_NEWPOLICY || type == XFRM_MSG_UPDPOLICY;

	if ((sa || type == XFRM_MSG_DELSA) && is_said("esp"))
		return UNKNOWN_SA_TAKEN;
	if (sa && is_said("sa"))
		return UNKNOWN_SA;
	if (policy && is_said("policy"))
		return UNKNOWN_POLICY;
	return type;
}

/* One message a call, as this project's requests are sent. */
static struct nlmsghdr *header(const struct msghdr *m, size_t len)
{
	if (m->msg_iovlen == 0 || len < sizeof(struct nlmsghdr) ||
		m->msg_iov[0].iov_len < sizeof(struct nlmsghdr))
		return NULL;
	return m->msg_iov[0].iov_base;
}

/* The lock's request is one table between a beginning and an end, in parts. */
static void make_old(const struct msghdr *m)
{
	struct nlmsghdr *h = m->msg_iovlen == 3 ? m->msg_iov[1].iov_base : NULL;

	if (h && h->nlmsg_type == NEW_TABLE && is_said("old"))
		h->nlmsg_type = UNKNOWN_TABLE;
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	union {
		void *object;
		send_function *call;
	} real = {.object = next("sendmsg")};
	struct nlmsghdr *h = is_netlink(fd, NETLINK_XFRM) ? header(m, sizeof(*h)) : NULL;

	if (h)
		h->nlmsg_type = type_instead(h->nlmsg_type);
	if (is_netlink(fd, NETLINK_NETFILTER))
		make_old(m);
	return real.call(fd, m, flags);
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	union {
		void *object;
		receive_function *call;
	} real = {.object = next("recvmsg")};
	ssize_t n = real.call(fd, m, flags);
	struct nlmsghdr *h =
		n > 0 && is_netlink(fd, NETLINK_XFRM) ? header(m, (size_t)n) : NULL;

	if (!h || h->nlmsg_type != NLMSG_ERROR ||
		(size_t)n < sizeof(*h) + sizeof(struct nlmsgerr))
		return n;
	struct nlmsgerr *e = (struct nlmsgerr *)(void *)(h + 1);
	if (e->msg.nlmsg_type == UNKNOWN_SA || e->msg.nlmsg_type == UNKNOWN_POLICY)
		e->error = -ENOMEM;
	if (e->msg.nlmsg_type == UNKNOWN_SA_TAKEN)
		e->error = 0;
	return n;
}

/* The lock's answer: an old kernel says the same of the table. */
ssize_t recv(int fd, void *bytes, size_t len, int flags)
{
	union {
		void *object;
		plain_receive_function *call;
	} real = {.object = next("recv")};
	ssize_t n = real.call(fd, bytes, len, flags);
	struct nlmsghdr *h = bytes;

	if (n < (ssize_t)(sizeof(*h) + sizeof(struct nlmsgerr)) ||
		!is_netlink(fd, NETLINK_NETFILTER) || h->nlmsg_type != NLMSG_ERROR)
		return n;
	struct nlmsgerr *e = (struct nlmsgerr *)(void *)(h + 1);
	if (e->msg.nlmsg_type == UNKNOWN_TABLE)
		e->msg.nlmsg_type = NEW_TABLE;
	return n;
}
