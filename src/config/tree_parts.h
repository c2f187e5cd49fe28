/* config/tree_parts.h - what scanner and grammar ask of the tree.
 *
 * Floor 2; for scanner.l, grammar.y and tree.c only.
 */
#ifndef VIPSEC_CONFIG_TREE_PARTS_H
#define VIPSEC_CONFIG_TREE_PARTS_H

#include "config/tree.h"

/* Lists under construction: the grammar appends at the end. */
struct words {
	struct word *first, *last;
};
struct stmts {
	struct stmt *first, *last;
};

/* NULL when the word is too long or there are too many; that was reported. */
struct word *tree_word(
	struct tree *t, struct place at, const char *text, size_t len, bool quoted);
struct stmt *tree_stmt(struct tree *t, struct words words, struct place end);
/* False, and reported, when blocks are nested too deeply. */
bool tree_enter(struct tree *t, struct place at);
void tree_leave(struct tree *t);

#endif
