/* plane/toobig.c - RFC 792 and RFC 1191 4: type 3, code 4, the next hop's MTU, and the
 * header and first octets of the packet that did not fit. RFC 4443 3.2: type 2, and as much
 * of the packet as 1,280 octets hold.
 *
 * Such an error is not authentic: what it quotes must show an SPI of ours (children.h). A
 * router that quotes but eight octets of a UDP datagram cannot show one, and is not
 * believed; RFC 1812 4.3.2.3 wants as much as 576 octets hold.
 */
#include "config.h"

#include "plane/toobig.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/iana.h"
#include "os/socket.h"
#include "wire/ip_packet.h"
#include "wire/reader.h"

enum {
	UNREACHABLE = 3,
	FRAGMENTATION_NEEDED = 4,
	HEADER_MIN = 20,
	OFFSET_MASK = 0x1fff,
	EXTENSIONS_MAX = 8,
	READ_MAX = 256
};

/* ICMP, not a later fragment, type and code as above, quoting ESP, AH or UDP. */
static const struct sock_filter only_too_big[] = {
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IP_ICMP, 0, 10),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, OFFSET_MASK, 8, 0),
	BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), /* the header's length */
	BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
	BPF_JUMP(
		BPF_JMP | BPF_JEQ | BPF_K, UNREACHABLE << 8 | FRAGMENTATION_NEEDED, 0, 5),
	BPF_STMT(BPF_LD | BPF_B | BPF_IND, 8 + 9),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IP_ESP, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IP_AH, 1, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IP_UDP, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, READ_MAX),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

/* The filter comes before the protocol: nothing slips in between. */
static bool set_up_v4(int fd)
{
	struct sock_filter program[sizeof(only_too_big) / sizeof(only_too_big[0])];
	struct sock_fprog filter = {
		.len = sizeof(program) / sizeof(program[0]), .filter = program};
	struct sockaddr_ll name = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};

	memcpy(program, only_too_big, sizeof(program));
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) ==
		       0 &&
	       bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0;
}

static bool set_up_v6(int fd)
{
	struct icmp6_filter filter;

	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ICMP6_PACKET_TOO_BIG, &filter);
	return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)) == 0;
}

static int open_one(int family, int type, int protocol, bool (*set_up)(int fd))
{
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

	return fd < 0 || set_up(fd) ? fd : socket_give_up(fd);
}

struct toobig toobig_open(void)
{
	return (struct toobig){
		.v4 = open_one(AF_PACKET, SOCK_DGRAM, 0, set_up_v4),
		.v6 = open_one(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, set_up_v6),
	};
}

void toobig_close(struct toobig *t)
{
	if (t->v4 >= 0)
		close(t->v4);
	if (t->v6 >= 0)
		close(t->v6);
	t->v4 = t->v6 = -1;
}

/* ---- what was quoted ---------------------------------------------------------------- */

/* Reads one IPv4 header and leaves r behind it. */
static bool read_header(
	struct reader *r, uint8_t *proto, struct addr *src, struct addr *dst)
{
	uint8_t version = rd_u8(r);
	size_t len = (size_t)(version & 0x0f) * 4;

	rd_skip(r, 5); /* class, length, identification */
	uint16_t fragment = rd_u16(r);
	rd_skip(r, 1); /* time to live */
	*proto = rd_u8(r);
	rd_u16(r); /* checksum */
	struct span from = rd_bytes(r, 4), to = rd_bytes(r, 4);
	if (!rd_ok(r) || version >> 4 != 4 || len < HEADER_MIN ||
		(fragment & OFFSET_MASK) != 0)
		return false;
	*src = addr_from_bytes(from.at, from.len);
	*dst = addr_from_bytes(to.at, to.len);
	rd_skip(r, len - HEADER_MIN);
	return rd_ok(r);
}

