/* wire/notify_payload.c - Notify, Delete and Vendor ID payloads (RFC 7296 3.10 to 3.12).
 *
 * Leaves the meaning of every notification to ike/.
 */
#include "wire/notify_payload.h"

#include "base/iana.h"

#include <assert.h>

enum { CHILD_SPI_LEN = 4 };

enum wire_err notify_payload_read(struct reader body, struct wire_notify *out)
{
	struct wire_notify n = {.protocol = rd_u8(&body)};
	uint8_t spi_len = rd_u8(&body);

	n.type = rd_u16(&body);
	n.spi = rd_bytes(&body, spi_len);
	n.data = rd_rest(&body);
	if (!rd_done(&body))
		return WIRE_MALFORMED;
	*out = n;
	return WIRE_OK;
}

void notify_payload_write(struct writer *w, const struct wire_notify *n)
{
	assert(n->spi.len <= UINT8_MAX);
	wr_u8(w, n->protocol);
	wr_u8(w, (uint8_t)n->spi.len);
	wr_u16(w, n->type);
	wr_bytes(w, n->spi);
	wr_bytes(w, n->data);
}

enum wire_err delete_payload_read(struct reader body, struct wire_delete *out)
{
	struct wire_delete d = {.protocol = rd_u8(&body)};
	uint8_t spi_len = rd_u8(&body);

	d.n = rd_u16(&body);
	d.spis = rd_rest(&body);
	if (!rd_done(&body) || d.spis.len != (size_t)d.n * spi_len)
		return WIRE_MALFORMED;
	/* RFC 7296 3.11: no SPI for IKE, four octets for AH and ESP. */
	if (d.protocol == PROTO_IKE ? spi_len != 0 || d.n != 0 : spi_len != CHILD_SPI_LEN)
		return WIRE_MALFORMED;
	*out = d;
	return WIRE_OK;
}

uint32_t wire_delete_spi(const struct wire_delete *d, uint16_t i)
{
	assert(i < d->n);
	struct reader r = rd_over(d->spis);
	rd_skip(&r, (size_t)CHILD_SPI_LEN * i);
	return rd_u32(&r);
}

void delete_payload_write_ike(struct writer *w)
{
	wr_u8(w, PROTO_IKE);
	wr_u8(w, 0);
	wr_u16(w, 0);
}

void delete_payload_write_child(
	struct writer *w, uint8_t protocol, const uint32_t *spis, uint16_t n)
{
	assert(protocol != PROTO_IKE);
	wr_u8(w, protocol);
	wr_u8(w, CHILD_SPI_LEN);
	wr_u16(w, n);
	for (uint16_t i = 0; i < n; i++)
		wr_u32(w, spis[i]);
}

struct span vendor_payload_read(struct reader body)
{
	return rd_rest(&body);
}

void vendor_payload_write(struct writer *w, struct span id)
{
	wr_bytes(w, id);
}
