/* port/quorum.h - are we quorate? (corosync votequorum)
 *
 * Floor 7. Loop-agnostic: poll quorum_fd(), call quorum_drain() when readable, and
 * quorum_tick() about every 100 ms: it connects again after corosync came back.
 */
#ifndef VIPSEC_PORT_QUORUM_H
#define VIPSEC_PORT_QUORUM_H

#include <stdbool.h>

struct quorum;

struct quorum_handlers {
	/* Every change, and false at once when corosync goes away. */
	void (*changed)(void *ctx, bool quorate);
	void (*fd_changed)(void *ctx, int fd);
	void *ctx;
};

struct quorum *quorum_new(const struct quorum_handlers *handlers);
void quorum_free(struct quorum *q);
int quorum_fd(const struct quorum *q);
void quorum_drain(struct quorum *q);
void quorum_tick(struct quorum *q);

#endif
