/* xfrm/nft.c - nf_tables' messages (linux/netfilter/nf_tables.h) that a table takes.
 *
 * In nft's words, which does not say "owner" for one that goes on living:
 *
 *	table inet vipsec-early {
 *		flags owner
 *		set awaited { typeof esp spi; flags timeout; }
 *		chain input {
 *			type filter hook input priority 400; policy accept;
 *			esp spi @awaited queue flags bypass to 14500
 *			udp dport 4500 @th,64,32 @awaited queue flags bypass to 14500
 *		}
 *	}
 */
#include "config.h"

#include "xfrm/nft.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/iana.h"
#include "os/socket.h"

enum {
	INPUT_LAST = 400, /* the priority: behind everybody's filters */
	OWNED = 2, /* NFT_TABLE_F_OWNER, of Linux 5.12 */
	TYPE_INTEGER = 4, /* nft's own number, for those who list the table */
	BATCH_MAX = 4096,
	ANSWER_MAX = 8192,
	REGISTER = NFT_REG_1,
	SPI_LEN = 4,
	UDP_PORT_AT = 2,
	UDP_DATA_AT = 8
};

static const char table[] = "vipsec-early", set[] = "awaited", chain[] = "input";

int nft_socket(void)
{
	struct sockaddr_nl me = {.nl_family = AF_NETLINK};
	int fd = socket(
		AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&me, sizeof(me)) == 0)
		return fd;
	return socket_give_up(fd);
}

struct nl_msg *nft_message(
	uint8_t subsystem, uint8_t type, int flags, uint8_t family, uint16_t resource)
{
	struct nfgenmsg of = {.nfgen_family = family,
		.version = NFNETLINK_V0,
		.res_id = htons(resource)};
	struct nl_msg *m =
		nlmsg_alloc_simple(subsystem << 8 | type, NLM_F_REQUEST | flags);

	if (!m || nlmsg_append(m, &of, sizeof(of), NLMSG_ALIGNTO) < 0)
		abort();
	return m;
}

/* ---- attributes ------------------------------------------------------------------------- */

static void put(struct nl_msg *m, int type, const void *value, size_t len)
{
	if (nla_put(m, type, (int)len, value) < 0)
		abort(); /* a fresh message has room for all that is put here */
}

static void put_text(struct nl_msg *m, int type, const char *text)
{
	put(m, type, text, strlen(text) + 1);
}

static void put_16(struct nl_msg *m, int type, uint16_t value)
{
	uint16_t v = htons(value);

	put(m, type, &v, sizeof(v));
}

static void put_32(struct nl_msg *m, int type, uint32_t value)
{
	uint32_t v = htonl(value);

	put(m, type, &v, sizeof(v));
}

static struct nlattr *open_nest(struct nl_msg *m, int type)
{
	struct nlattr *nest = nla_nest_start(m, type | NLA_F_NESTED);

	if (!nest)
		abort();
	return nest;
}

static void put_data(struct nl_msg *m, int type, const void *value, size_t len)
{
	struct nlattr *data = open_nest(m, type);

	put(m, NFTA_DATA_VALUE, value, len);
	nla_nest_end(m, data);
}

/* ---- a batch: all of it or nothing -------------------------------------------------------- */

struct batch {
	size_t len;
	uint8_t bytes[BATCH_MAX];
};

static void append(struct batch *b, struct nl_msg *m)
{
	struct nlmsghdr *h = nlmsg_hdr(m);

	if (b->len + NLMSG_ALIGN(h->nlmsg_len) > sizeof(b->bytes))
		abort(); /* what is put here fits */
	memset(b->bytes + b->len, 0, NLMSG_ALIGN(h->nlmsg_len));
	memcpy(b->bytes + b->len, h, h->nlmsg_len);
	b->len += NLMSG_ALIGN(h->nlmsg_len);
	nlmsg_free(m);
}

