/* wire/esp_header.c - the ESP header (RFC 4303 2.1, 2.2) and the sharing of UDP port 4500
 * (RFC 3948 2.1 to 2.3).
 *
 * Leaves all behind the sequence number to esp/.
 */
#include "wire/esp_header.h"

enum wire_err esp_header_read(
	struct span packet, struct esp_header *out, struct reader *rest)
{
	struct reader r = rd_over(packet);
	struct esp_header h = {.spi = rd_u32(&r)};

	h.seq = rd_u32(&r);
	if (!rd_ok(&r) || h.spi <= ESP_SPI_RESERVED_LAST)
		return WIRE_MALFORMED;
	*out = h;
	*rest = r;
	return WIRE_OK;
}

void esp_header_write(struct writer *w, const struct esp_header *h)
{
	wr_u32(w, h->spi);
	wr_u32(w, h->seq);
}

enum natt_kind natt_classify(struct span datagram, struct span *content)
{
	struct reader r = rd_over(datagram);

	*content = span_of(NULL, 0);
	if (datagram.len == 1)
		return datagram.at[0] == 0xff ? NATT_KEEPALIVE : NATT_OTHER;
	uint32_t first = rd_u32(&r);
	if (!rd_ok(&r))
		return NATT_OTHER;
	/* An SPI is never zero, so four octets of zero mark what is not ESP. */
	if (first == 0) {
		*content = rd_rest(&r);
		return content->len > 0 ? NATT_IKE : NATT_OTHER;
	}
	if (datagram.len < ESP_HEADER_LEN)
		return NATT_OTHER;
	*content = datagram;
	return NATT_ESP;
}

void natt_marker_write(struct writer *w)
{
	wr_zeros(w, NATT_MARKER_LEN);
}
