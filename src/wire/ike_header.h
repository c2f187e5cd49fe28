/* wire/ike_header.h - the 28 octets in front of every IKE message (RFC 7296 3.1).
 *
 * Floor 1.
 */
#ifndef VIPSEC_WIRE_IKE_HEADER_H
#define VIPSEC_WIRE_IKE_HEADER_H

#include "wire/reader.h"
#include "wire/wire.h"
#include "wire/writer.h"

enum { IKE_HEADER_LEN = 28, IKE_SPI_LEN = 8 };

struct ike_header {
	uint64_t spi_i, spi_r;
	uint8_t next_payload; /* enum ike_payload; of the first payload */
	uint8_t major, minor; /* ours are 2 and 0 */
	uint8_t exchange; /* enum ike_exchange */
	bool initiator; /* I: the sender began the IKE SA */
	bool higher_version; /* V: the sender could speak a higher major version */
	bool response; /* R */
	uint32_t message_id;
	uint32_t length; /* of the whole message; ignored when writing */
};

/* Checks that the length is the datagram's and that spi_i is set; then *payloads is over
 * all that follows. Another major version is reported in *out, not refused: the answer
 * to it (RFC 7296 2.5) is the caller's. */
enum wire_err ike_header_read(struct span datagram, struct ike_header *out,
	struct reader *payloads) WIRE_CHECKED;
/* Always 28 octets. message_finish() fills in the length. */
void ike_header_write(struct writer *w, const struct ike_header *h);

#endif
