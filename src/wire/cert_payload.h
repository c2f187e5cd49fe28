/* wire/cert_payload.h - Certificate and Certificate Request (RFC 7296 3.6, 3.7), and the
 * list of hash algorithms of RFC 7427 4.
 *
 * Floor 1.
 */
#ifndef VIPSEC_WIRE_CERT_PAYLOAD_H
#define VIPSEC_WIRE_CERT_PAYLOAD_H

#include "wire/reader.h"
#include "wire/wire.h"
#include "wire/writer.h"

enum cert_encoding { CERT_X509_SIGNATURE = 4, CERT_HASH_URL = 12, CERT_HASH_URL_BUNDLE };
enum { CERTREQ_HASH_LEN = 20 };

struct wire_cert {
	uint8_t encoding; /* enum cert_encoding, or one that we do not know */
	struct span data; /* not empty */
};

enum wire_err cert_payload_read(struct reader body, struct wire_cert *out) WIRE_CHECKED;
void cert_payload_write(struct writer *w, const struct wire_cert *cert);

struct wire_certreq {
	uint8_t encoding;
	struct span
		hashes; /* of CAs' SubjectPublicKeyInfo, 20 octets each; may be empty */
};

/* Malformed also: hashes for X.509 that are not whole. */
enum wire_err certreq_payload_read(
	struct reader body, struct wire_certreq *out) WIRE_CHECKED;
void certreq_payload_write(struct writer *w, const struct wire_certreq *req);

/* Data of N(SIGNATURE_HASH_ALGORITHMS): bit n of *out is number n of IANA's registry;
 * numbers from 16 on are left out. */
enum wire_err hash_algorithms_read(struct span data, uint16_t *out) WIRE_CHECKED;
/* out has room for 32 octets. Octets written. */
size_t hash_algorithms_write(uint16_t hashes, uint8_t *out);

#endif
