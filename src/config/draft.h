/* config/draft.h - a configuration while it is being understood.
 *
 * Reading happens in two passes. First each block is read by its own file (read_*.c) into
 * a draft, where references are still names and everything remembers its place. Then
 * resolve.c turns names into indices, and check.c looks at the whole.
 *
 * Floor 2; within the room.
 */
#ifndef VIPSEC_CONFIG_DRAFT_H
#define VIPSEC_CONFIG_DRAFT_H

#include "config/tree.h"

/* How many of each a file may hold: the heap is sized before anything is read. */
enum {
	VIPS_MAX = SCOPE_MAX - 1, /* the host is a scope too */
	SECRETS_MAX = 1024,
	PROPOSALS_MAX = 64,
	FILTER_LISTS_MAX = 1024,
	FILTERS_MAX = 4096, /* in all lists together */
	FILTER_ACTIONS_MAX = 256,
	POLICIES_MAX = 256,
	RULES_MAX = 1024, /* in all policies together */
	ASSIGNS_MAX = 256
};

/* A name somewhere else: not looked up yet. text[0] is 0: none. */
struct ref {
	char text[POLICY_NAME_MAX];
	struct place at;
};

struct draft_secret {
	char name[POLICY_NAME_MAX];
	struct secret psk;
	struct config_ppk ppk; /* required: not said here */
};

/* Where they are said; line 0: they are not. */
struct draft_tags {
	struct place mark, if_id;
};

struct draft_action {
	char name[POLICY_NAME_MAX];
	struct place said; /* permit, block or negotiate; line 0: not written */
	struct place negotiates; /* the first setting that only `negotiate` uses */
	enum policy_action action;
	enum policy_mode mode;
	struct addr tunnel_to;
	char tunnel_name[HOSTNAME_MAX];
	struct ref proposal;
	uint32_t proposal_index;
	enum config_pfs pfs;
	enum config_childless childless;
	struct policy_tags tags;
	struct draft_tags tags_at;
};

/* Beside config.filter_lists[i].filters[k]. */
struct draft_filter {
	struct place at;
	struct ref vip; /* the end that is one of our VIPs; none: neither is */
};

/* Beside config.rules[i]. */
struct draft_rule {
	struct ref match; /* none: match any */
	struct ref action; /* none: the action is written in the rule */
	struct ref secrets[CONFIG_AUTHS];
	struct ref identities[CONFIG_AUTHS]; /* we prove ourselves with */
	struct ref trusts[CONFIG_AUTHS]; /* identities that the peer is believed by */
	struct ref ppk; /* none: without */
	bool has_auth;
};

struct draft_assign {
	struct place at;
	struct ref policy;
	struct ref vip; /* none: host */
};

struct draft {
	struct config *c;
	struct errors *errors;
	const struct config_files *files;

	bool damaged; /* syntax errors may hide statements: do not miss any */

	struct draft_secret *secrets;
	struct draft_action *actions;
	struct draft_filter **filters; /* one array for each filter list */
	struct draft_rule *rules;
	struct draft_assign *assigns;
	/* where each object was defined */
	struct place *vip_at, *secret_at, *identity_at, *proposal_at, *filter_list_at,
		*action_at, *policy_at, *rule_at;
	struct draft_tags *vip_tags_at;
	unsigned n_secrets, n_actions, n_assigns;
	unsigned n_secret_room; /* those that may hold a key */
	/* where these were set; line 0: they were not */
	struct place idle_timeout_at, idle_failover_at, host_at, offload_at;
};

/* The objects of one kind: their names, and where they were defined. */
struct names {
	const char *kind; /* "vip" */
	const void *first; /* the first object; its name is its first member */
	size_t stride; /* octets from one object to the next */
	unsigned n;
	const struct place *at;
};

struct names names_vips(const struct draft *d);
struct names names_secrets(const struct draft *d);
struct names names_identities(const struct draft *d);
struct names names_proposals(const struct draft *d);
struct names names_filter_lists(const struct draft *d);
struct names names_actions(const struct draft *d);
struct names names_policies(const struct draft *d);
/* Of one policy, the one that is being read: its rules stand together. */
struct names names_rules(const struct draft *d, const struct config_policy *policy);
/* Index, or -1. */
int names_find(const struct names *names, const char *name);
/* False, and reported, when the name is taken. */
bool names_claim(
	struct draft *d, const struct names *names, const char *name, struct place at);
/* Index of what is referred to, or -1 after a report with the nearest name. */
int names_resolve(struct draft *d, const struct names *names, const struct ref *ref);

unsigned stmt_count(const struct stmt *first);
/* Zeroed room for n items; NULL when n is 0. Never fails. */
void *draft_room(unsigned n, size_t size);

/* Reads the tree. Errors are in d->errors. draft_free() leaves d->c to the caller. */
void draft_read(struct draft *d, const struct tree *t);
void draft_free(struct draft *d);

/* Names into indices; reports what is not defined. */
void draft_resolve(struct draft *d);
/* What only the whole shows: contradictions, addresses and identities used twice. Only
 * after a draft without errors. */
void draft_check(struct draft *d);

#endif
