/* wire/ah_header.c - reading and writing AH; fields and options that routers may change.
 *
 * Obeys RFC 4302 2.1 to 2.4, 3.3.3.1, 3.3.3.1.1.1 and 3.3.3.1.1.2 (IPv4), and RFC 4302
 * 3.3.3.1.2.1 to 3.3.3.1.2.3 (IPv6), and appendix A. Leaves the ICV itself, and its length, to esp/ah.c.
 */
#include "wire/ah_header.h"

#include "wire/esp_header.h"

#include <assert.h>
#include <string.h>

enum {
	/* RFC 4302 2.2: the length counts words of four octets, less two. */
	WORD = 4,
	LENGTH_LESS = 2,
	OPTION_END = 0,
	OPTION_NOTHING = 1,
	OPTION6_MUTABLE = 0x20 /* RFC 8200 4.2: the third bit of its type */
};

enum wire_err ah_header_read(struct span ah, struct ah_header *out)
{
	struct reader r = rd_over(ah);
	struct ah_header h = {.next = rd_u8(&r)};

	h.len = (uint16_t)(WORD * (rd_u8(&r) + LENGTH_LESS));
	rd_skip(&r, 2);
	h.spi = rd_u32(&r);
	h.seq = rd_u32(&r);
	if (!rd_ok(&r) || h.len < AH_FIXED_LEN || h.len > ah.len ||
		h.spi <= ESP_SPI_RESERVED_LAST)
		return WIRE_MALFORMED;
	*out = h;
	return WIRE_OK;
}

void ah_header_write(struct writer *w, const struct ah_header *h)
{
	assert(h->len >= AH_FIXED_LEN && h->len % WORD == 0);
	wr_u8(w, h->next);
	wr_u8(w, (uint8_t)(h->len / WORD - LENGTH_LESS));
	wr_u16(w, 0);
	wr_u32(w, h->spi);
	wr_u32(w, h->seq);
	wr_zeros(w, (size_t)h->len - AH_FIXED_LEN);
}

/* ---- IPv4 --------------------------------------------------------------------------- */

/* RFC 4302 A1. All others change, or are not known: 3.3.3.1. */
static bool is_immutable(uint8_t option)
{
	switch (option) {
	case OPTION_END:
	case OPTION_NOTHING:
	case 0x82: /* security */
	case 0x85: /* extended security */
	case 0x86: /* commercial security */
	case 0x94: /* router alert */
	case 0x95: /* sender directed delivery */
		return true;
	default:
		return false;
	}
}

/* An option is zeroed as a whole, its type and length included. */
static enum wire_err cover_options_v4(uint8_t *options, size_t len)
{
	struct reader r = rd_over(span_of(options, len));

	while (rd_left(&r) > 0) {
		uint8_t *at = options + (len - rd_left(&r));
		uint8_t type = rd_u8(&r);

		if (type == OPTION_END)
			break;
		if (type == OPTION_NOTHING)
			continue;
		size_t octets = rd_u8(&r);
		rd_skip(&r, octets < 2 ? SIZE_MAX : octets - 2);
		if (!rd_ok(&r))
			return WIRE_MALFORMED;
		if (!is_immutable(type))
			memset(at, 0, octets);
	}
	return WIRE_OK;
}

static enum wire_err cover_v4(struct ah_cover *c)
{
	c->at[1] = 0; /* DSCP, ECN */
	c->at[6] = c->at[7] = 0; /* flags, offset */
	c->at[8] = 0; /* time to live */
	c->at[10] = c->at[11] = 0; /* checksum */
	return cover_options_v4(c->at + IPV4_HEADER_LEN, c->len - IPV4_HEADER_LEN);
}

/* ---- IPv6 --------------------------------------------------------------------------- */

/* Type and length of an option always count, its data if it stays as it is. */
static enum wire_err cover_options_v6(uint8_t *header, size_t len)
{
	struct reader r = rd_over(span_of(header, len));

	rd_skip(&r, 2);
	while (rd_left(&r) > 0) {
		uint8_t type = rd_u8(&r);
		if (type == 0) /* Pad1 has no length */
			continue;
		size_t octets = rd_u8(&r);
		uint8_t *data = header + (len - rd_left(&r));
		rd_skip(&r, octets);
		if (!rd_ok(&r))
			return WIRE_MALFORMED;
		if (type & OPTION6_MUTABLE)
			memset(data, 0, octets);
	}
	return WIRE_OK;
}

/* RFC 4302 A2: AH does not see the header of a fragment that is alone and whole. */
static void take_out_fragment(struct ah_cover *c, const struct ip_packet *ip)
{
	uint16_t payload_len = (uint16_t)(c->at[4] << 8 | c->at[5]);

	payload_len = (uint16_t)(payload_len - IPV6_FRAGMENT_LEN);
	c->at[4] = (uint8_t)(payload_len >> 8);
	c->at[5] = (uint8_t)payload_len;
	c->at[ip->frag_named_at] = c->at[ip->frag_at];
	c->len -= IPV6_FRAGMENT_LEN;
	memmove(c->at + ip->frag_at, c->at + ip->frag_at + IPV6_FRAGMENT_LEN,
		c->len - ip->frag_at);
}

/* A routing header counts as it is: nothing is left of its way (ip_packet_read()), so it is
 * as the sender had to expect it. */
static enum wire_err cover_v6(struct ah_cover *c, const struct ip_packet *ip)
{
	size_t at = IPV6_HEADER_LEN;

	c->at[0] = 0x60; /* class and flow label */
	c->at[1] = c->at[2] = c->at[3] = 0;
	c->at[7] = 0; /* hop limit */
	if (ip->frag_at != 0)
		take_out_fragment(c, ip);
	for (uint8_t next = c->at[6]; next != IP_AH;) {
		struct reader r = rd_over(span_of(c->at + at, c->len - at));
		bool has_options = next != IPV6_ROUTING;

		next = rd_u8(&r);
		size_t len = 8 * (size_t)rd_u8(&r) + 8;
		if (!rd_ok(&r) || len > c->len - at)
			return WIRE_MALFORMED;
		if (has_options && cover_options_v6(c->at + at, len) != WIRE_OK)
			return WIRE_MALFORMED;
		at += len;
	}
	return WIRE_OK;
}

enum wire_err ah_cover_read(
	struct span packet, const struct ip_packet *ip, struct ah_cover *out)
{
	assert(ip->l4_at <= packet.len);
	if (ip->proto != IP_AH || ip->fragment || ip->l4_at > AH_COVER_MAX)
		return WIRE_MALFORMED;
	out->len = ip->l4_at;
	memcpy(out->at, packet.at, out->len);
	return ip->src.family == ADDR_V4 ? cover_v4(out) : cover_v6(out, ip);
}
