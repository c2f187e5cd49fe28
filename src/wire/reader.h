/* wire/reader.h - a bounded cursor over bytes we did not write.
 *
 * A reader cannot leave its bytes. The first short read breaks it; a broken reader
 * yields zeros and has nothing left, so loops end. A parser is thus written straight
 * down, like the RFC's drawing, and asked once at the end.
 *
 * Rule: no value read here may have an effect before rd_ok() or rd_done().
 *
 * Floor 1. Owns no memory; a span lives as long as the packet under it.
 */
#ifndef VIPSEC_WIRE_READER_H
#define VIPSEC_WIRE_READER_H

#include "base/span.h"

struct reader {
	const uint8_t *at;
	const uint8_t *end;
	bool broken;
};

struct reader rd_over(struct span bytes);

/* Integers are big-endian on the wire, host order in the hand. */
uint8_t rd_u8(struct reader *r);
uint16_t rd_u16(struct reader *r);
uint32_t rd_u32(struct reader *r);
uint64_t rd_u64(struct reader *r);

struct span rd_bytes(struct reader *r, size_t n);
struct span rd_rest(struct reader *r); /* all that is left */
void rd_skip(struct reader *r, size_t n);
struct reader rd_sub(struct reader *r, size_t n); /* born broken if r is short */
size_t rd_left(const struct reader *r);

bool rd_ok(const struct reader *r); /* no short read so far */
bool rd_done(const struct reader *r); /* and no byte left unread */

#endif
