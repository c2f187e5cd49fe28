/* daemon/verb_explain.c - which rule decides for a packet, on each scope that it concerns. */
#include "daemon/verbs.h"

#include "policy/explain.h"

struct sharing {
	uint16_t scope;
	const struct flow *flow;
	unsigned n;
};

static bool count_sharing(const struct child_view *v, void *ctx)
{
	struct sharing *s = ctx;
	const struct ike_child *c = &v->child;

	s->n += c->mode == POLICY_TRANSPORT && c->nat_remote && v->active &&
		c->path.scope == s->scope &&
		addr_equal(&c->path.local.addr, &s->flow->local) &&
		addr_equal(&c->path.remote.addr, &s->flow->remote);
	return true;
}

/* SAs that share the other address, behind a NAT: who began decides between their peers. */
static unsigned sharing(const struct daemon *d, uint16_t scope, const struct flow *f)
{
	struct sharing s = {.scope = scope, .flow = f};

	node_each_child(d->node, count_sharing, &s);
	return s.n;
}

/* What the rule's algorithms, of which the peer chooses, do; null where nothing is agreed. */
static json_t *encryption(const struct config *c, const struct policy_explanation *e)
{
	if (e->reason != REASON_ENTRY || e->action != POLICY_NEGOTIATE)
		return json_null();
	const struct config_proposal *p =
		&c->proposals[c->rules[e->entry->rule].proposal];
	unsigned n = 0;
	for (unsigned i = 0; i < p->n_esp; i++)
		n += aead_encrypts(p->esp[i].encr);
	return json_string(n == p->n_esp ? "always" : n == 0 ? "never" : "sometimes");
}

static json_t *explain_scope(struct daemon *d, uint16_t scope, const struct addr *src,
	const struct addr *dst, const unsigned numbers[3])
{
	const struct config *c = node_config(d->node);
	bool host = scope == config_host_scope(c);
	struct spd *spd = config_spd(c, scope);
	struct policy_explanation e;
	enum policy_direction dir;
	char why[POLICY_WHY_MAX];
	json_t *out = NULL;
	struct flow f;

	if (spd && policy_orient(host ? NULL : c->vips[scope].addrs,
			   host ? 0 : c->vips[scope].n_addrs, src, (uint16_t)numbers[1],
			   dst, (uint16_t)numbers[2], (uint8_t)numbers[0], &dir, &f)) {
		policy_explain(spd, dir, &f, &e);
		out = json_pack("{s:s,s:s,s:s,s:s,s:i,s:o}", "vip",
			host ? "host" : c->vips[scope].name, "action",
			policy_action_name(e.action), "rule",
			e.entry ? e.entry->rule_name : "", "why", policy_why(&e, why),
			"sharing", (int)sharing(d, scope, &f), "encryption",
			encryption(c, &e));
	}
	spd_free(spd);
	return out;
}

void verb_explain(const struct request *r)
{
	const struct config *c = node_config(r->d->node);
	const char *src = request_arg(r, "src"), *dst = request_arg(r, "dst");
	const char *names[3] = {"proto", "src_port", "dst_port"};
	unsigned numbers[3];
	struct addr from, to;

	for (int i = 0; i < 3; i++)
		numbers[i] =
			(unsigned)json_integer_value(json_object_get(r->args, names[i]));
	if (!src || !dst || !addr_parse(src, &from) || !addr_parse(dst, &to) ||
		from.family != to.family) {
		answer(r, 1, "explain takes two addresses of one family", NULL);
		return;
	}
	json_t *list = json_array();
	for (uint16_t scope = 0; c && scope <= config_host_scope(c); scope++) {
		json_t *one = explain_scope(r->d, scope, &from, &to, numbers);

		if (one)
			json_array_append_new(list, one);
	}
	answer(r, 0, NULL, list);
}
