/* esp/select.c - which SA a packet uses, and whether it may have come through one.
 *
 * Obeys RFC 4301 5.1 (outbound: the SPD decides, the SAD serves) and 5.2 step 4 (inbound:
 * the selectors of the SA are checked on what was decrypted). Beyond the RFC's letter a
 * packet must also not fall under a more specific rule that blocks it, or that asks for
 * another peer's authentication: the SPD is ordered by specificity, not decorrelated.
 * Where several peers have one address, who began decides (nat.h).
 */
#include "esp/dp.h"

#include "base/iana.h"

#include <assert.h>

enum { DIRECTION_OUT = 1, DIRECTION_IN = 2 };

static struct flow_key key_of(const struct flow *f, uint8_t direction)
{
	struct flow_key key;

	memcpy(&key.word[0], f->local.b, 16);
	memcpy(&key.word[2], f->remote.b, 16);
	key.word[4] = (uint64_t)f->local_port << 48 | (uint64_t)f->remote_port << 32 |
		      (uint64_t)f->proto << 24 | (uint64_t)f->local.family << 16 |
		      (uint64_t)f->ports_known << 8 | direction;
	return key;
}

static struct flow_memo *memo_of(struct esp_dp *dp, const struct flow_key *key)
{
	uint64_t hash = dp->memo_seed;

