/* esp/select.c - which SA a packet uses, and whether it may have come through one.
 *
 * Obeys RFC 4301 5.1 (outbound: the SPD decides, the SAD serves) and 5.2 step 4 (inbound:
 * the selectors of the SA are checked on what was decrypted). Beyond the RFC's letter a
 * packet must also not fall under a more specific rule that blocks it, or that asks for
 * another peer's authentication: the SPD is ordered by specificity, not decorrelated.
 */
#include "esp/dp.h"

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

/* The rule's newest active SA whose selectors cover the flow. */
static struct esp_sa *search(
	const struct esp_scope *s, const struct spd_entry *e, const struct flow *f)
{
	list_each(item, &s->sas)
	{
		struct esp_sa *sa = list_entry(item, struct esp_sa, in_scope);
		if (sa->active && sa->rule == e->rule && sa->mode == e->mode &&
			sa_selects(sa, f))
			return sa;
	}
	return NULL;
}

enum selected select_outbound(struct esp_dp *dp, const struct flow *f, struct esp_sa **sa,
	const struct spd_entry **entry, uint16_t *scope)
{
	struct flow_key key = key_of(f, DIRECTION_OUT);
	struct flow_memo *memo = memo_of(dp, &key);

	if (memo_is(dp, memo, &key)) {
		*sa = memo->sa;
		*scope = memo->sa->scope;
		return SELECT_SA;
	}

	unsigned found = dp_scope_of(dp, &f->local);
	if (found == SCOPE_MAX)
		return SELECT_NO_POLICY;
	*scope = (uint16_t)found;
	*entry = spd_lookup(dp->scopes[found].spd, POLICY_OUT, f);
	/* What may pass in clear is not steered into the TUN: here it has no way out. */
	if (*entry == NULL || (*entry)->action == POLICY_PERMIT)
		return SELECT_NO_POLICY;
	if ((*entry)->action == POLICY_BLOCK)
		return SELECT_BLOCKED;
	*sa = search(&dp->scopes[found], *entry, f);
	if (*sa == NULL)
		return SELECT_NO_SA;
	*memo = (struct flow_memo){key, dp->generation, *sa};
	return SELECT_SA;
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

bool select_inbound(struct esp_dp *dp, const struct flow *f, struct esp_sa *sa)
{
	struct flow_key key = key_of(f, DIRECTION_IN);
	struct flow_memo *memo = memo_of(dp, &key);

	if (memo_is(dp, memo, &key) && memo->sa == sa)
		return true;
	if (!sa_selects(sa, f) || !policy_admits(dp, f, sa))
		return false;
	*memo = (struct flow_memo){key, dp->generation, sa};
	return true;
}
