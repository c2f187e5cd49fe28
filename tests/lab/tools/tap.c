/* vlab-tap [-e] HOST PORT,PORT... DEVICE... - watches links for packets in clear.
 *
 * One line on standard output for each packet on a DEVICE to or from HOST (an address)
 * that is UDP or TCP, in clear, with one of the PORTs at either end; also for each IKE
 * message of HOST and each ARP or neighbour announcement of it, for timelines; with -e
 * for each ESP packet as well. The line:
 *   monotonic_ns device in|out kind source sport destination dport length
 * where "in" is what the device received: on a bridge port, what the host behind it sent.
 * A fragment without ports is reported as kind "frag": nobody can say what it belongs to.
 * Reads until it is ended.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_DEVICES 256
#define MAX_PORTS 16
#define IKE_PORT 500
#define NAT_PORT 4500

static uint8_t host[16];
static size_t host_len;
static uint16_t ports[MAX_PORTS];
static size_t port_count;
static bool want_esp;

struct packet {
	const uint8_t *src, *dst, *body;
	size_t len; /* of body */
	uint8_t proto;
	bool later_fragment;
};

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static bool is_watched(uint16_t port)
{
	for (size_t i = 0; i < port_count; i++)
		if (ports[i] == port)
			return true;
	return false;
}

static bool read_ipv4(const uint8_t *at, size_t n, struct packet *p)
{
	if (n < sizeof(struct iphdr) || host_len != 4)
		return false;
	size_t head = (size_t)(at[0] & 15) * 4;
	if (head < sizeof(struct iphdr) || n < head)
		return false;
	*p = (struct packet){.src = at + 12,
		.dst = at + 16,
		.body = at + head,
		.len = n - head,
		.proto = at[9],
		.later_fragment = (get16(at + 6) & 0x1fff) != 0};
	return true;
}

static bool read_ipv6(const uint8_t *at, size_t n, struct packet *p)
{
	if (n < sizeof(struct ip6_hdr) || host_len != 16)
		return false;
	*p = (struct packet){.src = at + 8,
		.dst = at + 24,
		.body = at + 40,
		.len = n - 40,
		.proto = at[6]};
	if (p->proto == IPPROTO_FRAGMENT && p->len >= 8) {
		p->later_fragment = (get16(p->body + 2) & 0xfff8) != 0;
		p->proto = p->body[0];
		p->body += 8;
		p->len -= 8;
	}
	return true;
}

/* What the packet is to us, or NULL for a packet that is not our business. */
static const char *name_kind(const struct packet *p)
{
	if (p->proto == IPPROTO_ESP)
		return want_esp ? "esp" : NULL;
	if (p->proto == IPPROTO_AH)
		return want_esp ? "ah" : NULL;
	if (p->proto == IPPROTO_ICMPV6 && p->len >= 1 && p->body[0] == 136)
		return "neighbour";
	if (p->proto != IPPROTO_UDP && p->proto != IPPROTO_TCP)
		return NULL;
	if (p->later_fragment)
		return "frag";
	if (p->len < 8)
		return NULL;
	uint16_t sport = get16(p->body);
	uint16_t dport = get16(p->body + 2);
	if (is_watched(sport) || is_watched(dport))
		return p->proto == IPPROTO_UDP ? "udp" : "tcp";
	if (p->proto != IPPROTO_UDP)
		return NULL;
	if (sport == IKE_PORT || dport == IKE_PORT)
		return "ike";
	if ((sport != NAT_PORT && dport != NAT_PORT) || p->len < 12)
		return NULL;
	if (memcmp(p->body + 8, "\0\0\0\0", 4) == 0)
		return "ike";
	return want_esp ? "esp" : NULL;
}