	for (size_t i = 0; i < sizeof key->word / sizeof key->word[0]; i++) {
		hash = (hash ^ key->word[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	return &dp->memos[hash % FLOW_MEMOS];
}

static bool memo_is(
	const struct esp_dp *dp, const struct flow_memo *m, const struct flow_key *key)
{
	return m->generation == dp->generation && memcmp(&m->key, key, sizeof *key) == 0;
}

static bool serves(
	const struct esp_sa *sa, const struct spd_entry *e, const struct flow *f)
{
	return sa->active && sa->rule == e->rule && sa->mode == e->mode &&
	       sa_selects(sa, f);
}

/* The rule's newest active SA whose selectors cover the flow. */
static struct esp_sa *search(
	const struct esp_scope *s, const struct spd_entry *e, const struct flow *f)
{
	list_each(item, &s->sas)
	{
		struct esp_sa *sa = list_entry(item, struct esp_sa, in_scope);
		if (serves(sa, e, f))
			return sa;
	}
	return NULL;
}

/* The same, of one peer. */
static struct esp_sa *search_peer(
	const struct nat_peer *p, const struct spd_entry *e, const struct flow *f)
{
	list_each(item, &p->sas)
	{
		struct esp_sa *sa = list_entry(item, struct esp_sa, of_peer);
		if (serves(sa, e, f))
			return sa;
	}
	return NULL;
}

static bool has_ports(const struct flow *f)
{
	return f->proto == IP_TCP || f->proto == IP_UDP;
}

/* Of the peers behind one address, the one that is meant; *flow may be NULL. */
static enum selected search_site(struct esp_dp *dp, const struct nat_site *site,
	const struct spd_entry *e, struct selection *s)
{
	struct span packet = span_of(s->at, s->ip->total_len);
	bool known = talk_read(packet, s->ip, true, &s->talk);
	struct nat_peer *p = nat_meant(&dp->nat, site, known ? &s->talk : NULL, &s->flow);
	struct flow own = s->f;

	if (p == NULL)
		return SELECT_NOBODY;
	if (s->flow != NULL)
		nat_touch(&dp->nat, s->flow, &s->talk);
	if (s->flow != NULL && has_ports(&own))
		own.remote_port = s->flow->port;
	s->owner = p->owner;
	s->sa = search_peer(p, e, &own);
	return s->sa == NULL ? SELECT_NO_SA : SELECT_SA;
}

static enum selected search_all(struct esp_dp *dp, struct selection *s)
{
	const struct spd_entry *e = s->entry;
	const struct nat_site *site =
		e->mode == POLICY_TRANSPORT
			? nat_site_of(&dp->nat, s->scope, &s->f.local, &s->f.remote)
			: NULL;

	if (site != NULL)
		return search_site(dp, site, e, s);
	s->sa = search(&dp->scopes[s->scope], e, &s->f);
	return s->sa == NULL ? SELECT_NO_SA : SELECT_SA;
}

static void remember(struct esp_dp *dp, const struct selection *s, struct flow_memo *memo,
	const struct flow_key *key, bool outbound)
{
	/* A peer's talks must be found in the memory, and ICMP's are not by ports. */
	if (s->sa->peer != NULL && (s->flow == NULL || !has_ports(&s->f)))
		return;
	*memo = (struct flow_memo){*key, dp->generation, s->sa, s->flow};
	if (s->flow == NULL)
		return;
	if (outbound)
		s->flow->memo_out = memo;
	else
		s->flow->memo_in = memo;
}

/* The memo has the flow, if it has one of a peer's talks: it has been used. */
static void use_again(struct esp_dp *dp, struct selection *s,
	const struct flow_memo *memo, bool outbound)
{
	s->flow = memo->nat;
	if (s->flow == NULL)
		return;
	talk_read(span_of(s->at, s->ip->total_len), s->ip, outbound, &s->talk);
	nat_touch(&dp->nat, s->flow, &s->talk);
}

enum selected select_outbound(struct esp_dp *dp, struct selection *s)
{
	struct flow_key key = key_of(&s->f, DIRECTION_OUT);
	struct flow_memo *memo = memo_of(dp, &key);

	if (memo_is(dp, memo, &key)) {
		s->sa = memo->sa;
		s->scope = memo->sa->scope;
		use_again(dp, s, memo, true);
		return SELECT_SA;
	}

	unsigned found = dp_scope_of(dp, &s->f.local);
	if (found == SCOPE_MAX)
		return SELECT_NO_POLICY;
	s->scope = (uint16_t)found;
	s->entry = spd_lookup(dp->scopes[found].spd, POLICY_OUT, &s->f);
	/* What may pass in clear is not steered into the TUN: here it has no way out. */
	if (s->entry == NULL || s->entry->action == POLICY_PERMIT)
		return SELECT_NO_POLICY;
	if (s->entry->action == POLICY_BLOCK)
		return SELECT_BLOCKED;
	enum selected answer = search_all(dp, s);
	if (answer == SELECT_SA)
		remember(dp, s, memo, &key, true);
	return answer;
}

/* Entries of one binding have one action and one authentication. */
static bool same_binding(const struct spd *spd, const struct spd_entry *e, uint32_t rule)
{
	if (e->rule == rule)
		return true;
	for (size_t i = 0; i < spd_count(spd); i++) {
		if (spd_at(spd, i)->rule == rule)
			return spd_at(spd, i)->binding == e->binding;
	}
	return false;
}

static bool policy_admits(
	const struct esp_dp *dp, const struct flow *f, const struct esp_sa *sa)
{
	const struct spd *spd = dp->scopes[sa->scope].spd;
	assert(spd != NULL); /* its SAs end with it */
	const struct spd_entry *e = spd_lookup(spd, POLICY_IN, f);

	if (e == NULL || e->action == POLICY_PERMIT)
		return true;
	return e->action == POLICY_NEGOTIATE && same_binding(spd, e, sa->rule);
}

/* False: another's. */
static bool heard(struct esp_dp *dp, struct selection *s)
{
	struct span packet = span_of(s->at, s->ip->total_len);

	return !talk_read(packet, s->ip, false, &s->talk) ||
	       nat_heard(dp, s->sa, &s->f, &s->talk, &s->flow) != NAT_TAKEN;
}

enum selected select_inbound(struct esp_dp *dp, struct selection *s)
{
	struct flow_key key = key_of(&s->f, DIRECTION_IN);
	struct flow_memo *memo = memo_of(dp, &key);

	if (memo_is(dp, memo, &key) && memo->sa == s->sa) {
		use_again(dp, s, memo, false);
		return SELECT_SA;
	}
	if (!sa_selects(s->sa, &s->f) || !policy_admits(dp, &s->f, s->sa))
		return SELECT_OTHER;
	if (s->sa->peer != NULL && !heard(dp, s))
		return SELECT_TAKEN;
	remember(dp, s, memo, &key, false);
	return SELECT_SA;
}
