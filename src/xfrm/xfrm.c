/* xfrm/xfrm.c - the kernel plane behind plane/plane.h.
 *
 * Rules become policies (rules.c), child SAs become SAs (children.c), the kernel's own words
 * become reports. A gate is closed when the outgoing SAs of its scope are out of the kernel,
 * which is so when plane_gate_close() returns; the acknowledgement comes as a report all the
 * same. One epoll descriptor holds the kernel's events, port 4500, the timers, and an
 * eventfd for reports of our own making.
 */
#include "config.h"

#include "xfrm/xfrm.h"

#include <arpa/inet.h>
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
#include "plane/ops.h"
#include "xfrm/sad.h"
#include "xfrm/events.h"
#include "xfrm/looking.h"
#include "xfrm/port4500.h"
#include "xfrm/reports.h"
#include "xfrm/select.h"

enum { ADDRS_MAX = 8, ACQUIRES = 64, READY_AT_ONCE = 16, MEND_AGAIN_MS = 1000 };

struct scope {
	struct spd *spd; /* NULL: none */
	struct addr addrs[ADDRS_MAX];
	size_t n_addrs;
	bool open;
	uint32_t turn;
	struct claimant rules;
};

/* A larval SA of the kernel's that waits to be replaced by the real one. */
struct acquire {
	struct addr daddr;
	uint32_t seq; /* 0: free */
};

struct xfrm {
	struct plane base;
	struct request_line *line;
	struct claims *claims;
	struct sad sad;
	struct scope scopes[SCOPE_MAX];
	struct reports reports;
	struct acquire acquires[ACQUIRES];
	unsigned next_acquire;
	int events, wake, timer;
	int touch; /* readable: touched */
	bool touched;
	uint8_t *ike_bytes; /* of the report handed out last */
	uint32_t *telling; /* ids whose usage is to be told; NULL: none */
	size_t n_telling, told;
	unsigned queries;
};

static struct xfrm *xfrm_of(struct plane *plane)
{
	return (struct xfrm *)plane;
}

static struct sad_scope view_of(const struct xfrm *x, uint16_t scope)
{
	const struct scope *s = &x->scopes[scope];

	return (struct sad_scope){
		.spd = s->spd, .is_host = s->n_addrs == 0, .open = s->open};
}

static void raise_fd(int fd)
{
	const uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return; /* it is readable already */
}

static void lower_fd(int fd)
{
	uint64_t times;

	if (read(fd, &times, sizeof(times)) < 0)
		return;
}

static void wake(struct xfrm *x)
{
	raise_fd(x->wake);
}

static void report(struct xfrm *x, const struct plane_report *r)
{
	reports_add(&x->reports, r);
	wake(x);
}

static void refuse(struct xfrm *x, uint32_t id, int err)
{
	struct plane_report r = {.kind = PLANE_REFUSED};
	const char *words = request_why(x->line);

	r.u.refused.id = id;
	if (err == EADDRINUSE)
		snprintf(r.u.refused.text, sizeof(r.u.refused.text),
			"another peer is behind this NAT: of the planes only userspace "
			"can tell them apart");
	else
		snprintf(r.u.refused.text, sizeof(r.u.refused.text),
			"the kernel says: %s",
			err != ENOENT && words[0] ? words : strerror(err));
	report(x, &r);
}

static void arm(struct xfrm *x)
{
	timer_arm(x->timer, looking_next_ms(&x->sad), 0);
}

/* ---- policy -------------------------------------------------------------------------- */

static void unsteered(struct xfrm *x, uint16_t scope)
{
	struct plane_report r = {.kind = PLANE_UNSTEERED};

	r.u.unsteered.scope = scope;
	snprintf(r.u.unsteered.text, sizeof(r.u.unsteered.text),
		"the kernel does not take a policy: %s", request_why(x->line));
	report(x, &r);
}

static void end_scope(struct xfrm *x, uint16_t scope)
{
	struct scope *s = &x->scopes[scope];

	sad_drop_scope(&x->sad, scope);
	claims_drop(x->claims, &s->rules);
	spd_free(s->spd);
	s->spd = NULL;
}

