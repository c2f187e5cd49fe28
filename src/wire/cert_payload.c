/* wire/cert_payload.c - CERT, CERTREQ and SIGNATURE_HASH_ALGORITHMS (RFC 7296 3.6, 3.7;
 * RFC 7427 4).
 *
 * Leaves the certificates themselves to crypto/.
 */
#include "wire/cert_payload.h"

enum wire_err cert_payload_read(struct reader body, struct wire_cert *out)
{
	uint8_t encoding = rd_u8(&body);
	struct span data = rd_rest(&body);

	if (!rd_ok(&body) || data.len == 0)
		return WIRE_MALFORMED;
	*out = (struct wire_cert){.encoding = encoding, .data = data};
	return WIRE_OK;
}

void cert_payload_write(struct writer *w, const struct wire_cert *cert)
{
	wr_u8(w, cert->encoding);
	wr_bytes(w, cert->data);
}

enum wire_err certreq_payload_read(struct reader body, struct wire_certreq *out)
{
	uint8_t encoding = rd_u8(&body);
	struct span hashes = rd_rest(&body);

	if (!rd_ok(&body) ||
		(encoding == CERT_X509_SIGNATURE && hashes.len % CERTREQ_HASH_LEN != 0))
		return WIRE_MALFORMED;
	*out = (struct wire_certreq){.encoding = encoding, .hashes = hashes};
	return WIRE_OK;
}

void certreq_payload_write(struct writer *w, const struct wire_certreq *req)
{
	wr_u8(w, req->encoding);
	wr_bytes(w, req->hashes);
}

enum { KNOWN_HASHES = 16 };

enum wire_err hash_algorithms_read(struct span data, uint16_t *out)
{
	struct reader r = rd_over(data);
	uint16_t hashes = 0;

	while (rd_left(&r) > 0) {
		uint16_t id = rd_u16(&r);

		if (id < KNOWN_HASHES)
			hashes = (uint16_t)(hashes | 1u << id);
	}
	if (!rd_done(&r))
		return WIRE_MALFORMED;
	*out = hashes;
	return WIRE_OK;
}

size_t hash_algorithms_write(uint16_t hashes, uint8_t *out)
{
	size_t n = 0;

	for (uint8_t id = 0; id < KNOWN_HASHES; id++) {
		if (!(hashes & 1u << id))
			continue;
		out[n++] = 0;
		out[n++] = id;
	}
	return n;
}
