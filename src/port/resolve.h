/* port/resolve.h - the addresses of names, beside everything else: /etc/hosts and DNS.
 *
 * c-ares on the libqb loop: nothing blocks, and no thread is needed. A channel of its own for
 * each name, so that /etc/resolv.conf and /etc/hosts are as they are at the moment. Each
 * request ends with one call of done, never from inside resolver_begin(); at most ten
 * seconds later than it was begun. A few at a time; the others wait.
 *
 * Floor 7.
 */
#ifndef VIPSEC_PORT_RESOLVE_H
#define VIPSEC_PORT_RESOLVE_H

#include <qb/qbloop.h>

#include "base/addr.h"
#include "base/hostname.h"

enum { RESOLVED_MAX = 32 /* addresses of one answer; what is beyond is left out */ };

struct resolver;

struct resolver_hands {
	/* n 0: there are none, and why says so. ttl_s: the least in the answer; 0: none. */
	void (*done)(void *ctx, uint32_t id, const struct addr *addrs, size_t n,
		uint32_t ttl_s, const char *why);
	void *ctx;
};

/* NULL: there are no descriptors. */
struct resolver *resolver_new(qb_loop_t *loop, const struct resolver_hands *hands);
void resolver_free(struct resolver *r); /* what is under way is dropped without done() */
void resolver_begin(struct resolver *r, uint32_t id, const char *name);

#endif
