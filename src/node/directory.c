/* node/directory.c - our peers as records: for the other members, and for the disk.
 *
 * Whoever owns an address says who its peers are. A change is sent at once, since a crash
 * may be next; those that follow within 20 ms, or until there is much of them, go
 * together. A newcomer gets everything, and an empty journal at the end of it: what it has
 * on its disk, or knew before it was cut off, of an address whose owner has not named it
 * now, it forgets, and so does whoever has heard it say so. Otherwise peers that have moved
 * would be called at both places.
 *
 * On disk lies one snapshot of all, rewritten at most five times a second, and less often
 * when it is large. With `takeover wait` nothing is shared and nothing is kept.
 *
 * A peer that was deleted politely is dropped from the directory: nobody calls it before
 * there is traffic. A peer whose SA was lost stays.
 */
#include "node/core.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { JOURNAL_MS = 20, STORE_MS = 200, STORE_PER_RECORDS = 10 };

static bool keeps(const struct node *n)
{
	return n->config && n->config->cluster.takeover == TAKEOVER_REINITIATE;
}

static void record_of(const struct node *n, const struct peer *p, struct replica_peer *r)
{
	*r = (struct replica_peer){
		.local = p->local,
		.remote = p->remote,
		.natt = p->natt,
		.behind = p->behind,
		.nlbs = p->nlbs,
		.rank = p->rank,
		.local_id = p->local_id,
		.remote_id = p->remote_id,
		.mode = p->mode,
		.local_ts = p->local_ts,
		.remote_ts = p->remote_ts,
	};
	snprintf(r->vip, sizeof(r->vip), "%s", n->scopes[p->scope].name);
	snprintf(r->rule, sizeof(r->rule), "%s", n->config->rules[p->rule].name);
}

static void flush_journal(struct node *n)
{
	if (n->journal_len > 0)
		cluster_send_journal(n, span_of(n->journal, n->journal_len));
	n->journal_len = 0;
	n->journal_due_ms = 0;
	n->journal_sent_ms = n->now_ms;
}

static struct writer journal_open(struct node *n)
{
	if (n->journal_len + REPLICA_RECORD_MAX > REPLICA_CHUNK_MAX)
		flush_journal(n);
	return wr_over(n->journal + n->journal_len, REPLICA_CHUNK_MAX - n->journal_len);
}

static void journal_close(struct node *n, const struct peer *p, const struct writer *w)
{
	directory_store(n, false);
	if (n->scopes[p->scope].is_host || !cluster_is_clustered(n))
		return;
	n->journal_len += wr_span(w).len;
	if (n->journal_due_ms == 0)
		n->journal_due_ms = n->journal_sent_ms + JOURNAL_MS;
}

void directory_note(struct node *n, struct peer *p)
{
	struct replica_peer r;

	if (!keeps(n))
		return;
	record_of(n, p, &r);
	uint64_t key = replica_peer_key(&r);
	if (p->record != 0 && p->record != key)
		directory_forget(n, p);
	p->record = key;
	if (!replica_peers_put(n->directory, &r, n->params.member))
		return;
	struct writer w = journal_open(n);
	replica_write_put(&w, &r);
	journal_close(n, p, &w);
}

void directory_forget(struct node *n, struct peer *p)
{
	uint64_t key = p->record;

	p->record = 0;
	if (!keeps(n) || key == 0 || !replica_peers_drop(n->directory, key))
		return;
	struct writer w = journal_open(n);
	replica_write_drop(&w, key);
	journal_close(n, p, &w);
}

/* ---- others ---------------------------------------------------------------------------- */

/* The owner of an address knows its peers best; of an address without owner everybody
 * may speak, else nobody would tell a newcomer. */
bool directory_admits(const struct node *n, uint8_t from, const struct replica_peer *p)
{
	uint8_t owner = claims_owner(&n->claims, &p->local);

	return strcmp(p->vip, "host") != 0 && (owner == 0 || owner == from);
}

struct telling {
	struct node *n;
	const struct claims *before;
};

/* The lowest of those who were here before speaks for addresses without owner. */
static bool is_speaker(const struct node *n, const struct claims *before)
{
	uint8_t lowest = UINT8_MAX;

	for (unsigned i = 0; i < before->n_members; i++)
		if (claims_is_member(&n->claims, before->members[i]) &&
			before->members[i] < lowest)
			lowest = before->members[i];
	return lowest == n->params.member;
}

