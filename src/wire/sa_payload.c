/* wire/sa_payload.c - proposals, transforms, attributes (RFC 7296 3.3, 3.3.1 to 3.3.5).
 *
 * Leaves the choice among proposals to ike/. Numbers of proposals are carried, not
 * checked: the answer only repeats the one that was chosen.
 */
#include "wire/sa_payload.h"

#include <assert.h>

enum {
	LAST = 0,
	MORE_PROPOSALS = 2,
	MORE_TRANSFORMS = 3,
	PROPOSAL_HEADER_LEN = 8,
	TRANSFORM_HEADER_LEN = 8,
	ATTR_SHORT = 0x8000 /* RFC 7296 3.3.5: the value stands where a length would */
};

/* One octet says whether another follows; it must agree with the length around it. */
static bool agrees(uint8_t more, uint8_t value_for_more, const struct reader *rest)
{
	return more == (rd_left(rest) > 0 ? value_for_more : LAST);
}

static void read_attributes(struct reader *r, struct wire_transform *t)
{
	while (rd_ok(r) && rd_left(r) > 0) {
		uint16_t type = rd_u16(r);
		uint16_t value = rd_u16(r);
		bool key_length = type == (ATTR_SHORT | TRANSFORM_ATTR_KEY_LENGTH);

		if ((type & ATTR_SHORT) == 0)
			rd_skip(r, value);
		if (!key_length || t->key_bits != 0 || value == 0)
			t->id = WIRE_TRANSFORM_UNKNOWN;
		else
			t->key_bits = value;
	}
}

static enum wire_err read_transform(struct reader *r, struct wire_transform *out)
{
	uint8_t more = rd_u8(r);
	rd_skip(r, 1);
	uint16_t len = rd_u16(r);

	if (!rd_ok(r) || len < TRANSFORM_HEADER_LEN)
		return WIRE_MALFORMED;
	struct reader body = rd_sub(r, (size_t)(len - 4));
	struct wire_transform t = {.type = rd_u8(&body)};
	rd_skip(&body, 1);
	t.id = rd_u16(&body);
	read_attributes(&body, &t);
	if (!rd_done(&body) || !agrees(more, MORE_TRANSFORMS, r))
		return WIRE_MALFORMED;
	*out = t;
	return WIRE_OK;
}

static uint64_t read_spi(struct reader *r, uint8_t len)
{
	switch (len) {
	case 4:
		return rd_u32(r);
	case 8:
		return rd_u64(r);
	default:
		rd_skip(r, len);
		return 0;
	}
}

static enum wire_err read_transforms(
	struct reader *r, unsigned announced, struct wire_proposal *p)
{
	for (unsigned i = 0; i < announced; i++) {
		struct wire_transform t;
		if (read_transform(r, &t) != WIRE_OK)
			return WIRE_MALFORMED;
		if (p->n < WIRE_TRANSFORMS_MAX)
			p->at[p->n++] = t;
	}
	return rd_done(r) ? WIRE_OK : WIRE_MALFORMED;
}

static enum wire_err read_proposal(struct reader *r, struct wire_proposal *p)
{
	uint8_t more = rd_u8(r);
	rd_skip(r, 1);
	uint16_t len = rd_u16(r);

	if (!rd_ok(r) || len < PROPOSAL_HEADER_LEN)
		return WIRE_MALFORMED;
	struct reader body = rd_sub(r, (size_t)(len - 4));
	p->number = rd_u8(&body);
	p->protocol = rd_u8(&body);
	p->spi_len = rd_u8(&body);
	uint8_t transforms = rd_u8(&body);
	p->spi = read_spi(&body, p->spi_len);
	p->n = 0;
	if (!rd_ok(&body) || !agrees(more, MORE_PROPOSALS, r))
		return WIRE_MALFORMED;
	return read_transforms(&body, transforms, p);
}

static bool is_usable(const struct wire_proposal *p)
{
	return p->spi_len == 0 || p->spi_len == 4 || p->spi_len == 8;
}

enum wire_err sa_payload_read(struct reader body, struct wire_sa *out)
{
	struct wire_proposal spare; /* for those that are read and not kept */

	out->n = 0;
	do {
		bool full = out->n == WIRE_PROPOSALS_MAX;
		struct wire_proposal *p = full ? &spare : &out->at[out->n];

		if (read_proposal(&body, p) != WIRE_OK)
			return WIRE_MALFORMED;
		if (!full && is_usable(p))
			out->n++;
	} while (rd_left(&body) > 0);
	return rd_done(&body) ? WIRE_OK : WIRE_MALFORMED;
}

static void write_transform(struct writer *w, const struct wire_transform *t, bool last)
{
	size_t start = wr_len(w);

	wr_u8(w, last ? LAST : MORE_TRANSFORMS);
	wr_u8(w, 0);
	wr_u16(w, 0);
	wr_u8(w, t->type);
	wr_u8(w, 0);
	wr_u16(w, t->id);
	if (t->key_bits != 0) {
		wr_u16(w, ATTR_SHORT | TRANSFORM_ATTR_KEY_LENGTH);
		wr_u16(w, t->key_bits);
	}
	wr_fill_u16(w, start + 2, (uint16_t)(wr_len(w) - start));
}

static void write_proposal(struct writer *w, const struct wire_proposal *p, bool last)
{
	size_t start = wr_len(w);

	assert(p->n <= WIRE_TRANSFORMS_MAX && is_usable(p));
	wr_u8(w, last ? LAST : MORE_PROPOSALS);
	wr_u8(w, 0);
	wr_u16(w, 0);
	wr_u8(w, p->number);
	wr_u8(w, p->protocol);
	wr_u8(w, p->spi_len);
	wr_u8(w, p->n);
	if (p->spi_len == 4)
		wr_u32(w, (uint32_t)p->spi);
	else if (p->spi_len == 8)
		wr_u64(w, p->spi);
	for (unsigned i = 0; i < p->n; i++)
		write_transform(w, &p->at[i], i + 1 == p->n);
	wr_fill_u16(w, start + 2, (uint16_t)(wr_len(w) - start));
}

void sa_payload_write(struct writer *w, const struct wire_sa *sa)
{
	assert(sa->n <= WIRE_PROPOSALS_MAX);
	for (unsigned i = 0; i < sa->n; i++)
		write_proposal(w, &sa->at[i], i + 1 == sa->n);
}

struct wire_proposal *wire_sa_add(
	struct wire_sa *sa, uint8_t protocol, uint8_t spi_len, uint64_t spi)
{
	assert(sa->n < WIRE_PROPOSALS_MAX);
	struct wire_proposal *p = &sa->at[sa->n++];

	/* RFC 7296 3.3.1: the first is 1, each one more than the one before. */
	p->number = sa->n;
	p->protocol = protocol;
	p->spi_len = spi_len;
	p->spi = spi;
	p->n = 0;
	return p;
}

void wire_proposal_add(
	struct wire_proposal *p, uint8_t type, uint16_t id, uint16_t key_bits)
{
	assert(p->n < WIRE_TRANSFORMS_MAX);
	p->at[p->n++] =
		(struct wire_transform){.type = type, .id = id, .key_bits = key_bits};
}
