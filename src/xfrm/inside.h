/* xfrm/inside.h - the kernel plane's own state, for the files that share it.
 *
 * xfrm.c carries out orders; hearing.c takes in what the kernel says, and hands reports to
 * the loop; awaiting.c holds what comes before its SA; unrouted.c leads to the policies what
 * has no route; mending.c compares the kernel's tables with ours; usage.c knows who has sent
 * how much.
 *
 * Floor 8. Private to them.
 */
#ifndef VIPSEC_XFRM_INSIDE_H
#define VIPSEC_XFRM_INSIDE_H

#include "plane/ops.h"
#include "routing/steering.h"
#include "xfrm/acquires.h"
#include "xfrm/early.h"
#include "xfrm/holding.h"
#include "xfrm/reports.h"
#include "xfrm/sad.h"

enum { XFRM_ADDRS_MAX = 8 };
#define XFRM_STUCK "the kernel does not delete SAs, and sends with them"

struct xfrm_scope {
	struct spd *spd; /* NULL: none */
	struct addr addrs[XFRM_ADDRS_MAX];
	size_t n_addrs;
	bool open;
	uint32_t turn, acknowledged; /* closings of the gate */
	int stuck; /* errno: it cannot be closed; 0 */
	struct claimant rules;
};

struct xfrm {
	struct plane base;
	struct request_line *line;
	struct claims *claims;
	struct sad sad;
	struct xfrm_scope scopes[SCOPE_MAX];
	struct reports reports;
	struct acquires acquires;
	int lock, events, wake, timer;
	int touch; /* readable: one of these */
	bool touched, beside; /* what is ours; policies that are not */
	bool sas_touched;
	void *lent; /* with the report handed out last */
	bool hears_numbers; /* some child is watched, by packets */
	struct holding *holding; /* NULL: it cannot be had */
	struct steering *steering; /* for what has no route; NULL: it cannot be had */
	struct early early;
	int early_timer, acquire_timer;
	uint32_t *telling; /* ids whose usage is to be told; NULL: none */
	size_t n_telling, told;
	unsigned queries;
};

static inline struct xfrm *xfrm_of(struct plane *plane)
{
	return (struct xfrm *)plane;
}

/* hearing.c */
void xfrm_wake(struct xfrm *x); /* plane_fd() is to be readable */
void xfrm_touch(struct xfrm *x); /* plane_touched_fd() is */
void xfrm_lower(int fd); /* an eventfd, not readable any more */
void xfrm_report(struct xfrm *x, const struct plane_report *r);
void xfrm_notice(struct xfrm *x, enum esp_notice_kind kind, const struct sad_child *c);
void xfrm_hear(struct xfrm *x); /* what the kernel has said by itself */
bool xfrm_next_report(struct plane *plane, struct plane_report *out);

/* mending.c */
void xfrm_heed(struct xfrm *x); /* SAs that are amiss are to be mended */
enum plane_touch xfrm_touched(struct plane *plane);
void xfrm_mend(struct plane *plane, struct plane_found *found);
/* What the kernel did not take of policies, if there is anything that is not told yet. */
bool xfrm_failed(struct xfrm *x, struct plane_trouble *out);

/* telling.c */
void xfrm_replay_query(struct plane *plane, uint32_t id);
void xfrm_replay_set(
	struct plane *plane, uint32_t id, const struct esp_replay_state *state);
void xfrm_replay_watch(struct plane *plane, uint32_t id, uint32_t packets, uint32_t ms);
void xfrm_tell_numbers(struct xfrm *x, struct sad_child *c, bool asked);
void xfrm_tell_due_numbers(struct xfrm *x); /* by time */
void xfrm_tell_all_numbers(struct xfrm *x); /* of those that are watched */
void xfrm_hear_numbers(struct xfrm *x); /* or not, when children are gone */

/* xfrm.c */
void xfrm_close_gates(struct xfrm *x); /* those that could not be closed yet */
struct sad_scope xfrm_view(const struct xfrm *x, uint16_t scope);
void xfrm_settle(
	struct xfrm *x, const struct esp_child *c, int err); /* an order's result */

/* awaiting.c */
/* why: only where it cannot be had. */
void xfrm_begin_holding(struct xfrm *x, char *why, size_t cap);
void xfrm_sa_await(struct plane *plane, uint32_t spi);
void xfrm_sa_arrived(struct xfrm *x, uint32_t spi); /* or never will */
void xfrm_take_early(struct xfrm *x);
void xfrm_expire_early(struct xfrm *x);

/* unrouted.c */
/* why: more of it, only where it cannot be had. */
void xfrm_begin_steering(struct xfrm *x, char *why, size_t cap);
void xfrm_steer(struct xfrm *x, uint16_t scope); /* as its rules are now */
void xfrm_refresh(struct plane *plane);
void xfrm_look_at_steering(struct xfrm *x);

/* usage.c */
void xfrm_look(struct xfrm *x);
void xfrm_look_later(struct xfrm *x);
void xfrm_usage_query(struct plane *plane);
bool xfrm_next_usage(struct xfrm *x, struct plane_report *out);
void xfrm_totals(struct plane *plane, struct plane_totals *out);

#endif
