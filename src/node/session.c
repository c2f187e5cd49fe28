/* node/session.c - the IKE SAs that stand, and their child: from callbacks to effects.
 *
 * These are the hands of struct ike_host. They note what happened, move the child into
 * and out of the data plane, and leave it to dial.c to decide whether to call again.
 *
 * A child that we answered with is at first only received on when another one still
 * carries the peer's traffic: its maker may not be ready yet. It takes over with its
 * first inbound packet, when the other one goes, or after half a second.
 */
#include "node/core.h"

#include "base/mem.h"

#include <stdlib.h>

enum { ACTIVATE_AFTER_MS = 500, KEEPALIVE_MS = 20000, LIFETIME_JITTER = 5 };

/* Where SEQ_SOFT tells us to begin anew: three quarters of what the number (32 bits) or,
 * with ESN, the IV's counter (40 bits) can count. */
static const uint64_t soft_seq_plain = 3ull << 30, soft_seq_esn = 3ull << 38;

static struct span id_span(const uint32_t *id)
{
	return span_of(id, sizeof(*id));
}

struct session *session_by_ike(const struct node *n, uint32_t ike)
{
	return map_get(n->by_ike, id_span(&ike));
}

struct session *session_by_child(const struct node *n, uint32_t child)
{
	return map_get(n->by_child, id_span(&child));
}

bool session_at(const struct session *s, uint16_t scope, const struct addr *local)
{
	return s->peer->scope == scope && addr_equal(&s->peer->local, local);
}

/* ---- established ---------------------------------------------------------------------- */

static struct peer *adopt_peer(struct node *n, const struct ike_info *sa)
{
	struct peer *p = map_take(n->calls_by_ike, id_span(&sa->id));

	if (p) {
		p->call = 0;
		list_del(&p->waits);
	} else {
		p = peer_of_sa(n, sa);
	}
	if (!p) {
		struct peer fresh;
		peer_from_rule(n, &n->scopes[sa->path.scope], sa->rule,
			&sa->path.local.addr, &sa->path.remote, &fresh);
		p = peer_add(n, &fresh);
	}
	if (!p)
		return NULL;
	p->local = sa->path.local.addr;
	p->local_id = sa->local_id;
	p->natt = sa->path.natt;
	p->behind = sa->nat_remote;
	peer_rename(n, p, &sa->path.remote, &sa->remote_id);
	return p;
}

void session_established(struct node *n, const struct ike_info *sa)
{
	struct peer *p = adopt_peer(n, sa);

	if (!p)
		return; /* too many: the child that follows is not installed */
	struct session *s = mem_new(1, sizeof(*s));
	s->peer = p;
	s->ike = sa->id;
	s->since_ms = n->now_ms;
	s->peer_nlbs = p->nlbs = sa->peer_nlbs;
	list_add(&n->sessions, &s->link);
	list_add(&p->sessions, &s->of_peer);
	map_put(n->by_ike, id_span(&s->ike), s);
	n->n_sessions++;
	sibling_follow(n, p);
}

/* ---- child up and down ------------------------------------------------------------------ */

static void add_to_plane(
	struct node *n, const struct session *s, const struct ike_child *c)
{
	struct effect *f = effects_add(n->out, FX_SA_ADD, c->path.scope);
	struct esp_child *e = mem_new(1, sizeof(*e));

	f->u.child = e;
	e->id = c->id;
	e->scope = c->path.scope;
	e->rule = c->rule;
	e->spi_in = c->spi_in;
	e->spi_out = c->spi_out;
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
	e->outbound_ready = s->active;
}

static uint64_t lifetime_of(struct node *n, uint32_t rule)
{
	const struct config_rule *r = &n->config->rules[rule];
	const struct config_proposal *p = &n->config->proposals[r->proposal];
	uint64_t ms = p->lifetime_child_ms;

	if (p->lifetime_ike_ms != 0 && (ms == 0 || p->lifetime_ike_ms < ms))
		ms = p->lifetime_ike_ms;
	if (ms == 0)
		return UINT64_MAX;
	return ms - ms * entropy_below(&n->entropy, LIFETIME_JITTER + 1) / 100;
}

static void take_child(struct node *n, struct session *s, const struct ike_child *c)
{
	uint64_t life = lifetime_of(n, c->rule);

	s->child = *c;
	secret_wipe(&s->child.key_in);
	secret_wipe(&s->child.key_out);
	s->usage = (struct esp_usage){.id = c->id};
	s->usage_ms = n->now_ms;
	s->child_since_ms = n->now_ms;
	s->expires_ms = life == UINT64_MAX ? UINT64_MAX : n->now_ms + life;
	if (c->nat_local && c->encap)
		s->keepalive_ms = n->now_ms + KEEPALIVE_MS;
	s->peer->mode = c->mode;
	s->peer->local_ts = c->local_ts;
	s->peer->remote_ts = c->remote_ts;
	s->peer->behind = c->nat_remote;
	map_put(n->by_child, id_span(&s->child.id), s);
	map_put(n->by_spi, id_span(&s->child.spi_in), s);
}

void session_child_up(struct node *n, const struct ike_child *c)
{
	struct session *s = session_by_ike(n, c->ike);

	if (!s || s->child.id != 0)
		return;
	bool other = peer_session(s->peer) != NULL;
	s->active = c->initiator || !other;
	if (!s->active)
		s->activate_ms = n->now_ms + ACTIVATE_AFTER_MS;
	add_to_plane(n, s, c);
	take_child(n, s, c);
	dial_succeeded(n, s->peer);
	directory_note(n, s->peer);
	idle_touch(n, s);
	overlap_displace(n, s);
	const struct scope *scope = &n->scopes[s->peer->scope];
	node_tell(n, EVENT_NOTICE, "child-up", scope, &s->peer->remote, s->ike,
		"rule %s: protected (%s, SPI in %08x out %08x, %s)",
		n->config->rules[s->peer->rule].name,
		c->mode == POLICY_TUNNEL ? "tunnel" : "transport", c->spi_in, c->spi_out,
		c->initiator ? "we called" : "the peer called");
}

