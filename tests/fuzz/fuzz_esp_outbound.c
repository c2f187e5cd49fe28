/* fuzz_esp_outbound.c - anything out of the TUN, and across to the other end.
 *
 * Input: options (1 octet), then records of kind (1), length (2) and an IP packet. With
 * kind 1 its addresses are replaced by those that the policy protects, so that more than
 * the policy's refusal is tried; with kind 2 it starts a new call of the path as well; with
 * kind 3 the SA goes before it, or comes back.
 *
 * What is sealed must open at the other end and come out as it went in; an ICMP error
 * must be a packet with right sums for the sender.
 */
#include "../esp_lab.h"

#include "wire/reader.h"

enum { TEXT_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lab_options options_of(uint8_t bits)
{
	static const enum aead_alg algs[] = {AEAD_AES128_GCM16, AEAD_AES256_SHA256,
		AEAD_NULL_SHA512, AEAD_AES256_GMAC};

	return (struct lab_options){
		.alg = algs[bits >> 6],
		.mode = bits & 1 ? POLICY_TUNNEL : POLICY_TRANSPORT,
		.v6 = (bits & 2) != 0,
		.inner_v6 = (bits & 4) != 0,
		.encap = (bits & 8) != 0,
		.esn = (bits & 16) != 0,
	};
}

static void put_addresses(const struct lab *l, struct esp_packet *p)
{
	bool v6 = l->a.inner.family == ADDR_V6;
	size_t at = v6 ? 8 : 12, len = v6 ? 16 : 4;

	if (p->len < at + 2 * len)
		return;
	p->at[0] = (uint8_t)((v6 ? 0x60 : 0x40) | (p->at[0] & 0x0f));
	memcpy(p->at + at, l->a.inner.b, len);
	memcpy(p->at + at + len, l->b.inner.b, len);
}

static void check_answer(const struct lab *l, const struct esp_packet *p)
{
	struct ip_packet ip;

	assert(ip_packet_read(span_of(p->at, p->len), &ip) == WIRE_OK);
	assert(addr_equal(&ip.dst, &l->a.inner) && addr_equal(&ip.src, &l->b.inner));
	assert(ip.proto == IP_ICMP || ip.proto == IP_ICMPV6);
	assert(l4_checksum_ok(p->at, &ip));
}

/* plain is what went in; a reassembled datagram is not compared. */
static void check_sent(struct lab *l, struct esp_packet *p, struct span plain, bool whole)
{
	size_t skip = l->o.mode == POLICY_TRANSPORT ? lab_header_len(&l->a.inner) : 0;

	lab_cross(p);
	assert(p->len % 4 == 0);
	if (lab_in(&l->b, p, LAB_NOW) == ESP_DROP) {
		/* "No next header" in transport mode is what a dummy is (RFC 4303 2.6). */
		assert(skip > 0 && (plain.at[skip == 20 ? 9 : 6] == IP_NONE || !whole));
		assert(lab_count(&l->b).dummy_packets > 0);
		return;
	}
	assert(p->verdict == ESP_INJECT);
	if (!whole)
		return;
	assert(p->len <= plain.len);
	/* Behind NAT the upper layer's sum is made anew. */
	if (l->o.mode == POLICY_TRANSPORT && l->o.encap)
		return;
	assert(memcmp(p->at + skip, plain.at + skip, p->len - skip) == 0);
}

static void check_batch(
	struct lab *l, struct esp_batch *b, uint8_t plain[][TEXT_MAX], const size_t *lens)
{
	esp_dp_outbound(l->a.dp, b, LAB_NOW);
	for (unsigned i = 0; i < b->n; i++) {
		struct esp_packet *p = &b->at[i];
		struct ip_packet ip;
		bool readable =
			ip_packet_read(span_of(plain[i], lens[i]), &ip) == WIRE_OK;

		if (p->verdict == ESP_INJECT)
			check_answer(l, p);
		if (p->verdict == ESP_HELD)
			assert(readable);
		if (p->verdict == ESP_SEND) {
			assert(readable);
			check_sent(l, p, span_of(plain[i], ip.total_len), !ip.fragment);
		}
	}
	b->n = 0;
}

static void toggle_sa(struct lab *l)
{
	struct esp_child a = lab_child(l, true), b = lab_child(l, false);
	struct esp_batch out;

	if (esp_dp_delete(l->a.dp, LAB_ID) == ESP_OK) {
		enum esp_err err = esp_dp_delete(l->b.dp, LAB_ID);
		assert(err == ESP_OK);
		return;
	}
	lab_add(&l->a, &a);
	lab_add(&l->b, &b);
	for (esp_dp_release(l->a.dp, &out, LAB_NOW); out.n > 0;
		esp_dp_release(l->a.dp, &out, LAB_NOW)) {
		for (unsigned i = 0; i < out.n; i++) {
			assert(out.at[i].verdict != ESP_HELD);
			if (out.at[i].verdict == ESP_SEND)
				check_sent(
					l, &out.at[i], span_of(out.at[i].at, 40), false);
		}
	}
	assert(esp_dp_held(l->a.dp) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t plain[ESP_BATCH_MAX][TEXT_MAX];
	struct reader r = rd_over(span_of(data, size));
	struct esp_batch b = {.n = 0};
	size_t lens[ESP_BATCH_MAX];
	struct lab l;

	lab_init(&l, options_of(rd_u8(&r)));
	while (b.n < ESP_BATCH_MAX) {
		uint8_t kind = rd_u8(&r);
		uint16_t len = rd_u16(&r);
		struct span text = rd_bytes(&r, len);
		struct esp_packet *p;

		if (!rd_ok(&r) || len > TEXT_MAX)
			break;
		if (kind >= 2)
			check_batch(&l, &b, plain, lens);
		if (kind == 3)
			toggle_sa(&l);
		p = &b.at[b.n];
		*p = (struct esp_packet){.at = lab_buffer(b.n), .len = len};
		memcpy(p->at, text.at, len);
		if (kind != 0)
			put_addresses(&l, p);
		memcpy(plain[b.n], p->at, len);
		lens[b.n++] = len;
	}
	check_batch(&l, &b, plain, lens);
	lab_free(&l);
	return 0;
}
