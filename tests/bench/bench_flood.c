/* bench_flood.c - what strangers cost, and what they cost a friend.
 *
 *     bench_flood [PACKETS]
 *
 * Processor time of the responder's engine for each kind of packet that it refuses, from
 * 10,000 addresses by turns, beside parsing one IKE header; and for the handshake of a
 * friend, in quiet and between strangers' packets, the half-open pool of strangers full. In
 * turns in one run.
 */
#include "bench/end.h"
#include "bench/figures.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/iana.h"
#include "wire/ke_payload.h"
#include "wire/message.h"
#include "wire/notify_payload.h"
#include "wire/sa_payload.h"

enum { RUNS = 9, DEFAULT_PACKETS = 5000, NOW = 1000, ADDRESSES = 10000 };
enum { FRIENDS = 50, BETWEEN = 100 /* strangers' packets for each of a friend's */ };

struct packet {
	uint8_t at[4096];
	size_t len;
};

/* ---- what strangers send */

static struct ike_path from_stranger(unsigned n)
{
	struct addr a = addr_v4(198, 18, (uint8_t)(n / 250 % 40), (uint8_t)(1 + n % 250));
	struct addr vip = end_vip();

	return end_path(&vip, &a);
}

/* An IKE_SA_INIT as a peer would ask. */
static void ask(struct packet *p)
{
	struct ike_path path = from_stranger(0), back = path;
	struct letter l;
	struct end a;

	back.local = path.remote;
	back.remote = path.local;
	end_init(&a, 9);
	end_call(&a, NOW, &back);
	bool sent = mail_take(&a.out, &l);
	assert(sent && l.len <= sizeof(p->at));
	memcpy(p->at, l.bytes, l.len);
	p->len = l.len;
	free(l.bytes);
	end_wipe(&a);
}

static struct message begin(struct packet *p, uint8_t exchange)
{
	struct ike_header h = {.spi_i = 1,
		.spi_r = exchange == IKE_SA_INIT ? 0 : 77,
		.major = 2,
		.exchange = exchange,
		.initiator = true,
		.message_id = exchange == IKE_SA_INIT ? 0 : 1};

	return message_begin(p->at, sizeof(p->at), &h);
}

static void finish(struct packet *p, struct message *m)
{
	struct span s = message_finish(m);

	assert(s.len > 0);
	p->len = s.len;
}

static void write_rest(struct message *m, const struct wire_sa *sa)
{
	static const uint8_t octets[32] = {9};
	struct wire_ke ke = {.group = KE_CURVE25519, .public = span_of(octets, 32)};

	sa_payload_write(message_payload(m, PAYLOAD_SA), sa);
	ke_payload_write(message_payload(m, PAYLOAD_KE), &ke);
	nonce_payload_write(message_payload(m, PAYLOAD_NONCE), span_of(octets, 32));
}

static void ask_with_a_wrong_cookie(struct packet *p)
{
	struct wire_sa sa = {.n = 0};
	struct message m = begin(p, IKE_SA_INIT);
	static const uint8_t cookie[36] = {1};
	struct wire_notify n = {
		.type = N_COOKIE, .data = span_of(cookie, sizeof(cookie))};
	struct wire_proposal *one = wire_sa_add(&sa, PROTO_IKE, 0, 0);

	wire_proposal_add(one, TRANSFORM_ENCR, ENCR_AES_GCM_16, 128);
	wire_proposal_add(one, TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0);
	wire_proposal_add(one, TRANSFORM_KE, KE_CURVE25519, 0);
	notify_payload_write(message_payload(&m, PAYLOAD_NOTIFY), &n);
	write_rest(&m, &sa);
	finish(p, &m);
}

/* As many proposals as fit, each all but one of ours. */
static void ask_for_much(struct packet *p)
{
	struct wire_sa sa = {.n = 0};
	struct message m = begin(p, IKE_SA_INIT);

	for (unsigned i = 0; i < 14; i++) {
		struct wire_proposal *one = wire_sa_add(&sa, PROTO_IKE, 0, 0);

		for (uint16_t k = 0; k < 28; k++)
			wire_proposal_add(one, TRANSFORM_KE, (uint16_t)(1024 + k), 0);
		wire_proposal_add(one, TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0);
		wire_proposal_add(one, TRANSFORM_ENCR, ENCR_AES_GCM_16, 128);
	}
	write_rest(&m, &sa);
	finish(p, &m);
}

static void ask_with_many_payloads(struct packet *p)
{
	struct wire_sa sa = {.n = 0};
	struct message m = begin(p, IKE_SA_INIT);
	static const uint8_t types[] = {PAYLOAD_CERT, PAYLOAD_CERTREQ, PAYLOAD_DELETE,
		PAYLOAD_VENDOR, PAYLOAD_NOTIFY};

	wire_sa_add(&sa, PROTO_IKE, 0, 0);
	write_rest(&m, &sa);
	for (unsigned i = 0; i < 950; i++)
		message_payload(&m, types[i % 5]);
	finish(p, &m);
}

static void say_nothing_known(struct packet *p)
{
	struct message m = begin(p, IKE_AUTH);

	message_payload(&m, PAYLOAD_SK);
	finish(p, &m);
}

static void talk_old(struct packet *p)
{
	ask(p);
	p->at[17] = 0x10; /* IKEv1 */
}

