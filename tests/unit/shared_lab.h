/* tests/unit/shared_lab.h - a server's dataplane, and those of several clients behind one NAT
 * in transport mode, with real packets between them. The text of each packet says whose it
 * is. Include it once in a program.
 */
#ifndef VIPSEC_TESTS_SHARED_LAB_H
#define VIPSEC_TESTS_SHARED_LAB_H

#include "unit.h"
#include "../esp_lab.h"

#include "wire/talk.h"

enum { CLIENTS = 6, SERVICE = 143, CLIENT_RULE = 1, TEXT_LEN = 40, TEXT_AT = 20 };

struct client {
	struct esp_dp *dp;
	struct addr inner;
	uint16_t nat_port;
	uint64_t owner;
	uint32_t id; /* its SA; 0: none */
	uint32_t old_id; /* that it replaced; 0: none */
};

static struct shared {
	struct esp_dp *server;
	struct addr vip, nat;
	struct client c[CLIENTS];
	uint32_t last_id;
	uint64_t now_ms;
	uint16_t port_lo, port_hi; /* of the selectors, on the clients' side */
} s;

/* What a packet is, before and after. */
struct said { /* without padding: it is sent, and compared, octet by octet */
	uint16_t proto;
	uint16_t local_port, remote_port; /* as talk_read() has them */
	uint16_t own_port; /* that the client used */
	unsigned who;
};
_Static_assert(
	sizeof(struct said) == 4 * sizeof(uint16_t) + sizeof(unsigned), "no padding");

static inline struct ts any_port_of(const struct addr *a, uint16_t lo, uint16_t hi)
{
	struct ts t = ts_host(a);

	if (hi == 0)
		return t;
	t.proto = IP_UDP;
	t.port_lo = lo;
	t.port_hi = hi;
	return t;
}

static inline struct esp_dp *shared_dp(const struct addr *here, struct ts there)
{
	struct seeded_entropy seed;
	struct entropy entropy = entropy_seeded(&seed, 1);
	struct lab_end e = {.dp = esp_dp_new(&entropy), .outer = *here, .inner = *here};
	struct spd *spd = spd_new();
	struct ts local = ts_host(here);

	local.proto = there.proto;
	lab_rule(spd, local, there, POLICY_NEGOTIATE, POLICY_TRANSPORT, CLIENT_RULE);
	lab_policy(&e, spd);
	esp_gate_open(esp_dp_gate(e.dp, 0), 1);
	return e.dp;
}

static inline struct esp_child shared_child(unsigned who, bool server)
{
	const struct client *c = &s.c[who];
	uint32_t id = c->id;
	struct esp_child e = {
		.id = id,
		.rule = CLIENT_RULE,
		.spi_in = server ? 0xa0000000 + id : 0xb0000000 + id,
		.spi_out = server ? 0xb0000000 + id : 0xa0000000 + id,
		.alg = AEAD_AES128_GCM16,
		.mode = POLICY_TRANSPORT,
		.encap = true,
		.local = server ? (struct endpoint){s.vip, 4500}
				: (struct endpoint){c->inner, 4500},
		.remote = server ? (struct endpoint){s.nat, c->nat_port}
				 : (struct endpoint){s.vip, 4500},
		.replay_window = 64,
		.member = server ? 1 : 2,
		.outbound_ready = true,
		.owner = server ? c->owner : 0,
	};
	struct ts vip = ts_host(&s.vip),
		  own = any_port_of(server ? &s.nat : &c->inner, s.port_lo, s.port_hi);

	vip.proto = own.proto;
	ts_list_add(&e.local_ts, server ? &vip : &own);
	ts_list_add(&e.remote_ts, server ? &own : &vip);
	e.key_in.len = e.key_out.len = aead_keymat_len(e.alg);
	memset(e.key_in.b, (int)(server ? id : id + 128), e.key_in.len);
	memset(e.key_out.b, (int)(server ? id + 128 : id), e.key_out.len);
	return e;
}

/* New keys at both ends; what was there stays until shared_drop_old(). */
static inline void shared_connect(unsigned who)
{
	struct client *c = &s.c[who];

	c->old_id = c->id;
	c->id = ++s.last_id;
	struct esp_child here = shared_child(who, true), there = shared_child(who, false);
	assert_int_equal(esp_dp_add(s.server, &here), ESP_OK);
	assert_int_equal(esp_dp_add(c->dp, &there), ESP_OK);
}

static inline void shared_drop(unsigned who, uint32_t *id)
{
	if (*id != 0) {
		assert_int_equal(esp_dp_delete(s.server, *id), ESP_OK);
		assert_int_equal(esp_dp_delete(s.c[who].dp, *id), ESP_OK);
	}
	*id = 0;
}

static inline void shared_disconnect(unsigned who)
{
	shared_drop(who, &s.c[who].old_id);
	shared_drop(who, &s.c[who].id);
}

static inline void shared_open(uint16_t port_lo, uint16_t port_hi)
{
	s = (struct shared){.vip = lab_addr(false, 10),
		.nat = lab_addr(false, 99),
		.now_ms = LAB_NOW,
		.port_lo = port_lo,
		.port_hi = port_hi};
	s.server = shared_dp(&s.vip, any_port_of(&s.nat, port_lo, port_hi));
	for (unsigned i = 0; i < CLIENTS; i++) {
		s.c[i].inner = addr_v4(10, 0, 0, (uint8_t)(i + 1));
		s.c[i].nat_port = (uint16_t)(20000 + i);
		s.c[i].owner = 1000 + i;
		s.c[i].dp = shared_dp(&s.c[i].inner, ts_host(&s.vip));
	}
}