static bool is_ours_to_tell(const struct replica_peer *p, void *ctx)
{
	const struct telling *t = ctx;
	uint8_t owner = claims_owner(t->before, &p->local);

	if (strcmp(p->vip, "host") == 0)
		return false;
	if (owner != 0 && claims_is_member(&t->n->claims, owner))
		return owner == t->n->params.member;
	return is_speaker(t->n, t->before);
}

static void tell_chunk(struct span journal, void *ctx)
{
	const struct telling *t = ctx;

	cluster_send_journal(t->n, journal);
}

void directory_snapshot(struct node *n, const struct claims *before)
{
	struct telling t = {.n = n, .before = before};

	flush_journal(n);
	if (!keeps(n))
		return;
	replica_peers_snapshot(
		n->directory, REPLICA_CHUNK_MAX, is_ours_to_tell, tell_chunk, &t);
	if (claims_is_member(before, n->params.member))
		cluster_send_journal(n, span_of(NULL, 0));
}

static bool is_theirs(const struct replica_peer *p, void *ctx)
{
	const struct telling *t = ctx;

	return strcmp(p->vip, "host") != 0 &&
	       claims_owner(t->before, &p->local) != t->n->params.member;
}

void directory_doubt(struct node *n, const struct claims *before)
{
	struct telling t = {.n = n, .before = before};

	replica_peers_doubt(n->directory, is_theirs, &t);
}

struct belief {
	struct node *n;
	uint8_t from;
};

static bool is_judged(const struct replica_peer *p, void *ctx)
{
	const struct belief *b = ctx;

	return strcmp(p->vip, "host") != 0 &&
	       claims_owner(&b->n->claims, &p->local) == b->from;
}

static bool is_judged_here(const struct replica_peer *p, void *ctx)
{
	const struct belief *b = ctx;
	const struct scope *s = scope_by_name(b->n, p->vip);
	const struct place *at = s ? scope_place(s, &p->local) : NULL;

	return at && at->state == VIP_BOUND && is_judged(p, ctx);
}

/* Before its HELLO has come a member's addresses have no owner, and others may have spoken
 * for them. Of what we serve ourselves nobody knows more than we do. */
void directory_believe(struct node *n, uint8_t from)
{
	struct belief b = {.n = n, .from = from};
	bool ours = from == n->params.member;

	if ((ours || n->told[from]) && keeps(n) &&
		replica_peers_forget(
			n->directory, from, ours ? is_judged_here : is_judged, &b) > 0)
		directory_store(n, false);
}

struct serving {
	const struct scope *s;
	const struct place *at;
};

static bool is_served(const struct replica_peer *p, void *ctx)
{
	const struct serving *v = ctx;

	return strcmp(p->vip, v->s->name) == 0 && addr_equal(&p->local, &v->at->addr);
}

void directory_take(struct node *n, const struct scope *s, const struct place *at)
{
	struct serving v = {s, at};

	replica_peers_say(n->directory, n->params.member, is_served, &v);
}

/* ---- the disk ---------------------------------------------------------------------------- */

struct image {
	uint8_t *bytes;
	size_t len, cap;
};

static void add_chunk(struct span journal, void *ctx)
{
	struct image *m = ctx;

	memcpy(m->bytes + m->len, journal.at, journal.len);
	m->len += journal.len;
}

static void store_now(struct node *n)
{
	struct image m = {
		.cap = (replica_peers_count(n->directory) + 1) * REPLICA_RECORD_MAX};

	n->store_due_ms = 0;
	m.bytes = mem_new(1, m.cap);
	replica_peers_snapshot(n->directory, REPLICA_CHUNK_MAX, NULL, add_chunk, &m);
	node_store(n, "peers", span_of(m.bytes, m.len));
	free(m.bytes);
}

void directory_store(struct node *n, bool at_once)
{
	if (at_once && n->store_due_ms != 0) {
		store_now(n);
	} else if (!at_once && n->store_due_ms == 0) {
		n->store_due_ms = n->now_ms + STORE_MS +
				  replica_peers_count(n->directory) / STORE_PER_RECORDS;
	}
}

void directory_settle(struct node *n)
{
	if (n->journal_due_ms != 0 && n->journal_due_ms <= n->now_ms)
		flush_journal(n);
	if (n->store_due_ms != 0 && n->store_due_ms <= n->now_ms)
		store_now(n);
}

uint64_t directory_due_ms(const struct node *n)
{
	uint64_t due = UINT64_MAX;

	if (n->journal_due_ms != 0)
		due = n->journal_due_ms;
	if (n->store_due_ms != 0 && n->store_due_ms < due)
		due = n->store_due_ms;
	return due;
}
