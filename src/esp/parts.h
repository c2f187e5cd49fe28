/* esp/parts.h - where things stand in a packet that arrives, none of it trusted. Private to
 * the room.
 */
#ifndef VIPSEC_ESP_PARTS_H
#define VIPSEC_ESP_PARTS_H

#include <stddef.h>
#include <stdint.h>

struct esp_parts {
	uint32_t spi, seq_low;
	/* With ESP both depend on the SA. */
	size_t text_at, text_len;
	/* AH alone: where it begins, and what it says of the text. */
	uint16_t ah_at, ah_len;
	uint8_t next;
};

#endif
