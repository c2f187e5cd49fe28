/* esp/path_mtu.c - will it fit? And if not, who is told.
 *
 * Obeys RFC 4301 8.1 (DF is copied) and 8.2.1, RFC 1191 4, RFC 4443 3.2 and 2.4 (what must
 * not be answered), RFC 2473 7.1. The error comes as from the packet's destination: an own
 * address as its source would be a martian on the TUN. Learning the path's MTU is left to
 * those who hear the network's errors (esp_dp_path_mtu).
 */
#include "esp/dp.h"

#include "wire/checksum.h"
#include "wire/esp_header.h"

#include <assert.h>

enum { DEFAULT_MTU = 1500, IPV6_MIN_MTU = 1280, UDP_LEN = 8 };
enum { ICMP_HEADER_LEN = 8, HOP_LIMIT = 64 };
/* RFC 1812 4.3.2.3: 576 octets in all; RFC 4443 3.2: the least IPv6 MTU. */
enum { ANSWER_MAX_V4 = 576, ANSWER_MAX_V6 = IPV6_MIN_MTU };

/* Largest text in an outer packet of mtu octets. */
static size_t text_room(const struct esp_sa *sa, size_t mtu)
{
	size_t ip = sa->remote.addr.family == ADDR_V4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN;
	size_t outside = ip + (sa->encap ? UDP_LEN : 0);

	return mtu < outside ? 0 : sa_text_room(sa, mtu - outside);
}

/* The same for the packet that has this text, or, in tunnel mode, is it. */
static size_t packet_room(const struct esp_sa *sa, const struct ip_packet *ip, size_t mtu)
{
	return text_room(sa, mtu) + (sa->mode == POLICY_TRANSPORT ? ip->header_len : 0u);
}

static bool is_icmp_error(const struct ip_packet *ip)
{
	unsigned type = ip->src_port >> 8;

	if (ip->proto == IP_ICMP)
		return !(type == 0 || type == 8 || (type >= 13 && type <= 18));
	return ip->proto == IP_ICMPV6 && type < 128;
}

static size_t quoted_len(const struct ip_packet *ip, bool v6)
{
	size_t max = v6 ? ANSWER_MAX_V6 - IPV6_HEADER_LEN - ICMP_HEADER_LEN
			: ANSWER_MAX_V4 - IPV4_HEADER_LEN - ICMP_HEADER_LEN;

	return ip->total_len < max ? ip->total_len : max;
}

/* Turns the packet that does not fit into the ICMP error that says so, in place. False:
 * this packet must not be answered with one. */
static bool answer(struct esp_packet *p, const struct ip_packet *ip, size_t mtu)
{
	bool v6 = ip->src.family == ADDR_V6;
	size_t before = (v6 ? IPV6_HEADER_LEN : IPV4_HEADER_LEN) + ICMP_HEADER_LEN;
	size_t quoted = quoted_len(ip, v6);
	struct writer w = wr_over(p->at - before, before);
	struct ip_packet icmp = {
		.src = ip->dst,
		.dst = ip->src,
		.proto = v6 ? IP_ICMPV6 : IP_ICMP,
		.ttl = HOP_LIMIT,
	};

	if (is_icmp_error(ip) || addr_is_multicast(&ip->dst))
		return false;
	ip_packet_write_header(&w, &icmp, ICMP_HEADER_LEN + quoted);
	wr_u8(&w, v6 ? 2 : 3);
	wr_u8(&w, v6 ? 0 : 4);
	wr_u16(&w, 0);
	wr_u32(&w, (uint32_t)mtu);
	assert(wr_ok(&w));
	p->at -= before;
	p->len = before + quoted;
	if (ip_packet_read(span_of(p->at, p->len), &icmp) != WIRE_OK)
		return false;
	l4_checksum_set(p->at, &icmp);
	p->verdict = ESP_INJECT;
	return true;
}

enum fit path_fit(
	const struct esp_sa *sa, struct esp_packet *p, const struct ip_packet *ip)
{
	p->mtu = sa->path_mtu == 0 ? DEFAULT_MTU : sa->path_mtu;
	size_t room = packet_room(sa, ip, p->mtu);
	bool v6 = ip->src.family == ADDR_V6;

	/* No outer header could say its length. */
	if (ip->total_len > packet_room(sa, ip, UINT16_MAX))
		return FIT_NOT;
	/* What has been fragmented may be again. */
	if (ip->fragment || !ip->df)
		return FIT_IN_FRAGMENTS;
	if (ip->total_len <= room)
		return FIT_WHOLE;
	/* RFC 2473 7.1: no IPv6 sender need make smaller ones than these. */
	if (v6 && ip->total_len <= IPV6_MIN_MTU)
		return FIT_IN_FRAGMENTS;
	if (v6 && room < IPV6_MIN_MTU)
		room = IPV6_MIN_MTU;
	return answer(p, ip, room) ? FIT_TOLD : FIT_NOT;
}
