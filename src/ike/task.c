/* ike/task.c - what we want to ask, one after the other (RFC 7296 2.3, 2.25, RFC 9370 2.2.4).
 *
 * The table says how each kind begins, what a refusal means to it, and whether asking
 * again makes sense. TEMPORARY_FAILURE is never answered by asking at once: there is a
 * growing pause, with jitter, so that two peers that stand in each other's way come
 * apart. After three minutes of it both sides' states do not fit, and the IKE SA is
 * closed.
 */
#include "ike/sa.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

enum {
	LATER_MS = 500,
	PAUSE_FIRST_MS = 1000,
	PAUSE_LAST_MS = 30000,
	PAUSE_JITTER = 40, /* percent */
	BUSY_MAX_MS = 180000, /* "several minutes" */
	LOST_MAX = 3, /* RFC 9370 2.2.4: "several retries" */
	GROUPS_MAX = 4
};

static const struct {
	enum task_begun (*begin)(struct ike_engine *e, struct ike_sa *sa, struct task *t);
	bool (*again)(struct exchange *x, struct task *t);
	void (*refused)(struct exchange *x, struct task *t, uint16_t error);
} kinds[] = {
	[TASK_CREATE_CHILD] = {ike_begin_create_child, ike_again_create_child,
		ike_refused_create_child},
	[TASK_REKEY_CHILD] = {ike_begin_rekey_child, ike_again_rekey_child,
		ike_refused_rekey_child},
	[TASK_DELETE_CHILD] = {ike_begin_delete_child, NULL, NULL},
	[TASK_REKEY_IKE] = {ike_begin_rekey_ike, ike_again_rekey_ike,
		ike_refused_rekey_ike},
	[TASK_CHECK_PATH] = {ike_begin_check_path, NULL, NULL},
	[TASK_REDIRECT] = {ike_begin_redirect, NULL, NULL},
};

static struct task *task_of(struct list *item)
{
	return list_entry(item, struct task, link);
}

static void task_free(struct task *t)
{
	list_del(&t->link);
	kex_free(t->kex);
	ike_follow_free(&t->follow);
	wipe(t, sizeof(*t));
	free(t);
}

/* What it has made for itself goes with it. */
static void drop(struct ike_engine *e, struct task *t)
{
	struct child *fresh =
		ike_child_by_id(e, t->kind == TASK_CREATE_CHILD ? t->child : t->fresh);

	if (fresh && fresh->state == CHILD_ASKED)
		ike_child_down(e, fresh, IKE_CLOSE_DELETED_BY_US);
	task_free(t);
}

struct task *ike_task_add(
	struct ike_engine *e, struct ike_sa *sa, enum task_kind kind, uint32_t child)
{
	struct task *t = mem_new(1, sizeof(*t));

	t->kind = kind;
	t->child = child;
	list_add(&sa->tasks, &t->link);
	ike_timer_update(e, sa);
	return t;
}

static bool is_idle(const struct ike_sa *sa)
{
	return sa->state == STATE_UP && sa->out.bytes.len == 0 &&
	       !ike_follow_makes_ike(sa);
}

static struct task *first_due(const struct ike_engine *e, const struct ike_sa *sa)
{
	list_each(item, &sa->tasks)
	{
		if (task_of(item)->due_ms <= e->now_ms)
			return task_of(item);
	}
	return NULL;
}

void ike_task_next(struct ike_engine *e, struct ike_sa *sa)
{
	struct task *t;

	while (is_idle(sa) && (t = first_due(e, sa))) {
		assert(!sa->task);
		list_del(&t->link);
		switch (kinds[t->kind].begin(e, sa, t)) {
		case TASK_BEGUN:
			sa->task = t;
			break;
		case TASK_POINTLESS:
			drop(e, t);
			break;
		case TASK_LATER:
			t->due_ms = e->now_ms + LATER_MS;
			list_add(&sa->tasks, &t->link);
			break;
		}
	}
	ike_timer_update(e, sa);
}

uint64_t ike_task_due_ms(const struct ike_sa *sa)
{
	uint64_t due = IKE_NEVER;

	list_each(item, &sa->tasks)
	{
		if (is_idle(sa) && task_of(item)->due_ms < due)
			due = task_of(item)->due_ms;
	}
	return due;
}

void ike_task_done(struct ike_engine *e, struct ike_sa *sa)
{
	struct task *t = sa->task;

	sa->task = NULL;
	if (t)
		drop(e, t);
}

void ike_tasks_drop(struct ike_engine *e, struct ike_sa *sa)
{
	list_each_safe(item, &sa->tasks) drop(e, task_of(item));
}

void ike_tasks_move(struct ike_engine *e, struct ike_sa *from, struct ike_sa *to)
{
	list_each_safe(item, &from->tasks)
	{
		struct task *t = task_of(item);

		if (t->kind == TASK_REKEY_IKE) {
			drop(e, t);
			continue;
		}
		list_del(&t->link);
		list_add(&to->tasks, &t->link);
	}
}

