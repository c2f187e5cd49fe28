/* port/watch_event.h - what can happen to this machine's addresses, links and routes.
 *
 * Floor 7.
 */
#ifndef VIPSEC_PORT_WATCH_EVENT_H
#define VIPSEC_PORT_WATCH_EVENT_H

#include "base/addr.h"

enum watch_kind {
	WATCH_GONE,
	WATCH_TENTATIVE, /* there, but duplicate address detection goes on or failed */
	WATCH_PRESENT,
	WATCH_LINK, /* a link went up or down, appeared or vanished: up, ifindex */
	WATCH_ROUTES /* routes of others changed (several changes, one event) */
};

struct watch_event {
	enum watch_kind kind;
	struct addr addr; /* GONE, TENTATIVE, PRESENT */
	bool dad_failed; /* TENTATIVE: another machine has this address */
	unsigned ifindex; /* of addr; LINK */
	char link[16]; /* LINK: its name */
	bool up; /* LINK: administratively up and with a carrier */
};

#endif
