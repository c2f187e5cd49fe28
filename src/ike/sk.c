/* ike/sk.c - the Encrypted payload: sealing and opening (RFC 7296 3.14, RFC 5282 3.1; with
 * AES-CBC and HMAC-SHA2 RFC 3602, 4868).
 *
 * The IV of our own messages is member (8 bits) | zero (16) | counter (40): each direction
 * of an SA has a key of its own, so a counter that is never set back is never used twice.
 * Opening writes to the engine's buffer and touches nothing else.
 */
#include "ike/sa.h"

#include <assert.h>

enum { IV_COUNTER_BITS = 40 };

struct sk_shape ike_sk_shape(const struct ike_sa *sa)
{
	struct aead_shape shape = aead_shape(sa->suite.encr);

	return (struct sk_shape){shape.iv_len, shape.tag_len, shape.block_len};
}

void ike_sk_seal_frame(struct ike_sa *sa, const struct sk_frame *frame)
{
	uint64_t iv = sa->iv_prefix | sa->iv_counter++;

	assert(sa->iv_counter >> IV_COUNTER_BITS == 0);
	enum crypto_err err = aead_seal_packet(sa->seal, iv, frame->aad, span_of(NULL, 0),
		frame->iv, frame->text, frame->text_len);
	assert(err == CRYPTO_OK); /* fails for want of memory alone */
}

struct span ike_sk_seal(struct ike_sa *sa, struct message *m)
{
	struct sk_frame frame;
	bool fits = message_finish_sk(m, &frame);

	assert(fits); /* IKE_OUT_MAX holds the longest message that we write */
	ike_sk_seal_frame(sa, &frame);
	return frame.datagram;
}

/* A request that comes again was sealed before the keys changed (RFC 9242 3.3.1). */
bool ike_sk_open_sealed(struct exchange *x, const struct sk_sealed *sealed)
{
	const struct ike_sa *sa = x->sa;
	struct aead *key = sa->next_open && !x->repeated ? sa->next_open : sa->open;

	return aead_open_packet(key, sealed->aad, span_of(NULL, 0), sealed->iv_at,
		       sealed->sealed, x->e->text) == CRYPTO_OK;
}

enum ike_sk ike_sk_open(struct exchange *x, struct reader *payloads, uint8_t *first)
{
	const struct payload *sk = payload_set_first(&x->in, PAYLOAD_SK);
	struct sk_sealed sealed;
	struct sk_shape shape = ike_sk_shape(x->sa);

	if (!sk || sk_payload_read_as(x->datagram, sk, shape, &sealed) != WIRE_OK ||
		!ike_sk_open_sealed(x, &sealed))
		return SK_FORGED;
	*first = sealed.inner;
	x->head = sealed.aad;
	if (sk_payload_strip(span_of(x->e->text, sealed.sealed.len - shape.tag_len),
		    payloads) != WIRE_OK)
		return SK_MALFORMED;
	return SK_OPENED;
}
