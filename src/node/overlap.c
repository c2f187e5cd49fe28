/* node/overlap.c - two peers of one rule that claim the same traffic.
 *
 * A rule for any peer lets each name its own selectors, and traffic takes the newest SA
 * that has them. Two sites with the same private network, or a peer with keys and bad
 * intentions, would get each other's packets. RFC 3948 5.1, 5.2: such connections MUST be
 * kept apart, by disallowing them or otherwise.
 *
 * Clients behind one NAT in transport mode have equal selectors (RFC 7296 2.23.1), and are
 * told apart by the data path (esp/nat.h): it goes by a number for each identity. All others are kept apart here. Who has been heard from in the last ten seconds keeps what he has, and the newcomer is
 * refused (TS_UNACCEPTABLE). Else the newcomer gets it, and the other's SA is deleted: he
 * may have moved, and come back under another name. So one peer at a time has an address.
 */
#include "node/core.h"

#include "wire/writer.h"

#include <assert.h>
#include <stdio.h>

enum { HEARD_MS = 10000, TAKEN_TEXT_MAX = IDENTITY_TEXT_MAX + 320 };

static bool lists_overlap(const struct ts_list *a, const struct ts_list *b)
{
	struct ts common;

	for (unsigned i = 0; i < a->n; i++)
		for (unsigned k = 0; k < b->n; k++)
			if (ts_intersect(&a->at[i], &b->at[k], &common))
				return true;
	return false;
}

struct claimant {
	uint16_t scope;
	uint32_t rule;
	const struct identity *id;
	const struct ts_list *local, *remote;
	bool shares; /* its address, and its talks are told from the others' */
};

static bool shares(enum policy_mode mode, bool behind_nat)
{
	return mode == POLICY_TRANSPORT && behind_nat;
}

static bool collides(const struct child_sa *a, const struct claimant *c)
{
	return child_lives(a) && a->peer->scope == c->scope && a->sa.rule == c->rule &&
	       !identity_equal(&a->peer->remote_id, c->id) &&
	       !(c->shares && shares(a->sa.mode, a->sa.nat_remote)) &&
	       lists_overlap(&a->sa.remote_ts, c->remote) &&
	       lists_overlap(&a->sa.local_ts, c->local);
}

uint64_t overlap_number(const struct node *n, const struct identity *id)
{
	uint8_t store[1 + IDENTITY_MAX];
	struct writer w = wr_over(store, sizeof(store));

	wr_u8(&w, id->type);
	wr_bytes(&w, span_of(id->b, id->len));
	assert(wr_ok(&w));
	uint64_t number = siphash(&n->owners, wr_span(&w));
	return number == 0 ? 1 : number;
}

uint64_t overlap_owner(
	const struct node *n, const struct peer *p, const struct ike_child *sa)
{
	return shares(sa->mode, sa->nat_remote) ? overlap_number(n, &p->remote_id) : 0;
}

/* As far as we can know: the last report may be a few seconds old. */
static bool is_alive(const struct node *n, const struct child_sa *a)
{
	uint64_t known_ms = a->usage_ms > 0 ? a->usage_ms : a->since_ms;
	uint64_t heard_ms = a->usage.last_in_ms;

	if (heard_ms < a->since_ms)
		heard_ms = a->since_ms;
	return heard_ms + (n->now_ms - known_ms) + HEARD_MS > n->now_ms;
}

/* The next one from at on whose selectors collide; NULL: none. */
static struct child_sa *colliding(const struct session *s, const struct claimant *c,
	const struct child_sa *but,
	bool (*also)(const struct node *, const struct child_sa *), const struct node *n)
{
	list_each(item, &s->children)
	{
		struct child_sa *a = list_entry(item, struct child_sa, of_session);
		if (a != but && !a->displaced && collides(a, c) && (!also || also(n, a)))
			return a;
	}
	return NULL;
}

/* It tries again for as long as it stands: told once a minute. */
static void tell_taken(
	struct node *n, const struct ike_conn *conn, const struct peer *holder)
{
	uint16_t scope = conn->path.scope;
	bool is_nat =
		conn->mode == POLICY_TRANSPORT && (conn->nat_remote || holder->behind);
	char id[IDENTITY_TEXT_MAX], text[TAKEN_TEXT_MAX], again[SAID_TEXT_MAX];

	snprintf(text, sizeof(text),
		"rule %s: refused, its traffic selectors are those of %s, "
		"which is alive: %s",
		n->config->rules[conn->rule].name,
		identity_format(&holder->remote_id, id),
		is_nat ? "one of them is the NAT that the other is behind, use tunnel "
			 "mode "
			 "with inner addresses"
		       : "give each peer its own addresses");
	if (node_may_say(n, &n->strangers, scope, &conn->path.remote.addr, text, again))
		node_tell(n, EVENT_WARNING, "selectors-taken", &n->scopes[scope],
			&conn->path.remote, 0, "%s%s", text, again);
}

bool overlap_refuses(struct node *n, const struct ike_conn *conn)
{
	const struct claimant c = {conn->path.scope, conn->rule, &conn->remote_id,
		&conn->local_ts, &conn->remote_ts, shares(conn->mode, conn->nat_remote)};

	list_each(item, &n->sessions)
	{
		const struct session *s = list_entry(item, struct session, link);
		const struct child_sa *a = colliding(s, &c, NULL, is_alive, n);
		if (!a)
			continue;
		tell_taken(n, conn, a->peer);
		return true;
	}
	return false;
}

void overlap_displace(struct node *n, const struct child_sa *winner)
{
	const struct claimant c = {winner->peer->scope, winner->sa.rule,
		&winner->peer->remote_id, &winner->sa.local_ts, &winner->sa.remote_ts,
		shares(winner->sa.mode, winner->sa.nat_remote)};

	list_each(item, &n->sessions)
	{
		struct session *s = list_entry(item, struct session, link);
		struct child_sa *a;
		/* We are inside a callback of the engine: deleted by idle.c, at once. */
		while ((a = colliding(s, &c, winner, NULL, n))) {
			a->displaced = true;
			idle_touch(n, s);
		}
	}
}
