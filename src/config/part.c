/* config/part.c - finding one part of an algorithm's name.
 *
 * Leaves which there are to algorithms.c and key_exchanges.c.
 */
#include "config/part.h"

#include <stdio.h>
#include <string.h>

#include "config/suggest.h"

static void list_known(const struct part *part, char *out, size_t cap)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < part->n_known && len < cap; i++)
		len += (size_t)snprintf(out + len, cap - len, "%s%s", i > 0 ? ", " : "",
			part->known[i].name);
}

static const struct refused *find_refused(const struct part *part, const char *name)
{
	for (size_t i = 0; i < part->n_others; i++)
		if (strcmp(part->others[i].name, name) == 0)
			return &part->others[i];
	return NULL;
}

bool part_find(struct draft *d, struct place at, const struct part *part,
	const char *name, unsigned *out)
{
	struct suggest s = suggest_for(name);
	char known[120], text[SUGGEST_TEXT_MAX] = "";

	for (size_t i = 0; i < part->n_known; i++) {
		if (strcmp(part->known[i].name, name) == 0) {
			*out = part->known[i].id;
			return true;
		}
		suggest_offer(&s, part->known[i].name);
	}
	list_known(part, known, sizeof(known));
	const struct refused *r = find_refused(part, name);
	if (r && r->why)
		errors_add(d->errors, at, "%s \"%s\" is refused: %s; there are %s",
			part->what, name, r->why, known);
	else
		errors_add(d->errors, at,
			r ? "%s \"%s\" is not supported; there are %s%s"
			  : "unknown %s \"%s\"; there are %s%s",
			part->what, name, known, r ? "" : suggest_text(&s, text));
	return false;
}
