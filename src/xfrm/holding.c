/* xfrm/holding.c - packets in a queue of nfnetlink (linux/netfilter/nfnetlink_queue.h).
 *
 * With "bypass" in the rules a queue that nobody listens to holds nothing.
 */
#include "config.h"

#include "xfrm/holding.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/iana.h"
#include "base/mem.h"
#include "os/socket.h"
#include "wire/ip_packet.h"
#include "wire/reader.h"
#include "xfrm/early.h"
#include "xfrm/handover.h"

enum {
	QUEUE = 14500,
	QUEUE_MAX = 256, /* twice what early.h keeps: some have not been read yet */
	COPY = EARLY_LEN_MAX, /* octets; what is longer is not read, nor held */
	MESSAGE_MAX = 4096,
	UDP_LEN = 8,
	AH_SPI_AT = 4,
	BUFFER_OCTETS = 1 << 20
};

struct holding {
	struct handover *handover;
	int queue;
};

/* ---- a line to the queue ------------------------------------------------------------------ */

static struct nl_msg *message(uint8_t type, int flags)
{
	const struct nfgenmsg of = {.nfgen_family = AF_UNSPEC,
		.version = NFNETLINK_V0,
		.res_id = htons(QUEUE)};
	struct nl_msg *m =
		nlmsg_alloc_simple(NFNL_SUBSYS_QUEUE << 8 | type, NLM_F_REQUEST | flags);

	if (!m || nlmsg_append(m, (void *)(uintptr_t)&of, sizeof(of), NLMSG_ALIGNTO) < 0)
		abort();
	return m;
}

/* Frees m. 0, or an errno. */
static int send_it(int fd, struct nl_msg *m)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	const struct nlmsghdr *h = nlmsg_hdr(m);
	ssize_t n = sendto(
		fd, h, h->nlmsg_len, 0, (const struct sockaddr *)&kernel, sizeof(kernel));
	int err = n < 0 ? errno : 0;

	nlmsg_free(m);
	return err;
}

/* ---- opening ---------------------------------------------------------------------------- */

/* The answer is there when sendto() returns. */
static int answer(int fd)
{
	_Alignas(max_align_t) uint8_t bytes[MESSAGE_MAX];
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)bytes;
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	const struct nlmsgerr *e = nlmsg_data(h);

	if (n < 0 || !nlmsg_ok(h, (int)n) || h->nlmsg_type != NLMSG_ERROR ||
		!nlmsg_valid_hdr(h, sizeof(*e)))
		return EIO;
	return -e->error;
}

static int configure(int fd, int type, const void *value, size_t len)
{
	struct nl_msg *m = message(NFQNL_MSG_CONFIG, NLM_F_ACK);

	if (nla_put(m, type, (int)len, value) < 0)
		abort();
	int err = send_it(fd, m);
	return err != 0 ? err : answer(fd);
}

static int listen_to_queue(int fd)
{
	const struct nfqnl_msg_config_cmd bind_to = {.command = NFQNL_CFG_CMD_BIND};
	const struct nfqnl_msg_config_params copy = {
		.copy_range = htonl(COPY), .copy_mode = NFQNL_COPY_PACKET};
	const uint32_t max = htonl(QUEUE_MAX);
	int err = configure(fd, NFQA_CFG_CMD, &bind_to, sizeof(bind_to));

	if (err == 0)
		err = configure(fd, NFQA_CFG_PARAMS, &copy, sizeof(copy));
	if (err == 0)
		err = configure(fd, NFQA_CFG_QUEUE_MAXLEN, &max, sizeof(max));
	return err;
}

/* -1: errno. */
static int open_queue(void)
{
	int fd = socket(
		AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	int err = fd < 0 ? errno : listen_to_queue(fd);

	if (err == 0) {
		socket_set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_OCTETS);
		return fd;
	}
	errno = err;
	return fd < 0 ? -1 : socket_give_up(fd);
}

struct holding *holding_open(char *why, size_t cap)
{
	struct holding *h = mem_new(1, sizeof(*h));

