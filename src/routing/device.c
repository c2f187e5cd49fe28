/* routing/device.c - TUNSETIFF and its friends.
 *
 * The device is persistent: when this process dies it loses its carrier but keeps routes
 * and rules, so that what they steer goes nowhere instead of leaving in clear. It has no
 * address, neither IPv4 nor link-local IPv6, and takes no part in router discovery.
 */
#include "config.h"

#include "routing/device.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "os/sockaddr.h"
#include "os/socket.h"

/* ---- the TUN ------------------------------------------------------------------ */

static bool fail(char *why, size_t why_cap, const char *what, const char *name)
{
	const char *hint = strerror(errno);

	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		hint = "no TUN here: the kernel needs CONFIG_TUN, and /dev/net/tun must "
		       "exist";
	else if (errno == EPERM || errno == EACCES)
		hint = "not permitted: run as root, or with CAP_NET_ADMIN";
	else if (errno == EBUSY)
		hint = "in use: another vipsecd runs here";
	snprintf(why, why_cap, "%s %s: %s", what, name, hint);
	return false;
}

static int attach(const char *name)
{
	struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -1;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &r) == 0 && ioctl(fd, TUNSETPERSIST, 1) == 0)
		return fd;
	return socket_give_up(fd);
}

/* Best effort: in a container these may be read-only, and the defaults only make noise
 * (router solicitations that the plane drops). */
static void set_ipv6_knob(const char *name, const char *knob, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", name, knob);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t n = write(fd, value, strlen(value));
	(void)n;
	close(fd);
}

static bool set_mtu(int fd, const char *name, uint32_t mtu)
{
	struct ifreq r = {.ifr_mtu = (int)mtu};

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	return ioctl(fd, SIOCSIFMTU, &r) == 0;
}

static bool bring_up(int fd, const char *name)
{
	struct ifreq r = {0};

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFFLAGS, &r) != 0)
		return false;
	r.ifr_flags = (short)(r.ifr_flags | IFF_UP);
	return ioctl(fd, SIOCSIFFLAGS, &r) == 0;
}

static bool configure(const char *name, uint32_t mtu)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	bool ok = set_mtu(fd, name, mtu);
	set_ipv6_knob(name, "disable_ipv6", "0");
	set_ipv6_knob(name, "addr_gen_mode", "1"); /* no link-local address */
	set_ipv6_knob(name, "accept_ra", "0");
	set_ipv6_knob(name, "router_solicitations", "0");
	ok = ok && bring_up(fd, name);
	close(fd);
	return ok;
}

bool device_open(struct device *d, const char *name, char *why, size_t why_cap)
{
	snprintf(d->name, sizeof(d->name), "%s", name);
	d->fd = attach(name);
	if (d->fd < 0)
		return fail(why, why_cap, "cannot open the TUN device", name);
	d->ifindex = if_nametoindex(name);
	if (d->ifindex != 0 && configure(name, DEVICE_MTU_DEFAULT - DEVICE_OVERHEAD))
		return true;
	fail(why, why_cap, "cannot configure the TUN device", name);
	close(d->fd);
	return false;
}

bool device_offers(char *why, size_t why_cap)
{
	struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI}; /* the kernel names it */
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && ioctl(fd, TUNSETIFF, &r) != 0)
		fd = socket_give_up(fd);
	if (fd < 0)
		return fail(why, why_cap, "cannot make a TUN device by", "/dev/net/tun");
	close(fd);
	return true;
}

/* Below 1280 octets IPv6 leaves a device, and comes back with the defaults: all is set. */
bool device_mend(const struct device *d, uint32_t mtu, char *why, size_t why_cap)
{
	if (configure(d->name, mtu))
		return true;
	return fail(why, why_cap, "cannot configure the TUN device", d->name);
}

void device_close(struct device *d, bool keep)
{
	if (!keep)
		ioctl(d->fd, TUNSETPERSIST, 0);
	close(d->fd);
}

/* ---- links -------------------------------------------------------------------- */

