/* routing/steering.h - leads what a negotiate entry covers into the TUN: routing rules by
 * address, protocol and port, and a routing table for each scope.
 *
 * Without a TUN the kernel seals, and asks its policies once a packet has a route. Then only
 * what the host has no route to, and a tunnel of a VIP covers, gets one, behind all rules of
 * the host: the same packets get through, whichever seals them.
 *
 * Preferences 14500 to 14700 and tables 45000 to 45127 are ours, and without a TUN preferences
 * 45000 to 45200 and tables 45200 to 45327, together with the protocol number of netlink.h;
 * leftovers of a killed daemon are swept at opening (the guard, installed before, keeps
 * protected traffic out of the clear meanwhile).
 *
 * Floor 6. Used by the loop's thread alone; the calls return when the kernel has done it.
 */
#ifndef VIPSEC_ROUTING_STEERING_H
#define VIPSEC_ROUTING_STEERING_H

#include "routing/device.h"
#include "policy/policy.h"

struct steering;

/* device is borrowed for life; NULL: there is no TUN. Gives NULL: why. */
struct steering *steering_open(
	struct device *device, uint32_t mark, char *why, size_t why_cap);
/* keep: rules and routes stay as they are. */
void steering_close(struct steering *s, bool keep);
/* Takes away what a daemon without a TUN has left. Once more: nothing happens. */
void steering_clear(void);

/* Replaces a scope's rules without a gap; spd NULL removes them. Copies what it keeps. Without
 * a TUN: a scope of addresses.
 * False: why; what was there before is still in force, and steering_mend() tries again. */
bool steering_set(struct steering *s, uint16_t scope, const struct spd *spd,
	const struct addr *addrs, size_t n_addrs, char *why, size_t why_cap)
	__attribute__((warn_unused_result));
/* An address of the scope is here now: its routes are made sure of. */
void steering_refill(struct steering *s, uint16_t scope);
/* Addresses or routes of the machine have changed: works out source addresses and MTUs
 * anew. */
void steering_refresh(struct steering *s);

/* What others do to rules, routes and device is noticed, and undone. */
int steering_fd(const struct steering *s); /* readable: ask steering_touched() */
/* Reads what waits. True: something may not be as it should; steering_mend() looks. */
bool steering_touched(struct steering *s);

enum { STEERING_NO_SCOPE = SCOPE_MAX };
struct steering_found {
	bool down, narrow, rules, routes; /* were not as they should be */
	bool waited; /* a scope could not be steered before, and is now */
	uint16_t scope; /* that fails; STEERING_NO_SCOPE: all of them */
	char why[96]; /* what could not be mended; empty: all is as it should be */
};
/* Compares everything with what should be there, and mends what is not. */
void steering_mend(struct steering *s, struct steering_found *found);

#endif