static void append_mark(struct batch *b, uint8_t type)
{
	append(b,
		nft_message(NFNL_SUBSYS_NONE, type, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

static struct nl_msg *change(uint8_t type, int flags)
{
	return nft_message(NFNL_SUBSYS_NFTABLES, type, flags, NFPROTO_INET, 0);
}

/* The kernel has done it when send() returns, and its answers wait. Of several failures the
 * first is told. */
static int answers(int fd)
{
	_Alignas(max_align_t) uint8_t bytes[ANSWER_MAX];
	int error = 0;
	bool answered = false;
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)bytes;
		int left = (int)n;
		for (; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = nlmsg_data(h);
			if (h->nlmsg_type != NLMSG_ERROR ||
				!nlmsg_valid_hdr(h, sizeof(*e)))
				continue;
			answered = true;
			if (error == 0)
				error = -e->error;
		}
	}
	return answered ? error : EIO;
}

static int send_all(int fd, const void *bytes, size_t len)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	if (sendto(fd, bytes, len, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) <
		0)
		return errno;
	return 0;
}

int nft_ask(int fd, struct nl_msg *m)
{
	struct nlmsghdr *h = nlmsg_hdr(m);
	bool wants = (h->nlmsg_flags & NLM_F_ACK) != 0;
	int err = send_all(fd, h, h->nlmsg_len);

	nlmsg_free(m);
	return err != 0 || !wants ? err : answers(fd);
}

static void begin(struct batch *b)
{
	b->len = 0;
	append_mark(b, NFNL_MSG_BATCH_BEGIN);
}

static int commit(int fd, struct batch *b)
{
	append_mark(b, NFNL_MSG_BATCH_END);
	int err = send_all(fd, b->bytes, b->len);
	return err != 0 ? err : answers(fd);
}

/* ---- the table ---------------------------------------------------------------------------- */

static struct nl_msg *new_table(void)
{
	struct nl_msg *m =
		change(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);

	put_text(m, NFTA_TABLE_NAME, table);
	put_32(m, NFTA_TABLE_FLAGS, OWNED);
	return m;
}

static struct nl_msg *new_set(void)
{
	struct nl_msg *m = change(NFT_MSG_NEWSET, NLM_F_CREATE);

	put_text(m, NFTA_SET_TABLE, table);
	put_text(m, NFTA_SET_NAME, set);
	put_32(m, NFTA_SET_FLAGS, NFT_SET_TIMEOUT);
	put_32(m, NFTA_SET_KEY_TYPE, TYPE_INTEGER);
	put_32(m, NFTA_SET_KEY_LEN, SPI_LEN);
	put_32(m, NFTA_SET_ID, 1);
	return m;
}

static struct nl_msg *new_chain(void)
{
	struct nl_msg *m = change(NFT_MSG_NEWCHAIN, NLM_F_CREATE);

	put_text(m, NFTA_CHAIN_TABLE, table);
	put_text(m, NFTA_CHAIN_NAME, chain);
	struct nlattr *hook = open_nest(m, NFTA_CHAIN_HOOK);
	put_32(m, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_IN);
	put_32(m, NFTA_HOOK_PRIORITY, INPUT_LAST);
	nla_nest_end(m, hook);
	put_32(m, NFTA_CHAIN_POLICY, NF_ACCEPT);
	put_text(m, NFTA_CHAIN_TYPE, "filter");
	return m;
}

/* ---- its rules ------------------------------------------------------------------------------ */

struct expression {
	struct nlattr *element, *data;
};

static struct expression open_expression(struct nl_msg *m, const char *name)
{
	struct expression e;

	e.element = open_nest(m, NFTA_LIST_ELEM);
	put_text(m, NFTA_EXPR_NAME, name);
	e.data = open_nest(m, NFTA_EXPR_DATA);
	return e;
}

static void close_expression(struct nl_msg *m, struct expression e)
{
	nla_nest_end(m, e.data);
	nla_nest_end(m, e.element);
}

static void put_equals(struct nl_msg *m, const void *value, size_t len)
{
	struct expression e = open_expression(m, "cmp");

	put_32(m, NFTA_CMP_SREG, REGISTER);
	put_32(m, NFTA_CMP_OP, NFT_CMP_EQ);
	put_data(m, NFTA_CMP_DATA, value, len);
	close_expression(m, e);
}

