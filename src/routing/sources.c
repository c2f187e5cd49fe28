/* routing/sources.c - asks the main table, and the kernel by connecting a UDP socket that
 * never sends (with our mark, so that steering does not catch it).
 *
 * IPv6 needs none of this: source selection (RFC 6724) looks at all links, so only an
 * explicit source of a route is carried over.
 */
#include "config.h"

#include "routing/sources.h"

#include <linux/in6.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/sockaddr.h"

enum { DISCARD_PORT = 9 };

static int connect_marked(uint32_t mark, const struct endpoint *local,
	const struct addr *remote, uint16_t port)
{
	struct sockaddr_storage name;
	int fd = socket(sockaddr_family(remote), SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	bool ok = setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) == 0;
	if (ok && local) {
		socklen_t len = sockaddr_of(&local->addr, 0, &name);
		ok = bind(fd, (struct sockaddr *)&name, len) == 0;
	}
	if (ok) {
		socklen_t len = sockaddr_of(remote, port, &name);
		ok = connect(fd, (struct sockaddr *)&name, len) == 0;
	}
	if (ok)
		return fd;
	close(fd);
	return -1;
}

uint32_t sources_path_mtu(
	uint32_t mark, const struct endpoint *local, const struct endpoint *remote)
{
	int fd = connect_marked(mark, local, &remote->addr, DISCARD_PORT);
	int mtu = 0;
	socklen_t len = sizeof(mtu);

	if (fd < 0)
		return 0;
	bool v4 = remote->addr.family == ADDR_V4;
	if (getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU : IPV6_MTU, &mtu,
		    &len) != 0)
		mtu = 0;
	close(fd);
	return mtu > 0 ? (uint32_t)mtu : 0;
}

/* The source address that traffic to this one address would have. */
static struct addr source_towards(uint32_t mark, const struct addr *remote)
{
	struct sockaddr_storage name = {0};
	socklen_t len = sizeof(name);
	struct endpoint e = {.addr = {.family = ADDR_NONE}};
	int fd = connect_marked(mark, NULL, remote, DISCARD_PORT);

	if (fd < 0)
		return e.addr;
	if (getsockname(fd, (struct sockaddr *)&name, &len) == 0)
		sockaddr_read(&name, &e);
	close(fd);
	return e.addr;
}

/* An address inside the prefix that stands for it: the first host. */
static struct addr host_of(const struct prefix *p)
{
	struct addr a = p->addr;

	if (p->bits < 8 * addr_len(&a))
		a.b[addr_len(&a) - 1] |= 1;
	return a;
}

static struct addr source_of(uint32_t mark, const struct netlink_route *r)
{
	if (addr_is_set(&r->src) || r->dst.addr.family == ADDR_V6)
		return r->src;
	struct addr target = addr_is_set(&r->gateway) ? r->gateway : host_of(&r->dst);
	return source_towards(mark, &target);
}

static bool lies_in(const struct prefix *inner, const struct prefix *outer)
{
	return inner->bits >= outer->bits && prefix_contains(outer, &inner->addr);
}

static void split(uint32_t mark, const struct prefix *dst,
	const struct netlink_route *main, size_t n_main, struct source *out, size_t *n)
{
	const struct netlink_route *cover = NULL;

	for (size_t i = 0; i < n_main; i++) {
		const struct netlink_route *r = &main[i];
		bool strictly_in = r->dst.bits > dst->bits && lies_in(&r->dst, dst);
		if (lies_in(dst, &r->dst) && (!cover || r->dst.bits > cover->dst.bits))
			cover = r;
		if (strictly_in && *n < SOURCES_MAX - 1)
			out[(*n)++] = (struct source){r->dst, source_of(mark, r)};
	}
	if (cover)
		out[(*n)++] = (struct source){*dst, source_of(mark, cover)};
}

size_t sources_find(struct nl_sock *s, uint32_t mark, const struct prefix *dst,
	struct source out[SOURCES_MAX])
{
	struct netlink_route *main = mem_new(SOURCES_MAX, sizeof(*main));
	size_t n_main = 0, n = 0;

	if (netlink_read_main(s, dst->addr.family, main, SOURCES_MAX, &n_main) == 0)
		split(mark, dst, main, n_main, out, &n);
	free(main);
	return n;
}
