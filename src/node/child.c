/* node/child.c - child SAs: into and out of the data plane, and new ones in their place.
 *
 * A child is received on as soon as it is there, and sent on when its maker is ready (RFC
 * 7296 2.8): at once if we asked for it; if the peer did, with its first inbound packet,
 * or when the one that it replaces goes. Where it replaces nothing and another one still
 * carries the peer's traffic, half a second is enough.
 *
 * Well before the end of its lifetime, in time, octets or packets, a child is rekeyed; at
 * the end, if that has failed, it is deleted and begun anew. What was replaced stays a
 * moment longer than its Delete, for packets that are still under way.
 */
#include "node/core.h"

#include "base/mem.h"
#include "crypto/kex.h"

#include <stdlib.h>

enum { ACTIVATE_AFTER_MS = 500, HEARD_MS = 250, GRACE_MS = 2000 };

/* Where SEQ_SOFT tells us to rekey: three quarters of what the number (32 bits) or, with
 * ESN, the IV's counter (40 bits) can count. */
static const uint64_t soft_seq_plain = 3ull << 30, soft_seq_esn = 3ull << 38;

static struct span id_span(const uint32_t *id)
{
	return span_of(id, sizeof(*id));
}

struct child_sa *child_by_id(const struct node *n, uint32_t id)
{
	return map_get(n->by_child, id_span(&id));
}

bool child_lives(const struct child_sa *c)
{
	return !c->down && c->end == END_NONE && c->session->end == END_NONE;
}

/* ---- ages ------------------------------------------------------------------------------- */

uint64_t age_ends(const struct node *n, uint64_t lifetime_ms)
{
	return lifetime_ms == 0 ? UINT64_MAX : n->now_ms + lifetime_ms;
}

/* At 80 to 86 percent of it, and at 87 to 93 if the peer made it: both sides seldom ask at
 * once (RFC 7296 2.8.1: SHOULD be jittered). */
uint64_t age_renews(struct node *n, uint64_t lifetime_ms, bool ours)
{
	uint64_t percent = (ours ? 80U : 87U) * 10 + entropy_below(&n->entropy, 61);

	return lifetime_ms == 0 ? UINT64_MAX : n->now_ms + lifetime_ms / 1000 * percent;
}

static const struct config_proposal *proposal_of(const struct node *n, uint32_t rule)
{
	return &n->config->proposals[n->config->rules[rule].proposal];
}

/* ---- up ----------------------------------------------------------------------------------- */

static void add_to_plane(
	struct node *n, const struct peer *p, const struct ike_child *c, bool active)
{
	struct effect *f = effects_add(n->out, FX_SA_ADD, c->path.scope);
	struct esp_child *e = mem_new(1, sizeof(*e));

	f->u.child = e;
	e->id = c->id;
	e->scope = c->path.scope;
	e->rule = c->rule;
	e->spi_in = c->spi_in;
	e->spi_out = c->spi_out;
	e->ah = c->ah;
	e->alg = c->alg;
	e->key_in = c->key_in;
	e->key_out = c->key_out;
	e->mode = c->mode;
	e->encap = c->encap;
	e->local = c->path.local;
	e->remote = c->path.remote;
	e->local_ts = c->local_ts;
	e->remote_ts = c->remote_ts;
	e->esn = c->esn;
	e->replay_window = n->tuning.replay_window;
	e->member = n->params.member;
	e->soft_seq = c->esn ? soft_seq_esn : soft_seq_plain;
	e->outbound_ready = active;
	e->tags = config_tags(n->config, c->path.scope, c->rule);
	e->offload = n->config->dataplane.offload;
	e->owner = overlap_owner(n, p, c);
}

static struct peer *take_asked(struct node *n, uint32_t child)
{
	struct peer *p = map_take(n->by_ask, id_span(&child));

	if (!p)
		return NULL;
	list_del(&p->waits);
	p->ask = p->ask_ike = 0;
	return p;
}

/* Whose traffic it carries. Of whom a further child is, is known by the name that the IKE
 * SA has proved, whoever asked for it. */
static struct peer *peer_for(
	struct node *n, const struct session *s, const struct ike_child *sa)
{
	const struct child_sa *old = child_by_id(n, sa->replaces);
	struct peer *p = take_asked(n, sa->id);
	struct ike_info info;

	if (!p && old)
		return old->peer;
	if (!p && s->peer->rule == sa->rule)
		return s->peer;
	if (!ike_view(n->ike, s->ike, &info))
		return p ? p : s->peer;
	if (!p)
		p = session_peer_of_rule(n, &info, sa->rule);
	if (p)
		session_adopt(n, p, &info);
	return p;
}

