/* tests/unit/hex.h - the octets of a published vector as a value of its own. */
#ifndef VIPSEC_TESTS_UNIT_HEX_H
#define VIPSEC_TESTS_UNIT_HEX_H

#include "unit.h"

enum { HEX_MAX = 512 };

struct hex {
	uint8_t b[HEX_MAX];
	size_t len;
};

static inline struct hex hex(const char *text)
{
	struct hex h;

	h.len = unit_hex(text, h.b, sizeof h.b).len;
	return h;
}

static inline struct span hex_span(const struct hex *h)
{
	return span_of(h->b, h->len);
}

#endif
