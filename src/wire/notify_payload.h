/* wire/notify_payload.h - Notify, Delete and Vendor ID (RFC 7296 3.10, 3.11, 3.12).
 *
 * Floor 1.
 */
#ifndef VIPSEC_WIRE_NOTIFY_PAYLOAD_H
#define VIPSEC_WIRE_NOTIFY_PAYLOAD_H

#include "wire/reader.h"
#include "wire/wire.h"
#include "wire/writer.h"

struct wire_notify {
	uint8_t protocol; /* 0 unless there is an SPI */
	uint16_t type; /* enum notify_type */
	struct span spi; /* empty, or at most 255 octets */
	struct span data;
};

enum wire_err notify_payload_read(
	struct reader body, struct wire_notify *out) WIRE_CHECKED;
void notify_payload_write(struct writer *w, const struct wire_notify *n);

/* Of an IKE SA: PROTO_IKE, no SPIs, since it is the SA that carries the message. */
struct wire_delete {
	uint8_t protocol; /* enum ike_protocol */
	uint16_t n; /* SPIs, of 4 octets each */
	struct span spis;
};

/* Malformed: SPIs for an IKE SA, or of another length than 4 for AH and ESP. */
enum wire_err delete_payload_read(
	struct reader body, struct wire_delete *out) WIRE_CHECKED;
/* i < n; host order. */
uint32_t wire_delete_spi(const struct wire_delete *d, uint16_t i);
void delete_payload_write_ike(struct writer *w);
void delete_payload_write_child(
	struct writer *w, uint8_t protocol, const uint32_t *spis, uint16_t n);

/* Any octets, none at all included. */
struct span vendor_payload_read(struct reader body);
void vendor_payload_write(struct writer *w, struct span id);

#endif
