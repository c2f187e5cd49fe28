/* node/command.c - an operator's or agent's words, each answered by one FX_REPLY.
 *
 * bind is answered when the VIP serves, or with the reason why it does not: an agent's
 * start must not succeed before. unbind arms the release and returns: its agent goes on to
 * take the address away. Exit codes are those of `vipsec`: 0 done, 1 error, 7 not bound.
 */
#include "node/core.h"

#include <stdio.h>

enum {
	ABSENT_PATIENCE_MS = 3000, /* the address is not there: the watcher may lag */
	PATIENCE_MS = 15000 /* duplicate address detection, claims, quorum */
};

static struct scope *vip_of(struct node *n, const struct node_event *ev)
{
	struct scope *s = scope_by_name(n, ev->u.command.vip);

	if (s && !s->is_host)
		return s;
	node_reply(n, ev->u.command.token, 1, "no such VIP: %s", ev->u.command.vip);
	return NULL;
}

/* ---- bind ---------------------------------------------------------------------------------- */

/* Serves at one address, and no other one is on its way. */
static bool vip_serves(const struct scope *s)
{
	bool serves = false;

	for (unsigned i = 0; i < s->n_places; i++) {
		const struct place *p = &s->places[i];
		if (p->state == VIP_BOUND)
			serves = true;
		else if (p->seen != NODE_ADDR_GONE)
			return false;
	}
	return serves;
}

void on_bind(struct node *n, const struct node_event *ev)
{
	struct scope *s = vip_of(n, ev);

	if (!s)
		return;
	if (n->n_binds == COMMANDS_MAX) {
		node_reply(n, ev->u.command.token, 1, "too many commands wait");
		return;
	}
	for (unsigned i = 0; i < s->n_places; i++) {
		s->places[i].started = true;
		s->places[i].stray = 0;
		place_event(n, s, &s->places[i], PLACE_START);
	}
	n->binds[n->n_binds++] = (struct waiting_bind){
		.token = ev->u.command.token,
		.asked_ms = n->now_ms,
		.until_ms = n->now_ms + PATIENCE_MS,
		.scope = s->id,
	};
}

static bool any_there(const struct scope *s)
{
	for (unsigned i = 0; i < s->n_places; i++)
		if (s->places[i].seen != NODE_ADDR_GONE)
			return true;
	return false;
}

static void reasons(const struct node *n, const struct scope *s, char *out, size_t cap)
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < s->n_places && used + 2 < cap; i++) {
		char one[160];
		if (s->places[i].state == VIP_BOUND)
			continue;
		place_reason(n, s, &s->places[i], one, sizeof(one));
		int len = snprintf(
			out + used, cap - used, "%s%s", used > 0 ? "; " : "", one);
		used += len > 0 ? (size_t)len : 0;
	}
}

static uint64_t patience_ends(const struct node *n, const struct waiting_bind *w)
{
	return any_there(&n->scopes[w->scope]) ? w->until_ms
					       : w->asked_ms + ABSENT_PATIENCE_MS;
}

/* True: the command has its answer. */
static bool answer_bind(struct node *n, const struct waiting_bind *w)
{
	const struct scope *s = &n->scopes[w->scope];
	char why[EVENT_TEXT_MAX - 64];

	if (vip_serves(s)) {
		node_reply(n, w->token, 0, "%s is bound", s->name);
		return true;
	}
	if (patience_ends(n, w) > n->now_ms && !n->closing)
		return false;
	reasons(n, s, why, sizeof(why));
	node_reply(n, w->token, 7, "%s is not bound: %s", s->name, why);
	return true;
}

void binds_settle(struct node *n)
{
	for (unsigned i = 0; i < n->n_binds;) {
		if (answer_bind(n, &n->binds[i]))
			n->binds[i] = n->binds[--n->n_binds];
		else
			i++;
	}
}

uint64_t binds_due_ms(const struct node *n)
{
	uint64_t due = UINT64_MAX;

	for (unsigned i = 0; i < n->n_binds; i++)
		if (patience_ends(n, &n->binds[i]) < due)
			due = patience_ends(n, &n->binds[i]);
	return due;
}

/* ---- unbind ---------------------------------------------------------------------------------- */

static void drop_binds(struct node *n, const struct scope *s)
{
	for (unsigned i = 0; i < n->n_binds;) {
		if (n->binds[i].scope != s->id) {
			i++;
			continue;
		}
		node_reply(n, n->binds[i].token, 7, "%s was stopped meanwhile", s->name);
		n->binds[i] = n->binds[--n->n_binds];
	}
}

