/* vlab-probe STREAM... - sends UDP probes from inside the lab's hosts, prints each reply.
 *
 *   STREAM = id,pid,address,port,interval_us[,mark[,size]]
 *
 * pid names the host whose network namespace the stream is sent from; one prober serves
 * any number of hosts. For each reply one line on standard output:
 *   id seq sent_ns received_ns node device-at-the-node device-here
 * Times are CLOCK_MONOTONIC; the receiving time is the kernel's own stamp. A stream keeps
 * its pace whatever comes back: what was not answered shows as a gap.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"

#define MAX_STREAMS 512
#define MAX_DATAGRAM 65000
#define NS_PER_S 1000000000ULL
#define WATCH_TIMER MAX_STREAMS
#define WATCH_STDIN (MAX_STREAMS + 1)

struct stream {
	uint32_t id;
	int fd;
	uint64_t interval_ns, due_ns, seq;
	size_t size;
	struct sockaddr_storage to;
	socklen_t to_len;
};

static struct stream streams[MAX_STREAMS];
static size_t stream_count;
static int64_t real_minus_mono_ns;

static uint64_t clock_ns(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, "vlab-probe: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void set_target(struct stream *s, const char *address, uint16_t port)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)&s->to;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&s->to;

	if (inet_pton(AF_INET, address, &sin->sin_addr) == 1) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(port);
		s->to_len = sizeof(*sin);
	} else if (inet_pton(AF_INET6, address, &sin6->sin6_addr) == 1) {
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons(port);
		s->to_len = sizeof(*sin6);
	} else {
		errno = EINVAL;
		fail(address);
	}
}

static void open_socket(struct stream *s, int pid, int mark)
{
	int on = 1;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd < 0 || setns(pidfd, CLONE_NEWNET) != 0)
		fail("enter the host");
	close(pidfd);
	s->fd = socket(s->to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		fail("socket");
	setsockopt(s->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	if (s->to.ss_family == AF_INET)
		setsockopt(s->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	else
		setsockopt(s->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	if (mark != 0 && setsockopt(s->fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0)
		fail("mark");
}

static void add_stream(char *text)
{
	char *word[7] = {NULL};
	size_t n = 0;

	for (char *w = strtok(text, ","); w != NULL && n < 7; w = strtok(NULL, ","))
		word[n++] = w;
	if (n < 5 || stream_count == MAX_STREAMS) {
		fprintf(stderr, "vlab-probe: bad stream\n");
		exit(2);
	}
	struct stream *s = &streams[stream_count++];
	s->id = (uint32_t)strtoul(word[0], NULL, 10);
	s->interval_ns = strtoull(word[4], NULL, 10) * 1000;
	s->size = n > 6 ? strtoul(word[6], NULL, 10) : sizeof(struct probe);
	if (s->size < sizeof(struct probe) || s->size > MAX_DATAGRAM ||
		s->interval_ns == 0)
		fail("size or interval");
	set_target(s, word[2], (uint16_t)atoi(word[3]));
	open_socket(s, atoi(word[1]), n > 5 ? atoi(word[5]) : 0);
}

static void send_probe(struct stream *s, uint64_t now)
{
	static char bytes[MAX_DATAGRAM];
	struct probe p = {
		.magic = PROBE_MAGIC, .stream = s->id, .seq = ++s->seq, .sent_ns = now};

	memcpy(bytes, &p, sizeof(p));
	(void)!sendto(s->fd, bytes, s->size, MSG_DONTWAIT, (struct sockaddr *)&s->to,
		s->to_len);
	s->due_ns += s->interval_ns;
	if (s->due_ns < now)
		s->due_ns = now + s->interval_ns;
}

struct reply {
	uint64_t received_ns;
	int ifindex;
};

static struct reply read_control(struct msghdr *msg)
{
	struct reply r = {.received_ns = clock_ns(CLOCK_MONOTONIC)};

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec t;
			memcpy(&t, CMSG_DATA(c), sizeof(t));
			int64_t real = (int64_t)t.tv_sec * (int64_t)NS_PER_S + t.tv_nsec;
			r.received_ns = (uint64_t)(real - real_minus_mono_ns);
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			r.ifindex = info.ipi_ifindex;
		} else if (c->cmsg_level == IPPROTO_IPV6 &&
			   c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			r.ifindex = (int)info.ipi6_ifindex;
		}
	}
	return r;
}

static bool take_reply(struct stream *s)
{
	static char bytes[MAX_DATAGRAM + 1];
	char control[256];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct probe p;
	ssize_t n = recvmsg(s->fd, &msg, MSG_DONTWAIT);

	if (n < 0)
		return errno == ECONNREFUSED || errno == EHOSTUNREACH || errno == EINTR;
	if ((size_t)n != s->size)
		return true;
	memcpy(&p, bytes, sizeof(p));
	if (p.magic != PROBE_MAGIC || p.stream != s->id)
		return true;
	struct reply r = read_control(&msg);
	struct ifreq ifr = {.ifr_ifindex = r.ifindex};
	if (ioctl(s->fd, SIOCGIFNAME, &ifr) != 0)
		snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "?");
	printf("%u %llu %llu %llu %.15s %.15s %.15s\n", s->id, (unsigned long long)p.seq,
		(unsigned long long)p.sent_ns, (unsigned long long)r.received_ns,
		p.node[0] ? p.node : "?", p.in_name[0] ? p.in_name : "?", ifr.ifr_name);
	return true;
}

static void arm(int timer, uint64_t due_ns)
{
	struct itimerspec when = {.it_value = {.tv_sec = (time_t)(due_ns / NS_PER_S),
					  .tv_nsec = (long)(due_ns % NS_PER_S)}};

	if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL) != 0)
		fail("timer");
}

static void send_due(int timer)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < stream_count; i++) {
		if (streams[i].due_ns <= now)
			send_probe(&streams[i], now);
		if (streams[i].due_ns < next)
			next = streams[i].due_ns;
	}
	arm(timer, next);
}

static void watch(int poll_fd, int fd, uint64_t what)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = what};

	if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
		fail("epoll_ctl");
}

/* Streams of one interval are spread over it. */
static void start_clock(int timer)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	real_minus_mono_ns = (int64_t)(clock_ns(CLOCK_REALTIME) - now);
	for (size_t i = 0; i < stream_count; i++)
		streams[i].due_ns = now + streams[i].interval_ns * i / stream_count;
	arm(timer, now + 1);
}

