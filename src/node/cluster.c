/* node/cluster.c - the group: membership, HELLO, claims, and whose word counts.
 *
 * Claims are granted by the table of claim.c, in CPG order; here is what we say and what
 * follows for us. A member with another configuration is warned of once each time it says
 * so; its claims count all the same (ownership must have one truth), and of its peer
 * records only those are used whose rule we have, too.
 *
 * Leaves to others: the sending (FX_CLUSTER_SEND), retries under back-pressure.
 */
#include "node/core.h"

#include "base/mem.h"
#include "wire/reader.h"

#include <stdlib.h>

bool cluster_is_clustered(const struct node *n)
{
	return n->config && n->config->cluster.backend == BACKEND_COROSYNC;
}

bool cluster_says_nlbs(const struct node *n, const struct scope *s)
{
	return !s->is_host && cluster_is_clustered(n) && n->config->tuning.nlbs_present;
}

bool cluster_is_up(const struct node *n)
{
	return claims_is_member(&n->claims, n->params.member);
}

static void send_message(struct node *n, const struct writer *w)
{
	struct effect *f = effects_add(n->out, FX_CLUSTER_SEND, 0);
	struct span bytes = wr_span(w);

	f->u.blob.bytes = mem_new(1, bytes.len);
	f->u.blob.len = bytes.len;
	memcpy(f->u.blob.bytes, bytes.at, bytes.len);
}

static bool is_among(const struct addr *all, unsigned count, const struct addr *addr)
{
	for (unsigned i = 0; i < count; i++)
		if (addr_equal(&all[i], addr))
			return true;
	return false;
}

/* An address is ours from the claim's grant until its RELEASE is sent. */
static unsigned our_claims(const struct node *n, struct addr out[CLUSTER_CLAIMS_MAX])
{
	unsigned count = 0;

	for (unsigned i = 0; i < n->n_scopes; i++)
		for (unsigned k = 0; k < n->scopes[i].n_places; k++)
			if (n->scopes[i].places[k].owns && count < CLUSTER_CLAIMS_MAX)
				out[count++] = n->scopes[i].places[k].addr;
	for (unsigned i = 0; i < n->n_owed && count < CLUSTER_CLAIMS_MAX; i++)
		if (!is_among(out, count, &n->owed[i].addr))
			out[count++] = n->owed[i].addr;
	return count;
}

void cluster_hello(struct node *n)
{
	static const uint8_t none[32];
	uint8_t *bytes, members[32];
	struct addr *claims;

	if (!cluster_is_clustered(n) || !cluster_is_up(n))
		return;
	bytes = mem_new(1, CLUSTER_HELLO_MAX);
	claims = mem_new(CLUSTER_CLAIMS_MAX, sizeof(*claims));
	unsigned count = our_claims(n, claims);
	claims_member_set(&n->claims, members);
	struct writer w = wr_over(bytes, CLUSTER_HELLO_MAX);
	cluster_write_hello(
		&w, n->config ? n->config->hash : none, members, claims, count);
	send_message(n, &w);
	free(claims);
	free(bytes);
}

void cluster_vouch(struct node *n, const struct carry *c)
{
	uint8_t *bytes = mem_new(1, CLUSTER_VOUCH_MAX), members[32];
	struct writer w = wr_over(bytes, CLUSTER_VOUCH_MAX);

	claims_member_set(&n->claims, members);
	cluster_write_vouch(&w, members, c->known, c->at, c->n);
	send_message(n, &w);
	free(bytes);
}

static void send_addr(struct node *n, enum cluster_msg_type type, const struct addr *addr)
{
	uint8_t bytes[32];
	struct writer w = wr_over(bytes, sizeof(bytes));

	if (!cluster_is_clustered(n) || !cluster_is_up(n))
		return;
	cluster_write_addr(&w, type, addr);
	send_message(n, &w);
}

void cluster_claim(struct node *n, const struct addr *addr)
{
	send_addr(n, CLUSTER_CLAIM, addr);
}

void cluster_release(struct node *n, const struct addr *addr)
{
	send_addr(n, CLUSTER_RELEASE, addr);
}

void cluster_drain(struct node *n, const struct drain_words *d)
{
	uint8_t bytes[CLUSTER_DRAIN_MAX];
	struct writer w = wr_over(bytes, sizeof(bytes));

	if (!cluster_is_clustered(n) || !cluster_is_up(n))
		return;
	cluster_write_drain(&w, d);
	send_message(n, &w);
}

void cluster_send_journal(struct node *n, struct span journal)
{
	uint8_t *bytes;

	if (!cluster_is_clustered(n) || !cluster_is_up(n))
		return;
	bytes = mem_new(1, journal.len + 4);
	struct writer w = wr_over(bytes, journal.len + 4);
	cluster_write_peers(&w, journal);
	send_message(n, &w);
	free(bytes);
}

/* ---- what the group says ------------------------------------------------------------- */

static bool has_newcomer(
	const struct claims *before, const uint8_t *members, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!claims_is_member(before, members[i]))
			return true;
	return false;
}

static void forget_asking(struct node *n)
{
	for (unsigned i = 0; i < n->n_scopes; i++)
		for (unsigned k = 0; k < n->scopes[i].n_places; k++)
			n->scopes[i].places[k].asked = n->scopes[i].places[k].returning =
				false;
}

