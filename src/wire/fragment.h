/* wire/fragment.h - the Encrypted Fragment payload (RFC 7383 2.5).
 *
 *	fragments_cut(message_plain(&m), max, &f);
 *	for (n = 1; n <= f.total; n++)
 *		if (fragment_write(&f, n, out, cap, &frame)) ... seal frame.text in place
 *
 * The frame is that of the SK payload (message.h), with a number and a total in front of the
 * IV, both authenticated. Encryption itself is ike/'s.
 *
 * Floor 1. Borrows the message and the buffer.
 */
#ifndef VIPSEC_WIRE_FRAGMENT_H
#define VIPSEC_WIRE_FRAGMENT_H

#include "wire/message.h"

/* A message in clear on its way into fragments. */
struct fragments {
	struct span header; /* the IKE header */
	uint8_t inner; /* type of the first payload inside */
	struct span text; /* the payloads */
	struct sk_shape shape;
	size_t chunk; /* octets of text in each but the last */
	uint16_t total;
};

/* A message with message_encrypt(), not finished: its octets so far, to be kept, and to be
 * cut. Empty when it did not fit. */
struct span message_plain(struct message *m);
/* Datagrams have at most max octets. False: max is too small for this message. */
bool fragments_cut(struct span plain, size_t max, struct sk_shape shape,
	struct fragments *out) WIRE_CHECKED;
/* Number n, from 1. False when it does not fit. */
bool fragment_write(const struct fragments *f, uint16_t n, void *at, size_t cap,
	struct sk_frame *out) WIRE_CHECKED;

struct fragment {
	uint16_t number, total; /* 1 <= number <= total */
	struct sk_sealed sealed; /* inner: of number 1; else 0 */
};

/* skf is the SKF payload of datagram. */
enum wire_err fragment_read(struct span datagram, const struct payload *skf,
	struct sk_shape shape, struct fragment *out) WIRE_CHECKED;

#endif
