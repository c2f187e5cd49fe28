/* os/sockaddr.h - between base/'s addresses and the kernel's sockaddr.
 *
 * Floor 5.
 */
#ifndef VIPSEC_OS_SOCKADDR_H
#define VIPSEC_OS_SOCKADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/addr.h"

/* Returns the length of what was written; a must be set. */
socklen_t sockaddr_of(const struct addr *a, uint16_t port, struct sockaddr_storage *out);
/* False, and *out untouched, for other families. */
bool sockaddr_read(const struct sockaddr_storage *from, struct endpoint *out);
int sockaddr_family(const struct addr *a); /* AF_INET, AF_INET6 */

#endif
