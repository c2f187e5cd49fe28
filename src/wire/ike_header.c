/* wire/ike_header.c - the IKE header (RFC 7296 2.5, 3.1).
 *
 * Leaves the judgement on versions, SPIs and message IDs to ike/.
 */
#include "wire/ike_header.h"

enum { FLAG_INITIATOR = 0x08, FLAG_VERSION = 0x10, FLAG_RESPONSE = 0x20 };

enum wire_err ike_header_read(
	struct span datagram, struct ike_header *out, struct reader *payloads)
{
	struct reader r = rd_over(datagram);
	struct ike_header h = {.spi_i = rd_u64(&r), .spi_r = 0};

	h.spi_r = rd_u64(&r);
	h.next_payload = rd_u8(&r);
	uint8_t version = rd_u8(&r);
	h.major = version >> 4;
	h.minor = version & 0x0f;
	h.exchange = rd_u8(&r);
	uint8_t flags = rd_u8(&r);
	h.initiator = (flags & FLAG_INITIATOR) != 0;
	h.higher_version = (flags & FLAG_VERSION) != 0;
	h.response = (flags & FLAG_RESPONSE) != 0;
	h.message_id = rd_u32(&r);
	h.length = rd_u32(&r);

	/* RFC 7296 3.1: the initiator's SPI MUST NOT be zero. */
	if (!rd_ok(&r) || h.length != datagram.len || h.spi_i == 0)
		return WIRE_MALFORMED;
	*out = h;
	*payloads = r;
	return WIRE_OK;
}

void ike_header_write(struct writer *w, const struct ike_header *h)
{
	unsigned flags = (h->initiator ? FLAG_INITIATOR : 0U) |
			 (h->higher_version ? FLAG_VERSION : 0U) |
			 (h->response ? FLAG_RESPONSE : 0U);

	wr_u64(w, h->spi_i);
	wr_u64(w, h->spi_r);
	wr_u8(w, h->next_payload);
	wr_u8(w, (uint8_t)(h->major << 4 | (h->minor & 0x0f)));
	wr_u8(w, h->exchange);
	wr_u8(w, (uint8_t)flags);
	wr_u32(w, h->message_id);
	wr_u32(w, IKE_HEADER_LEN);
}
