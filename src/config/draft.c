/* config/draft.c - the whole file: room for what it defines, then block after block.
 *
 * Objects are counted before any is read, so every array has its final size and place,
 * and a file that defines too many is refused before memory is spent on it.
 */
#include "config/block.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static const struct keyword file_keywords[] = {
	{"cluster", .read = read_cluster, .block = true},
	{"tuning", .read = read_tuning, .block = true},
	{"dataplane", .read = read_dataplane, .block = true},
	{"vip", .read = read_vip, .block = true, .many = true},
	{"secret", .read = read_secret, .block = true, .many = true},
	{"identity", .read = read_identity, .block = true, .many = true},
	{"proposal", .read = read_proposal, .block = true, .many = true},
	{"filter-list", .read = read_filter_list, .block = true, .many = true},
	{"filter-action", .read = read_filter_action, .block = true, .many = true},
	{"policy", .read = read_policy, .block = true, .many = true},
	{"assign", .read = read_assign, .many = true},
};

unsigned stmt_count(const struct stmt *first)
{
	unsigned n = 0;

	for (; first != NULL; first = first->next)
		n++;
	return n;
}

void *draft_room(unsigned n, size_t size)
{
	return n == 0 ? NULL : mem_new(n, size);
}

/* ---- how many of each -------------------------------------------------------------- */

struct counts {
	unsigned vips, secrets, identities, proposals, filter_lists, filters, actions,
		policies, rules, assigns;
};

/* Where the count of a keyword goes, how far it may, and what is counted inside. */
static const struct counted {
	const char *word;
	size_t at;
	unsigned max;
	size_t inner_at; /* 0: nothing is */
	unsigned inner_max;
} counted[] = {
	{"vip", offsetof(struct counts, vips), VIPS_MAX, 0, 0},
	{"secret", offsetof(struct counts, secrets), SECRETS_MAX, 0, 0},
	{"identity", offsetof(struct counts, identities), CONFIG_IDENTITIES, 0, 0},
	{"proposal", offsetof(struct counts, proposals), PROPOSALS_MAX, 0, 0},
	{"filter-list", offsetof(struct counts, filter_lists), FILTER_LISTS_MAX,
		offsetof(struct counts, filters), FILTERS_MAX},
	{"filter-action", offsetof(struct counts, actions), FILTER_ACTIONS_MAX, 0, 0},
	{"policy", offsetof(struct counts, policies), POLICIES_MAX,
		offsetof(struct counts, rules), RULES_MAX},
	{"assign", offsetof(struct counts, assigns), ASSIGNS_MAX, 0, 0},
};

static bool count_up(struct draft *d, const struct stmt *s, struct counts *counts,
	size_t at, unsigned by, unsigned max)
{
	unsigned *n = (unsigned *)(void *)((char *)counts + at);

	*n += by;
	if (*n <= max)
		return true;
	errors_add(d->errors, s->at, "too many in one file: at most %u%s", max,
		by == 1 ? "" : " in all blocks of this kind");
	return false;
}

static bool count_statement(struct draft *d, const struct stmt *s, struct counts *counts)
{
	for (size_t i = 0; i < COUNT_OF(counted); i++) {
		const struct counted *k = &counted[i];

		if (strcmp(s->words->text, k->word) != 0)
			continue;
		return count_up(d, s, counts, k->at, 1, k->max) &&
		       (k->inner_at == 0 || count_up(d, s, counts, k->inner_at,
						    stmt_count(s->body), k->inner_max));
	}
	return true;
}

static void make_room(struct draft *d, const struct counts *n)
{
	struct config *c = d->c;

	c->vips = draft_room(n->vips, sizeof(*c->vips));
	c->identities = draft_room(n->identities, sizeof(*c->identities));
	c->proposals = draft_room(n->proposals + 1, sizeof(*c->proposals));
	c->filter_lists = draft_room(n->filter_lists, sizeof(*c->filter_lists));
	c->policies = draft_room(n->policies, sizeof(*c->policies));
	c->rules = draft_room(n->rules, sizeof(*c->rules));
	d->secrets = draft_room(n->secrets, sizeof(*d->secrets));
	d->actions = draft_room(n->actions, sizeof(*d->actions));
	d->filters = draft_room(n->filter_lists, sizeof(*d->filters));
	d->rules = draft_room(n->rules, sizeof(*d->rules));
	d->assigns = draft_room(n->assigns, sizeof(*d->assigns));
	d->vip_at = draft_room(n->vips, sizeof(*d->vip_at));
	d->vip_tags_at = draft_room(n->vips, sizeof(*d->vip_tags_at));
	d->secret_at = draft_room(n->secrets, sizeof(*d->secret_at));
	d->identity_at = draft_room(n->identities, sizeof(*d->identity_at));
	d->proposal_at = draft_room(n->proposals + 1, sizeof(*d->proposal_at));
	d->filter_list_at = draft_room(n->filter_lists, sizeof(*d->filter_list_at));
	d->action_at = draft_room(n->actions, sizeof(*d->action_at));
	d->policy_at = draft_room(n->policies, sizeof(*d->policy_at));
	d->rule_at = draft_room(n->rules, sizeof(*d->rule_at));
	d->n_secret_room = n->secrets;
}

void draft_read(struct draft *d, const struct tree *t)
{
	struct counts counts = {0};

	for (const struct stmt *s = t->top; s != NULL; s = s->next) {
		if (!count_statement(d, s, &counts))
			return;
	}
	make_room(d, &counts);
	proposal_builtin(&d->c->proposals[d->c->n_proposals++]);
	block_read(d, t->top, "here", file_keywords, COUNT_OF(file_keywords), NULL);
}

void draft_free(struct draft *d)
{
	for (unsigned i = 0; i < d->n_secret_room; i++) {
		secret_wipe(&d->secrets[i].psk);
		secret_wipe(&d->secrets[i].ppk.key);
	}
	for (unsigned i = 0; i < d->c->n_filter_lists; i++)
		free(d->filters[i]);
	free(d->secrets);
	free(d->actions);
	free(d->filters);
	free(d->rules);
	free(d->assigns);
	free(d->vip_at);
	free(d->vip_tags_at);
	free(d->secret_at);
	free(d->identity_at);
	free(d->proposal_at);
	free(d->filter_list_at);
	free(d->action_at);
	free(d->policy_at);
	free(d->rule_at);
}