static const struct kind {
	const char *name;
	void (*make)(struct packet *p);
	bool full; /* strangers have all that they may have */
} kinds[] = {
	{"no cookie", ask, true},
	{"a wrong cookie", ask_with_a_wrong_cookie, true},
	{"nothing that we could agree on", ask_for_much, false},
	{"950 payloads", ask_with_many_payloads, false},
	{"an SA that is not there", say_nothing_known, true},
	{"IKEv1", talk_old, true},
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* ---- giving it to the engine */

static void drop_mail(struct end *b)
{
	struct letter l;

	while (mail_take(&b->out, &l))
		free(l.bytes);
}

/* What it costs to look at the clock, which is more than many a refusal. */
static double clock_ns(void)
{
	enum { LOOKS = 10000 };
	static double each;
	double t = figures_now_ns();

	for (unsigned i = 0; i < LOOKS && each == 0; i++)
		(void)figures_now_ns();
	if (each == 0)
		each = (figures_now_ns() - t) / LOOKS;
	return each;
}

static double give(struct end *b, struct packet *p, unsigned from, unsigned n)
{
	double ns = 0;

	for (unsigned i = from; i < from + n; i++) {
		struct ike_path path = from_stranger(i % ADDRESSES);

		for (unsigned k = 0; k < 4; k++)
			p->at[k] = (uint8_t)((i + 1) >> (8 * k));
		double t = figures_now_ns();
		ike_receive(b->engine, NOW, &path, span_of(p->at, p->len));
		ns += figures_now_ns() - t;
		drop_mail(b);
	}
	return ns - n * clock_ns();
}

/* Strangers ask until they are asked for cookies. */
static void fill(struct end *b)
{
	struct packet p;

	ask(&p);
	(void)give(b, &p, 0, 1000);
	assert(ike_count_half_open(b->engine) >= 100);
}

static double refusals(const struct kind *k, unsigned n)
{
	struct packet p;
	struct end b;

	end_init(&b, 2);
	if (k->full)
		fill(&b);
	k->make(&p);
	double ns = give(&b, &p, 1000, n);
	assert(b.up == 0);
	end_wipe(&b);
	return ns;
}

static double headers(unsigned n)
{
	struct packet p;
	uint64_t octets = 0;

	ask(&p);
	double t = figures_now_ns();
	for (unsigned i = 0; i < n; i++) {
		struct ike_header h;
		struct reader rest;

		p.at[0] = (uint8_t)i;
		enum wire_err err = ike_header_read(span_of(p.at, p.len), &h, &rest);
		octets += err == WIRE_OK ? h.length : 0;
	}
	t = figures_now_ns() - t;
	assert(octets == (uint64_t)n * p.len);
	return t;
}

/* ---- a friend among them */

/* The responder's time for friends' messages alone. */
static double friends(unsigned between)
{
	struct end a, b;
	struct packet p;
	struct letter l;
	double ns = 0;
	unsigned n = 0;

	end_init(&a, 1);
	end_init(&b, 2);
	if (between > 0)
		fill(&b);
	ask(&p);
	for (unsigned i = 0; i < FRIENDS; i++) {
		struct addr peer = end_peer(i), vip = end_vip();
		struct ike_path path = end_path(&peer, &vip);

		end_call(&a, NOW, &path);
		while (mail_take(&a.out, &l)) {
			(void)give(&b, &p, n, between);
			n += between;
			double t = figures_now_ns();
			ike_receive(b.engine, NOW, &l.path, span_of(l.bytes, l.len));
			ns += figures_now_ns() - t;
			free(l.bytes);
			while (mail_take(&b.out, &l)) {
				ike_receive(
					a.engine, NOW, &l.path, span_of(l.bytes, l.len));
				free(l.bytes);
			}
		}
	}
	assert(a.up == FRIENDS && b.up == FRIENDS);
	end_wipe(&a);
	end_wipe(&b);
	return ns;
}

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : DEFAULT_PACKETS;
	static double header[RUNS], refused[KINDS][RUNS], ratio[KINDS][RUNS];
	static double quiet[RUNS], flooded[RUNS], more[RUNS];

	if (n == 0) {
		fprintf(stderr, "usage: bench_flood [PACKETS]\n");
		return 2;
	}
	for (unsigned i = 0; i < RUNS; i++) {
		header[i] = headers(n);
		for (unsigned k = 0; k < KINDS; k++) {
			refused[k][i] = refusals(&kinds[k], n);
			ratio[k][i] = refused[k][i] / header[i];
		}
		quiet[i] = friends(0);
		flooded[i] = friends(BETWEEN);
		more[i] = flooded[i] / quiet[i];
	}
	printf("us a packet, median (least-greatest) of %d runs of %u\n", RUNS, n);
	printf("  %-32s %s\n", "an IKE header is parsed",
		figures_spread(header, RUNS, n * 1e3, 3));
	for (unsigned k = 0; k < KINDS; k++)
		printf("  %-32s %s  ratio %s\n", kinds[k].name,
			figures_spread(refused[k], RUNS, n * 1e3, 2),
			figures_spread(ratio[k], RUNS, 1, 1));
	printf("us a friend's handshake, responder; between: %u of strangers' packets "
	       "for "
	       "each\n",
		BETWEEN);
	printf("  in quiet                         %s\n",
		figures_spread(quiet, RUNS, FRIENDS * 1e3, 1));
	printf("  between strangers                %s  ratio %s\n",
		figures_spread(flooded, RUNS, FRIENDS * 1e3, 1),
		figures_spread(more, RUNS, 1, 2));
	return 0;
}
