/* node/session.c - the IKE SAs that stand: from callbacks to what follows.
 *
 * These are the hands of struct ike_host. They note what happened, and leave it to dial.c
 * to decide whether to call again. The children are in child.c.
 *
 * An IKE SA has three ages. Well before the end of its lifetime it is rekeyed (RFC 7296
 * 2.8); at the end, if that has failed, it is deleted and begun anew. Reauthentication
 * (2.8.3) begins another one beside it, and the older goes when the newer stands.
 */
#include "node/core.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static struct span id_span(const uint32_t *id)
{
	return span_of(id, sizeof(*id));
}

struct session *session_by_ike(const struct node *n, uint32_t ike)
{
	return map_get(n->by_ike, id_span(&ike));
}

bool session_at(const struct session *s, uint16_t scope, const struct addr *local)
{
	return s->peer->scope == scope && addr_equal(&s->peer->local, local);
}

/* ---- established ---------------------------------------------------------------------- */

struct peer *session_peer_of_rule(
	struct node *n, const struct ike_info *sa, uint32_t rule)
{
	struct ike_info like = *sa;

	like.rule = rule;
	struct peer *p = peer_of_sa(n, &like);
	if (p)
		return p;
	struct peer fresh;
	peer_from_rule(n, &n->scopes[sa->path.scope], rule, &sa->path.local.addr,
		&sa->path.remote, &fresh);
	fresh.guessed = sa->childless;
	return peer_add(n, &fresh);
}

void session_adopt(struct node *n, struct peer *p, const struct ike_info *sa)
{
	p->local = sa->path.local.addr;
	p->local_id = sa->local_id;
	p->natt = sa->path.natt;
	p->behind = sa->nat_remote;
	p->nlbs = sa->peer_nlbs;
	peer_rename(n, p, &sa->path.remote, &sa->remote_id);
}

static struct peer *owner_of(struct node *n, const struct ike_info *sa)
{
	struct peer *p = map_take(n->calls_by_ike, id_span(&sa->id));

	if (!p)
		return session_peer_of_rule(n, sa, sa->rule);
	p->call = 0;
	list_del(&p->waits);
	return p;
}

static void begin_ages(struct node *n, struct session *s)
{
	const struct config_rule *r = &n->config->rules[s->peer->rule];
	const struct config_proposal *p = &n->config->proposals[r->proposal];

	s->expires_ms = age_ends(n, p->lifetime_ike_ms);
	s->rekey_ms = age_renews(n, p->lifetime_ike_ms, s->initiator);
}

/* Rekeying does not put it off (RFC 7296 2.8.3). */
static void begin_reauth(struct node *n, struct session *s)
{
	const struct config_rule *r = &n->config->rules[s->peer->rule];

	s->reauth_ms =
		age_renews(n, n->config->proposals[r->proposal].reauth_ms, s->initiator);
}

void session_give(struct session *s, struct peer *p)
{
	list_del(&s->of_peer);
	list_add(&p->sessions, &s->of_peer);
	s->peer = p;
}

void session_has_child(struct node *n, struct session *s, struct peer *p)
{
	struct peer *guess = s->peer;

	p->guessed = false;
	if (!s->guessed)
		return;
	s->guessed = false;
	if (p == guess)
		return;
	session_give(s, p);
	begin_ages(n, s);
	begin_reauth(n, s);
	peer_drop_guessed(n, guess);
}

/* RFC 6023: the first child is on its way, or the peer, or traffic, will ask for it. */
static void begin_childless(struct node *n, struct session *s, const struct ike_info *sa)
{
	if (sa->asks != 0)
		dial_asks(n, s->peer, sa->id, sa->asks);
	s->had_child = s->guessed = sa->asks == 0;
	if (sa->nat_local && sa->encap)
		idle_keep_alive(n, s);
	idle_touch(n, s);
	node_tell(n, EVENT_INFO, "ike-up", &n->scopes[s->peer->scope], &s->peer->remote,
		s->ike, "rule %s: an IKE SA without a child (%s)",
		n->config->rules[s->peer->rule].name,
		sa->initiator ? "we called" : "the peer called");
}

