/* xfrm/claims.c - a slot for each selector and direction, and in it those who want it. */
#include "config.h"

#include "xfrm/claims.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "policy/policy.h"
#include "xfrm/select.h"

struct slot_key {
	struct xfrm_selector sel;
	uint32_t dir, if_id;
};
_Static_assert(
	sizeof(struct slot_key) <= MAP_KEY_MAX, "what the kernel tells policies by");

struct slot {
	struct slot_key key;
	struct list wants; /* struct claim, the best first */
	const struct claim *installed; /* NULL: not in the kernel */
	bool refused; /* and that is because the kernel did not take it */
	bool seen; /* by a comparison */
};

struct claim {
	struct list of_slot, of_claimant;
	struct slot *slot;
	struct claimant *owner;
	uint32_t rule;
	struct request_policy policy;
};

struct claims {
	struct map *slots;
	struct request_line *line;
	struct claims_failure failure; /* error 0: none that is new */
	bool untidy; /* one that nobody wants is still there */
};

struct claims *claims_new(const struct entropy *e, struct request_line *line)
{
	struct claims *c = mem_new(1, sizeof(*c));

	c->slots = map_new(e);
	c->line = line;
	return c;
}

/* Field by field: what the kernel hands out may have something in the padding. */
static struct slot_key key_of(
	const struct xfrm_selector *sel, uint8_t dir, uint32_t if_id)
{
	struct slot_key k;

	memset(&k, 0, sizeof(k));
	k.sel.saddr = sel->saddr;
	k.sel.daddr = sel->daddr;
	k.sel.sport = sel->sport;
	k.sel.sport_mask = sel->sport_mask;
	k.sel.dport = sel->dport;
	k.sel.dport_mask = sel->dport_mask;
	k.sel.family = sel->family;
	k.sel.prefixlen_s = sel->prefixlen_s;
	k.sel.prefixlen_d = sel->prefixlen_d;
	k.sel.proto = sel->proto;
	k.sel.ifindex = sel->ifindex;
	k.sel.user = sel->user;
	k.dir = dir;
	k.if_id = if_id;
	return k;
}

static struct slot *find(const struct claims *c, const struct xfrm_selector *sel,
	uint8_t dir, uint32_t if_id)
{
	struct slot_key k = key_of(sel, dir, if_id);

	return map_get(c->slots, span_of(&k, sizeof(k)));
}

static struct slot *slot_for(struct claims *c, const struct request_policy *p)
{
	struct slot *s = find(c, &p->sel, p->dir, p->if_id);

	if (s)
		return s;
	s = mem_new(1, sizeof(*s));
	s->key = key_of(&p->sel, p->dir, p->if_id);
	list_init(&s->wants);
	map_put(c->slots, span_of(&s->key, sizeof(s->key)), s);
	return s;
}

static void slot_free(struct claims *c, struct slot *s)
{
	(void)map_take(c->slots, span_of(&s->key, sizeof(s->key)));
	free(s);
}

static struct claim *best_of(const struct slot *s)
{
	return list_empty(&s->wants) ? NULL
				     : list_entry(s->wants.next, struct claim, of_slot);
}

/* Before the first that is not better. */
static void line_up(struct slot *s, struct claim *mine)
{
	list_each(item, &s->wants)
	{
		const struct claim *other = list_entry(item, struct claim, of_slot);
		if (other->policy.priority >= mine->policy.priority) {
			list_add(item, &mine->of_slot);
			return;
		}
	}
	list_add(&s->wants, &mine->of_slot);
}

static bool same_policy(const struct request_policy *a, const struct request_policy *b)
{
	return a->action == b->action && a->priority == b->priority &&
	       a->has_tmpl == b->has_tmpl && a->offload_ifindex == b->offload_ifindex &&
	       (!a->has_tmpl ||
		       (a->tmpl.reqid == b->tmpl.reqid && a->tmpl.mode == b->tmpl.mode &&
			       a->tmpl.family == b->tmpl.family &&
			       a->tmpl.id.proto == b->tmpl.id.proto &&
			       memcmp(&a->tmpl.id.daddr, &b->tmpl.id.daddr,
				       sizeof(a->tmpl.id.daddr)) == 0 &&
			       memcmp(&a->tmpl.saddr, &b->tmpl.saddr,
				       sizeof(a->tmpl.saddr)) == 0));
}

static void clear_slot(struct claims *c, struct slot *s, uint16_t scope)
{
	int err = request_policy_delete(
		c->line, &s->key.sel, (uint8_t)s->key.dir, s->key.if_id);

	slot_free(c, s);
	if (err == 0 || err == ENOENT)
		return;
	c->untidy = true;
	c->failure = (struct claims_failure){err, scope, CLAIM_NO_RULE};
}

/* The kernel gets the best one, if it has not got it. */
static int settle(struct claims *c, struct slot *s)
{
	struct claim *best = best_of(s);
	int err;

	if (s->installed && same_policy(&s->installed->policy, &best->policy)) {
		s->installed = best;
		return 0;
	}
	err = request_policy_set(c->line, &best->policy);
	s->installed = err == 0 ? best : NULL;
	s->refused = err != 0;
	if (err != 0)
		c->failure = (struct claims_failure){err, best->owner->scope, best->rule};
	return err;
}

/* ---- claiming ---------------------------------------------------------------------------- */

void claimant_init(struct claimant *w, uint16_t scope)
{
	*w = (struct claimant){.scope = scope};
	list_init(&w->claims);
}

int claims_add(struct claims *c, struct claimant *w, const struct request_policy *p,
	uint32_t rule)
{
	struct claim *mine = mem_new(1, sizeof(*mine));

	mine->slot = slot_for(c, p);
	mine->owner = w;
	mine->rule = rule;
	mine->policy = *p;
	list_add(&w->claims, &mine->of_claimant);
	line_up(mine->slot, mine);
	return settle(c, mine->slot);
}

