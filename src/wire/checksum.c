/* wire/checksum.c - Internet checksums (RFC 1071, RFC 768, RFC 8200 8.1).
 *
 * Leaves to esp/ when a sum has to be made anew.
 */
#include "wire/checksum.h"

#include "wire/ip_packet.h"

#include <assert.h>

enum { UDP_HEADER_LEN = 8 };

/* Four octets at a time: a 64-bit sum of 32-bit words cannot overflow in a packet. */
static uint64_t add(uint64_t sum, struct span bytes)
{
	const uint8_t *at = bytes.at;
	size_t left = bytes.len;

	for (; left >= 4; at += 4, left -= 4)
		sum += (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
		       (uint32_t)at[2] << 8 | at[3];
	for (size_t i = 0; i < left; i++)
		sum += (uint32_t)at[i] << (24 - 8 * i);
	return sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint16_t checksum_of(struct span bytes)
{
	return fold(add(0, bytes));
}

static void put16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

void ipv4_checksum_set(uint8_t *header, size_t header_len)
{
	assert(header_len >= IPV4_HEADER_LEN);
	put16(header + 10, 0);
	put16(header + 10, checksum_of(span_of(header, header_len)));
}

bool ipv4_checksum_ok(struct span header)
{
	return checksum_of(header) == 0;
}

/* Where the sum stands in the upper header; 0: there is none that we know. */
static size_t sum_offset(const struct ip_packet *p)
{
	if (p->fragment)
		return 0;
	switch (p->proto) {
	case IP_TCP:
		return 16;
	case IP_UDP:
		return 6;
	case IP_ICMP:
	case IP_ICMPV6:
		return 2;
	default:
		return 0;
	}
}

/* RFC 768: UDP counts its own octets, and what IP carries behind them is not summed. */
static struct span summed(const uint8_t *packet, const struct ip_packet *p)
{
	struct span l4 = span_of(packet + p->l4_at, p->total_len - p->l4_at);
	size_t udp_len = p->proto == IP_UDP ? (size_t)(l4.at[4] << 8 | l4.at[5]) : 0;

	if (udp_len >= UDP_HEADER_LEN && udp_len < l4.len)
		l4.len = udp_len;
	return l4;
}

static uint16_t l4_sum(const uint8_t *packet, const struct ip_packet *p)
{
	struct span l4 = summed(packet, p);
	size_t len = addr_len(&p->src);
	uint64_t sum = 0;

	/* RFC 792: the sum of ICMP covers the message alone, without pseudo-header. */
	if (p->proto != IP_ICMP) {
		sum = add(sum, span_of(p->src.b, len));
		sum = add(sum, span_of(p->dst.b, len));
		sum += l4.len + p->proto;
	}
	return fold(add(sum, l4));
}

static bool without_sum(const uint8_t *at, const struct ip_packet *p)
{
	return p->proto == IP_UDP && p->src.family == ADDR_V4 && at[0] == 0 && at[1] == 0;
}

bool l4_checksum_set(uint8_t *packet, const struct ip_packet *p)
{
	size_t offset = sum_offset(p);

	if (offset == 0)
		return false;
	uint8_t *at = packet + p->l4_at + offset;
	assert(p->l4_at + offset + 2 <= p->total_len);
	if (without_sum(at, p))
		return true;
	put16(at, 0);
	uint16_t sum = l4_sum(packet, p);
	put16(at, sum == 0 && p->proto == IP_UDP ? 0xffff : sum);
	return true;
}

bool l4_checksum_ok(const uint8_t *packet, const struct ip_packet *p)
{
	size_t offset = sum_offset(p);

	if (offset == 0)
		return true;
	assert(p->l4_at + offset + 2 <= p->total_len);
	return without_sum(packet + p->l4_at + offset, p) || l4_sum(packet, p) == 0;
}
