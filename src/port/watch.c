/* port/watch.c - rtnetlink (libnl) into a queue of events.
 *
 * Messages of the kernel are taken in order; known.c says which of them change anything.
 * When the kernel had no room for one (ENOBUFS), whatever still waits is thrown away, all
 * addresses and links are dumped, and the difference becomes events.
 *
 * What an event means for a VIP is the node's business.
 */
#include "config.h"

#include "port/watch.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/rtnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "port/known.h"

struct waiting {
	struct list link;
	struct watch_event event;
};

struct watch {
	struct watch_params params;
	struct nl_sock *events, *dump;
	struct known known;
	struct list queue;
	bool routes_waiting; /* an unread WATCH_ROUTES is in the queue */
	struct watch_totals totals;
};

/* ---- events --------------------------------------------------------------- */

static void push(void *ctx, const struct watch_event *e)
{
	struct watch *w = ctx;
	struct waiting *q = mem_new(1, sizeof(*q));

	q->event = *e;
	list_add(&w->queue, &q->link);
}

/* ---- addresses -------------------------------------------------------------- */

static bool read_addr(struct nlmsghdr *msg, struct known_addr *out)
{
	struct nlattr *at[IFA_MAX + 1];
	struct ifaddrmsg *head = nlmsg_data(msg);

	if (nlmsg_parse(msg, sizeof(*head), at, IFA_MAX, NULL) < 0)
		return false;
	/* On a point-to-point link IFA_ADDRESS is the far end. */
	struct nlattr *a = at[IFA_LOCAL] ? at[IFA_LOCAL] : at[IFA_ADDRESS];
	if (!a || (nla_len(a) != 4 && nla_len(a) != 16))
		return false;
	uint32_t flags = at[IFA_FLAGS] ? nla_get_u32(at[IFA_FLAGS]) : head->ifa_flags;
	bool checking = (flags & IFA_F_TENTATIVE) != 0 && (flags & IFA_F_OPTIMISTIC) == 0;
	*out = (struct known_addr){
		.addr = addr_from_bytes(nla_data(a), (size_t)nla_len(a)),
		.ifindex = head->ifa_index,
		.dad_failed = (flags & IFA_F_DADFAILED) != 0,
	};
	out->state = checking || out->dad_failed ? WATCH_TENTATIVE : WATCH_PRESENT;
	if (at[IFA_CACHEINFO] &&
		nla_len(at[IFA_CACHEINFO]) >= (int)sizeof(struct ifa_cacheinfo)) {
		struct ifa_cacheinfo *info = nla_data(at[IFA_CACHEINFO]);
		out->created = info->cstamp;
	}
	return true;
}

static void on_addr(struct watch *w, struct nlmsghdr *msg)
{
	struct known_addr now;

	if (!read_addr(msg, &now))
		return;
	if (msg->nlmsg_type == RTM_NEWADDR) {
		known_learn_addr(&w->known, &now);
		return;
	}
	known_lose_addr(&w->known, now.ifindex, &now.addr);
}

/* ---- links and routes --------------------------------------------------------- */

static void on_link(struct watch *w, struct nlmsghdr *msg)
{
	struct nlattr *at[IFLA_MAX + 1];
	struct ifinfomsg *head = nlmsg_data(msg);

	if (head->ifi_family != AF_UNSPEC ||
		nlmsg_parse(msg, sizeof(*head), at, IFLA_MAX, NULL) < 0)
		return;
	unsigned want = IFF_UP | IFF_RUNNING;
	struct known_link now = {
		.ifindex = (unsigned)head->ifi_index,
		.up = (head->ifi_flags & want) == want,
	};
	if (at[IFLA_IFNAME])
		snprintf(now.name, sizeof(now.name), "%s",
			nla_get_string(at[IFLA_IFNAME]));
	if (msg->nlmsg_type == RTM_NEWLINK) {
		known_learn_link(&w->known, &now);
		return;
	}
	known_lose_link(&w->known, now.ifindex);
}

static void note_routes(struct watch *w)
{
	if (!w->params.routes || w->routes_waiting)
		return;
	push(w, &(struct watch_event){.kind = WATCH_ROUTES});
	w->routes_waiting = true;
}

static void on_route(struct watch *w, struct nlmsghdr *msg)
{
	struct rtmsg *head = nlmsg_data(msg);

	if (head->rtm_protocol != w->params.route_protocol &&
		(head->rtm_flags & RTM_F_CLONED) == 0)
		note_routes(w);
}

