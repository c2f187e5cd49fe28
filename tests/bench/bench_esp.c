/* bench_esp.c - what the ESP data path adds to the cipher.
 *
 *     bench_esp [PACKETS]
 *
 * For each algorithm: nanoseconds a packet of 1,400 octets (tunnel mode, one SA, batches
 * of 32) to seal and to open, beside the bare AEAD on the same octets with a reused
 * context. The ratio, formed in each of nine runs and printed as median (least-greatest),
 * is what travels from machine to machine. All is processor time.
 *
 * Then the server's side of transport mode, small packets: with a peer that has its address
 * for itself, with one behind a NAT, and with one whose port another has, so that each
 * packet gets another; the ratio is to the first, in turns.
 */
#define _DEFAULT_SOURCE
#include "bench/figures.h"
#include "esp_lab.h"

#include <stdlib.h>

enum { RUNS = 9, BATCH = 32, PACKET = 1400, DEFAULT_PACKETS = 64000 };

static void fill(struct esp_batch *b, const struct lab *l)
{
	*b = (struct esp_batch){.n = BATCH};
	for (unsigned i = 0; i < BATCH; i++)
		b->at[i] = lab_a_to_b(l, i, PACKET - 28);
}

static void cross(struct esp_batch *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		assert(b->at[i].verdict == ESP_SEND);
		lab_cross(&b->at[i]);
	}
}

/* Both directions of the data path; the sums are of ns, without making the packets. */
static void run_path(struct lab *l, unsigned rounds, double *seal, double *open)
{
	struct esp_batch b;

	*seal = *open = 0;
	for (unsigned i = 0; i < rounds; i++) {
		fill(&b, l);
		double t0 = figures_now_ns();
		esp_dp_outbound(l->a.dp, &b, LAB_NOW);
		double t1 = figures_now_ns();
		cross(&b);
		double t2 = figures_now_ns();
		esp_dp_inbound(l->b.dp, &b, LAB_NOW);
		*open += figures_now_ns() - t2;
		*seal += t1 - t0;
		assert(b.at[BATCH - 1].verdict == ESP_INJECT);
	}
}

/* The same octets through the cipher alone, in the same places. */
static void run_bare(
	struct aead *a, enum aead_alg alg, unsigned rounds, double *seal, double *open)
{
	static uint64_t iv;
	uint8_t aad[8] = {0};
	enum crypto_err err = CRYPTO_OK;
	const struct aead_shape shape = aead_shape(alg);
	size_t len = (PACKET + shape.block_len - 1U) / shape.block_len * shape.block_len;
	const struct span none = span_of(NULL, 0), about = span_of(aad, sizeof(aad));

	*seal = *open = 0;
	for (unsigned i = 0; i < rounds; i++) {
		double t0 = figures_now_ns();
		for (unsigned k = 0; k < BATCH && err == CRYPTO_OK; k++)
			err = aead_seal_packet(a, iv + k, about, none, lab_buffer(k),
				lab_buffer(k) + shape.iv_len, len);
		double t1 = figures_now_ns();
		for (unsigned k = 0; k < BATCH && err == CRYPTO_OK; k++)
			err = aead_open_packet(a, about, none, lab_buffer(k),
				span_of(lab_buffer(k) + shape.iv_len,
					len + shape.tag_len),
				lab_buffer(k) + shape.iv_len);
		*open += figures_now_ns() - t1;
		*seal += t1 - t0;
		iv += BATCH;
	}
	assert(err == CRYPTO_OK);
}

static void bench(enum aead_alg alg, unsigned rounds)
{
	double seal[RUNS], open[RUNS], bare_seal[RUNS], bare_open[RUNS];
	double ratio_seal[RUNS], ratio_open[RUNS];
	struct esp_child c;
	struct aead *bare;
	struct lab l;

	lab_init(&l,
		(struct lab_options){.alg = alg, .mode = POLICY_TUNNEL, .window = 1024});
	c = lab_child(&l, true);
	bare = aead_new(alg, secret_span(&c.key_out));
	for (unsigned i = 0; i < RUNS; i++) {
		run_path(&l, rounds, &seal[i], &open[i]);
		run_bare(bare, alg, rounds, &bare_seal[i], &bare_open[i]);
	}
	for (unsigned i = 0; i < RUNS; i++) {
		ratio_seal[i] = seal[i] / bare_seal[i];
		ratio_open[i] = open[i] / bare_open[i];
	}
	double per = rounds * BATCH;
	printf("%-17s seal %6.0f bare %6.0f ratio %s   open %6.0f bare %6.0f ratio %s\n",
		aead_name(alg), figures_median(seal, RUNS) / per,
		figures_median(bare_seal, RUNS) / per,
		figures_spread(ratio_seal, RUNS, 1, 2), figures_median(open, RUNS) / per,
		figures_median(bare_open, RUNS) / per,
		figures_spread(ratio_open, RUNS, 1, 2));
	aead_free(bare);
	lab_free(&l);
}