void session_established(struct node *n, const struct ike_info *sa)
{
	struct peer *p = owner_of(n, sa);

	if (!p)
		return; /* too many: the child that follows is not installed */
	session_adopt(n, p, sa);
	struct session *s = mem_new(1, sizeof(*s));
	s->peer = p;
	s->ike = sa->id;
	s->since_ms = n->now_ms;
	s->peer_nlbs = sa->peer_nlbs;
	s->initiator = sa->initiator;
	if (sa->initiator && n->config->rules[p->rule].tunnel_name[0])
		s->aimed = sa->path.remote.addr;
	list_init(&s->children);
	list_add(&n->sessions, &s->link);
	list_add(&p->sessions, &s->of_peer);
	map_put(n->by_ike, id_span(&s->ike), s);
	n->n_sessions++;
	begin_ages(n, s);
	begin_reauth(n, s);
	if (sa->childless)
		begin_childless(n, s, sa);
	lapse_begin(n, s, sa);
	idle_doubt(n, s);
	drain_look(n);
	sibling_follow(n, p);
}

void session_rekeyed(struct node *n, uint32_t old_ike, const struct ike_info *sa)
{
	struct session *s = map_take(n->by_ike, id_span(&old_ike));

	if (!s)
		return;
	s->ike = sa->id;
	s->initiator = sa->initiator;
	map_put(n->by_ike, id_span(&s->ike), s);
	list_each(item, &s->children) list_entry(item, struct child_sa, of_session)
		->sa.ike = sa->id;
	asks_follow(n, old_ike, sa->id);
	begin_ages(n, s);
	idle_touch(n, s);
	node_tell(n, EVENT_INFO, "ike-rekeyed", &n->scopes[s->peer->scope],
		&s->peer->remote, s->ike, "rule %s: new keys for IKE SA %u, now %u",
		n->config->rules[s->peer->rule].name, old_ike, sa->id);
}

/* ---- the end ---------------------------------------------------------------------------- */

void session_delete(struct node *n, struct session *s, enum session_end end)
{
	if (s->end != END_NONE)
		return;
	s->end = end;
	if (ike_delete(n->ike, n->now_ms, s->ike, n->tuning.delete_wait_ms, 1) != IKE_OK)
		session_forget(n, s, end);
}

static void session_free(struct node *n, struct session *s, enum ike_close why)
{
	struct peer *p = s->peer;

	map_take(n->by_ike, id_span(&s->ike));
	list_del(&s->link);
	list_del(&s->of_peer);
	dues_remove(&n->looks, &s->due);
	n->n_sessions--;
	list_each_safe(item, &s->children) child_ended(
		n, list_entry(item, struct child_sa, of_session), s->end, why);
	asks_fail(n, s->ike);
	lapse_end(s);
	free(s);
	peer_drop_moved(n, p);
}

void session_forget(struct node *n, struct session *s, enum session_end end)
{
	uint32_t ike = s->ike;

	s->end = end;
	if (ike_forget(n->ike, n->now_ms, ike) != IKE_OK && session_by_ike(n, ike))
		session_free(n, s, IKE_CLOSE_FORGOTTEN);
}

const char *session_end_text(enum session_end end, enum ike_close close)
{
	static const char *const ours[] = {
		[END_IDLE] = "no traffic for the idle lifetime",
		[END_RENEW] = "its lifetime is over",
		[END_ORDER] = "by order",
		[END_LEAVING] = "the address is leaving this node",
		[END_REFUSED] = "the data path did not take it",
		[END_LAPSED] = "the peer's certificate is not good any more",
		[END_DISPLACED] = "another peer has its traffic selectors now",
		[END_REDIRECTED] = "another gateway has its traffic now",
		[END_DEAD] = "the peer does not answer",
	};

	if (end != END_NONE)
		return ours[end];
	switch (close) {
	case IKE_CLOSE_DELETED_BY_PEER:
		return "the peer deleted it";
	case IKE_CLOSE_REPLACED:
		return "replaced by a newer one";
	case IKE_CLOSE_REDIRECTED:
		return "sent to another gateway";
	default:
		return "closed";
	}
}

