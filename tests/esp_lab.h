/* tests/esp_lab.h - two dataplanes with an SA between them, and packets to send.
 *
 * For unit tests, fuzz targets and benchmarks: no cmocka here, what goes wrong aborts.
 * Include it once in a program; one program has one lab's worth of packet buffers.
 */
#ifndef VIPSEC_TESTS_ESP_LAB_H
#define VIPSEC_TESTS_ESP_LAB_H

#include "base/iana.h"
#include "esp/esp.h"
#include "wire/checksum.h"
#include "wire/ip_packet.h"

#include <assert.h>
#include <stdio.h>

enum {
	LAB_PACKET_MAX = 65600,
	LAB_RULE = 1,
	LAB_ID = 7,
	LAB_SPI_A = 0xa0000001, /* what A receives on */
	LAB_SPI_B = 0xb0000001,
	LAB_NOW = 1000
};

struct lab_options {
	enum aead_alg alg; /* 0: AES-128-GCM */
	bool ah; /* AH, not ESP; alg is then NULL with HMAC, 0: SHA-256 */
	enum policy_mode mode;
	bool v6; /* outer, and in transport mode inner, addresses */
	bool inner_v6; /* tunnel mode */
	bool encap, esn;
	uint32_t window; /* 0: 64 */
	uint64_t soft_seq;
	uint8_t proto; /* of the SA's and the rule's selectors; 0: any */
	uint16_t port; /* of B's side */
	uint64_t owner; /* of B's SA: A is behind a NAT, maybe with others */
};

struct lab_end {
	struct esp_dp *dp;
	struct addr outer, inner;
};

struct lab {
	struct lab_options o;
	struct lab_end a, b;
};

static uint8_t lab_pool[ESP_BATCH_MAX][ESP_ROOM_BEFORE + LAB_PACKET_MAX + ESP_ROOM_AFTER];

static inline uint8_t *lab_buffer(unsigned i)
{
	assert(i < ESP_BATCH_MAX);
	return lab_pool[i] + ESP_ROOM_BEFORE;
}

static inline struct addr lab_addr(bool v6, uint8_t last)
{
	struct addr a =
		v6 ? (struct addr){.family = ADDR_V6, .b = {0x20, 0x01, 0x0d, 0xb8}}
		   : addr_v4(192, 0, 2, 0);

	a.b[v6 ? 15 : 3] = last;
	return a;
}

static inline struct ts lab_ts(const struct addr *a, uint8_t proto, uint16_t port)
{
	struct ts t = ts_host(a);

	t.proto = proto;
	if (port != 0)
		t.port_lo = t.port_hi = port;
	return t;
}

static inline void lab_rule(struct spd *spd, struct ts local, struct ts remote,
	enum policy_action action, enum policy_mode mode, uint32_t rule)
{
	struct spd_entry e = {
		.local = local,
		.remote = remote,
		.action = action,
		.mirrored = true,
		.mode = mode,
		.rule = rule,
		.binding = rule,
	};
	enum policy_err err;

	snprintf(e.rule_name, sizeof e.rule_name, "rule %u", (unsigned)rule);
	err = spd_add(spd, &e);
	assert(err == POLICY_OK);
	(void)err;
}

static inline void lab_policy(struct lab_end *e, struct spd *spd)
{
	const struct spd_entry *x, *y;
	enum policy_err err = spd_seal(spd, &x, &y);

	assert(err == POLICY_OK);
	(void)err;
	esp_dp_policy(e->dp, 0, spd, &e->inner, 1);
}

static inline struct ts lab_local_ts(const struct lab *l, bool is_a)
{
	return lab_ts(is_a ? &l->a.inner : &l->b.inner, l->o.proto, is_a ? 0 : l->o.port);
}

