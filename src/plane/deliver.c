/* plane/deliver.c - what goes out of one socket with one DF leaves in one system call, and
 * what of it has one size and one destination goes down the kernel's path as one.
 *
 * What the kernel cannot take is dropped and counted, as any router would; only a full
 * buffer is waited for, briefly, which slows the TUN's writer down instead of losing
 * packets.
 */
#include "config.h"

#include "plane/deliver.h"

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "os/sockaddr.h"
#include "plane/ah_packet.h"
#include "plane/batch.h"
#include "plane/listening.h"
#include "plane/size_errors.h"
#include "wire/ip_packet.h"

enum {
	FULL_WAIT_MS = 2,
	RUN_OCTETS_MAX =
		65000 /* with its headers it is still one IP packet to the kernel */
};

/* What is collected for one socket: messages, and the vectors that they have used. */
struct pile {
	struct local_socket *to;
	bool df;
	unsigned n, vectors;
};

static void inject(struct data *d, const struct esp_packet *pkt)
{
	if (write(d->tun_fd, pkt->at, pkt->len) == (ssize_t)pkt->len)
		d->totals.tun_writes++;
	else
		d->totals.send_errors++;
}

static void put_control(struct msghdr *m, uint8_t *room, int level, int type,
	const void *value, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)(void *)(room + m->msg_controllen);

	m->msg_control = room;
	m->msg_controllen += CMSG_SPACE(len);
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), value, len);
}

/* The traffic class, a packet's own TTL, and the rule's own mark instead of the socket's, which
 * keeps packets out of the steering: ESP is out of it without. Linux 5.5 and later take a mark
 * here. */
static void set_control(struct msghdr *m, const struct local_socket *s,
	const struct esp_packet *pkt, uint8_t *room)
{
	bool v4 = pkt->remote.addr.family == ADDR_V4;
	int level = v4 ? IPPROTO_IP : IPPROTO_IPV6, tos = pkt->tos, ttl = pkt->ttl;

	if (tos != 0)
		put_control(m, room, level, v4 ? IP_TOS : IPV6_TCLASS, &tos, sizeof(tos));
	if (ttl != 0 && ttl != s->ttl)
		put_control(
			m, room, level, v4 ? IP_TTL : IPV6_HOPLIMIT, &ttl, sizeof(ttl));
	if (pkt->mark_mask != 0)
		put_control(m, room, SOL_SOCKET, SO_MARK, &pkt->mark, sizeof(pkt->mark));
}

static void add_message(struct batch *b, struct pile *l, const struct esp_packet *pkt)
{
	unsigned i = l->n++;
	struct msghdr *m = &b->messages[i].msg_hdr;
	/* Raw IPv6 sockets take the port for a protocol number. */
	uint16_t port = pkt->encap ? pkt->remote.port : 0;

	memset(m, 0, sizeof(*m));
	m->msg_name = &b->names[i];
	m->msg_namelen = sockaddr_of(&pkt->remote.addr, port, &b->names[i]);
	m->msg_iov = &b->vectors[l->vectors];
	m->msg_iovlen = 1;
	set_control(m, l->to, pkt, b->control[i]);
	b->runs[i] = (struct run){
		.first = pkt, .len = pkt->len, .control_len = m->msg_controllen};
}

/* ---- runs ------------------------------------------------------------------------- */

/* True: the packet has become part of the last message. */
static bool join(struct batch *b, const struct pile *l, const struct esp_packet *pkt)
{
	if (!l->to->udp || l->to->apart || l->n == 0)
		return false;
	struct run *r = &b->runs[l->n - 1];
	if (r->complete || pkt->len > r->first->len || pkt->tos != r->first->tos ||
		pkt->mark != r->first->mark || pkt->mark_mask != r->first->mark_mask ||
		pkt->ttl != r->first->ttl || r->len + pkt->len > RUN_OCTETS_MAX ||
		!endpoint_equal(&pkt->remote, &r->first->remote))
		return false;
	r->len += pkt->len;
	r->complete = pkt->len < r->first->len;
	b->messages[l->n - 1].msg_hdr.msg_iovlen++;
	return true;
}

/* Tells the kernel where to cut. */
static void mark_runs(struct batch *b, const struct pile *l)
{
	for (unsigned i = 0; i < l->n; i++) {
		struct msghdr *m = &b->messages[i].msg_hdr;
		uint16_t size = (uint16_t)b->runs[i].first->len;
		if (m->msg_iovlen == 1)
			continue;
		put_control(
			m, b->control[i], IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size));
	}
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
	size_errors_of_socket(d, s, now_ms);
	return err != EMSGSIZE;
}

static void send_one(
	struct data *d, struct local_socket *s, const struct msghdr *m, uint64_t now_ms)
{
	for (unsigned tries = 0; tries < 2; tries++) {
		if (sendmsg(s->fd, m, MSG_DONTWAIT) >= 0) {
			d->totals.sends++;
			return;
		}
		if (!try_again(d, s, errno, now_ms))
			break;
	}
	d->totals.send_errors++;
}

/* Datagrams that must be cut into fragments, or a device that cannot compute checksums:
 * the kernel does not take them as one. */
static bool goes_apart(const struct msghdr *m, struct local_socket *s, int err)
{
	if (m->msg_iovlen == 1)
		return false;
	if (err == EIO || err == EOPNOTSUPP)
		s->apart = true;
	return err == EIO || err == EOPNOTSUPP || err == EINVAL || err == EMSGSIZE;
}

static void send_apart(
	struct data *d, struct local_socket *s, unsigned i, uint64_t now_ms)
{
	const struct msghdr *run = &d->batch->messages[i].msg_hdr;
	struct msghdr one = *run;

