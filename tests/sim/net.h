/* tests/sim/net.h - one link with everybody on it, and a NAT box for some.
 *
 * Packets are lost, doubled, overtaken and kept back; links between two machines are cut.
 * An address leads to the machine that announced it last; when that one does not have it,
 * somebody asks anew after a while.
 */
#ifndef VIPSEC_SIM_NET_H
#define VIPSEC_SIM_NET_H

#include "base/addr.h"
#include "sim/scenario.h"
#include "sim/world.h"

struct machine;

enum wire_kind { WIRE_IKE, WIRE_ESP /* or AH */, WIRE_CLEAR };

struct packet {
	enum wire_kind kind;
	bool natt; /* IKE and ESP: between ports 4500 */
	bool ah; /* bytes are the whole IP packet */
	bool df; /* ESP, AH: may not be fragmented */
	unsigned from; /* machine */
	unsigned to; /* machine, once it is routed */
	struct endpoint src, dst; /* ports: of UDP, if it has any */
	struct addr aim; /* where it went to, before any NAT */
	size_t len;
	uint8_t bytes[]; /* IKE message; ESP from the SPI on; the datagram's data */
};

struct mapping {
	struct endpoint inner, there;
	uint16_t port;
};

enum { NAT_MAPPINGS = 1024, NEIGHBOURS = 2 * VIPS_MAX };

struct net {
	struct stream dice;
	bool cut[MACHINES_MAX][MACHINES_MAX];
	struct neighbour {
		struct addr addr;
		unsigned machine;
		uint64_t deaf_ms; /* it has not had the address since; 0: it has */
	} neighbours[NEIGHBOURS];
	unsigned n_neighbours;
	struct mapping nat[NAT_MAPPINGS]; /* the oldest is replaced */
	unsigned n_nat;
	uint16_t nat_port;
	uint16_t mtu[PEERS_PER_RUN]; /* of the path to a peer; 0: 1500 */
	unsigned loss, duplicate, linger; /* now; in 10000 */
	unsigned rough; /* the same, of IKE alone: lost, doubled, late */
	uint8_t spared[PEERS_PER_RUN]; /* so many of a peer's pass for certain */
	uint64_t init_ms; /* the last IKE_SA_INIT request on the wire */
	uint64_t called_ms[MACHINES_MAX][NODES_MAX][2]; /* peer, node, direction */
};

void net_init(struct sim *s);
struct packet *packet_new(enum wire_kind kind, struct span bytes);
/* Of ESP, or of a whole packet of AH: from the SPI on. */
struct span sealed_at_spi(struct span sealed, bool ah);
const char *packet_spi(const struct packet *p);
/* Takes p over. */
void net_send(struct sim *s, struct machine *from, struct packet *p);
void net_announce(struct sim *s, const struct addr *a, const struct machine *m);
void net_cut(struct sim *s, unsigned a, unsigned b, bool cut);
void net_nat_reset(struct sim *s);

#endif
