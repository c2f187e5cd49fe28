/* wire/payload.h - the chain of payloads in an IKE message (RFC 7296 3.2).
 *
 * payload_set_read() walks a chain once and keeps what it found, so that the presence of
 * every payload is known before any of them is acted on.
 *
 * Floor 1.
 */
#ifndef VIPSEC_WIRE_PAYLOAD_H
#define VIPSEC_WIRE_PAYLOAD_H

#include "base/iana.h"
#include "wire/reader.h"
#include "wire/wire.h"

enum { PAYLOAD_HEADER_LEN = 4, PAYLOAD_CRITICAL = 0x80 };

struct payload {
	uint8_t type; /* enum ike_payload */
	uint8_t next; /* of SK and SKF: the first payload inside */
	bool critical;
	struct reader body; /* without the generic header */
};

/* Reads the payload at the head of the chain, which an earlier octet said is of type. */
enum wire_err payload_next(
	struct reader *chain, uint8_t type, struct payload *out) WIRE_CHECKED;

/* Of each type that may come more than once, so many are kept; the rest are ignored. */
#define PAYLOAD_REPEAT_MAX 16
#define PAYLOADS_MAX 96 /* more than all kept ones together */

/* One bit for each type, for tables of what must and may be present. */
#define PAYLOAD_BIT(type) (UINT64_C(1) << ((type)-PAYLOAD_SA))

struct payload_set {
	uint64_t present; /* of PAYLOAD_BIT() */
	uint8_t unknown_critical; /* set with WIRE_CRITICAL: the type to be named */
	uint8_t n;
	struct payload at[PAYLOADS_MAX]; /* in the order of the message */
};

/* Walks the whole chain; first is the type that the header names. Malformed are: a wrong
 * length, bytes behind the last payload, an encrypted payload that is not the last, a
 * second payload of a type that comes once. WIRE_CRITICAL (RFC 7296 2.5) is reported only
 * of a chain that is otherwise well-formed. Unknown payloads are left out. */
enum wire_err payload_set_read(
	struct reader chain, uint8_t first, struct payload_set *out) WIRE_CHECKED;

bool payload_set_has(const struct payload_set *s, uint8_t type);
/* The first payload of that type, or NULL. */
const struct payload *payload_set_first(const struct payload_set *s, uint8_t type);
/* The one of the same type behind after; with after NULL the first. NULL: none. */
const struct payload *payload_set_next(
	const struct payload_set *s, uint8_t type, const struct payload *after);

#endif
