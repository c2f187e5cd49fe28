/* xfrm/events.h - what the kernel's IPsec says by itself.
 *
 * Floor 8.
 */
#ifndef VIPSEC_XFRM_EVENTS_H
#define VIPSEC_XFRM_EVENTS_H

#include <linux/types.h>
#include <linux/xfrm.h>

#include "xfrm/request.h"

enum event_kind {
	EVENT_ACQUIRE, /* a policy wants an SA that is not there */
	EVENT_EXPIRE, /* an SA has come to a limit */
	EVENT_NUMBERS, /* an SA's numbers have gone on (events_hear_numbers) */
	EVENT_MAPPING, /* the peer's port or address has changed (RFC 7296 2.23) */
	EVENT_SAS, /* somebody else has changed or deleted SAs of ours */
	EVENT_POLICIES, /* or policies */
	EVENT_BESIDE, /* or policies that are not ours */
	EVENT_LOST /* events got lost: whatever may have happened */
};

struct kernel_event {
	enum event_kind kind;
	/* ACQUIRE: the policy's selector and direction, the flow, the SA that waits */
	struct xfrm_selector policy;
	uint32_t if_id;
	uint8_t dir;
	struct xfrm_selector flow;
	struct request_larval larval;
	/* EXPIRE, NUMBERS, MAPPING: the SA */
	struct request_name sa;
	uint32_t reqid;
	bool hard;
	struct endpoint remote; /* MAPPING: where it is now */
};

/* A descriptor to poll. -1: errno. */
int events_open(void);
void events_close(int fd);
/* Or no more. While anybody hears of them, each SA of this network namespace tells. */
void events_hear_numbers(int fd, bool on);
/* From now on the kernel holds what begins a flow until its SA is there, some hundred packets
 * for each policy, as the userspace plane does; by default it drops them. False: it may not
 * be told so here (/proc/sys is read only). */
bool events_hold_first_packets(void);
/* Hands out what waits. own: what we caused ourselves comes from this port, and is not
 * worth telling. */
void events_read(int fd, uint32_t own,
	void (*each)(const struct kernel_event *ev, void *ctx), void *ctx);

#endif
