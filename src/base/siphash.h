/* base/siphash.h - SipHash-2-4: a keyed hash for tables that strangers feed.
 *
 * Not a MAC for anything that leaves the process (crypto/ has those).
 *
 * Floor 0.
 */
#ifndef VIPSEC_BASE_SIPHASH_H
#define VIPSEC_BASE_SIPHASH_H

#include "base/span.h"

struct siphash_key {
	uint64_t k0, k1;
};

uint64_t siphash(const struct siphash_key *key, struct span bytes);

#endif
