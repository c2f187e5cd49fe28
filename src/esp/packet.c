/* esp/packet.c - reading and writing IP headers.
 *
 * Obeys RFC 791, RFC 8200 4 (extension headers) and, for what a selector may be made of,
 * RFC 4301 4.4.1.1. Fragments are recognized here and put together in reassembly.c.
 */
#include "esp/packet.h"

#include "base/iana.h"
#include "wire/reader.h"
#include "wire/writer.h"

#include <assert.h>

enum { EXTENSIONS_MAX = 16 };
enum { IPV6_HOPOPTS = 0, IPV6_ROUTING = 43, IPV6_FRAGMENT = 44, IPV6_DSTOPTS = 60 };
enum { PROTO_DCCP = 33, PROTO_SCTP = 132, PROTO_UDPLITE = 136 };
enum { HOP_LIMIT = 64 };

bool ip_has_ports(uint8_t proto)
{
	switch (proto) {
	case IP_TCP:
	case IP_UDP:
	case PROTO_DCCP:
	case PROTO_SCTP:
	case PROTO_UDPLITE:
	case IP_ICMP:
	case IP_ICMPV6:
		return true;
	default:
		return false;
	}
}

static void read_ports(struct reader *r, struct ip_packet *ip)
{
	if (!ip_has_ports(ip->proto))
		return;
	ip->src_port = ip->dst_port = rd_u16(r);
	if (ip->proto != IP_ICMP && ip->proto != IP_ICMPV6)
		ip->dst_port = rd_u16(r);
	ip->ports_known = rd_ok(r);
}

static struct addr read_addr(struct reader *r, size_t len)
{
	struct span bytes = rd_bytes(r, len);

	return rd_ok(r) ? addr_from_bytes(bytes.at, len) : (struct addr){0};
}

static bool parse_v4(struct span bytes, struct ip_packet *ip)
{
	struct reader r = rd_over(bytes);
	size_t header_len = (size_t)(rd_u8(&r) & 0x0f) * 4;

	ip->tos = rd_u8(&r);
	ip->total_len = rd_u16(&r);
	ip->fragment_id = rd_u16(&r);
	uint16_t flags = rd_u16(&r);
	rd_skip(&r, 1);
	ip->proto = ip->next = rd_u8(&r);
	rd_skip(&r, 2);
	ip->src = read_addr(&r, 4);
	ip->dst = read_addr(&r, 4);
	if (!rd_ok(&r) || header_len < IPV4_HEADER_LEN || ip->total_len < header_len ||
		ip->total_len > bytes.len)
		return false;

	ip->base_len = ip->upper_at = header_len;
	ip->dont_fragment = (flags & 0x4000) != 0;
	ip->more_fragments = (flags & 0x2000) != 0;
	ip->fragment_offset = (size_t)(flags & 0x1fff) * 8;
	ip->fragment = ip->more_fragments || ip->fragment_offset != 0;
	if (ip->fragment_offset == 0) {
		struct reader upper = rd_over(
			span_of(bytes.at + header_len, ip->total_len - header_len));
		read_ports(&upper, ip);
	}
	return true;
}

static void read_fragment_header(struct reader *r, struct ip_packet *ip)
{
	rd_skip(r, 1);
	uint16_t place = rd_u16(r);

	ip->fragment = true;
	ip->fragment_offset = place & 0xfff8u;
	ip->more_fragments = (place & 1) != 0;
	ip->fragment_id = rd_u32(r);
}

/* Walks the extension headers; leaves r at the upper layer. */
static bool skip_extensions(struct reader *r, struct ip_packet *ip)
{
	size_t link = 6; /* the base header's Next Header */

	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		size_t at = ip->total_len - rd_left(r);
		uint8_t kind = ip->proto;

		if (kind != IPV6_HOPOPTS && kind != IPV6_ROUTING &&
			kind != IPV6_DSTOPTS && kind != IPV6_FRAGMENT) {
			ip->upper_at = at;
			return true;
		}
		ip->proto = rd_u8(r);
		if (kind == IPV6_FRAGMENT) {
			if (ip->fragment)
				return false;
			ip->fragment_at = at;
			ip->fragment_link = link;
			read_fragment_header(r, ip);
		} else {
			rd_skip(r, (size_t)rd_u8(r) * 8 + 6);
		}
		link = at;
		if (!rd_ok(r))
			return false;
		/* What follows in a later fragment is the middle of something. */
		if (ip->fragment_offset != 0) {
			ip->upper_at = ip->total_len - rd_left(r);
			return true;
		}
	}
	return false;
}

