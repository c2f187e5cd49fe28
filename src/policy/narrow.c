/* policy/narrow.c - what a responder keeps of the selectors a peer proposes.
 *
 * RFC 7296 2.9: the answer is a subset of the proposal, and includes the initiator's
 * first pair (the packet that made it call) when the policy allows that. A child SA
 * carries the traffic of one rule, so one rule is chosen and the rest is left out; the
 * peer asks again for what belongs to another rule.
 *
 * A child SA's two lists stand for every combination of their members. A pair is added
 * only while each combination stays inside the rule: `a to b` and `c to d` in one rule
 * never become an SA that carries a to d.
 *
 * Left to others: RFC 7296 2.23.1's substitution of addresses behind NAT (ike/).
 */
#include "policy/policy.h"
#include "policy/spd.h"

struct pair {
	struct ts local, remote;
};

static bool pair_inside(const struct spd_entry *e, const struct pair *p)
{
	return ts_contains(&e->local, &p->local) && ts_contains(&e->remote, &p->remote);
}

/* The most specific entry that covers all of a pair: it decides about it. */
static const struct spd_entry *governor(const struct spd *s, const struct pair *p)
{
	for (size_t i = 0; i < s->n; i++) {
		if (pair_inside(&s->at[i], p))
			return &s->at[i];
	}
	return NULL;
}

static bool usable(const struct spd_entry *e, enum policy_mode mode)
{
	return e->action == POLICY_NEGOTIATE && e->mode == mode;
}

/* What entry and proposal have in common, as long as it is this rule that decides. */
static bool common_pair(const struct spd *s, const struct spd_entry *e,
	const struct ts *ours, const struct ts *theirs, struct pair *out)
{
	struct pair p;

	if (!ts_intersect(&e->local, ours, &p.local) ||
		!ts_intersect(&e->remote, theirs, &p.remote))
		return false;

	/* One side may name the protocol for both. */
	uint8_t proto = p.local.proto != IP_ANY ? p.local.proto : p.remote.proto;
	if (p.remote.proto != IP_ANY && p.remote.proto != proto)
		return false;
	p.local.proto = p.remote.proto = proto;

	const struct spd_entry *decides = governor(s, &p);
	if (decides == NULL || decides->rule != e->rule)
		return false;
	*out = p;
	return true;
}

static const struct spd_entry *choose_any(const struct spd *s, enum policy_mode mode,
	const struct ts_list *ours, const struct ts_list *theirs)
{
	struct pair ignored;

	for (size_t i = 0; i < s->n; i++) {
		const struct spd_entry *e = &s->at[i];

		if (!usable(e, mode))
			continue;
		for (unsigned k = 0; k < ours->n * theirs->n; k++) {
			if (common_pair(s, e, &ours->at[k / theirs->n],
				    &theirs->at[k % theirs->n], &ignored))
				return e;
		}
	}
	return NULL;
}

static const struct spd_entry *choose(const struct spd *s, enum policy_mode mode,
	const struct ts_list *ours, const struct ts_list *theirs)
{
	struct pair first = {.local = ours->at[0], .remote = theirs->at[0]};
	const struct spd_entry *e = governor(s, &first);

	if (e != NULL && usable(e, mode))
		return e;
	return choose_any(s, mode, ours, theirs);
}

/* ---- the lists ------------------------------------------------------------ */

static bool can_meet(const struct ts *l, const struct ts *r)
{
	if (l->lo.family != r->lo.family)
		return false;
	return l->proto == IP_ANY || r->proto == IP_ANY || l->proto == r->proto;
}

static bool rule_allows(
	const struct spd *s, uint32_t rule, const struct ts *l, const struct ts *r)
{
	struct pair p = {.local = *l, .remote = *r};

	if (!can_meet(l, r))
		return true;
	for (size_t i = 0; i < s->n; i++) {
		if (s->at[i].rule == rule && pair_inside(&s->at[i], &p))
			return true;
	}
	return false;
}

static bool list_covers(const struct ts_list *list, const struct ts *t)
{
	for (unsigned i = 0; i < list->n; i++) {
		if (ts_contains(&list->at[i], t))
			return true;
	}
	return false;
}

static void add_pair(const struct spd *s, uint32_t rule, const struct pair *p,
	struct ts_list *ours, struct ts_list *theirs)
{
	bool need_local = !list_covers(ours, &p->local);
	bool need_remote = !list_covers(theirs, &p->remote);

	if ((need_local && ours->n == TS_LIST_MAX) ||
		(need_remote && theirs->n == TS_LIST_MAX))
		return;
	for (unsigned i = 0; need_remote && i < ours->n; i++) {
		if (!rule_allows(s, rule, &ours->at[i], &p->remote))
			return;
	}
	for (unsigned i = 0; need_local && i < theirs->n; i++) {
		if (!rule_allows(s, rule, &p->local, &theirs->at[i]))
			return;
	}
	if (need_local)
		ours->at[ours->n++] = p->local;
	if (need_remote)
		theirs->at[theirs->n++] = p->remote;
}

static void add_pairs_of(const struct spd *s, const struct spd_entry *e,
	const struct ts_list *ours, const struct ts_list *theirs,
	struct ts_list *ours_out, struct ts_list *theirs_out)
{
	struct pair p;

	for (unsigned k = 0; k < ours->n * theirs->n; k++) {
		if (common_pair(s, e, &ours->at[k / theirs->n],
			    &theirs->at[k % theirs->n], &p))
			add_pair(s, e->rule, &p, ours_out, theirs_out);
	}
}

const struct spd_entry *spd_narrow(const struct spd *s, enum policy_mode mode,
	const struct ts_list *ours, const struct ts_list *theirs,
	struct ts_list *ours_out, struct ts_list *theirs_out)
{
	ours_out->n = theirs_out->n = 0;
	if (ours->n == 0 || theirs->n == 0)
		return NULL;

	const struct spd_entry *chosen = choose(s, mode, ours, theirs);
	if (chosen == NULL)
		return NULL;

	/* The entry that was chosen goes first: it must not be crowded out. */
	add_pairs_of(s, chosen, ours, theirs, ours_out, theirs_out);
	for (size_t i = 0; i < s->n; i++) {
		const struct spd_entry *e = &s->at[i];

		if (e != chosen && e->rule == chosen->rule && usable(e, mode))
			add_pairs_of(s, e, ours, theirs, ours_out, theirs_out);
	}
	return chosen;
}
