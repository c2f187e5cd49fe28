/* config/check.c - what only the whole configuration shows.
 *
 * Contradictions between rules of one scope, rules that can never match, an identity that
 * two scopes share (RFC 7296 2.4: INITIAL_CONTACT of one would delete the SAs of the
 * other), and settings that do not go together. Runs after a draft without errors.
 */
#include "config/draft.h"

#include "base/duration.h"
#include "base/mem.h"
#include "config/expand.h"
#include "policy/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *scope_text(
	const struct config *c, uint16_t scope, char out[POLICY_NAME_MAX + 8])
{
	if (scope == config_host_scope(c))
		snprintf(out, POLICY_NAME_MAX + 8, "the host");
	else
		snprintf(out, POLICY_NAME_MAX + 8, "vip \"%s\"", c->vips[scope].name);
	return out;
}

/* ---- rules of one scope ------------------------------------------------------------- */

/* What expanding a policy gave: the SPD, and an example of each rule's entries. */
struct trial {
	struct draft *d;
	const struct config_policy *policy;
	uint16_t scope;
	struct spd *spd;
	struct spd_entry *sample; /* of each rule of the policy; rule UINT32_MAX: none */
};

static bool trial_expand(struct trial *t)
{
	char scope[POLICY_NAME_MAX + 8];

	for (unsigned i = 0; i < t->policy->n_rules; i++) {
		uint32_t rule = t->policy->rules[i];
		size_t before = spd_count(t->spd);

		if (expand_rule(t->d->c, t->scope, rule, t->spd) != POLICY_OK) {
			errors_add(t->d->errors, t->d->rule_at[rule],
				"too many selectors in policy \"%s\" for %s",
				t->policy->name, scope_text(t->d->c, t->scope, scope));
			return false;
		}
		t->sample[i].rule = UINT32_MAX;
		if (spd_count(t->spd) > before)
			t->sample[i] = *spd_at(t->spd, before);
	}
	return true;
}

static bool trial_seal(struct trial *t)
{
	const struct spd_entry *a, *b;
	char local[TS_TEXT_MAX], remote[TS_TEXT_MAX], scope[POLICY_NAME_MAX + 8];

	if (spd_seal(t->spd, &a, &b) == POLICY_OK)
		return true;
	const struct spd_entry *first = a->rule < b->rule ? a : b;
	const struct spd_entry *then = first == a ? b : a;
	errors_add(t->d->errors, t->d->rule_at[then->rule],
		"rule \"%s\" contradicts rule \"%s\" at line %u: for %s, both match %s "
		"%s %s, "
		"with a different action or authentication",
		then->rule_name, first->rule_name, t->d->rule_at[first->rule].line,
		scope_text(t->d->c, t->scope, scope), ts_format(&a->local, local),
		a->mirrored ? "<->" : "->", ts_format(&a->remote, remote));
	return false;
}

static const struct spd_entry *find_equal(
	const struct spd *s, const struct spd_entry *wanted)
{
	for (size_t i = 0; i < spd_count(s); i++) {
		const struct spd_entry *e = spd_at(s, i);

		if (e->mirrored == wanted->mirrored &&
			ts_equal(&e->local, &wanted->local) &&
			ts_equal(&e->remote, &wanted->remote))
			return e;
	}
	return wanted;
}

/* In transport mode the kernel finds that the interface leads to itself. */
static void trial_interfaces(struct trial *t)
{
	uint32_t said = UINT32_MAX;

	for (size_t i = 0; i < spd_count(t->spd); i++) {
		const struct spd_entry *e = spd_at(t->spd, i);

		if (e->action != POLICY_NEGOTIATE || e->tags.if_id == 0 ||
			e->mode == POLICY_TUNNEL || e->rule == said)
			continue;
		said = e->rule;
		errors_add(t->d->errors, t->d->rule_at[e->rule],
			"rule \"%s\" is for XFRM interface %u in transport mode: such "
			"an interface carries tunnels only",
			e->rule_name, e->tags.if_id);
	}
}

