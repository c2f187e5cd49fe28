/* port/known.h - what the watcher knows of this machine: its addresses and links. Told what
 * the kernel says now, it says what has changed.
 *
 * Floor 7. Private to watch.c.
 */
#ifndef VIPSEC_PORT_KNOWN_H
#define VIPSEC_PORT_KNOWN_H

#include <net/if.h>

#include "base/list.h"
#include "port/watch_event.h"

struct known_addr {
	struct list link;
	struct addr addr;
	unsigned ifindex;
	uint32_t created; /* the kernel's time stamp */
	enum watch_kind state;
	bool dad_failed;
	bool seen; /* in the dump under way */
};

struct known_link {
	struct list link;
	unsigned ifindex;
	char name[IF_NAMESIZE];
	bool up;
	bool seen;
};

struct known {
	struct list addrs, links;
	/* A change, in the order in which it is found. */
	void (*changed)(void *ctx, const struct watch_event *e);
	void *ctx;
};

void known_init(struct known *k);
void known_wipe(struct known *k);

/* now: as the kernel tells it; the list's and the dump's members are not looked at. */
void known_learn_addr(struct known *k, const struct known_addr *now);
void known_lose_addr(struct known *k, unsigned ifindex, const struct addr *a);
void known_learn_link(struct known *k, const struct known_link *now);
void known_lose_link(struct known *k, unsigned ifindex);

/* Everything is read anew between these two: what was not learned again is lost. */
void known_doubt_all(struct known *k);
void known_lose_unseen(struct known *k);

#endif
