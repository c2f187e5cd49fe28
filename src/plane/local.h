/* plane/local.h - the sockets of one bound address: raw ESP, raw AH, and UDP port 4500.
 *
 * Made and closed by the loop's thread, read by the data thread; the last of the two to
 * let go closes them. After its address was unbound one is deaf, but sends for a while.
 *
 * Floor 7.
 */
#ifndef VIPSEC_PLANE_LOCAL_H
#define VIPSEC_PLANE_LOCAL_H

#include <stdatomic.h>

#include "base/addr.h"
#include "base/list.h"

enum { LOCAL_LINGER_MS = 200 };

/* Who takes ESP and AH from the network: the data thread, or the kernel. Its sockets then are
 * port 4500 alone, and ESP never shows there. */
enum local_kind { LOCAL_USERSPACE, LOCAL_KERNEL };

struct local_socket {
	struct local *local;
	int fd; /* -1: none */
	bool udp;
	bool ah; /* IPv4: whole packets, headers included, both ways */
	uint8_t ttl; /* that of what it sends when nothing else is said; 0: not known */
	/* IPv4: our datagrams carry DF. The data thread sets it as packets want it; the
	 * loop's clears it for an IKE message that does not fit. Either is right for the
	 * other, but for one datagram's size. */
	_Atomic bool df;
	/* The data thread's: the kernel refuses to cut datagrams up for this one. */
	bool apart;
};

struct local {
	struct addr addr;
	uint16_t scope;
	struct local_socket esp, ah, udp;
	_Atomic int holders;
	/* the loop's thread */
	struct list link;
	uint64_t gone_ms; /* lingers until then; 0: bound */
	/* the data thread */
	struct list listening;
};

enum { LOCAL_SOCKETS = 3 };
struct local_socket *local_socket_at(struct local *l, unsigned i);

/* Held once. NULL: errno. */
struct local *local_open(
	enum local_kind kind, uint16_t scope, const struct addr *addr, uint32_t mark);
void local_hold(struct local *l);
void local_let_go(struct local *l);
void local_deafen(struct local *l); /* nothing is received, nor answered with ICMP */
void local_revive(struct local *l); /* what came meanwhile is thrown away */
/* Sets the DF bit of what is sent from now on; IPv6 has none. */
void local_set_df(struct local_socket *s, bool df);
/* IPv6: what is longer leaves in fragments of at most so many octets. 0: as the path wants. */
void local_set_fragments(struct local_socket *s, size_t mtu);

#endif
