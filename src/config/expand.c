/* config/expand.c - rules into SPD entries, for one scope.
 *
 * A filter line stands for every combination of its addresses, prefixes and ports, in
 * each address family on its own. For a VIP, `me` and `any` on our side mean the VIP's
 * addresses; for the host they mean every local address. A line about another VIP means
 * nothing here.
 */
#include "config/expand.h"

#include "base/iana.h"

#include <assert.h>
#include <stdio.h>

enum { SELECTORS_MAX = CONFIG_SIDE_PREFIXES };
_Static_assert(CONFIG_VIP_ADDRS <= SELECTORS_MAX, "one side's selectors fit");

/* The alternatives of one side, in one family. */
struct selectors {
	struct ts at[SELECTORS_MAX];
	unsigned n;
};

static void put(struct selectors *out, struct ts t)
{
	assert(out->n < SELECTORS_MAX);
	out->at[out->n++] = t;
}

static void put_vip(struct selectors *out, const struct config_vip *vip, uint8_t family)
{
	for (unsigned i = 0; i < vip->n_addrs; i++) {
		if (vip->addrs[i].family == family)
			put(out, ts_host(&vip->addrs[i]));
	}
}

static void put_prefixes(
	struct selectors *out, const struct config_side *side, uint8_t family)
{
	for (unsigned i = 0; i < side->n_prefixes; i++) {
		if (side->prefixes[i].addr.family == family)
			put(out, ts_prefix(&side->prefixes[i]));
	}
}

static void local_selectors(const struct config *c, uint16_t scope,
	const struct config_side *side, uint8_t family, struct selectors *out)
{
	bool host = scope == config_host_scope(c);

	out->n = 0;
	switch (side->kind) {
	case SIDE_PREFIX:
		put_prefixes(out, side, family);
		return;
	case SIDE_VIP:
		if (host || side->vip == scope)
			put_vip(out, &c->vips[side->vip], family);
		return;
	case SIDE_ME:
	case SIDE_ANY:
		if (host)
			put(out, ts_any((enum addr_family)family));
		else
			put_vip(out, &c->vips[scope], family);
		return;
	}
}

static void remote_selectors(
	const struct config_side *side, uint8_t family, struct selectors *out)
{
	out->n = 0;
	if (side->kind == SIDE_PREFIX)
		put_prefixes(out, side, family);
	else
		put(out, ts_any((enum addr_family)family));
}

static void set_ports(struct ts *t, const struct config_side *side, unsigned i)
{
	if (side->n_ports == 0)
		return;
	t->port_lo = side->ports[i].lo;
	t->port_hi = side->ports[i].hi;
}

static unsigned port_choices(const struct config_side *side)
{
	return side->n_ports > 0 ? side->n_ports : 1;
}

/* Every combination of ports for one pair of addresses. */
static enum policy_err add_ports(
	struct spd *s, const struct config_filter *f, struct spd_entry *e)
{
	unsigned locals = port_choices(&f->local), remotes = port_choices(&f->remote);

	for (unsigned i = 0; i < locals * remotes; i++) {
		set_ports(&e->local, &f->local, i / remotes);
		set_ports(&e->remote, &f->remote, i % remotes);
		if (spd_add(s, e) != POLICY_OK)
			return POLICY_FULL;
	}
	return POLICY_OK;
}

static enum policy_err add_family(const struct config *c, uint16_t scope, uint8_t family,
	const struct config_filter *f, struct spd_entry *e, struct spd *s)
{
	struct selectors locals, remotes;

	if ((f->proto == IP_ICMP && family == ADDR_V6) ||
		(f->proto == IP_ICMPV6 && family == ADDR_V4))
		return POLICY_OK;
	local_selectors(c, scope, &f->local, family, &locals);
	remote_selectors(&f->remote, family, &remotes);
	for (unsigned i = 0; i < locals.n * remotes.n; i++) {
		e->local = locals.at[i / remotes.n];
		e->remote = remotes.at[i % remotes.n];
		e->local.proto = e->remote.proto = f->proto;
		if (add_ports(s, f, e) != POLICY_OK)
			return POLICY_FULL;
	}
	return POLICY_OK;
}

static enum policy_err add_filter(const struct config *c, uint16_t scope,
	const struct config_filter *f, struct spd_entry *e, struct spd *s)
{
	e->mirrored = f->mirrored;
	if (add_family(c, scope, ADDR_V4, f, e, s) != POLICY_OK)
		return POLICY_FULL;
	return add_family(c, scope, ADDR_V6, f, e, s);
}

struct policy_tags config_tags(const struct config *c, uint16_t scope, uint32_t rule)
{
	struct policy_tags tags = c->rules[rule].tags;
	const struct policy_tags none = {0},
				 *vip = scope < c->n_vips ? &c->vips[scope].tags : &none;

	if (tags.mask == 0) {
		tags.mark = vip->mark;
		tags.mask = vip->mask;
	}
	if (tags.if_id == 0)
		tags.if_id = vip->if_id;
	return tags;
}

enum policy_err expand_rule(
	const struct config *c, uint16_t scope, uint32_t index, struct spd *s)
{
	static const struct config_filter everything = {
		.local.kind = SIDE_ME, .remote.kind = SIDE_ANY, .mirrored = true};
	const struct config_rule *rule = &c->rules[index];
	struct spd_entry e = {
		.action = rule->action,
		.mode = rule->mode,
		.tunnel_to = rule->tunnel_to,
		.tags = config_tags(c, scope, index),
		.rule = index,
		.binding = rule->binding,
		.ah = c->proposals[rule->proposal].esp[0].ah,
	};

	snprintf(e.rule_name, sizeof(e.rule_name), "%s", rule->name);
	if (rule->filter_list == CONFIG_MATCH_ANY)
		return add_filter(c, scope, &everything, &e, s);

	const struct config_filter_list *list = &c->filter_lists[rule->filter_list];
	for (unsigned i = 0; i < list->n_filters; i++) {
		if (add_filter(c, scope, &list->filters[i], &e, s) != POLICY_OK)
			return POLICY_FULL;
	}
	return POLICY_OK;
}

uint32_t expand_policy_of(const struct config *c, uint16_t scope)
{
	assert(scope <= c->n_vips);
	return scope == config_host_scope(c) ? c->host_policy : c->vips[scope].policy;
}

struct spd *config_spd(const struct config *c, uint16_t scope)
{
	uint32_t index = expand_policy_of(c, scope);
	const struct spd_entry *a, *b;

	if (index == CONFIG_NO_POLICY)
		return NULL;

	const struct config_policy *policy = &c->policies[index];
	struct spd *s = spd_new();
	enum policy_err err = POLICY_OK;
	for (unsigned i = 0; i < policy->n_rules && err == POLICY_OK; i++)
		err = expand_rule(c, scope, policy->rules[i], s);
	if (err == POLICY_OK)
		err = spd_seal(s, &a, &b);
	assert(err == POLICY_OK); /* config_parse() has tried this */
	return s;
}
