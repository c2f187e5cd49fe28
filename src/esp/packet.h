/* esp/packet.h - IP packets: reading their headers, writing ours. Private to the room. */
#ifndef VIPSEC_ESP_PACKET_H
#define VIPSEC_ESP_PACKET_H

#include "base/span.h"
#include "base/ts.h"

enum { IPV4_HEADER_LEN = 20, IPV6_HEADER_LEN = 40, IP_PACKET_MAX = 65535 };

struct ip_packet {
	struct addr src, dst;
	size_t total_len; /* by its header, at most what was given */
	size_t base_len; /* of the IPv4 header with options, of the fixed IPv6 header */
	size_t upper_at; /* where the upper layer begins, behind IPv6 extension headers */
	uint8_t next; /* what follows the base header */
	uint8_t proto; /* the upper layer's protocol */
	uint8_t tos;
	bool dont_fragment; /* IPv4 */
	bool fragment;
	bool more_fragments;
	uint32_t fragment_id;
	size_t fragment_offset; /* octets */
	size_t fragment_at; /* IPv6: where the fragment header stands */
	size_t fragment_link; /* IPv6: the octet that names the fragment header */
	bool ports_known; /* ICMP: both hold type << 8 | code (RFC 4301 4.4.1.1) */
	uint16_t src_port, dst_port;
};

/* Whether ports, or an ICMP type and code, are among this protocol's selectors. */
bool ip_has_ports(uint8_t proto);
/* False: not a whole IPv4 or IPv6 packet. */
bool ip_parse(struct span bytes, struct ip_packet *out);
struct flow ip_flow(const struct ip_packet *ip, bool outbound);

/* What a new header says beside addresses; hop limit 64. */
struct ip_header {
	struct addr src, dst;
	uint8_t tos;
	uint8_t proto;
};
size_t ip_header_len(const struct addr *a); /* 20 or 40 */
/* Writes ip_header_len(&h->src) octets at `at`, for a packet with payload_len behind. */
void ip_header_write(uint8_t *at, const struct ip_header *h, size_t payload_len);

/* ---- checksums (RFC 1071) ---- */

/* Adds to a sum; all but the last of several spans have even lengths. */
uint64_t sum_add(uint64_t sum, struct span bytes);
/* Writes the finished sum's complement, two octets. */
void sum_finish(uint64_t sum, uint8_t *out);
/* The pseudo header of RFC 793 and RFC 8200 8.1. */
uint64_t sum_pseudo(
	const struct addr *src, const struct addr *dst, uint8_t proto, size_t upper_len);
void ipv4_checksum_write(uint8_t *header, size_t header_len);
/* Computes TCP's, UDP's and ICMPv6's checksum anew (RFC 3948 3.1.2); other protocols and
 * an absent UDP checksum over IPv4 stay as they are. */
void upper_checksum_write(uint8_t *packet, const struct ip_packet *ip);

#endif
