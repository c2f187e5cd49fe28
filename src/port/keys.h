/* port/keys.h - private keys from files and tokens, and those that we have had.
 *
 * Once privileges are dropped a file or a token may be out of reach: what was loaded
 * before is then used on.
 *
 * Floor 7.
 */
#ifndef VIPSEC_PORT_KEYS_H
#define VIPSEC_PORT_KEYS_H

#include "crypto/private_key.h"

enum { KEYS_MAX = 64 };

struct keys {
	struct {
		char *uri; /* NULL: free */
		struct private_key *key;
	} at[KEYS_MAX];
};

/* By path or URI; the caller frees it. NULL: it cannot be read, and never was; why says
 * the reason. *old: it is the one of before, and why says why. keys may be NULL. */
struct private_key *keys_load(
	struct keys *keys, const char *uri, bool *old, char *why, size_t why_cap);
void keys_forget(struct keys *keys);

#endif