static struct child_sa *take(
	struct node *n, struct session *s, struct peer *p, const struct ike_child *sa)
{
	struct child_sa *c = mem_new(1, sizeof(*c));
	uint64_t life = proposal_of(n, sa->rule)->lifetime_child_ms;

	c->session = s;
	c->peer = p;
	c->sa = *sa;
	secret_wipe(&c->sa.key_in);
	secret_wipe(&c->sa.key_out);
	c->usage = (struct esp_usage){.id = sa->id};
	c->since_ms = c->usage_ms = n->now_ms;
	c->expires_ms = age_ends(n, life);
	c->rekey_ms = age_renews(n, life, sa->initiator);
	list_add(&s->children, &c->of_session);
	list_add(&p->children, &c->of_peer);
	map_put(n->by_child, id_span(&c->sa.id), c);
	map_put(n->by_spi, id_span(&c->sa.spi_in), c);
	return c;
}

static void learn(
	struct node *n, struct session *s, struct peer *p, const struct ike_child *sa)
{
	s->had_child = true;
	p->moved = false;
	if (sa->nat_local && sa->encap)
		idle_keep_alive(n, s);
	p->mode = sa->mode;
	p->local_ts = sa->local_ts;
	p->remote_ts = sa->remote_ts;
	p->behind = sa->nat_remote;
}

static void tell_up(struct node *n, const struct child_sa *c)
{
	const struct scope *scope = &n->scopes[c->peer->scope];
	const char *rule = n->config->rules[c->peer->rule].name;
	char more[IKE_MORE_TEXT_MAX];

	if (c->sa.replaces != 0)
		node_tell(n, EVENT_INFO, "child-rekeyed", scope, &c->peer->remote,
			c->sa.ike, "rule %s: new keys (SPI in %08x out %08x%s%s%s, %s)",
			rule, c->sa.spi_in, c->sa.spi_out, c->sa.pfs ? ", PFS " : "",
			c->sa.pfs ? kex_name(c->sa.pfs) : "",
			ike_more_format(&c->sa.pfs_more, more),
			c->sa.initiator ? "we asked" : "the peer asked");
	else
		node_tell(n, EVENT_NOTICE, "child-up", scope, &c->peer->remote, c->sa.ike,
			"rule %s: %s%s (%s, SPI in %08x out %08x, %s)", rule,
			aead_encrypts(c->sa.alg) ? "protected"
						 : "authenticated, not encrypted",
			c->sa.ah ? ", by AH" : "",
			c->sa.mode == POLICY_TUNNEL ? "tunnel" : "transport",
			c->sa.spi_in, c->sa.spi_out,
			c->sa.initiator ? "we called" : "the peer called");
}

void child_up(struct node *n, const struct ike_child *sa)
{
	struct session *s = session_by_ike(n, sa->ike);
	struct peer *p = s ? peer_for(n, s, sa) : NULL;

	if (!p)
		return;
	session_has_child(n, s, p);
	struct child_sa *old = child_by_id(n, sa->replaces);
	bool waits = !sa->initiator && peer_child(p) != NULL;
	if (old)
		old->replaced = true;
	struct child_sa *c = take(n, s, p, sa);
	c->active = !waits && !sa->receive_only;
	if (waits && sa->replaces == 0)
		c->activate_ms = n->now_ms + ACTIVATE_AFTER_MS;
	add_to_plane(n, p, sa, c->active);
	learn(n, s, p, sa);
	dial_succeeded(n, p);
	redirect_arrived(n, p);
	directory_note(n, p);
	idle_touch(n, s);
	overlap_displace(n, c);
	tell_up(n, c);
	sibling_move(n, c);
}

/* Of two, the plane sends on the one that it was told of last. */
static void send_on(struct node *n, const struct child_sa *c)
{
	struct effect *f = effects_add(n->out, FX_SA_ACTIVATE, c->sa.path.scope);

	f->u.id = c->sa.id;
}

void child_activate(struct node *n, struct child_sa *c)
{
	if (c->active || c->down || c->sa.receive_only)
		return;
	c->active = true;
	c->activate_ms = 0;
	send_on(n, c);
}

static bool another_sends(const struct child_sa *c)
{
	list_each(item, &c->peer->children)
	{
		const struct child_sa *o = list_entry(item, struct child_sa, of_peer);
		if (o != c && o->active && !o->down)
			return true;
	}
	return false;
}

/* RFC 7296 2.8: the peer's packet shows that it has the SA. But some begin to send a moment
 * before they receive (libreswan with the kernel's ESP); the old one does meanwhile. */
