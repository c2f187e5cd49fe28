/* wire/checksum.h - Internet checksums (RFC 1071) of headers and of what they carry.
 *
 * Transport-mode ESP behind NAT changes addresses, so the sums over them must be made
 * anew (RFC 3948 3.1.2).
 *
 * Floor 1.
 */
#ifndef VIPSEC_WIRE_CHECKSUM_H
#define VIPSEC_WIRE_CHECKSUM_H

#include "base/span.h"

struct ip_packet;

/* Of any octets; an odd last one counts as if a zero followed. 0 over octets that hold
 * their own right sum. */
uint16_t checksum_of(struct span bytes);

/* header_len octets at header, an IPv4 header that was checked before. */
void ipv4_checksum_set(uint8_t *header, size_t header_len);
bool ipv4_checksum_ok(struct span header);

/* p is what ip_packet_read() made of the packet. TCP, UDP, ICMP and ICMPv6 are known; of
 * other protocols and of fragments there is nothing to say: set then does nothing and
 * returns false, and ok is true. UDP over IPv4 without a sum (zero) stays without, and a
 * sum that comes out as zero is written as ones (RFC 768). */
bool l4_checksum_set(uint8_t *packet, const struct ip_packet *p);
bool l4_checksum_ok(const uint8_t *packet, const struct ip_packet *p);

#endif
