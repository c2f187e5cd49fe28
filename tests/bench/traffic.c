/* traffic.c - as much TCP or UDP as goes from one host to another, counted where it
 * arrives.
 *
 *     bench-traffic sink ADDR PORT                both protocols, until killed
 *     bench-traffic tcp ADDR PORT MS              prints: octets ns
 *     bench-traffic udp ADDR PORT MS SIZE         prints: datagrams-arrived ns sent
 *
 * TCP: the sink answers with the number of octets when the sender has closed, so the time
 * is that of delivery. UDP: the sender never waits; the sink tells, when asked, how many
 * datagrams of this run came and how long it took from the first to the last.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	CHUNK = 1 << 17,
	BUFFERS = 4 << 20,
	DATAGRAM_MAX = 65507,
	ASK_MS = 200,
	ASKS = 20
};

/* In front of each datagram; the rest is zeros. */
struct label {
	uint32_t run; /* of the sender: its process id */
	uint32_t question;
};
struct tally {
	uint64_t count, ns;
};

static uint8_t chunk[CHUNK];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct sockaddr_in name_of(const char *addr, const char *port)
{
	struct sockaddr_in n = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(port, NULL, 10))};

	if (inet_pton(AF_INET, addr, &n.sin_addr) != 1) {
		fprintf(stderr, "%s: not an IPv4 address\n", addr);
		exit(2);
	}
	return n;
}

static int open_socket(int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	int one = 1, size = BUFFERS;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (type == SOCK_DGRAM)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

/* ---- the sink ----------------------------------------------------------------- */

static void take_stream(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	uint64_t octets = 0;
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		octets += (uint64_t)n;
	n = send(fd, &octets, sizeof(octets), MSG_NOSIGNAL);
	if (n != (ssize_t)sizeof(octets))
		perror("answer");
	close(fd);
}

static void answer(int fd, const struct tally *t, const struct sockaddr_in *to)
{
	if (sendto(fd, t, sizeof(*t), 0, (const struct sockaddr *)to, sizeof(*to)) < 0)
		perror("answer");
}

static void take_datagrams(int fd)
{
	static struct tally tally;
	static uint32_t run;
	static uint64_t first_ns;
	struct sockaddr_in from;
	struct label l;
	socklen_t len = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(fd, chunk, sizeof(chunk), MSG_DONTWAIT,
			(struct sockaddr *)&from, &len)) >= (ssize_t)sizeof(l)) {
		memcpy(&l, chunk, sizeof(l));
		if (l.run != run) {
			run = l.run;
			tally = (struct tally){0};
			first_ns = now_ns();
		}
		if (l.question != 0) {
			answer(fd, &tally, &from);
			continue;
		}
		tally.count++;
		if (tally.count % 16 == 1) /* the clock is not for each */
			tally.ns = now_ns() - first_ns;
		len = sizeof(from);
	}
}

static _Noreturn void sink(const char *addr, const char *port)
{
	struct sockaddr_in name = name_of(addr, port);
	struct pollfd p[] = {{.fd = open_socket(SOCK_STREAM), .events = POLLIN},
		{.fd = open_socket(SOCK_DGRAM), .events = POLLIN}};

	for (int i = 0; i < 2; i++)
		if (bind(p[i].fd, (struct sockaddr *)&name, sizeof(name)) != 0)
			die("bind");
	if (listen(p[0].fd, 4) != 0)
		die("listen");
	for (;;) {
		if (poll(p, 2, -1) < 0)
			die("poll");
		if (p[0].revents)
			take_stream(p[0].fd);
		if (p[1].revents)
			take_datagrams(p[1].fd);
	}
}

/* ---- senders -------------------------------------------------------------------- */

static int connect_to(int type, const char *addr, const char *port)
{
	struct sockaddr_in to = name_of(addr, port);
	int fd = open_socket(type);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		die("connect");
	return fd;
}

static int send_stream(const char *addr, const char *port, unsigned long ms)
{
	int fd = connect_to(SOCK_STREAM, addr, port);
	uint64_t begun = now_ns(), octets = 0;

	while (now_ns() - begun < ms * 1000000u)
		if (send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) <= 0)
			die("send");
	if (shutdown(fd, SHUT_WR) != 0 ||
		recv(fd, &octets, sizeof(octets), MSG_WAITALL) != sizeof(octets))
		die("answer");
	printf("%llu %llu\n", (unsigned long long)octets,
		(unsigned long long)(now_ns() - begun));
	return 0;
}

/* Asked until the same answer comes twice: by then nothing is on its way any more. */
static struct tally ask(int fd, uint32_t run)
{
	struct label l = {run, 1};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct tally last = {.count = UINT64_MAX}, t;

	for (unsigned i = 0; i < ASKS; i++) {
		ssize_t n = send(fd, &l, sizeof(l), 0);
		if (n < 0 || poll(&p, 1, ASK_MS) <= 0)
			continue;
		if (recv(fd, &t, sizeof(t), 0) != sizeof(t))
			continue;
		if (t.count == last.count)
			return t;
		last = t;
		usleep(20000);
	}
	fprintf(stderr, "the sink does not answer\n");
	exit(1);
}

static int send_datagrams(
	const char *addr, const char *port, unsigned long ms, unsigned long size)
{
	int fd = connect_to(SOCK_DGRAM, addr, port);
	struct label l = {(uint32_t)getpid() ^ (uint32_t)now_ns(), 0};
	uint64_t begun = now_ns();
	unsigned long sent = 0;

	if (size < sizeof(l) || size > DATAGRAM_MAX) {
		fprintf(stderr, "a size of 8 to %d\n", DATAGRAM_MAX);
		return 2;
	}
	memcpy(chunk, &l, sizeof(l));
	while (now_ns() - begun < ms * 1000000u) {
		/* A full queue is what this is about. */
		if (send(fd, chunk, size, 0) < 0 && errno != ENOBUFS && errno != EAGAIN)
			die("send");
		sent++;
	}
	struct tally t = ask(fd, l.run);
	printf("%llu %llu %lu\n", (unsigned long long)t.count, (unsigned long long)t.ns,
		sent);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "sink") == 0)
		sink(argv[2], argv[3]);
	if (argc == 5 && strcmp(argv[1], "tcp") == 0)
		return send_stream(argv[2], argv[3], strtoul(argv[4], NULL, 10));
	if (argc == 6 && strcmp(argv[1], "udp") == 0)
		return send_datagrams(argv[2], argv[3], strtoul(argv[4], NULL, 10),
			strtoul(argv[5], NULL, 10));
	fprintf(stderr, "usage: bench-traffic sink ADDR PORT | tcp ADDR PORT MS | "
			"udp ADDR PORT MS SIZE\n");
	return 2;
}
