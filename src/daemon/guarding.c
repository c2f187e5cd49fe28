/* daemon/guarding.c - the guard's table stays what we made it.
 *
 * What the kernel has after we wrote it is kept as text; after each change of the table,
 * ours included, the kernel's is compared with it. Whatever differs is written anew, in
 * one transaction, within a millisecond or two. Two who fight over the table cost time but
 * not the log: the words are limited.
 */
#include "daemon/guarding.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/tell.h"
#include "os/clock.h"
#include "port/guard.h"
#include "port/guard_watch.h"
#include "xfrm/rules.h"

enum { WORDS_BURST = 10, WORDS_PER_SECOND = 1 };

bool guarding_apply(
	const struct daemon *d, const struct config *c, char *why, size_t why_cap)
{
	struct guard_rules like = {.tun_name = d->in_kernel ? NULL : DAEMON_TUN,
		.reqid_first = REQID_FIRST,
		.reqid_last = REQID_LAST};

	return guard_apply_config(c, &like, why, why_cap);
}

void guarding_applied(struct daemon *d)
{
	free(d->guard_listing);
	d->guard_listing = guard_listing();
}

static bool is_as_we_left_it(const struct daemon *d, const char *now)
{
	return now && d->guard_listing && strcmp(now, d->guard_listing) == 0;
}

/* `nft flush ruleset`, say, or a single rule of ours: back at once, and known to all. */
static int32_t on_guard(int32_t fd, int32_t revents, void *data)
{
	struct daemon *d = data;
	char why[256] = "";

	(void)revents;
	if (!guard_watch_changed(fd))
		return 0;
	char *now = guard_listing();
	bool gone = now == NULL, same = is_as_we_left_it(d, now);
	free(now);
	if (same)
		return 0;
	bool back = guarding_apply(d, node_config(d->node), why, sizeof(why));
	guarding_applied(d);
	if (rate_allow(&d->guard_words, clock_now_ms()))
		tell(d, back ? EVENT_WARNING : EVENT_ERROR, "guard",
			"the nftables table inet vipsec was %s by somebody: %s",
			gone ? "taken away" : "changed",
			back ? "it is as it was again" : why);
	return 0;
}

void guarding_watch(struct daemon *d)
{
	rate_init(&d->guard_words, WORDS_BURST, WORDS_PER_SECOND, clock_now_ms());
	d->guard_fd = guard_watch_open();
	guarding_applied(d); /* what changes from now on is seen */
	if (d->guard_fd < 0)
		journal_say(EVENT_WARNING, "the guard's table cannot be watched: %s",
			strerror(errno));
	else
		qb_loop_poll_add(d->loop, QB_LOOP_HIGH, d->guard_fd, POLLIN, d, on_guard);
}

void guarding_unwatch(struct daemon *d)
{
	if (d->guard_fd >= 0)
		close(d->guard_fd);
	free(d->guard_listing);
	d->guard_listing = NULL;
}