static uint32_t mtu_of(int fd, const char *name)
{
	struct ifreq r = {0};

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	return ioctl(fd, SIOCGIFMTU, &r) == 0 && r.ifr_mtu > 0 ? (uint32_t)r.ifr_mtu : 0;
}

enum device_state device_look(const struct device *d, uint32_t mtu)
{
	struct ifreq r = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	enum device_state state = DEVICE_FIT;

	if (fd < 0)
		return DEVICE_FIT; /* not known: whoever asks will ask again */
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", d->name);
	if (ioctl(fd, SIOCGIFFLAGS, &r) != 0)
		state = DEVICE_GONE;
	else if ((r.ifr_flags & IFF_UP) == 0)
		state = DEVICE_DOWN;
	else if (mtu_of(fd, d->name) < mtu)
		state = DEVICE_NARROW;
	close(fd);
	return state;
}

static bool is_among(const struct sockaddr *name, const struct addr *addrs, size_t n)
{
	struct sockaddr_storage s = {0};
	struct endpoint e;

	if (name->sa_family != AF_INET && name->sa_family != AF_INET6)
		return false;
	memcpy(&s, name,
		name->sa_family == AF_INET ? sizeof(struct sockaddr_in)
					   : sizeof(struct sockaddr_in6));
	if (!sockaddr_read(&s, &e))
		return false;
	for (size_t i = 0; i < n; i++)
		if (addr_equal(&addrs[i], &e.addr))
			return true;
	return false;
}

static bool can_carry(const struct ifaddrs *i)
{
	return (i->ifa_flags & IFF_UP) != 0 && (i->ifa_flags & IFF_LOOPBACK) == 0 &&
	       i->ifa_addr;
}

/* The smallest MTU of the links that count; 0: none does. */
static uint32_t smallest_mtu(const struct device *d, int fd, const struct ifaddrs *all,
	const struct addr *addrs, size_t n)
{
	uint32_t least = 0;

	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (!can_carry(i) || strcmp(i->ifa_name, d->name) == 0 ||
			(n > 0 && !is_among(i->ifa_addr, addrs, n)))
			continue;
		uint32_t mtu = mtu_of(fd, i->ifa_name);
		if (mtu != 0 && (least == 0 || mtu < least))
			least = mtu;
	}
	return least;
}

unsigned device_holding(const struct addr *a)
{
	struct ifaddrs *all;
	unsigned ifindex = 0;

	if (getifaddrs(&all) != 0)
		return 0;
	for (const struct ifaddrs *i = all; i && ifindex == 0; i = i->ifa_next)
		if (can_carry(i) && is_among(i->ifa_addr, a, 1))
			ifindex = if_nametoindex(i->ifa_name);
	freeifaddrs(all);
	return ifindex;
}

static uint32_t outer_mtu(
	const struct device *d, int fd, const struct addr *addrs, size_t n)
{
	struct ifaddrs *all;

	if (getifaddrs(&all) != 0)
		return DEVICE_MTU_DEFAULT;
	uint32_t mtu = smallest_mtu(d, fd, all, addrs, n);
	if (mtu == 0)
		mtu = smallest_mtu(d, fd, all, NULL, 0);
	freeifaddrs(all);
	return mtu != 0 ? mtu : DEVICE_MTU_DEFAULT;
}

uint32_t device_inner_mtu(const struct device *d, const struct addr *addrs, size_t n)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return DEVICE_MTU_DEFAULT - DEVICE_OVERHEAD;
	uint32_t mtu = outer_mtu(d, fd, addrs, n);
	mtu = mtu > DEVICE_OVERHEAD + DEVICE_MTU_MIN ? mtu - DEVICE_OVERHEAD
						     : DEVICE_MTU_MIN;
	if (mtu > DEVICE_MTU_MAX)
		mtu = DEVICE_MTU_MAX;
	uint32_t now = mtu_of(fd, d->name);
	if (now >= DEVICE_MTU_MIN && now < mtu)
		set_mtu(fd, d->name, mtu);
	else if (now < mtu)
		(void)configure(d->name, mtu); /* somebody took IPv6 from it */
	close(fd);
	return mtu;
}
