/* port/watch.h - the VIP watcher: what happens to this machine's addresses and routes.
 *
 * Says, for each address of the machine, when it appears, becomes usable (duplicate
 * address detection done) and goes, in the order in which it happened. When the kernel
 * had to drop messages, everything is read again and the difference is reported, an
 * address that was taken away and given back meanwhile included.
 *
 * Floor 7. Loop-agnostic: poll watch_fd(); when it is readable call watch_next() until it
 * returns false.
 */
#ifndef VIPSEC_PORT_WATCH_H
#define VIPSEC_PORT_WATCH_H

#include "port/watch_event.h"

struct watch;

struct watch_params {
	bool routes; /* report WATCH_ROUTES */
	uint8_t route_protocol; /* routes of this protocol are our own: not reported */
};

/* The first events tell what is there already; they wait without the descriptor being
 * readable, so call watch_next() once after opening. NULL: why says what failed. */
struct watch *watch_open(const struct watch_params *p, char *why, size_t why_cap);
void watch_close(struct watch *w);
int watch_fd(const struct watch *w);
bool watch_next(struct watch *w, struct watch_event *out);

struct watch_totals {
	uint64_t messages, overruns;
};
void watch_totals(const struct watch *w, struct watch_totals *out);

#endif
