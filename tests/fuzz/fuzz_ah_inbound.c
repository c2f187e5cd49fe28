/* fuzz_ah_inbound.c - AH as it arrives, with the keys in the fuzzer's hands.
 *
 * Input: options (1 octet), then records of kind (1), length (2) and octets:
 *   0  a packet as a stranger sends it, from its IP header on
 *   1  the same with the addresses of the two ends
 *   2  as 1, and with the ICV that belongs there, if it is AH for the SA
 *   3  a protocol (1) and a text, sealed as the peer would with the next number
 *   4  the same with a number of its own in the first 8 octets
 *
 * What comes out must be a whole IP packet that the SA's selectors cover, each number must
 * come through once, and nothing that was not sealed ever.
 */
#include "../esp_lab.h"

#include "esp/ah.h"
#include "esp/dp.h"
#include "wire/ah_header.h"

enum { RECORDS_MAX = 24, TEXT_MAX = 4096, TAG_LEN = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lab_options options_of(uint8_t bits)
{
	return (struct lab_options){
		.ah = true,
		.mode = bits & 1 ? POLICY_TUNNEL : POLICY_TRANSPORT,
		.v6 = (bits & 2) != 0,
		.inner_v6 = (bits & 4) != 0,
		.esn = (bits & 8) != 0,
		.window = 32,
		.proto = bits & 0x10 ? IP_UDP : IP_ANY,
		.port = bits & 0x10 ? 143 : 0,
	};
}

static struct esp_packet arriving(const struct lab *l, size_t len)
{
	return (struct esp_packet){.at = lab_buffer(0),
		.len = len,
		.ah = true,
		.local = {l->b.outer, 0},
		.remote = {l->a.outer, 0}};
}

/* ---- packets ---------------------------------------------------------------------- */

static struct esp_packet raw(const struct lab *l, struct span text, bool addresses)
{
	struct esp_packet p = arriving(l, text.len);
	bool v6 = l->a.outer.family == ADDR_V6;
	size_t at = v6 ? 8 : 12, len = v6 ? 16 : 4;

	memcpy(p.at, text.at, text.len);
	if (!addresses || p.len < at + 2 * len)
		return p;
	p.at[0] = (uint8_t)((v6 ? 0x60 : 0x40) | (p.at[0] & 0x0f));
	memcpy(p.at + at, l->a.outer.b, len);
	memcpy(p.at + at + len, l->b.outer.b, len);
	return p;
}

/* By another way than the code under test: whatever the length of AH, and of what is in
 * front of it. */
static bool put_icv(const struct lab *l, const struct esp_packet *p)
{
	static struct ah_cover front;
	static uint8_t rest[LAB_PACKET_MAX];
	struct esp_child c = lab_child(l, true);
	struct span packet = span_of(p->at, p->len);
	struct ip_packet ip;
	struct ah_header ah;
	uint8_t upper[4] = {0};

	if (ip_packet_read(packet, &ip) != WIRE_OK ||
		ah_cover_read(packet, &ip, &front) != WIRE_OK ||
		ah_header_read(span_of(p->at + ip.l4_at, ip.total_len - ip.l4_at), &ah) !=
			WIRE_OK ||
		ah.spi != LAB_SPI_B || ah.len < AH_FIXED_LEN + TAG_LEN)
		return false;
	size_t len = ip.total_len - ip.l4_at;
	memcpy(rest, p->at + ip.l4_at, len);
	memset(rest + AH_FIXED_LEN, 0, TAG_LEN);
	struct aead *a = aead_new(c.alg, secret_span(&c.key_out));
	const struct span parts[] = {span_of(front.at, front.len), span_of(rest, len),
		span_of(upper, l->o.esn ? 4 : 0)};
	enum crypto_err err = aead_tag(a, parts, 3, p->at + ip.l4_at + AH_FIXED_LEN);
	assert(err == CRYPTO_OK);
	(void)err;
	aead_free(a);
	return true;
}

static struct esp_packet sealed(const struct lab *l, uint64_t seq, struct reader text)
{
	uint8_t next = rd_u8(&text);
	struct span rest = rd_rest(&text);
	const struct sa_text t = {lab_buffer(0), rest.len, next};
	struct esp_packet p = arriving(l, 0);
	bool done;

	memcpy(t.at, rest.at, rest.len);
	done = ah_seal(dp_by_spi(l->a.dp, LAB_SPI_A), seq, &t, 0, &p);
	assert(done);
	(void)done;
	return p;
}

static struct esp_packet packet_of(
	const struct lab *l, uint8_t kind, uint64_t seq, struct reader text)
{
	struct esp_packet p;

	if (kind >= 3)
		return sealed(l, seq, text);
	p = raw(l, rd_rest(&text), kind != 0);
	if (kind == 2)
		(void)put_icv(l, &p);
	return p;
}

/* ---- what must hold ------------------------------------------------------------------- */

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

static bool play(struct lab *l, uint8_t kind, uint64_t seq, struct reader text)
{
	uint64_t replayed = lab_usage(&l->b, LAB_ID).replayed;
	struct esp_packet p = packet_of(l, kind, seq, text);
	enum esp_verdict verdict = lab_in(&l->b, &p, LAB_NOW);

	/* One for an SA that is not there waits for it. */
	assert(verdict == ESP_DROP || verdict == ESP_INJECT ||
		(verdict == ESP_HELD && kind < 3));
	if (verdict != ESP_INJECT)
		return false;
	assert(kind >= 2);
	check_delivered(l, &p);
	/* The same once more. */
	p = packet_of(l, kind, seq, text);
	verdict = lab_in(&l->b, &p, LAB_NOW);
	assert(verdict == ESP_DROP);
	assert(lab_usage(&l->b, LAB_ID).replayed == replayed + 1);
	return true;
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
	uint64_t unopened = c.drop_unknown_spi + c.drop_forged + c.drop_replayed;

	/* What was authentic is counted before anybody looks at what is inside. */
	assert(in >= delivered + c.drop_selector);
	assert(in + c.dummy_packets <= c.opened);
	assert(unopened + c.dummy_packets + c.drop_selector + c.drop_malformed +
			delivered ==
		packets);
	assert(c.opened >= delivered + c.dummy_packets + c.drop_selector);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = rd_over(span_of(data, size));
	uint64_t next = 1, delivered = 0, packets = 0;
	struct lab l;

	lab_init(&l, options_of(rd_u8(&r)));
	for (unsigned n = 0; n < RECORDS_MAX; n++) {
		uint8_t kind = rd_u8(&r);
		uint16_t len = rd_u16(&r);
		struct reader text = rd_sub(&r, len);

		if (!rd_ok(&r) || len > TEXT_MAX || kind > 4)
			break;
		uint64_t seq = kind == 4 ? rd_u64(&text) : next;
		next += kind == 3;
		delivered += play(&l, kind, seq, text);
		packets++;
	}
	/* What was delivered has been tried twice. */
	check_counters(&l, packets + delivered, delivered);
	lab_free(&l);
	return 0;
}
