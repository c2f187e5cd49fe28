/* routing/steering.h - leads what a negotiate entry covers into the TUN: routing rules by
 * address, protocol and port, and a routing table for each scope.
 *
 * Preferences 14500 to 14700 and tables 45000 to 45127 are ours, together with the
 * protocol number of netlink.h; leftovers of a killed daemon are swept at opening (the
 * guard, installed before, keeps protected traffic out of the clear meanwhile).
 *
 * Floor 6. Used by the loop's thread alone; the calls return when the kernel has done it.
 */
#ifndef VIPSEC_ROUTING_STEERING_H
#define VIPSEC_ROUTING_STEERING_H

#include "routing/device.h"
#include "policy/policy.h"

struct steering;

/* device is borrowed for life. NULL: why. */
struct steering *steering_open(
	const struct device *device, uint32_t mark, char *why, size_t why_cap);
/* keep: rules and routes stay as they are. */
void steering_close(struct steering *s, bool keep);

/* Replaces a scope's rules without a gap; spd NULL removes them. Copies what it keeps.
 * False: why; what was there before is still in force. */
bool steering_set(struct steering *s, uint16_t scope, const struct spd *spd,
	const struct addr *addrs, size_t n_addrs, char *why, size_t why_cap)
	__attribute__((warn_unused_result));
/* An address of the scope is here now: its routes are made sure of. */
void steering_refill(struct steering *s, uint16_t scope);
/* Addresses or routes of the machine have changed: works out source addresses and MTUs
 * anew. */
void steering_refresh(struct steering *s);

#endif
