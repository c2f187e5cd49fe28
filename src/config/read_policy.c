/* config/read_policy.c - filter actions, policies with their rules, and assignments.
 *
 * What a later version brings is understood here and refused by name: an operator must
 * never believe that it is in force. References stay names until resolve.c.
 */
#include "config/block.h"

#include "base/iana.h"
#include "policy/explain.h"

#include <stdio.h>
#include <string.h>

/* ---- filter-action ----------------------------------------------------------- */

static void say_action(struct draft *d, const struct stmt *s, struct draft_action *to,
	enum policy_action is)
{
	if (to->said.line != 0) {
		errors_add(d->errors, s->at,
			"an action is one of permit, block, negotiate; \"%s\" is already "
			"said at line %u",
			policy_action_name(to->action), to->said.line);
		return;
	}
	to->said = s->at;
	to->action = is;
}

static void read_permit(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	if (arg_end(a))
		say_action(d, s, into, POLICY_PERMIT);
}

static void read_block(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	if (arg_end(a))
		say_action(d, s, into, POLICY_BLOCK);
}

static void read_negotiate(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const struct later later[] = {
		{"request", "comes with a later version; use require"},
		{"respond-only", "comes with a later version; use require"},
	};

	if (arg_later(a, later, COUNT_OF(later)))
		say_action(d, s, into, POLICY_NEGOTIATE);
	else if (arg_expect(a, "require") && arg_end(a))
		say_action(d, s, into, POLICY_NEGOTIATE);
}

static void note_negotiates(struct draft_action *action, const struct stmt *s)
{
	if (action->negotiates.line == 0)
		action->negotiates = s->at;
}

static void read_action_proposal(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct draft_action *action = into;

	(void)d;
	note_negotiates(action, s);
	if (arg_ref(a, "the proposal's name", &action->proposal))
		(void)arg_end(a);
}

static void read_pfs(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const char *const words[] = {[PFS_WHERE_COMMON] = "auto",
		[PFS_NO] = "no",
		[PFS_YES] = "yes",
		[PFS_MASTER] = "master"};
	struct draft_action *action = into;
	int pfs = arg_choice(a, words, COUNT_OF(words));

	(void)d;
	note_negotiates(into, s);
	if (pfs < 0 || !arg_end(a))
		return;
	action->pfs = (enum config_pfs)pfs;
}

static void read_childless(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const char *const words[] = {[CHILDLESS_ALLOW] = "allow",
		[CHILDLESS_NO] = "no",
		[CHILDLESS_FORCE] = "force"};
	struct draft_action *action = into;
	int which = arg_choice(a, words, COUNT_OF(words));

	(void)d;
	note_negotiates(into, s);
	if (which >= 0 && arg_end(a))
		action->childless = (enum config_childless)which;
}

static void read_mode(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const char *const words[] = {
		[POLICY_TRANSPORT] = "transport", [POLICY_TUNNEL] = "tunnel"};
	struct draft_action *action = into;
	int mode = arg_choice(a, words, COUNT_OF(words));

	(void)d;
	note_negotiates(action, s);
	if (mode < 0)
		return;
	action->mode = (enum policy_mode)mode;
	if (mode == POLICY_TUNNEL && arg_skip(a, "to") &&
		!arg_host(a, &action->tunnel_to, action->tunnel_name))
		return;
	(void)arg_end(a);
}

static void read_action_mark(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct draft_action *action = into;

	note_negotiates(action, s);
	read_output_mark(d, a, &action->tags, &action->tags_at.mark);
}

static void read_action_if_id(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct draft_action *action = into;

	note_negotiates(action, s);
	read_if_id(d, a, &action->tags, &action->tags_at.if_id);
}

static void check_action(
	struct draft *d, const struct stmt *s, const struct draft_action *action)
{
	if (action->said.line == 0)
		errors_add(d->errors, s->at,
			"filter-action \"%s\" says neither permit, block nor negotiate",
			action->name);
	else if (action->action != POLICY_NEGOTIATE && action->negotiates.line != 0)
		errors_warn(d->errors, action->negotiates,
			"has no effect: filter-action \"%s\" does not negotiate",
			action->name);
}

void read_filter_action(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const struct keyword table[] = {
		{"permit", .read = read_permit},
		{"block", .read = read_block},
		{"negotiate", .read = read_negotiate},
		{"proposal", .read = read_action_proposal},
		{"pfs", .read = read_pfs},
		{"childless", .read = read_childless},
		{"mode", .read = read_mode},
		{"output-mark", .read = read_action_mark},
		{"if-id", .read = read_action_if_id},
	};
	struct draft_action *action = &d->actions[d->n_actions];
	struct names names = names_actions(d);
	unsigned before = d->errors->n_errors;

	(void)into;
	if (!arg_name(a, "the filter action's name", action->name) || !arg_end(a) ||
		!names_claim(d, &names, action->name, s->at))
		return;
	d->action_at[d->n_actions++] = s->at;
	block_read(d, s->body, "in filter-action", table, COUNT_OF(table), action);
	if (d->errors->n_errors == before && !d->damaged)
		check_action(d, s, action);
}

