/* config/names.c - what is defined under which name, and what was probably meant.
 *
 * Lists are short (draft.h bounds them), so a walk does.
 */
#include "config/draft.h"

#include "config/suggest.h"

#include <string.h>

struct names names_vips(const struct draft *d)
{
	return (struct names){
		"vip", d->c->vips, sizeof(*d->c->vips), d->c->n_vips, d->vip_at};
}

struct names names_secrets(const struct draft *d)
{
	return (struct names){
		"secret", d->secrets, sizeof(*d->secrets), d->n_secrets, d->secret_at};
}

struct names names_identities(const struct draft *d)
{
	return (struct names){"identity", d->c->identities, sizeof(*d->c->identities),
		d->c->n_identities, d->identity_at};
}

struct names names_proposals(const struct draft *d)
{
	return (struct names){"proposal", d->c->proposals, sizeof(*d->c->proposals),
		d->c->n_proposals, d->proposal_at};
}

struct names names_filter_lists(const struct draft *d)
{
	return (struct names){"filter-list", d->c->filter_lists,
		sizeof(*d->c->filter_lists), d->c->n_filter_lists, d->filter_list_at};
}

struct names names_actions(const struct draft *d)
{
	return (struct names){"filter-action", d->actions, sizeof(*d->actions),
		d->n_actions, d->action_at};
}

struct names names_policies(const struct draft *d)
{
	return (struct names){"policy", d->c->policies, sizeof(*d->c->policies),
		d->c->n_policies, d->policy_at};
}

struct names names_rules(const struct draft *d, const struct config_policy *policy)
{
	unsigned first = policy->n_rules > 0 ? policy->rules[0] : d->c->n_rules;

	return (struct names){"rule", d->c->rules + first, sizeof(*d->c->rules),
		policy->n_rules, d->rule_at + first};
}

static const char *name_at(const struct names *names, unsigned i)
{
	return (const char *)names->first + i * names->stride;
}

int names_find(const struct names *names, const char *name)
{
	for (unsigned i = 0; i < names->n; i++) {
		if (strcmp(name_at(names, i), name) == 0)
			return (int)i;
	}
	return -1;
}

bool names_claim(
	struct draft *d, const struct names *names, const char *name, struct place at)
{
	int taken = names_find(names, name);

	if (taken < 0)
		return true;
	if (names->at[taken].line == 0)
		errors_add(d->errors, at, "%s \"%s\" is built in: choose another name",
			names->kind, name);
	else
		errors_add(d->errors, at, "%s \"%s\" is defined twice; first at line %u",
			names->kind, name, names->at[taken].line);
	return false;
}

int names_resolve(struct draft *d, const struct names *names, const struct ref *ref)
{
	int found = names_find(names, ref->text);
	struct suggest s = suggest_for(ref->text);
	char text[SUGGEST_TEXT_MAX];

	if (found >= 0)
		return found;
	for (unsigned i = 0; i < names->n; i++)
		suggest_offer(&s, name_at(names, i));
	errors_add(d->errors, ref->at, "%s \"%s\" is not defined%s", names->kind,
		ref->text, suggest_text(&s, text));
	return -1;
}
