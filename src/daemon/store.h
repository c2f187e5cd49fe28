/* daemon/store.h - what outlives the daemon: small named records on disk.
 *
 * A record is replaced as a whole: written beside, flushed, renamed. After a crash it is
 * either the old one or the new one.
 *
 * Floor 9.
 */
#ifndef VIPSEC_DAEMON_STORE_H
#define VIPSEC_DAEMON_STORE_H

#include "base/span.h"

struct store {
	int dir; /* descriptor */
};

enum { STORE_RECORD_MAX = 8 << 20 };

/* Makes the directory (0700). False: why says what failed. */
bool store_open(struct store *s, const char *path, char *why, size_t why_cap);
void store_close(struct store *s);
/* LAZY: survives the daemon's death at once, the machine's when the kernel has written it.
 * DURABLE: on disk on return; takes milliseconds. */
enum store_care { STORE_LAZY, STORE_DURABLE };

/* An empty record is removed. Returns 0 or an errno. */
int store_put(struct store *s, const char *name, struct span bytes, enum store_care care);
/* Calls each for every record, in order of name; the bytes live during the call. */
void store_each(struct store *s,
	void (*each)(void *ctx, const char *name, struct span bytes), void *ctx);

#endif
