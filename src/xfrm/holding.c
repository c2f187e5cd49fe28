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
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/iana.h"
#include "base/mem.h"
#include "os/socket.h"
#include "wire/reader.h"
#include "xfrm/nft.h"

enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, DESTINATION = 60 };
enum {
	QUEUE = 14500,
	QUEUE_MAX = 256, /* twice what early.h keeps: some have not been read yet */
	COPY = 256, /* octets, from the IP header to the SPI */
	MESSAGE_MAX = 2048,
	BUFFER_OCTETS = 1 << 20
};

struct holding {
	int table, queue;
};

/* ---- opening ---------------------------------------------------------------------------- */

static int configure(int fd, int type, const void *value, size_t len)
{
	struct nl_msg *m = nft_message(
		NFNL_SUBSYS_QUEUE, NFQNL_MSG_CONFIG, NLM_F_ACK, AF_UNSPEC, QUEUE);

	if (nla_put(m, type, (int)len, value) < 0)
		abort();
	return nft_ask(fd, m);
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

struct holding *holding_open(void)
{
	struct holding *h = mem_new(1, sizeof(*h));
	int err = 0;

	h->table = nft_socket();
	h->queue = nft_socket();
	if (h->table < 0 || h->queue < 0)
		err = errno;
	if (err == 0)
		err = listen_to_queue(h->queue);
	if (err == 0)
		err = nft_make_table(h->table, QUEUE);
	if (err == 0) {
		socket_set_int(h->queue, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_OCTETS);
		return h;
	}
	holding_close(h);
	errno = err;
	return NULL;
}

void holding_close(struct holding *h)
{
	if (!h)
		return;
	if (h->table >= 0)
		close(h->table);
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
	int err = nft_add_spi(h->table, spi, ms);

	errno = err;
	return err == 0;
}

/* It may be gone by itself. */
void holding_remove(struct holding *h, uint32_t spi)
{
	(void)nft_delete_spi(h->table, spi);
}

/* ---- packets ------------------------------------------------------------------------------ */

/* Behind extension headers of IPv6. Of a packet in fragments the first is held: the kernel puts
 * those of IPv6 together only behind this hook, and the others wait for it there. 0: a later
 * fragment. */
static uint8_t skip_extensions(struct reader *r, uint8_t proto)
{
	while (rd_ok(r) && (proto == HOP_BY_HOP || proto == ROUTING ||
				   proto == FRAGMENT || proto == DESTINATION)) {
		uint8_t next = rd_u8(r), len = rd_u8(r);
		if (proto == FRAGMENT) {
			if (rd_u16(r) >> 3 != 0)
				return 0;
			rd_skip(r, 4); /* identification */
		} else {
			rd_skip(r, (size_t)len * 8 + 6);
		}
		proto = next;
	}
	return proto;
}

/* Up to what is behind the IP header; fragments of IPv4 are one packet here. */
static uint8_t read_ip(struct reader *r, struct holding_packet *out)
{
	struct span from, to;
	uint8_t first = rd_u8(r), proto;

	if (first >> 4 == 4) {
		rd_skip(r, 8);
		proto = rd_u8(r);
		rd_skip(r, 2); /* checksum */
		from = rd_bytes(r, 4), to = rd_bytes(r, 4);
		size_t len = (size_t)(first & 0x0f) * 4;
		rd_skip(r, len > 20 ? len - 20 : 0);
	} else {
		rd_skip(r, 5);
		proto = rd_u8(r);
		rd_skip(r, 1); /* hop limit */
		from = rd_bytes(r, 16), to = rd_bytes(r, 16);
		proto = skip_extensions(r, proto);
	}
	if (!rd_ok(r))
		return 0;
	out->remote.addr = addr_from_bytes(from.at, from.len);
	out->local.addr = addr_from_bytes(to.at, to.len);
	return proto;
}

bool holding_parse(const uint8_t *at, size_t len, struct holding_packet *out)
{
	struct reader r = rd_over(span_of(at, len));
	uint8_t proto = read_ip(&r, out);

	out->spi = 0;
	out->local.port = out->remote.port = 0;
	if (proto == IP_UDP) {
		out->remote.port = rd_u16(&r);
		out->local.port = rd_u16(&r);
		rd_skip(&r, 4); /* length, checksum */
	} else if (proto != IP_ESP) {
		return false;
	}
	uint32_t spi = rd_u32(&r);
	if (!rd_ok(&r))
		return false;
	out->spi = spi;
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
	(void)holding_parse(nla_data(attr[NFQA_PAYLOAD]), out->len, out);
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
	struct nl_msg *m =
		nft_message(NFNL_SUBSYS_QUEUE, NFQNL_MSG_VERDICT, 0, AF_UNSPEC, QUEUE);

	if (nla_put(m, NFQA_VERDICT_HDR, sizeof(verdict), &verdict) < 0)
		abort();
	(void)nft_ask(h->queue, m);
}
