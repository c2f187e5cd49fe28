/* xfrm/xfrm.c - the kernel plane behind plane/plane.h.
 *
 * Rules become policies (rules.c), child SAs become SAs (sad.c), the kernel's own words
 * become reports. A gate is closed, and acknowledged, when the outgoing SAs of its scope are
 * out of the kernel. One epoll descriptor holds the kernel's events, port 4500, the timers, and an
 * eventfd for reports of our own making.
 */
#include "config.h"

#include "xfrm/xfrm.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/clock.h"
#include "os/timer.h"
#include "xfrm/events.h"
#include "xfrm/inside.h"
#include "xfrm/lock.h"
#include "xfrm/words.h"

struct sad_scope xfrm_view(const struct xfrm *x, uint16_t scope)
{
	const struct xfrm_scope *s = &x->scopes[scope];

	return (struct sad_scope){
		.spd = s->spd, .is_host = s->n_addrs == 0, .open = s->open};
}

static void refuse(struct xfrm *x, const struct esp_child *c, int err)
{
	struct plane_report r = {.kind = PLANE_REFUSED};
	const struct words_sa sa = {.ah = c->ah,
		.alg = c->alg,
		.family = (enum addr_family)c->remote.addr.family,
		.offload = c->offload};

	r.u.refused.id = c->id;
	words_of_sa(err, &sa, request_why(x->line), r.u.refused.text);
	xfrm_report(x, &r);
}

/* An outgoing half that could not be put in when its gate opened. */
static void refuse_half(const struct sad_child *c, int err, void *ctx)
{
	refuse(ctx, &c->sa, err);
}

/* ---- policy -------------------------------------------------------------------------- */

/* After an order that may have changed policies, or SAs. */
static void tell_failure(struct xfrm *x)
{
	struct plane_report r = {.kind = PLANE_TROUBLED};

	if (xfrm_failed(x, &r.u.trouble))
		xfrm_report(x, &r);
	xfrm_heed(x);
}

static void end_scope(struct xfrm *x, uint16_t scope)
{
	struct xfrm_scope *s = &x->scopes[scope];

	sad_drop_scope(&x->sad, scope);
	if (x->hears_numbers)
		xfrm_hear_numbers(x);
	spd_free(s->spd);
	s->spd = NULL;
	/* Policies stand for as long as there is a way to them. */
	xfrm_steer(x, scope);
	claims_drop(x->claims, &s->rules);
}

/* The new policies are there before the old ones go. */
static void begin_scope(struct xfrm *x, uint16_t scope, struct spd *spd,
	const struct addr *addrs, size_t n_addrs)
{
	struct xfrm_scope *s = &x->scopes[scope];
	struct claimant fresh;

	claimant_init(&fresh, scope);
	(void)rules_claim_scope(x->claims, &fresh,
		&(struct rules_scope){.scope = scope,
			.is_host = n_addrs == 0,
			.spd = spd,
			.addrs = addrs,
			.n_addrs = n_addrs});
	spd_free(s->spd);
	s->spd = spd;
	s->n_addrs = n_addrs;
	if (n_addrs > 0)
		memcpy(s->addrs, addrs, n_addrs * sizeof(*addrs));
	const struct sad_scope view = xfrm_view(x, scope);
	sad_rules(&x->sad, scope, &view);
	xfrm_steer(x, scope);
	claims_drop(x->claims, &s->rules);
	claims_hand_over(&fresh, &s->rules);
	/* Those of others may be in the way of these. */
	x->beside = true;
	xfrm_touch(x);
}

static void xfrm_policy(struct plane *plane, uint16_t scope, struct spd *spd,
	const struct addr *addrs, size_t n_addrs)
{
	struct xfrm *x = xfrm_of(plane);

	assert(scope < SCOPE_MAX && n_addrs <= XFRM_ADDRS_MAX);
	if (spd)
		begin_scope(x, scope, spd, addrs, n_addrs);
	else
		end_scope(x, scope);
	tell_failure(x);
}

/* ---- addresses -------------------------------------------------------------------------- */

static int xfrm_bind(struct plane *plane, uint16_t scope, const struct addr *addr)
{
	struct xfrm *x = xfrm_of(plane);
	struct local *l = locals_find(&x->base.locals, addr);

	if (l && l->gone_ms == 0)
		return 0;
	l = locals_bind(&x->base.locals, scope, addr, x->base.mark);
	if (!l)
		return errno;
	if (x->steering)
		steering_refill(x->steering, scope);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = l};
	return epoll_ctl(x->base.epoll, EPOLL_CTL_ADD, l->udp.fd, &ev) == 0 ? 0 : errno;
}