static bool parse_v6(struct span bytes, struct ip_packet *ip)
{
	struct reader r = rd_over(bytes);

	ip->tos = (uint8_t)(rd_u32(&r) >> 20);
	ip->total_len = (size_t)rd_u16(&r) + IPV6_HEADER_LEN;
	ip->proto = ip->next = rd_u8(&r);
	rd_skip(&r, 1);
	ip->src = read_addr(&r, 16);
	ip->dst = read_addr(&r, 16);
	if (!rd_ok(&r) || ip->total_len > bytes.len || ip->total_len > IP_PACKET_MAX)
		return false;

	ip->base_len = IPV6_HEADER_LEN;
	struct reader rest = rd_sub(&r, ip->total_len - IPV6_HEADER_LEN);
	if (!skip_extensions(&rest, ip))
		return false;
	if (ip->fragment_offset == 0)
		read_ports(&rest, ip);
	return true;
}

bool ip_parse(struct span bytes, struct ip_packet *out)
{
	struct reader r = rd_over(bytes);

	*out = (struct ip_packet){.total_len = 0};
	switch (rd_u8(&r) >> 4) {
	case 4:
		return parse_v4(bytes, out);
	case 6:
		return parse_v6(bytes, out);
	default:
		return false;
	}
}

struct flow ip_flow(const struct ip_packet *ip, bool outbound)
{
	return (struct flow){
		.local = outbound ? ip->src : ip->dst,
		.remote = outbound ? ip->dst : ip->src,
		.proto = ip->proto,
		.ports_known = ip->ports_known,
		.local_port = outbound ? ip->src_port : ip->dst_port,
		.remote_port = outbound ? ip->dst_port : ip->src_port,
	};
}

size_t ip_header_len(const struct addr *a)
{
	assert(addr_is_set(a));
	return a->family == ADDR_V4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN;
}

static void write_v4(uint8_t *at, const struct ip_header *h, size_t payload_len)
{
	struct writer w = wr_over(at, IPV4_HEADER_LEN);

	assert(payload_len <= IP_PACKET_MAX - IPV4_HEADER_LEN);
	wr_u8(&w, 0x45);
	wr_u8(&w, h->tos);
	wr_u16(&w, (uint16_t)(payload_len + IPV4_HEADER_LEN));
	wr_zeros(&w, 4);
	wr_u8(&w, HOP_LIMIT);
	wr_u8(&w, h->proto);
	wr_u16(&w, 0);
	wr_bytes(&w, span_of(h->src.b, 4));
	wr_bytes(&w, span_of(h->dst.b, 4));
	assert(wr_ok(&w));
	ipv4_checksum_write(at, IPV4_HEADER_LEN);
}

static void write_v6(uint8_t *at, const struct ip_header *h, size_t payload_len)
{
	struct writer w = wr_over(at, IPV6_HEADER_LEN);

	assert(payload_len <= IP_PACKET_MAX);
	wr_u32(&w, UINT32_C(6) << 28 | (uint32_t)h->tos << 20);
	wr_u16(&w, (uint16_t)payload_len);
	wr_u8(&w, h->proto);
	wr_u8(&w, HOP_LIMIT);
	wr_bytes(&w, span_of(h->src.b, 16));
	wr_bytes(&w, span_of(h->dst.b, 16));
	assert(wr_ok(&w));
}

void ip_header_write(uint8_t *at, const struct ip_header *h, size_t payload_len)
{
	if (h->src.family == ADDR_V4)
		write_v4(at, h, payload_len);
	else
		write_v6(at, h, payload_len);
}
