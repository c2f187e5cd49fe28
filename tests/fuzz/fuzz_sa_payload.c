/* The SA payload: what was accepted is written again and reads back the same. */
#include "wire/sa_payload.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_proposal(const struct wire_proposal *a, const struct wire_proposal *b)
{
	assert(a->number == b->number && a->protocol == b->protocol);
	assert(a->spi_len == b->spi_len && a->spi == b->spi && a->n == b->n);
	for (unsigned i = 0; i < a->n; i++) {
		assert(a->at[i].type == b->at[i].type && a->at[i].id == b->at[i].id);
		assert(a->at[i].key_bits == b->at[i].key_bits);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[1 << 16];
	struct wire_sa sa, back;
	struct writer w = wr_over(out, sizeof(out));

	if (sa_payload_read(rd_over(span_of(data, size)), &sa) != WIRE_OK || sa.n == 0)
		return 0;
	sa_payload_write(&w, &sa);
	assert(wr_ok(&w));
	assert(sa_payload_read(rd_over(wr_span(&w)), &back) == WIRE_OK);
	assert(sa.n == back.n);
	for (unsigned i = 0; i < sa.n; i++)
		same_proposal(&sa.at[i], &back.at[i]);
	return 0;
}