/* False when standard input has ended: whoever started us is gone, or wants an end. */
static bool one_turn(int poll_fd, int timer)
{
	struct epoll_event events[64];
	uint64_t ticks;
	int n = epoll_wait(poll_fd, events, 64, -1);

	for (int i = 0; i < n; i++) {
		uint64_t what = events[i].data.u64;
		if (what == WATCH_STDIN)
			return read(STDIN_FILENO, &ticks, 1) > 0;
		if (what == WATCH_TIMER) {
			if (read(timer, &ticks, sizeof(ticks)) > 0)
				send_due(timer);
			continue;
		}
		while (take_reply(&streams[what]))
			continue;
	}
	fflush(stdout);
	return true;
}

int main(int argc, char **argv)
{
	struct sched_param prio = {.sched_priority = 10};
	int poll_fd = epoll_create1(0);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);

	for (int i = 1; i < argc; i++)
		add_stream(argv[i]);
	if (stream_count == 0) {
		fprintf(stderr, "usage: vlab-probe id,pid,address,port,interval_us...\n");
		return 2;
	}
	/* A measuring device must not wait for what it measures; without the right to
	 * real-time priority it measures a little less sharply. */
	(void)sched_setscheduler(0, SCHED_FIFO, &prio);
	for (size_t i = 0; i < stream_count; i++)
		watch(poll_fd, streams[i].fd, i);
	watch(poll_fd, timer, WATCH_TIMER);
	watch(poll_fd, STDIN_FILENO, WATCH_STDIN);
	start_clock(timer);
	while (one_turn(poll_fd, timer))
		continue;
	return 0;
}
