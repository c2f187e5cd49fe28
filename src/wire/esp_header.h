/* wire/esp_header.h - the clear octets in front of an ESP packet (RFC 4303 2), and what
 * shares UDP port 4500 with it (RFC 3948 2).
 *
 * Floor 1.
 */
#ifndef VIPSEC_WIRE_ESP_HEADER_H
#define VIPSEC_WIRE_ESP_HEADER_H

#include "wire/reader.h"
#include "wire/wire.h"
#include "wire/writer.h"

enum {
	ESP_HEADER_LEN = 8,
	ESP_SPI_RESERVED_LAST = 255, /* RFC 4303 2.1: no SA has an SPI up to here */
	NATT_MARKER_LEN = 4
};

struct esp_header {
	uint32_t spi;
	uint32_t seq; /* the lower half with extended sequence numbers */
};

/* *rest is over the IV and all behind it. A reserved SPI is malformed. */
enum wire_err esp_header_read(
	struct span packet, struct esp_header *out, struct reader *rest) WIRE_CHECKED;
void esp_header_write(struct writer *w, const struct esp_header *h);

enum natt_kind {
	NATT_OTHER, /* nothing that may come here: dropped */
	NATT_IKE, /* content is the IKE message, without the non-ESP marker */
	NATT_ESP, /* content is the ESP packet */
	NATT_KEEPALIVE /* RFC 3948 2.3: one octet of ones */
};

/* What a datagram between ports 4500 is. */
enum natt_kind natt_classify(struct span datagram, struct span *content);
/* RFC 3948 2.2: what goes in front of an IKE message there. */
void natt_marker_write(struct writer *w);

#endif
