/* wire/ts_payload.c - the Traffic Selector payloads (RFC 7296 3.13, 3.13.1).
 *
 * Leaves narrowing to policy/.
 */
#include "wire/ts_payload.h"

#include "base/iana.h"

#include <assert.h>

enum { SELECTOR_HEADER_LEN = 8, RESERVED_LEN = 3 };

static size_t addr_len_of(uint8_t type)
{
	switch (type) {
	case TS_IPV4_ADDR_RANGE:
		return 4;
	case TS_IPV6_ADDR_RANGE:
		return 16;
	default:
		return 0;
	}
}

static struct addr read_addr(struct reader *r, size_t len)
{
	struct span bytes = rd_bytes(r, len);
	return addr_from_bytes(bytes.at, bytes.len);
}

/* *usable tells whether *out was filled. */
static enum wire_err read_selector(struct reader *r, struct ts *out, bool *usable)
{
	uint8_t type = rd_u8(r);
	struct ts t = {.proto = rd_u8(r)};
	uint16_t len = rd_u16(r);
	size_t addr_len = addr_len_of(type);

	if (!rd_ok(r) || len < 4)
		return WIRE_MALFORMED;
	struct reader body = rd_sub(r, (size_t)(len - 4));
	*usable = false;
	if (addr_len == 0)
		return rd_ok(&body) ? WIRE_OK : WIRE_MALFORMED;

	t.port_lo = rd_u16(&body);
	t.port_hi = rd_u16(&body);
	t.lo = read_addr(&body, addr_len);
	t.hi = read_addr(&body, addr_len);
	if (!rd_done(&body))
		return WIRE_MALFORMED;
	*usable = ts_valid(&t);
	*out = t;
	return WIRE_OK;
}

enum wire_err ts_payload_read(struct reader body, struct ts_list *out)
{
	uint8_t announced = rd_u8(&body);

	rd_skip(&body, RESERVED_LEN);
	out->n = 0;
	for (unsigned i = 0; i < announced; i++) {
		struct ts t;
		bool usable;

		if (read_selector(&body, &t, &usable) != WIRE_OK)
			return WIRE_MALFORMED;
		/* The list may be full: then the rest is checked, and left out. */
		if (usable)
			ts_list_add(out, &t);
	}
	return rd_done(&body) && announced > 0 ? WIRE_OK : WIRE_MALFORMED;
}

static void write_selector(struct writer *w, const struct ts *t)
{
	size_t len = addr_len(&t->lo);
	bool v4 = t->lo.family == ADDR_V4;

	assert(ts_valid(t));
	wr_u8(w, v4 ? TS_IPV4_ADDR_RANGE : TS_IPV6_ADDR_RANGE);
	wr_u8(w, t->proto);
	wr_u16(w, (uint16_t)(SELECTOR_HEADER_LEN + 2 * len));
	wr_u16(w, t->port_lo);
	wr_u16(w, t->port_hi);
	wr_bytes(w, span_of(t->lo.b, len));
	wr_bytes(w, span_of(t->hi.b, len));
}

void ts_payload_write(struct writer *w, const struct ts_list *l)
{
	assert(l->n > 0 && l->n <= TS_LIST_MAX);
	wr_u8(w, (uint8_t)l->n);
	wr_zeros(w, RESERVED_LEN);
	for (unsigned i = 0; i < l->n; i++)
		write_selector(w, &l->at[i]);
}
