/* port/announce.h - tells the link that an address is here now.
 *
 * IPv4: gratuitous ARP, as request and as reply (RFC 5227 3, RFC 826). IPv6: unsolicited
 * neighbour advertisement with the override flag (RFC 4861 7.2.6). Sent once, on each
 * link that holds the address; the caller repeats as it sees fit.
 *
 * Floor 7.
 */
#ifndef VIPSEC_PORT_ANNOUNCE_H
#define VIPSEC_PORT_ANNOUNCE_H

#include "base/addr.h"

struct announcer;

/* Holds its packet socket: closing one waits some 10 ms for the kernel, which does not
 * belong between an address's arrival and its first IKE message. NULL: errno. */
struct announcer *announcer_new(void);
void announcer_free(struct announcer *n);

/* 0 also when there is nothing to tell (the address is on a link without neighbours,
 * such as lo); EADDRNOTAVAIL when no link has the address; else an errno. */
int announce_address(struct announcer *n, const struct addr *a);

#endif