struct task *ike_task_under_way(
	const struct ike_sa *sa, enum task_kind kind, uint32_t child)
{
	struct task *t = sa->task;

	return t && t->kind == kind && t->child == child ? t : NULL;
}

bool ike_task_kex(struct ike_engine *e, struct task *t, uint16_t group)
{
	kex_free(t->kex);
	t->kex = kex_new(t->group != KE_NONE ? t->group : group, &e->entropy);
	return t->kex != NULL;
}

/* ---- refusals */

static void ask_again(struct ike_sa *sa, struct task *t, uint64_t due_ms)
{
	ike_follow_free(&t->follow);
	sa->task = NULL;
	t->due_ms = due_ms;
	t->rival = 0;
	list_add(&sa->tasks, &t->link);
}

void ike_task_again(
	struct ike_engine *e, struct ike_sa *sa, struct task *t, uint64_t due_ms)
{
	ask_again(sa, t, due_ms);
	ike_timer_update(e, sa);
}

static uint64_t pause_of(const struct ike_engine *e, unsigned times)
{
	uint64_t ms = PAUSE_FIRST_MS;

	while (times-- > 0 && ms < PAUSE_LAST_MS)
		ms *= 2;
	return entropy_jitter(
		&e->entropy, ms < PAUSE_LAST_MS ? ms : PAUSE_LAST_MS, PAUSE_JITTER);
}

/* RFC 7296 2.25: not at once, and not for ever. */
static enum ike_verdict on_busy(struct exchange *x, struct task *t)
{
	uint64_t now_ms = x->e->now_ms;

	if (t->busy_since_ms == 0)
		t->busy_since_ms = now_ms;
	if (now_ms - t->busy_since_ms < BUSY_MAX_MS) {
		ask_again(x->sa, t, now_ms + pause_of(x->e, t->pauses++));
		return VERDICT_THEN;
	}
	ike_note(x->e, x->from, x->sa->id,
		"TEMPORARY_FAILURE for three minutes: both sides' states do not fit, the "
		"IKE SA is closed");
	ike_fail(x->sa, IKE_CLOSE_REFUSED, IKE_WHY_BUSY, N_TEMPORARY_FAILURE);
	return VERDICT_DELETE;
}

/* RFC 9370 2.2.4: the peer has forgotten, on the way, what we were making. */
static enum ike_verdict on_lost(struct exchange *x, struct task *t)
{
	if (t->lost++ < LOST_MAX) {
		ask_again(x->sa, t, x->e->now_ms + pause_of(x->e, t->pauses++));
		return VERDICT_STAY;
	}
	ike_note(x->e, x->from, x->sa->id,
		"STATE_NOT_FOUND again and again: the peer forgets additional key "
		"exchanges on the way, the IKE SA is closed");
	ike_fail(x->sa, IKE_CLOSE_REFUSED, IKE_WHY_OTHER, N_STATE_NOT_FOUND);
	return VERDICT_DELETE;
}

static bool has_group(const struct ike_proposals *p, enum task_kind kind, uint16_t group)
{
	if (kind == TASK_REKEY_IKE)
		return ike_suites_has_group(p, group);
	for (unsigned i = 0; i < p->n_pfs; i++)
		if (p->pfs[i] == group)
			return true;
	return false;
}

/* RFC 7296 1.3: the group that the peer wants, if it is one of those that we offered. */
static bool takes_group(struct exchange *x, struct task *t)
{
	const struct child *old = ike_child_by_id(x->e, t->child);
	const struct ike_proposals *p = t->kind == TASK_REKEY_IKE || !old
						? &x->sa->conn->proposals
						: &old->proposals;
	struct span data;

	if (!t->kex || t->groups >= GROUPS_MAX ||
		!ike_notify_find(&x->in, N_INVALID_KE_PAYLOAD, &data) || data.len != 2)
		return false;
	uint16_t group = (uint16_t)(data.at[0] << 8 | data.at[1]);
	if (group == kex_group(t->kex) || !has_group(p, t->kind, group))
		return false;
	t->group = group;
	t->groups++;
	return true;
}

enum ike_verdict ike_on_create_child_refusal(struct exchange *x)
{
	struct ike_sa *sa = x->sa;
	struct task *t = sa->task;
	uint16_t error = ike_notify_error(&x->in);

	/* RFC 7296 2.21.3: fatal on both sides. */
	if (!t || !kinds[t->kind].again || error == N_INVALID_SYNTAX) {
		ike_fail(sa, IKE_CLOSE_REFUSED, IKE_WHY_SYNTAX, error);
		return VERDICT_CLOSE;
	}
	ike_follow_free(&t->follow);
	if (kinds[t->kind].again(x, t)) {
		if (error == N_TEMPORARY_FAILURE)
			return on_busy(x, t);
		if (error == N_STATE_NOT_FOUND)
			return on_lost(x, t);
		if (error == N_INVALID_KE_PAYLOAD && takes_group(x, t)) {
			ask_again(sa, t, x->e->now_ms);
			return VERDICT_THEN;
		}
	}
	kinds[t->kind].refused(x, t, error);
	ike_task_done(x->e, sa);
	return VERDICT_STAY; /* in the state that this has led to */
}
