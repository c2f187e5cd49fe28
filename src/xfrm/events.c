/* xfrm/events.c - multicast groups of NETLINK_XFRM.
 *
 * Counter events (AEVENTS) are among them only while somebody wants them: a listener makes
 * every other daemon's SAs tell of each second packet.
 */
#include "config.h"

#include "xfrm/events.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/socket.h"
#include "xfrm/select.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

enum { RECEIVE_MAX = 32768, BUFFER_OCTETS = 4 << 20, AT_ONCE = 64 };

static bool join(int fd, int group)
{
	return socket_set_int(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
}

/* Bound, though to no port of its choice: what is told to all passes over port 0. */
int events_open(void)
{
	struct sockaddr_nl me = {.nl_family = AF_NETLINK};
	int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_XFRM);

	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&me, sizeof(me)) != 0)
		return socket_give_up(fd);
	socket_set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_OCTETS);
	if (join(fd, XFRMNLGRP_ACQUIRE) && join(fd, XFRMNLGRP_EXPIRE) &&
		join(fd, XFRMNLGRP_MAPPING) && join(fd, XFRMNLGRP_SA) &&
		join(fd, XFRMNLGRP_POLICY))
		return fd;
	return socket_give_up(fd);
}

/* Per network namespace, and without effect where nobody has a policy that asks for an SA. */
bool events_hold_first_packets(void)
{
	int fd = open("/proc/sys/net/core/xfrm_larval_drop", O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, "0\n", 2) == 2;

	if (fd >= 0)
		close(fd);
	return done;
}

void events_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

void events_hear_numbers(int fd, bool on)
{
	(void)socket_set_int(fd, SOL_NETLINK,
		on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP, XFRMNLGRP_AEVENTS);
}

/* ---- messages -------------------------------------------------------------------------- */

/* Its outer family may be another one than inside. */
static struct request_larval read_larval(
	struct nlmsghdr *h, const struct xfrm_user_acquire *a, uint32_t if_id)
{
	struct nlattr *t = nlmsg_find_attr(h, sizeof(*a), XFRMA_TMPL);
	struct request_larval l = {.id = a->id,
		.saddr = a->saddr,
		.family = a->sel.family,
		.seq = a->seq,
		.if_id = if_id};

	if (!t || nla_len(t) < (int)sizeof(struct xfrm_user_tmpl))
		return l;
	const struct xfrm_user_tmpl *tmpl = nla_data(t);
	l.family = tmpl->family;
	l.reqid = tmpl->reqid;
	l.mode = tmpl->mode;
	return l;
}

static bool read_acquire(struct nlmsghdr *h, struct kernel_event *ev)
{
	if (nlmsg_datalen(h) < (int)sizeof(struct xfrm_user_acquire))
		return false;
	const struct xfrm_user_acquire *a = nlmsg_data(h);
	struct nlattr *if_id = nlmsg_find_attr(h, sizeof(*a), XFRMA_IF_ID);
	ev->kind = EVENT_ACQUIRE;
	ev->policy = a->policy.sel;
	ev->dir = a->policy.dir;
	ev->if_id =
		if_id && nla_len(if_id) >= (int)sizeof(uint32_t) ? nla_get_u32(if_id) : 0;
	ev->flow = a->sel;
	ev->larval = read_larval(h, a, ev->if_id);
	return true;
}

static bool read_expire(struct nlmsghdr *h, struct kernel_event *ev)
{
	if (nlmsg_datalen(h) < (int)sizeof(struct xfrm_user_expire))
		return false;
	const struct xfrm_user_expire *e = nlmsg_data(h);
	ev->kind = EVENT_EXPIRE;
	ev->sa = select_name(&e->state.id, e->state.family);
	ev->reqid = e->state.reqid;
	ev->hard = e->hard != 0;
	return ev->sa.spi != 0; /* an acquired SA that never came is nobody's */
}

/* Not what comes of somebody's setting them. */
static bool read_numbers(struct nlmsghdr *h, struct kernel_event *ev)
{
	if (nlmsg_datalen(h) < (int)sizeof(struct xfrm_aevent_id))
		return false;
	const struct xfrm_aevent_id *a = nlmsg_data(h);
	ev->kind = EVENT_NUMBERS;
	ev->sa = (struct request_name){
		.daddr = select_addr_read(&a->sa_id.daddr, a->sa_id.family),
		.spi = ntohl(a->sa_id.spi),
		.ah = a->sa_id.proto == IPPROTO_AH};
	ev->reqid = a->reqid;
	return (a->flags & (XFRM_AE_CR | XFRM_AE_CE)) != 0;
}