static void trial_unused(struct trial *t)
{
	char scope[POLICY_NAME_MAX + 8];
	bool *used = mem_new(t->d->c->n_rules, sizeof(*used));

	scope_text(t->d->c, t->scope, scope);
	for (size_t i = 0; i < spd_count(t->spd); i++)
		used[spd_at(t->spd, i)->rule] = true;
	for (unsigned i = 0; i < t->policy->n_rules; i++) {
		uint32_t rule = t->policy->rules[i];

		if (used[rule])
			continue;
		if (t->sample[i].rule == UINT32_MAX)
			errors_warn(t->d->errors, t->d->rule_at[rule],
				"rule \"%s\" matches nothing on %s",
				t->d->c->rules[rule].name, scope);
		else
			errors_warn(t->d->errors, t->d->rule_at[rule],
				"rule \"%s\" can never match on %s: rule \"%s\" covers "
				"the "
				"same",
				t->d->c->rules[rule].name, scope,
				find_equal(t->spd, &t->sample[i])->rule_name);
	}
	free(used);
}

/* A network on our side that holds none of the VIP's addresses: a gateway's tunnel has it,
 * anything else has probably been written the wrong way round. */
static bool filter_is_foreign(const struct config_filter *f, const struct config_vip *vip)
{
	for (unsigned i = 0; i < f->local.n_prefixes; i++) {
		for (unsigned k = 0; k < vip->n_addrs; k++) {
			if (prefix_contains(&f->local.prefixes[i], &vip->addrs[k]))
				return false;
		}
	}
	return f->local.kind == SIDE_PREFIX;
}

static void check_foreign(struct draft *d, const struct config_vip *vip, uint32_t rule)
{
	const struct config_rule *r = &d->c->rules[rule];
	const struct config_filter_list *list;

	if (r->filter_list == CONFIG_MATCH_ANY ||
		(r->action == POLICY_NEGOTIATE && r->mode == POLICY_TUNNEL))
		return;
	list = &d->c->filter_lists[r->filter_list];
	for (unsigned i = 0; i < list->n_filters; i++) {
		if (filter_is_foreign(&list->filters[i], vip))
			errors_warn(d->errors, d->filters[r->filter_list][i].at,
				"no address of vip \"%s\" is in what stands on our side, "
				"for rule \"%s\": write \"me\" there, or exchange the "
				"ends",
				vip->name, r->name);
	}
}

static void check_scope(struct draft *d, uint16_t scope)
{
	uint32_t index = expand_policy_of(d->c, scope);

	if (index == CONFIG_NO_POLICY || d->c->policies[index].n_rules == 0)
		return;
	struct trial t = {
		.d = d,
		.policy = &d->c->policies[index],
		.scope = scope,
		.spd = spd_new(),
	};
	for (unsigned i = 0; scope < d->c->n_vips && i < t.policy->n_rules; i++)
		check_foreign(d, &d->c->vips[scope], t.policy->rules[i]);
	t.sample = mem_new(t.policy->n_rules, sizeof(*t.sample));
	if (trial_expand(&t) && trial_seal(&t)) {
		trial_unused(&t);
		trial_interfaces(&t);
	}
	free(t.sample);
	spd_free(t.spd);
}

/* ---- identities ------------------------------------------------------------------------ */

struct claim {
	struct identity id;
	uint16_t scope;
	uint32_t rule; /* one that uses it */
};

static int compare_claims(const void *pa, const void *pb)
{
	const struct claim *a = pa, *b = pb;
	int c = identity_cmp(&a->id, &b->id);

	if (c == 0)
		c = (a->scope > b->scope) - (a->scope < b->scope);
	if (c == 0)
		c = (a->rule > b->rule) - (a->rule < b->rule);
	return c;
}

/* Where the identities of one scope go; NULL: they are only counted. */
struct claims {
	struct claim *at;
	size_t n;
};

