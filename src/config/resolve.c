/* config/resolve.c - names into indices, actions into rules, policies onto scopes.
 *
 * Runs after a file without syntax errors, also when it has others: an undefined name is
 * worth telling in the same breath.
 */
#include "config/draft.h"

#include <stdio.h>
#include <string.h>

/* ---- filter lists ------------------------------------------------------------------ */

static bool vip_has_family(const struct config_vip *vip, uint8_t family)
{
	for (unsigned i = 0; i < vip->n_addrs; i++) {
		if (vip->addrs[i].family == family)
			return true;
	}
	return false;
}

static void resolve_filter(
	struct draft *d, struct config_filter *f, const struct draft_filter *from)
{
	struct names vips = names_vips(d);
	int vip;

	if (f->local.kind != SIDE_VIP)
		return;
	vip = names_resolve(d, &vips, &from->vip);
	if (vip < 0)
		return;
	f->local.vip = (uint32_t)vip;
	if (f->remote.n_prefixes == 0)
		return;
	uint8_t family = f->remote.prefixes[0].addr.family;
	if (!vip_has_family(&d->c->vips[vip], family))
		errors_add(d->errors, from->at,
			"vip \"%s\" has no IPv%u address: this line can never match",
			from->vip.text, family);
}

static void resolve_filters(struct draft *d)
{
	for (unsigned i = 0; i < d->c->n_filter_lists; i++) {
		struct config_filter_list *list = &d->c->filter_lists[i];

		for (unsigned k = 0; k < list->n_filters; k++)
			resolve_filter(d, &list->filters[k], &d->filters[i][k]);
	}
}

/* ---- rules ---------------------------------------------------------------------------- */

static void resolve_actions(struct draft *d)
{
	struct names proposals = names_proposals(d);

	for (unsigned i = 0; i < d->n_actions; i++) {
		struct draft_action *action = &d->actions[i];

		if (action->proposal.text[0] == '\0')
			continue;
		int found = names_resolve(d, &proposals, &action->proposal);
		action->proposal_index = found < 0 ? 0 : (uint32_t)found;
	}
}

static void resolve_secret(
	struct draft *d, struct config_auth *auth, const struct ref *ref)
{
	struct names secrets = names_secrets(d);
	int found = names_resolve(d, &secrets, ref);

	if (found < 0)
		return;
	snprintf(auth->secret_name, sizeof(auth->secret_name), "%s", ref->text);
	auth->psk = d->secrets[found].psk;
}

static const struct config_identity *find_identity(
	struct draft *d, const struct ref *ref, char name[POLICY_NAME_MAX])
{
	struct names identities = names_identities(d);
	int found = names_resolve(d, &identities, ref);

	if (found < 0)
		return NULL;
	snprintf(name, POLICY_NAME_MAX, "%s", ref->text);
	return &d->c->identities[found];
}

/* What we say that we are must stand in our certificate, or no peer believes it. */
static void resolve_own(struct draft *d, struct config_auth *auth, const struct ref *ref)
{
	const struct config_identity *i = find_identity(d, ref, auth->identity_name);
	char text[IDENTITY_TEXT_MAX];

	if (!i)
		return;
	auth->credential = i->credential;
	/* What could not be read has been told already. */
	if (!i->credential && d->errors->n_errors > 0)
		return;
	if (!i->credential)
		errors_add(d->errors, ref->at,
			"identity \"%s\" has no cert and key to prove ourselves with",
			i->name);
	else if (identity_is_any(&auth->local_id))
		auth->local_id = i->id;
	else if (!certificate_has_name(credential_at(i->credential, 0), &auth->local_id))
		errors_add(d->errors, ref->at,
			"the certificate of identity \"%s\" is not for local-id %s",
			i->name, identity_format(&auth->local_id, text));
}

static void resolve_trust(
	struct draft *d, struct config_auth *auth, const struct ref *ref)
{
	const struct config_identity *i = find_identity(d, ref, auth->trust_name);

