/* tests/sim/flood.h - strangers who knock, so many that cookies are asked for.
 */
#ifndef VIPSEC_SIM_FLOOD_H
#define VIPSEC_SIM_FLOOD_H

#include "sim/net.h"

/* Some hundred IKE_SA_INIT requests at a VIP, from as many addresses. */
void flood_begin(struct sim *s, unsigned vip);
/* Counts what passes by of the cookie exchange (RFC 7296 2.6). */
void flood_note(struct sim *s, const struct packet *p);

#endif
