/* wire/message.h - writing an IKE message, and the frame of its encrypted payload.
 *
 *	struct message m = message_begin(out, sizeof(out), &header);
 *	message_encrypt(&m);                               (after IKE_SA_INIT)
 *	notify_payload_write(message_payload(&m, PAYLOAD_NOTIFY), &n);
 *	...
 *	span = message_finish(&m);                         in clear, or
 *	if (message_finish_sk(&m, &frame)) ... seal frame.text in place
 *
 * 'Next payload' fields and lengths are filled in on the way. The encrypted payload is
 * that of RFC 7296 3.14 with an AEAD cipher (RFC 5282 3): 8 octets of IV, ciphertext with
 * one octet of pad length and no padding, 16 octets of tag; or of another shape, with a block
 * cipher. Encryption itself is ike/'s.
 *
 * Floor 1. Borrows the buffer; one that is too small breaks the message for good.
 */
#ifndef VIPSEC_WIRE_MESSAGE_H
#define VIPSEC_WIRE_MESSAGE_H

#include "wire/ike_header.h"
#include "wire/payload.h"

enum { SK_IV_LEN = 8, SK_TAG_LEN = 16 }; /* with an AEAD cipher */

/* What the payload looks like around its text, with other ciphers. */
struct sk_shape {
	uint8_t iv_len, tag_len;
	uint8_t block_len; /* the text is padded to a multiple of it */
};
extern const struct sk_shape sk_shape_aead;

struct message {
	struct writer w;
	size_t next_at; /* the octet that will name the payload to come */
	size_t payload_at; /* header of the payload under the pen; 0: none */
	bool encrypted; /* an SK payload is open */
	size_t sk_at; /* its header */
	struct sk_shape shape;
};

/* next_payload and length of h are ignored. */
struct message message_begin(void *at, size_t cap, const struct ike_header *h);
/* All payloads from here on go inside an SK payload. At most once. */
void message_encrypt(struct message *m);
void message_encrypt_as(struct message *m, struct sk_shape shape);
/* Begins a payload; its body is written to the writer that is returned. */
struct writer *message_payload(struct message *m, uint8_t type);
/* The same with the critical flag, for a type that the peer may not know. */
struct writer *message_payload_critical(struct message *m, uint8_t type);
/* Ends a message in clear. Empty when it did not fit. */
struct span message_finish(struct message *m);

/* Where sealing happens. */
struct sk_frame {
	struct span datagram; /* all of it, tag included */
	struct span aad; /* IKE header up to and with the SK payload's header */
	uint8_t *iv; /* 8 octets, or as many as the shape has; to be filled */
	uint8_t *text; /* plaintext, to be sealed in place */
	size_t text_len; /* padding included; the tag goes behind it */
};

/* Ends a message with message_encrypt(). False when it did not fit. */
bool message_finish_sk(struct message *m, struct sk_frame *out) WIRE_CHECKED;

/* The same frame in a message that was received. */
struct sk_sealed {
	struct span aad;
	uint64_t iv; /* the first 8 octets of it */
	const uint8_t *iv_at;
	struct span sealed; /* ciphertext and tag */
	uint8_t inner; /* type of the first payload inside */
};

/* sk is the SK payload of datagram. */
enum wire_err sk_payload_read(struct span datagram, const struct payload *sk,
	struct sk_sealed *out) WIRE_CHECKED;
enum wire_err sk_payload_read_as(struct span datagram, const struct payload *sk,
	struct sk_shape shape, struct sk_sealed *out) WIRE_CHECKED;
/* Takes pad length and padding off what was decrypted; *out is over the payloads. */
enum wire_err sk_payload_strip(struct span text, struct reader *out) WIRE_CHECKED;

#endif