static void claim(struct claims *to, struct identity id, uint16_t scope, uint32_t rule)
{
	if (to->at != NULL)
		to->at[to->n] = (struct claim){.id = id, .scope = scope, .rule = rule};
	to->n++;
}

static void claim_rule(const struct config *c, uint16_t scope, uint32_t rule,
	bool *defaults, struct claims *to)
{
	const struct config_rule *r = &c->rules[rule];

	for (unsigned i = 0; i < r->n_auths && r->action == POLICY_NEGOTIATE; i++) {
		if (!identity_is_any(&r->auths[i].local_id)) {
			claim(to, r->auths[i].local_id, scope, rule);
			continue;
		}
		/* the address: once is enough; the host's own are not known here */
		for (unsigned k = 0;
			!*defaults && scope < c->n_vips && k < c->vips[scope].n_addrs;
			k++)
			claim(to, identity_from_addr(&c->vips[scope].addrs[k]), scope,
				rule);
		*defaults = true;
	}
}

static void claim_all(const struct config *c, struct claims *to)
{
	for (uint16_t scope = 0; scope <= c->n_vips; scope++) {
		uint32_t policy = expand_policy_of(c, scope);
		bool defaults = false;

		if (policy == CONFIG_NO_POLICY)
			continue;
		for (unsigned i = 0; i < c->policies[policy].n_rules; i++)
			claim_rule(c, scope, c->policies[policy].rules[i], &defaults, to);
	}
}

static void check_identities(struct draft *d)
{
	struct claims claims = {.at = NULL};
	char a[POLICY_NAME_MAX + 8], b[POLICY_NAME_MAX + 8], id[IDENTITY_TEXT_MAX];

	claim_all(d->c, &claims);
	if (claims.n == 0)
		return;
	claims = (struct claims){.at = mem_new(claims.n, sizeof(*claims.at))};
	claim_all(d->c, &claims);
	qsort(claims.at, claims.n, sizeof(*claims.at), compare_claims);
	for (size_t i = 1; i < claims.n; i++) {
		const struct claim *one = &claims.at[i - 1], *two = &claims.at[i];

		if (one->scope == two->scope || !identity_equal(&one->id, &two->id))
			continue;
		errors_add(d->errors, d->rule_at[two->rule],
			"%s and %s have one identity, %s: the SAs of one would end those "
			"of the other; give each a local-id of its own",
			scope_text(d->c, one->scope, a), scope_text(d->c, two->scope, b),
			identity_format(&two->id, id));
	}
	free(claims.at);
}

/* ---- what does not go together ------------------------------------------------------------ */

static void check_timers(struct draft *d)
{
	const struct config_tuning *t = &d->c->tuning;
	const struct config_cluster *cluster = &d->c->cluster;
	char own[DURATION_TEXT_MAX], other[DURATION_TEXT_MAX];
	bool shared = d->c->cluster.backend != BACKEND_NONE;

	if (t->idle_timeout_failover_ms > t->idle_timeout_ms)
		errors_warn(d->errors,
			d->idle_failover_at.line != 0 ? d->idle_failover_at
						      : d->idle_timeout_at,
			"idle-timeout-failover (%s) is longer than idle-timeout (%s)",
			duration_format(t->idle_timeout_failover_ms, own),
			duration_format(t->idle_timeout_ms, other));
	if (shared && t->idle_timeout_failover_ms < cluster->failover_time_ms)
		errors_warn(d->errors, d->idle_failover_at,
			"idle-timeout-failover (%s) is shorter than the cluster's "
			"failover-time (%s): peers give up before the VIP has moved",
			duration_format(t->idle_timeout_failover_ms, own),
			duration_format(cluster->failover_time_ms, other));
}

