/* wire/writer.h - a bounded pen. The mirror of the reader.
 *
 * A writer cannot leave its buffer. The first write that does not fit breaks it; a
 * broken writer ignores the rest, so a message is written straight down and asked once
 * at the end. Lengths that come before their content are reserved and filled in later.
 *
 * Floor 1. Borrows the buffer.
 */
#ifndef VIPSEC_WIRE_WRITER_H
#define VIPSEC_WIRE_WRITER_H

#include "base/span.h"

struct writer {
	uint8_t *start;
	uint8_t *at;
	uint8_t *end;
	bool broken;
};

struct writer wr_over(void *at, size_t cap);

void wr_u8(struct writer *w, uint8_t v);
void wr_u16(struct writer *w, uint16_t v); /* big-endian on the wire */
void wr_u32(struct writer *w, uint32_t v);
void wr_u64(struct writer *w, uint64_t v);
void wr_bytes(struct writer *w, struct span bytes);
void wr_zeros(struct writer *w, size_t n);

/* Octets written so far: a mark for wr_fill_*. */
size_t wr_len(const struct writer *w);
/* Overwrites what stands at mark, e.g. a length that is known only now. */
void wr_fill_u8(struct writer *w, size_t mark, uint8_t v);
void wr_fill_u16(struct writer *w, size_t mark, uint16_t v);
void wr_fill_u32(struct writer *w, size_t mark, uint32_t v);

bool wr_ok(const struct writer *w);
struct span wr_span(const struct writer *w); /* empty when broken */

#endif