	one.msg_iovlen = 1;
	one.msg_controllen = d->batch->runs[i].control_len;
	if (one.msg_controllen == 0)
		one.msg_control = NULL;
	for (size_t k = 0; k < run->msg_iovlen; k++) {
		one.msg_iov = &run->msg_iov[k];
		send_one(d, s, &one, now_ms);
	}
}

static void send_pile(struct data *d, struct pile *l, uint64_t now_ms)
{
	struct batch *b = d->batch;
	unsigned at = 0;
	bool tried = false;

	mark_runs(b, l);
	while (at < l->n) {
		struct msghdr *first = &b->messages[at].msg_hdr;
		int sent = sendmmsg(l->to->fd, &b->messages[at], l->n - at, MSG_DONTWAIT);
		if (sent > 0) {
			d->totals.sends += (unsigned)sent;
			at += (unsigned)sent;
			tried = false;
			continue;
		}
		if (goes_apart(first, l->to, errno)) {
			send_apart(d, l->to, at++, now_ms);
			tried = false;
			continue;
		}
		bool again = try_again(d, l->to, errno, now_ms) && !tried;
		tried = again;
		if (again)
			continue;
		d->totals.send_errors += first->msg_iovlen;
		at++;
	}
	l->n = l->vectors = 0;
}

static struct local_socket *socket_of(struct data *d, const struct esp_packet *pkt)
{
	struct local *l = listening_find(d, &pkt->local.addr);

	if (!l || pkt->remote.addr.family != pkt->local.addr.family)
		return NULL;
	return pkt->ah ? &l->ah : pkt->encap ? &l->udp : &l->esp;
}

/* ---- AH */

static void send_vectors(struct data *d, struct local_socket *s,
	const struct esp_packet *pkt, struct iovec *vectors, size_t n, uint64_t now_ms)
{
	struct sockaddr_storage name;
	_Alignas(struct cmsghdr) uint8_t control[BATCH_CONTROL];
	struct msghdr m = {
		.msg_name = &name,
		.msg_namelen = sockaddr_of(&pkt->remote.addr, 0, &name),
		.msg_iov = vectors,
		.msg_iovlen = n,
	};

	set_control(&m, s, pkt, control);
	send_one(d, s, &m, now_ms);
}

static void send_part(struct data *d, struct local_socket *s,
	const struct esp_packet *pkt, uint8_t *header, struct span text, uint64_t now_ms)
{
	struct iovec vectors[2] = {
		{header, AH_PART_HEADER}, {(void *)(uintptr_t)text.at, text.len}};

	send_vectors(d, s, pkt, vectors, 2, now_ms);
}

/* What the socket is given: all of it, or what is behind the IPv6 header. */
static struct iovec for_socket(const struct esp_packet *pkt)
{
	size_t skip = pkt->ah && pkt->remote.addr.family == ADDR_V6 ? IPV6_HEADER_LEN : 0;

	return (struct iovec){.iov_base = pkt->at + skip, .iov_len = pkt->len - skip};
}

/* The kernel does not cut up a packet with a header of ours. */
static void send_in_parts(struct data *d, struct local_socket *s,
	const struct esp_packet *pkt, uint64_t now_ms)
{
	uint8_t header[AH_PART_HEADER];
	struct span text;

	for (size_t at = 0; at < pkt->len - AH_PART_HEADER;) {
		at += ah_packet_part(pkt, at, header, &text);
		send_part(d, s, pkt, header, text, now_ms);
	}
}

/* It does cut up what goes by a socket without; but of a path that is narrower than the device
 * it was told by an error that it could not place (toobig.h). */
static void send_in_kernels_parts(struct data *d, struct local_socket *s,
	const struct esp_packet *pkt, uint64_t now_ms)
{
	struct iovec all = for_socket(pkt);

	local_set_fragments(s, pkt->mtu);
	send_vectors(d, s, pkt, &all, 1, now_ms);
	local_set_fragments(s, 0);
}

/* True: done. */
static bool cut_up(
	struct data *d, struct pile *l, const struct esp_packet *pkt, uint64_t now_ms)
{
	struct local_socket *s = pkt->ah ? socket_of(d, pkt) : NULL;

	if (!s || pkt->dont_fragment || pkt->len <= pkt->mtu)
		return false;
	if (l->n > 0)
		send_pile(d, l, now_ms);
	if (pkt->remote.addr.family == ADDR_V4)
		send_in_parts(d, s, pkt, now_ms);
	else
		send_in_kernels_parts(d, s, pkt, now_ms);
	return true;
}

/* Packets for one socket with one DF are collected, in their order. */
static void collect(
	struct data *d, struct pile *l, const struct esp_packet *pkt, uint64_t now_ms)
{
	struct local_socket *s = socket_of(d, pkt);
	struct batch *b = d->batch;

	if (!s) {
		d->totals.send_errors++;
		return;
	}
	if (l->n > 0 && (s != l->to || l->df != pkt->dont_fragment))
		send_pile(d, l, now_ms);
	l->to = s;
	l->df = pkt->dont_fragment;
	local_set_df(s, l->df);
	b->vectors[l->vectors] = for_socket(pkt);
	if (!join(b, l, pkt))
		add_message(b, l, pkt);
	l->vectors++;
}

void deliver_batch(struct data *d, uint64_t now_ms)
{
	struct batch *b = d->batch;
	struct pile pile = {.n = 0};

	for (unsigned i = 0; i < b->packets.n; i++) {
		struct esp_packet *pkt = &b->packets.at[i];
		if (pkt->verdict == ESP_INJECT)
			inject(d, pkt);
		if (pkt->verdict == ESP_SEND && !cut_up(d, &pile, pkt, now_ms))
			collect(d, &pile, pkt, now_ms);
	}
	if (pile.n > 0)
		send_pile(d, &pile, now_ms);
}
