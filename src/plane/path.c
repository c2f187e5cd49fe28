/* plane/path.c - reads a batch, lets esp/ judge and transform it, hands it on.
 *
 * Slots of a slab hold what is read, with room around it so that esp/ can seal in place.
 * Sealed packets that go out of one socket with one DF leave in one system call. What
 * the kernel cannot take is dropped and counted, as any router would; only a full buffer
 * is waited for, briefly, which slows the TUN's writer down instead of losing packets.
 *
 * RFC 3948: on port 4500 four octets of zero in front mean IKE; the rest is ESP, and
 * one octet of 0xff keeps a mapping alive (esp/ counts it).
 */
#include "config.h"

#include "plane/path.h"

#include <errno.h>
#include <time.h> /* errqueue.h wants it before */
#include <linux/errqueue.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/iana.h"
#include "base/mem.h"
#include "plane/device.h"
#include "os/sockaddr.h"
#include "plane/thread.h"
#include "plane/toobig.h"

enum {
	PACKET_MAX = 65536,
	SLOT = ESP_ROOM_BEFORE + PACKET_MAX + ESP_ROOM_AFTER,
	CONTROL = 64,
	FULL_WAIT_MS = 2,
	ERRORS_AT_ONCE = 32,
	MARKER = 4 /* RFC 3948 2.2 */
};

struct path {
	struct esp_batch batch;
	struct mmsghdr messages[ESP_BATCH_MAX];
	struct iovec vectors[ESP_BATCH_MAX];
	struct sockaddr_storage names[ESP_BATCH_MAX];
	_Alignas(struct cmsghdr) uint8_t control[ESP_BATCH_MAX][CONTROL];
	/* For receiving, written once; what the kernel changes is put back before the next
	 * call, for as many as it filled. */
	struct mmsghdr in_messages[ESP_BATCH_MAX];
	struct iovec in_vectors[ESP_BATCH_MAX];
	unsigned filled;
	uint8_t *slab;
};

static uint8_t *slot(struct path *p, unsigned i)
{
	return p->slab + (size_t)i * SLOT + ESP_ROOM_BEFORE;
}

struct path *path_new(void)
{
	struct path *p = mem_new(1, sizeof(*p));

	p->slab = mem_new(ESP_BATCH_MAX, SLOT);
	for (unsigned i = 0; i < ESP_BATCH_MAX; i++) {
		p->in_vectors[i] = (struct iovec){slot(p, i), PACKET_MAX};
		p->in_messages[i].msg_hdr = (struct msghdr){
			.msg_name = &p->names[i],
			.msg_iov = &p->in_vectors[i],
			.msg_iovlen = 1,
			.msg_control = p->control[i],
		};
	}
	p->filled = ESP_BATCH_MAX;
	return p;
}

void path_free(struct path *p)
{
	wipe(p->slab, (size_t)ESP_BATCH_MAX * SLOT);
	free(p->slab);
	free(p);
}

/* ---- out of the batch ------------------------------------------------------------ */

static void inject(struct data *d, const struct esp_packet *pkt)
{
	if (write(d->tun_fd, pkt->at, pkt->len) == (ssize_t)pkt->len)
		d->totals.tun_writes++;
	else
		d->totals.send_errors++;
}

static void set_control(struct msghdr *m, const struct esp_packet *pkt, uint8_t *control)
{
	int tos = pkt->tos;

	m->msg_control = NULL;
	m->msg_controllen = 0;
	if (tos == 0)
		return;
	bool v4 = pkt->remote.addr.family == ADDR_V4;
	m->msg_control = control;
	m->msg_controllen = CMSG_SPACE(sizeof(tos));
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	c->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	c->cmsg_type = v4 ? IP_TOS : IPV6_TCLASS;
	c->cmsg_len = CMSG_LEN(sizeof(tos));
	memcpy(CMSG_DATA(c), &tos, sizeof(tos));
}

static void set_message(struct path *p, unsigned i, const struct esp_packet *pkt)
{
	struct msghdr *m = &p->messages[i].msg_hdr;
	/* Raw IPv6 sockets take the port for a protocol number. */
	uint16_t port = pkt->encap ? pkt->remote.port : 0;

	p->vectors[i] = (struct iovec){.iov_base = pkt->at, .iov_len = pkt->len};
	memset(m, 0, sizeof(*m));
	m->msg_name = &p->names[i];
	m->msg_namelen = sockaddr_of(&pkt->remote.addr, port, &p->names[i]);
	m->msg_iov = &p->vectors[i];
	m->msg_iovlen = 1;
	set_control(m, pkt, p->control[i]);
}

