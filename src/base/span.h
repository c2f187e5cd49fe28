/* base/span.h - bytes and where they end.
 *
 * A span borrows; it never frees. A buf is a borrowed region that is being filled.
 *
 * Floor 0.
 */
#ifndef VIPSEC_BASE_SPAN_H
#define VIPSEC_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *at;
	size_t len;
};

struct buf {
	uint8_t *at;
	size_t len; /* octets in use */
	size_t cap; /* octets there is room for */
};

static inline struct span span_of(const void *at, size_t len)
{
	return (struct span){.at = at, .len = len};
}

static inline struct span span_text(const char *text)
{
	return span_of(text, strlen(text));
}

static inline struct span buf_span(const struct buf *b)
{
	return span_of(b->at, b->len);
}

/* Not constant-time: for names and addresses, never for secrets (secret.h). */
static inline bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

#endif
