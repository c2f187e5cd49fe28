/* node/redirect.c - we are sent to another gateway (RFC 5685): whether we go, and how back.
 *
 * A rule says which gateways it may be sent to; without that none of its calls says that it
 * can be. The new gateway is another peer of the same rule, which it has to prove itself by
 * (RFC 5685 3: the same entries of PAD and SPD). What stands with the old one stays until the
 * new one has a child SA, and is deleted then (RFC 5685 5).
 *
 * In transport mode the selectors are the addresses themselves: there a redirect is of use
 * only where the rule's filter covers the other address, too. Packets that go on to the old
 * one get an SA with the old one, which is then called without the offer.
 *
 * Nobody is lost by it: where the new gateway does not answer, or has refused us, the old one
 * is called again without the offer, and has to serve. Of one that had taken us and is lost
 * later both are called, and the first that answers has us. Loops end after five redirects
 * in five minutes (7).
 *
 * A gateway that is given by name is gone to when its address is known (gateway.c).
 */
#include "node/core.h"

enum {
	REDIRECTS_MAX = 5, /* RFC 5685 7: MAX_REDIRECTS, REDIRECT_LOOP_DETECT_PERIOD */
	REDIRECTS_WITHIN_MS = 300000
};

static const char not_accepted[] = "the rule does not accept it: redirect accept names "
				   "the gateways";
static const char looping[] = "this is a loop: five redirects within five minutes";

/* ---- may we? ----------------------------------------------------------------------- */

static bool accepts(const struct config_rule *r, const struct addr *to)
{
	for (unsigned i = 0; i < r->n_redirect; i++)
		if (prefix_contains(&r->redirect[i], to))
			return true;
	return false;
}

bool redirect_names(const struct config_rule *r, const struct addr *to)
{
	return addr_equal(&r->tunnel_to, to) || accepts(r, to);
}

static bool is_covered(const struct node *n, const struct peer *p, const struct addr *to)
{
	const struct rule_use *use = scope_use(&n->scopes[p->scope], p->rule);

	for (size_t i = 0; use && i < spd_count(use->spd); i++) {
		const struct spd_entry *e = spd_at(use->spd, i);
		if (e->rule == p->rule && ts_has_addr(&e->remote, to) &&
			ts_has_addr(&e->local, &p->local))
			return true;
	}
	return false;
}

static bool is_ours(const struct node *n, const struct addr *a)
{
	for (unsigned i = 0; i < n->n_scopes; i++)
		if (scope_place(&n->scopes[i], a))
			return true;
	return false;
}

static bool is_looping(const struct node *n, const struct peer *p)
{
	return p->redirects >= REDIRECTS_MAX &&
	       p->redirects_since_ms + REDIRECTS_WITHIN_MS > n->now_ms;
}

/* NULL: it may. */
static const char *refusal_of_name(
	const struct node *n, const struct peer *p, const char *name)
{
	if (n->config->rules[p->rule].n_redirect == 0)
		return not_accepted;
	return is_looping(n, p) ? looping : gateway_refusal(n, p, name);
}

const char *redirect_why_not(
	const struct node *n, const struct peer *p, const struct ike_gateway *to)
{
	const struct config_rule *r = &n->config->rules[p->rule];

	if (!addr_is_set(&to->addr))
		return refusal_of_name(n, p, to->name);
	if (!accepts(r, &to->addr))
		return not_accepted;
	if (to->addr.family != p->local.family)
		return "it is of another family than our own address";
	if (addr_equal(&to->addr, &p->remote.addr) || is_ours(n, &to->addr))
		return "that is where we are";
	if (p->mode == POLICY_TRANSPORT && !is_covered(n, p, &to->addr))
		return "in transport mode the rule's filter must cover it, and does not";
	return is_looping(n, p) ? looping : NULL;
}

static struct peer *caller_of(const struct node *n, uint32_t ike)
{
	return map_get(n->calls_by_ike, span_of(&ike, sizeof(ike)));
}

