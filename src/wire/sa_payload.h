/* wire/sa_payload.h - the Security Association payload: proposals (RFC 7296 3.3).
 *
 * The value is bounded: of what a peer sends beyond the limits the rest is ignored, which
 * can only make its offer smaller. What we do not understand stays visible as something
 * that matches nothing, so that it cannot be mistaken for absent.
 *
 * Floor 1.
 */
#ifndef VIPSEC_WIRE_SA_PAYLOAD_H
#define VIPSEC_WIRE_SA_PAYLOAD_H

#include "base/iana.h"
#include "wire/reader.h"
#include "wire/wire.h"
#include "wire/writer.h"

#define WIRE_PROPOSALS_MAX 24
#define WIRE_TRANSFORMS_MAX 32

/* Takes the place of the id of a transform with an attribute that we do not know: such
 * a transform must not be chosen (RFC 7296 3.3.6). Private use, and never one of ours. */
enum { WIRE_TRANSFORM_UNKNOWN = 65535 };

struct wire_transform {
	uint8_t type; /* enum transform_type; others may come and must be refused */
	uint16_t id;
	uint16_t key_bits; /* key length attribute; 0: none */
};

struct wire_proposal {
	uint8_t number;
	uint8_t protocol; /* enum ike_protocol */
	uint8_t spi_len; /* 0, 4 or 8; proposals with others are ignored */
	uint64_t spi; /* host order */
	uint8_t n;
	struct wire_transform at[WIRE_TRANSFORMS_MAX];
};

struct wire_sa {
	uint8_t n;
	struct wire_proposal at[WIRE_PROPOSALS_MAX];
};

enum wire_err sa_payload_read(struct reader body, struct wire_sa *out) WIRE_CHECKED;
/* All counts within their limits, spi_len 0, 4 or 8. */
void sa_payload_write(struct writer *w, const struct wire_sa *sa);

/* For building an offer or an answer. A full one is our own fault. */
struct wire_proposal *wire_sa_add(
	struct wire_sa *sa, uint8_t protocol, uint8_t spi_len, uint64_t spi);
void wire_proposal_add(
	struct wire_proposal *p, uint8_t type, uint16_t id, uint16_t key_bits);

#endif
