/* port/announce.c - gratuitous ARP (RFC 826, RFC 5227) and unsolicited neighbour
 * advertisements (RFC 4861 7.2.6), built by hand and sent once.
 *
 * Both forms of ARP are sent, since some switches and hosts heed only the one or the
 * other. Neither passes the guard's hooks for ARP; the advertisement passes by the
 * guard's exemption for neighbour discovery.
 */
#include "config.h"

#include "port/announce.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/sockaddr.h"

struct announcer {
	int packet; /* sends only: bound to no protocol */
};

struct announcer *announcer_new(void)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return NULL;
	struct announcer *n = mem_new(1, sizeof(*n));
	n->packet = fd;
	return n;
}

void announcer_free(struct announcer *n)
{
	if (!n)
		return;
	close(n->packet);
	free(n);
}

struct hardware {
	unsigned ifindex;
	uint8_t mac[ETH_ALEN];
};

/* False: the link has no neighbours to tell, or no Ethernet address. */
static bool find_hardware(
	const struct ifaddrs *all, const char *name, struct hardware *out)
{
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct sockaddr_ll ll;
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_PACKET ||
			strcmp(i->ifa_name, name) != 0)
			continue;
		memcpy(&ll, i->ifa_addr, sizeof(ll));
		if (ll.sll_hatype != ARPHRD_ETHER || ll.sll_halen != ETH_ALEN ||
			(i->ifa_flags & (IFF_NOARP | IFF_LOOPBACK)) != 0)
			return false;
		out->ifindex = (unsigned)ll.sll_ifindex;
		memcpy(out->mac, ll.sll_addr, ETH_ALEN);
		return true;
	}
	return false;
}

static int send_arp(int fd, const struct hardware *hw, const struct addr *a, uint16_t op)
{
	static const uint8_t everyone[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ARP),
		.sll_ifindex = (int)hw->ifindex,
		.sll_halen = ETH_ALEN,
	};
	struct ether_arp arp = {
		.ea_hdr = {.ar_hrd = htons(ARPHRD_ETHER),
			.ar_pro = htons(ETH_P_IP),
			.ar_hln = ETH_ALEN,
			.ar_pln = 4,
			.ar_op = htons(op)},
	};

	memcpy(to.sll_addr, everyone, ETH_ALEN);
	memcpy(arp.arp_sha, hw->mac, ETH_ALEN);
	memcpy(arp.arp_spa, a->b, 4);
	memcpy(arp.arp_tha, everyone, ETH_ALEN);
	memcpy(arp.arp_tpa, a->b, 4);
	if (sendto(fd, &arp, sizeof(arp), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return errno;
	return 0;
}

static int announce_v4(
	const struct announcer *n, const struct hardware *hw, const struct addr *a)
{
	int err = send_arp(n->packet, hw, a, ARPOP_REQUEST);

	return err != 0 ? err : send_arp(n->packet, hw, a, ARPOP_REPLY);
}

struct advertisement {
	struct nd_neighbor_advert na;
	struct nd_opt_hdr option;
	uint8_t mac[ETH_ALEN];
};
_Static_assert(sizeof(struct advertisement) == 32, "as on the wire");

static struct advertisement advertisement_of(
	const struct hardware *hw, const struct addr *a)
{
	struct advertisement m = {
		.na = {.nd_na_hdr = {.icmp6_type = ND_NEIGHBOR_ADVERT}},
		.option = {.nd_opt_type = ND_OPT_TARGET_LINKADDR, .nd_opt_len = 1},
	};

	m.na.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE;
	memcpy(&m.na.nd_na_target, a->b, 16);
	memcpy(m.mac, hw->mac, ETH_ALEN);
	return m;
}

static int send_advertisement(int fd, const struct hardware *hw, const struct addr *a)
{
	int hops = 255; /* RFC 4861 7.1.2: receivers insist */
	int index = (int)hw->ifindex;
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_scope_id = hw->ifindex};
	struct sockaddr_storage from;
	socklen_t from_len = sockaddr_of(a, 0, &from);
	struct advertisement m = advertisement_of(hw, a);

	to.sin6_addr.s6_addr[0] = 0xff; /* ff02::1, all nodes */
	to.sin6_addr.s6_addr[1] = 0x02;
	to.sin6_addr.s6_addr[15] = 0x01;
	/* The kernel fills in ICMPv6 checksums on raw sockets. */
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) != 0 ||
		setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof(index)) !=
			0 ||
		bind(fd, (struct sockaddr *)&from, from_len) != 0 ||
		sendto(fd, &m, sizeof(m), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return errno;
	return 0;
}

static int announce_v6(const struct hardware *hw, const struct addr *a)
{
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);

	if (fd < 0)
		return errno;
	int err = send_advertisement(fd, hw, a);
	close(fd);
	return err;
}

static bool has_address(const struct ifaddrs *i, const struct addr *a)
{
	struct sockaddr_storage name = {0};
	struct endpoint e;

	if (!i->ifa_addr || i->ifa_addr->sa_family != sockaddr_family(a))
		return false;
	memcpy(&name, i->ifa_addr,
		a->family == ADDR_V4 ? sizeof(struct sockaddr_in)
				     : sizeof(struct sockaddr_in6));
	return sockaddr_read(&name, &e) && addr_equal(&e.addr, a);
}

int announce_address(struct announcer *n, const struct addr *a)
{
	struct ifaddrs *all;
	int result = EADDRNOTAVAIL;

	if (getifaddrs(&all) != 0)
		return errno;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct hardware hw;
		if (!has_address(i, a))
			continue;
		int err = 0;
		if (find_hardware(all, i->ifa_name, &hw))
			err = a->family == ADDR_V4 ? announce_v4(n, &hw, a)
						   : announce_v6(&hw, a);
		if (result == EADDRNOTAVAIL || err != 0)
			result = err;
	}
	freeifaddrs(all);
	return result;
}
