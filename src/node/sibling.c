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
 * Once one of them has an IKE SA, the others are asked for as further children of it (RFC
 * 7296 1.3.1), if the same key has proved it and its algorithms do for them.
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

struct find {
	bool (*wanted)(const struct session *s, void *ctx);
	void *ctx;
	struct session *found;
};

static void find_in(struct peer *q, void *ctx)
{
	struct find *f = ctx;

	list_each(item, &q->sessions)
	{
		struct session *s = list_entry(item, struct session, of_peer);
		if (!f->found && f->wanted(s, f->ctx))
			f->found = s;
	}
}

struct session *sibling_find(const struct node *n, const struct peer *p,
	bool (*wanted)(const struct session *s, void *ctx), void *ctx)
{
	struct find f = {.wanted = wanted, .ctx = ctx};

	siblings_each(n, p, find_in, &f);
	return f.found;
}

/* ---- further children, instead of further IKE SAs ---------------------------------------- */

struct host_search {
	const struct node *n;
	const struct peer *p;
	struct session *found;
};

static bool has_suite(const struct ike_proposals *p, const struct ike_suite *s)
{
	for (unsigned i = 0; i < p->n_ike; i++)
		if (ike_suite_equal(&p->ike[i], s))
			return true;
	return false;
}

static bool has_ppk(
	const struct config_ppk *wanted, const struct config_ppk *of_sa, bool used)
{
	return wanted->key.len == 0 ||
	       (strcmp(wanted->id, of_sa->id) == 0 && (used || !wanted->required));
}

/* The same two, proved by the same key, between the same addresses, by algorithms that
 * p's rule accepts. */
static bool may_host(const struct node *n, const struct session *s, const struct peer *p)
{
	struct identity local = sibling_local_id(n, p), remote = sibling_remote_id(n, p);
	struct ike_proposals wants;
	struct ike_info sa;

	proposals_of(n->config, p->rule, &wants);
	return s->end == END_NONE && ike_view(n->ike, s->ike, &sa) && sa.established &&
	       !sa.replaced && addr_equal(&sa.path.local.addr, &p->local) &&
	       addr_equal(&sa.path.remote.addr, &p->remote.addr) &&
	       identity_equal(&sa.local_id, &local) &&
	       (remote.type == ID_ANY || identity_equal(&sa.remote_id, &remote)) &&
	       secret_equal(secret_span(&auth_of(n, p)->psk),
		       secret_span(&auth_of(n, s->peer)->psk)) &&
	       has_ppk(&n->config->rules[p->rule].ppk,
		       &n->config->rules[s->peer->rule].ppk, sa.ppk) &&
	       has_suite(&wants, &sa.suite) && !wants.master_pfs;
}

static void search_host(struct peer *q, void *ctx)
{
	struct host_search *f = ctx;

	list_each(item, &q->sessions)
	{
		struct session *s = list_entry(item, struct session, of_peer);
		if (!f->found && may_host(f->n, s, f->p))
			f->found = s;
	}
}

struct session *sibling_session(const struct node *n, const struct peer *p)
{
	struct host_search f = {.n = n, .p = p};

	list_each(item, &p->sessions)
	{
		struct session *s = list_entry(item, struct session, of_peer);
		if (!f.found && may_host(n, s, p))
			f.found = s;
	}
	if (!f.found)
		siblings_each(n, p, search_host, &f);
	return f.found;
}

bool sibling_has_child_in(const struct peer *p, const struct session *s)
{
	list_each(item, &p->children)
	{
		const struct child_sa *c = list_entry(item, struct child_sa, of_peer);
		if (c->session == s && child_lives(c))
			return true;
	}
	return false;
}

static void move_children(
	struct node *n, const struct session *from, const struct session *to)
{
	list_each(item, &from->children)
	{
		struct child_sa *c = list_entry(item, struct child_sa, of_session);
		if (child_lives(c) && !sibling_has_child_in(c->peer, to) &&
			may_host(n, to, c->peer))
			dial_move(n, c->peer);
	}
}

/* RFC 7296 2.8.3: reauthentication makes new children, then deletes the old IKE SA. */
void sibling_move(struct node *n, const struct child_sa *c)
{
	if (!c->session->initiator || c->sa.replaces != 0)
		return;
	list_each(item, &c->peer->children)
	{
		const struct child_sa *o = list_entry(item, struct child_sa, of_peer);
		if (o->session != c->session && child_lives(o))
			move_children(n, o->session, c->session);
	}
}

/* In an IKE SA that is not to go. */
static bool is_safe(const struct node *n, const struct peer *p)
{
	struct ike_info sa;

	list_each(item, &p->children)
	{
		const struct child_sa *c = list_entry(item, struct child_sa, of_peer);
		if (child_lives(c) && ike_view(n->ike, c->session->ike, &sa) &&
			!sa.replaced)
			return true;
	}
	return false;
}

/* It may have lost only after its children were there; the other may lack some of them. */
void sibling_save(struct node *n, const struct session *lost)
{
	list_each(item, &lost->children)
	{
		struct child_sa *c = list_entry(item, struct child_sa, of_session);
		if (child_lives(c) && !is_safe(n, c->peer) && sibling_session(n, c->peer))
			dial_move(n, c->peer);
	}
}

/* ---- who is called first ------------------------------------------------------------------ */

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

	if (peer_is_tied(q))
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
