/* node/claim.c - the table of claims; its rules stand in claim.h.
 *
 * Leaves to others: when to claim and what losing means (place.c), the sending.
 */
#include "node/claim.h"

void claims_on_members(struct claims *c, const uint8_t *members, unsigned n)
{
	memset(c, 0, sizeof(*c));
	if (n > sizeof(c->members))
		n = sizeof(c->members);
	if (n > 0)
		memcpy(c->members, members, n);
	c->n_members = n;
}

bool claims_is_member(const struct claims *c, uint8_t member)
{
	return c->n_members > 0 && memchr(c->members, member, c->n_members);
}

bool claims_has_heard(const struct claims *c, uint8_t member)
{
	return c->heard[member / 8] >> (member % 8) & 1;
}

/* Where the address stands in the table; c->n: nowhere. */
static unsigned find(const struct claims *c, const struct addr *addr)
{
	unsigned i = 0;

	while (i < c->n && !addr_equal(&c->at[i].addr, addr))
		i++;
	return i;
}

/* NULL: the table is full; the address then has no owner, and nobody binds it. */
static struct claim *find_or_add(struct claims *c, const struct addr *addr)
{
	unsigned i = find(c, addr);

	if (i == CLUSTER_CLAIMS_MAX)
		return NULL;
	if (i == c->n)
		c->at[c->n++] = (struct claim){.addr = *addr};
	return &c->at[i];
}

static void remove_if_idle(struct claims *c, struct claim *k)
{
	if (k->owner == 0 && k->waiting == 0)
		*k = c->at[--c->n];
}

static void grant_waiting(struct claims *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		if (c->at[i].owner == 0) {
			c->at[i].owner = c->at[i].waiting;
			c->at[i].vouched = false;
		}
		c->at[i].waiting = 0;
	}
}

void claims_member_set(const struct claims *c, uint8_t set[32])
{
	memset(set, 0, 32);
	for (unsigned i = 0; i < c->n_members; i++)
		set[c->members[i] / 8] |= (uint8_t)(1u << (c->members[i] % 8));
}

static bool has_bit(const uint8_t set[32], uint8_t member)
{
	return set[member / 8] >> (member % 8) & 1;
}

static void set_bit(uint8_t set[32], uint8_t member)
{
	set[member / 8] |= (uint8_t)(1u << (member % 8));
}

bool claims_is_known(const struct claims *c, uint8_t member)
{
	return claims_has_heard(c, member) || has_bit(c->vouched, member);
}

static void complete_if_all_are_known(struct claims *c)
{
	if (c->complete)
		return;
	for (unsigned i = 0; i < c->n_members; i++)
		if (!claims_is_known(c, c->members[i]))
			return;
	c->complete = true;
	grant_waiting(c);
}

static bool is_said_to_all(const struct claims *c, const struct cluster_msg *m)
{
	uint8_t now[32];

	claims_member_set(c, now);
	return memcmp(m->members, now, sizeof(now)) == 0;
}

static bool names(const struct cluster_msg *hello, const struct addr *addr)
{
	for (unsigned i = 0; i < hello->n_claims; i++) {
		struct addr a = cluster_msg_claim(hello, i);
		if (addr_equal(&a, addr))
			return true;
	}
	return false;
}

/* It speaks for itself: what others said for it holds only if it says so, too. */
static void withdraw_vouched(struct claims *c, uint8_t from, const struct cluster_msg *m)
{
	for (unsigned i = c->n; i-- > 0;) {
		struct claim *k = &c->at[i];
		if (k->owner != from || !k->vouched)
			continue;
		k->vouched = false;
		if (names(m, &k->addr))
			continue;
		k->owner = 0;
		remove_if_idle(c, k);
	}
}

/* A HELLO that was said to another membership and came late tells what its sender owns,
 * yet not that this is all: he may have been granted more since. */
bool claims_on_hello(struct claims *c, uint8_t from, const struct cluster_msg *hello)
{
	if (!claims_is_member(c, from))
		return false;
	for (unsigned i = 0; i < hello->n_claims; i++) {
		struct addr a = cluster_msg_claim(hello, i);
		struct claim *k = find_or_add(c, &a);
		if (k && k->owner == 0)
			*k = (struct claim){
				.addr = a, .owner = from, .waiting = k->waiting};
	}
	if (!is_said_to_all(c, hello))
		return true;
	withdraw_vouched(c, from, hello);
	set_bit(c->heard, from);
	complete_if_all_are_known(c);
	return true;
}

bool claims_on_vouch(struct claims *c, uint8_t from, const struct cluster_msg *vouch)
{
	if (!claims_is_member(c, from))
		return false;
	if (!is_said_to_all(c, vouch))
		return true;
	for (unsigned i = 0; i < vouch->n_claims; i++) {
		struct vouched v = cluster_msg_vouched(vouch, i);
		if (!claims_is_member(c, v.owner) || claims_is_known(c, v.owner) ||
			!has_bit(vouch->silent, v.owner))
			continue;
		struct claim *k = find_or_add(c, &v.addr);
		if (k && k->owner == 0)
			*k = (struct claim){.addr = v.addr,
				.owner = v.owner,
				.vouched = true,
				.waiting = k->waiting};
	}
	for (unsigned i = 0; i < c->n_members; i++)
		if (has_bit(vouch->silent, c->members[i]))
			set_bit(c->vouched, c->members[i]);
	complete_if_all_are_known(c);
	return true;
}

bool claims_on_claim(struct claims *c, uint8_t from, const struct addr *addr)
{
	if (!claims_is_member(c, from))
		return false;
	struct claim *k = find_or_add(c, addr);
	if (!k || k->owner != 0)
		return true;
	if (c->complete)
		*k = (struct claim){.addr = *addr, .owner = from};
	else if (k->waiting == 0)
		k->waiting = from;
	return true;
}

bool claims_on_release(struct claims *c, uint8_t from, const struct addr *addr)
{
	unsigned i = find(c, addr);

	if (!claims_is_member(c, from))
		return false;
	if (i == c->n)
		return true;
	struct claim *k = &c->at[i];
	if (k->owner == from)
		k->owner = 0;
	if (k->waiting == from)
		k->waiting = 0;
	remove_if_idle(c, k);
	return true;
}

uint8_t claims_owner(const struct claims *c, const struct addr *addr)
{
	unsigned i = find(c, addr);

	return i < c->n ? c->at[i].owner : 0;
}