/* One side of the SA; id and SPIs may be changed for a second one. */
static inline struct esp_child lab_child(const struct lab *l, bool is_a)
{
	const struct lab_end *here = is_a ? &l->a : &l->b, *there = is_a ? &l->b : &l->a;
	struct esp_child c = {
		.id = LAB_ID,
		.rule = LAB_RULE,
		.spi_in = is_a ? LAB_SPI_A : LAB_SPI_B,
		.spi_out = is_a ? LAB_SPI_B : LAB_SPI_A,
		.ah = l->o.ah,
		.alg = l->o.alg,
		.mode = l->o.mode,
		.encap = l->o.encap,
		.local = {here->outer, 4500},
		.remote = {there->outer, 4500},
		.esn = l->o.esn,
		.replay_window = l->o.window,
		.member = is_a ? 0xaa : 0xbb,
		.soft_seq = l->o.soft_seq,
		.outbound_ready = true,
		.owner = is_a ? 0 : l->o.owner,
	};
	struct ts local = lab_local_ts(l, is_a), remote = lab_local_ts(l, !is_a);

	ts_list_add(&c.local_ts, &local);
	ts_list_add(&c.remote_ts, &remote);
	c.key_in.len = c.key_out.len = aead_keymat_len(c.alg);
	memset(c.key_in.b, is_a ? 0x0a : 0x0b, c.key_in.len);
	memset(c.key_out.b, is_a ? 0x0b : 0x0a, c.key_out.len);
	return c;
}

static inline void lab_add(struct lab_end *e, const struct esp_child *c)
{
	enum esp_err err = esp_dp_add(e->dp, c);

	assert(err == ESP_OK);
	(void)err;
}

static inline void lab_end_init(struct lab *l, struct lab_end *e, bool is_a)
{
	struct seeded_entropy seed;
	struct entropy entropy = entropy_seeded(&seed, 1);
	struct spd *spd = spd_new();
	struct esp_child c = lab_child(l, is_a);

	lab_rule(spd, lab_local_ts(l, is_a), lab_local_ts(l, !is_a), POLICY_NEGOTIATE,
		l->o.mode, LAB_RULE);
	e->dp = esp_dp_new(&entropy);
	lab_policy(e, spd);
	esp_gate_open(esp_dp_gate(e->dp, 0), 1);
	lab_add(e, &c);
}

static inline void lab_init(struct lab *l, struct lab_options o)
{
	bool inner_v6 = o.mode == POLICY_TUNNEL ? o.inner_v6 : o.v6;

	if (o.alg == AEAD_NONE)
		o.alg = o.ah ? AEAD_NULL_SHA256 : AEAD_AES128_GCM16;
	if (o.window == 0)
		o.window = 64;
	*l = (struct lab){.o = o};
	l->a.outer = lab_addr(o.v6, 1);
	l->b.outer = lab_addr(o.v6, 2);
	l->a.inner = lab_addr(inner_v6, o.mode == POLICY_TUNNEL ? 11 : 1);
	l->b.inner = lab_addr(inner_v6, o.mode == POLICY_TUNNEL ? 12 : 2);
	lab_end_init(l, &l->a, true);
	lab_end_init(l, &l->b, false);
}

static inline void lab_free(struct lab *l)
{
	esp_dp_free(l->a.dp);
	esp_dp_free(l->b.dp);
}

/* ---- packets ------------------------------------------------------------------ */

static inline size_t lab_header_len(const struct addr *a)
{
	return a->family == ADDR_V4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN;
}

/* An IP packet with len octets of payload, numbered through, in buffer i. */
static inline struct esp_packet lab_ip(unsigned i, const struct addr *src,
	const struct addr *dst, uint8_t proto, size_t len)
{
	const struct ip_packet h = {.src = *src, .dst = *dst, .proto = proto, .ttl = 64};
	size_t header_len = lab_header_len(src);
	struct esp_packet p = {.at = lab_buffer(i), .len = header_len + len};
	struct writer w = wr_over(p.at, header_len);
	uint8_t *payload = p.at + header_len;

	assert(p.len <= LAB_PACKET_MAX);
	ip_packet_write_header(&w, &h, len);
	for (size_t k = 0; k < len; k++)
		payload[k] = (uint8_t)k;
	return p;
}