void session_activate(struct node *n, struct session *s)
{
	if (s->active || s->child.id == 0)
		return;
	s->active = true;
	s->activate_ms = 0;
	struct effect *f = effects_add(n->out, FX_SA_ACTIVATE, s->peer->scope);
	f->u.id = s->child.id;
}

/* With the SA that carried the peer's traffic gone (the peer restarted, or INITIAL_CONTACT
 * says that it holds no other) there is nothing to wait for. */
static void activate_heir(struct node *n, const struct peer *p)
{
	struct session *heir = NULL;

	list_each(item, &p->sessions)
	{
		struct session *s = list_entry(item, struct session, of_peer);
		if (s->active)
			return;
		if (s->child.id != 0 && s->end == END_NONE)
			heir = s;
	}
	if (heir)
		session_activate(n, heir);
}

void session_child_down(struct node *n, uint32_t ike, uint32_t child)
{
	struct session *s = session_by_ike(n, ike);

	if (!s || s->child.id != child || child == 0)
		return;
	struct effect *f = effects_add(n->out, FX_SA_DELETE, s->peer->scope);
	f->u.id = child;
	map_take(n->by_child, id_span(&s->child.id));
	map_take(n->by_spi, id_span(&s->child.spi_in));
	s->child = (struct ike_child){0};
	s->active = false;
	s->activate_ms = 0;
	activate_heir(n, s->peer);
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

static void session_free(struct node *n, struct session *s)
{
	session_child_down(n, s->ike, s->child.id);
	map_take(n->by_ike, id_span(&s->ike));
	list_del(&s->link);
	list_del(&s->of_peer);
	dues_remove(&n->looks, &s->due);
	n->n_sessions--;
	free(s);
}

void session_forget(struct node *n, struct session *s, enum session_end end)
{
	uint32_t ike = s->ike;

	s->end = end;
	if (ike_forget(n->ike, n->now_ms, ike) != IKE_OK && session_by_ike(n, ike))
		session_free(n, s);
}

static const char *end_text(enum session_end end, enum ike_close close)
{
	static const char *const ours[] = {
		[END_IDLE] = "no traffic for the idle lifetime",
		[END_RENEW] = "its lifetime is over",
		[END_ORDER] = "by order",
		[END_LEAVING] = "the address is leaving this node",
		[END_REFUSED] = "the data path did not take it",
		[END_DISPLACED] = "another peer has its traffic selectors now",
		[END_DEAD] = "the peer does not answer",
	};

	if (end != END_NONE)
		return ours[end];
	switch (close) {
	case IKE_CLOSE_DELETED_BY_PEER:
		return "the peer deleted it";
	case IKE_CLOSE_REPLACED:
		return "replaced by a newer one";
	default:
		return "closed";
	}
}

/* What the end of its last SA means for a peer. */
static void after_end(struct node *n, struct peer *p, enum session_end end,
	const struct ike_failure *why)
{
	if (end == END_LEAVING || peer_session(p) || !list_empty(&p->sessions))
		return;
	if (end == END_DEAD || end == END_RENEW || end == END_REFUSED ||
		(end == END_NONE && why->close == IKE_CLOSE_FORGOTTEN)) {
		dial_want(n, p, WANT_LOST);
		return;
	}
	if (end == END_NONE && why->close == IKE_CLOSE_REPLACED && p->call != 0)
		return; /* the newer one is on its way */
	directory_forget(n, p);
	dial_rest(n, p);
	/* It has come back under another address or port, as another peer. */
	if (end == END_NONE && why->close == IKE_CLOSE_REPLACED && !p->fixed &&
		p->call == 0)
		peer_drop(n, p);
}

void session_closed(
	struct node *n, const struct ike_info *sa, const struct ike_failure *why)
{
	struct peer *caller = map_take(n->calls_by_ike, id_span(&sa->id));
	struct session *s = session_by_ike(n, sa->id);

	if (caller) {
		caller->call = 0;
		list_del(&caller->waits);
		dial_failed(n, caller, why);
		sibling_follow(n, caller);
	}
	if (!s)
		return;
	struct peer *p = s->peer;
	enum session_end end = s->end;
	bool had_child = s->child_since_ms != 0;
	node_tell(n, end == END_DEAD ? EVENT_WARNING : EVENT_NOTICE, "ike-down",
		&n->scopes[p->scope], &p->remote, s->ike, "%s",
		end_text(end, why->close));
	session_free(n, s);
	if (had_child)
		after_end(n, p, end, why);
	else
		dial_failed(n, p, why);
}

/* Each SA follows its own evidence: of two, one may have moved before the other. */
void session_moved(struct node *n, struct session *s, const struct endpoint *remote)
{
	static const struct identity same = {0};

	if (s->child.id != 0 && !endpoint_equal(&s->child.path.remote, remote)) {
		struct effect *f = effects_add(n->out, FX_SA_MOVE, s->peer->scope);
		f->u.move.id = s->child.id;
		f->u.move.remote = *remote;
		s->child.path.remote = *remote;
	}
	if (endpoint_equal(&s->peer->remote, remote))
		return;
	directory_forget(n, s->peer);
	peer_rename(n, s->peer, remote, &same);
	directory_note(n, s->peer);
}