static void put_protocol(struct nl_msg *m, uint8_t protocol)
{
	struct expression e = open_expression(m, "meta");

	put_32(m, NFTA_META_DREG, REGISTER);
	put_32(m, NFTA_META_KEY, NFT_META_L4PROTO);
	close_expression(m, e);
	put_equals(m, &protocol, sizeof(protocol));
}

/* Of the header behind IP's. */
static void put_load(struct nl_msg *m, uint32_t at, uint32_t len)
{
	struct expression e = open_expression(m, "payload");

	put_32(m, NFTA_PAYLOAD_DREG, REGISTER);
	put_32(m, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
	put_32(m, NFTA_PAYLOAD_OFFSET, at);
	put_32(m, NFTA_PAYLOAD_LEN, len);
	close_expression(m, e);
}

static void put_hand_over(struct nl_msg *m, uint32_t spi_at, uint16_t queue)
{
	put_load(m, spi_at, SPI_LEN);
	struct expression e = open_expression(m, "lookup");
	put_text(m, NFTA_LOOKUP_SET, set);
	put_32(m, NFTA_LOOKUP_SREG, REGISTER);
	put_32(m, NFTA_LOOKUP_SET_ID, 1);
	close_expression(m, e);
	e = open_expression(m, "queue");
	put_16(m, NFTA_QUEUE_NUM, queue);
	put_16(m, NFTA_QUEUE_TOTAL, 1);
	put_16(m, NFTA_QUEUE_FLAGS, NFT_QUEUE_FLAG_BYPASS);
	close_expression(m, e);
}

static struct nl_msg *new_rule(bool udp, uint16_t queue)
{
	struct nl_msg *m = change(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	const uint16_t port = htons(IKE_NATT_PORT);

	put_text(m, NFTA_RULE_TABLE, table);
	put_text(m, NFTA_RULE_CHAIN, chain);
	struct nlattr *all = open_nest(m, NFTA_RULE_EXPRESSIONS);
	put_protocol(m, udp ? IP_UDP : IP_ESP);
	if (udp) {
		put_load(m, UDP_PORT_AT, sizeof(port));
		put_equals(m, &port, sizeof(port));
	}
	put_hand_over(m, udp ? UDP_DATA_AT : 0, queue);
	nla_nest_end(m, all);
	return m;
}

int nft_make_table(int fd, uint16_t queue)
{
	struct batch b;

	begin(&b);
	append(&b, new_table());
	append(&b, new_set());
	append(&b, new_chain());
	append(&b, new_rule(false, queue));
	append(&b, new_rule(true, queue));
	return commit(fd, &b);
}

/* ---- what is in the set ------------------------------------------------------------------------ */

static int change_spi(int fd, uint8_t type, int flags, uint32_t spi, uint64_t ms)
{
	struct nl_msg *m = change(type, flags | NLM_F_ACK);
	const uint32_t key = htonl(spi);
	const uint64_t timeout = htobe64(ms);
	struct batch b;

	put_text(m, NFTA_SET_ELEM_LIST_TABLE, table);
	put_text(m, NFTA_SET_ELEM_LIST_SET, set);
	struct nlattr *all = open_nest(m, NFTA_SET_ELEM_LIST_ELEMENTS);
	struct nlattr *one = open_nest(m, NFTA_LIST_ELEM);
	put_data(m, NFTA_SET_ELEM_KEY, &key, sizeof(key));
	if (ms != 0)
		put(m, NFTA_SET_ELEM_TIMEOUT, &timeout, sizeof(timeout));
	nla_nest_end(m, one);
	nla_nest_end(m, all);
	begin(&b);
	append(&b, m);
	return commit(fd, &b);
}

int nft_add_spi(int fd, uint32_t spi, uint64_t ms)
{
	return change_spi(fd, NFT_MSG_NEWSETELEM, NLM_F_CREATE, spi, ms);
}

int nft_delete_spi(int fd, uint32_t spi)
{
	return change_spi(fd, NFT_MSG_DELSETELEM, 0, spi, 0);
}
