/* tests/sim/narrow.h - paths that carry less than 1500 octets, and say so (RFC 1191).
 */
#ifndef VIPSEC_SIM_NARROW_H
#define VIPSEC_SIM_NARROW_H

#include "sim/net.h"

struct esp_packet;
struct installed;

/* The path between a peer and the nodes, for a while. */
void narrow_begin(struct sim *s, unsigned peer);
void narrow_end(struct sim *s);
/* It does not fit where it goes; whoever sent it hears of it. */
bool narrow_stops(struct sim *s, const struct packet *p);
/* The dataplane has sealed this: does it fit what was told? */
void narrow_check(struct sim *s, const struct machine *m, const struct esp_packet *e,
	const struct installed *sa);

#endif
