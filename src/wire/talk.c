/* wire/talk.c - ports, ICMP's identifiers, and what ICMP errors quote (RFC 792, RFC 4443).
 *
 * Leaves the sums to wire/checksum.c, and whose talk it is to esp/.
 */
#include "wire/talk.h"

enum {
	ICMP_HEADER_LEN = 8, /* type, code, sum, and what an error does not need */
	ICMP_ID_AT = 4,
	TCP_FLAGS_AT = 13,
	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	IPV4_OFFSET_MASK = 0x1fff
};

enum icmp_kind { ICMP_OTHER, ICMP_ASKS, ICMP_ANSWERS, ICMP_ERROR };

static enum icmp_kind kind_of(uint8_t proto, uint8_t type)
{
	if (proto == IP_ICMPV6) {
		if (type < 128)
			return ICMP_ERROR;
		return type == 128 ? ICMP_ASKS : type == 129 ? ICMP_ANSWERS : ICMP_OTHER;
	}
	switch (type) {
	case 8: /* echo, timestamp, information, address mask */
	case 13:
	case 15:
	case 17:
		return ICMP_ASKS;
	case 0:
	case 14:
	case 16:
	case 18:
		return ICMP_ANSWERS;
	case 3:
	case 4:
	case 5:
	case 11:
	case 12:
		return ICMP_ERROR;
	default:
		return ICMP_OTHER;
	}
}

static void read_icmp(
	struct reader r, size_t at, uint8_t type, bool from_remote, struct talk *out)
{
	enum icmp_kind kind = kind_of(out->proto, type);

	rd_skip(&r, ICMP_ID_AT);
	uint16_t id = rd_u16(&r);
	if (!rd_ok(&r) || (kind != ICMP_ASKS && kind != ICMP_ANSWERS))
		return;
	bool theirs = (kind == ICMP_ASKS) == from_remote;
	out->local_port = theirs;
	out->remote_port = id;
	out->port_at = (uint16_t)(theirs ? at + ICMP_ID_AT : 0);
}

/* r stands at the upper header, which begins at. */
static void read_ports(struct reader r, size_t at, bool from_remote, struct talk *out)
{
	struct reader flags = r;

	uint16_t src = rd_u16(&r), dst = rd_u16(&r);
	if (!rd_ok(&r))
		return;
	out->local_port = from_remote ? dst : src;
	out->remote_port = from_remote ? src : dst;
	/* Of the others with ports we do not know how to make the sum. */
	if (out->proto == IP_TCP || out->proto == IP_UDP)
		out->port_at = (uint16_t)(from_remote ? at : at + 2);
	if (out->proto != IP_TCP)
		return;
	rd_skip(&flags, TCP_FLAGS_AT);
	uint8_t bits = rd_u8(&flags); /* zero in a quote, which ends before it */
	out->opens = (bits & TCP_SYN) != 0;
	out->closes = (bits & (TCP_FIN | TCP_RST)) != 0;
}

static void read_upper(struct reader r, size_t at, bool from_remote, struct talk *out)
{
	struct reader peek = r;

	if (out->proto == IP_ICMP || out->proto == IP_ICMPV6)
		read_icmp(r, at, rd_u8(&peek), from_remote, out);
	else if (ip_proto_has_ports(out->proto))
		read_ports(r, at, from_remote, out);
}

/* The header of what is quoted, and no more: the rest may be cut off. Extension headers
 * are not walked. */
static bool read_quoted_header(struct reader *r, bool v6, uint8_t *proto)
{
	uint8_t first = rd_u8(r);
	size_t len = v6 ? IPV6_HEADER_LEN : (size_t)(first & 0x0f) * 4;

	rd_skip(r, 5);
	uint16_t at6 =
		rd_u16(r); /* IPv4: flags and offset; IPv6: next header, hop limit */
	if (v6) {
		*proto = (uint8_t)(at6 >> 8);
	} else {
		rd_skip(r, 1);
		*proto = rd_u8(r);
	}
	if (first >> 4 != (v6 ? 6 : 4) || len < IPV4_HEADER_LEN)
		return false;
	rd_skip(r, len - (v6 ? 8 : 10));
	return rd_ok(r) && (v6 || (at6 & IPV4_OFFSET_MASK) == 0);
}

static bool read_quote(
	struct span packet, const struct ip_packet *ip, bool outbound, struct talk *out)
{
	struct reader r = rd_over(packet);

	*out = (struct talk){.proto = 0, .quoted = true};
	rd_skip(&r, ip->l4_at + (size_t)ICMP_HEADER_LEN);
	if (!read_quoted_header(&r, ip->src.family == ADDR_V6, &out->proto))
		return false;
	size_t at = packet.len - rd_left(&r);
	/* What we complain of came from the remote side. */
	read_upper(r, at, outbound, out);
	out->opens = out->closes = false;
	return !ip_proto_has_ports(out->proto) || out->port_at != 0 ||
	       out->local_port != 0 || out->remote_port != 0;
}

bool talk_read(
	struct span packet, const struct ip_packet *ip, bool outbound, struct talk *out)
{
	struct reader r = rd_over(span_of(packet.at, ip->total_len));

	*out = (struct talk){.proto = ip->proto};
	rd_skip(&r, ip->l4_at);
	if ((ip->proto == IP_ICMP || ip->proto == IP_ICMPV6) &&
		kind_of(ip->proto, (uint8_t)(ip->src_port >> 8)) == ICMP_ERROR)
		return read_quote(span_of(packet.at, ip->total_len), ip, outbound, out);
	read_upper(r, ip->l4_at, !outbound, out);
	return true;
}