/* After an error of the first message left: is it to be tried once more? */
static bool try_again(
	struct data *d, const struct local_socket *s, int err, uint64_t now_ms)
{
	struct pollfd full = {.fd = s->fd, .events = POLLOUT};

	if (err == EINTR)
		return true;
	if (err == EAGAIN || err == ENOBUFS)
		return poll(&full, 1, FULL_WAIT_MS) > 0;
	/* An ICMP error for an earlier datagram is told to whoever sends next: read it, and
	 * the way is free. EMSGSIZE is told the same way and concerns this one. */
	path_read_errors(d, s, now_ms);
	return err != EMSGSIZE;
}

static void send_messages(
	struct data *d, struct local_socket *s, unsigned n, uint64_t now_ms)
{
	struct path *p = d->path;
	unsigned at = 0;
	bool tried = false;

	while (at < n) {
		int sent = sendmmsg(s->fd, &p->messages[at], n - at, MSG_DONTWAIT);
		if (sent > 0) {
			d->totals.sends += (unsigned)sent;
			at += (unsigned)sent;
			tried = false;
			continue;
		}
		bool again = try_again(d, s, errno, now_ms) && !tried;
		tried = again;
		if (again)
			continue;
		d->totals.send_errors++;
		at++;
	}
}

static struct local_socket *socket_of(struct data *d, const struct esp_packet *pkt)
{
	struct local *l = data_find_local(d, &pkt->local.addr);

	if (!l || pkt->remote.addr.family != pkt->local.addr.family)
		return NULL;
	return pkt->encap ? &l->udp : &l->esp;
}

/* Packets are handed on in their order; those for one socket with one DF together. */
static void deliver(struct data *d, uint64_t now_ms)
{
	struct path *p = d->path;
	struct local_socket *to = NULL;
	bool df = false;
	unsigned n = 0;

	for (unsigned i = 0; i < p->batch.n; i++) {
		struct esp_packet *pkt = &p->batch.at[i];
		if (pkt->verdict == ESP_INJECT)
			inject(d, pkt);
		if (pkt->verdict != ESP_SEND)
			continue;
		struct local_socket *s = socket_of(d, pkt);
		if (!s) {
			d->totals.send_errors++;
			continue;
		}
		if (n > 0 && (s != to || df != pkt->dont_fragment)) {
			send_messages(d, to, n, now_ms);
			n = 0;
		}
		to = s;
		df = pkt->dont_fragment;
		local_set_df(to, df);
		set_message(p, n++, pkt);
	}
	if (n > 0)
		send_messages(d, to, n, now_ms);
}

/* ---- from the TUN ------------------------------------------------------------------ */

static unsigned read_tun(struct data *d)
{
	struct path *p = d->path;
	unsigned n = 0;

	while (n < ESP_BATCH_MAX) {
		uint8_t *at = slot(p, n);
		ssize_t len = read(d->tun_fd, at - DEVICE_HEADER, PACKET_MAX);
		if (len <= DEVICE_HEADER)
			break;
		p->batch.at[n++] = (struct esp_packet){
			.at = at,
			.len = (size_t)len - DEVICE_HEADER,
			.verdict = ESP_DROP,
		};
	}
	p->batch.n = n;
	d->totals.tun_reads += n;
	return n;
}

void path_from_tun(struct data *d, uint64_t now_ms)
{
	if (read_tun(d) == 0)
		return;
	esp_dp_outbound(d->dp, &d->path->batch, now_ms);
	deliver(d, now_ms);
}

void path_release(struct data *d, uint64_t now_ms)
{
	do {
		esp_dp_release(d->dp, &d->path->batch, now_ms);
		deliver(d, now_ms);
	} while (d->path->batch.n > 0);
}

/* ---- from the network ----------------------------------------------------------------- */

static int receive(struct path *p, const struct local_socket *s)
{
	for (unsigned i = 0; i < p->filled; i++) {
		p->in_messages[i].msg_hdr.msg_namelen = sizeof(p->names[i]);
		p->in_messages[i].msg_hdr.msg_controllen = CONTROL;
	}
	int n = recvmmsg(s->fd, p->in_messages, ESP_BATCH_MAX, MSG_DONTWAIT, NULL);
	p->filled = n > 0 ? (unsigned)n : 0;
	return n;
}

