/* daemon/mending.c - when somebody has touched what the plane has in the kernel (routing
 * rules, routes and device, or SAs and policies) it is put right at once; and with a limit, so
 * that two programs never spend their days undoing each other's work: after thirty times in a
 * row once a second, until five seconds were quiet.
 *
 * Meanwhile nothing leaves in clear: the guard cares for none of these.
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
	WORDS_BURST = 20,
	WORDS_PER_SECOND = 1,
	TOGETHER_MS = 50, /* who deletes a hundred rules deletes them one by one */
	AGAIN_MS = 1000,
	QUIET_LOOKS = 5,
	TOLD_FOR_MS = 250, /* one deed, one line */
};
enum { IN_KERNEL = PLANE_DEED_POLICIES | PLANE_DEED_SAS };

static void arm(struct daemon *d, uint64_t at_ms)
{
	struct mending *m = &d->mending;

	if (at_ms >= m->due_ms)
		return;
	m->due_ms = at_ms;
	timer_arm(m->timer_fd, at_ms, 0);
}

/* ---- words ------------------------------------------------------------------------ */

/* The kind of event. */
static const char *kind_of(unsigned deeds)
{
	return deeds & IN_KERNEL ? "xfrm" : "steering";
}

/* The first row that has one of these, and all of those. A device that goes down takes its
 * routes with it. */
static const char *words_of(unsigned deeds)
{
	static const struct {
		unsigned all;
		const char *words;
	} rows[] = {
		{PLANE_DEED_DOWN, "the interface " DAEMON_TUN " was set down"},
		{PLANE_DEED_NARROW, "the MTU of " DAEMON_TUN " was lowered"},
		{PLANE_DEED_RULES | PLANE_DEED_ROUTES,
			"routing rules and routes of vipsec were taken away"},
		{PLANE_DEED_RULES, "routing rules of vipsec were taken away or changed"},
		{PLANE_DEED_ROUTES, "routes of vipsec were taken away or changed"},
		{PLANE_DEED_SAS | PLANE_DEED_POLICIES,
			"SAs and policies of vipsec were taken away from the kernel"},
		{PLANE_DEED_SAS, "SAs of vipsec were taken away from the kernel"},
		{PLANE_DEED_POLICIES,
			"policies of vipsec in the kernel were taken away or changed"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if ((deeds & rows[i].all) == rows[i].all)
			return rows[i].words;
	return "";
}

/* What has become of it. */
static const char *outcome_of(unsigned deeds, bool again)
{
	if (again)
		return "not all of it can be put right";
	return deeds & PLANE_DEED_SAS ? "their peers are called anew"
				      : "all is as it was again";
}

static const char *fought_text(unsigned deeds)
{
	if (deeds & IN_KERNEL)
		return "somebody takes vipsec's policies or SAs in the kernel away again "
		       "and again: they are put back once a second";
	return "somebody takes vipsec's routing rules, routes or interface away again "
	       "and again: they are put back once a second";
}

static void tell_found(struct daemon *d, const struct plane_found *f, uint64_t now_ms)
{
	struct mending *m = &d->mending;
	bool told = m->told_ms != 0 && now_ms - m->told_ms < TOLD_FOR_MS &&
		    (f->deeds & ~m->told) == 0;

	if (told || m->fought)
		return;
	m->told = f->deeds;
	m->told_ms = now_ms;
	tell(d, EVENT_WARNING, kind_of(f->deeds), "%s by somebody: %s",
		words_of(f->deeds), outcome_of(f->deeds, f->again));
}

static void take_fight(struct daemon *d, unsigned deeds)
{
	struct mending *m = &d->mending;

	if (m->fought == (deeds != 0))
		return;
	m->quiet = 0;
	m->fought = deeds != 0;
	if (m->fought) {
		m->fought_deeds = deeds;
		tell(d, EVENT_WARNING, kind_of(deeds), "%s", fought_text(deeds));
	} else {
		tell(d, EVENT_NOTICE, kind_of(m->fought_deeds),
			m->fought_deeds & IN_KERNEL
				? "policies and SAs in the kernel are left alone again"
				: "routing rules, routes and interface are left alone "
				  "again");
	}
}

/* ---- what cannot be mended ----------------------------------------------------------- */

static void tell_trouble(struct daemon *d, const struct mending_trouble *t, bool over)
{
	bool one = t->scope < SCOPE_MAX;

	if (rate_allow(&d->mending.words, clock_now_ms()))
		tell(d, over ? EVENT_NOTICE : EVENT_ERROR, "plane-refused", "%s%s%s%s",
			over ? "over: " : "", one ? value_scope_name(d, t->scope) : "",
			one ? ": " : "", t->text);
}

static bool has_trouble(
	const struct mending_trouble *list, size_t n, const struct mending_trouble *t)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].scope == t->scope && strcmp(list[i].text, t->text) == 0)
			return true;
	return false;
}

