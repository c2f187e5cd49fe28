/* esp/icmp.c - "packet too big", told to our own host.
 *
 * Obeys RFC 1191 4, RFC 4443 3.2 and 2.4 (what must not be answered), RFC 4301 8.2.1.
 * The error comes as from the packet's destination: an own address as its source would be
 * a martian on the TUN.
 */
#include "esp/dp.h"

#include "base/iana.h"
#include "wire/writer.h"

#include <assert.h>

enum { ICMP_HEADER_LEN = 8 };
/* RFC 1812 4.3.2.3: 576 octets in all; RFC 4443 3.2: the least IPv6 MTU. */
enum { ANSWER_MAX_V4 = 576, ANSWER_MAX_V6 = 1280 };

static bool is_icmp_error(const struct ip_packet *ip)
{
	uint8_t type = (uint8_t)(ip->src_port >> 8);

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

static void write_icmp(uint8_t *at, bool v6, size_t mtu)
{
	struct writer w = wr_over(at, ICMP_HEADER_LEN);

	wr_u8(&w, v6 ? 2 : 3);
	wr_u8(&w, v6 ? 0 : 4);
	wr_u16(&w, 0);
	wr_u32(&w, (uint32_t)mtu);
	assert(wr_ok(&w));
}

bool icmp_too_big(struct esp_packet *p, const struct ip_packet *ip, size_t mtu)
{
	bool v6 = ip->src.family == ADDR_V6;
	const struct ip_header h = {
		.src = ip->dst,
		.dst = ip->src,
		.proto = v6 ? IP_ICMPV6 : IP_ICMP,
	};
	size_t quoted = quoted_len(ip, v6);
	size_t payload = ICMP_HEADER_LEN + quoted;

	assert(mtu <= IP_PACKET_MAX);
	if (is_icmp_error(ip) || addr_is_multicast(&ip->dst))
		return false;
	uint8_t *icmp = p->at - ICMP_HEADER_LEN;
	write_icmp(icmp, v6, mtu);
	uint64_t sum = v6 ? sum_pseudo(&h.src, &h.dst, h.proto, payload) : 0;
	sum_finish(sum_add(sum, span_of(icmp, payload)), icmp + 2);
	p->at = icmp - ip_header_len(&h.src);
	p->len = ip_header_len(&h.src) + payload;
	ip_header_write(p->at, &h, payload);
	p->verdict = ESP_INJECT;
	return true;
}