static uint8_t traffic_class(struct msghdr *m)
{
	int value = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS)
			return *CMSG_DATA(c);
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
			memcpy(&value, CMSG_DATA(c), sizeof(value));
			return (uint8_t)value;
		}
	}
	return 0;
}

/* A raw IPv4 socket hands out the IP header too, checked by the kernel. */
static bool skip_ip_header(struct esp_packet *pkt)
{
	size_t header = pkt->len > 0 ? (size_t)(pkt->at[0] & 0x0f) * 4 : 0;

	if (header < 20 || pkt->len < header)
		return false;
	pkt->at += header;
	pkt->len -= header;
	return true;
}

static bool is_ike(const struct esp_packet *pkt)
{
	static const uint8_t marker[MARKER];

	return pkt->len >= MARKER && memcmp(pkt->at, marker, MARKER) == 0;
}

static void report_ike(struct data *d, const struct esp_packet *pkt)
{
	struct plane_report r = {.kind = PLANE_IKE};

	r.u.ike.local = pkt->local;
	r.u.ike.remote = pkt->remote;
	r.u.ike.len = pkt->len - MARKER;
	if (r.u.ike.len == 0)
		return;
	r.u.ike.bytes = mem_new(r.u.ike.len, 1);
	memcpy(r.u.ike.bytes, pkt->at + MARKER, r.u.ike.len);
	data_report(d, &r);
}

/* False: nothing for esp/. */
static bool take(
	struct data *d, const struct local_socket *s, unsigned i, struct esp_packet *pkt)
{
	struct path *p = d->path;

	*pkt = (struct esp_packet){
		.at = slot(p, i),
		.len = p->in_messages[i].msg_len,
		.verdict = ESP_DROP,
		.scope = s->local->scope,
		.encap = s->udp,
		.tos = traffic_class(&p->in_messages[i].msg_hdr),
		.local = {.addr = s->local->addr, .port = s->udp ? IKE_NATT_PORT : 0},
	};
	if (!sockaddr_read(&p->names[i], &pkt->remote))
		return false;
	if (!s->udp) {
		pkt->remote.port = 0;
		return s->local->addr.family == ADDR_V6 || skip_ip_header(pkt);
	}
	if (!is_ike(pkt))
		return true;
	report_ike(d, pkt);
	return false;
}

void path_from_network(struct data *d, struct local_socket *s, uint64_t now_ms)
{
	struct path *p = d->path;
	int n = receive(p, s);

	if (n < 0 && errno != EAGAIN)
		path_read_errors(d, s, now_ms);
	p->batch.n = 0;
	for (int i = 0; i < n; i++)
		if (take(d, s, (unsigned)i, &p->batch.at[p->batch.n]))
			p->batch.n++;
	if (p->batch.n == 0)
		return;
	esp_dp_inbound(d->dp, &p->batch, now_ms);
	deliver(d, now_ms);
}

/* ---- errors --------------------------------------------------------------------------- */

static uint32_t size_told(struct msghdr *m)
{
	struct sock_extended_err e;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
		bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
		if (!v4 && !v6)
			continue;
		memcpy(&e, CMSG_DATA(c), sizeof(e));
		return e.ee_errno == EMSGSIZE ? e.ee_info : 0;
	}
	return 0;
}

void path_read_errors(struct data *d, const struct local_socket *s, uint64_t now_ms)
{
	for (unsigned i = 0; i < ERRORS_AT_ONCE; i++) {
		uint8_t quoted[64];
		_Alignas(struct cmsghdr) uint8_t control[256];
		struct sockaddr_storage name = {0}; /* whither the datagram went */
		struct endpoint remote;
		struct iovec vector = {quoted, sizeof(quoted)};
		struct msghdr m = {
			.msg_name = &name,
			.msg_namelen = sizeof(name),
			.msg_iov = &vector,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		if (recvmsg(s->fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
		uint32_t octets = size_told(&m);
		if (octets == 0 || !sockaddr_read(&name, &remote))
			continue;
		children_path_mtu(
			d->children, &s->local->addr, &remote, s->udp, octets, now_ms);
		d->mtus_learned = true;
	}
}

void path_read_toobig(struct data *d, uint64_t now_ms)
{
	struct toobig t;

	for (unsigned i = 0; i < ERRORS_AT_ONCE && toobig_next(d->toobig_fd, &t); i++) {
		if (!data_find_local(d, &t.local))
			continue;
		children_path_mtu(
			d->children, &t.local, &t.remote, t.encap, t.octets, now_ms);
		d->mtus_learned = true;
	}
}