	h->queue = open_queue();
	if (h->queue < 0)
		snprintf(why, cap, "queue %d of nfnetlink: %s", QUEUE, strerror(errno));
	else
		h->handover = handover_open(QUEUE, why, cap);
	if (h->handover)
		return h;
	holding_close(h);
	return NULL;
}

void holding_close(struct holding *h)
{
	if (!h)
		return;
	handover_close(h->handover);
	if (h->queue >= 0)
		close(h->queue);
	free(h);
}

int holding_fd(const struct holding *h)
{
	return h->queue;
}

bool holding_add(struct holding *h, uint32_t spi, uint64_t ms)
{
	return handover_await(h->handover, spi, ms);
}

void holding_remove(struct holding *h, uint32_t spi)
{
	handover_forget(h->handover, spi);
}

/* ---- packets ------------------------------------------------------------------------------ */

/* Of a packet in fragments the first is held: the kernel puts those of IPv6 together only behind
 * this hook, and the others wait for it there. */
bool holding_parse(struct span packet, struct holding_packet *out)
{
	struct ip_packet ip;

	if (ip_packet_read(packet, &ip) != WIRE_OK || ip.frag_offset > 0)
		return false;
	bool udp = ip.proto == IP_UDP;
	struct reader r = rd_over(span_of(packet.at + ip.l4_at, ip.total_len - ip.l4_at));
	rd_skip(&r, udp ? UDP_LEN : ip.proto == IP_AH ? AH_SPI_AT : 0);
	uint32_t spi = rd_u32(&r);
	if (!rd_ok(&r) || (!udp && ip.proto != IP_ESP && ip.proto != IP_AH))
		return false;
	out->spi = spi;
	out->local = (struct endpoint){ip.dst, udp ? ip.dst_port : 0};
	out->remote = (struct endpoint){ip.src, udp ? ip.src_port : 0};
	return true;
}

static bool read_message(struct nlmsghdr *h, struct holding_packet *out)
{
	const struct nfqnl_msg_packet_hdr *head;
	struct nlattr *attr[NFQA_CAP_LEN + 1];

	if (h->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET) ||
		nlmsg_parse(h, sizeof(struct nfgenmsg), attr, NFQA_CAP_LEN, NULL) < 0 ||
		!attr[NFQA_PACKET_HDR] ||
		nla_len(attr[NFQA_PACKET_HDR]) < (int)sizeof(*head))
		return false;
	*out = (struct holding_packet){.spi = 0};
	head = nla_data(attr[NFQA_PACKET_HDR]);
	out->number = ntohl(head->packet_id);
	if (!attr[NFQA_PAYLOAD])
		return true;
	out->len = (size_t)nla_len(attr[NFQA_PAYLOAD]);
	(void)holding_parse(span_of(nla_data(attr[NFQA_PAYLOAD]), out->len), out);
	if (attr[NFQA_CAP_LEN] && nla_len(attr[NFQA_CAP_LEN]) == sizeof(uint32_t))
		out->len = ntohl(nla_get_u32(attr[NFQA_CAP_LEN]));
	return true;
}

/* The kernel sends each in a datagram of its own. */
bool holding_next(struct holding *h, struct holding_packet *out)
{
	_Alignas(max_align_t) uint8_t bytes[MESSAGE_MAX];

	for (;;) {
		ssize_t n = recv(h->queue, bytes, sizeof(bytes), MSG_DONTWAIT);
		struct nlmsghdr *head = (struct nlmsghdr *)(void *)bytes;
		if (n < 0 && (errno == EINTR || errno == ENOBUFS))
			continue;
		if (n <= 0)
			return false;
		if (nlmsg_ok(head, (int)n) && read_message(head, out))
			return true;
	}
}

void holding_release(struct holding *h, uint32_t number)
{
	const struct nfqnl_msg_verdict_hdr verdict = {
		.verdict = htonl(NF_ACCEPT), .id = htonl(number)};
	struct nl_msg *m = message(NFQNL_MSG_VERDICT, 0);

	if (nla_put(m, NFQA_VERDICT_HDR, sizeof(verdict), &verdict) < 0)
		abort();
	(void)send_it(h->queue, m);
}
