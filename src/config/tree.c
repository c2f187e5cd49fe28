/* config/tree.c - builds the tree of statements and owns its memory.
 *
 * Memory comes in chunks that are freed together, so no error path of the grammar has
 * anything to release. Every size is bounded by the constants in tree.h: a stranger's
 * file costs a bounded amount of memory and stack.
 */
#include "config/tree_parts.h"

#include "base/mem.h"
#include "base/secret.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_ROOM 16384

struct tree_chunk {
	struct tree_chunk *next;
	size_t used;
	alignas(max_align_t) uint8_t room[CHUNK_ROOM];
};

void *tree_alloc(struct tree *t, size_t size)
{
	size_t aligned = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);

	assert(size > 0 && aligned <= CHUNK_ROOM);
	if (t->chunks == NULL || CHUNK_ROOM - t->chunks->used < aligned) {
		struct tree_chunk *chunk = mem_new(1, sizeof(*chunk));

		chunk->next = t->chunks;
		t->chunks = chunk;
	}
	void *at = t->chunks->room + t->chunks->used;
	t->chunks->used += aligned;
	return at;
}

void tree_free(struct tree *t)
{
	while (t->chunks != NULL) {
		struct tree_chunk *chunk = t->chunks;

		t->chunks = chunk->next;
		wipe(chunk, sizeof(*chunk));
		free(chunk);
	}
	t->top = NULL;
}

struct word *tree_word(
	struct tree *t, struct place at, const char *text, size_t len, bool quoted)
{
	if (len > TREE_WORD_MAX) {
		errors_add(
			t->errors, at, "too long: at most %d characters", TREE_WORD_MAX);
		return NULL;
	}
	if (t->n_words == TREE_WORDS_MAX) {
		errors_add(t->errors, at, "too many words in one file: at most %d",
			TREE_WORDS_MAX);
		return NULL;
	}
	t->n_words++;

	struct word *w = tree_alloc(t, sizeof(*w));
	char *copy = tree_alloc(t, len + 1);
	memcpy(copy, text, len);
	w->at = at;
	w->quoted = quoted;
	w->text = copy;
	return w;
}

struct stmt *tree_stmt(struct tree *t, struct words words, struct place end)
{
	struct stmt *s = tree_alloc(t, sizeof(*s));

	s->at = words.first->at;
	s->end = end;
	s->words = words.first;
	return s;
}

bool tree_enter(struct tree *t, struct place at)
{
	if (t->depth == TREE_DEPTH_MAX) {
		errors_add(t->errors, at, "blocks are nested too deeply");
		return false;
	}
	t->opened[t->depth++] = at;
	return true;
}

void tree_leave(struct tree *t)
{
	assert(t->depth > 0);
	t->depth--;
}