/* The SPI of what is behind an IP header. */
static bool read_spi(struct reader *r, uint8_t proto, struct path_mtu *out)
{
	out->encap = proto == IP_UDP;
	out->remote.port = 0;
	if (!out->encap && proto != IP_ESP && proto != IP_AH)
		return false;
	if (out->encap && rd_u16(r) != IKE_NATT_PORT)
		return false;
	if (out->encap) {
		out->remote.port = rd_u16(r);
		rd_skip(r, 4); /* length, checksum */
	}
	if (proto == IP_AH)
		rd_skip(r, 4); /* next header, length, reserved */
	out->spi = rd_u32(r);
	return rd_ok(r) && out->spi != 0; /* zeros: IKE */
}

static bool read_quoted(
	struct reader *r, const struct addr *reader_is, struct path_mtu *out)
{
	uint8_t proto;

	return read_header(r, &proto, &out->local, &out->remote.addr) &&
	       addr_equal(&out->local, reader_is) && read_spi(r, proto, out);
}

/* Of a packet in fragments the first has the SPI. */
static uint8_t skip_extensions(struct reader *r, uint8_t proto)
{
	for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
		bool fragment = proto == IPV6_FRAGMENT;
		if (!fragment && proto != IPV6_HOP_BY_HOP && proto != IPV6_ROUTING &&
			proto != IPV6_DEST_OPTIONS)
			break;
		proto = rd_u8(r);
		uint8_t len = rd_u8(r);
		if (fragment && rd_u16(r) >> 3 != 0)
			return IP_NONE;
		rd_skip(r, fragment ? 4 : (size_t)len * 8 + 6);
	}
	return proto;
}

static bool read_quoted_v6(struct reader *r, struct path_mtu *out)
{
	uint8_t version = rd_u8(r);

	rd_skip(r, 5); /* class, flow label, length */
	uint8_t proto = rd_u8(r);
	rd_skip(r, 1); /* hop limit */
	struct span from = rd_bytes(r, 16), to = rd_bytes(r, 16);
	if (!rd_ok(r) || version >> 4 != 6)
		return false;
	out->local = addr_from_bytes(from.at, from.len);
	out->remote.addr = addr_from_bytes(to.at, to.len);
	return read_spi(r, skip_extensions(r, proto), out);
}

/* ---- the errors --------------------------------------------------------------------- */

bool toobig_parse(struct span packet, struct path_mtu *out)
{
	*out = (struct path_mtu){0};
	struct reader r = rd_over(packet);
	struct addr router, us;
	uint8_t proto;

	if (!read_header(&r, &proto, &router, &us) || proto != IP_ICMP)
		return false;
	uint8_t type = rd_u8(&r), code = rd_u8(&r);
	rd_skip(&r, 4); /* checksum, unused */
	out->octets = rd_u16(&r);
	return rd_ok(&r) && type == UNREACHABLE && code == FRAGMENTATION_NEEDED &&
	       out->octets != 0 && read_quoted(&r, &us, out);
}

bool toobig_parse_v6(struct span message, struct path_mtu *out)
{
	*out = (struct path_mtu){0};
	struct reader r = rd_over(message);
	uint8_t type = rd_u8(&r);

	rd_skip(&r, 3); /* code, checksum */
	out->octets = rd_u32(&r);
	return rd_ok(&r) && type == ICMP6_PACKET_TOO_BIG && out->octets != 0 &&
	       read_quoted_v6(&r, out);
}

static bool next_v4(int fd, struct path_mtu *out)
{
	uint8_t bytes[READ_MAX];
	struct sockaddr_ll name;
	socklen_t len;
	ssize_t n;

	do {
		len = sizeof(name);
		n = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&name, &len);
		if (n < 0)
			return false;
	} while (name.sll_pkttype != PACKET_HOST ||
		 !toobig_parse(span_of(bytes, (size_t)n), out));
	return true;
}

static bool next_v6(int fd, struct path_mtu *out)
{
	uint8_t bytes[READ_MAX];
	ssize_t n;

	do {
		n = recv(fd, bytes, sizeof(bytes), 0);
		if (n < 0)
			return false;
	} while (!toobig_parse_v6(span_of(bytes, (size_t)n), out));
	return true;
}

bool toobig_next(const struct toobig *t, struct path_mtu *out)
{
	return (t->v4 >= 0 && next_v4(t->v4, out)) || (t->v6 >= 0 && next_v6(t->v6, out));
}