static inline int shared_close(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CLIENTS; i++)
		esp_dp_free(s.c[i].dp);
	esp_dp_free(s.server);
	return 0;
}

/* ---- packets: UDP, TCP, ICMP echo ---------------------------------------------- */

static inline void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

/* For UDP and TCP the ports; for ICMP a question with to as identifier, or its answer. */
static inline struct esp_packet shared_packet(const struct addr *src,
	const struct addr *dst, uint8_t proto, uint16_t from, uint16_t to, bool answer,
	uint8_t tcp_flags, const struct said *text)
{
	struct esp_packet p = lab_ip(0, src, dst, proto, TEXT_AT + TEXT_LEN);
	uint8_t *at = p.at + IPV4_HEADER_LEN;
	struct ip_packet ip;

	memset(at, 0, TEXT_AT);
	if (proto == IP_ICMP) {
		at[0] = answer ? 0 : 8;
		put16(at + 4, answer ? to : from);
	} else {
		put16(at, from);
		put16(at + 2, to);
		put16(at + 4, proto == IP_UDP ? TEXT_AT + TEXT_LEN : 0);
		at[6] = 1; /* a sum, if UDP */
		at[12] = 0x50;
		at[13] = tcp_flags;
	}
	memcpy(at + TEXT_AT, text, sizeof *text);
	assert_int_equal(ip_packet_read(span_of(p.at, p.len), &ip), WIRE_OK);
	l4_checksum_set(p.at, &ip);
	return p;
}

static inline void said_in(
	const struct esp_packet *p, bool outbound, struct said *out, struct talk *talk)
{
	struct ip_packet ip;

	assert_int_equal(ip_packet_read(span_of(p->at, p->len), &ip), WIRE_OK);
	assert_true(l4_checksum_ok(p->at, &ip));
	assert_true(talk_read(span_of(p->at, p->len), &ip, outbound, talk));
	memcpy(out, p->at + IPV4_HEADER_LEN + TEXT_AT, sizeof *out);
}

static inline enum esp_verdict call(struct esp_dp *dp,
	void (*path)(struct esp_dp *, struct esp_batch *, uint64_t), struct esp_packet *p)
{
	struct esp_batch b = {.n = 1, .at = {*p}};

	path(dp, &b, s.now_ms);
	*p = b.at[0];
	return p->verdict;
}

/* The client's packet through the NAT and into the server. ESP_INJECT: *seen is the port (or
 * identifier) under which the server's host sees it. */
static inline enum esp_verdict shared_ask_flags(unsigned who, uint8_t proto,
	uint16_t port, uint16_t service, uint8_t flags, uint16_t *seen)
{
	struct client *c = &s.c[who];
	const struct said text = {proto, service, port, port, who};
	struct esp_packet p = shared_packet(
		&c->inner, &s.vip, proto, port, service, false, flags, &text);
	struct said got;
	struct talk talk;

	assert_int_equal(call(c->dp, esp_dp_outbound, &p), ESP_SEND);
	p.local = (struct endpoint){s.vip, 4500};
	p.remote = (struct endpoint){s.nat, c->nat_port};
	if (call(s.server, esp_dp_inbound, &p) != ESP_INJECT)
		return p.verdict;
	said_in(&p, false, &got, &talk);
	assert_memory_equal(&got, &text, sizeof got);
	assert_int_equal(talk.proto, proto);
	*seen = talk.remote_port;
	return ESP_INJECT;
}

static inline enum esp_verdict shared_ask(
	unsigned who, uint8_t proto, uint16_t port, uint16_t service, uint16_t *seen)
{
	return shared_ask_flags(who, proto, port, service, 0, seen);
}

/* Which client has that place at the NAT. */
static inline unsigned shared_who(const struct endpoint *at)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		if (s.c[i].nat_port == at->port)
			return i;
	fail_msg("sent to port %u, where nobody is", at->port);
	return 0;
}

/* What the server's host sends, to the port as it sees it. ESP_SEND: *who opened it, and
 * found *port in it. */
static inline enum esp_verdict shared_answer(uint8_t proto, uint16_t service,
	uint16_t seen, const struct said *text, unsigned *who, uint16_t *port)
{
	struct esp_packet p =
		shared_packet(&s.vip, &s.nat, proto, service, seen, true, 0, text);
	struct said got;
	struct talk talk;

	if (call(s.server, esp_dp_outbound, &p) != ESP_SEND)
		return p.verdict;
	*who = shared_who(&p.remote);
	p.remote = (struct endpoint){s.vip, 4500};
	p.local = (struct endpoint){s.c[*who].inner, 4500};
	assert_int_equal(call(s.c[*who].dp, esp_dp_inbound, &p), ESP_INJECT);
	said_in(&p, false, &got, &talk);
	assert_memory_equal(&got, text, sizeof got);
	/* The client, which asked, is the local side there. */
	*port = proto == IP_ICMP ? talk.remote_port : talk.local_port;
	return ESP_SEND;
}

/* It must go to this client, under its own port. */
static inline void shared_answered(
	unsigned who, uint8_t proto, uint16_t port, uint16_t service, uint16_t seen)
{
	const struct said text = {proto, service, seen, port, who};
	unsigned got = CLIENTS;
	uint16_t got_port = 0;

	assert_int_equal(
		shared_answer(proto, service, seen, &text, &got, &got_port), ESP_SEND);
	assert_int_equal(got, who);
	assert_int_equal(got_port, port);
}

static inline struct esp_counters shared_count(void)
{
	struct esp_counters c;

	esp_dp_counters(s.server, &c);
	return c;
}

#endif
