/* crypto/revocation.h - what is known of revoked certificates: CRLs and OCSP answers.
 *
 * Nothing here reaches for the network. What would be worth knowing comes out as a wish,
 * which somebody may carry out; the bytes come back with revocations_learn() and are kept
 * until they say that they are out of date. What is not signed by whom it must is unknown.
 *
 * Floor 1. Bounded: the oldest that nobody waits for makes room.
 */
#ifndef VIPSEC_CRYPTO_REVOCATION_H
#define VIPSEC_CRYPTO_REVOCATION_H

#include "base/span.h"

enum {
	FETCH_URL_MAX = 256, /* with the NUL */
	FETCH_BODY_MAX = 256,
	FETCH_ANSWER_MAX = 4 << 20, /* octets of a CRL or an OCSP answer */
	REVOCATIONS_MAX = 128 /* kept, or under way */
};

/* One HTTP request: POST of an OCSP request when there is a body, else GET of a CRL. */
struct fetch_wish {
	char url[FETCH_URL_MAX]; /* http://... */
	uint8_t body[FETCH_BODY_MAX];
	size_t len;
};

struct revocations;

struct revocations *revocations_new(void);
void revocations_free(struct revocations *r);
/* The number to answer it by; 0: it is under way already, has failed a moment ago, or
 * too many are. */
uint32_t revocations_begin(
	struct revocations *r, const struct fetch_wish *wish, int64_t now_s);
/* The number of one that is not answered yet; 0: there is none. */
uint32_t revocations_under_way(struct revocations *r, const struct fetch_wish *wish);
/* Each that was begun, once. Empty: it could not be had. False: nobody asked for it. */
bool revocations_learn(
	struct revocations *r, uint32_t id, struct span answer, int64_t now_s);
size_t revocations_count(const struct revocations *r);

#endif
