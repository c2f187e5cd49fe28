/* port/sockets.h - the IKE sockets: UDP port 500 of each address that may speak.
 *
 * One socket for each local address, open exactly as long as the node wants it
 * (FX_SOCKETS), so that nothing is answered on an address that is not bound. A closed one
 * hears nothing any more but can still send for SOCKETS_LINGER_MS, also after its address
 * has gone: the Deletes of a released VIP leave that way (IP_TRANSPARENT). It stays open
 * for that time so that the kernel does not answer with ICMP either.
 *
 * Port 4500 belongs to the plane.
 *
 * Floor 7. Loop-agnostic: poll sockets_fd(); when it is readable call sockets_next()
 * until it returns false (also closes what has lingered long enough).
 */
#ifndef VIPSEC_PORT_SOCKETS_H
#define VIPSEC_PORT_SOCKETS_H

#include "base/addr.h"
#include "base/span.h"

struct sockets;

enum { SOCKETS_LINGER_MS = 200 };

/* mark: SO_MARK of all we send, so that steering leaves it alone. NULL: errno says why. */
struct sockets *sockets_new(uint32_t mark);
void sockets_free(struct sockets *s);
int sockets_fd(const struct sockets *s);

/* 0, or an errno. Opening an open one, or closing a closed one, changes nothing. */
int sockets_open(struct sockets *s, const struct addr *local);
void sockets_close(struct sockets *s, const struct addr *local);
size_t sockets_count(const struct sockets *s); /* lingering ones included */

/* ENOTCONN when local has no socket; else 0 or an errno. The port of local is not read:
 * it is 500. */
int sockets_send(struct sockets *s, const struct endpoint *local,
	const struct endpoint *remote, struct span bytes);

struct sockets_datagram {
	struct endpoint local, remote;
	struct span bytes; /* valid until the next call */
};
bool sockets_next(struct sockets *s, struct sockets_datagram *out);

#endif
