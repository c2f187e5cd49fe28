/* ike/ask.c - the public calls that ask something of the peer: a child, new keys, a Delete.
 *
 * Each makes a task (task.c); what is asked is in the file of its exchange.
 */
#include "ike/sa.h"

#include <stdlib.h>

#include "base/mem.h"

static struct ike_sa *find_up(const struct ike_engine *e, uint32_t id, enum ike_err *err)
{
	struct ike_sa *sa = ike_sa_by_id(e, id);

	*err = !sa ? IKE_NOT_FOUND : sa->state != STATE_UP ? IKE_NOT_READY : IKE_OK;
	return sa;
}

enum ike_err ike_create_child(struct ike_engine *e, uint64_t now_ms, uint32_t id,
	const struct ike_conn *what, uint32_t *child)
{
	enum ike_err err;
	struct ike_sa *sa = find_up(e, id, &err);

	e->now_ms = now_ms;
	if (err != IKE_OK)
		return err;
	if (what->proposals.master_pfs || sa->conn->proposals.master_pfs ||
		sa->n_children >= e->limits.children)
		return IKE_NOT_ALLOWED;
	struct ike_conn *c = mem_new(1, sizeof(*c));
	*c = *what;
	c->path = sa->path;
	/* another IKE SA will say why it cannot be */
	bool any = ike_natd_lets_pass(sa, &c->proposals) && ike_selectors_restrict(c);
	if (any) {
		*child = ike_child_new(e, sa, c, true)->is.id;
		ike_task_add(e, sa, TASK_CREATE_CHILD, *child);
		ike_task_next(e, sa);
	}
	secret_wipe(&c->psk);
	free(c);
	return any ? IKE_OK : IKE_NOT_ALLOWED;
}

/* NULL: see *err. */
static struct child *find_child(
	const struct ike_engine *e, uint32_t id, enum ike_err *err)
{
	struct child *c = ike_child_by_id(e, id);

	*err = !c ? IKE_NOT_FOUND : c->sa->state != STATE_UP ? IKE_NOT_READY : IKE_OK;
	return *err == IKE_OK ? c : NULL;
}

static bool is_queued(const struct ike_sa *sa, enum task_kind kind, uint32_t child)
{
	list_each(item, &sa->tasks)
	{
		const struct task *t = list_entry(item, struct task, link);

		if (t->kind == kind && t->child == child)
			return true;
	}
	return ike_task_under_way(sa, kind, child) != NULL;
}

static void ask_once(
	struct ike_engine *e, struct ike_sa *sa, enum task_kind kind, uint32_t child)
{
	if (!is_queued(sa, kind, child))
		ike_task_add(e, sa, kind, child);
	ike_task_next(e, sa);
}

enum ike_err ike_rekey_child(struct ike_engine *e, uint64_t now_ms, uint32_t id)
{
	enum ike_err err;
	struct child *c = find_child(e, id, &err);

	e->now_ms = now_ms;
	if (!c)
		return err;
	if (c->sa->conn->proposals.master_pfs)
		return IKE_NOT_ALLOWED;
	if (c->state == CHILD_UP && !c->is.receive_only)
		ask_once(e, c->sa, TASK_REKEY_CHILD, id);
	return IKE_OK;
}

enum ike_err ike_delete_child(struct ike_engine *e, uint64_t now_ms, uint32_t id)
{
	enum ike_err err;
	struct child *c = find_child(e, id, &err);

	e->now_ms = now_ms;
	if (!c)
		return err;
	if (c->state == CHILD_ASKED) {
		c->unwanted = true; /* asked for: deleted when it comes; else not asked */
		return IKE_OK;
	}
	ike_child_deleting(c, IKE_CLOSE_DELETED_BY_US);
	ask_once(e, c->sa, TASK_DELETE_CHILD, id);
	return IKE_OK;
}

enum ike_err ike_rekey(struct ike_engine *e, uint64_t now_ms, uint32_t id)
{
	enum ike_err err;
	struct ike_sa *sa = find_up(e, id, &err);

	e->now_ms = now_ms;
	if (err == IKE_OK && !sa->replaced)
		ask_once(e, sa, TASK_REKEY_IKE, 0);
	return err;
}