/* Of several rules in one IKE SA some may go. */
const char *redirect_refusal(
	const struct node *n, const struct ike_info *sa, const struct ike_gateway *to)
{
	const struct peer *p = caller_of(n, sa->id);
	const struct session *s = session_by_ike(n, sa->id);

	if (p)
		return redirect_why_not(n, p, to);
	if (!s)
		return "nobody here is called by it";
	const char *why = redirect_why_not(n, s->peer, to);
	list_each(item, &s->children)
	{
		p = list_entry(item, struct child_sa, of_session)->peer;
		if (why && !redirect_why_not(n, p, to))
			return NULL;
	}
	return why;
}

/* ---- the other one --------------------------------------------------------------------- */

struct search {
	const struct peer *like;
	struct peer *found;
};

static bool is_same_relation(struct peer *q, void *ctx)
{
	struct search *f = ctx;

	if (q->rule == f->like->rule && addr_equal(&q->local, &f->like->local))
		f->found = q;
	return !f->found;
}

/* The peer of p's rule at that address; NULL: none. */
static struct peer *counterpart(
	struct node *n, const struct peer *p, const struct addr *at)
{
	struct search f = {.like = p};

	if (addr_is_set(at))
		peers_at(n, p->scope, at, is_same_relation, &f);
	return f.found;
}

static struct peer *counterpart_made(
	struct node *n, struct peer *p, const struct addr *at)
{
	struct endpoint remote = {.addr = *at, .port = IKE_PORT};
	struct peer *q = counterpart(n, p, at), fresh;
	unsigned want = p->want;

	if (q)
		return q;
	peer_from_rule(n, &n->scopes[p->scope], p->rule, &p->local, &remote, &fresh);
	if (!peer_has_selectors(&fresh))
		return NULL;
	p->want |= WANT_LOST; /* no room is made at its cost */
	q = peer_add(n, &fresh);
	p->want = want;
	return q;
}

/* ---- going --------------------------------------------------------------------------------- */

static void count(const struct node *n, struct peer *p)
{
	if (p->redirects_since_ms + REDIRECTS_WITHIN_MS <= n->now_ms) {
		p->redirects = 0;
		p->redirects_since_ms = n->now_ms;
	}
	p->redirects++;
}

static bool is_on_its_way(const struct peer *p)
{
	return p->call != 0 || p->ask != 0 || p->want != 0;
}

void redirect_stay(struct node *n, struct peer *p)
{
	bool misses = !peer_child(p) || (p->want & WANT_RENEW);

	p->serve_until_ms = n->now_ms + SERVE_MS;
	if (p->want != 0 && misses && p->call == 0 && p->ask == 0)
		dial_now(n, p);
}

void redirect_go(struct node *n, struct peer *p, const struct ike_gateway *to)
{
	unsigned want = p->want & (WANT_TRAFFIC | WANT_LOST | WANT_ORDER);
	char text[ADDR_TEXT_MAX];

	if (redirect_why_not(n, p, to))
		return;
	if (!addr_is_set(&to->addr)) {
		gateway_ask(n, p, to->name);
		return;
	}
	struct peer *q = counterpart_made(n, p, &to->addr);
	if (!q) {
		redirect_stay(n, p); /* there is no room for another peer */
		return;
	}
	dial_rest(n, p);
	if (addr_equal(&p->sent_to, &to->addr) && is_on_its_way(q))
		return;
	count(n, p);
	p->sent_to = to->addr;
	q->sent_from = p->remote.addr;
	q->sent_to = (struct addr){0};
	q->arrived = false;
	q->redirects = p->redirects;
	q->redirects_since_ms = p->redirects_since_ms;
	node_tell(n, EVENT_NOTICE, "redirected", &n->scopes[p->scope], &p->remote, 0,
		"rule %s: the peer sends us to %.100s%s%s",
		n->config->rules[p->rule].name, to->name, to->name[0] ? " at " : "",
		addr_format(&to->addr, text));
	dial_want(n, q, want != 0 ? want : WANT_LOST);
	if (peer_child(q))
		redirect_arrived(n, q);
}

/* From inside a callback of the engine: who is called is called by settle(). */
void redirect_follow(
	struct node *n, const struct ike_info *sa, const struct ike_gateway *to)
{
	struct peer *p = map_take(n->calls_by_ike, span_of(&sa->id, sizeof(sa->id)));
	const struct session *s = session_by_ike(n, sa->id);

