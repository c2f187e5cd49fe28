/* bench_esp.c - what the ESP data path adds to the cipher.
 *
 *     bench_esp [PACKETS]
 *
 * For each algorithm: nanoseconds a packet of 1,400 octets (tunnel mode, one SA, batches
 * of 32) to seal and to open, beside the bare AEAD on the same octets with a reused
 * context. The ratio, formed in each of nine runs and printed as median (least-greatest),
 * is what travels from machine to machine. All is processor time.
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
static void run_bare(struct aead *a, unsigned rounds, double *seal, double *open)
{
	static uint64_t iv;
	uint8_t aad[8] = {0};
	enum crypto_err err = CRYPTO_OK;

	*seal = *open = 0;
	for (unsigned i = 0; i < rounds; i++) {
		double t0 = figures_now_ns();
		for (unsigned k = 0; k < BATCH && err == CRYPTO_OK; k++)
			err = aead_seal(a, iv + k, span_of(aad, 8),
				span_of(lab_buffer(k), PACKET), lab_buffer(k));
		double t1 = figures_now_ns();
		for (unsigned k = 0; k < BATCH && err == CRYPTO_OK; k++)
			err = aead_open(a, iv + k, span_of(aad, 8),
				span_of(lab_buffer(k), PACKET + AEAD_TAG_LEN),
				lab_buffer(k));
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
		run_bare(bare, rounds, &bare_seal[i], &bare_open[i]);
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

int main(int argc, char **argv)
{
	unsigned long packets = argc > 1 ? strtoul(argv[1], NULL, 10) : DEFAULT_PACKETS;
	unsigned rounds = (unsigned)(packets / BATCH);

	if (rounds == 0) {
		fprintf(stderr, "usage: bench_esp [PACKETS]   at least %d\n", BATCH);
		return 2;
	}
	printf("ns a packet of %d octets, median of %d runs\n", PACKET, RUNS);
	for (enum aead_alg a = AEAD_AES128_GCM16; a <= AEAD_CHACHA20_POLY1305; a++)
		bench(a, rounds);
	return 0;
}
