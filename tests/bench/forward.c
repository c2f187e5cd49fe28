/* forward.c - the plainest encrypting forwarder there can be, to measure ours against.
 *
 *     bench-forward DEVICE LOCAL REMOTE udp|esp
 *
 * What is read from the TUN is sealed with AES-128-GCM and sent; what comes back is opened
 * and written into the TUN: one packet, one system call. It frames as ESP does (SPI, number,
 * IV, padding, tag) and does nothing else that RFC 4303 and 4301 ask for: no SA or policy is
 * looked up, no replay window kept, no gate asked, no MTU minded, and its key is known to
 * everybody. Not a protocol: for namespaces of a benchmark only.
 */
#include "crypto/aead.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	HEADER = 16, /* SPI, number, IV */
	TRAILER = 2,
	PACKET_MAX = 2048,
	IP_HEADER = 20,
	BUFFERS = 4 << 20,
	AT_ONCE = 64, /* before the other side gets its turn */
	PORT = 4500
};

struct forwarder {
	int tun, net;
	bool raw;
	struct aead *seal, *open;
	uint64_t iv;
	uint8_t packet[PACKET_MAX];
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int open_tun(const char *name)
{
	struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r) != 0)
		die("TUN");
	return fd;
}

static struct sockaddr_in name_of(const char *addr, bool raw)
{
	struct sockaddr_in n = {.sin_family = AF_INET, .sin_port = raw ? 0 : htons(PORT)};

	if (inet_pton(AF_INET, addr, &n.sin_addr) != 1)
		die(addr);
	return n;
}

static int open_net(const char *local, const char *remote, bool raw)
{
	struct sockaddr_in from = name_of(local, raw), to = name_of(remote, raw);
	int fd = socket(AF_INET, (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC,
		raw ? IPPROTO_ESP : IPPROTO_UDP);
	int size = BUFFERS;

	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
		connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

/* False: nothing was there. */
static bool outward(struct forwarder *f)
{
	uint8_t *text = f->packet + HEADER;
	ssize_t n = read(f->tun, text, PACKET_MAX - HEADER - TRAILER - 4 - AEAD_TAG_LEN);

	if (n <= 0)
		return false;
	size_t len = (size_t)n;
	size_t pad = (4 - (len + TRAILER) % 4) % 4;
	for (size_t i = 1; i <= pad; i++)
		text[len++] = (uint8_t)i;
	text[len++] = (uint8_t)pad;
	text[len++] = 4;
	f->iv++;
	memset(f->packet, 1, 4);
	for (unsigned i = 0; i < 4; i++)
		f->packet[4 + i] = (uint8_t)(f->iv >> (24 - 8 * i));
	memcpy(f->packet + 8, &f->iv, sizeof(f->iv));
	if (aead_seal(f->seal, f->iv, span_of(f->packet, 8), span_of(text, len), text) !=
		CRYPTO_OK)
		die("seal");
	/* What the network refuses is lost, as on any link. */
	n = send(f->net, f->packet, HEADER + len + AEAD_TAG_LEN, 0);
	return true;
}

static bool inward(struct forwarder *f)
{
	ssize_t n = recv(f->net, f->packet, PACKET_MAX, MSG_DONTWAIT);
	ssize_t skip = f->raw ? IP_HEADER : 0;
	uint8_t *at = f->packet + skip;
	uint64_t iv;

	if (n < 0)
		return false;
	if (n < skip + HEADER + TRAILER + AEAD_TAG_LEN)
		return true;
	size_t sealed = (size_t)(n - skip) - HEADER, len = sealed - AEAD_TAG_LEN;
	memcpy(&iv, at + 8, sizeof(iv));
	if (aead_open(f->open, iv, span_of(at, 8), span_of(at + HEADER, sealed),
		    at + HEADER) != CRYPTO_OK)
		return true;
	len -= TRAILER + (size_t)at[HEADER + len - TRAILER];
	n = write(f->tun, at + HEADER, len);
	return true;
}

static struct aead *keyed(uint8_t first)
{
	uint8_t key[16 + AEAD_SALT_LEN] = {first};
	struct aead *a = aead_new(AEAD_AES128_GCM16, span_of(key, sizeof(key)));

	if (a == NULL)
		die("key");
	return a;
}

int main(int argc, char **argv)
{
	struct forwarder f = {0};

	if (argc != 5) {
		fprintf(stderr, "usage: bench-forward DEVICE LOCAL REMOTE udp|esp\n");
		return 2;
	}
	f.raw = strcmp(argv[4], "esp") == 0;
	f.tun = open_tun(argv[1]);
	f.net = open_net(argv[2], argv[3], f.raw);
	bool first = strcmp(argv[2], argv[3]) < 0; /* a key for each direction */
	f.seal = keyed(first ? 1 : 2);
	f.open = keyed(first ? 2 : 1);
	struct pollfd p[] = {{f.tun, POLLIN, 0}, {f.net, POLLIN, 0}};
	for (;;) {
		if (poll(p, 2, -1) < 0)
			die("poll");
		for (int i = 0; i < AT_ONCE && outward(&f); i++)
			;
		for (int i = 0; i < AT_ONCE && inward(&f); i++)
			;
	}
}
