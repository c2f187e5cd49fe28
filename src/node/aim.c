/* node/aim.c - peers that a rule finds by name: where they are called.
 *
 * A name says where to call, and nothing else: who answers is judged by his proof, who calls
 * us as well, and what the rule protects is protected whether the name is known or not.
 *
 * Of several addresses, in their order, IPv4 first, one is called; when nobody answers there,
 * the next one. One that works is kept as long as it is among them. When it is not any more,
 * a new IKE SA is begun at another address, and the older one goes when that stands (as in
 * RFC 7296 2.8.3). A peer that has moved by itself, or came by itself, is let be.
 */
#include "node/core.h"

#include <stdio.h>

/* ---- where to call --------------------------------------------------------------------- */

/* The address behind the one that p has, and ours to call it from. */
static bool next_of(const struct node *n, const struct name *name, const struct peer *p,
	struct addr *remote, struct addr *local)
{
	unsigned at = 0;

	while (at < name->n && addr_cmp(&name->addrs[at], &p->remote.addr) <= 0)
		at++;
	for (unsigned i = 0; i < name->n; i++) {
		const struct addr *a = &name->addrs[(at + i) % name->n];
		const struct place *from =
			scope_bound_place(&n->scopes[p->scope], &p->local, a->family);

		if (!from)
			continue;
		*remote = *a;
		*local = from->addr;
		return true;
	}
	return false;
}

/* The directory keeps where it was until it is up there. */
static void turn(struct node *n, struct peer *p, const struct addr *remote,
	const struct addr *local)
{
	static const struct identity same = {0};
	const struct endpoint to = {.addr = *remote, .port = IKE_PORT};
	struct peer fresh;

	p->natt = p->behind = false;
	peer_rename(n, p, &to, &same);
	if (addr_equal(&p->local, local))
		return;
	p->local = *local;
	peer_from_rule(n, &n->scopes[p->scope], p->rule, local, &to, &fresh);
	p->local_ts = fresh.local_ts;
	p->remote_ts = fresh.remote_ts;
}

bool aim_at(struct node *n, struct peer *p)
{
	const struct name *name = p->named ? name_of(n, p->rule) : NULL;
	struct addr remote, local;

	if (!name)
		return true;
	/* What the directory knows of it is better than nothing. */
	bool stays = name->n == 0 || name_has(name, &p->remote.addr) ||
		     p->roamed_ms > name->changed_ms;
	if (stays && !p->astray)
		return true;
	if (!next_of(n, name, p, &remote, &local))
		return stays;
	p->astray = false;
	if (!addr_equal(&remote, &p->remote.addr) || !addr_equal(&local, &p->local))
		turn(n, p, &remote, &local);
	return true;
}

void aim_in_vain(struct node *n, struct peer *p)
{
	struct name *name = p->named ? name_of(n, p->rule) : NULL;

	if (!name)
		return;
	p->astray = true;
	name_hurry(n, name);
}

/* ---- the peers of a named rule ------------------------------------------------------------ */

/* Found by an SA, or by the directory: it is the one that the name means, unless the rule
 * takes anybody. */
static bool is_meant(const struct node *n, const struct name *name, const struct peer *p)
{
	const struct config_auth *a = &n->config->rules[p->rule].auths[0];

	return p->named || name_has(name, &p->remote.addr) || !a->remote_any;
}

static struct peer *find_peer(const struct node *n, const struct name *name,
	const struct scope *s, uint32_t rule)
{
	struct peer *found = NULL;

	list_each(item, &n->peers)
	{
		struct peer *p = list_entry(item, struct peer, link);
		if (p->scope == s->id && p->rule == rule && is_meant(n, name, p) &&
			(!found || p->named))
			found = p;
	}
	return found;
}

struct peer *aim_peer(struct node *n, const struct scope *s, uint32_t rule)
{
	const struct name *name = name_of(n, rule);
	struct peer nobody = {.scope = s->id, .rule = rule}, fresh;
	struct endpoint remote = {.port = IKE_PORT};
	struct addr local;

	if (!name)
		return NULL;
	struct peer *p = find_peer(n, name, s, rule);
	if (!p && next_of(n, name, &nobody, &remote.addr, &local)) {
		peer_from_rule(n, s, rule, &local, &remote, &fresh);
		p = peer_has_selectors(&fresh) ? peer_add(n, &fresh) : NULL;
	}
	if (p)
		p->named = p->fixed = true;
	return p;
}

void aim_peers(struct node *n, const struct scope *s)
{
	for (unsigned i = 0; i < s->n_uses; i++)
		(void)aim_peer(n, s, s->uses[i].rule);
}

const char *aim_why_unknown(const struct node *n, uint32_t rule, char out[160])
{
	const struct name *name = name_of(n, rule);

	if (!name || name->n > 0)
		return NULL;
	snprintf(out, 160, "it is not known where %.70s is: %.50s", name->text,
		name->why[0] ? name->why : "DNS has not answered yet");
	return out;
}

/* ---- another answer ------------------------------------------------------------------------- */

/* Where we called it is not where it is any more, as far as DNS knows. */
static bool has_left(const struct node *n, const struct name *name, const struct peer *p)
{
	const struct child_sa *c = peer_child(p);
	const struct addr *aimed = c ? &c->session->aimed : NULL;
	struct ike_info info;

	return aimed && addr_is_set(aimed) && !name_has(name, aimed) &&
	       ike_view(n->ike, c->session->ike, &info) &&
	       addr_equal(&info.path.remote.addr, aimed);
}

static void follow_one(struct node *n, const struct name *name, struct peer *p)
{
	if (peer_child(p)) {
		if (has_left(n, name, p))
			dial_renew(n, p);
		return;
	}
	if (p->want == 0 || name_has(name, &p->remote.addr) ||
		p->roamed_ms > name->changed_ms)
		return;
	dial_stop(n, p); /* nobody is there */
	dial_now(n, p);
}

void aim_follow(struct node *n, const struct name *name)
{
	for (unsigned i = 0; i < n->n_scopes; i++)
		for (unsigned k = 0; k < n->scopes[i].n_uses; k++) {
			uint32_t rule = n->scopes[i].uses[k].rule;
			if (name_of(n, rule) == name)
				(void)aim_peer(n, &n->scopes[i], rule);
		}
	list_each_safe(item, &n->peers)
	{
		struct peer *p = list_entry(item, struct peer, link);
		if (p->named && name_of(n, p->rule) == name)
			follow_one(n, name, p);
	}
}
