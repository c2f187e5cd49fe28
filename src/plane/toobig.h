/* plane/toobig.h - ICMP "fragmentation needed" and ICMPv6 "packet too big" for our own
 * datagrams, beside the sockets' error queues (path.c).
 *
 * IPv4: these say the same, but not with rp_filter 1 and an IPv4 entry that covers ICMP from
 * anywhere: the reverse of a router's error then leads into the TUN, and the kernel drops it.
 * No routing rule can tell it from what the TUN injects; so a packet socket, whose filter
 * passes nothing else, looks at it on arrival.
 * IPv6: there is no rp_filter, but Linux reads AH as an extension header, and so gives an
 * error about it to the protocol inside, which knows of no such packet. A raw socket has it
 * whole.
 *
 * Floor 7. The data thread's.
 */
#ifndef VIPSEC_PLANE_TOOBIG_H
#define VIPSEC_PLANE_TOOBIG_H

#include "base/span.h"
#include "plane/children.h"

struct toobig {
	int v4, v6; /* non-blocking descriptors; -1: none */
};

/* Without the privilege, or a family, the error queues have to do. */
struct toobig toobig_open(void);
void toobig_close(struct toobig *t);
/* False: none waits. What is malformed is skipped. */
bool toobig_next(const struct toobig *t, struct path_mtu *out);
/* One IPv4 packet, from its header on; one ICMPv6 message. False: not such an error. Whether
 * what it quotes is of ours is children.h's question; octets and SPI are never 0. */
bool toobig_parse(struct span packet, struct path_mtu *out);
bool toobig_parse_v6(struct span message, struct path_mtu *out);

#endif