void on_unbind(struct node *n, const struct node_event *ev)
{
	struct scope *s = vip_of(n, ev);

	if (!s)
		return;
	drop_binds(n, s);
	for (unsigned i = 0; i < s->n_places; i++) {
		s->places[i].started = false;
		place_event(n, s, &s->places[i], PLACE_STOP);
	}
	node_reply(n, ev->u.command.token, 0, "%s is being released", s->name);
}

/* ---- up, down and rekey -------------------------------------------------------------------------------- */

static bool selected(
	const struct node *n, const struct node_event *ev, const struct peer *p)
{
	const char *vip = ev->u.command.vip, *rule = ev->u.command.rule;
	const char *peer = ev->u.command.peer;
	char text[ADDR_TEXT_MAX];

	if (vip && strcmp(n->scopes[p->scope].name, vip) != 0)
		return false;
	if (rule && strcmp(n->config->rules[p->rule].name, rule) != 0)
		return false;
	return !peer || strcmp(addr_format(&p->remote.addr, text), peer) == 0;
}

void on_up(struct node *n, const struct node_event *ev)
{
	unsigned called = 0, up = 0;
	const char *vip = ev->u.command.vip;

	for (unsigned i = 0; i < n->n_scopes; i++)
		if (n->scopes[i].is_host && (!vip || strcmp(vip, "host") == 0))
			peers_fixed_host(n, &n->scopes[i]);
	list_each(item, &n->peers)
	{
		struct peer *p = list_entry(item, struct peer, link);
		if (!selected(n, ev, p))
			continue;
		if (peer_child(p)) {
			up++;
		} else if (ev->u.command.peer || !redirect_is_guest(n, p)) {
			called++;
			dial_want(n, p, WANT_ORDER);
		}
	}
	node_reply(n, ev->u.command.token, called + up > 0 ? 0 : 1,
		called + up > 0 ? "calling %u, up already %u"
				: "no such peer (%u called, %u up)",
		called, up);
}

static bool carries_others(const struct session *s, const struct peer *p)
{
	list_each(item, &s->children)
	{
		const struct child_sa *c = list_entry(item, struct child_sa, of_session);
		if (child_lives(c) && c->peer != p)
			return true;
	}
	return false;
}

/* An IKE SA goes with its last child; one that has none goes, too. */
static void end_children(struct node *n, struct peer *p)
{
	struct child_sa *c;

	while ((c = peer_child(p)))
		child_delete(n, c, END_ORDER);
	list_each_safe(at, &p->sessions)
	{
		struct session *s = list_entry(at, struct session, of_peer);
		if (!carries_others(s, p))
			session_delete(n, s, END_ORDER);
	}
}

void on_down(struct node *n, const struct node_event *ev)
{
	unsigned ended = 0;

	list_each(item, &n->peers)
	{
		struct peer *p = list_entry(item, struct peer, link);
		if (!selected(n, ev, p))
			continue;
		ended++;
		dial_stop(n, p);
		dial_rest(n, p);
		directory_forget(n, p);
		end_children(n, p);
	}
	node_reply(n, ev->u.command.token, ended > 0 ? 0 : 1, "%u peer%s", ended,
		ended == 1 ? "" : "s");
}

static unsigned rekey_ike(struct node *n, const struct peer *p)
{
	unsigned begun = 0;

	list_each(item, &p->sessions)
	{
		const struct session *s = list_entry(item, struct session, of_peer);
		if (s->end == END_NONE && ike_rekey(n->ike, n->now_ms, s->ike) == IKE_OK)
			begun++;
	}
	return begun;
}

/* New keys at once, while the old ones still do: whatever the lifetimes say. */
void on_rekey(struct node *n, const struct node_event *ev)
{
	const char *what = ev->u.command.key;
	bool ike = what && strcmp(what, "ike") == 0;
	unsigned begun = 0;

	if (!ike && (!what || strcmp(what, "child") != 0)) {
		node_reply(n, ev->u.command.token, 1, "rekey what: ike or child?");
		return;
	}
	list_each(item, &n->peers)
	{
		struct peer *p = list_entry(item, struct peer, link);
		struct child_sa *c = peer_child(p);
		if (!selected(n, ev, p))
			continue;
		if (ike) {
			begun += rekey_ike(n, p);
		} else if (c) {
			child_rekey(n, c);
			begun++;
		}
	}
	node_reply(n, ev->u.command.token, begun > 0 ? 0 : 1, "%u %s SA%s", begun,
		ike ? "IKE" : "child", begun == 1 ? "" : "s");
}
