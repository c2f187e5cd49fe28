/* policy/spd.c - the ordered SPD: adding, sealing, looking up (RFC 4301 4.4.1).
 *
 * RFC 4301 asks for an ordered database; here the order is computed, not written by the
 * operator: the most specific entry stands first, so the first match decides. The same
 * order is what the guard installs, which is how both give one verdict for one packet.
 *
 * Left to others: narrowing (narrow.c), explanations (explain.c), where entries come
 * from (config/).
 */
#include "base/mem.h"
#include "policy/policy.h"
#include "policy/spd.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SPD_FIRST_CAP 16

struct spd *spd_new(void)
{
	return mem_new(1, sizeof(struct spd));
}

void spd_free(struct spd *s)
{
	if (s == NULL)
		return;
	free(s->at);
	free(s);
}

struct spd *spd_dup(const struct spd *s)
{
	struct spd *copy = spd_new();

	copy->n = copy->cap = s->n;
	copy->sealed = s->sealed;
	if (s->n == 0)
		return copy;
	copy->at = mem_new(s->n, sizeof(*copy->at));
	memcpy(copy->at, s->at, s->n * sizeof(*copy->at));
	return copy;
}

enum policy_err spd_add(struct spd *s, const struct spd_entry *e)
{
	assert(!s->sealed);
	assert(ts_valid(&e->local) && ts_valid(&e->remote));
	assert(e->local.lo.family == e->remote.lo.family);

	if (s->n == SPD_ENTRIES_MAX)
		return POLICY_FULL;
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? SPD_FIRST_CAP : s->cap * 2;
		s->at = realloc(s->at, s->cap * sizeof(*s->at));
		assert(s->at != NULL);
	}
	s->at[s->n++] = *e;
	return POLICY_OK;
}

/* ---- order -------------------------------------------------------------- */