	if (!i)
		return;
	auth->trust = i->trust;
	auth->lapse = i->lapse;
	/* Whoever has a certificate of our CA, unless the rule names somebody. */
	if (identity_is_any(&auth->remote_id))
		auth->remote_any = true;
	if (!i->trust && d->errors->n_errors == 0)
		errors_add(d->errors, ref->at,
			"identity \"%s\" has no ca whose certificates a peer could show",
			i->name);
}

static void resolve_auth(struct draft *d, const struct draft_rule *from,
	struct config_auth *auth, unsigned k)
{
	if (auth->own == PROOF_PSK || auth->peer == PROOF_PSK)
		resolve_secret(d, auth, &from->secrets[k]);
	if (auth->own == PROOF_CERT)
		resolve_own(d, auth, &from->identities[k]);
	/* A name that is missing for both is told once. */
	bool told = auth->own == PROOF_CERT && auth->identity_name[0] == '\0' &&
		    strcmp(from->identities[k].text, from->trusts[k].text) == 0;
	if (auth->peer == PROOF_CERT && !told)
		resolve_trust(d, auth, &from->trusts[k]);
}

/* False: the action is not known, so nothing more can be said about the rule. */
static bool resolve_action(
	struct draft *d, struct config_rule *rule, const struct ref *ref)
{
	struct names actions = names_actions(d);
	int found;

	if (ref->text[0] == '\0')
		return true;
	found = names_resolve(d, &actions, ref);
	if (found < 0)
		return false;
	const struct draft_action *action = &d->actions[found];
	rule->action = action->action;
	rule->mode = action->mode;
	rule->tunnel_to = action->tunnel_to;
	memcpy(rule->tunnel_name, action->tunnel_name, sizeof(rule->tunnel_name));
	rule->proposal = action->proposal_index;
	rule->pfs = action->pfs;
	rule->childless = action->childless;
	rule->tags = action->tags;
	return true;
}

static void resolve_ppk(struct draft *d, struct config_rule *rule, const struct ref *ref)
{
	struct names secrets = names_secrets(d);
	bool required = rule->ppk.required;

	if (ref->text[0] == '\0')
		return;
	int found = names_resolve(d, &secrets, ref);
	if (found < 0)
		return;
	if (d->secrets[found].ppk.key.len == 0 && !d->damaged && d->errors->n_errors == 0)
		errors_add(d->errors, ref->at, "secret \"%s\" holds no ppk", ref->text);
	rule->ppk = d->secrets[found].ppk;
	rule->ppk.required = required;
}

/* Where a peer is, DNS says, unproved: it must not say who the peer is as well. To be asked
 * before an unsaid remote-id becomes whoever a CA knows. */
static bool names_its_peers(const struct config_rule *rule)
{
	for (unsigned k = 0; k < rule->n_auths; k++)
		if (identity_is_any(&rule->auths[k].remote_id) &&
			!rule->auths[k].remote_any)
			return false;
	return true;
}

static void resolve_rule(struct draft *d, unsigned i)
{
	struct config_rule *rule = &d->c->rules[i];
	const struct draft_rule *from = &d->rules[i];
	struct names lists = names_filter_lists(d);
	bool named = names_its_peers(rule);

	if (from->match.text[0] != '\0') {
		int found = names_resolve(d, &lists, &from->match);

		if (found >= 0)
			rule->filter_list = (uint32_t)found;
	}
	for (unsigned k = 0; k < rule->n_auths; k++)
		resolve_auth(d, from, &rule->auths[k], k);
	resolve_ppk(d, rule, &from->ppk);
	if (!resolve_action(d, rule, &from->action))
		return;
	if (rule->tunnel_name[0] && !named)
		errors_add(d->errors, d->rule_at[i],
			"rule \"%s\" finds its peer by the name %s, which proves "
			"nothing: "
			"say who it is, by remote-id, in each method of \"auth\"",
			rule->name, rule->tunnel_name);
	if (rule->action == POLICY_NEGOTIATE && !from->has_auth)
		errors_add(d->errors, d->rule_at[i],
			"rule \"%s\" negotiates and has no \"auth\"", rule->name);
	if (rule->action != POLICY_NEGOTIATE && from->has_auth)
		errors_warn(d->errors, d->rule_at[i],
			"\"auth\" has no effect: rule \"%s\" does not negotiate",
			rule->name);
	if (rule->action != POLICY_NEGOTIATE && rule->n_redirect > 0)
		errors_warn(d->errors, d->rule_at[i],
			"\"redirect\" has no effect: rule \"%s\" does not negotiate",
			rule->name);
}

