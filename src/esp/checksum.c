/* esp/checksum.c - the Internet checksum (RFC 1071).
 *
 * The sum is taken over native words: byte order does not matter to it until the end.
 */
#include "base/iana.h"
#include "esp/packet.h"

enum { TCP_SUM_AT = 16, UDP_SUM_AT = 6, ICMPV6_SUM_AT = 2 };

uint64_t sum_add(uint64_t sum, struct span bytes)
{
	const uint8_t *at = bytes.at;
	size_t left = bytes.len;
	uint32_t word;
	uint8_t last[4] = {0};

	/* 2^32 words would be needed to overflow 64 bits. */
	for (; left >= sizeof word; at += sizeof word, left -= sizeof word) {
		memcpy(&word, at, sizeof word);
		sum += word;
	}
	if (left > 0) {
		memcpy(last, at, left);
		memcpy(&word, last, sizeof word);
		sum += word;
	}
	return sum;
}

void sum_finish(uint64_t sum, uint8_t *out)
{
	while (sum >> 16 != 0)
		sum = (sum >> 16) + (sum & 0xffff);
	uint16_t folded = (uint16_t)~sum;
	memcpy(out, &folded, sizeof folded);
}

uint64_t sum_pseudo(
	const struct addr *src, const struct addr *dst, uint8_t proto, size_t upper_len)
{
	uint8_t tail[8] = {
		(uint8_t)(upper_len >> 24),
		(uint8_t)(upper_len >> 16),
		(uint8_t)(upper_len >> 8),
		(uint8_t)upper_len,
		[7] = proto,
	};
	uint64_t sum = sum_add(0, span_of(src->b, addr_len(src)));

	sum = sum_add(sum, span_of(dst->b, addr_len(dst)));
	return sum_add(sum, span_of(tail, sizeof tail));
}

void ipv4_checksum_write(uint8_t *header, size_t header_len)
{
	memset(header + 10, 0, 2);
	sum_finish(sum_add(0, span_of(header, header_len)), header + 10);
}

/* Where the checksum stands in an upper-layer header; 0: none that knows addresses. */
static size_t sum_at(uint8_t proto)
{
	switch (proto) {
	case IP_TCP:
		return TCP_SUM_AT;
	case IP_UDP:
		return UDP_SUM_AT;
	case IP_ICMPV6:
		return ICMPV6_SUM_AT;
	default:
		return 0;
	}
}

void upper_checksum_write(uint8_t *packet, const struct ip_packet *ip)
{
	static const uint8_t none[2];
	uint8_t *upper = packet + ip->upper_at;
	size_t len = ip->total_len - ip->upper_at;
	size_t at = sum_at(ip->proto);

	if (at == 0 || len < at + 2)
		return;
	/* RFC 768: an IPv4 sender may leave it out. */
	if (ip->proto == IP_UDP && ip->src.family == ADDR_V4 &&
		memcmp(upper + at, none, 2) == 0)
		return;
	memset(upper + at, 0, 2);
	uint64_t sum = sum_pseudo(&ip->src, &ip->dst, ip->proto, len);
	sum_finish(sum_add(sum, span_of(upper, len)), upper + at);
	/* ... so a sum of zero is sent as its other zero. */
	if (ip->proto == IP_UDP && memcmp(upper + at, none, 2) == 0)
		memset(upper + at, 0xff, 2);
}
