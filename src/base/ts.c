/* base/ts.c - traffic selectors: containment, intersection, matching, text.
 *
 * RFC 7296 2.9 and 3.13.1, RFC 4301 4.4.1.1 (ANY includes OPAQUE). Leaves the choice
 * among selectors to policy/ and their bytes to wire/.
 */
#include "base/ts.h"

#include "base/iana.h"

#include <assert.h>

static bool ports_any(const struct ts *t)
{
	return t->port_lo == 0 && t->port_hi == UINT16_MAX;
}

static bool ports_opaque(const struct ts *t)
{
	return t->port_lo == UINT16_MAX && t->port_hi == 0;
}

static struct ts whole_range(struct addr lo, struct addr hi)
{
	return (struct ts){.lo = lo, .hi = hi, .port_hi = UINT16_MAX};
}

struct ts ts_any(enum addr_family family)
{
	assert(family == ADDR_V4 || family == ADDR_V6);
	struct prefix all = {.addr = {.family = (uint8_t)family}, .bits = 0};
	return ts_prefix(&all);
}

struct ts ts_host(const struct addr *a)
{
	return whole_range(*a, *a);
}

struct ts ts_prefix(const struct prefix *p)
{
	return whole_range(prefix_first(p), prefix_last(p));
}

bool ts_valid(const struct ts *t)
{
	if (!addr_is_set(&t->lo) || t->lo.family != t->hi.family)
		return false;
	if (addr_cmp(&t->lo, &t->hi) > 0)
		return false;
	if (ports_any(t) || ports_opaque(t))
		return true;
	/* RFC 7296 3.13.1: without a protocol there are no ports to choose from. */
	return t->proto != IP_ANY && t->port_lo <= t->port_hi;
}

bool ts_equal(const struct ts *a, const struct ts *b)
{
	return addr_equal(&a->lo, &b->lo) && addr_equal(&a->hi, &b->hi) &&
	       a->proto == b->proto && a->port_lo == b->port_lo &&
	       a->port_hi == b->port_hi;
}

static bool ports_contain(const struct ts *outer, const struct ts *inner)
{
	if (ports_any(outer))
		return true;
	if (ports_opaque(outer) || ports_opaque(inner))
		return ports_opaque(outer) && ports_opaque(inner);
	return outer->port_lo <= inner->port_lo && inner->port_hi <= outer->port_hi;
}

bool ts_contains(const struct ts *outer, const struct ts *inner)
{
	return ts_has_addr(outer, &inner->lo) && ts_has_addr(outer, &inner->hi) &&
	       (outer->proto == IP_ANY || outer->proto == inner->proto) &&
	       ports_contain(outer, inner);
}

static bool intersect_ports(const struct ts *a, const struct ts *b, struct ts *out)
{
	if (ports_any(a) || ports_any(b)) {
		const struct ts *narrow = ports_any(a) ? b : a;
		out->port_lo = narrow->port_lo;
		out->port_hi = narrow->port_hi;
		return true;
	}
	if (ports_opaque(a) || ports_opaque(b)) {
		out->port_lo = UINT16_MAX;
		out->port_hi = 0;
		return ports_opaque(a) && ports_opaque(b);
	}
	out->port_lo = a->port_lo > b->port_lo ? a->port_lo : b->port_lo;
	out->port_hi = a->port_hi < b->port_hi ? a->port_hi : b->port_hi;
	return out->port_lo <= out->port_hi;
}

bool ts_intersect(const struct ts *a, const struct ts *b, struct ts *out)
{
	struct ts common;

	if (a->lo.family != b->lo.family)
		return false;
	if (a->proto != IP_ANY && b->proto != IP_ANY && a->proto != b->proto)
		return false;
	common.proto = a->proto != IP_ANY ? a->proto : b->proto;
	common.lo = addr_cmp(&a->lo, &b->lo) > 0 ? a->lo : b->lo;
	common.hi = addr_cmp(&a->hi, &b->hi) < 0 ? a->hi : b->hi;
	if (addr_cmp(&common.lo, &common.hi) > 0 || !intersect_ports(a, b, &common))
		return false;
	*out = common;
	return true;
}

bool ts_has_addr(const struct ts *t, const struct addr *a)
{
	return a->family == t->lo.family && addr_cmp(&t->lo, a) <= 0 &&
	       addr_cmp(a, &t->hi) <= 0;
}

bool ts_matches(const struct ts *t, const struct addr *a, uint8_t proto, bool port_known,
	uint16_t port)
{
	if (!ts_has_addr(t, a) || (t->proto != IP_ANY && t->proto != proto))
		return false;
	if (ports_any(t))
		return true;
	if (!port_known)
		return ports_opaque(t);
	return t->port_lo <= port && port <= t->port_hi;
}

bool ts_pair_matches(const struct ts *l, const struct ts *r, const struct flow *f)
{
	return ts_matches(l, &f->local, f->proto, f->ports_known, f->local_port) &&
	       ts_matches(r, &f->remote, f->proto, f->ports_known, f->remote_port);
}

bool ts_list_add(struct ts_list *l, const struct ts *t)
{
	if (l->n >= TS_LIST_MAX)
		return false;
	l->at[l->n++] = *t;
	return true;
}

bool ts_list_equal(const struct ts_list *a, const struct ts_list *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++) {
		if (!ts_equal(&a->at[i], &b->at[i]))
			return false;
	}
	return true;
}

bool ts_lists_match(
	const struct ts_list *l, const struct ts_list *r, const struct flow *f)
{
	for (unsigned i = 0; i < l->n; i++) {
		for (unsigned j = 0; j < r->n; j++) {
			if (ts_pair_matches(&l->at[i], &r->at[j], f))
				return true;
		}
	}
	return false;
}