/* ---- rule --------------------------------------------------------------------- */

/* What a rule's statements fill: the same index in both arrays. */
struct rule_pair {
	struct config_rule *rule;
	struct draft_rule *draft;
	bool matched, acted;
};

static void read_match(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct rule_pair *p = into;

	(void)d, (void)s;
	p->matched = true;
	if (arg_skip(a, "any") || arg_ref(a, "a filter list's name", &p->draft->match))
		(void)arg_end(a);
}

static void read_action(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const char *const words[] = {
		[POLICY_PERMIT] = "permit", [POLICY_BLOCK] = "block"};
	static const struct later later[] = {
		{"negotiate", "needs a filter-action of its own: action \"NAME\""},
	};
	struct rule_pair *p = into;
	int choice;

	(void)d, (void)s;
	p->acted = true;
	if (a->at != NULL && a->at->quoted) {
		if (arg_ref(a, "a filter action's name", &p->draft->action))
			(void)arg_end(a);
		return;
	}
	if (arg_later(a, later, COUNT_OF(later)))
		return;
	choice = arg_choice(a, words, COUNT_OF(words));
	if (choice >= 0 && arg_end(a))
		p->rule->action = (enum policy_action)choice;
}

/* A DN is told from a host name by its "=": with certificates only, for a pre-shared key
 * knows no DNs. */
static bool read_id(struct draft *d, struct args *a, bool dn_too, struct identity *out)
{
	const struct word *w = arg_next(a, "an identity such as \"mail.example\"");

	if (w == NULL)
		return false;
	if (dn_too && strchr(w->text, '=') != NULL ? dn_parse(w->text, out)
						   : identity_parse(w->text, out))
		return true;
	errors_add(d->errors, w->at,
		"\"%s\" is not an identity: expected a host name, user@host, an "
		"address%s "
		"or "
		"\"@#hex\"",
		w->text, dn_too ? ", a DN such as \"CN=mail,O=Example\"" : "");
	return false;
}

static bool read_local_id(struct draft *d, struct args *a, struct config_auth *auth)
{
	struct place at = a->at != NULL ? a->at->at : a->end;

	if (!read_id(d, a, auth->own == PROOF_CERT, &auth->local_id))
		return false;
	if (!identity_is_any(&auth->local_id))
		return true;
	errors_add(d->errors, at, "\"any\" cannot be our own identity");
	return false;
}

static bool read_remote_id(struct draft *d, struct args *a, struct config_auth *auth)
{
	if (!read_id(d, a, auth->peer == PROOF_CERT, &auth->remote_id))
		return false;
	auth->remote_any = identity_is_any(&auth->remote_id);
	if (auth->peer == PROOF_CERT && auth->remote_id.type == ID_FQDN &&
		auth->remote_id.len > 2 && memcmp(auth->remote_id.b, "*.", 2) == 0) {
		auth->remote_pattern = auth->remote_id;
		auth->remote_id = (struct identity){.type = ID_ANY};
		auth->remote_any = true;
	}
	return true;
}

/* What is a certificate's, and what a key's. */
struct proof_refs {
	struct ref *secret, *identity;
};

static bool read_proof(
	struct args *a, const struct proof_refs *to, enum config_proof *kind)
{
	static const char *const kinds[] = {[PROOF_PSK] = "psk", [PROOF_CERT] = "cert"};
	static const struct later later[] = {
		{"kerberos", "is not supported; use cert or psk"},
	};

	if (arg_later(a, later, COUNT_OF(later)))
		return false;
	int which = arg_choice(a, kinds, COUNT_OF(kinds));
	if (which < 0)
		return false;
	*kind = (enum config_proof)which;
	return which == PROOF_PSK ? arg_ref(a, "the secret's name", to->secret)
				  : arg_ref(a, "the identity's name", to->identity);
}

/* peer psk "name" | cert "name": the peer proves itself in another way than we do. */
static bool read_peer(struct draft *d, struct args *a, struct draft_rule *from,
	struct config_auth *auth, unsigned n)
{
	struct place at = a->at != NULL ? a->at->at : a->end;
	struct ref secret = {.text = ""};
	const struct proof_refs to = {&secret, &from->trusts[n]};

	if (!read_proof(a, &to, &auth->peer))
		return false;
	if (auth->peer == PROOF_CERT)
		return true;
	from->trusts[n] = (struct ref){.text = ""};
	if (auth->own == PROOF_PSK) {
		errors_add(d->errors, at,
			"one pre-shared key proves both sides: leave \"peer psk\" out");
		return false;
	}
	from->secrets[n] = secret;
	return true;
}

/* One method of the list: psk|cert "name" [peer psk|cert "name"] [local-id ID]
 * [remote-id ID]. */
