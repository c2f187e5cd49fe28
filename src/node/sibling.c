/* node/sibling.c - several rules, or addresses, of one identity pair: who is called first.
 *
 * INITIAL_CONTACT makes a peer drop the SAs of the pair that it still has (RFC 7296 2.4),
 * those with a dead node above all. It may be said only while no other IKE SA of the pair
 * exists, half-open ones included. Called all at once, nobody could say it. So the first
 * is called alone, and the others when its IKE_AUTH has been answered: if it went out again
 * after theirs, INITIAL_CONTACT would end what they have just made. They do not wait for a
 * call that has ended, nor longer than half a second: who does not answer one of them does
 * not answer the others.
 *
 * Two places of one peer with one rule (it moved) are no siblings: one of them is wrong,
 * and is not waited for.
 *
 * Leaves to others: the queue (dial.c), saying it (ike/crossing.c).
 */
#include "node/core.h"

const struct config_auth *auth_of(const struct node *n, const struct peer *p)
{
	const struct config_rule *r = &n->config->rules[p->rule];

	return &r->auths[p->auth % r->n_auths];
}

struct identity sibling_local_id(const struct node *n, const struct peer *p)
{
	const struct config_auth *a = auth_of(n, p);

	return a->local_id.type != ID_ANY ? a->local_id : identity_from_addr(&p->local);
}

struct identity sibling_remote_id(const struct node *n, const struct peer *p)
{
	const struct config_auth *a = auth_of(n, p);

	if (a->remote_id.type != ID_ANY)
		return a->remote_id;
	if (p->remote_id.type != ID_ANY || a->remote_any)
		return p->remote_id;
	return identity_from_addr(&p->remote.addr);
}

/* Of whom nobody knows a name yet the address must do, as in the engine. */
static bool is_sibling(const struct node *n, const struct peer *a, const struct peer *b)
{
	if (a == b || a->scope != b->scope ||
		(a->rule == b->rule && addr_equal(&a->local, &b->local)))
		return false;
	const struct identity la = sibling_local_id(n, a), ra = sibling_remote_id(n, a);
	const struct identity lb = sibling_local_id(n, b), rb = sibling_remote_id(n, b);
	if (ra.type == ID_ANY || rb.type == ID_ANY)
		return endpoint_equal(&a->remote, &b->remote);
	return identity_equal(&la, &lb) && identity_equal(&ra, &rb);
}

/* Calls each sibling; some may come twice: they share the address, and the name. */
static void siblings_each(const struct node *n, const struct peer *p,
	void (*each)(struct peer *q, void *ctx), void *ctx)
{
	for (struct list *at = p->by_addr.next; !p->behind && at != &p->by_addr;
		at = at->next) {
		struct peer *q = list_entry(at, struct peer, by_addr);
		if (is_sibling(n, p, q))
			each(q, ctx);
	}
	for (struct list *at = p->by_id.next;
		p->remote_id.type != ID_ANY && at != &p->by_id; at = at->next) {
		struct peer *q = list_entry(at, struct peer, by_id);
		if (is_sibling(n, p, q))
			each(q, ctx);
	}
}

static void note_one(struct peer *q, void *ctx)
{
	bool *found = ctx;

	(void)q;
	*found = true;
}

bool sibling_exists(const struct node *n, const struct peer *p)
{
	bool found = false;

	siblings_each(n, p, note_one, &found);
	return found;
}

struct leader {
	uint64_t called_ms; /* the last that is being called; 0: none */
	bool is_up; /* one of them has an SA: nobody will say it */
};

static void find_leader(struct peer *q, void *ctx)
{
	struct leader *l = ctx;

	if (!list_empty(&q->sessions))
		l->is_up = true;
	if (q->call != 0 && q->called_ms > l->called_ms)
		l->called_ms = q->called_ms;
}

uint64_t sibling_wait_ms(const struct node *n, const struct peer *p)
{
	struct leader l = {0};

	if (p->followed || contact_elsewhere(n, &n->scopes[p->scope]))
		return 0;
	siblings_each(n, p, find_leader, &l);
	if (l.is_up || l.called_ms == 0 || l.called_ms + SIBLING_WAIT_MS <= n->now_ms)
		return 0;
	return l.called_ms + SIBLING_WAIT_MS;
}

static void let_follow(struct peer *q, void *ctx)
{
	struct node *n = ctx;

	if (!q->followed || q->next_try_ms == 0)
		return;
	q->followed = false;
	dial_now(n, q);
}

void sibling_follow(struct node *n, const struct peer *p)
{
	siblings_each(n, p, let_follow, n);
}
