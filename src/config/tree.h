/* config/tree.h - a configuration as statements, before anything is understood.
 *
 *   statement: WORD WORD, WORD ... ;
 *              WORD WORD ... { statements }
 *
 * The grammar knows this shape and nothing else; which words mean something where is
 * known by tables (block.h), so that a message can name what would have been right.
 *
 * Floor 2; within the room. A tree owns its memory, which tree_free() wipes.
 */
#ifndef VIPSEC_CONFIG_TREE_H
#define VIPSEC_CONFIG_TREE_H

#include "config/errors.h"

enum {
	TREE_TEXT_MAX = 1024 * 1024, /* octets of a file */
	TREE_WORD_MAX = 255, /* octets of a word */
	TREE_WORDS_MAX = 100000, /* words of a file */
	TREE_DEPTH_MAX = 8 /* blocks inside blocks */
};

struct word {
	struct word *next;
	struct place at;
	bool quoted; /* "like this" */
	bool comma; /* a comma stands before it */
	const char *text;
};

struct stmt {
	struct stmt *next;
	struct place at, end; /* end: of the `;` or the `{` */
	struct word *words; /* at least one */
	bool block; /* { } rather than ; */
	struct stmt *body;
};

struct tree_chunk;

struct tree {
	struct stmt *top;
	struct errors *errors;
	struct place here; /* the scanner's */
	struct place opened[TREE_DEPTH_MAX]; /* of each block we are in: its `{` */
	unsigned depth;
	unsigned n_words;
	struct tree_chunk *chunks;
};

/* False after syntax errors, which are in errors; the tree then holds what was sound.
 * The tree is to be freed either way. */
bool tree_parse(struct tree *t, struct span text, struct errors *errors)
	__attribute__((warn_unused_result));
void tree_free(struct tree *t);

/* Zeroed memory that lives as long as the tree; size > 0. */
void *tree_alloc(struct tree *t, size_t size);

#endif