/* UDP with a right checksum; len octets of data. */
static inline struct esp_packet lab_udp(unsigned i, const struct addr *src,
	uint16_t src_port, const struct addr *dst, uint16_t dst_port, size_t len)
{
	struct esp_packet p = lab_ip(i, src, dst, IP_UDP, 8 + len);
	uint8_t *udp = p.at + lab_header_len(src);
	const uint8_t header[8] = {(uint8_t)(src_port >> 8), (uint8_t)src_port,
		(uint8_t)(dst_port >> 8), (uint8_t)dst_port, (uint8_t)((8 + len) >> 8),
		(uint8_t)(8 + len), 1, 1};
	struct ip_packet ip;
	enum wire_err err;

	memcpy(udp, header, sizeof header);
	err = ip_packet_read(span_of(p.at, p.len), &ip);
	assert(err == WIRE_OK);
	(void)err;
	l4_checksum_set(p.at, &ip);
	return p;
}

static inline struct esp_packet lab_a_to_b(const struct lab *l, unsigned i, size_t len)
{
	return lab_udp(i, &l->a.inner, 5000, &l->b.inner, 143, len);
}

/* What arrives at the other end: the addresses change sides. */
static inline void lab_cross(struct esp_packet *p)
{
	struct endpoint local = p->local;

	p->local = p->remote;
	p->remote = local;
}

static inline enum esp_verdict lab_out(
	struct lab_end *e, struct esp_packet *p, uint64_t now_ms)
{
	struct esp_batch b = {.n = 1, .at = {*p}};

	esp_dp_outbound(e->dp, &b, now_ms);
	*p = b.at[0];
	return p->verdict;
}

static inline enum esp_verdict lab_in(
	struct lab_end *e, struct esp_packet *p, uint64_t now_ms)
{
	struct esp_batch b = {.n = 1, .at = {*p}};

	esp_dp_inbound(e->dp, &b, now_ms);
	*p = b.at[0];
	return p->verdict;
}

/* An ESP packet for B as A might have made it, with any plaintext, trailer included. */
static inline struct esp_packet lab_craft_for(
	const struct lab *l, unsigned i, uint32_t spi, uint64_t seq, struct span plain)
{
	struct esp_child c = lab_child(l, true);
	struct aead *a = aead_new(c.alg, secret_span(&c.key_out));
	struct aead_shape shape = aead_shape(c.alg);
	size_t before = 8 + (size_t)shape.iv_len;
	struct esp_packet p = {.at = lab_buffer(i),
		.len = before + plain.len + shape.tag_len,
		.encap = l->o.encap,
		.local = c.remote,
		.remote = c.local};
	bool behind = aead_mac_key_len(c.alg) != 0; /* the number's upper half */
	uint8_t aad[12], tail[4];
	size_t aad_len = l->o.esn && !behind ? 12 : 8;
	enum crypto_err err;

	for (unsigned k = 0; k < 4; k++) {
		p.at[k] = aad[k] = (uint8_t)(spi >> (24 - 8 * k));
		tail[k] = (uint8_t)(seq >> (56 - 8 * k));
		if (aad_len == 12)
			aad[4 + k] = tail[k];
		p.at[4 + k] = aad[aad_len - 4 + k] = (uint8_t)(seq >> (24 - 8 * k));
	}
	memmove(p.at + before, plain.at, plain.len);
	err = aead_seal_packet(a, seq, span_of(aad, aad_len),
		span_of(tail, l->o.esn && behind ? 4 : 0), p.at + 8, p.at + before,
		plain.len);
	assert(err == CRYPTO_OK);
	(void)err;
	aead_free(a);
	return p;
}

static inline struct esp_packet lab_craft(
	const struct lab *l, unsigned i, uint64_t seq, struct span plain)
{
	return lab_craft_for(l, i, LAB_SPI_B, seq, plain);
}

static inline struct esp_counters lab_count(const struct lab_end *e)
{
	struct esp_counters c;

	esp_dp_counters(e->dp, &c);
	return c;
}

static inline struct esp_usage lab_usage(const struct lab_end *e, uint32_t id)
{
	struct esp_usage u;
	enum esp_err err = esp_dp_usage(e->dp, id, 0, &u);

	assert(err == ESP_OK);
	(void)err;
	return u;
}

#endif
