/* xfrm/hearing.c - the kernel's words become reports, and reports reach the loop. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/timer.h"
#include "plane/report.h"
#include "xfrm/events.h"
#include "xfrm/inside.h"
#include "xfrm/port4500.h"
#include "xfrm/rules.h"
#include "xfrm/select.h"

enum { READY_AT_ONCE = 16 };

static void raise_fd(int fd)
{
	const uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return; /* it is readable already */
}

void xfrm_lower(int fd)
{
	uint64_t times;

	if (read(fd, &times, sizeof(times)) < 0)
		return;
}

void xfrm_wake(struct xfrm *x)
{
	raise_fd(x->wake);
}

void xfrm_touch(struct xfrm *x)
{
	raise_fd(x->touch);
}

void xfrm_report(struct xfrm *x, const struct plane_report *r)
{
	reports_add(&x->reports, r);
	xfrm_wake(x);
}

void xfrm_notice(struct xfrm *x, enum esp_notice_kind kind, const struct sad_child *c)
{
	struct plane_report r = {.kind = PLANE_NOTICE};

	r.u.notice.kind = kind;
	r.u.notice.scope = c->sa.scope;
	r.u.notice.rule = c->sa.rule;
	r.u.notice.id = c->sa.id;
	r.u.notice.spi = c->sa.spi_in;
	xfrm_report(x, &r);
}

/* ---- the kernel's words ------------------------------------------------------------------------ */

/* The flow that has begun it, from the selector that the kernel made of it. */
static struct flow flow_of(const struct xfrm_selector *sel)
{
	return (struct flow){.local = select_addr_read(&sel->saddr, sel->family),
		.remote = select_addr_read(&sel->daddr, sel->family),
		.proto = sel->proto,
		.ports_known = sel->sport_mask != 0 || sel->dport_mask != 0,
		.local_port = ntohs(sel->sport),
		.remote_port = ntohs(sel->dport)};
}

static void set_acquire_timer(const struct xfrm *x)
{
	timer_arm(x->acquire_timer, acquires_due_ms(&x->acquires), 0);
}

static void on_acquire(struct xfrm *x, const struct kernel_event *ev)
{
	struct plane_report r = {.kind = PLANE_NOTICE};
	const struct claims_name name = {ev->policy, ev->dir, ev->if_id};
	uint16_t scope;
	uint32_t rule;

	/* Be its policy gone meanwhile. */
	if (reqid_is_ours(ev->larval.reqid)) {
		acquires_note(&x->acquires, &ev->larval, clock_now_ms());
		set_acquire_timer(x);
	}
	if (!claims_find(x->claims, &name, &scope, &rule) || rule == CLAIM_NO_RULE)
		return;
	r.u.notice.kind = ESP_ACQUIRE;
	r.u.notice.scope = scope;
	r.u.notice.rule = rule;
	r.u.notice.flow = flow_of(&ev->flow);
	xfrm_report(x, &r);
}

static void on_expire(struct xfrm *x, const struct kernel_event *ev)
{
	struct sad_child *c = sad_by_name_out(&x->sad, &ev->sa);

	if (!c)
		return;
	if (ev->hard)
		c->out_there = false;
	if (ev->hard ? c->told_hard : c->told_soft) /* a look has seen it first */
		return;
	c->told_soft = true;
	c->told_hard |= ev->hard;
	xfrm_notice(x, ev->hard ? ESP_SEQ_HARD : ESP_SEQ_SOFT, c);
}

static void on_mapping(struct xfrm *x, const struct kernel_event *ev)
{
	struct plane_report r = {.kind = PLANE_NOTICE};
	const struct sad_child *c = sad_by_name_in(&x->sad, &ev->sa);

	if (!c)
		return;
	r.u.notice.kind = ESP_MAPPING;
	r.u.notice.scope = c->sa.scope;
	r.u.notice.rule = c->sa.rule;
	r.u.notice.id = c->sa.id;
	r.u.notice.spi = ev->sa.spi;
	r.u.notice.local = c->sa.local;
	r.u.notice.remote = ev->remote;
	xfrm_report(x, &r);
}

static void on_numbers(struct xfrm *x, const struct kernel_event *ev)
{
	struct sad_child *c = sad_by_name_in(&x->sad, &ev->sa);

	if (!c)
		c = sad_by_name_out(&x->sad, &ev->sa);
	if (c && sad_is_watched(c))
		xfrm_tell_numbers(x, c, false);
}

/* Somebody else's. */
static void on_deed(struct xfrm *x, enum event_kind kind)
{
	x->beside = true;
	x->touched |= kind != EVENT_BESIDE;
	x->sas_touched |= kind == EVENT_SAS || kind == EVENT_LOST;
	xfrm_touch(x);
}

static void on_event(const struct kernel_event *ev, void *ctx)
{
	struct xfrm *x = ctx;

	switch (ev->kind) {
	case EVENT_ACQUIRE:
		on_acquire(x, ev);
		break;
	case EVENT_EXPIRE:
		on_expire(x, ev);
		break;
	case EVENT_MAPPING:
		on_mapping(x, ev);
		break;
	case EVENT_NUMBERS:
		on_numbers(x, ev);
		break;
	case EVENT_LOST:
		xfrm_tell_all_numbers(x);
		/* fallthrough */
	case EVENT_SAS:
	case EVENT_POLICIES:
	case EVENT_BESIDE:
		on_deed(x, ev->kind);
		break;
	}
}

void xfrm_hear(struct xfrm *x)
{
	events_read(x->events, request_port(x->line), on_event, x);
}

/* ---- reports ---------------------------------------------------------------------------------- */

static void end_acquires(struct xfrm *x)
{
	acquires_end(&x->acquires, x->line, clock_now_ms());
	set_acquire_timer(x);
}

static void take_ready(struct xfrm *x)
{
	struct epoll_event ready[READY_AT_ONCE];
	int n = epoll_wait(x->base.epoll, ready, READY_AT_ONCE, 0);

	for (int i = 0; i < n; i++) {
		void *what = ready[i].data.ptr;
		if (what == &x->events)
			xfrm_hear(x);
		else if (what == &x->timer && timer_rang(x->timer))
			xfrm_look(x);
		else if (what == &x->holding)
			xfrm_take_early(x);
		else if (what == &x->early_timer && timer_rang(x->early_timer))
			xfrm_expire_early(x);
		else if (what == &x->acquire_timer && timer_rang(x->acquire_timer))
			end_acquires(x);
		else if (what == &x->steering)
			xfrm_look_at_steering(x);
		else if (what == &x->wake)
			xfrm_lower(x->wake);
		else if (what != &x->timer && what != &x->early_timer &&
			 what != &x->acquire_timer && what != &x->base.locals)
			port4500_read(what, &x->reports);
	}
	locals_end_lingering(&x->base.locals);
}

bool xfrm_next_report(struct plane *plane, struct plane_report *out)
{
	struct xfrm *x = xfrm_of(plane);

	free(x->lent);
	x->lent = NULL;
	if (!reports_take(&x->reports, out) && !xfrm_next_usage(x, out)) {
		take_ready(x);
		if (!reports_take(&x->reports, out) && !xfrm_next_usage(x, out))
			return false;
	}
	x->lent = report_lends(out);
	/* Whoever takes only some of what waits is to be called again. */
	if (!reports_empty(&x->reports) || x->queries > 0)
		xfrm_wake(x);
	return true;
}