static bool read_mapping(struct nlmsghdr *h, struct kernel_event *ev)
{
	if (nlmsg_datalen(h) < (int)sizeof(struct xfrm_user_mapping))
		return false;
	const struct xfrm_user_mapping *m = nlmsg_data(h);
	ev->kind = EVENT_MAPPING;
	ev->sa.daddr = select_addr_read(&m->id.daddr, m->id.family);
	ev->sa.spi = ntohl(m->id.spi); /* of ESP: AH does not go in UDP */
	ev->reqid = m->reqid;
	ev->remote.addr = select_addr_read(&m->new_saddr, m->id.family);
	ev->remote.port = ntohs(m->new_sport);
	return true;
}

/* A message about an SA names it with all that it was, or (a Delete) in an attribute. */
static bool is_our_sa(struct nlmsghdr *h)
{
	const struct xfrm_usersa_info *sa = NULL;

	if (h->nlmsg_type == XFRM_MSG_UPDSA) {
		sa = nlmsg_datalen(h) < (int)sizeof(*sa) ? NULL : nlmsg_data(h);
	} else {
		struct nlattr *a =
			nlmsg_find_attr(h, sizeof(struct xfrm_usersa_id), XFRMA_SA);
		sa = !a || nla_len(a) < (int)sizeof(*sa) ? NULL : nla_data(a);
	}
	return sa && sa->sel.user == SELECT_USER;
}

static bool is_our_policy(struct nlmsghdr *h)
{
	const struct xfrm_userpolicy_info *p = NULL;

	if (h->nlmsg_type != XFRM_MSG_DELPOLICY) {
		p = nlmsg_datalen(h) < (int)sizeof(*p) ? NULL : nlmsg_data(h);
	} else {
		struct nlattr *a = nlmsg_find_attr(
			h, sizeof(struct xfrm_userpolicy_id), XFRMA_POLICY);
		p = !a || nla_len(a) < (int)sizeof(*p) ? NULL : nla_data(a);
	}
	return p && p->sel.user == SELECT_USER;
}

/* What others do. What they do to SAs of theirs does not concern us. */
static bool read_deed(struct nlmsghdr *h, struct kernel_event *ev)
{
	switch (h->nlmsg_type) {
	case XFRM_MSG_DELSA:
	case XFRM_MSG_UPDSA:
		ev->kind = EVENT_SAS;
		return is_our_sa(h);
	case XFRM_MSG_FLUSHSA:
		ev->kind = EVENT_SAS;
		return true;
	case XFRM_MSG_NEWPOLICY:
	case XFRM_MSG_DELPOLICY:
	case XFRM_MSG_UPDPOLICY:
		ev->kind = is_our_policy(h) ? EVENT_POLICIES : EVENT_BESIDE;
		return true;
	case XFRM_MSG_FLUSHPOLICY:
		ev->kind = EVENT_POLICIES;
		return true;
	default:
		return false;
	}
}

static bool read_one(struct nlmsghdr *h, uint32_t own, struct kernel_event *ev)
{
	switch (h->nlmsg_type) {
	case XFRM_MSG_ACQUIRE:
		return read_acquire(h, ev);
	case XFRM_MSG_EXPIRE:
		return read_expire(h, ev);
	case XFRM_MSG_NEWAE:
		return read_numbers(h, ev);
	case XFRM_MSG_MAPPING:
		return read_mapping(h, ev);
	default:
		return h->nlmsg_pid != own && read_deed(h, ev);
	}
}

static void read_all(uint8_t *bytes, int len, uint32_t own,
	void (*each)(const struct kernel_event *ev, void *ctx), void *ctx)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)bytes;

	for (; nlmsg_ok(h, len); h = nlmsg_next(h, &len)) {
		struct kernel_event ev;
		memset(&ev, 0, sizeof(ev));
		if (read_one(h, own, &ev))
			each(&ev, ctx);
	}
}

void events_read(int fd, uint32_t own,
	void (*each)(const struct kernel_event *ev, void *ctx), void *ctx)
{
	static _Alignas(struct nlmsghdr) uint8_t bytes[RECEIVE_MAX];

	for (int i = 0; i < AT_ONCE; i++) {
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(fd, bytes, sizeof(bytes), MSG_DONTWAIT,
			(struct sockaddr *)&from, &from_len);
		if (n < 0 && errno == ENOBUFS) {
			const struct kernel_event lost = {.kind = EVENT_LOST};
			each(&lost, ctx);
			continue;
		}
		if (n < 0)
			return;
		if (from.nl_pid == 0) /* the kernel's */
			read_all(bytes, (int)n, own, each, ctx);
	}
}