static void xfrm_unbind(struct plane *plane, const struct addr *addr)
{
	struct local *l = locals_unbind(&plane->locals, addr);

	if (l)
		epoll_ctl(plane->epoll, EPOLL_CTL_DEL, l->udp.fd, NULL);
}

/* ---- gates ------------------------------------------------------------------------------ */

/* The kernel makes IVs of its own from the sequence number and a random salt for each SA
 * that is added, so the activation is not needed here. */
static void xfrm_gate_open(struct plane *plane, uint16_t scope, uint16_t activation)
{
	struct xfrm *x = xfrm_of(plane);

	(void)activation;
	assert(scope < SCOPE_MAX);
	x->scopes[scope].open = true;
	const struct sad_scope view = xfrm_view(x, scope);
	sad_gate_open(&x->sad, scope, &view, refuse_half, x);
	tell_failure(x);
}

static void acknowledge(struct xfrm *x, uint16_t scope)
{
	struct xfrm_scope *s = &x->scopes[scope];
	struct plane_report r = {.kind = PLANE_GATE_CLOSED};

	r.u.gate.scope = scope;
	while (s->acknowledged != s->turn) {
		r.u.gate.turn = ++s->acknowledged;
		xfrm_report(x, &r);
	}
}

static void tell_stuck(struct xfrm *x, uint16_t scope)
{
	struct plane_report r = {.kind = PLANE_TROUBLED};
	struct plane_trouble *t = &r.u.trouble;

	t->scope = scope;
	t->rule = PLANE_NO_RULE;
	snprintf(t->why, sizeof(t->why), XFRM_STUCK ": %s",
		strerror(x->scopes[scope].stuck));
	xfrm_report(x, &r);
}

/* One that is open again keeps what it sends with; what is left of before goes all the same. */
static void try_closing(struct xfrm *x, uint16_t scope)
{
	struct xfrm_scope *s = &x->scopes[scope];

	s->stuck =
		s->open ? sad_end_strays(&x->sad, scope) : sad_gate_close(&x->sad, scope);
	if (s->stuck == 0)
		acknowledge(x, scope);
}

void xfrm_close_gates(struct xfrm *x)
{
	for (uint16_t scope = 0; scope < SCOPE_MAX; scope++)
		if (x->scopes[scope].acknowledged != x->scopes[scope].turn)
			try_closing(x, scope);
}

static uint32_t xfrm_gate_close(struct plane *plane, uint16_t scope)
{
	struct xfrm *x = xfrm_of(plane);

	assert(scope < SCOPE_MAX);
	x->scopes[scope].open = false;
	x->scopes[scope].turn++;
	try_closing(x, scope);
	if (x->scopes[scope].stuck != 0)
		tell_stuck(x, scope); /* and plane_mend() tries again */
	tell_failure(x);
	return x->scopes[scope].turn;
}

/* ---- SAs ---------------------------------------------------------------------------------- */

/* One refusal is enough. Of policies that came with it some may be left: a look finds them. */
void xfrm_settle(struct xfrm *x, const struct esp_child *c, int err)
{
	struct claims_failure known;

	if (err == 0) {
		tell_failure(x);
		return;
	}
	refuse(x, c, err);
	(void)claims_failed(x->claims, &known);
	x->beside = true;
	xfrm_touch(x);
}

static void xfrm_sa_add(struct plane *plane, const struct esp_child *c)
{
	struct xfrm *x = xfrm_of(plane);
	const struct sad_scope view = xfrm_view(x, c->scope);

	xfrm_settle(x, c, sad_add(&x->sad, &view, c, clock_now_ms()));
	xfrm_sa_arrived(x, c->spi_in);
	xfrm_look_later(x);
}

/* One that is not there was refused when it was added. */
static void xfrm_sa_activate(struct plane *plane, uint32_t id)
{
	struct xfrm *x = xfrm_of(plane);
	const struct sad_child *c = sad_find(&x->sad, id);

	if (!c)
		return;
	const struct sad_scope view = xfrm_view(x, c->sa.scope);
	xfrm_settle(x, &c->sa, sad_activate(&x->sad, &view, id));
}

static void xfrm_sa_delete(struct plane *plane, uint32_t id)
{
	struct xfrm *x = xfrm_of(plane);
	const struct sad_child *c = sad_find(&x->sad, id);

	if (!c)
		return;
	const struct sad_scope view = xfrm_view(x, c->sa.scope);
	sad_delete(&x->sad, &view, id);
	if (x->hears_numbers)
		xfrm_hear_numbers(x);
	tell_failure(x);
}

static void xfrm_sa_move(
	struct plane *plane, uint32_t id, const struct endpoint *remote, bool encap)
{
	struct xfrm *x = xfrm_of(plane);
	const struct sad_child *c = sad_find(&x->sad, id);

