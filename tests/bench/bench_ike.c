/* bench_ike.c - what a handshake costs the responder beyond the public-key work that
 * nobody can avoid.
 *
 *     bench_ike [HANDSHAKES]
 *
 * Processor time of the responder's engine for IKE_SA_INIT and IKE_AUTH with a pre-shared
 * key (X25519, HMAC-SHA2-256, AES-128-GCM, one child), beside one X25519 key generation
 * and one derivation done bare, in turns in one run.
 */
#include "bench/end.h"
#include "bench/figures.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

enum { RUNS = 9, DEFAULT_HANDSHAKES = 300, NOW = 1000 };

/* Gives the time that the engine took to take in what the other end has sent. */
static double deliver(struct mail *m, struct end *to)
{
	struct letter l;
	double ns = 0;

	while (mail_take(m, &l)) {
		double t = figures_now_ns();
		ike_receive(to->engine, NOW, &l.path, span_of(l.bytes, l.len));
		ns += figures_now_ns() - t;
		free(l.bytes);
	}
	return ns;
}

static double handshakes(unsigned n, double *initiator)
{
	struct end a, b;
	double ns = 0;

	end_init(&a, 1);
	end_init(&b, 2);
	*initiator = 0;
	for (unsigned i = 0; i < n; i++) {
		struct addr peer = end_peer(i), vip = end_vip();
		struct ike_path path = end_path(&peer, &vip);
		double t = figures_now_ns();
		end_call(&a, NOW, &path);
		*initiator += figures_now_ns() - t;
		while (a.out.n + b.out.n > 0) {
			ns += deliver(&a.out, &b);
			*initiator += deliver(&b.out, &a);
		}
	}
	assert(a.up == n && b.up == n);
	end_wipe(&a);
	end_wipe(&b);
	return ns;
}

/* One key made and one secret derived, n times. */
static double bare(unsigned n)
{
	EVP_PKEY *peer = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	uint8_t secret[32];
	double t = figures_now_ns();

	assert(peer != NULL);
	for (unsigned i = 0; i < n; i++) {
		EVP_PKEY *own = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
		EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(own, NULL);
		size_t len = sizeof(secret);
		bool ok = EVP_PKEY_derive_init(c) == 1 &&
			  EVP_PKEY_derive_set_peer(c, peer) == 1 &&
			  EVP_PKEY_derive(c, secret, &len) == 1;
		assert(ok);
		EVP_PKEY_CTX_free(c);
		EVP_PKEY_free(own);
	}
	t = figures_now_ns() - t;
	EVP_PKEY_free(peer);
	return t;
}

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : DEFAULT_HANDSHAKES;
	double responder[RUNS], initiator[RUNS], floor_ns[RUNS], ratio[RUNS], other[RUNS];

	if (n == 0) {
		fprintf(stderr, "usage: bench_ike [HANDSHAKES]\n");
		return 2;
	}
	for (unsigned i = 0; i < RUNS; i++) {
		floor_ns[i] = bare(n);
		responder[i] = handshakes(n, &initiator[i]);
		ratio[i] = responder[i] / floor_ns[i];
		other[i] = initiator[i] / floor_ns[i];
	}
	printf("us a handshake with PSK, median (least-greatest) of %d runs of %u\n",
		RUNS, n);
	printf("  X25519 keygen + derive, bare  %s\n",
		figures_spread(floor_ns, RUNS, n * 1e3, 1));
	printf("  responder                     %s  ratio %s\n",
		figures_spread(responder, RUNS, n * 1e3, 1),
		figures_spread(ratio, RUNS, 1, 2));
	printf("  initiator                     %s  ratio %s\n",
		figures_spread(initiator, RUNS, n * 1e3, 1),
		figures_spread(other, RUNS, 1, 2));
	return 0;
}