/* ---- which rules are alike -------------------------------------------------------------- */

static bool same_auth(const struct config_auth *a, const struct config_auth *b)
{
	return a->own == b->own && a->peer == b->peer && a->credential == b->credential &&
	       a->trust == b->trust &&
	       identity_equal(&a->remote_pattern, &b->remote_pattern) &&
	       secret_equal(secret_span(&a->psk), secret_span(&b->psk)) &&
	       identity_equal(&a->local_id, &b->local_id) &&
	       identity_equal(&a->remote_id, &b->remote_id) &&
	       a->remote_any == b->remote_any;
}

static bool same_treatment(const struct config_rule *a, const struct config_rule *b)
{
	if (a->action != b->action)
		return false;
	if (a->action != POLICY_NEGOTIATE)
		return true;
	if (a->mode != b->mode || !addr_equal(&a->tunnel_to, &b->tunnel_to) ||
		strcmp(a->tunnel_name, b->tunnel_name) != 0 ||
		a->proposal != b->proposal || a->pfs != b->pfs ||
		a->childless != b->childless || a->n_auths != b->n_auths ||
		memcmp(&a->tags, &b->tags, sizeof(a->tags)) != 0 ||
		strcmp(a->ppk.id, b->ppk.id) != 0 || a->ppk.required != b->ppk.required ||
		!secret_equal(secret_span(&a->ppk.key), secret_span(&b->ppk.key)))
		return false;
	for (unsigned i = 0; i < a->n_auths; i++) {
		if (!same_auth(&a->auths[i], &b->auths[i]))
			return false;
	}
	return true;
}

static void bind_rules(struct config *c)
{
	for (uint32_t i = 0; i < c->n_rules; i++) {
		uint32_t first = 0;

		while (!same_treatment(&c->rules[first], &c->rules[i]))
			first++;
		c->rules[i].binding = first;
	}
}

/* ---- assignments ------------------------------------------------------------------------ */

static void assign(struct draft *d, const struct draft_assign *a, const char *to,
	uint32_t policy, uint32_t *slot, struct place *first)
{
	if (first->line != 0) {
		errors_add(d->errors, a->at,
			"%s has a policy already, assigned at line %u", to, first->line);
		return;
	}
	*first = a->at;
	*slot = policy;
}

static void resolve_assigns(struct draft *d)
{
	struct names policies = names_policies(d), vips = names_vips(d);
	struct place vip_first[VIPS_MAX] = {{0}}, host_first = {0};

	for (unsigned i = 0; i < d->n_assigns; i++) {
		const struct draft_assign *a = &d->assigns[i];
		bool host = a->vip.text[0] == '\0';
		int policy = names_resolve(d, &policies, &a->policy);
		int vip = host ? 0 : names_resolve(d, &vips, &a->vip);
		char to[POLICY_NAME_MAX + 8] = "the host";

		if (policy < 0 || vip < 0)
			continue;
		if (!host)
			snprintf(to, sizeof(to), "vip \"%s\"", a->vip.text);
		assign(d, a, to, (uint32_t)policy,
			host ? &d->c->host_policy : &d->c->vips[vip].policy,
			host ? &host_first : &vip_first[vip]);
		if (host)
			d->host_at = host_first;
	}
}

void draft_resolve(struct draft *d)
{
	resolve_filters(d);
	resolve_actions(d);
	for (unsigned i = 0; i < d->c->n_rules; i++)
		resolve_rule(d, i);
	bind_rules(d->c);
	resolve_assigns(d);
}