static int on_message(struct nl_msg *m, void *arg)
{
	struct watch *w = arg;
	struct nlmsghdr *msg = nlmsg_hdr(m);

	w->totals.messages++;
	switch (msg->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		if (nlmsg_valid_hdr(msg, sizeof(struct ifaddrmsg)))
			on_addr(w, msg);
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		if (nlmsg_valid_hdr(msg, sizeof(struct ifinfomsg)))
			on_link(w, msg);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		if (nlmsg_valid_hdr(msg, sizeof(struct rtmsg)))
			on_route(w, msg);
		break;
	default:
		break;
	}
	return NL_OK;
}

/* ---- everything anew ------------------------------------------------------------ */

static int dump_all(struct watch *w, int type)
{
	int err;

	/* The kernel says when the table changed under the dump: take it again. */
	do {
		err = nl_rtgen_request(w->dump, type, AF_UNSPEC, NLM_F_DUMP);
		if (err >= 0)
			err = nl_recvmsgs_default(w->dump);
	} while (err == -NLE_DUMP_INTR);
	return err;
}

static int read_everything(struct watch *w)
{
	known_doubt_all(&w->known);
	int err = dump_all(w, RTM_GETLINK);
	if (err >= 0)
		err = dump_all(w, RTM_GETADDR);
	if (err < 0)
		return err;
	known_lose_unseen(&w->known);
	return 0;
}

static void discard_messages(struct watch *w)
{
	char rest[64];
	ssize_t n;

	do {
		n = recv(nl_socket_get_fd(w->events), rest, sizeof(rest), MSG_DONTWAIT);
	} while (n >= 0 || errno == ENOBUFS || errno == EINTR);
}

/* Reads until there is an event, or nothing more. */
static void drain(struct watch *w)
{
	int err;

	do {
		err = nl_recvmsgs_default(w->events);
		if (err != -NLE_NOMEM)
			continue;
		w->totals.overruns++;
		discard_messages(w);
		note_routes(w);
		err = read_everything(w);
	} while (err >= 0 && list_empty(&w->queue));
}

/* ---- the public face -------------------------------------------------------------- */

static struct nl_sock *connect_netlink(struct watch *w)
{
	struct nl_sock *s = nl_socket_alloc();

	if (!s)
		return NULL;
	nl_socket_modify_cb(s, NL_CB_VALID, NL_CB_CUSTOM, on_message, w);
	if (nl_connect(s, NETLINK_ROUTE) < 0) {
		nl_socket_free(s);
		return NULL;
	}
	return s;
}

static bool listen_for_events(struct watch *w)
{
	struct nl_sock *s = connect_netlink(w);

	w->events = s;
	if (!s)
		return false;
	nl_socket_disable_seq_check(s);
	nl_socket_set_buffer_size(s, 1 << 20, 0);
	if (nl_socket_set_nonblocking(s) < 0 ||
		nl_socket_add_memberships(s, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
			RTNLGRP_IPV6_IFADDR, RTNLGRP_NONE) < 0)
		return false;
	return !w->params.routes || nl_socket_add_memberships(s, RTNLGRP_IPV4_ROUTE,
					    RTNLGRP_IPV6_ROUTE, RTNLGRP_NONE) >= 0;
}

struct watch *watch_open(const struct watch_params *p, char *why, size_t why_cap)
{
	struct watch *w = mem_new(1, sizeof(*w));

	w->params = *p;
	known_init(&w->known);
	w->known.changed = push;
	w->known.ctx = w;
	list_init(&w->queue);
	/* First listen, then read what is there: nothing falls between. */
	bool ok = listen_for_events(w);
	if (ok)
		w->dump = connect_netlink(w);
	if (w->dump && read_everything(w) >= 0)
		return w;
	snprintf(why, why_cap, "cannot watch addresses over rtnetlink: %s",
		errno ? strerror(errno) : "no answer");
	watch_close(w);
	return NULL;
}

void watch_close(struct watch *w)
{
	known_wipe(&w->known);
	list_each_safe(item, &w->queue)
	{
		free(list_entry(item, struct waiting, link));
	}
	nl_socket_free(w->events);
	nl_socket_free(w->dump);
	free(w);
}

int watch_fd(const struct watch *w)
{
	return nl_socket_get_fd(w->events);
}

bool watch_next(struct watch *w, struct watch_event *out)
{
	if (list_empty(&w->queue))
		drain(w);
	if (list_empty(&w->queue))
		return false;
	struct waiting *q = list_entry(w->queue.next, struct waiting, link);
	*out = q->event;
	list_del(&q->link);
	free(q);
	if (out->kind == WATCH_ROUTES)
		w->routes_waiting = false;
	return true;
}

void watch_totals(const struct watch *w, struct watch_totals *out)
{
	*out = w->totals;
}
