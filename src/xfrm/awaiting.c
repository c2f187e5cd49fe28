/* xfrm/awaiting.c - packets that come before their SA wait in the kernel until it is there.
 *
 * Obeys RFC 7296 2.8 in what the initiator of an SA can do about the time between the
 * peer's first packet on it and its own being ready, as esp/early.c does in userspace.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "os/clock.h"
#include "os/timer.h"
#include "xfrm/inside.h"

/* A peer's stream must not keep the loop for itself. */
enum { AT_ONCE = 256, LACK_MAX = 160 };

static void release(uint32_t number, void *ctx)
{
	const struct xfrm *x = ctx;

	holding_release(x->holding, number);
}

static void set_timer(const struct xfrm *x)
{
	timer_arm(x->early_timer, early_due_ms(&x->early), 0);
}

static bool begin(struct xfrm *x, char *lack, size_t cap)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &x->holding};

	x->holding = holding_open(lack, cap);
	if (!x->holding)
		return false;
	if (epoll_ctl(x->base.epoll, EPOLL_CTL_ADD, holding_fd(x->holding), &ev) == 0)
		return true;
	snprintf(lack, cap, "epoll: %s", strerror(errno));
	holding_close(x->holding);
	x->holding = NULL;
	return false;
}

void xfrm_begin_holding(struct xfrm *x, char *why, size_t cap)
{
	char lack[LACK_MAX] = "";

	if (!begin(x, lack, sizeof(lack)))
		snprintf(why, cap,
			"what comes before its SA is lost, as nftables here cannot hold "
			"it "
			"(\"queue\", Linux 5.12): %s",
			lack);
}

void xfrm_sa_await(struct plane *plane, uint32_t spi)
{
	struct xfrm *x = xfrm_of(plane);

	if (!x->holding || !holding_add(x->holding, spi, EARLY_AWAIT_MS))
		return;
	uint32_t pushed = early_await(&x->early, spi, clock_now_ms(), release, x);
	if (pushed != 0)
		holding_remove(x->holding, pushed);
	set_timer(x);
}

/* The node repeats a request that waits for its answer: once for each SPI. */
static void tell_node(
	struct xfrm *x, struct early_spi *awaited, const struct holding_packet *p)
{
	const struct local *l = locals_find(&x->base.locals, &p->local.addr);
	struct plane_report r = {.kind = PLANE_NOTICE};

	if (awaited->heard || !l)
		return;
	awaited->heard = true;
	r.u.notice.kind = ESP_UNKNOWN_SPI;
	r.u.notice.scope = l->scope;
	r.u.notice.spi = p->spi;
	r.u.notice.local = p->local;
	r.u.notice.remote = p->remote;
	(void)reports_add_light(&x->reports, &r);
	xfrm_wake(x);
}

void xfrm_take_early(struct xfrm *x)
{
	uint64_t now = clock_now_ms();
	struct holding_packet p;

	for (int i = 0; i < AT_ONCE && holding_next(x->holding, &p); i++) {
		struct early_spi *awaited = early_find(&x->early, p.spi);
		if (!awaited ||
			!early_hold(&x->early, p.number, p.spi, p.len, now, release, x))
			release(p.number, x);
		else
			tell_node(x, awaited, &p);
	}
	set_timer(x);
}

/* The kernel holds nothing more of it from here on; what it holds and we have not read yet is
 * not awaited when we do. */
void xfrm_sa_arrived(struct xfrm *x, uint32_t spi)
{
	struct early_spi *awaited = x->holding ? early_find(&x->early, spi) : NULL;

	if (!awaited)
		return;
	awaited->heard = true; /* there is nothing to repeat any more */
	holding_remove(x->holding, spi);
	xfrm_take_early(x);
	early_end(&x->early, spi, release, x);
	set_timer(x);
}

/* The set lets an SPI go by itself at that time. */
void xfrm_expire_early(struct xfrm *x)
{
	early_expire(&x->early, clock_now_ms(), release, x);
	set_timer(x);
}