static void check_host(struct draft *d)
{
	const struct config_policy *policy;

	if (d->c->host_policy == CONFIG_NO_POLICY)
		return;
	if (d->c->cluster.backend != BACKEND_NONE)
		errors_add(d->errors, d->host_at,
			"a policy for the host needs \"backend none\"; on a cluster, "
			"assign it to a vip");
	policy = &d->c->policies[d->c->host_policy];
	for (unsigned i = 0; i < policy->n_rules; i++) {
		const struct config_rule *r = &d->c->rules[policy->rules[i]];

		if (r->action == POLICY_NEGOTIATE && r->mode == POLICY_TUNNEL &&
			!addr_is_set(&r->tunnel_to) && !r->tunnel_name[0])
			errors_warn(d->errors, d->rule_at[policy->rules[i]],
				"rule \"%s\" cannot call anybody: \"mode tunnel\" has no "
				"endpoint (mode tunnel to ADDRESS)",
				r->name);
	}
}

static bool is_ah_alone(const struct config_proposal *p)
{
	bool any = false;

	for (unsigned i = 0; i < p->n_esp; i++)
		any |= !p->esp[i].ah;
	return !any;
}

/* AH has no UDP encapsulation. */
static void check_ah(struct draft *d)
{
	for (unsigned i = 0; i < d->c->n_rules; i++) {
		const struct config_rule *r = &d->c->rules[i];

		if (d->c->dataplane.encap == ENCAP_FORCE &&
			r->action == POLICY_NEGOTIATE &&
			is_ah_alone(&d->c->proposals[r->proposal]))
			errors_add(d->errors, d->rule_at[i],
				"rule \"%s\" has nothing but AH, which cannot go in UDP: "
				"\"udp-encap force\" needs ESP (esp null-sha256)",
				r->name);
	}
}

static void check_assigned(struct draft *d)
{
	bool any = d->c->host_policy != CONFIG_NO_POLICY;

	for (unsigned i = 0; i < d->c->n_vips; i++) {
		if (d->c->vips[i].policy == CONFIG_NO_POLICY)
			errors_warn(d->errors, d->vip_at[i],
				"vip \"%s\" has no policy: nothing is protected there",
				d->c->vips[i].name);
		any = true;
	}
	if (!any)
		errors_warn(d->errors, (struct place){0},
			"no policy is assigned: nothing is protected");
}

/* What only the kernel can do must not be left to the other plane, which serves or may. */
static void check_tags(struct draft *d, const struct policy_tags *tags,
	const struct draft_tags *at, const char *instead)
{
	if (at->if_id.line != 0)
		errors_add(d->errors, at->if_id,
			"if-id needs the kernel's data plane: %s", instead);
	if (at->mark.line != 0 && tags->mask != UINT32_MAX)
		errors_add(d->errors, at->mark,
			"a mask needs the kernel's data plane, since the userspace plane "
			"does not see what mark a packet had: %s",
			instead);
}

static void check_plane(struct draft *d)
{
	const struct config_dataplane *p = &d->c->dataplane;
	const char *instead = p->prefer == PLANE_KERNEL
				      ? "leave \"fallback userspace\" out"
				      : "write dataplane { prefer kernel; }";

	if (p->prefer == PLANE_KERNEL && !p->has_fallback)
		return;
	if (p->offload == OFFLOAD_CRYPTO || p->offload == OFFLOAD_PACKET)
		errors_add(d->errors, d->offload_at,
			"offload %s needs the kernel's data plane: %s",
			policy_offload_name(p->offload), instead);
	for (unsigned i = 0; i < d->n_actions; i++)
		check_tags(d, &d->actions[i].tags, &d->actions[i].tags_at, instead);
	for (unsigned i = 0; i < d->c->n_vips; i++)
		check_tags(d, &d->c->vips[i].tags, &d->vip_tags_at[i], instead);
}

void draft_check(struct draft *d)
{
	for (uint16_t scope = 0; scope <= d->c->n_vips; scope++)
		check_scope(d, scope);
	check_identities(d);
	check_timers(d);
	check_host(d);
	check_ah(d);
	check_assigned(d);
	check_plane(d);
}