void on_members(struct node *n, const struct node_event *ev)
{
	const uint8_t *members = ev->u.members.members;
	size_t count = ev->u.members.n;

	if (count > NODE_MEMBERS_MAX)
		count = NODE_MEMBERS_MAX;
	struct claims before = n->claims;
	bool newcomer = has_newcomer(&before, members, count);
	bool was_up = cluster_is_up(n);
	n->merged = (n->merged || newcomer) && was_up;
	claims_on_members(&n->claims, members, (unsigned)count);
	for (unsigned i = 0; i < 256; i++)
		if (!claims_is_member(&n->claims, (uint8_t)i))
			n->hash_of[i] = 0;
	memset(n->told, 0, sizeof(n->told));
	forget_asking(n);
	if (!cluster_is_clustered(n))
		return;
	if (newcomer)
		directory_doubt(n, &before);
	places_on_members(n, &before);
	vouch_on_members(n, &before, ev->u.members.fresh, ev->u.members.n_fresh);
	if (!cluster_is_up(n)) {
		if (was_up)
			node_tell(n, EVENT_ERROR, "bus-lost", NULL, NULL, 0,
				"the cluster's group is lost: every virtual IP is mute");
		return;
	}
	node_tell(n, EVENT_NOTICE, "members", NULL, NULL, 0, "the group has %u member%s",
		n->claims.n_members, n->claims.n_members == 1 ? "" : "s");
	/* The peers before the HELLO: a newcomer that binds when all have said HELLO then
	 * knows already whom to call. */
	if (newcomer)
		directory_snapshot(n, &before);
	if (newcomer)
		drain_tell_all(n);
	cluster_hello(n);
}

static uint64_t short_hash(const uint8_t hash[32])
{
	struct reader r = rd_over(span_of(hash, 32));

	return rd_u64(&r);
}

bool cluster_config_differs(const struct node *n)
{
	if (!n->config)
		return false;
	uint64_t own = short_hash(n->config->hash);
	for (unsigned i = 0; i < n->claims.n_members; i++) {
		uint64_t theirs = n->hash_of[n->claims.members[i]];
		if (theirs != 0 && theirs != own)
			return true;
	}
	return false;
}

/* All have said what they own, or it was said for them. */
static void on_known(struct node *n)
{
	if (!n->claims.complete || !n->merged)
		return;
	n->merged = false;
	announce_owned(n);
}

static void on_hello(struct node *n, uint8_t from, const struct cluster_msg *m)
{
	uint64_t before = n->hash_of[from];

	if (!claims_on_hello(&n->claims, from, m))
		return;
	on_known(n);
	if (claims_has_heard(&n->claims, from))
		directory_believe(n, from);
	n->hash_of[from] = short_hash(m->config_hash);
	if (n->config && n->hash_of[from] != before && n->hash_of[from] != 0 &&
		n->hash_of[from] != short_hash(n->config->hash))
		node_tell(n, EVENT_WARNING, "config-differs", NULL, NULL, 0,
			"member %u has another configuration: make the files equal on "
			"all "
			"nodes and reload",
			from);
}

struct admission {
	const struct node *n;
	uint8_t from;
};

static bool admit(const struct replica_peer *p, void *ctx)
{
	const struct admission *a = ctx;

	return directory_admits(a->n, a->from, p);
}

static void on_peers(struct node *n, uint8_t from, struct span journal)
{
	struct admission a = {.n = n, .from = from};

	if (from == n->params.member || !claims_is_member(&n->claims, from))
		return;
	n->told[from] = n->told[from] || journal.len == 0;
	enum replica_err err =
		replica_peers_apply(n->directory, journal, from, admit, &a);
	if (err == REPLICA_OK)
		directory_store(n, false);
	else if (rate_allow(&n->strangers, n->now_ms))
		node_tell(n, EVENT_ERROR, "peers-refused", NULL, NULL, 0,
			"member %u sent peer records that are %s", from,
			err == REPLICA_FULL ? "too many" : "malformed");
}

/* Our claim has come round: granted, void, or waiting for HELLOs in the table. A void one
 * is asked again when the address is free. */
static void on_claim(struct node *n, uint8_t from, const struct addr *addr)
{
	struct place *p;

	(void)claims_on_claim(&n->claims, from, addr);
	if (from == n->params.member && n->claims.complete && scope_of_addr(n, addr, &p))
		p->asked = false;
}

static void on_release(struct node *n, uint8_t from, const struct addr *addr)
{
	struct place *p;

	(void)claims_on_release(&n->claims, from, addr);
	if (from == n->params.member && scope_of_addr(n, addr, &p))
		p->returning = false;
}

void on_message(struct node *n, uint8_t from, struct span bytes)
{
	struct cluster_msg m;
	enum cluster_err err = cluster_msg_read(bytes, &m);

	if (!cluster_is_clustered(n))
		return;
	if (err != CLUSTER_OK) {
		if (rate_allow(&n->strangers, n->now_ms))
			node_tell(n, EVENT_ERROR, "bad-message", NULL, NULL, 0,
				"member %u: %s", from,
				err == CLUSTER_OTHER_VERSION
					? "speaks another version of the group protocol: "
					  "nothing can be claimed until it is updated"
					: "malformed group message");
		return;
	}
	switch (m.type) {
	case CLUSTER_HELLO:
		on_hello(n, from, &m);
		break;
	case CLUSTER_CLAIM:
		on_claim(n, from, &m.addr);
		break;
	case CLUSTER_RELEASE:
		on_release(n, from, &m.addr);
		break;
	case CLUSTER_VOUCH:
		if (claims_on_vouch(&n->claims, from, &m))
			on_known(n);
		break;
	case CLUSTER_PEERS:
		on_peers(n, from, m.journal);
		break;
	case CLUSTER_DRAIN:
		if (claims_is_member(&n->claims, from))
			drain_hear(n, &m.drain);
		break;
	}
}
