/* plane/deliver.c - what goes out of one socket with one DF leaves in one system call.
 *
 * What the kernel cannot take is dropped and counted, as any router would; only a full
 * buffer is waited for, briefly, which slows the TUN's writer down instead of losing
 * packets.
 */
#include "config.h"

#include "plane/deliver.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "os/sockaddr.h"
#include "plane/batch.h"
#include "plane/listening.h"
#include "plane/size_errors.h"

enum { FULL_WAIT_MS = 2 };

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

static void set_message(struct batch *b, unsigned i, const struct esp_packet *pkt)
{
	struct msghdr *m = &b->messages[i].msg_hdr;
	/* Raw IPv6 sockets take the port for a protocol number. */
	uint16_t port = pkt->encap ? pkt->remote.port : 0;

	b->vectors[i] = (struct iovec){.iov_base = pkt->at, .iov_len = pkt->len};
	memset(m, 0, sizeof(*m));
	m->msg_name = &b->names[i];
	m->msg_namelen = sockaddr_of(&pkt->remote.addr, port, &b->names[i]);
	m->msg_iov = &b->vectors[i];
	m->msg_iovlen = 1;
	set_control(m, pkt, b->control[i]);
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

static void send_messages(
	struct data *d, struct local_socket *s, unsigned n, uint64_t now_ms)
{
	struct batch *b = d->batch;
	unsigned at = 0;
	bool tried = false;

	while (at < n) {
		int sent = sendmmsg(s->fd, &b->messages[at], n - at, MSG_DONTWAIT);
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
	struct local *l = listening_find(d, &pkt->local.addr);

	if (!l || pkt->remote.addr.family != pkt->local.addr.family)
		return NULL;
	return pkt->encap ? &l->udp : &l->esp;
}

void deliver_batch(struct data *d, uint64_t now_ms)
{
	struct batch *b = d->batch;
	struct local_socket *to = NULL;
	bool df = false;
	unsigned n = 0;

	for (unsigned i = 0; i < b->packets.n; i++) {
		struct esp_packet *pkt = &b->packets.at[i];
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
		set_message(b, n++, pkt);
	}
	if (n > 0)
		send_messages(d, to, n, now_ms);
}
