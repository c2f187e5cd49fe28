/* node/vouch.c - what is known of members that do not say HELLO.
 *
 * A daemon that hangs stays a member of the group, and says nothing. Claims would wait for
 * its HELLO until somebody kills it. Yet those who came along with it from the membership
 * before know what it owns: both were told the same messages, up to the change (virtual
 * synchrony), so it can own nothing that our table of that time does not give it. After a
 * fifth of a second they say so for it. An address that it owns stays its own; all others
 * can be claimed.
 *
 * A process that has just joined the group owns nothing: what another process of its node
 * owned ended when that one left. Nobody vouches for any other newcomer: it may come from
 * another partition, with addresses.
 */
#include "node/core.h"

#include "base/mem.h"

#include <stdlib.h>

enum { PATIENCE_MS = 200 };

static bool has(const uint8_t set[32], uint8_t member)
{
	return set[member / 8] >> (member % 8) & 1;
}

static void put(uint8_t set[32], uint8_t member)
{
	set[member / 8] |= (uint8_t)(1u << (member % 8));
}

static void keep(struct carry *to, uint8_t owner, const struct addr *addr)
{
	if (to->n < CLUSTER_CLAIMS_MAX)
		to->at[to->n++] = (struct vouched){.addr = *addr, .owner = owner};
	else
		to->full = true;
}

/* The table's word, where it had one; else, of a member that was silent then too, what was
 * known before: without it the table was never complete, and granted nothing. */
static void carry_member(struct carry *to, const struct carry *old,
	const struct claims *before, uint8_t member)
{
	if (claims_is_known(before, member)) {
		for (unsigned i = 0; i < before->n; i++)
			if (before->at[i].owner == member)
				keep(to, member, &before->at[i].addr);
	} else if (has(old->known, member)) {
		for (unsigned i = 0; i < old->n; i++)
			if (old->at[i].owner == member)
				keep(to, member, &old->at[i].addr);
	} else {
		return;
	}
	put(to->known, member);
}

/* What corosync says of those who join means something only to who was there before. */
void vouch_on_members(
	struct node *n, const struct claims *before, const uint8_t *fresh, size_t n_fresh)
{
	struct carry *old = &n->carry, *now = mem_new(1, sizeof(*now));

	for (unsigned i = 0; i < n->claims.n_members; i++) {
		uint8_t member = n->claims.members[i];
		if (!claims_is_member(before, n->params.member))
			break;
		if (claims_is_member(before, member))
			carry_member(now, old, before, member);
		else if (n_fresh > 0 && memchr(fresh, member, n_fresh))
			put(now->known, member);
	}
	*old = *now;
	free(now);
	n->vouch_due_ms = cluster_is_up(n) ? n->now_ms + PATIENCE_MS : 0;
}

/* False: there is nobody to vouch for. */
static bool choose(const struct node *n, struct carry *out)
{
	bool any = false;

	if (n->carry.full)
		return false;
	for (unsigned i = 0; i < n->claims.n_members; i++) {
		uint8_t member = n->claims.members[i];
		if (claims_is_known(&n->claims, member) || !has(n->carry.known, member) ||
			member == n->params.member)
			continue;
		put(out->known, member);
		any = true;
	}
	for (unsigned i = 0; any && i < n->carry.n; i++)
		if (has(out->known, n->carry.at[i].owner))
			keep(out, n->carry.at[i].owner, &n->carry.at[i].addr);
	return any;
}

void vouch_settle(struct node *n)
{
	if (n->vouch_due_ms == 0 || (!n->claims.complete && n->vouch_due_ms > n->now_ms))
		return;
	n->vouch_due_ms = 0;
	struct carry *chosen = mem_new(1, sizeof(*chosen));
	if (!n->claims.complete && choose(n, chosen)) {
		node_tell(n, EVENT_WARNING, "member-silent", NULL, NULL, 0,
			"a member says nothing (does its vipsecd hang?): what it owns "
			"stays its own");
		cluster_vouch(n, chosen);
	}
	free(chosen);
}

uint64_t vouch_due_ms(const struct node *n)
{
	return n->vouch_due_ms != 0 ? n->vouch_due_ms : UINT64_MAX;
}
