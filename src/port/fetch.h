/* port/fetch.h - CRLs and OCSP answers by plain http, beside everything else.
 *
 * libcurl's multi interface on the libqb loop: nothing blocks. Each request ends with one
 * call of done, never from inside fetch_begin(). What comes is signed by a CA, so neither
 * TLS nor any other scheme, redirect or proxy is used. A few at a time, bounded in octets
 * and seconds; the others wait.
 *
 * Floor 7.
 */
#ifndef VIPSEC_PORT_FETCH_H
#define VIPSEC_PORT_FETCH_H

#include <qb/qbloop.h>

#include "base/addr.h"
#include "crypto/revocation.h"

struct fetcher;

struct fetcher_hands {
	/* Empty: it could not be had, and why says so. */
	void (*done)(void *ctx, uint32_t id, struct span answer, const char *url,
		const char *why);
	/* True: nothing is ever sent to this address (one of ours). */
	bool (*refuses)(void *ctx, const struct addr *to);
	void *ctx;
};

/* NULL: libcurl is not there, or there are no descriptors. */
struct fetcher *fetcher_new(qb_loop_t *loop, const struct fetcher_hands *hands);
void fetcher_free(struct fetcher *f); /* what is under way is dropped without done() */
void fetcher_begin(struct fetcher *f, uint32_t id, const struct fetch_wish *wish);

#endif
