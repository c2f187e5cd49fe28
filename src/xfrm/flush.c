/* xfrm/flush.c - SAs and policies that an earlier life of ours has left in the kernel.
 *
 * The SAs go first: a policy without its SA drops, or asks in vain. What comes after a
 * deletion (an SA that was being made) is met by looking again.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "routing/steering.h"
#include "xfrm/claims.h"
#include "xfrm/lock.h"
#include "xfrm/sweep.h"
#include "xfrm/xfrm.h"

enum { ROUNDS = 4 };

/* Until a round finds nothing. */
static int sweep(struct request_line *line, int (*once)(struct request_line *, size_t *),
	size_t *all)
{
	for (int i = 0; i < ROUNDS; i++) {
		size_t n = 0;
		int err = once(line, &n);
		if (err != 0)
			return err;
		if (n == 0)
			return 0;
		*all += n;
	}
	return EBUSY; /* somebody makes them as fast as they go */
}

/* A kernel without IPsec has nothing of ours. */
static int clear(bool keep_policies, struct xfrm_flushed *out)
{
	struct request_line *line = request_open();
	int err;

	if (!line)
		return errno == EPROTONOSUPPORT ? 0 : errno;
	err = sweep(line, sweep_sas, &out->sas);
	if (err == 0 && keep_policies)
		err = claims_left(line, &out->kept);
	else if (err == 0)
		err = sweep(line, claims_sweep, &out->policies);
	request_close(line);
	return err;
}

static void say(int err, char *why, size_t why_cap)
{
	snprintf(why, why_cap,
		"SAs and policies of an earlier daemon cannot be deleted: %s",
		strerror(err));
}

bool xfrm_clear(char *why, size_t why_cap)
{
	struct xfrm_flushed done = {0};
	int err = clear(false, &done);

	if (err != 0)
		say(err, why, why_cap);
	return err == 0;
}

enum xfrm_flushing xfrm_flush(
	bool keep_policies, struct xfrm_flushed *out, char *why, size_t why_cap)
{
	int lock = lock_take();
	int err = lock < 0 ? errno : 0;

	*out = (struct xfrm_flushed){0};
	if (err == EADDRINUSE) {
		snprintf(why, why_cap,
			"a vipsecd serves with the kernel's data plane: stop it first");
		return XFRM_SERVES;
	}
	if (err == EPROTONOSUPPORT || err == EOPNOTSUPP)
		err = 0; /* where there is no such lock nobody serves */
	if (err == 0) {
		steering_clear();
		err = clear(keep_policies, out);
	}
	lock_leave(lock);
	if (err != 0)
		say(err, why, why_cap);
	return err == 0 ? XFRM_FLUSHED : XFRM_NOT_FLUSHED;
}