void child_heard(struct node *n, struct child_sa *c)
{
	if (c->active || c->down || c->heard || c->sa.receive_only)
		return;
	c->heard = true;
	if (!another_sends(c)) {
		child_activate(n, c);
		return;
	}
	c->activate_ms = n->now_ms + HEARD_MS;
	idle_look_by(n, c->session, c->activate_ms);
}

/* With the SA that carried the peer's traffic gone (its Delete has come, or the peer has
 * restarted, or INITIAL_CONTACT says that it holds no other) there is nothing to wait for.
 * Who deletes one that it has rekeyed has the new one; it may not have another yet, or any
 * more: an older one may be all that is left of an IKE SA that the peer has forgotten. */
static void activate_heir(struct node *n, const struct peer *p, uint32_t gone)
{
	struct child_sa *newest = NULL, *ready = NULL;

	list_each(item, &p->children)
	{
		struct child_sa *c = list_entry(item, struct child_sa, of_peer);
		if (!child_lives(c) || c->sa.receive_only)
			continue;
		newest = c;
		if (c->active || c->sa.replaces == gone)
			ready = c;
	}
	if (!ready)
		ready = newest;
	if (ready && ready->active)
		send_on(n, ready);
	else if (ready)
		child_activate(n, ready);
}

/* ---- down --------------------------------------------------------------------------------- */

static void delete_from_plane(struct node *n, struct child_sa *c)
{
	struct effect *f = effects_add(n->out, FX_SA_DELETE, c->sa.path.scope);

	f->u.id = c->sa.id;
	map_take(n->by_spi, id_span(&c->sa.spi_in));
}

static void unlink_child(struct child_sa *c)
{
	list_del(&c->of_session);
	list_del(&c->of_peer);
}

static void drop_waning(struct node *n, struct child_sa *c)
{
	delete_from_plane(n, c);
	unlink_child(c);
	free(c);
}

/* What wanes is there to be received on. With nothing else to send on the plane would take
 * it, and the packets would go nowhere instead of having the peer called. */
static void end_waning(struct node *n, struct peer *p)
{
	if (peer_child(p))
		return;
	list_each_safe(item, &p->waning)
		drop_waning(n, list_entry(item, struct child_sa, of_peer));
}

/* Another SA with the same name at the other end has this traffic now. */
static bool is_served_elsewhere(const struct peer *p)
{
	for (struct list *at = p->by_id.next; at != &p->by_id; at = at->next) {
		const struct peer *q = list_entry(at, struct peer, by_id);
		if (q->rule == p->rule && identity_equal(&q->remote_id, &p->remote_id) &&
			peer_child(q))
			return true;
	}
	return false;
}

/* What the end of its last SA means for a peer. */
static void after_end(
	struct node *n, struct peer *p, enum session_end end, enum ike_close why)
{
	bool lost = end == END_DEAD || end == END_RENEW || end == END_REFUSED ||
		    (end == END_NONE &&
			    (why == IKE_CLOSE_FORGOTTEN || why == IKE_CLOSE_REFUSED));
	bool replaced = end == END_NONE && why == IKE_CLOSE_REPLACED;

	if (end == END_LEAVING || !list_empty(&p->children))
		return;
	if (lost) {
		dial_want(n, p, WANT_LOST);
		return;
	}
	/* With the IKE SA that had it, of several: who made the newer one is likely to ask
	 * for this one, too. */
	if (replaced && p->call == 0 && !is_served_elsewhere(p)) {
		dial_want_soon(n, p, WANT_LOST);
		return;
	}
	if (replaced && p->call != 0)
		return; /* the newer one is on its way */
	directory_forget(n, p);
	dial_rest(n, p);
	/* It has come back under another address or port, as another peer. */
	p->moved = replaced && !p->fixed;
}

/* What the peer may send on until it has the new one, or hears that this one goes: one that
 * is rekeyed, one of two in an IKE SA, what is in an IKE SA that lost to another, and what
 * the peer itself deletes while it has another: it may know that this one has lost before we
 * do, and what it had sent before is still under way. After INITIAL_CONTACT nothing comes
 * any more. */
static bool has_successor(
	const struct node *n, const struct child_sa *c, enum ike_close why)
{
	const struct child_sa *newest = peer_child(c->peer);
	struct ike_info info;

	list_each(item, &c->peer->children)
	{
		const struct child_sa *o = list_entry(item, struct child_sa, of_peer);
		if (o->sa.replaces == c->sa.id)
			return true;
	}
	if (c->sa.receive_only)
		return true;
	return newest &&
	       (why == IKE_CLOSE_DELETED_BY_PEER || newest->session == c->session ||
		       (ike_view(n->ike, c->session->ike, &info) && info.replaced));
}

