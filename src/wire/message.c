/* wire/message.c - writing IKE messages (RFC 7296 3.1, 3.2) and the frame of the encrypted
 * payload (RFC 7296 3.14, RFC 5282 3, 5.1).
 *
 * Leaves encryption, message IDs and retransmission to ike/.
 */
#include "wire/message.h"

#include <assert.h>

enum { NEXT_PAYLOAD_AT = 16, LENGTH_AT = 24 };

const struct sk_shape sk_shape_aead = {SK_IV_LEN, SK_TAG_LEN, 1};

struct message message_begin(void *at, size_t cap, const struct ike_header *h)
{
	struct message m = {.w = wr_over(at, cap), .next_at = NEXT_PAYLOAD_AT};

	ike_header_write(&m.w, h);
	wr_fill_u8(&m.w, NEXT_PAYLOAD_AT, PAYLOAD_NONE);
	return m;
}

/* RFC 7296 3.2: the length counts the payload's own header. */
static void fill_length(struct message *m, size_t payload_at)
{
	size_t len = wr_len(&m->w) - payload_at;

	if (len > UINT16_MAX)
		m->w.broken = true;
	wr_fill_u16(&m->w, payload_at + 2, (uint16_t)len);
}

static void close_payload(struct message *m)
{
	if (m->payload_at != 0)
		fill_length(m, m->payload_at);
	m->payload_at = 0;
}

/* Returns where the header stands. */
static size_t open_payload(struct message *m, uint8_t type, uint8_t flags)
{
	close_payload(m);
	size_t at = wr_len(&m->w);

	wr_fill_u8(&m->w, m->next_at, type);
	m->next_at = at;
	wr_u8(&m->w, PAYLOAD_NONE);
	wr_u8(&m->w, flags);
	wr_u16(&m->w, 0);
	return at;
}

void message_encrypt_as(struct message *m, struct sk_shape shape)
{
	assert(!m->encrypted && shape.block_len > 0);
	m->encrypted = true;
	m->shape = shape;
	m->sk_at = open_payload(m, PAYLOAD_SK, 0);
	wr_zeros(&m->w, shape.iv_len);
}

void message_encrypt(struct message *m)
{
	message_encrypt_as(m, sk_shape_aead);
}

struct writer *message_payload(struct message *m, uint8_t type)
{
	m->payload_at = open_payload(m, type, 0);
	return &m->w;
}

struct writer *message_payload_critical(struct message *m, uint8_t type)
{
	m->payload_at = open_payload(m, type, PAYLOAD_CRITICAL);
	return &m->w;
}

struct span message_finish(struct message *m)
{
	assert(!m->encrypted);
	close_payload(m);
	wr_fill_u32(&m->w, LENGTH_AT, (uint32_t)wr_len(&m->w));
	return wr_span(&m->w);
}

/* RFC 7296 3.14: padding, and how much there is; none unless a block cipher needs it. */
static void pad(struct message *m)
{
	size_t text_at = m->sk_at + PAYLOAD_HEADER_LEN + m->shape.iv_len;
	size_t block = m->shape.block_len;
	size_t over = (wr_len(&m->w) - text_at + 1) % block;
	size_t len = over == 0 ? 0 : block - over;

	wr_zeros(&m->w, len);
	wr_u8(&m->w, (uint8_t)len);
}

bool message_finish_sk(struct message *m, struct sk_frame *out)
{
	assert(m->encrypted);
	close_payload(m);
	pad(m);
	size_t text_end = wr_len(&m->w);
	wr_zeros(&m->w, m->shape.tag_len);
	fill_length(m, m->sk_at);
	wr_fill_u32(&m->w, LENGTH_AT, (uint32_t)wr_len(&m->w));
	if (!wr_ok(&m->w))
		return false;

	size_t iv_at = m->sk_at + PAYLOAD_HEADER_LEN;
	*out = (struct sk_frame){
		.datagram = wr_span(&m->w),
		.aad = span_of(m->w.start, iv_at),
		.iv = m->w.start + iv_at,
		.text = m->w.start + iv_at + m->shape.iv_len,
		.text_len = text_end - iv_at - m->shape.iv_len,
	};
	return true;
}

enum wire_err sk_payload_read(
	struct span datagram, const struct payload *sk, struct sk_sealed *out)
{
	return sk_payload_read_as(datagram, sk, sk_shape_aead, out);
}

enum wire_err sk_payload_read_as(struct span datagram, const struct payload *sk,
	struct sk_shape shape, struct sk_sealed *out)
{
	struct reader body = sk->body;
	const uint8_t *body_at = body.at;

	assert(sk->type == PAYLOAD_SK && shape.iv_len >= SK_IV_LEN);
	assert(body_at >= datagram.at && body.end == datagram.at + datagram.len);
	uint64_t iv = rd_u64(&body);
	rd_skip(&body, (size_t)shape.iv_len - SK_IV_LEN);
	struct span sealed = rd_rest(&body);
	/* At least the octet that says how much padding there is. */
	if (!rd_ok(&body) || sealed.len < (size_t)shape.tag_len + 1)
		return WIRE_MALFORMED;

	*out = (struct sk_sealed){
		.aad = span_of(datagram.at, (size_t)(body_at - datagram.at)),
		.iv = iv,
		.iv_at = body_at,
		.sealed = sealed,
		.inner = sk->next,
	};
	return WIRE_OK;
}

enum wire_err sk_payload_strip(struct span text, struct reader *out)
{
	if (text.len == 0)
		return WIRE_MALFORMED;
	size_t pad = text.at[text.len - 1];
	if (pad > text.len - 1)
		return WIRE_MALFORMED;
	*out = rd_over(span_of(text.at, text.len - 1 - pad));
	return WIRE_OK;
}