static bool read_method(struct draft *d, struct args *a, struct rule_pair *p)
{
	static const char *const words[] = {"local-id", "remote-id", "peer"};
	unsigned n = p->rule->n_auths;
	struct config_auth *auth = &p->rule->auths[n];

	if (n == CONFIG_AUTHS) {
		errors_add(d->errors, a->at != NULL ? a->at->at : a->end,
			"more than %d authentication methods", CONFIG_AUTHS);
		return false;
	}
	const struct proof_refs own = {&p->draft->secrets[n], &p->draft->identities[n]};
	if (!read_proof(a, &own, &auth->own))
		return false;
	auth->peer = auth->own;
	p->draft->trusts[n] = p->draft->identities[n];
	while (a->at != NULL && !a->at->comma) {
		int which = arg_choice(a, words, COUNT_OF(words));

		if (which < 0 || (which == 0 && !read_local_id(d, a, auth)) ||
			(which == 1 && !read_remote_id(d, a, auth)) ||
			(which == 2 && !read_peer(d, a, p->draft, auth, n)))
			return false;
	}
	p->rule->n_auths++;
	return true;
}

static void read_auth(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct rule_pair *p = into;

	(void)s;
	p->draft->has_auth = true;
	do {
		if (!read_method(d, a, into))
			return;
	} while (arg_more(a));
	(void)arg_end(a);
}

static void read_rule_ppk(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const char *const words[] = {"optional", "required"};
	struct rule_pair *p = into;

	(void)d, (void)s;
	if (!arg_ref(a, "the secret's name", &p->draft->ppk))
		return;
	int which = arg_choice(a, words, COUNT_OF(words));
	if (which < 0 || !arg_end(a))
		return;
	p->rule->ppk.required = which == 1;
}

/* redirect accept PREFIX, ...: named, since IKE_SA_INIT may be answered by anybody. */
static void read_redirect(
	struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct config_rule *rule = ((struct rule_pair *)into)->rule;

	(void)s;
	if (!arg_expect(a, "accept"))
		return;
	do {
		const struct word *w = arg_next(a, "an address or a network");

		if (w == NULL)
			return;
		if (rule->n_redirect == CONFIG_REDIRECTS) {
			errors_add(d->errors, w->at, "more than %d addresses in one list",
				CONFIG_REDIRECTS);
			return;
		}
		if (!prefix_parse(w->text, &rule->redirect[rule->n_redirect])) {
			errors_add(d->errors, w->at,
				"\"%s\": expected an address or a network, which has no "
				"host bits set",
				w->text);
			return;
		}
		rule->n_redirect++;
	} while (arg_more(a));
	(void)arg_end(a);
}

static void read_rule(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const struct keyword table[] = {
		{"match", .read = read_match},
		{"action", .read = read_action},
		{"auth", .read = read_auth},
		{"ppk", .read = read_rule_ppk},
		{"redirect", .read = read_redirect},
	};
	struct config_policy *policy = into;
	uint32_t index = d->c->n_rules;
	struct rule_pair p = {.rule = &d->c->rules[index], .draft = &d->rules[index]};
	struct names names = names_rules(d, policy);

	if (!arg_name(a, "the rule's name", p.rule->name) || !arg_end(a) ||
		!names_claim(d, &names, p.rule->name, s->at))
		return;
	p.rule->filter_list = CONFIG_MATCH_ANY;
	d->rule_at[index] = s->at;
	policy->rules[policy->n_rules++] = index;
	d->c->n_rules++;

	block_read(d, s->body, "in rule", table, COUNT_OF(table), &p);
	if (d->damaged)
		return;
	if (!p.matched)
		errors_add(d->errors, s->at, "rule \"%s\" does not say what it matches",
			p.rule->name);
	if (!p.acted)
		errors_add(d->errors, s->at, "rule \"%s\" has no action", p.rule->name);
}

/* ---- policy, assign --------------------------------------------------------------- */

void read_policy(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const struct keyword table[] = {
		{"rule", .read = read_rule, .block = true, .many = true},
	};
	struct config_policy *policy = &d->c->policies[d->c->n_policies];
	struct names names = names_policies(d);

	(void)into;
	if (!arg_name(a, "the policy's name", policy->name) || !arg_end(a) ||
		!names_claim(d, &names, policy->name, s->at))
		return;
	d->policy_at[d->c->n_policies++] = s->at;
	policy->rules = draft_room(stmt_count(s->body), sizeof(*policy->rules));
	block_read(d, s->body, "in policy", table, COUNT_OF(table), policy);
}

void read_assign(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const char *const targets[] = {"vip", "host"};
	struct draft_assign assign = {.at = s->at};

	(void)into;
	if (!arg_expect(a, "policy") ||
		!arg_ref(a, "the policy's name", &assign.policy) || !arg_expect(a, "to"))
		return;
	int which = arg_choice(a, targets, COUNT_OF(targets));
	if (which < 0 || (which == 0 && !arg_ref(a, "the vip's name", &assign.vip)) ||
		!arg_end(a))
		return;
	d->assigns[d->n_assigns++] = assign;
}