void child_down(struct node *n, uint32_t id, enum ike_close why)
{
	struct child_sa *c = map_take(n->by_child, id_span(&id));

	if (!c)
		return;
	struct peer *p = c->peer;
	enum session_end end = c->end;
	bool ending = c->session->end != END_NONE;
	c->down = true;
	c->active = false;
	activate_heir(n, p, id);
	if (ending) { /* closed() will say what follows from it */
		delete_from_plane(n, c);
		end_waning(n, p);
		return;
	}
	bool wanes = (why == IKE_CLOSE_REPLACED || why == IKE_CLOSE_DELETED_BY_PEER) &&
		     has_successor(n, c, why);
	unlink_child(c);
	if (wanes) {
		c->activate_ms = n->now_ms + GRACE_MS;
		c->session = NULL;
		c->peer = NULL;
		list_add(&n->waning, &c->of_session);
		list_add(&p->waning, &c->of_peer);
	} else {
		delete_from_plane(n, c);
		free(c);
	}
	end_waning(n, p);
	after_end(n, p, end, why);
	peer_drop_moved(n, p);
}

void child_ended(
	struct node *n, struct child_sa *c, enum session_end end, enum ike_close why)
{
	struct peer *p = c->peer, *owner = c->session->peer;

	if (!c->down) {
		map_take(n->by_child, id_span(&c->sa.id));
		delete_from_plane(n, c);
	}
	unlink_child(c);
	free(c);
	end_waning(n, p);
	after_end(n, p, end, why);
	if (p != owner) /* of whom its session still speaks */
		peer_drop_moved(n, p);
}

/* ---- what was replaced --------------------------------------------------------------------- */

void children_settle(struct node *n)
{
	while (children_due_ms(n) <= n->now_ms)
		drop_waning(n, list_entry(n->waning.next, struct child_sa, of_session));
}

uint64_t children_due_ms(const struct node *n)
{
	return list_empty(&n->waning)
		       ? UINT64_MAX
		       : list_entry(n->waning.next, struct child_sa, of_session)
				 ->activate_ms;
}

void children_leave(struct node *n, uint16_t scope, const struct addr *local)
{
	list_each_safe(item, &n->waning)
	{
		struct child_sa *c = list_entry(item, struct child_sa, of_session);
		if (c->sa.path.scope == scope &&
			addr_equal(&c->sa.path.local.addr, local))
			drop_waning(n, c);
	}
}

/* ---- our own wishes ------------------------------------------------------------------------ */

static bool has_others(const struct child_sa *c)
{
	list_each(item, &c->session->children)
	{
		const struct child_sa *o = list_entry(item, struct child_sa, of_session);
		if (o != c && child_lives(o) && o->peer != c->peer)
			return true;
	}
	return false;
}

void child_delete(struct node *n, struct child_sa *c, enum session_end end)
{
	if (!child_lives(c))
		return;
	if (!has_others(c)) {
		session_delete(n, c->session, end);
		return;
	}
	c->end = end;
	enum ike_err err = ike_delete_child(n->ike, n->now_ms, c->sa.id);
	(void)err; /* an IKE SA that is going takes it along */
}

void child_withdraw(struct node *n, struct child_sa *c)
{
	enum ike_err err = ike_delete_child(n->ike, n->now_ms, c->sa.id);

	(void)err; /* an IKE SA that is going takes it along */
	if (!c->down) {
		map_take(n->by_child, id_span(&c->sa.id));
		delete_from_plane(n, c);
	}
	unlink_child(c);
	free(c);
}

/* Where only a new IKE SA helps, one may have taken the place of this already. */
void child_rekey(struct node *n, struct child_sa *c)
{
	struct ike_info info;

	c->rekey_ms = UINT64_MAX;
	if (child_lives(c) &&
		ike_rekey_child(n->ike, n->now_ms, c->sa.id) == IKE_NOT_ALLOWED &&
		ike_view(n->ike, c->session->ike, &info) && !info.replaced)
		dial_renew(n, c->peer);
}

/* Refused: a further child gets an IKE SA of its own; one that may not be rekeyed, too. */
void child_refused(
	struct node *n, uint32_t ike, uint32_t id, const struct ike_failure *why)
{
	struct peer *asked = take_asked(n, id);
	struct child_sa *old = child_by_id(n, id);
	struct session *s = session_by_ike(n, ike);

	if (asked && why->close == IKE_CLOSE_REPLACED) {
		dial_succeeded(n, asked);
	} else if (asked) {
		asked->alone = true;
		if (s) /* its end is not told once more */
			s->had_child = true;
		dial_failed(n, asked, why);
	} else if (old && child_lives(old)) {
		dial_renew(n, old->peer);
	}
}
