/* node/release.c - taking a place's SAs down, three ways, and noticing that it is done.
 *
 * The gate closes before anything else, so that no ESP leaves while SAs are going; it is
 * the scope's, and stays open while another address of the scope is bound. Peers heard
 * from in the last ten seconds get a Delete, unless another member has the claim: there
 * the new owner's INITIAL_CONTACT says it better. The claim is given back only when the
 * data thread has acknowledged the closed gate: the next owner never sends beside us.
 */
#include "node/core.h"

/* Heard lately, as far as we can know: the report may be a few seconds old. */
static bool heard_lately(const struct node *n, const struct session *s)
{
	struct ike_info info;
	uint64_t last = session_last_in_ms(s);
	uint64_t unknown = 0; /* as old as the newest report */

	if (!ike_view(n->ike, s->ike, &info))
		return false;
	list_each(item, &s->children)
	{
		uint64_t ms = list_entry(item, struct child_sa, of_session)->usage_ms;
		if (ms > 0 && n->now_ms - ms > unknown)
			unknown = n->now_ms - ms;
	}
	if (info.last_in_ms > last)
		last = info.last_in_ms;
	return last + unknown + NEVER_DELETE_AFTER_MS >= n->now_ms;
}

static void leave_session(struct node *n, struct session *s, enum leave_how how)
{
	enum ike_err err;

	s->end = END_LEAVING;
	if (how == LEAVE_MUTE || !heard_lately(n, s)) {
		session_forget(n, s, END_LEAVING);
		return;
	}
	if (how == LEAVE_LOST)
		err = ike_delete(n->ike, n->now_ms, s->ike, 0, LOST_COPIES);
	else
		err = ike_delete(n->ike, n->now_ms, s->ike, n->tuning.delete_wait_ms, 1);
	if (err != IKE_OK)
		session_forget(n, s, END_LEAVING);
}

static bool has_session(
	const struct node *n, const struct scope *s, const struct place *p)
{
	list_each(
		item, &n->sessions) if (session_at(list_entry(item, struct session, link),
						s->id, &p->addr)) return true;
	return false;
}

static void stop_calls(struct node *n, const struct scope *s, const struct place *p)
{
	list_each(item, &n->peers)
	{
		struct peer *peer = list_entry(item, struct peer, link);
		if (peer->scope == s->id && addr_equal(&peer->local, &p->addr))
			dial_stop(n, peer);
	}
}

struct begun {
	uint16_t scope;
	const struct addr *local;
	uint32_t ike; /* found; 0: none */
};

static bool is_begun(const struct ike_info *sa, void *ctx)
{
	struct begun *b = ctx;

	if (!sa->established && sa->path.scope == b->scope &&
		addr_equal(&sa->path.local.addr, b->local))
		b->ike = sa->id;
	return b->ike == 0;
}

/* Those who have begun to call us, and would be answered when the address is back. */
static void forget_callers(struct node *n, const struct scope *s, const struct place *p)
{
	struct begun b = {.scope = s->id, .local = &p->addr};

	do {
		b.ike = 0;
		ike_each(n->ike, is_begun, &b);
	} while (b.ike != 0 && ike_forget(n->ike, n->now_ms, b.ike) == IKE_OK);
}

/* Another member has the address: its state goes on there. */
static bool goes_on_elsewhere(const struct node *n, const struct place *p)
{
	uint8_t owner = claims_owner(&n->claims, &p->addr);

	return owner != 0 && owner != n->params.member;
}

void release_begin(struct node *n, struct scope *s, struct place *p, enum leave_how how)
{
	if (goes_on_elsewhere(n, p))
		how = LEAVE_MUTE;
	p->leaving = true;
	if (how == LEAVE_MUTE)
		p->mute = true;
	if (!s->is_host && !scope_serves(s))
		scope_close_gate(n, s);
	stop_calls(n, s, p);
	forget_callers(n, s, p);
	children_leave(n, s->id, &p->addr);
	list_each_safe(item, &n->sessions) /* one that ends takes no other with it */
	{
		struct session *se = list_entry(item, struct session, link);
		if (session_at(se, s->id, &p->addr) &&
			(how == LEAVE_MUTE || se->end != END_LEAVING))
			leave_session(n, se, how);
	}
}

static void close_sockets(struct node *n, struct scope *s, struct place *p)
{
	if (!p->sockets)
		return;
	struct effect *f = effects_add(n->out, FX_SOCKETS, s->id);
	f->u.sockets.addr = p->addr;
	p->sockets = false;
}

bool release_finish(struct node *n, struct scope *s, struct place *p)
{
	if (has_session(n, s, p) || s->gate_closings > 0)
		return false;
	children_leave(n, s->id, &p->addr);
	close_sockets(n, s, p);
	p->leaving = p->mute = false;
	if (!s->is_host)
		scope_steer(n, s);
	peers_drop_place(n, s, &p->addr);
	if (p->owns && !goes_on_elsewhere(n, p))
		place_return_claim(n, p);
	p->owns = p->asked = false;
	return true;
}

/* With no room left the claim stays ours as long as we are a member. */
static void owe(struct node *n, const struct scope *s, const struct addr *addr)
{
	if (n->n_owed < CLUSTER_CLAIMS_MAX)
		n->owed[n->n_owed++] = (struct owed){.addr = *addr, .scope = s->id};
}

void release_now(struct node *n, struct scope *s, struct place *p)
{
	bool mute = p->mute || goes_on_elsewhere(n, p);

	stop_calls(n, s, p);
	list_each_safe(item, &n->sessions)
	{
		struct session *se = list_entry(item, struct session, link);
		if (!session_at(se, s->id, &p->addr))
			continue;
		se->end = END_LEAVING;
		uint32_t ike = se->ike;
		if (mute || ike_delete(n->ike, n->now_ms, ike, 0, 1) != IKE_OK ||
			session_by_ike(n, ike))
			session_forget(n, se, END_LEAVING);
	}
	children_leave(n, s->id, &p->addr);
	close_sockets(n, s, p);
	peers_drop_place(n, s, &p->addr);
	if (p->owns)
		owe(n, s, &p->addr);
	else if (p->asked)
		cluster_release(n, &p->addr);
	*p = (struct place){.addr = p->addr};
}

static void give_back(struct node *n, const struct addr *addr)
{
	struct place *p;
	struct scope *s = scope_of_addr(n, addr, &p);

	if (!s || s->is_host)
		cluster_release(n, addr);
	else if (!p->owns) /* it has come back under another name, and not bound yet */
		place_return_claim(n, p);
}

/* The gate closes behind the deletion of the SAs: what the data thread has acknowledged,
 * it has done in this order, and nothing more is sent from these addresses even if the
 * gate is opened again for others. */
void release_owe(struct node *n, struct scope *s)
{
	for (unsigned i = n->n_owed; i-- > 0;) {
		struct owed *o = &n->owed[i];
		if (o->scope != s->id || o->closings > 0)
			continue;
		scope_close_gate(n, s);
		o->closings = s->gate_closings;
		if (o->closings > 0)
			continue;
		struct addr addr = o->addr;
		*o = n->owed[--n->n_owed];
		give_back(n, &addr);
	}
}

void release_owed(struct node *n, uint16_t scope)
{
	for (unsigned i = n->n_owed; i-- > 0;) {
		struct owed *o = &n->owed[i];
		if (o->scope != scope || --o->closings > 0)
			continue;
		struct addr addr = o->addr;
		*o = n->owed[--n->n_owed];
		give_back(n, &addr);
	}
}
