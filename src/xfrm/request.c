/* xfrm/request.c - the line to the kernel's IPsec: a message there, its answer back. */
#include "config.h"

#include "xfrm/asking.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

struct request_line {
	struct nl_sock *sock;
	int error; /* of the request under way */
	bool answered;
	char why[REQUEST_WHY_MAX];
};

static struct nl_sock *connected(void)
{
	struct nl_sock *sock = nl_socket_alloc();
	int one = 1;

	if (!sock || nl_connect(sock, NETLINK_XFRM) < 0) {
		int err = errno ? errno : EPROTONOSUPPORT;
		nl_socket_free(sock);
		errno = err;
		return NULL;
	}
	int fd = nl_socket_get_fd(sock);
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return sock;
}

struct request_line *request_open(void)
{
	struct nl_sock *sock = connected();

	if (!sock)
		return NULL;
	struct request_line *l = mem_new(1, sizeof(*l));
	l->sock = sock;
	return l;
}

void request_close(struct request_line *l)
{
	if (!l)
		return;
	nl_socket_free(l->sock);
	free(l);
}

uint32_t request_port(const struct request_line *l)
{
	return l->sock ? nl_socket_get_local_port(l->sock) : 0;
}

const char *request_why(const struct request_line *l)
{
	return l->why;
}

static int on_answer(struct nl_msg *m, void *arg)
{
	(void)m;
	((struct request_line *)arg)->answered = true;
	return NL_STOP;
}

/* The extended acknowledgement, where the kernel gives one, says in words what it minds. */
static void read_words(struct request_line *l, struct nlmsgerr *e, size_t room)
{
	const size_t head = sizeof(*e);
	struct nlattr *words = NULL;

	if (room > head)
		words = nla_find((struct nlattr *)(void *)((char *)e + head),
			(int)(room - head), NLMSGERR_ATTR_MSG);
	if (words)
		snprintf(l->why, sizeof(l->why), "%.*s", (int)nla_len(words),
			(const char *)nla_data(words));
	else
		snprintf(l->why, sizeof(l->why), "%s", strerror(-e->error));
}

/* What is not there need not be deleted: such a word, of what is cleared away after a failure,
 * would stand before that of the failure. */
static bool is_idle_delete(const struct nlmsgerr *e)
{
	uint16_t type = e->msg.nlmsg_type;

	return (type == XFRM_MSG_DELSA || type == XFRM_MSG_DELPOLICY) &&
	       (e->error == -ESRCH || e->error == -ENOENT);
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	struct request_line *l = arg;
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)((char *)e - NLMSG_HDRLEN);

	(void)from;
	l->answered = true;
	l->error = -e->error;
	if (!is_idle_delete(e))
		read_words(l, e, h->nlmsg_len - NLMSG_HDRLEN);
	return NL_STOP;
}

/* Of a request that failed on its way the answer may come yet, and would be taken for that of
 * the next one. */
static bool renew(struct request_line *l)
{
	nl_socket_free(l->sock);
	l->sock = connected();
	return l->sock != NULL;
}

/* Answered, or a code of libnl. */
static int exchange(struct request_line *l, struct nl_msg *m, struct nl_cb *cb)
{
	int done = nl_send_auto(l->sock, m);

	while (done >= 0 && !l->answered)
		done = nl_recvmsgs(l->sock, cb);
	return done;
}

static void fail(struct request_line *l, int err, const char *why)
{
	l->error = err;
	snprintf(l->why, sizeof(l->why), "%s", why);
}

static struct nl_cb *callbacks(
	struct request_line *l, nl_recvmsg_msg_cb_t each, void *ctx)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);

	if (!cb)
		abort();
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, l);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_answer, l);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_answer, l);
	if (each)
		nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, each, ctx);
	return cb;
}

static void exchange_or_renew(struct request_line *l, struct nl_msg *m, struct nl_cb *cb)
{
	int done = exchange(l, m, cb);

	if (done >= 0 || l->error != 0) /* it was answered, be it with a refusal */
		return;
	fail(l, EIO, nl_geterror(done));
	(void)renew(l); /* or before the next one */
}

int request_ask(
	struct request_line *l, struct nl_msg *m, nl_recvmsg_msg_cb_t each, void *ctx)
{
	struct nl_cb *cb = callbacks(l, each, ctx);

	l->error = 0;
	l->answered = false;
	if (l->sock || renew(l))
		exchange_or_renew(l, m, cb);
	else
		fail(l, errno, strerror(errno));
	wipe(nlmsg_data(nlmsg_hdr(m)), (size_t)nlmsg_datalen(nlmsg_hdr(m)));
	nlmsg_free(m);
	nl_cb_put(cb);
	return l->error;
}

struct nl_msg *request_message(int type, int flags, const void *head, size_t len)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, flags);

	if (!m || nlmsg_append(m, (void *)(uintptr_t)head, len, NLMSG_ALIGNTO) < 0)
		abort();
	return m;
}

void request_put(struct nl_msg *m, int type, const void *value, size_t len)
{
	if (nla_put(m, type, (int)len, value) < 0)
		abort(); /* a fresh message has room for all that is put here */
}

void request_put_if_id(struct nl_msg *m, uint32_t if_id)
{
	if (if_id != 0)
		request_put(m, XFRMA_IF_ID, &if_id, sizeof(if_id));
}
