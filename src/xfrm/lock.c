/* xfrm/lock.c - one table, made and owned. */
#include "config.h"

#include "xfrm/lock.h"

#include <netinet/in.h> /* linux/netfilter.h wants it before */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "os/socket.h"

#ifndef NFT_TABLE_F_OWNER
#define NFT_TABLE_F_OWNER 2 /* linux/netfilter/nf_tables.h of 5.12 */
#endif

enum { TRIES = 50, WAIT_MS = 10 };
enum { NEW_TABLE = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE };
enum { BEGIN, TABLE, END, PARTS };

/* ---- the request: a transaction of one ---------------------------------------------- */

static struct nl_msg *part(uint16_t type, uint16_t flags, uint8_t family, uint16_t id)
{
	struct nfgenmsg head = {
		.nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(id)};
	struct nl_msg *m = nlmsg_alloc_simple(type, flags);

	if (!m || nlmsg_append(m, &head, sizeof(head), NLMSG_ALIGNTO) < 0)
		abort();
	return m;
}

static struct nl_msg *new_table(void)
{
	struct nl_msg *m = part(NEW_TABLE,
		NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, NFPROTO_INET, 0);

	if (nla_put_string(m, NFTA_TABLE_NAME, LOCK_TABLE) < 0 ||
		nla_put_u32(m, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER)) < 0)
		abort();
	return m;
}

static bool ask(int fd)
{
	struct nl_msg *parts[PARTS] = {[BEGIN] = part(NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST,
					       AF_UNSPEC, NFNL_SUBSYS_NFTABLES),
		[TABLE] = new_table(),
		[END] = part(NFNL_MSG_BATCH_END, NLM_F_REQUEST, AF_UNSPEC,
			NFNL_SUBSYS_NFTABLES)};
	struct iovec all[PARTS];
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct msghdr m = {.msg_name = &kernel,
		.msg_namelen = sizeof(kernel),
		.msg_iov = all,
		.msg_iovlen = PARTS};

	for (int i = 0; i < PARTS; i++) {
		struct nlmsghdr *h = nlmsg_hdr(parts[i]);
		all[i] = (struct iovec){.iov_base = h, .iov_len = h->nlmsg_len};
	}
	bool sent = sendmsg(fd, &m, 0) >= 0;
	for (int i = 0; i < PARTS; i++)
		nlmsg_free(parts[i]);
	return sent;
}

/* ---- the answer ------------------------------------------------------------------------ */

/* A table of this name that is another's may not even be looked at. Without the right to make
 * any, it is the transaction that is refused. Of a flag that it does not know Linux says EINVAL
 * before 5.12, and EOPNOTSUPP since. */
int lock_meaning(const struct nlmsgerr *e)
{
	bool of_table = e->msg.nlmsg_type == NEW_TABLE;

	if (of_table && (e->error == -EEXIST || e->error == -EPERM))
		return EADDRINUSE;
	if (of_table && e->error == -EINVAL)
		return EOPNOTSUPP;
	return -e->error;
}

/* It is there when sendmsg() returns. 0, or an errno. */
static int answer(int fd)
{
	union {
		struct nlmsghdr head;
		uint8_t bytes[4096];
	} in;
	ssize_t n = recv(fd, &in, sizeof(in), 0);

	if (n < 0)
		return errno == EAGAIN ? EIO : errno;
	if (!nlmsg_ok(&in.head, (int)n) || in.head.nlmsg_type != NLMSG_ERROR ||
		nlmsg_datalen(&in.head) < (int)sizeof(struct nlmsgerr))
		return EIO;
	return lock_meaning(nlmsg_data(&in.head));
}

static int try_it(int fd)
{
	return ask(fd) ? answer(fd) : errno;
}

int lock_take(void)
{
	int fd = socket(
		AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);

	if (fd < 0)
		return -1;
	for (int i = 0;; i++) {
		int err = try_it(fd);
		if (err == 0)
			return fd;
		if (err != EADDRINUSE || i == TRIES) {
			errno = err;
			return socket_give_up(fd);
		}
		poll(NULL, 0, WAIT_MS);
	}
}

void lock_leave(int fd)
{
	if (fd >= 0)
		close(fd);
}
