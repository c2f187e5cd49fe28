/* base/secret.h - the one type that holds keys.
 *
 * Fixed storage, wiped by secret_wipe(), compared in constant time. There is no
 * function that prints one. The daemon locks its memory and forbids core dumps, so a
 * secret on the stack or the heap never reaches a disk.
 *
 * Floor 0.
 */
#ifndef VIPSEC_BASE_SECRET_H
#define VIPSEC_BASE_SECRET_H

#include "base/span.h"

#define SECRET_MAX 512 /* a MODP-2048 shared secret is 256 octets, keying material less */

struct secret {
	size_t len;
	uint8_t b[SECRET_MAX];
};

/* False when bytes do not fit; *s is then empty. */
bool secret_set(struct secret *s, struct span bytes);
void secret_wipe(struct secret *s);
struct span secret_span(const struct secret *s);
/* Time depends on the lengths only. */
bool secret_equal(struct span a, struct span b);
/* Overwrites memory in a way the compiler may not drop. */
void wipe(void *at, size_t len);

#endif
