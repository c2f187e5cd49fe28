/* wire/ip_packet.h - the headers of an IPv4 or IPv6 packet, up to the ports.
 *
 * Accepted is only what can be judged: a packet whose ports could be hidden from the
 * policy (a cut header, an endless chain of extension headers, a first fragment without
 * the whole chain, RFC 7112) is malformed.
 *
 * Offsets count from the packet's first octet. Floor 1.
 */
#ifndef VIPSEC_WIRE_IP_PACKET_H
#define VIPSEC_WIRE_IP_PACKET_H

#include "base/iana.h"
#include "base/ts.h"
#include "wire/reader.h"
#include "wire/wire.h"
#include "wire/writer.h"

enum { IPV4_HEADER_LEN = 20, IPV6_HEADER_LEN = 40, IPV6_FRAGMENT_LEN = 8 };

/* Next header values of IPv6 that are walked through. */
enum {
	IPV6_HOP_BY_HOP = 0,
	IPV6_ROUTING = 43,
	IPV6_FRAGMENT = 44,
	IPV6_DEST_OPTIONS = 60
};

struct ip_packet {
	struct addr src, dst;
	uint8_t proto; /* what begins at l4_at; IP_ESP, IP_AH are not looked into */
	uint8_t tos; /* traffic class with IPv6 */
	uint8_t ttl; /* hop limit with IPv6 */
	bool df; /* IPv4; always true with IPv6 */
	bool ports_known; /* protocol with ports (or ICMP), and their octets are here */
	uint16_t src_port; /* ICMP: type << 8 | code in both */
	uint16_t dst_port;
	uint32_t
		total_len; /* octets of the packet; what follows in the span is not its */
	uint16_t header_len; /* IPv4: with options; IPv6: 40 */
	uint16_t l4_at; /* behind all headers that were walked */
	uint16_t proto_at; /* the octet that names what begins at l4_at */

	bool fragment; /* a part of a datagram */
	bool more; /* and not the last one */
	uint16_t frag_offset; /* in octets */
	uint32_t frag_id; /* with IPv4 set on whole packets too */
	uint16_t frag_at; /* IPv6: the fragment header; 0: none */
	uint16_t frag_named_at; /* IPv6: the octet that names the fragment header */
};

/* Whether ports, or ICMP's type and code, are among this protocol's selectors. */
bool ip_proto_has_ports(uint8_t proto);
enum wire_err ip_packet_read(struct span packet, struct ip_packet *out) WIRE_CHECKED;
/* The packet as one side sees it: local is the source of what goes out. */
struct flow ip_packet_flow(const struct ip_packet *p, bool outbound);

/* Writes a header without options, and the fragment header when fragment is set with
 * IPv6. payload_len counts what the caller will append. Takes from p: src, dst, proto,
 * tos, ttl, df (IPv4), fragment, more, frag_offset (a multiple of 8), frag_id. The sum of
 * the IPv4 header is right. */
void ip_packet_write_header(
	struct writer *w, const struct ip_packet *p, size_t payload_len);

#endif