static void drop_one(struct claims *c, struct claim *mine)
{
	struct slot *s = mine->slot;
	uint16_t scope = mine->owner->scope;

	list_del(&mine->of_slot);
	list_del(&mine->of_claimant);
	const struct claim *best = best_of(s);
	/* A like one needs no word to the kernel. */
	if (s->installed == mine)
		s->installed =
			best && same_policy(&mine->policy, &best->policy) ? best : NULL;
	free(mine);
	if (best)
		(void)settle(c, s); /* claims_failed() tells */
	else
		clear_slot(c, s, scope);
}

void claims_drop(struct claims *c, struct claimant *w)
{
	list_each_safe(item, &w->claims)
	{
		drop_one(c, list_entry(item, struct claim, of_claimant));
	}
}

void claims_hand_over(struct claimant *from, struct claimant *to)
{
	list_each_safe(item, &from->claims)
	{
		struct claim *one = list_entry(item, struct claim, of_claimant);
		list_del(&one->of_claimant);
		list_add(&to->claims, &one->of_claimant);
		one->owner = to;
	}
}

static bool free_slot(void *value, void *ctx)
{
	struct slot *s = value;

	(void)ctx;
	list_each_safe(item, &s->wants)
	{
		struct claim *one = list_entry(item, struct claim, of_slot);
		list_del(&one->of_claimant);
		free(one);
	}
	free(s);
	return true;
}

void claims_free(struct claims *c)
{
	if (!c)
		return;
	map_each(c->slots, free_slot, NULL);
	map_free(c->slots);
	free(c);
}

/* ---- looking ------------------------------------------------------------------------------ */

bool claims_find(const struct claims *c, const struct claims_name *name, uint16_t *scope,
	uint32_t *rule)
{
	const struct slot *s = find(c, &name->sel, name->dir, name->if_id);

	if (!s || !best_of(s))
		return false;
	*scope = best_of(s)->owner->scope;
	*rule = best_of(s)->rule;
	return true;
}

bool claims_failed(struct claims *c, struct claims_failure *out)
{
	*out = c->failure;
	c->failure.error = 0;
	return out->error != 0;
}

size_t claims_count(const struct claims *c)
{
	return map_count(c->slots);
}

/* ---- the kernel's table beside ours ---------------------------------------------------------- */

struct stray {
	struct list link;
	struct claims_name name;
};

struct comparison {
	struct claims *claims;
	struct list strays;
	size_t changed;
	void (*other)(const struct request_policy *p, void *ctx);
	void *ctx;
};

static bool is_marked(const struct request_policy *p)
{
	return p->sel.user == SELECT_USER;
}

static void note_stray(struct list *strays, const struct request_policy *p)
{
	struct stray *x = mem_new(1, sizeof(*x));

	x->name = (struct claims_name){p->sel, p->dir, p->if_id};
	list_add(strays, &x->link);
}

static size_t count(const struct list *strays)
{
	size_t n = 0;

	list_each(item, strays) n++;
	return n;
}

static void delete_strays(struct request_line *line, struct list *strays, int *error)
{
	list_each_safe(item, strays)
	{
		struct stray *x = list_entry(item, struct stray, link);
		int err = request_policy_delete(
			line, &x->name.sel, x->name.dir, x->name.if_id);
		if (err != 0 && err != ENOENT)
			*error = err;
		list_del(&x->link);
		free(x);
	}
}

static void compare_one(const struct request_policy *p, void *ctx)
{
	struct comparison *k = ctx;
	struct slot *s;

	if (!is_marked(p)) {
		if (k->other)
			k->other(p, k->ctx);
		return;
	}
	s = find(k->claims, &p->sel, p->dir, p->if_id);
	if (!s)
		note_stray(&k->strays, p);
	else
		s->seen = best_of(s) && same_policy(p, &best_of(s)->policy);
}

/* One that the kernel did not take has been taken away by nobody. */
static bool mend_slot(void *value, void *ctx)
{
	struct comparison *k = ctx;
	struct slot *s = value;

	if (!s->seen) {
		k->changed += !s->refused;
		s->installed = NULL;
		(void)settle(k->claims, s); /* claims_failed() tells */
	}
	s->seen = false;
	return true;
}

int claims_mend(struct claims *c, size_t *changed,
	void (*other)(const struct request_policy *p, void *ctx), void *ctx)
{
	struct comparison k = {.claims = c, .other = other, .ctx = ctx};
	int left = 0;

	list_init(&k.strays);
	int err = request_policy_each(c->line, compare_one, &k);
	if (err == 0)
		map_each(c->slots, mend_slot, &k);
	k.changed += c->untidy ? 0 : count(&k.strays);
	delete_strays(c->line, &k.strays, &left);
	c->untidy = left != 0;
	if (left != 0)
		c->failure = (struct claims_failure){left, SCOPE_MAX, CLAIM_NO_RULE};
	*changed = k.changed;
	return err;
}

static void sweep_one(const struct request_policy *p, void *ctx)
{
	if (is_marked(p))
		note_stray(ctx, p);
}

int claims_sweep(struct request_line *line, size_t *n)
{
	struct list strays;
	int error;

	list_init(&strays);
	error = request_policy_each(line, sweep_one, &strays);
	*n = count(&strays);
	delete_strays(line, &strays, &error);
	return error;
}

static void count_one(const struct request_policy *p, void *ctx)
{
	*(size_t *)ctx += is_marked(p);
}

int claims_left(struct request_line *line, size_t *n)
{
	*n = 0;
	return request_policy_each(line, count_one, n);
}