void session_closed(
	struct node *n, const struct ike_info *sa, const struct ike_failure *why)
{
	struct peer *caller = map_take(n->calls_by_ike, id_span(&sa->id));
	struct session *s = session_by_ike(n, sa->id);

	if (caller) {
		caller->call = 0;
		list_del(&caller->waits);
		if (why->close == IKE_CLOSE_TIMEOUT)
			aim_in_vain(n, caller);
		dial_failed(n, caller, why);
		sibling_follow(n, caller);
	}
	if (!s)
		return;
	struct peer *p = s->peer;
	bool had_child = s->had_child;
	if (s->end == END_NONE && why->close == IKE_CLOSE_DELETED_BY_PEER)
		drain_left(n, s);
	node_tell(n, s->end == END_DEAD ? EVENT_WARNING : EVENT_NOTICE, "ike-down",
		&n->scopes[p->scope], &p->remote, s->ike, "%s",
		session_end_text(s->end, why->close));
	session_free(n, s, why->close);
	if (!had_child)
		dial_failed(n, p, why);
}

static void move_peer(struct node *n, struct peer *p, const struct endpoint *remote)
{
	static const struct identity same = {0};

	if (endpoint_equal(&p->remote, remote))
		return;
	if (!addr_equal(&p->remote.addr, &remote->addr))
		p->roamed_ms = n->now_ms;
	bool known = p->record != 0; /* one without a child is called by nobody */
	directory_forget(n, p);
	peer_rename(n, p, remote, &same);
	if (known)
		directory_note(n, p);
}

static void move_child(struct node *n, struct child_sa *c, const struct endpoint *remote,
	const struct ike_info *now)
{
	bool encap = now && !c->sa.ah ? now->encap : c->sa.encap;

	if (c->down ||
		(endpoint_equal(&c->sa.path.remote, remote) && encap == c->sa.encap))
		return;
	struct effect *f = effects_add(n->out, FX_SA_MOVE, c->sa.path.scope);
	f->u.move.id = c->sa.id;
	f->u.move.remote = *remote;
	f->u.move.encap = encap;
	c->sa.path.remote = *remote;
	c->sa.encap = encap;
	if (now) {
		c->sa.path = now->path;
		c->sa.nat_local = now->nat_local;
		c->sa.nat_remote = now->nat_remote;
	}
}

/* What may happen with each packet is told once a minute of each place. */
static void tell_moved(struct node *n, struct session *s, const struct endpoint *remote)
{
	struct peer *p = s->peer;
	char text[64 + ENDPOINT_TEXT_MAX], from[ENDPOINT_TEXT_MAX], again[SAID_TEXT_MAX];

	if (endpoint_equal(&p->remote, remote))
		return;
	snprintf(text, sizeof(text), "the peer has moved here from %s",
		endpoint_format(&p->remote, from));
	if (node_may_say(n, &p->tell, p->scope, &remote->addr, text, again))
		node_tell(n, EVENT_INFO, "peer-moved", &n->scopes[p->scope], remote,
			s->ike, "%s%s", text, again);
}

/* Each SA follows its own evidence: of two, one may have moved before the other. */
void session_moved(struct node *n, struct session *s, const struct endpoint *remote,
	const struct ike_info *now)
{
	tell_moved(n, s, remote);
	list_each(item, &s->children)
	{
		struct child_sa *c = list_entry(item, struct child_sa, of_session);

		move_child(n, c, remote, now);
		move_peer(n, c->peer, remote);
	}
	move_peer(n, s->peer, remote);
}
