/* node/takeover.c - whom we call when an address has become ours.
 *
 * reinitiate: everybody in the directory who had an SA with this address, busiest first,
 * with retransmission times that fit a takeover. wait: nobody; the peers' own idle timers
 * decide (RFC 7296 leaves them to the peer). Peers of the configuration exist in both
 * cases and are called by their first packet.
 *
 * The same happens on a plain host after a restart, with the directory from the disk.
 */
#include "node/core.h"

#include "base/mem.h"

#include <stdlib.h>

struct roll { /* who is to be called */
	struct node *n;
	const struct scope *s;
	const struct place *p;
	struct peer **at;
	size_t count, cap;
};

/* The rule of that name, if it still is one that negotiates here. */
static const struct rule_use *rule_by_name(
	const struct node *n, const struct scope *s, const char *name)
{
	for (unsigned i = 0; i < s->n_uses; i++)
		if (strcmp(n->config->rules[s->uses[i].rule].name, name) == 0)
			return &s->uses[i];
	return NULL;
}

static void peer_from_record(const struct replica_peer *r, struct peer *out)
{
	out->natt = r->natt;
	out->behind = r->behind;
	out->nlbs = r->nlbs;
	out->rank = r->rank;
	out->local_id = r->local_id;
	out->remote_id = r->remote_id;
	out->record = replica_peer_key(r);
	if (r->mode == out->mode && r->local_ts.n > 0 && r->remote_ts.n > 0) {
		out->local_ts = r->local_ts;
		out->remote_ts = r->remote_ts;
	}
}

struct twin {
	const struct peer *like;
	struct peer *found;
};

static bool is_twin(struct peer *p, void *ctx)
{
	struct twin *t = ctx;

	if (p->rule == t->like->rule && addr_equal(&p->local, &t->like->local) &&
		(p->remote_id.type == ID_ANY ||
			(identity_equal(&p->remote_id, &t->like->remote_id) &&
				p->remote.port == t->like->remote.port)))
		t->found = p;
	return !t->found;
}

/* A peer of the configuration takes over what the record knows of it. */
static struct peer *peer_of_record(struct node *n, const struct peer *like)
{
	struct twin t = {.like = like};

	peers_at(n, like->scope, &like->remote.addr, is_twin, &t);
	if (!t.found)
		return peer_add(n, like);
	t.found->natt = like->natt;
	t.found->behind = like->behind;
	t.found->rank = like->rank;
	t.found->record = like->record;
	peer_rename(n, t.found, &like->remote, &like->remote_id);
	return t.found;
}

static bool enroll(const struct replica_peer *r, void *ctx)
{
	struct roll *roll = ctx;
	struct peer like, *p;

	if (strcmp(r->vip, roll->s->name) != 0 || !addr_equal(&r->local, &roll->p->addr))
		return true;
	const struct rule_use *use = rule_by_name(roll->n, roll->s, r->rule);
	if (!use)
		return true;
	peer_from_rule(roll->n, roll->s, use->rule, &r->local, &r->remote, &like);
	peer_from_record(r, &like);
	p = peer_of_record(roll->n, &like);
	if (!p)
		return false;
	p->urgent = true; /* nor is it dropped to make room for the next one */
	if (roll->count < roll->cap)
		roll->at[roll->count++] = p;
	return true;
}

/* Busiest first; equals in the order in which they came. */
static int by_rank(const void *a, const void *b)
{
	const struct peer *const *x = a, *const *y = b;

	if ((*x)->rank != (*y)->rank)
		return (*x)->rank < (*y)->rank ? 1 : -1;
	return 0;
}

void takeover_begin(struct node *n, struct scope *s, struct place *p)
{
	struct roll roll = {.n = n, .s = s, .p = p};

	peers_fixed(n, s, p);
	if (n->config->cluster.takeover == TAKEOVER_WAIT)
		return;
	roll.cap = replica_peers_count(n->directory);
	if (roll.cap == 0)
		return;
	directory_take(n, s, p);
	roll.at = mem_new(roll.cap, sizeof(struct peer *));
	replica_peers_each(n->directory, enroll, &roll);
	if (roll.count > 0)
		qsort(roll.at, roll.count, sizeof(struct peer *), by_rank);
	for (size_t i = 0; i < roll.count; i++)
		dial_want(n, roll.at[i], WANT_LOST);
	if (roll.count > 0)
		node_tell(n, EVENT_NOTICE, "takeover", s, NULL, 0,
			"calling %zu known peer%s", roll.count,
			roll.count == 1 ? "" : "s");
	free(roll.at);
}
