/* plane/toobig.h - ICMP "fragmentation needed" for our own datagrams, read before routing.
 *
 * The sockets' error queues say the same (path.c), but not with rp_filter 1 and an IPv4
 * entry that covers ICMP from anywhere: the reverse of a router's error then leads into the
 * TUN, and the kernel drops it. No routing rule can tell it from what the TUN injects; so a
 * packet socket, whose filter passes nothing else, looks at it on arrival.
 *
 * Floor 7. The data thread's.
 */
#ifndef VIPSEC_PLANE_TOOBIG_H
#define VIPSEC_PLANE_TOOBIG_H

#include "base/span.h"
#include "plane/children.h"

int toobig_open(void); /* a non-blocking descriptor; -1: errno */
/* False: none waits. What is malformed is skipped. */
bool toobig_next(int fd, struct path_mtu *out);
/* One IPv4 packet, from its header on. False: not such an error. Whether what it quotes is
 * of ours is children.h's question; octets and SPI are never 0. */
bool toobig_parse(struct span packet, struct path_mtu *out);

#endif
