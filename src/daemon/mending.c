/* daemon/mending.c - when somebody has touched our rules, routes or device they are put
 * right at once; and with a limit, so that two programs never spend their days undoing each
 * other's work: after thirty times in a row once a second, until five seconds were quiet.
 *
 * Meanwhile nothing leaves in clear: the guard does not care for routing.
 */
#include "daemon/mending.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/tell.h"
#include "daemon/values.h"
#include "os/clock.h"
#include "os/timer.h"

enum {
	MENDS_BURST = 30,
	MENDS_PER_SECOND = 1,
	TOGETHER_MS = 50, /* who deletes a hundred rules deletes them one by one */
	AGAIN_MS = 1000,
	QUIET_LOOKS = 5,
	TOLD_FOR_MS = 250, /* one deed, one line */
};
enum { DOWN = 1, NARROW = 2, RULES = 4, ROUTES = 8 };

#define FOUGHT_TEXT                                                                  \
	"somebody takes vipsec's routing rules, routes or interface away again and " \
	"again: they are put back once a second"

static void arm(struct daemon *d, uint64_t at_ms)
{
	struct mending *m = &d->mending;

	if (at_ms >= m->due_ms)
		return;
	m->due_ms = at_ms;
	timer_arm(m->timer_fd, at_ms, 0);
}

/* ---- words ------------------------------------------------------------------------ */

static unsigned mask_of(const struct steering_found *f)
{
	return (f->down ? DOWN : 0) | (f->narrow ? NARROW : 0) | (f->rules ? RULES : 0) |
	       (f->routes ? ROUTES : 0);
}

/* A device that goes down takes its routes with it. */
static const char *words_of(unsigned mask)
{
	if (mask & DOWN)
		return "the interface " DAEMON_TUN " was set down";
	if (mask & NARROW)
		return "the MTU of " DAEMON_TUN " was lowered";
	if ((mask & (RULES | ROUTES)) == (RULES | ROUTES))
		return "routing rules and routes of vipsec were taken away";
	return mask & RULES ? "routing rules of vipsec were taken away or changed"
			    : "routes of vipsec were taken away or changed";
}

static void tell_found(struct daemon *d, unsigned mask, uint64_t now_ms)
{
	struct mending *m = &d->mending;
	bool told = m->told_ms != 0 && now_ms - m->told_ms < TOLD_FOR_MS &&
		    (mask & ~m->told) == 0;

	if (told || m->fought)
		return;
	m->told = mask;
	m->told_ms = now_ms;
	tell(d, EVENT_WARNING, "steering", "%s by somebody: %s", words_of(mask),
		m->trouble[0] ? m->trouble : "all is as it was again");
}

static void take_trouble(struct daemon *d, uint16_t scope, const char *why, bool say)
{
	struct mending *m = &d->mending;
	bool known = strcmp(m->trouble, why) == 0 && (!why[0] || m->scope == scope);

	if (known)
		return;
	m->scope = scope;
	snprintf(m->trouble, sizeof(m->trouble), "%s", why);
	if (why[0] == '\0')
		tell(d, EVENT_NOTICE, "steering", "what could not be steered is now");
	else if (say)
		tell(d, EVENT_ERROR, "plane-refused", "%s%s%s",
			scope < SCOPE_MAX ? value_scope_name(d, scope) : "",
			scope < SCOPE_MAX ? ": " : "", why);
}

static void take_fight(struct daemon *d, bool fought)
{
	if (d->mending.fought == fought)
		return;
	d->mending.fought = fought;
	d->mending.quiet = 0;
	if (fought)
		tell(d, EVENT_WARNING, "steering", FOUGHT_TEXT);
	else
		tell(d, EVENT_NOTICE, "steering",
			"routing rules, routes and interface are left alone again");
}

/* ---- looking ------------------------------------------------------------------------ */

static void look(struct daemon *d, uint64_t now_ms)
{
	struct mending *m = &d->mending;
	struct steering_found found;

	m->looked_ms = now_ms;
	plane_mend(d->plane, &found);
	unsigned mask = mask_of(&found);
	take_trouble(d, found.scope, found.why, mask == 0);
	if (mask != 0)
		tell_found(d, mask, now_ms);
	m->quiet = mask != 0 ? 0 : m->quiet + 1;
	if (m->quiet >= QUIET_LOOKS)
		take_fight(d, false);
	if (m->fought || m->trouble[0])
		arm(d, now_ms + AGAIN_MS);
}

void mending_heed(struct daemon *d)
{
	struct mending *m = &d->mending;
	uint64_t now_ms = clock_now_ms();

	if (!plane_touched(d->plane))
		return;
	if (m->fought)
		arm(d, now_ms + AGAIN_MS);
	else if (now_ms - m->looked_ms < TOGETHER_MS)
		arm(d, m->looked_ms + TOGETHER_MS);
	else if (rate_allow(&m->often, now_ms))
		look(d, now_ms);
	else {
		take_fight(d, true);
		arm(d, now_ms + AGAIN_MS);
	}
}

static int32_t on_touched(int32_t fd, int32_t revents, void *data)
{
	(void)fd;
	(void)revents;
	mending_heed(data);
	return 0;
}

static int32_t on_timer(int32_t fd, int32_t revents, void *data)
{
	struct daemon *d = data;
	struct mending *m = &d->mending;
	uint64_t now_ms = clock_now_ms();

	(void)revents;
	if (!timer_rang(fd))
		return 0;
	m->due_ms = UINT64_MAX;
	if (!m->fought && !m->trouble[0] && !rate_allow(&m->often, now_ms)) {
		take_fight(d, true);
		arm(d, now_ms + AGAIN_MS);
	} else {
		look(d, now_ms);
	}
	return 0;
}

/* ---- the public face ------------------------------------------------------------------ */

bool mending_open(struct daemon *d)
{
	struct mending *m = &d->mending;

	*m = (struct mending){.timer_fd = timer_new(), .due_ms = UINT64_MAX};
	rate_init(&m->often, MENDS_BURST, MENDS_PER_SECOND, clock_now_ms());
	if (m->timer_fd < 0)
		return false;
	if (plane_touched_fd(d->plane) >= 0)
		qb_loop_poll_add(d->loop, QB_LOOP_HIGH, plane_touched_fd(d->plane),
			POLLIN, d, on_touched);
	qb_loop_poll_add(d->loop, QB_LOOP_MED, m->timer_fd, POLLIN, d, on_timer);
	return true;
}

void mending_close(struct daemon *d)
{
	if (d->mending.timer_fd >= 0)
		close(d->mending.timer_fd);
	d->mending.timer_fd = -1;
}

void mending_refused(struct daemon *d, uint16_t scope, const char *why)
{
	take_trouble(d, scope, why, true);
	arm(d, clock_now_ms() + AGAIN_MS);
}

const char *mending_trouble(const struct daemon *d, uint16_t scope)
{
	const struct mending *m = &d->mending;

	if (m->trouble[0] && (m->scope == scope || m->scope >= SCOPE_MAX))
		return m->trouble;
	return m->fought ? FOUGHT_TEXT : NULL;
}