static int compare_u32(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

/* How many addresses a selector spans, less one, as a big-endian number. */
static void address_span(const struct ts *t, uint8_t out[16])
{
	unsigned borrow = 0;

	for (size_t i = 16; i-- > 0;) {
		unsigned take = t->lo.b[i] + borrow;

		borrow = t->hi.b[i] < take;
		out[i] = (uint8_t)(t->hi.b[i] - take);
	}
}

static int compare_addresses(const struct ts *a, const struct ts *b)
{
	uint8_t span_a[16], span_b[16];

	address_span(a, span_a);
	address_span(b, span_b);
	return memcmp(span_a, span_b, sizeof(span_a));
}

/* OPAQUE (lo above hi) is narrower than any range: it matches one thing only. */
static int compare_ports(const struct ts *a, const struct ts *b)
{
	int span_a = (int)a->port_hi - (int)a->port_lo;
	int span_b = (int)b->port_hi - (int)b->port_lo;

	return (span_a > span_b) - (span_a < span_b);
}

/* A named protocol on either side makes the pair one protocol's. */
static bool names_protocol(const struct spd_entry *e)
{
	return e->local.proto != IP_ANY || e->remote.proto != IP_ANY;
}

int spd_specificity(const struct spd_entry *a, const struct spd_entry *b)
{
	int c = compare_u32(a->local.lo.family, b->local.lo.family);

	if (c == 0)
		c = compare_addresses(&a->remote, &b->remote);
	if (c == 0)
		c = compare_addresses(&a->local, &b->local);
	if (c == 0)
		c = (int)names_protocol(b) - (int)names_protocol(a);
	if (c == 0)
		c = compare_ports(&a->remote, &b->remote);
	if (c == 0)
		c = compare_ports(&a->local, &b->local);
	if (c == 0)
		c = (int)a->mirrored - (int)b->mirrored;
	return c;
}

static int compare_ts(const struct ts *a, const struct ts *b)
{
	int c = addr_cmp(&a->lo, &b->lo);

	if (c == 0)
		c = addr_cmp(&a->hi, &b->hi);
	if (c == 0)
		c = compare_u32(a->proto, b->proto);
	if (c == 0)
		c = compare_u32(a->port_lo, b->port_lo);
	if (c == 0)
		c = compare_u32(a->port_hi, b->port_hi);
	return c;
}

/* Entries equally specific that overlap (port ranges can): the stricter one decides. */
static const int leniency[] = {
	[POLICY_BLOCK] = 0,
	[POLICY_NEGOTIATE] = 1,
	[POLICY_PERMIT] = 2,
};

/* A total order, so that every node sorts alike whatever its qsort does. */
static int compare_entries(const void *pa, const void *pb)
{
	const struct spd_entry *a = pa, *b = pb;
	int c = spd_specificity(a, b);

	if (c == 0)
		c = leniency[a->action] - leniency[b->action];
	if (c == 0)
		c = compare_ts(&a->remote, &b->remote);
	if (c == 0)
		c = compare_ts(&a->local, &b->local);
	if (c == 0)
		c = compare_u32(a->rule, b->rule);
	if (c == 0)
		c = compare_u32(a->binding, b->binding);
	return c;
}

/* ---- seal --------------------------------------------------------------- */

/* Equal selectors side by side; of those, the rule that was written first. */
static int compare_selectors(const void *pa, const void *pb)
{
	const struct spd_entry *a = pa, *b = pb;
	int c = spd_specificity(a, b);

	if (c == 0)
		c = compare_ts(&a->remote, &b->remote);
	if (c == 0)
		c = compare_ts(&a->local, &b->local);
	if (c == 0)
		c = compare_u32(a->rule, b->rule);
	if (c == 0)
		c = compare_u32(a->binding, b->binding);
	return c;
}

static bool same_selectors(const struct spd_entry *a, const struct spd_entry *b)
{
	return a->mirrored == b->mirrored && ts_equal(&a->local, &b->local) &&
	       ts_equal(&a->remote, &b->remote);
}

/* Only a negotiate entry has more to it than its action. */
static bool same_treatment(const struct spd_entry *a, const struct spd_entry *b)
{
	if (a->action != b->action)
		return false;
	return a->action != POLICY_NEGOTIATE || a->binding == b->binding;
}

/* Of equal selectors one entry is kept. After a contradiction the SPD is good for
 * nothing but a message. */
static enum policy_err merge_equal(
	struct spd *s, const struct spd_entry **a, const struct spd_entry **b)
{
	size_t kept = 0;

	for (size_t i = 1; i < s->n; i++) {
		if (!same_selectors(&s->at[kept], &s->at[i])) {
			s->at[++kept] = s->at[i];
			continue;
		}
		if (!same_treatment(&s->at[kept], &s->at[i])) {
			*a = &s->at[kept];
			*b = &s->at[i];
			return POLICY_CONTRADICTION;
		}
	}
	s->n = kept + 1;
	return POLICY_OK;
}

enum policy_err spd_seal(
	struct spd *s, const struct spd_entry **a, const struct spd_entry **b)
{
	*a = *b = NULL;
	if (s->n == 0) {
		s->sealed = true;
		return POLICY_OK;
	}
	qsort(s->at, s->n, sizeof(*s->at), compare_selectors);
	if (merge_equal(s, a, b) != POLICY_OK)
		return POLICY_CONTRADICTION;
	qsort(s->at, s->n, sizeof(*s->at), compare_entries);
	s->sealed = true;
	return POLICY_OK;
}

/* ---- use ---------------------------------------------------------------- */

size_t spd_count(const struct spd *s)
{
	return s->n;
}

const struct spd_entry *spd_at(const struct spd *s, size_t i)
{
	assert(i < s->n);
	return &s->at[i];
}

bool spd_entry_covers(
	const struct spd_entry *e, enum policy_direction d, const struct flow *f)
{
	if (d == POLICY_IN && !e->mirrored)
		return false;
	return ts_pair_matches(&e->local, &e->remote, f);
}

const struct spd_entry *spd_lookup(
	const struct spd *s, enum policy_direction d, const struct flow *f)
{
	assert(s->sealed);
	for (size_t i = 0; i < s->n; i++) {
		if (spd_entry_covers(&s->at[i], d, f))
			return &s->at[i];
	}
	return NULL;
}
