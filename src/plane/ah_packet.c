/* plane/ah_packet.c - RFC 4302 3.3.4 and 3.4.1: fragments are made behind AH, and put together
 * before it (by the kernel). RFC 791 3.2: all but the last carry a multiple of 8 octets.
 */
#include "config.h"

#include "plane/ah_packet.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "wire/ip_packet.h"

/* ---- in: IPv6 ------------------------------------------------------------------------- */

/* The kernel tells them in their order in the packet. */
static bool is_extension(const struct cmsghdr *c, uint8_t *type)
{
	if (c->cmsg_level != IPPROTO_IPV6)
		return false;
	switch (c->cmsg_type) {
	case IPV6_HOPOPTS:
		*type = IPV6_HOP_BY_HOP;
		return true;
	case IPV6_DSTOPTS:
		*type = IPV6_DEST_OPTIONS;
		return true;
	case IPV6_RTHDR:
		*type = IPV6_ROUTING;
		return true;
	default:
		return false;
	}
}

static struct span content(struct cmsghdr *c)
{
	return span_of(CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
}

static size_t extensions_len(struct msghdr *m, uint8_t *first)
{
	size_t len = 0;
	uint8_t type;

	*first = IP_AH;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (!is_extension(c, &type))
			continue;
		if (len == 0)
			*first = type;
		len += content(c).len;
	}
	return len;
}

bool ah_packet_complete(struct esp_packet *p, struct msghdr *m)
{
	uint8_t type;
	struct ip_packet ip = {
		.src = p->remote.addr, .dst = p->local.addr, .tos = p->tos};
	size_t extra = extensions_len(m, &ip.proto), front = IPV6_HEADER_LEN + extra;

	if ((m->msg_flags & MSG_CTRUNC) || front > ESP_ROOM_BEFORE ||
		p->len + extra > UINT16_MAX - IPV4_HEADER_LEN)
		return false;
	struct writer w = wr_over(p->at - front, front);
	ip_packet_write_header(&w, &ip, p->len + extra);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (is_extension(c, &type))
			wr_bytes(&w, content(c));
	assert(wr_ok(&w));
	p->at -= front;
	p->len += front;
	return true;
}

/* ---- out: IPv4 ------------------------------------------------------------------------ */

size_t ah_packet_part(const struct esp_packet *p, size_t offset,
	uint8_t header[AH_PART_HEADER], struct span *text)
{
	size_t left = p->len - AH_PART_HEADER - offset;
	size_t room = (p->mtu - AH_PART_HEADER) / 8 * 8;
	struct writer w = wr_over(header, AH_PART_HEADER);
	struct ip_packet ip;
	enum wire_err err = ip_packet_read(span_of(p->at, p->len), &ip);

	assert(err == WIRE_OK && ip.header_len == AH_PART_HEADER); /* our own work */
	(void)err;
	*text = span_of(p->at + AH_PART_HEADER + offset, left < room ? left : room);
	ip.fragment = true;
	ip.more = left > room;
	ip.frag_offset = (uint16_t)offset;
	ip_packet_write_header(&w, &ip, text->len);
	assert(wr_ok(&w));
	return text->len;
}
