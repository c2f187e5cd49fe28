/* esp/hold.h - packets that wait a moment for their SA. Private to the room.
 *
 * The packet that makes IKE begin would be lost, and a connection's first one costs its
 * sender a second. So a few of each rule and peer are kept, in their order, until there is
 * an SA, and no longer than HOLD_MS. Nothing here sends: what is released goes the way of
 * every packet. Bounded in number and octets; what does not fit is dropped as before.
 */
#ifndef VIPSEC_ESP_HOLD_H
#define VIPSEC_ESP_HOLD_H

#include "base/list.h"
#include "esp/esp.h"

enum {
	HOLD_MS = 1000, /* by then TCP has sent it again */
	HOLD_EACH = 4, /* of one rule and peer */
	HOLD_PACKETS = 256,
	HOLD_OCTETS = 256 * 1024
};

/* Whose SA it waits for. */
struct hold_key {
	uint16_t scope;
	uint32_t rule;
	struct addr peer;
	uint64_t owner;
};

struct held {
	struct list link;
	struct hold_key key;
	uint64_t since_ms;
	bool fragment; /* its datagram came in fragments */
	size_t len;
	uint8_t room[]; /* the packet with ESP_ROOM_BEFORE and ESP_ROOM_AFTER around it */
};

struct hold {
	struct list waiting; /* in the order they came */
	struct list released; /* handed out by the last call; gone with the next */
	size_t n, octets; /* that wait */
	bool due; /* SAs or rules have changed: look again */
	uint64_t dropped; /* too old, or their scope ended */
};

void hold_init(struct hold *h);
void hold_wipe(struct hold *h);
/* At the start of each call: what the last handed out is freed, what is old is dropped. */
void hold_begin(struct hold *h, uint64_t now_ms);
/* Copies the packet. False: no room. */
bool hold_put(struct hold *h, const struct hold_key *k, struct span packet, bool fragment,
	uint64_t now_ms);
/* It waits no more; lives until the next hold_begin(). */
void hold_release(struct hold *h, struct held *p);
void hold_drop_scope(struct hold *h, uint16_t scope);

#endif