/* The new policies are there before the old ones go. */
static void begin_scope(struct xfrm *x, uint16_t scope, struct spd *spd,
	const struct addr *addrs, size_t n_addrs)
{
	struct scope *s = &x->scopes[scope];
	struct claimant fresh;

	claimant_init(&fresh, scope);
	int err = rules_claim_scope(x->claims, &fresh,
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
	const struct sad_scope view = view_of(x, scope);
	sad_rules(&x->sad, scope, &view);
	claims_drop(x->claims, &s->rules);
	claims_hand_over(&fresh, &s->rules);
	if (err != 0)
		unsteered(x, scope);
}

static void xfrm_policy(struct plane *plane, uint16_t scope, struct spd *spd,
	const struct addr *addrs, size_t n_addrs)
{
	assert(scope < SCOPE_MAX && n_addrs <= ADDRS_MAX);
	if (spd)
		begin_scope(xfrm_of(plane), scope, spd, addrs, n_addrs);
	else
		end_scope(xfrm_of(plane), scope);
}

static bool xfrm_touched(struct plane *plane)
{
	struct xfrm *x = xfrm_of(plane);
	bool was = x->touched;

	x->touched = false;
	lower_fd(x->touch);
	return was;
}

static void end_child(struct xfrm *x, const struct sad_child *c)
{
	struct plane_report r = {.kind = PLANE_NOTICE};

	r.u.notice.kind = ESP_SEQ_HARD;
	r.u.notice.scope = c->sa.scope;
	r.u.notice.rule = c->sa.rule;
	r.u.notice.id = c->sa.id;
	report(x, &r);
}

/* An SA that somebody has deleted cannot be put back: how far it had come is not known. It
 * ends, and the peer is called. */
static void look_for_missing(struct xfrm *x)
{
	struct request_counts counts;

	list_each(item, &x->sad.all)
	{
		const struct sad_child *c = list_entry(item, struct sad_child, link);
		bool in = request_sa_get(x->line, &c->sa.local.addr, c->sa.spi_in,
				  &counts) != ESRCH;
		bool out = !c->out_there || request_sa_get(x->line, &c->sa.remote.addr,
						    c->sa.spi_out, &counts) != ESRCH;
		if (!in || !out)
			end_child(x, c);
	}
}

static void xfrm_mend(struct plane *plane, struct steering_found *found)
{
	struct xfrm *x = xfrm_of(plane);
	int error = 0;

	found->scope = STEERING_NO_SCOPE;
	found->rules = claims_mend(x->claims, &error) > 0;
	if (error != 0)
		snprintf(found->why, sizeof(found->why), "the kernel's policies: %s",
			strerror(error));
	look_for_missing(x);
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

static void set_gate(struct xfrm *x, uint16_t scope, bool open)
{
	assert(scope < SCOPE_MAX);
	x->scopes[scope].open = open;
	const struct sad_scope view = view_of(x, scope);
	sad_gate(&x->sad, scope, &view);
}

/* The kernel makes IVs of its own from the sequence number and a random salt for each SA
 * that is added, so the activation is not needed here. */
static void xfrm_gate_open(struct plane *plane, uint16_t scope, uint16_t activation)
{
	(void)activation;
	set_gate(xfrm_of(plane), scope, true);
}

static uint32_t xfrm_gate_close(struct plane *plane, uint16_t scope)
{
	struct xfrm *x = xfrm_of(plane);
	struct plane_report r = {.kind = PLANE_GATE_CLOSED};

	set_gate(x, scope, false);
	r.u.gate.scope = scope;
	r.u.gate.turn = ++x->scopes[scope].turn;
	report(x, &r);
	return r.u.gate.turn;
}

/* ---- SAs ---------------------------------------------------------------------------------- */

/* The number of the larval SA that this one answers; it is used once. */
static uint32_t answered_acquire(struct xfrm *x, const struct addr *daddr)
{
	for (unsigned i = 0; i < ACQUIRES; i++) {
		uint32_t seq = x->acquires[i].seq;
		if (seq == 0 || !addr_equal(&x->acquires[i].daddr, daddr))
			continue;
		x->acquires[i].seq = 0;
		return seq;
	}
	return 0;
}

static void xfrm_sa_add(struct plane *plane, const struct esp_child *c)
{
	struct xfrm *x = xfrm_of(plane);
	const struct sad_scope view = view_of(x, c->scope);
	uint32_t seq = c->outbound_ready ? answered_acquire(x, &c->remote.addr) : 0;
	int err = sad_add(&x->sad, &view, c, seq, clock_now_ms());

	if (err != 0)
		refuse(x, c->id, err);
	arm(x);
}

static void xfrm_sa_activate(struct plane *plane, uint32_t id)
{
	struct xfrm *x = xfrm_of(plane);
	const struct sad_child *c = sad_find(&x->sad, id);

	if (!c) {
		refuse(x, id, ENOENT);
		return;
	}
	const struct sad_scope view = view_of(x, c->sa.scope);
	int err =
		sad_activate(&x->sad, &view, id, answered_acquire(x, &c->sa.remote.addr));
	if (err != 0)
		refuse(x, id, err);
}

static void xfrm_sa_delete(struct plane *plane, uint32_t id)
{
	sad_delete(&xfrm_of(plane)->sad, id);
}

static void xfrm_sa_move(
	struct plane *plane, uint32_t id, const struct endpoint *remote, bool encap)
{
	struct xfrm *x = xfrm_of(plane);
	const struct sad_child *c = sad_find(&x->sad, id);

	if (!c)
		return;
	const struct sad_scope view = view_of(x, c->sa.scope);
	int err = sad_move(&x->sad, &view, id, remote, encap);
	if (err != 0)
		refuse(x, id, err);
}

/* ---- usage ---------------------------------------------------------------------------------- */

static void on_heard(const struct sad_child *c, void *ctx)
{
	struct plane_report r = {.kind = PLANE_NOTICE};

	r.u.notice.kind = ESP_INBOUND;
	r.u.notice.scope = c->sa.scope;
	r.u.notice.rule = c->sa.rule;
	r.u.notice.id = c->sa.id;
	r.u.notice.spi = c->sa.spi_in;
	report(ctx, &r);
}

static void look(struct xfrm *x)
{
	looking_round(&x->sad, clock_now_ms(), on_heard, x);
	arm(x);
}

static void xfrm_usage_query(struct plane *plane)
{
	struct xfrm *x = xfrm_of(plane);

	look(x);
	x->queries++;
	wake(x);
}

static void begin_telling(struct xfrm *x)
{
	size_t n = map_count(x->sad.by_id);

	x->telling = mem_new(n + 1, sizeof(*x->telling));
	x->n_telling = x->told = 0;
	list_each(item, &x->sad.all) x->telling[x->n_telling++] =
		list_entry(item, struct sad_child, link)->sa.id;
}

static bool next_usage(struct xfrm *x, struct plane_report *out)
{
	if (x->queries == 0)
		return false;
	if (!x->telling)
		begin_telling(x);
	while (x->told < x->n_telling) {
		const struct sad_child *c = sad_find(&x->sad, x->telling[x->told++]);
		if (!c)
			continue;
		*out = (struct plane_report){.kind = PLANE_USAGE};
		out->u.usage = c->usage;
		return true;
	}
	free(x->telling);
	x->telling = NULL;
	x->queries--;
	*out = (struct plane_report){.kind = PLANE_USAGE_END};
	return true;
}

static void add_usage(const struct esp_usage *u, struct plane_totals *out)
{
	out->esp.sealed += u->packets_out;
	out->esp.opened += u->packets_in;
	out->esp.drop_replayed += u->replayed;
	out->esp.drop_forged += u->forged;
}

static void xfrm_totals(struct plane *plane, struct plane_totals *out)
{
	struct xfrm *x = xfrm_of(plane);

	memset(out, 0, sizeof(*out));
	out->children = map_count(x->sad.by_id);
	list_each(item, &x->sad.all)
		add_usage(&list_entry(item, struct sad_child, link)->usage, out);
}

/* ---- the kernel's words ------------------------------------------------------------------------ */

static void note_acquire(struct xfrm *x, const struct kernel_event *ev)
{
	x->acquires[x->next_acquire++ % ACQUIRES] =
		(struct acquire){.daddr = ev->daddr, .seq = ev->seq};
}

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

static void on_acquire(struct xfrm *x, const struct kernel_event *ev)
{
	struct plane_report r = {.kind = PLANE_NOTICE};
	uint16_t scope;
	uint32_t rule;

	if (!claims_find(x->claims, &ev->policy, ev->dir, &scope, &rule) ||
		rule == CLAIM_NO_RULE)
		return;
	note_acquire(x, ev);
	r.u.notice.kind = ESP_ACQUIRE;
	r.u.notice.scope = scope;
	r.u.notice.rule = rule;
	r.u.notice.flow = flow_of(&ev->flow);
	report(x, &r);
}

static void on_expire(struct xfrm *x, const struct kernel_event *ev)
{
	struct plane_report r = {.kind = PLANE_NOTICE};
	struct sad_child *c = sad_by_spi_out(&x->sad, &ev->daddr, ev->spi);

	if (!c)
		return;
	if (ev->hard)
		c->out_there = false;
	r.u.notice.kind = ev->hard ? ESP_SEQ_HARD : ESP_SEQ_SOFT;
	r.u.notice.scope = c->sa.scope;
	r.u.notice.rule = c->sa.rule;
	r.u.notice.id = c->sa.id;
	report(x, &r);
}

static void on_mapping(struct xfrm *x, const struct kernel_event *ev)
{
	struct plane_report r = {.kind = PLANE_NOTICE};
	const struct sad_child *c = sad_by_spi(&x->sad, &ev->daddr, ev->spi);

	if (!c)
		return;
	r.u.notice.kind = ESP_MAPPING;
	r.u.notice.scope = c->sa.scope;
	r.u.notice.rule = c->sa.rule;
	r.u.notice.id = c->sa.id;
	r.u.notice.spi = ev->spi;
	r.u.notice.local = c->sa.local;
	r.u.notice.remote = ev->remote;
	report(x, &r);
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
	case EVENT_TOUCHED:
	case EVENT_LOST:
		x->touched = true;
		raise_fd(x->touch);
		break;
	}
}

/* ---- reports ---------------------------------------------------------------------------------- */

static void take_ready(struct xfrm *x)
{
	struct epoll_event ready[READY_AT_ONCE];
	int n = epoll_wait(x->base.epoll, ready, READY_AT_ONCE, 0);

	for (int i = 0; i < n; i++) {
		void *what = ready[i].data.ptr;
		if (what == &x->events)
			events_read(x->events, request_port(x->line), on_event, x);
		else if (what == &x->timer && timer_rang(x->timer))
			look(x);
		else if (what == &x->wake)
			lower_fd(x->wake);
		else if (what != &x->timer && what != &x->base.locals)
			port4500_read(what, &x->reports);
	}
	locals_end_lingering(&x->base.locals);
}

static bool xfrm_next_report(struct plane *plane, struct plane_report *out)
{
	struct xfrm *x = xfrm_of(plane);

	free(x->ike_bytes);
	x->ike_bytes = NULL;
	if (!reports_take(&x->reports, out) && !next_usage(x, out)) {
		take_ready(x);
		if (!reports_take(&x->reports, out) && !next_usage(x, out))
			return false;
	}
	if (out->kind == PLANE_IKE)
		x->ike_bytes = out->u.ike.bytes;
	/* Whoever takes only some of what waits is to be called again. */
	if (!reports_empty(&x->reports) || x->queries > 0)
		wake(x);
	return true;
}

/* ---- opening and closing ------------------------------------------------------------------------ */

static void xfrm_close(struct plane *plane, bool keep)
{
	struct xfrm *x = xfrm_of(plane);

	(void)keep; /* the guard alone keeps what is protected out of the clear */
	sad_wipe(&x->sad, false);
	for (uint16_t scope = 0; scope < SCOPE_MAX; scope++)
		end_scope(x, scope);
	claims_free(x->claims);
	request_close(x->line);
	reports_wipe(&x->reports);
	events_close(x->events);
	locals_wipe(&x->base.locals);
	close(x->wake);
	close(x->touch);
	close(x->timer);
	close(x->base.epoll);
	free(x->telling);
	free(x->ike_bytes);
	free(x);
}

static const struct plane_ops ops = {
	.close = xfrm_close,
	.next_report = xfrm_next_report,
	.policy = xfrm_policy,
	.touched = xfrm_touched,
	.mend = xfrm_mend,
	.bind = xfrm_bind,
	.unbind = xfrm_unbind,
	.gate_open = xfrm_gate_open,
	.gate_close = xfrm_gate_close,
	.sa_add = xfrm_sa_add,
	.sa_activate = xfrm_sa_activate,
	.sa_delete = xfrm_sa_delete,
	.sa_move = xfrm_sa_move,
	.usage_query = xfrm_usage_query,
	.totals = xfrm_totals,
};

static bool watch(struct xfrm *x, int fd, void *tag)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = tag};

	return fd >= 0 && epoll_ctl(x->base.epoll, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static bool open_all(struct xfrm *x)
{
	x->line = request_open();
	x->events = x->line ? events_open() : -1;
	return x->events >= 0 && locals_init(&x->base.locals, LOCAL_KERNEL) &&
	       watch(x, x->events, &x->events) && watch(x, x->timer, &x->timer) &&
	       watch(x, x->wake, &x->wake) && x->touch >= 0 &&
	       watch(x, x->base.locals.timer, &x->base.locals);
}

struct plane *plane_open_xfrm(const struct plane_params *params)
{
	struct xfrm *x = mem_new(1, sizeof(*x));

	x->base.ops = &ops;
	x->base.mark = params->mark;
	x->base.epoll = epoll_create1(EPOLL_CLOEXEC);
	x->timer = timer_new();
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
		(void)xfrm_hold_first_packets();
		return &x->base;
	}
	if (!open)
		snprintf(params->why, params->why_cap, "the kernel's IPsec: %s",
			err == EADDRINUSE ? "another vipsecd uses it here"
					  : strerror(err));
	xfrm_close(&x->base, false);
	return NULL;
}