/* ---- peers behind a NAT ------------------------------------------------------------ */

enum { ALONE, BEHIND, MOVED, WAYS, SMALL = 64, OTHER_ID = 8, PORT = 5000 };
static const char *const ways[WAYS] = {"alone", "behind a NAT", "and its port moved"};

/* One packet from another peer, which has the port from then on. */
static void take_port(struct lab *l)
{
	struct esp_child c = lab_child(l, false);
	struct esp_packet p = lab_udp(0, &l->a.inner, PORT, &l->b.inner, 143, SMALL);
	static uint8_t plain[SMALL + 8 + 4];

	c.id = OTHER_ID;
	c.spi_in = LAB_SPI_B + 1;
	c.owner = 2;
	lab_add(&l->b, &c);
	memcpy(plain, p.at + IPV4_HEADER_LEN, SMALL + 8);
	memcpy(plain + SMALL + 8, "\1\2\2\x11", 4);
	p = lab_craft_for(l, 0, c.spi_in, 1, span_of(plain, sizeof plain));
	if (lab_in(&l->b, &p, LAB_NOW) != ESP_INJECT)
		abort();
}

static struct lab *server_of(unsigned way)
{
	static struct lab labs[WAYS];
	struct lab *l = &labs[way];

	lab_init(l, (struct lab_options){.alg = AEAD_AES128_GCM16,
			    .mode = POLICY_TRANSPORT,
			    .encap = true,
			    .window = 1024,
			    .owner = way == ALONE ? 0 : 1});
	if (way == MOVED)
		take_port(l);
	return l;
}

/* The port under which the last one was seen. */
static uint16_t port_of(const struct esp_packet *p)
{
	return (uint16_t)(p->at[IPV4_HEADER_LEN] << 8 | p->at[IPV4_HEADER_LEN + 1]);
}

static double run_server(struct lab *l, unsigned rounds)
{
	double ns = 0;
	struct esp_batch b;

	for (unsigned i = 0; i < rounds; i++) {
		b = (struct esp_batch){.n = BATCH};
		for (unsigned k = 0; k < BATCH; k++)
			b.at[k] = lab_udp(k, &l->a.inner, PORT, &l->b.inner, 143, SMALL);
		esp_dp_outbound(l->a.dp, &b, LAB_NOW);
		cross(&b);
		double t0 = figures_now_ns();
		esp_dp_inbound(l->b.dp, &b, LAB_NOW);
		ns += figures_now_ns() - t0;
		uint16_t port = port_of(&b.at[BATCH - 1]);
		for (unsigned k = 0; k < BATCH; k++)
			b.at[k] = lab_udp(k, &l->b.inner, 143, &l->a.inner, port, SMALL);
		t0 = figures_now_ns();
		esp_dp_outbound(l->b.dp, &b, LAB_NOW);
		ns += figures_now_ns() - t0;
		if (b.at[BATCH - 1].verdict != ESP_SEND)
			abort();
	}
	return ns / (rounds * BATCH);
}

static void bench_nat(unsigned rounds)
{
	double ns[WAYS][RUNS], ratio[WAYS][RUNS];
	struct lab *l[WAYS];

	for (unsigned w = 0; w < WAYS; w++)
		l[w] = server_of(w);
	for (unsigned i = 0; i < RUNS; i++)
		for (unsigned w = 0; w < WAYS; w++)
			ns[w][i] = run_server(l[w], rounds);
	printf("transport mode in UDP, %d octets, ns to open one and seal its answer\n",
		SMALL);
	for (unsigned w = 0; w < WAYS; w++) {
		for (unsigned i = 0; i < RUNS; i++)
			ratio[w][i] = ns[w][i] / ns[ALONE][i];
		printf("%-20s %6.0f ratio %s\n", ways[w], figures_median(ns[w], RUNS),
			figures_spread(ratio[w], RUNS, 1, 2));
		lab_free(l[w]);
	}
}

int main(int argc, char **argv)
{
	unsigned long packets = argc > 1 ? strtoul(argv[1], NULL, 10) : DEFAULT_PACKETS;
	unsigned rounds = (unsigned)(packets / BATCH);

	if (rounds == 0) {
		fprintf(stderr, "usage: bench_esp [PACKETS]   at least %d\n", BATCH);
		return 2;
	}
	printf("ns a packet of %d octets, median of %d runs\n", PACKET, RUNS);
	for (enum aead_alg a = AEAD_AES128_GCM16; a < AEAD_ALGS; a++)
		bench(a, rounds);
	bench_nat(rounds);
	return 0;
}