static void print_line(
	const char *device, bool in, const char *kind, const struct packet *p, size_t len)
{
	char src[INET6_ADDRSTRLEN];
	char dst[INET6_ADDRSTRLEN];
	int family = host_len == 4 ? AF_INET : AF_INET6;
	bool has_ports = !p->later_fragment && p->len >= 4 &&
			 (p->proto == IPPROTO_UDP || p->proto == IPPROTO_TCP);
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	printf("%lld%09ld %s %s %s %s %u %s %u %zu\n", (long long)t.tv_sec, t.tv_nsec,
		device, in ? "in" : "out", kind,
		inet_ntop(family, p->src, src, sizeof(src)),
		has_ports ? get16(p->body) : 0u,
		inet_ntop(family, p->dst, dst, sizeof(dst)),
		has_ports ? get16(p->body + 2) : 0u, len);
}

static bool is_hosts(const struct packet *p)
{
	return memcmp(p->src, host, host_len) == 0 || memcmp(p->dst, host, host_len) == 0;
}

static void look_at(
	const char *device, bool in, uint16_t type, const uint8_t *at, size_t n)
{
	struct packet p;
	bool ip = false;

	if (type == ETH_P_IP)
		ip = read_ipv4(at, n, &p);
	else if (type == ETH_P_IPV6)
		ip = read_ipv6(at, n, &p);
	else if (type == ETH_P_ARP && n >= 28 && host_len == 4) {
		p = (struct packet){.src = at + 14, .dst = at + 24};
		if (is_hosts(&p))
			print_line(device, in, "arp", &p, n);
		return;
	}
	if (!ip || !is_hosts(&p))
		return;
	const char *kind = name_kind(&p);
	if (kind != NULL)
		print_line(device, in, kind, &p, n);
}

static int open_device(const char *device)
{
	int room = 8 << 20;
	unsigned ifindex = if_nametoindex(device);
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)ifindex};
	int fd = ifindex ? socket(AF_PACKET, SOCK_DGRAM, 0) : -1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
		fprintf(stderr, "vlab-tap: %s: %s\n", device, strerror(errno));
		exit(1);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	return fd;
}

static void drain(int fd, const char *device)
{
	uint8_t bytes[128];
	struct sockaddr_ll from;
	ssize_t n;

	do {
		socklen_t len = sizeof(from);
		n = recvfrom(fd, bytes, sizeof(bytes), MSG_DONTWAIT,
			(struct sockaddr *)&from, &len);
		if (n > 0)
			look_at(device, from.sll_pkttype != PACKET_OUTGOING,
				ntohs(from.sll_protocol), bytes, (size_t)n);
	} while (n > 0);
}

static void read_ports(char *text)
{
	for (char *w = strtok(text, ","); w != NULL && port_count < MAX_PORTS;
		w = strtok(NULL, ","))
		ports[port_count++] = (uint16_t)atoi(w);
}

int main(int argc, char **argv)
{
	struct pollfd fds[MAX_DEVICES];

	if (argc > 1 && strcmp(argv[1], "-e") == 0) {
		want_esp = true;
		argv++;
		argc--;
	}
	if (argc < 4 || argc - 3 > MAX_DEVICES) {
		fprintf(stderr, "usage: vlab-tap [-e] HOST PORT,PORT... DEVICE...\n");
		return 2;
	}
	host_len = strchr(argv[1], ':') != NULL ? 16 : 4;
	if (inet_pton(host_len == 4 ? AF_INET : AF_INET6, argv[1], host) != 1) {
		fprintf(stderr, "vlab-tap: bad address %s\n", argv[1]);
		return 2;
	}
	read_ports(argv[2]);
	nfds_t count = (nfds_t)(argc - 3);
	for (nfds_t i = 0; i < count; i++)
		fds[i] =
			(struct pollfd){.fd = open_device(argv[3 + i]), .events = POLLIN};
	printf("ready\n");
	fflush(stdout);
	while (poll(fds, count, -1) >= 0 || errno == EINTR) {
		for (nfds_t i = 0; i < count; i++)
			if (fds[i].revents != 0)
				drain(fds[i].fd, argv[3 + i]);
		fflush(stdout);
	}
	return 1;
}