static void put_trouble(
	struct daemon *d, const struct plane_trouble *t, struct mending_trouble *out)
{
	bool rule = t->rule != PLANE_NO_RULE;

	out->scope = t->scope;
	snprintf(out->text, sizeof(out->text), "%s%s%s%s", rule ? "rule \"" : "",
		rule ? value_rule_name(d, t->rule) : "", rule ? "\": " : "", t->why);
}

/* What is new is told, and what is over. */
static void take_troubles(struct daemon *d, const struct plane_found *f)
{
	struct mending *m = &d->mending;
	struct mending_trouble before[PLANE_TROUBLES_MAX];
	size_t n_before = m->n;

	memcpy(before, m->troubles, sizeof(before));
	for (m->n = 0; m->n < f->n; m->n++)
		put_trouble(d, &f->at[m->n], &m->troubles[m->n]);
	for (size_t i = 0; i < n_before; i++)
		if (!has_trouble(m->troubles, m->n, &before[i]))
			tell_trouble(d, &before[i], true);
	for (size_t i = 0; i < m->n; i++)
		if (!has_trouble(before, n_before, &m->troubles[i]))
			tell_trouble(d, &m->troubles[i], false);
}

/* ---- looking ------------------------------------------------------------------------ */

static void look(struct daemon *d, uint64_t now_ms)
{
	struct mending *m = &d->mending;
	struct plane_found found;

	m->looked_ms = now_ms;
	plane_mend(d->plane, &found);
	take_troubles(d, &found);
	if (found.deeds != 0) {
		tell_found(d, &found, now_ms);
		if (!rate_allow(&m->often, now_ms))
			take_fight(d, found.deeds);
	}
	m->quiet = found.deeds != 0 ? 0 : m->quiet + 1;
	if (m->quiet >= QUIET_LOOKS)
		take_fight(d, 0);
	if (m->fought || found.again)
		arm(d, now_ms + AGAIN_MS);
}

void mending_heed(struct daemon *d)
{
	struct mending *m = &d->mending;
	enum plane_touch touch = plane_touched(d->plane);
	uint64_t now_ms = clock_now_ms();

	if (touch == PLANE_UNTOUCHED)
		return;
	if (touch == PLANE_BESIDE || m->fought)
		arm(d, m->looked_ms + AGAIN_MS);
	else if (now_ms - m->looked_ms < TOGETHER_MS)
		arm(d, m->looked_ms + TOGETHER_MS);
	else
		look(d, now_ms);
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

	(void)revents;
	if (!timer_rang(fd))
		return 0;
	d->mending.due_ms = UINT64_MAX;
	look(d, clock_now_ms());
	return 0;
}

/* ---- the public face ------------------------------------------------------------------ */

bool mending_open(struct daemon *d)
{
	struct mending *m = &d->mending;
	uint64_t now_ms = clock_now_ms();

	*m = (struct mending){.timer_fd = timer_new(), .due_ms = UINT64_MAX};
	rate_init(&m->often, MENDS_BURST, MENDS_PER_SECOND, now_ms);
	rate_init(&m->words, WORDS_BURST, WORDS_PER_SECOND, now_ms);
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

void mending_refused(struct daemon *d, const struct plane_trouble *t)
{
	struct mending *m = &d->mending;
	struct mending_trouble one;

	put_trouble(d, t, &one);
	if (m->n < PLANE_TROUBLES_MAX && !has_trouble(m->troubles, m->n, &one)) {
		m->troubles[m->n++] = one;
		tell_trouble(d, &one, false);
	}
	arm(d, clock_now_ms() + AGAIN_MS);
}

const char *mending_trouble(const struct daemon *d, uint16_t scope)
{
	const struct mending *m = &d->mending;

	for (size_t i = 0; i < m->n; i++)
		if (m->troubles[i].scope == scope || m->troubles[i].scope >= SCOPE_MAX)
			return m->troubles[i].text;
	return m->fought ? fought_text(m->fought_deeds) : NULL;
}

void mending_problems(struct daemon *d, json_t *list)
{
	const struct mending *m = &d->mending;

	if (m->fought)
		json_array_append_new(list, json_string(fought_text(m->fought_deeds)));
	for (size_t i = 0; i < m->n; i++) {
		const struct mending_trouble *t = &m->troubles[i];
		bool one = t->scope < SCOPE_MAX;
		json_array_append_new(list,
			json_sprintf("%s%s%s", one ? value_scope_name(d, t->scope) : "",
				one ? ": " : "", t->text));
	}
}
