/* wire/ip_packet.c - reading and writing IP headers (RFC 791, RFC 8200, RFC 7112).
 *
 * Leaves checksums to wire/checksum.c, reassembly and judgement to esp/.
 */
#include "wire/ip_packet.h"

#include "wire/checksum.h"

#include <assert.h>

enum {
	IPV4_DF = 0x4000,
	IPV4_MF = 0x2000,
	IPV4_OFFSET = 0x1fff,
	EXTENSIONS_MAX = 8, /* longer chains serve only to hide something */
	PROTO_DCCP = 33,
	PROTO_SCTP = 132,
	PROTO_UDPLITE = 136
};

static struct addr read_addr(struct reader *r, size_t len)
{
	struct span bytes = rd_bytes(r, len);
	return addr_from_bytes(bytes.at, bytes.len);
}

static size_t offset_of(const struct reader *r, struct span packet)
{
	return packet.len - rd_left(r);
}

/* Octets of the upper header without which the packet cannot be judged. */
static size_t upper_min(uint8_t proto)
{
	switch (proto) {
	case IP_TCP:
		return 20;
	case IP_UDP:
	case PROTO_UDPLITE:
		return 8;
	case IP_ICMP:
	case IP_ICMPV6:
	case PROTO_DCCP:
	case PROTO_SCTP:
		return 4;
	default:
		return 0;
	}
}

bool ip_proto_has_ports(uint8_t proto)
{
	return upper_min(proto) > 0;
}

static enum wire_err read_upper(struct reader *r, struct ip_packet *p)
{
	size_t min = upper_min(p->proto);

	if (p->frag_offset > 0 || min == 0)
		return WIRE_OK;
	if (rd_left(r) < min)
		return WIRE_MALFORMED;
	p->src_port = rd_u16(r);
	p->dst_port = rd_u16(r);
	if (p->proto == IP_ICMP || p->proto == IP_ICMPV6)
		p->dst_port = p->src_port; /* what stands there is the checksum */
	p->ports_known = true;
	return WIRE_OK;
}

/* A fragment that is not the last carries a multiple of eight octets, and none may end
 * beyond the largest datagram. */
static bool fragment_fits(const struct ip_packet *p, size_t payload_len)
{
	if (!p->fragment)
		return true;
	if (payload_len == 0 || (p->more && payload_len % 8 != 0))
		return false;
	return p->frag_offset + payload_len <= UINT16_MAX;
}

static enum wire_err read_v4(struct span packet, struct ip_packet *p)
{
	struct reader r = rd_over(packet);

	p->header_len = (uint16_t)(4 * (rd_u8(&r) & 0x0f));
	p->tos = rd_u8(&r);
	p->total_len = rd_u16(&r);
	p->frag_id = rd_u16(&r);
	uint16_t frag = rd_u16(&r);
	p->ttl = rd_u8(&r);
	p->proto = rd_u8(&r);
	rd_skip(&r, 2);
	p->src = read_addr(&r, 4);
	p->dst = read_addr(&r, 4);
	if (!rd_ok(&r) || p->header_len < IPV4_HEADER_LEN ||
		p->header_len > p->total_len || p->total_len > packet.len)
		return WIRE_MALFORMED;

	p->df = (frag & IPV4_DF) != 0;
	p->more = (frag & IPV4_MF) != 0;
	p->frag_offset = (uint16_t)((frag & IPV4_OFFSET) * 8);
	p->fragment = p->more || p->frag_offset > 0;
	p->l4_at = p->header_len;
	p->proto_at = 9;
	if (!fragment_fits(p, p->total_len - p->header_len))
		return WIRE_MALFORMED;
	r = rd_over(span_of(packet.at + p->l4_at, p->total_len - p->l4_at));
	return read_upper(&r, p);
}

static enum wire_err read_fragment(struct reader *r, struct ip_packet *p)
{
	if (p->frag_at != 0)
		return WIRE_MALFORMED;
	uint8_t next = rd_u8(r);
	rd_skip(r, 1);
	uint16_t frag = rd_u16(r);

	p->frag_id = rd_u32(r);
	p->frag_at = p->l4_at;
	p->frag_named_at = p->proto_at;
	p->frag_offset = frag & 0xfff8;
	p->more = (frag & 1) != 0;
	/* RFC 8200 4.5, RFC 6946: alone and whole, it is no part of anything. */
	p->fragment = p->more || p->frag_offset > 0;
	p->proto = next;
	return fragment_fits(p, rd_left(r)) ? WIRE_OK : WIRE_MALFORMED;
}

/* Hop-by-hop, destination options, and routing headers share their first octets. */
static enum wire_err read_options(struct reader *r, struct ip_packet *p)
{
	bool routing = p->proto == IPV6_ROUTING;

	p->proto = rd_u8(r);
	size_t len = 8 * (size_t)rd_u8(r) + 6;
	struct reader body = rd_sub(r, len);
	rd_skip(&body, 1);
	/* With segments left, dst is not where the packet is going. */
	return routing && rd_u8(&body) != 0 ? WIRE_MALFORMED : WIRE_OK;
}

