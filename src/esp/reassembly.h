/* esp/reassembly.h - puts a datagram together again before it is sealed. Private.
 *
 * RFC 4303 3.3.4: transport mode protects whole datagrams only; a datagram larger than
 * the TUN's MTU arrives in fragments, one after the other. Tables are bounded: the
 * oldest unfinished datagram makes room.
 */
#ifndef VIPSEC_ESP_REASSEMBLY_H
#define VIPSEC_ESP_REASSEMBLY_H

#include "wire/ip_packet.h"

enum {
	REASSEMBLY_SLOTS = 48, /* more than the 32 that one batch can complete */
	REASSEMBLY_TIMEOUT_MS = 5000
};

struct reassembly_slot;

struct reassembly {
	struct reassembly_slot *slots[REASSEMBLY_SLOTS]; /* NULL until first needed */
	uint64_t abandoned; /* datagrams given up: timeout, overlap, no room */
};

void reassembly_init(struct reassembly *r);
void reassembly_wipe(struct reassembly *r);
/* At the start of each call of the path: what was handed out by the last is free again,
 * and what has waited too long is given up. */
void reassembly_begin(struct reassembly *r, uint64_t now_ms);
enum reassembled {
	REASSEMBLY_WAITS, /* for more */
	REASSEMBLY_SPOILT, /* the whole datagram is given up */
	REASSEMBLY_WHOLE /* *out is the datagram */
};

/* Takes a fragment. What is in *out has ESP_ROOM_BEFORE and ESP_ROOM_AFTER around it and
 * is valid until the next reassembly_begin(). */
enum reassembled reassembly_add(struct reassembly *r, const struct ip_packet *ip,
	const uint8_t *at, uint64_t now_ms, struct buf *out);

#endif
