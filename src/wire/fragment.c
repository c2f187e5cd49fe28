/* wire/fragment.c - the Encrypted Fragment payload (RFC 7383 2.5, 2.6).
 *
 * Leaves encryption, and putting the fragments together, to ike/.
 */
#include "wire/fragment.h"

#include <assert.h>

enum {
	NEXT_PAYLOAD_AT = 16,
	LENGTH_AT = 24,
	NUMBERS_LEN = 4, /* number, total */
	SK_IV_AT = IKE_HEADER_LEN + PAYLOAD_HEADER_LEN,
	PAD_LEN = 1 /* the octet that says how much padding there is */
};

struct span message_plain(struct message *m)
{
	assert(m->encrypted && m->sk_at == IKE_HEADER_LEN);
	if (m->payload_at != 0)
		wr_fill_u16(&m->w, m->payload_at + 2,
			(uint16_t)(wr_len(&m->w) - m->payload_at));
	return wr_span(&m->w);
}

/* Octets of a fragment that are neither text nor padding. */
static size_t around_text(struct sk_shape shape)
{
	return SK_IV_AT + NUMBERS_LEN + (size_t)shape.iv_len + shape.tag_len;
}

/* Behind a text of len octets, the octet that counts it included. */
static size_t padding(struct sk_shape shape, size_t len)
{
	size_t over = (len + PAD_LEN) % shape.block_len;

	return PAD_LEN + (over == 0 ? 0 : shape.block_len - over);
}

bool fragments_cut(
	struct span plain, size_t max, struct sk_shape shape, struct fragments *out)
{
	size_t text_at = SK_IV_AT + (size_t)shape.iv_len;

	assert(plain.len >= text_at);
	struct span text = span_of(plain.at + text_at, plain.len - text_at);
	size_t around = around_text(shape);
	size_t room =
		max < around ? 0 : (max - around) / shape.block_len * shape.block_len;
	if (room <= PAD_LEN)
		return false;
	size_t chunk = room - PAD_LEN;
	size_t total = text.len > 0 ? (text.len + chunk - 1) / chunk : 1;
	if (total > UINT16_MAX)
		return false;
	*out = (struct fragments){
		.header = span_of(plain.at, IKE_HEADER_LEN),
		.inner = plain.at[IKE_HEADER_LEN],
		.text = text,
		.shape = shape,
		.chunk = chunk,
		.total = (uint16_t)total,
	};
	return true;
}

static struct span chunk_of(const struct fragments *f, uint16_t n)
{
	size_t from = (size_t)(n - 1) * f->chunk;
	size_t left = f->text.len - from;

	return span_of(f->text.at + from, left < f->chunk ? left : f->chunk);
}

/* RFC 7383 2.5: the IKE header is the message's but for its length and the type that it
 * names; only the first fragment names what is inside. */
bool fragment_write(
	const struct fragments *f, uint16_t n, void *at, size_t cap, struct sk_frame *out)
{
	assert(n >= 1 && n <= f->total);
	struct span chunk = chunk_of(f, n);
	struct writer w = wr_over(at, cap);
	size_t pad = padding(f->shape, chunk.len);
	size_t len = around_text(f->shape) + chunk.len + pad;

	wr_bytes(&w, f->header);
	wr_fill_u8(&w, NEXT_PAYLOAD_AT, PAYLOAD_SKF);
	wr_fill_u32(&w, LENGTH_AT, (uint32_t)len);
	wr_u8(&w, n == 1 ? f->inner : PAYLOAD_NONE);
	wr_u8(&w, 0);
	wr_u16(&w, (uint16_t)(len - IKE_HEADER_LEN));
	wr_u16(&w, n);
	wr_u16(&w, f->total);
	size_t iv_at = wr_len(&w);
	wr_zeros(&w, f->shape.iv_len);
	wr_bytes(&w, chunk);
	wr_zeros(&w, pad - PAD_LEN);
	wr_u8(&w, (uint8_t)(pad - PAD_LEN));
	wr_zeros(&w, f->shape.tag_len);
	if (!wr_ok(&w) || len - IKE_HEADER_LEN > UINT16_MAX)
		return false;
	*out = (struct sk_frame){
		.datagram = wr_span(&w),
		.aad = span_of(w.start, iv_at),
		.iv = w.start + iv_at,
		.text = w.start + iv_at + f->shape.iv_len,
		.text_len = chunk.len + pad,
	};
	return true;
}

enum wire_err fragment_read(struct span datagram, const struct payload *skf,
	struct sk_shape shape, struct fragment *out)
{
	struct reader body = skf->body;

	assert(skf->type == PAYLOAD_SKF);
	assert(body.at >= datagram.at && body.end == datagram.at + datagram.len);
	uint16_t number = rd_u16(&body);
	uint16_t total = rd_u16(&body);
	size_t aad_len = (size_t)(body.at - datagram.at);
	const uint8_t *iv_at = body.at;
	uint64_t iv = rd_u64(&body);
	rd_skip(&body, (size_t)shape.iv_len - SK_IV_LEN);
	struct span sealed = rd_rest(&body);
	if (!rd_ok(&body) || sealed.len < (size_t)shape.tag_len + PAD_LEN)
		return WIRE_MALFORMED;
	/* RFC 7383 2.6: neither is zero, and the number is within the total. */
	if (number == 0 || number > total)
		return WIRE_MALFORMED;
	*out = (struct fragment){
		.number = number,
		.total = total,
		.sealed = {.aad = span_of(datagram.at, aad_len),
			.iv = iv,
			.iv_at = iv_at,
			.sealed = sealed,
			.inner = skf->next},
	};
	return WIRE_OK;
}
