/* A datagram to header, payload chain and encrypted frame. A chain that was accepted is
 * written again and must read back as the same set. */
#include "wire/message.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span rest_of(const struct payload *p)
{
	struct reader body = p->body;
	return rd_rest(&body);
}

static void write_again(const struct ike_header *h, const struct payload_set *set)
{
	static uint8_t out[1 << 17];
	struct message m = message_begin(out, sizeof(out), h);
	struct payload_set back;
	struct ike_header got;
	struct reader chain;

	for (unsigned i = 0; i < set->n; i++)
		wr_bytes(message_payload(&m, set->at[i].type), rest_of(&set->at[i]));
	struct span datagram = message_finish(&m);
	assert(ike_header_read(datagram, &got, &chain) == WIRE_OK);
	assert(got.spi_i == h->spi_i && got.spi_r == h->spi_r);
	assert(got.exchange == h->exchange && got.message_id == h->message_id);
	assert(got.major == h->major && got.minor == h->minor);
	assert(payload_set_read(chain, got.next_payload, &back) == WIRE_OK);
	assert(back.n == set->n && back.present == set->present);
	for (unsigned i = 0; i < set->n; i++) {
		assert(back.at[i].type == set->at[i].type);
		assert(span_equal(rest_of(&back.at[i]), rest_of(&set->at[i])));
	}
}

static void try_encrypted(struct span datagram, const struct payload_set *set)
{
	const struct payload *sk = payload_set_first(set, PAYLOAD_SK);
	struct sk_sealed s;
	struct reader inner;
	struct payload_set inside;

	if (!sk || sk_payload_read(datagram, sk, &s) != WIRE_OK)
		return;
	assert(s.aad.len + SK_IV_LEN + s.sealed.len == datagram.len);
	/* as if decryption had changed nothing */
	if (sk_payload_strip(span_of(s.sealed.at, s.sealed.len - SK_TAG_LEN), &inner) !=
		WIRE_OK)
		return;
	if (payload_set_read(inner, s.inner, &inside) == WIRE_OK)
		assert(inside.n <= PAYLOADS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span datagram = span_of(data, size);
	struct ike_header h;
	struct reader chain;
	struct payload_set set;

	if (ike_header_read(datagram, &h, &chain) != WIRE_OK)
		return 0;
	if (payload_set_read(chain, h.next_payload, &set) != WIRE_OK)
		return 0;
	write_again(&h, &set);
	try_encrypted(datagram, &set);
	return 0;
}
