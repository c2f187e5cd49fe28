/* fuzz_esp_inbound.c - the inbound path with the keys in the fuzzer's hands.
 *
 * Input: options (1 octet; tunnel mode and 0x80: integrity only), then records of kind (1), length (2) and octets:
 *   0  a datagram as a stranger sends it, from the SPI on
 *   1  a plaintext, trailer included, sealed as the peer would with the next number
 *   2  the same with a number of its own in the first 8 octets
 *   3  as 1, from another peer behind the same NAT (options: transport mode, 0x80)
 *
 * What comes out must be a whole IP packet that the SA's selectors cover, each number
 * must come through once, and nothing that was not sealed ever. What two peers have sent is
 * never seen as one talk.
 */
#include "../esp_lab.h"

#include "esp/early.h"
#include "wire/reader.h"
#include "wire/talk.h"

enum { RECORDS_MAX = 24, TEXT_MAX = 4096, OTHER_ID = 8, OTHER_SPI = 0xb0000002 };

/* Whose each talk was that came out. */
struct seen {
	struct talk talk[2 * RECORDS_MAX];
	unsigned who[2 * RECORDS_MAX], n;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lab_options options_of(uint8_t bits)
{
	/* in tunnel mode the last bit is free: integrity only */
	static const enum aead_alg algs[] = {AEAD_AES128_GCM16, AEAD_CHACHA20_POLY1305,
		AEAD_AES128_GMAC, AEAD_NULL_SHA256};
	bool plain = (bits & 0x81) == 0x81;

	return (struct lab_options){
		.alg = algs[(bits >> 5 & 1) | plain << 1],
		.mode = bits & 1 ? POLICY_TUNNEL : POLICY_TRANSPORT,
		.v6 = (bits & 2) != 0,
		.inner_v6 = (bits & 4) != 0,
		.encap = (bits & 8) != 0,
		.esn = (bits & 16) != 0,
		.window = 32,
		.proto = bits & 0x40 ? IP_UDP : IP_ANY,
		.port = bits & 0x40 ? 143 : 0,
		.owner = bits & 0x80 ? 1 : 0,
	};
}

static struct esp_packet raw(const struct lab *l, struct span text)
{
	struct esp_packet p = {.at = lab_buffer(0),
		.len = text.len,
		.encap = l->o.encap,
		.local = {l->b.outer, 4500},
		.remote = {l->a.outer, 4500}};

	memcpy(p.at, text.at, text.len);
	return p;
}

static void check_delivered(const struct lab *l, const struct esp_packet *p)
{
	struct ts local = lab_local_ts(l, false), remote = lab_local_ts(l, true);
	struct ip_packet ip;
	struct flow f;

	assert(ip_packet_read(span_of(p->at, p->len), &ip) == WIRE_OK);
	assert(ip.total_len == p->len);
	f = ip_packet_flow(&ip, false);
	assert(ts_pair_matches(&local, &remote, &f));
}

static void check_seen(struct seen *s, unsigned who, const struct esp_packet *p)
{
	struct ip_packet ip;
	struct talk t;

	assert(ip_packet_read(span_of(p->at, p->len), &ip) == WIRE_OK);
	if (!talk_read(span_of(p->at, p->len), &ip, false, &t) || t.quoted)
		return;
	for (unsigned i = 0; i < s->n; i++)
		assert(s->who[i] == who || s->talk[i].proto != t.proto ||
			s->talk[i].local_port != t.local_port ||
			s->talk[i].remote_port != t.remote_port);
	s->talk[s->n] = t;
	s->who[s->n++] = who;
}

static void add_other(struct lab *l)
{
	struct esp_child c = lab_child(l, false);

	c.id = OTHER_ID;
	c.spi_in = OTHER_SPI;
	c.owner = 2;
	lab_add(&l->b, &c);
}

/* Every packet ends in exactly one account. */
static void check_counters(const struct lab *l, uint64_t packets, uint64_t delivered)
{
	struct esp_batch none;

	/* What waits for an SA waits in vain. */
	esp_dp_release(l->b.dp, &none, LAB_NOW + EARLY_MS);
	assert(none.n == 0 && esp_dp_held(l->b.dp) == 0);
	struct esp_counters c = lab_count(&l->b);
	uint64_t in = lab_usage(&l->b, LAB_ID).packets_in;

	if (l->o.owner != 0)
		in += lab_usage(&l->b, OTHER_ID).packets_in;
	uint64_t unopened =
		c.drop_unknown_spi + c.drop_forged + c.drop_replayed + c.keepalives_in;

	/* What was authentic is counted before anybody looks at what is inside. */
	assert(in >= delivered + c.drop_selector + c.drop_flow_taken);
	assert(in + c.dummy_packets <= c.opened);
	assert(unopened + c.dummy_packets + c.drop_selector + c.drop_malformed +
			c.drop_flow_taken + delivered ==
		packets);
	assert(c.opened <= packets - unopened);
	assert(c.opened >= delivered + c.dummy_packets + c.drop_selector);
}

static enum esp_verdict play(struct lab *l, uint8_t kind, struct reader text,
	uint64_t *next, struct seen *seen)
{
	unsigned who = kind == 3;
	uint32_t spi = who ? OTHER_SPI : LAB_SPI_B, id = who ? OTHER_ID : LAB_ID;
	uint64_t seq = kind == 2 ? rd_u64(&text) : (*next)++;
	struct span rest = rd_rest(&text);
	struct esp_packet p =
		kind == 0 ? raw(l, rest) : lab_craft_for(l, 0, spi, seq, rest);
	uint64_t replayed = lab_usage(&l->b, id).replayed;
	enum esp_verdict verdict = lab_in(&l->b, &p, LAB_NOW);

	/* One for an SA that is not there waits for it. */
	assert(verdict == ESP_DROP || verdict == ESP_INJECT ||
		(verdict == ESP_HELD && kind == 0));
	if (verdict == ESP_INJECT) {
		assert(kind != 0);
		check_delivered(l, &p);
		if (l->o.owner != 0)
			check_seen(seen, who, &p);
	}
	/* The same once more. It was opened in place, so it has to be sealed again. */
	if (verdict == ESP_INJECT) {
		p = lab_craft_for(l, 0, spi, seq, rest);
		assert(lab_in(&l->b, &p, LAB_NOW) == ESP_DROP);
		assert(lab_usage(&l->b, id).replayed == replayed + 1);
	}
	return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = rd_over(span_of(data, size));
	uint64_t next = 1, delivered = 0, packets = 0;
	struct seen seen = {.n = 0};
	struct lab_options o = options_of(rd_u8(&r));
	struct lab l;

	if (o.mode == POLICY_TUNNEL)
		o.owner = 0;
	lab_init(&l, o);
	if (o.owner != 0)
		add_other(&l);
	for (unsigned n = 0; n < RECORDS_MAX; n++) {
		uint8_t kind = rd_u8(&r);
		uint16_t len = rd_u16(&r);
		struct reader text = rd_sub(&r, len);

		if (!rd_ok(&r) || len > TEXT_MAX || kind > (o.owner != 0 ? 3 : 2))
			break;
		delivered += play(&l, kind, text, &next, &seen) == ESP_INJECT;
		packets++;
	}
	/* What was delivered has been tried twice. */
	check_counters(&l, packets + delivered, delivered);
	lab_free(&l);
	return 0;
}
