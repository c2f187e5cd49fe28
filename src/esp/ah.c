/* esp/ah.c - AH: the header written, the ICV computed and verified.
 *
 * Obeys RFC 4302 3.1.1 and 3.1.2 (both modes), RFC 4302 3.3.3 and 3.3.3.2.2 (what the ICV
 * covers; ESN behind all else), RFC 4302 3.3.3.2.1 (padding), RFC 4302 3.3.4, 3.4.1 (whole
 * datagrams only: outer fragments are cut by who sends, and were put together by the kernel)
 * and RFC 4302 3.4.4. Which fields change on the way: wire/ah_header.c. Numbers and windows
 * are those of ESP (sa.c, replay.c).
 */
#include "esp/ah.h"

#include "wire/ah_header.h"

#include <assert.h>

enum {
	HOP_LIMIT = 64,
	ALIGN_V4 = 4, /* RFC 4302 2.6 */
	ALIGN_V6 = 8,
	AH_LEN_MAX = AH_FIXED_LEN + AEAD_TAG_MAX + ALIGN_V6
};

static size_t aligned(size_t len, size_t align)
{
	return (len + align - 1) / align * align;
}

static bool is_v4(const struct esp_sa *sa)
{
	return sa->remote.addr.family == ADDR_V4;
}

size_t ah_len(const struct esp_sa *sa)
{
	return aligned((size_t)AH_FIXED_LEN + sa->shape.tag_len,
		is_v4(sa) ? ALIGN_V4 : ALIGN_V6);
}

/* RFC 4302 3.3.3: the headers in front as the receiver will see them, AH without its ICV, the
 * text, and the upper half of the number. */
static bool make_icv(const struct esp_sa *sa, struct aead *key, struct span packet,
	const struct esp_parts *at, uint64_t seq, uint8_t icv[AEAD_TAG_MAX])
{
	struct ip_packet ip;
	struct ah_cover front;
	uint8_t ah[AH_LEN_MAX], upper[4];
	struct writer w = wr_over(upper, sizeof upper);

	if (ip_packet_read(packet, &ip) != WIRE_OK ||
		ah_cover_read(packet, &ip, &front) != WIRE_OK)
		return false;
	assert(at->ah_len <= sizeof ah && AH_FIXED_LEN + sa->shape.tag_len <= at->ah_len);
	memcpy(ah, packet.at + at->ah_at, at->ah_len);
	memset(ah + AH_FIXED_LEN, 0, sa->shape.tag_len);
	wr_u32(&w, (uint32_t)(seq >> 32));
	const struct span parts[] = {
		span_of(front.at, front.len),
		span_of(ah, at->ah_len),
		span_of(packet.at + at->text_at, at->text_len),
		span_of(upper, sa->esn ? sizeof upper : 0),
	};
	return aead_tag(key, parts, 4, icv) == CRYPTO_OK;
}

/* ---- out ------------------------------------------------------------------------------ */

/* IPv4 has the identification under the ICV, so the kernel must not choose it; none of an
 * SA's comes again soon. */
static uint32_t identification(const struct esp_sa *sa, uint64_t seq)
{
	return 1 + (uint32_t)((seq + sa->spi_out) % UINT16_MAX);
}

bool ah_seal(const struct esp_sa *sa, uint64_t seq, const struct sa_text *text,
	uint8_t tos, struct esp_packet *p)
{
	size_t ip_len = is_v4(sa) ? IPV4_HEADER_LEN : IPV6_HEADER_LEN, len = ah_len(sa);
	uint8_t *packet = text->at - len - ip_len;
	struct writer w = wr_over(packet, ip_len + len);
	const struct ip_packet ip = {
		.src = sa->local.addr,
		.dst = sa->remote.addr,
		.tos = tos,
		.ttl = p->ttl != 0 ? p->ttl : HOP_LIMIT,
		.proto = IP_AH,
		.df = p->dont_fragment,
		.frag_id = identification(sa, seq),
	};
	const struct ah_header ah = {.next = text->next,
		.len = (uint16_t)len,
		.spi = sa->spi_out,
		.seq = (uint32_t)seq};
	const struct esp_parts parts = {.ah_at = (uint16_t)ip_len,
		.ah_len = (uint16_t)len,
		.text_at = ip_len + len,
		.text_len = text->len};
	uint8_t icv[AEAD_TAG_MAX];

	ip_packet_write_header(&w, &ip, len + text->len);
	ah_header_write(&w, &ah);
	assert(wr_ok(&w));
	p->at = packet;
	p->len = ip_len + len + text->len;
	if (!make_icv(sa, sa->seal, span_of(p->at, p->len), &parts, seq, icv))
		return false;
	memcpy(packet + ip_len + AH_FIXED_LEN, icv, sa->shape.tag_len);
	return true;
}

/* ---- in ------------------------------------------------------------------------------- */

bool ah_parse(const struct esp_packet *p, struct esp_parts *out)
{
	struct span packet = span_of(p->at, p->len);
	struct ip_packet ip;
	struct ah_header ah;

	if (ip_packet_read(packet, &ip) != WIRE_OK || ip.proto != IP_AH || ip.fragment ||
		!addr_equal(&ip.src, &p->remote.addr) ||
		!addr_equal(&ip.dst, &p->local.addr) ||
		ah_header_read(span_of(p->at + ip.l4_at, ip.total_len - ip.l4_at), &ah) !=
			WIRE_OK)
		return false;
	*out = (struct esp_parts){
		.spi = ah.spi,
		.seq_low = ah.seq,
		.text_at = (size_t)ip.l4_at + ah.len,
		.text_len = ip.total_len - ip.l4_at - ah.len,
		.ah_at = ip.l4_at,
		.ah_len = ah.len,
		.next = ah.next,
	};
	return true;
}

/* Linux aligns AH to 8 octets over IPv4, too, unless told otherwise (XFRM_STATE_ALIGN4). */
bool ah_fits(const struct esp_sa *sa, const struct esp_parts *parts)
{
	return parts->ah_len == ah_len(sa) ||
	       parts->ah_len == aligned(ah_len(sa), ALIGN_V6);
}

bool ah_is_authentic(const struct esp_sa *sa, const struct esp_packet *p,
	const struct esp_parts *parts, uint64_t seq)
{
	struct span packet = span_of(p->at, parts->text_at + parts->text_len);
	struct span sent =
		span_of(p->at + parts->ah_at + AH_FIXED_LEN, sa->shape.tag_len);
	uint8_t icv[AEAD_TAG_MAX];

	return make_icv(sa, sa->open, packet, parts, seq, icv) &&
	       secret_equal(span_of(icv, sa->shape.tag_len), sent);
}
