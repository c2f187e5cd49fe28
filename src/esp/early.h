/* esp/early.h - packets that come before their SA. Private to the room.
 *
 * Who answers may send on a new SA as soon as the answer has left, and some do before that
 * (RFC 7296 2.8); who asked cannot receive on it until the answer has been read. So what
 * comes with an SPI that is not there is kept a moment, and opened if there is an SA for it
 * by then. Strangers can send such packets, too: there is room for so many of so long, the
 * oldest goes for the newest, and one is judged as any when its SA is there.
 */
#ifndef VIPSEC_ESP_EARLY_H
#define VIPSEC_ESP_EARLY_H

#include "base/list.h"
#include "esp/esp.h"

enum {
	EARLY_MS = 1000, /* by then TCP has sent it again */
	EARLY_PACKETS = 128,
	EARLY_LEN_MAX = 2048 /* what is longer is dropped as before */
};

struct early_packet {
	struct list link;
	uint64_t since_ms;
	uint32_t spi;
	struct esp_packet packet; /* at: into room, behind ESP_ROOM_BEFORE */
	uint8_t room[ESP_ROOM_BEFORE + EARLY_LEN_MAX + ESP_ROOM_AFTER];
};

struct early {
	struct list waiting; /* in the order they came */
	struct list taken; /* by the last call; gone with the next */
	size_t n; /* that wait */
	bool due; /* there is a new SA: look again */
	uint64_t dropped; /* too old, or pushed out */
};

void early_init(struct early *e);
void early_wipe(struct early *e);
/* At the start of each call: what was taken by the last is freed, what is old is dropped. */
void early_begin(struct early *e, uint64_t now_ms);
/* Copies the packet. False: it is too long. */
bool early_put(
	struct early *e, const struct esp_packet *p, uint32_t spi, uint64_t now_ms);
/* It waits no more; lives until the next early_begin(). */
void early_take(struct early *e, struct early_packet *p);

#endif