static bool is_extension(const struct ip_packet *p)
{
	/* Behind a later fragment's header stands the middle of something. */
	if (p->frag_offset > 0)
		return false;
	return p->proto == IPV6_HOP_BY_HOP || p->proto == IPV6_ROUTING ||
	       p->proto == IPV6_FRAGMENT || p->proto == IPV6_DEST_OPTIONS;
}

/* p->proto names what stands at p->l4_at, where r is. */
static enum wire_err read_extensions(
	struct reader *r, struct span packet, struct ip_packet *p)
{
	for (int i = 0; is_extension(p); i++) {
		if (i == EXTENSIONS_MAX)
			return WIRE_MALFORMED;
		/* RFC 8200 4.3: only right behind the IPv6 header. */
		if (p->proto == IPV6_HOP_BY_HOP && p->l4_at != IPV6_HEADER_LEN)
			return WIRE_MALFORMED;
		uint16_t at = p->l4_at;
		enum wire_err err = p->proto == IPV6_FRAGMENT ? read_fragment(r, p)
							      : read_options(r, p);
		if (err != WIRE_OK || !rd_ok(r))
			return WIRE_MALFORMED;
		p->proto_at = at;
		p->l4_at = (uint16_t)offset_of(r, packet);
	}
	return WIRE_OK;
}

static enum wire_err read_v6(struct span packet, struct ip_packet *p)
{
	struct reader r = rd_over(packet);

	p->tos = (uint8_t)(rd_u16(&r) >> 4);
	rd_skip(&r, 2);
	uint16_t payload_len = rd_u16(&r);
	p->proto = rd_u8(&r);
	p->ttl = rd_u8(&r);
	p->src = read_addr(&r, 16);
	p->dst = read_addr(&r, 16);
	if (!rd_ok(&r) || payload_len > rd_left(&r))
		return WIRE_MALFORMED;

	p->df = true;
	p->header_len = IPV6_HEADER_LEN;
	p->l4_at = IPV6_HEADER_LEN;
	p->proto_at = 6;
	p->total_len = (uint32_t)IPV6_HEADER_LEN + payload_len;
	struct reader body = rd_sub(&r, payload_len);
	if (read_extensions(&body, span_of(packet.at, p->total_len), p) != WIRE_OK)
		return WIRE_MALFORMED;
	return read_upper(&body, p);
}

enum wire_err ip_packet_read(struct span packet, struct ip_packet *out)
{
	if (packet.len == 0)
		return WIRE_MALFORMED;
	*out = (struct ip_packet){.l4_at = 0};
	switch (packet.at[0] >> 4) {
	case 4:
		return read_v4(packet, out);
	case 6:
		return read_v6(packet, out);
	default:
		return WIRE_MALFORMED;
	}
}

struct flow ip_packet_flow(const struct ip_packet *p, bool outbound)
{
	return (struct flow){
		.local = outbound ? p->src : p->dst,
		.remote = outbound ? p->dst : p->src,
		.proto = p->proto,
		.ports_known = p->ports_known,
		.local_port = outbound ? p->src_port : p->dst_port,
		.remote_port = outbound ? p->dst_port : p->src_port,
	};
}

static void write_v4(struct writer *w, const struct ip_packet *p, size_t payload_len)
{
	size_t start = wr_len(w);
	unsigned frag = (p->df ? IPV4_DF : 0U) | (p->fragment && p->more ? IPV4_MF : 0U) |
			(p->fragment ? p->frag_offset / 8U : 0U);

	wr_u8(w, 0x45);
	wr_u8(w, p->tos);
	wr_u16(w, (uint16_t)(IPV4_HEADER_LEN + payload_len));
	wr_u16(w, (uint16_t)p->frag_id);
	wr_u16(w, (uint16_t)frag);
	wr_u8(w, p->ttl);
	wr_u8(w, p->proto);
	wr_u16(w, 0);
	wr_bytes(w, span_of(p->src.b, 4));
	wr_bytes(w, span_of(p->dst.b, 4));
	if (wr_ok(w))
		ipv4_checksum_set(w->start + start, IPV4_HEADER_LEN);
}

static void write_v6(struct writer *w, const struct ip_packet *p, size_t payload_len)
{
	size_t extra = p->fragment ? IPV6_FRAGMENT_LEN : 0;

	wr_u32(w, 0x60000000U | (uint32_t)p->tos << 20);
	wr_u16(w, (uint16_t)(payload_len + extra));
	wr_u8(w, p->fragment ? IPV6_FRAGMENT : p->proto);
	wr_u8(w, p->ttl);
	wr_bytes(w, span_of(p->src.b, 16));
	wr_bytes(w, span_of(p->dst.b, 16));
	if (p->fragment) {
		wr_u8(w, p->proto);
		wr_u8(w, 0);
		wr_u16(w, (uint16_t)(p->frag_offset | (p->more ? 1 : 0)));
		wr_u32(w, p->frag_id);
	}
}

void ip_packet_write_header(
	struct writer *w, const struct ip_packet *p, size_t payload_len)
{
	assert(addr_is_set(&p->src) && p->src.family == p->dst.family);
	assert(payload_len + IPV4_HEADER_LEN <= UINT16_MAX && p->frag_offset % 8 == 0);
	if (p->src.family == ADDR_V4)
		write_v4(w, p, payload_len);
	else
		write_v6(w, p, payload_len);
}
