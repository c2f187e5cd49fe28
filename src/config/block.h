/* config/block.h - the tables that say which statement is allowed where.
 *
 * A block is a list of keywords, each with the function that reads the statement. Adding
 * a statement to the language costs one row and one function. What a later release brings
 * has a row too, with the reason why it is refused.
 *
 * Floor 2; within the room.
 */
#ifndef VIPSEC_CONFIG_BLOCK_H
#define VIPSEC_CONFIG_BLOCK_H

#include "config/draft.h"

/* The words of one statement, read from left to right. */
struct args {
	struct draft *d;
	const struct word *at; /* next; NULL: none left */
	struct place end; /* of the statement */
	unsigned line; /* of the word taken last */
	bool comma; /* arg_more() said yes */
};

/* into: what the block fills, as given to block_read(). */
typedef void statement_reader(
	struct draft *d, const struct stmt *s, struct args *a, void *into);

struct keyword {
	const char *name;
	statement_reader *read;
	bool block; /* takes { } */
	bool many; /* may be written more than once */
	const char *refused; /* why not yet; read is NULL */
};

/* A word that is understood and refused. */
struct later {
	const char *word;
	const char *why;
};

enum { KEYWORDS_MAX = 16 };
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Reads every statement with the row that its first word names; where is used in
 * messages ("in tuning"). */
void block_read(struct draft *d, const struct stmt *first, const char *where,
	const struct keyword *table, size_t n, void *into);

/* ---- words of a statement: each reports what is wrong and returns NULL or false ------ */

/* The next word, whatever it is. what: "a duration". */
const struct word *arg_next(struct args *a, const char *what);
/* A name in quotes, 1 to 63 characters. */
bool arg_name(struct args *a, const char *what, char out[POLICY_NAME_MAX]);
bool arg_ref(struct args *a, const char *what, struct ref *out);
/* One of the n words; its index, or -1. */
int arg_choice(struct args *a, const char *const *words, size_t n);
/* Takes the next word if it is this one. Reports nothing. */
bool arg_skip(struct args *a, const char *word);
bool arg_expect(struct args *a, const char *word);
/* A list goes on: takes a comma if there is one. Reports nothing. */
bool arg_more(struct args *a);
/* The next word is one that a later version brings: reports why not now. */
bool arg_later(struct args *a, const struct later *list, size_t n);
bool arg_duration(struct args *a, uint64_t min_ms, uint64_t max_ms, uint64_t *out_ms);
bool arg_number(struct args *a, uint32_t min, uint32_t max, uint32_t *out);
/* With k, m, g or t behind it: thousands, millions, and so on. */
bool arg_amount(struct args *a, uint64_t min, uint64_t *out);
bool arg_addr(struct args *a, struct addr *out);
/* One address, or the name of a host: the other is not set, or empty. */
bool arg_host(struct args *a, struct addr *out, char name[HOSTNAME_MAX]);
/* Nothing is left. */
bool arg_end(struct args *a);

/* Of a filter action, or of a VIP (read_tags.c). at: is set where it is well said. */
void read_output_mark(
	struct draft *d, struct args *a, struct policy_tags *tags, struct place *at);
void read_if_id(
	struct draft *d, struct args *a, struct policy_tags *tags, struct place *at);

/* The blocks of the file, each beside its readers. */

statement_reader read_cluster, read_tuning, read_dataplane, read_vip, read_secret,
	read_identity;
statement_reader read_proposal, read_filter_list, read_filter_action, read_policy,
	read_assign;
/* config.proposals[0]. */
void proposal_builtin(struct config_proposal *p);

#endif
