/* wire/payload.c - the chain of payloads (RFC 7296 2.5, 3.2, 3.14; RFC 7383 2.5).
 *
 * Leaves the contents of each payload to its own file, and what must be present in which
 * exchange to ike/.
 */
#include "wire/payload.h"

#include <assert.h>

/* RFC 7296 3.2: the length counts its own four-byte header. */
enum wire_err payload_next(struct reader *chain, uint8_t type, struct payload *out)
{
	uint8_t next = rd_u8(chain);
	uint8_t flags = rd_u8(chain);
	uint16_t len = rd_u16(chain);

	if (!rd_ok(chain) || len < PAYLOAD_HEADER_LEN)
		return WIRE_MALFORMED;

	struct reader body = rd_sub(chain, (size_t)(len - PAYLOAD_HEADER_LEN));
	if (!rd_ok(&body))
		return WIRE_MALFORMED;

	*out = (struct payload){
		.type = type,
		.next = next,
		.critical = (flags & PAYLOAD_CRITICAL) != 0,
		.body = body,
	};
	return WIRE_OK;
}

static bool is_known(uint8_t type)
{
	return (type >= PAYLOAD_SA && type <= PAYLOAD_EAP) || type == PAYLOAD_SKF;
}

static bool is_encrypted(uint8_t type)
{
	return type == PAYLOAD_SK || type == PAYLOAD_SKF;
}

static unsigned allowed(uint8_t type)
{
	switch (type) {
	case PAYLOAD_CERT:
	case PAYLOAD_CERTREQ:
	case PAYLOAD_NOTIFY:
	case PAYLOAD_DELETE:
	case PAYLOAD_VENDOR:
		return PAYLOAD_REPEAT_MAX;
	default:
		return 1;
	}
}

/* kept: how many of each type are. */
static enum wire_err keep(struct payload_set *s, uint8_t *kept, const struct payload *p)
{
	if (!is_known(p->type)) {
		if (p->critical && s->unknown_critical == PAYLOAD_NONE)
			s->unknown_critical = p->type;
		return WIRE_OK;
	}
	unsigned max = allowed(p->type);
	if (kept[p->type] >= max)
		return max == 1 ? WIRE_MALFORMED : WIRE_OK;
	assert(s->n < PAYLOADS_MAX);
	kept[p->type]++;
	s->at[s->n++] = *p;
	s->present |= PAYLOAD_BIT(p->type);
	return WIRE_OK;
}

enum wire_err payload_set_read(
	struct reader chain, uint8_t first, struct payload_set *out)
{
	uint8_t type = first, kept[UINT8_MAX + 1] = {0};

	out->present = 0;
	out->unknown_critical = PAYLOAD_NONE;
	out->n = 0;
	while (type != PAYLOAD_NONE) {
		struct payload p;

		if (payload_next(&chain, type, &p) != WIRE_OK ||
			keep(out, kept, &p) != WIRE_OK)
			return WIRE_MALFORMED;
		/* RFC 7296 3.14: it is the last one, and names what is inside it. */
		type = is_encrypted(type) ? PAYLOAD_NONE : p.next;
	}
	if (!rd_done(&chain))
		return WIRE_MALFORMED;
	return out->unknown_critical != PAYLOAD_NONE ? WIRE_CRITICAL : WIRE_OK;
}

bool payload_set_has(const struct payload_set *s, uint8_t type)
{
	return payload_set_first(s, type) != NULL;
}

const struct payload *payload_set_first(const struct payload_set *s, uint8_t type)
{
	return payload_set_next(s, type, NULL);
}

const struct payload *payload_set_next(
	const struct payload_set *s, uint8_t type, const struct payload *after)
{
	const struct payload *p = after ? after + 1 : s->at;

	for (; p < s->at + s->n; p++) {
		if (p->type == type)
			return p;
	}
	return NULL;
}
