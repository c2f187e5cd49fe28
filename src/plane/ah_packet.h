/* plane/ah_packet.h - AH between sockets and esp/: whole packets there, and here what the
 * kernel gives and takes.
 *
 * RFC 4302 3.3.3.1: the ICV covers the IP header. A raw IPv4 socket has it both ways, and
 * takes no packet that does not fit the device: those are cut up here. A raw IPv6 socket
 * has none: what it tells beside the packet is put together again.
 *
 * Floor 7. Private to the data thread.
 */
#ifndef VIPSEC_PLANE_AH_PACKET_H
#define VIPSEC_PLANE_AH_PACKET_H

#include <sys/socket.h>

#include "esp/esp.h"

/* What came with m over IPv6 gets its headers in front, in the room there. False: they are
 * longer than that, and it cannot be verified. */
bool ah_packet_complete(struct esp_packet *p, struct msghdr *m);

/* The part at offset octets behind the IPv4 header of p, which is longer than p->mtu: header,
 * to be sent in front of *text, which may be the last. Returns the octets of *text. */
enum { AH_PART_HEADER = 20 };
size_t ah_packet_part(const struct esp_packet *p, size_t offset,
	uint8_t header[AH_PART_HEADER], struct span *text);

#endif
