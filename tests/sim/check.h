/* tests/sim/check.h - what must never be seen.
 *
 * Looks at the wire, at effects and at views, and knows the truth that no node knows.
 */
#ifndef VIPSEC_SIM_CHECK_H
#define VIPSEC_SIM_CHECK_H

#include "esp/esp.h"
#include "sim/hashes.h"
#include "sim/net.h"

struct machine;

struct voice { /* one address of a VIP */
	struct addr addr;
	int speaks; /* node that sent last; NOWHERE: none yet */
	bool superseded[NODES_MAX]; /* another has sent since it was bound */
};

struct check {
	struct hashes ivs, numbers, messages;
	struct voice voices[2 * VIPS_MAX];
	unsigned n_voices;
	bool shut[MACHINES_MAX][VIPS_MAX]; /* told to close the gate */
	uint64_t not_ours_ms[NODES_MAX][VIPS_MAX]; /* since then; 0: it is ours */
	uint64_t quiet_ms; /* since when; 0: not yet */
	int bound[2 * VIPS_MAX]; /* by voice: node that bound it last */
	uint64_t said_ms[PEERS_PER_RUN]; /* worst case, as the peers' daemons say */
};

void check_init(struct sim *s);
void check_free(struct sim *s);
/* On the wire, before the network may lose it. */
void check_packet(struct sim *s, struct machine *m, const struct packet *p);
void check_sealed(
	struct sim *s, struct machine *m, const struct esp_packet *e, struct span at_spi);
void check_gate(struct sim *s, const struct machine *m, uint16_t scope, bool open);
void check_bound(struct sim *s, const struct machine *m, const struct addr *a);
void check_daemon_new(struct sim *s, const struct machine *m);
void check_begin_quiet(struct sim *s);
/* At the end of the quiet time. */
void check_end(struct sim *s);
/* How long the last peer may need to be back. */
uint64_t check_longest_ms(const struct sim *s);

#endif
