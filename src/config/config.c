/* config/config.c - text into one immutable value, or into a list of what is wrong.
 *
 * The steps: scanner and grammar make a tree (tree.h), tables read it into a draft
 * (block.h, draft.h), names are resolved, the whole is checked, and only then is there a
 * configuration. Nothing of a file with an error is ever used.
 */
#include "config/config.h"

#include "base/mem.h"
#include "config/draft.h"
#include "config/hash.h"

#include <stdio.h>
#include <stdlib.h>

static struct config *config_new(void)
{
	struct config *c = mem_new(1, sizeof(*c));

	c->cluster = (struct config_cluster){
		.name = "vipsec",
		.backend = BACKEND_NONE,
		.takeover = TAKEOVER_REINITIATE,
	};
	c->tuning = (struct config_tuning){
		.idle_timeout_ms = 5 * 60 * 1000,
		.idle_timeout_failover_ms = 60 * 1000,
		.idle_lifetime_ms = 60 * 60 * 1000,
		.delete_wait_ms = 150,
		.nlbs_present = true,
		.mobike = true,
		.replay_window = 1024,
		.fragment_size = 1280,
		.on_exit = EXIT_CLOSED,
		.resolve_refresh_ms = (uint64_t)5 * 60 * 1000,
		.expiry_warning_ms = (uint64_t)14 * 24 * 3600 * 1000,
	};
	c->host_policy = CONFIG_NO_POLICY;
	return c;
}

static void rules_wipe(struct config_rule *rules, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 0; k < CONFIG_AUTHS; k++)
			secret_wipe(&rules[i].auths[k].psk);
		secret_wipe(&rules[i].ppk.key);
	}
}

void config_free(struct config *c)
{
	if (c == NULL)
		return;
	rules_wipe(c->rules, c->n_rules);
	for (unsigned i = 0; i < c->n_identities; i++) {
		credential_free(c->identities[i].credential);
		trust_free(c->identities[i].trust);
	}
	for (unsigned i = 0; i < c->n_policies; i++)
		free(c->policies[i].rules);
	for (unsigned i = 0; i < c->n_filter_lists; i++)
		free(c->filter_lists[i].filters);
	free(c->policies);
	free(c->rules);
	free(c->filter_lists);
	free(c->identities);
	free(c->proposals);
	free(c->vips);
	free(c);
}

/* Syntax errors hide definitions, so after them a name that is missing means nothing. */
static void read_text(struct draft *d, struct span text)
{
	struct tree tree;
	bool whole = tree_parse(&tree, text, d->errors);

	d->damaged = !whole;
	draft_read(d, &tree);
	if (whole)
		draft_resolve(d);
	if (d->errors->n_errors == 0)
		draft_check(d);
	tree_free(&tree);
}

struct config *config_parse(const char *file, struct span text,
	const struct config_files *files, const struct config_report *report)
{
	struct errors *errors = mem_new(1, sizeof(*errors));
	struct draft d = {.c = config_new(), .errors = errors, .files = files};

	read_text(&d, text);
	draft_free(&d);
	if (errors->n_errors == 0) {
		config_hash(d.c);
	} else {
		config_free(d.c);
		d.c = NULL;
	}
	errors_report(errors, file, report);
	free(errors);
	return d.c;
}

uint16_t config_host_scope(const struct config *c)
{
	return (uint16_t)c->n_vips;
}
