/* plane/path.c - reads a batch, lets esp/ judge and transform it, hands it on.
 *
 * AH comes and goes as whole packets (ah_packet.h).
 * RFC 3948: on port 4500 four octets of zero in front mean IKE; the rest is ESP, and
 * one octet of 0xff keeps a mapping alive (esp/ counts it).
 */
#include "config.h"

#include "plane/path.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/iana.h"
#include "base/mem.h"
#include "os/sockaddr.h"
#include "plane/ah_packet.h"
#include "plane/batch.h"
#include "plane/deliver.h"
#include "plane/listening.h"
#include "plane/obey.h"
#include "plane/reporting.h"
#include "plane/size_errors.h"
#include "routing/device.h"

enum { MARKER = 4 }; /* RFC 3948 2.2 */

/* ---- from the TUN ------------------------------------------------------------------ */

static unsigned read_tun(struct data *d)
{
	struct batch *b = d->batch;
	unsigned n = 0;

	while (n < ESP_BATCH_MAX) {
		uint8_t *at = batch_slot(b, n);
		ssize_t len = read(d->tun_fd, at - DEVICE_HEADER, BATCH_PACKET_MAX);
		if (len <= DEVICE_HEADER)
			break;
		b->packets.at[n++] = (struct esp_packet){
			.at = at,
			.len = (size_t)len - DEVICE_HEADER,
			.verdict = ESP_DROP,
		};
	}
	b->packets.n = n;
	d->totals.tun_reads += n;
	return n;
}

void path_from_tun(struct data *d, uint64_t now_ms)
{
	if (read_tun(d) == 0)
		return;
	esp_dp_outbound(d->dp, &d->batch->packets, now_ms);
	deliver_batch(d, now_ms);
}

void path_release(struct data *d, uint64_t now_ms)
{
	do {
		esp_dp_release(d->dp, &d->batch->packets, now_ms);
		deliver_batch(d, now_ms);
	} while (d->batch->packets.n > 0);
}

/* ---- from the network ----------------------------------------------------------------- */

static int receive(struct batch *b, const struct local_socket *s)
{
	for (unsigned i = 0; i < b->filled; i++) {
		b->in_messages[i].msg_hdr.msg_namelen = sizeof(b->names[i]);
		b->in_messages[i].msg_hdr.msg_controllen = BATCH_CONTROL;
	}
	int n = recvmmsg(s->fd, b->in_messages, ESP_BATCH_MAX, MSG_DONTWAIT, NULL);
	b->filled = n > 0 ? (unsigned)n : 0;
	return n;
}

static uint8_t number_of(const struct cmsghdr *c)
{
	int value = 0;

	/* One octet, or all of an int: the kernel does it as it likes. */
	if (c->cmsg_len < CMSG_LEN(sizeof(value)))
		return *CMSG_DATA(c);
	memcpy(&value, CMSG_DATA(c), sizeof(value));
	return (uint8_t)value;
}

/* What the outer header says of a packet, beside its addresses. */
static void read_control(struct msghdr *m, struct esp_packet *pkt)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		bool v4 = c->cmsg_level == IPPROTO_IP;
		if (!v4 && c->cmsg_level != IPPROTO_IPV6)
			continue;
		if (c->cmsg_type == (v4 ? IP_TOS : IPV6_TCLASS))
			pkt->tos = number_of(c);
		if (c->cmsg_type == (v4 ? IP_TTL : IPV6_HOPLIMIT))
			pkt->ttl = number_of(c);
	}
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
	reporting_tell(d, &r);
}

static bool take_raw(
	const struct local_socket *s, struct msghdr *m, struct esp_packet *pkt)
{
	bool v6 = s->local->addr.family == ADDR_V6;

	pkt->remote.port = 0;
	if (s->ah)
		return !v6 || ah_packet_complete(pkt, m);
	return v6 || skip_ip_header(pkt);
}

/* False: nothing for esp/. */
static bool take(
	struct data *d, const struct local_socket *s, unsigned i, struct esp_packet *pkt)
{
	struct batch *b = d->batch;

	*pkt = (struct esp_packet){
		.at = batch_slot(b, i),
		.len = b->in_messages[i].msg_len,
		.verdict = ESP_DROP,
		.scope = s->local->scope,
		.encap = s->udp,
		.ah = s->ah,
		.local = {.addr = s->local->addr, .port = s->udp ? IKE_NATT_PORT : 0},
	};
	read_control(&b->in_messages[i].msg_hdr, pkt);
	if (!sockaddr_read(&b->names[i], &pkt->remote))
		return false;
	if (!s->udp)
		return take_raw(s, &b->in_messages[i].msg_hdr, pkt);
	if (!is_ike(pkt))
		return true;
	report_ike(d, pkt);
	return false;
}

void path_from_network(struct data *d, struct local_socket *s, uint64_t now_ms)
{
	struct batch *b = d->batch;
	int n = receive(b, s);

	if (n < 0 && errno != EAGAIN)
		size_errors_of_socket(d, s, now_ms);
	/* RFC 7296 2.8: a packet on a new SA may be here at once after our answer to its
	 * making has left, and the order to receive on it was given before that. */
	if (order_waits(d->orders)) {
		obey_orders(d);
		path_release(d, now_ms);
		if (!listening_has(d, s))
			return;
	}
	b->packets.n = 0;
	for (int i = 0; i < n; i++)
		if (take(d, s, (unsigned)i, &b->packets.at[b->packets.n]))
			b->packets.n++;
	if (b->packets.n == 0)
		return;
	esp_dp_inbound(d->dp, &b->packets, now_ms);
	deliver_batch(d, now_ms);
}
