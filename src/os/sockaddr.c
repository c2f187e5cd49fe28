/* os/sockaddr.c - by copies only: a sockaddr of the kernel may stand anywhere. */
#include "config.h"

#include "os/sockaddr.h"

#include <assert.h>
#include <string.h>

int sockaddr_family(const struct addr *a)
{
	assert(addr_is_set(a));
	return a->family == ADDR_V4 ? AF_INET : AF_INET6;
}

socklen_t sockaddr_of(const struct addr *a, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	memset(out, 0, sizeof(*out));
	if (sockaddr_family(a) == AF_INET) {
		memcpy(&v4.sin_addr, a->b, 4);
		memcpy(out, &v4, sizeof(v4));
		return sizeof(v4);
	}
	memcpy(&v6.sin6_addr, a->b, 16);
	memcpy(out, &v6, sizeof(v6));
	return sizeof(v6);
}

bool sockaddr_read(const struct sockaddr_storage *from, struct endpoint *out)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	switch (from->ss_family) {
	case AF_INET:
		memcpy(&v4, from, sizeof(v4));
		out->addr = addr_from_bytes((const uint8_t *)&v4.sin_addr, 4);
		out->port = ntohs(v4.sin_port);
		return true;
	case AF_INET6:
		memcpy(&v6, from, sizeof(v6));
		out->addr = addr_from_bytes((const uint8_t *)&v6.sin6_addr, 16);
		out->port = ntohs(v6.sin6_port);
		return true;
	default:
		return false;
	}
}
