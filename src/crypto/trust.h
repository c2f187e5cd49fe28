/* crypto/trust.h - whom we believe: CAs, and what must be known of revocation.
 *
 * trust_verify() judges the certificates that a peer sent. The time comes with the
 * question, what was fetched with the store of revocations: nothing here reads a clock, a
 * file or a socket. What it found is remembered, since a peer comes again.
 *
 * Floor 1. Shared and counted.
 */
#ifndef VIPSEC_CRYPTO_TRUST_H
#define VIPSEC_CRYPTO_TRUST_H

#include "crypto/certificate.h"
#include "crypto/chain.h"
#include "crypto/revocation.h"

enum trust_revocation {
	REVOCATION_OFF, /* not looked at */
	REVOCATION_IF_AVAILABLE, /* refused if known to be revoked */
	REVOCATION_STRICT /* refused unless known to be good */
};

enum { TRUST_ANCHORS_MAX = 64, TRUST_TEXT_MAX = 640 };

struct trust;

struct trust *trust_new(enum trust_revocation mode);
struct trust *trust_keep(struct trust *t);
void trust_free(struct trust *t);

void trust_set_revocation(struct trust *t, enum trust_revocation mode);
/* False: too many. */
bool trust_add_anchor(struct trust *t, struct certificate *ca);
/* PEM or DER. How many CRLs there were. */
size_t trust_add_crls(struct trust *t, struct span file);
/* The same CAs, in the same order? */
bool trust_same(const struct trust *a, const struct trust *b);
size_t trust_count(const struct trust *t);
const struct certificate *trust_at(const struct trust *t, size_t i);
/* What a CERTREQ says of us (RFC 7296 3.7): 20 octets for each CA, as many as fit. Octets
 * written. */
size_t trust_request(const struct trust *t, uint8_t *out, size_t cap);

struct trust_question {
	const struct span *certs; /* DER; the peer's own first */
	size_t n;
	int64_t now_s; /* since 1970; 0: not known, nothing is believed */
	struct revocations *revocations;
};

enum trust_verdict {
	TRUST_BELIEVED,
	TRUST_REFUSED, /* text says why */
	TRUST_WAIT /* the answer to a wish decides */
};

struct trust_answer {
	const struct certificate *leaf; /* believed; good until the next question */
	struct chain *chain; /* of that leaf; the same */
	char text[TRUST_TEXT_MAX]; /* one line, printable */
	/* Believed: then ask again, for dates, CRLs or OCSP answers may say otherwise. */
	int64_t until_s;
	bool unknown; /* refused, but only because nobody says whether it is revoked */
	/* What would be worth knowing, also when there is no need to wait for it. */
	struct fetch_wish wishes[CERT_CHAIN_MAX];
	size_t n_wishes;
};

enum trust_verdict trust_verify(
	struct trust *t, const struct trust_question *q, struct trust_answer *out);
/* One that was believed: would it be today, by these CAs? certs of q are not looked at. */
enum trust_verdict trust_verify_again(struct trust *t, const struct chain *chain,
	const struct trust_question *q, struct trust_answer *out);

#endif