	if (!c)
		return;
	const struct sad_scope view = xfrm_view(x, c->sa.scope);
	xfrm_settle(x, &c->sa, sad_move(&x->sad, &view, id, remote, encap));
}

/* ---- opening and closing ------------------------------------------------------------------------ */

static void xfrm_close(struct plane *plane, bool keep)
{
	struct xfrm *x = xfrm_of(plane);

	(void)keep; /* the guard alone keeps what is protected out of the clear */
	sad_wipe(&x->sad, false);
	for (uint16_t scope = 0; scope < SCOPE_MAX; scope++)
		end_scope(x, scope);
	if (x->steering)
		steering_close(x->steering, false);
	claims_free(x->claims);
	if (x->line)
		acquires_end(&x->acquires, x->line, UINT64_MAX);
	request_close(x->line);
	reports_wipe(&x->reports);
	events_close(x->events);
	holding_close(x->holding);
	close(x->early_timer);
	close(x->acquire_timer);
	lock_leave(x->lock);
	locals_wipe(&x->base.locals);
	close(x->wake);
	close(x->touch);
	close(x->timer);
	close(x->base.epoll);
	free(x->telling);
	free(x->lent);
	free(x);
}

static const struct plane_ops ops = {
	.close = xfrm_close,
	.next_report = xfrm_next_report,
	.policy = xfrm_policy,
	.refresh = xfrm_refresh,
	.touched = xfrm_touched,
	.mend = xfrm_mend,
	.bind = xfrm_bind,
	.unbind = xfrm_unbind,
	.gate_open = xfrm_gate_open,
	.gate_close = xfrm_gate_close,
	.sa_await = xfrm_sa_await,
	.sa_add = xfrm_sa_add,
	.sa_activate = xfrm_sa_activate,
	.sa_delete = xfrm_sa_delete,
	.sa_move = xfrm_sa_move,
	.usage_query = xfrm_usage_query,
	.replay_query = xfrm_replay_query,
	.replay_set = xfrm_replay_set,
	.replay_watch = xfrm_replay_watch,
	.totals = xfrm_totals,
};

static bool watch(struct xfrm *x, int fd, void *tag)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = tag};

	return fd >= 0 && epoll_ctl(x->base.epoll, EPOLL_CTL_ADD, fd, &ev) == 0;
}

/* However far it comes, xfrm_close() ends it. */
static bool open_all(struct xfrm *x)
{
	bool have_locals = locals_init(&x->base.locals, LOCAL_KERNEL);

	x->line = request_open();
	x->lock = x->line ? lock_take() : -1;
	x->events = x->lock >= 0 ? events_open() : -1;
	return have_locals && x->events >= 0 && watch(x, x->events, &x->events) &&
	       watch(x, x->timer, &x->timer) &&
	       watch(x, x->early_timer, &x->early_timer) &&
	       watch(x, x->acquire_timer, &x->acquire_timer) &&
	       watch(x, x->wake, &x->wake) && x->touch >= 0 &&
	       watch(x, x->base.locals.timer, &x->base.locals);
}

/* err: the errno of the first that could not be had. */
static void say_lack(const struct xfrm *x, int err, char *why, size_t cap)
{
	bool of_lock = x->line && x->lock < 0;
	const char *words = strerror(err);

	if (of_lock && err == EADDRINUSE)
		words = LOCK_TAKEN;
	else if (of_lock && (err == EOPNOTSUPP || err == EPROTONOSUPPORT))
		words = LOCK_UNKNOWN;
	snprintf(why, cap, "the kernel's IPsec: %s", words);
}

struct plane *plane_open_xfrm(const struct plane_params *params)
{
	struct xfrm *x = mem_new(1, sizeof(*x));

	x->base.ops = &ops;
	x->base.mark = params->mark;
	x->base.epoll = epoll_create1(EPOLL_CLOEXEC);
	x->timer = timer_new();
	x->early_timer = timer_new();
	x->acquire_timer = timer_new();
	x->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	x->touch = x->base.touched_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	reports_init(&x->reports);
	bool open = open_all(x);
	int err = errno;
	for (uint16_t scope = 0; scope < SCOPE_MAX; scope++)
		claimant_init(&x->scopes[scope].rules, scope);
	x->claims = claims_new(&params->entropy, x->line);
	sad_init(&x->sad, &params->entropy, x->line, x->claims);
	if (open && xfrm_clear(params->why, params->why_cap)) {
		/* Where it cannot be had, a first packet is sent again by its sender. */
		(void)events_hold_first_packets();
		xfrm_begin_holding(x, params->why, params->why_cap);
		xfrm_begin_steering(x, params->why, params->why_cap);
		return &x->base;
	}
	if (!open)
		say_lack(x, err, params->why, params->why_cap);
	xfrm_close(&x->base, false);
	return NULL;
}
