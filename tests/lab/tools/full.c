/* tests/lab/tools/full.c - a kernel whose table of SAs or of policies is full.
 *
 * Linux has no limit for either but memory, which no test can fill. Loaded into a program
 * (LD_PRELOAD), this has the kernel refuse what the file that VLAB_FULL names asks for, as
 * long as it is there: "sa", "policy" or both. The request goes out as one that no kernel
 * knows, so nothing is made; the answer comes in as the one of a kernel without memory.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { UNKNOWN_SA = 0x7fe0, UNKNOWN_POLICY }; /* beyond any that there will be */

typedef ssize_t send_function(int fd, const struct msghdr *m, int flags);
typedef ssize_t receive_function(int fd, struct msghdr *m, int flags);

static void *next(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (!found)
		abort();
	return found;
}

static bool is_full(const char *word)
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

static bool is_xfrm(int fd)
{
	int protocol = -1, domain = -1;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
	       domain == AF_NETLINK && protocol == NETLINK_XFRM;
}

static uint16_t type_instead(uint16_t type)
{
	bool sa = type == XFRM_MSG_NEWSA || type == XFRM_MSG_UPDSA;
	bool policy = type == XFRM_MSG_NEWPOLICY || type == XFRM_MSG_UPDPOLICY;

	if (sa && is_full("sa"))
		return UNKNOWN_SA;
	if (policy && is_full("policy"))
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

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	union {
		void *object;
		send_function *call;
	} real = {.object = next("sendmsg")};
	struct nlmsghdr *h = is_xfrm(fd) ? header(m, sizeof(*h)) : NULL;

	if (h)
		h->nlmsg_type = type_instead(h->nlmsg_type);
	return real.call(fd, m, flags);
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	union {
		void *object;
		receive_function *call;
	} real = {.object = next("recvmsg")};
	ssize_t n = real.call(fd, m, flags);
	struct nlmsghdr *h = n > 0 && is_xfrm(fd) ? header(m, (size_t)n) : NULL;

	if (!h || h->nlmsg_type != NLMSG_ERROR ||
		(size_t)n < sizeof(*h) + sizeof(struct nlmsgerr))
		return n;
	struct nlmsgerr *e = (struct nlmsgerr *)(void *)(h + 1);
	if (e->msg.nlmsg_type == UNKNOWN_SA || e->msg.nlmsg_type == UNKNOWN_POLICY)
		e->error = -ENOMEM;
	return n;
}