	if (p) {
		p->call = 0;
		list_del(&p->waits);
		redirect_go(n, p, to);
		sibling_follow(n, p);
		return;
	}
	if (!s)
		return;
	list_each(item, &s->children)
		redirect_go(n, list_entry(item, struct child_sa, of_session)->peer, to);
	if (list_empty(&s->children))
		redirect_go(n, s->peer, to);
}

/* What it carries goes; idle.c deletes it. */
static void leave(struct node *n, struct peer *p)
{
	dial_rest(n, p);
	list_each(item, &p->children)
	{
		struct child_sa *c = list_entry(item, struct child_sa, of_peer);
		c->redirected = true;
		if (child_lives(c))
			idle_touch(n, c->session);
	}
}

void redirect_arrived(struct node *n, struct peer *p)
{
	struct peer *from = counterpart(n, p, &p->sent_from);
	struct peer *to = counterpart(n, p, &p->sent_to);

	/* Back with the one that had sent us on, while the other does not answer. */
	if (to && to->arrived && !peer_child(to) && p->mode == POLICY_TUNNEL)
		dial_rest(n, to);
	if (!addr_is_set(&p->sent_from))
		return;
	if (from && !p->arrived)
		leave(n, from);
	else if (from && !peer_child(from) && p->mode == POLICY_TUNNEL)
		dial_rest(n, from);
	p->arrived = true;
}

/* In tunnel mode the rule's own gateway is the one to call, also while another serves. */
bool redirect_is_guest(const struct node *n, const struct peer *p)
{
	const struct config_rule *r = &n->config->rules[p->rule];

	if (p->mode != POLICY_TUNNEL || p->fixed)
		return false;
	return r->tunnel_name[0] || (addr_is_set(&r->tunnel_to) &&
					    !addr_equal(&r->tunnel_to, &p->remote.addr));
}

/* ---- and back ---------------------------------------------------------------------------- */

/* In tunnel mode, and if it is known. */
static struct peer *own_gateway(struct node *n, struct peer *p)
{
	const struct config_rule *r = &n->config->rules[p->rule];

	if (r->tunnel_name[0])
		return aim_peer(n, &n->scopes[p->scope], p->rule);
	return addr_is_set(&r->tunnel_to) ? counterpart_made(n, p, &r->tunnel_to) : NULL;
}

/* Whom to call instead of p. Who has sent us there may have been given up itself since then,
 * and know no way back any more: it would be called for ever. */
static struct peer *way_back(struct node *n, struct peer *p)
{
	struct peer *from = counterpart(n, p, &p->sent_from);

	if (from && (peer_child(from) || addr_is_set(&from->sent_from) ||
			    !redirect_is_guest(n, from)))
		return from;
	struct peer *own = own_gateway(n, p);
	return own ? own : counterpart_made(n, p, &p->sent_from);
}

void redirect_failed(struct node *n, struct peer *p)
{
	unsigned want = p->want;

	if (!addr_is_set(&p->sent_from))
		return;
	struct peer *home = way_back(n, p);
	if (home == p)
		p->sent_from = (struct addr){0};
	if (!home || home == p)
		return;
	home->serve_until_ms = n->now_ms + SERVE_MS;
	if (!p->arrived) {
		home->sent_to = (struct addr){0};
		p->sent_from = (struct addr){0};
		dial_rest(n, p);
		directory_forget(n, p);
	}
	if (want != 0 && !peer_child(home))
		dial_want(n, home, want);
}

bool redirect_offers(const struct node *n, const struct peer *p)
{
	return n->config->rules[p->rule].n_redirect > 0 && p->serve_until_ms <= n->now_ms;
}

struct peer *redirect_for_traffic(struct node *n, struct peer *p)
{
	struct peer *to = counterpart(n, p, &p->sent_to);

	if (!addr_is_set(&p->sent_to))
		return p;
	if (p->mode == POLICY_TUNNEL && to && (peer_child(to) || is_on_its_way(to)))
		return to;
	p->sent_to = (struct addr){0};
	if (p->mode == POLICY_TRANSPORT)
		p->serve_until_ms = n->now_ms + SERVE_MS;
	return p;
}
