/* port/netaddr.h - between base/'s addresses and the kernel's sockaddr.
 *
 * Floor 5.
 */
#ifndef VIPSEC_PORT_NETADDR_H
#define VIPSEC_PORT_NETADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/addr.h"

/* Returns the length of what was written; a must be set. */
socklen_t netaddr_to_socket(
	const struct addr *a, uint16_t port, struct sockaddr_storage *out);
/* False, and *out untouched, for other families. */
bool netaddr_from_socket(const struct sockaddr_storage *from, struct endpoint *out);
int netaddr_family(const struct addr *a); /* AF_INET, AF_INET6 */

#endif
