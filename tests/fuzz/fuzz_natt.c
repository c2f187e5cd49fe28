/* A datagram between ports 4500: told apart, and an ESP header read and written. */
#include "wire/esp_header.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_esp(struct span packet)
{
	uint8_t out[ESP_HEADER_LEN];
	struct writer w = wr_over(out, sizeof(out));
	struct esp_header h;
	struct reader rest;

	if (esp_header_read(packet, &h, &rest) != WIRE_OK)
		return;
	assert(rd_left(&rest) == packet.len - ESP_HEADER_LEN);
	esp_header_write(&w, &h);
	assert(memcmp(out, packet.at, sizeof(out)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span content;

	switch (natt_classify(span_of(data, size), &content)) {
	case NATT_ESP:
		assert(content.at == data && content.len == size);
		try_esp(content);
		break;
	case NATT_IKE:
		assert(content.len > 0 && content.len + NATT_MARKER_LEN == size);
		break;
	case NATT_KEEPALIVE:
		assert(size == 1);
		break;
	case NATT_OTHER:
		assert(content.len == 0);
		break;
	}
	return 0;
}
