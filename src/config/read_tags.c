/* config/read_tags.c - output-mark and if-id, of a filter action or of a VIP. */
#include "config/block.h"

#include <stdlib.h>
#include <string.h>

/* As ip(8) writes them: 16, 0x10. */
static bool hex_parse(const char *text, const char *end, uint32_t *out)
{
	char *stop;
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	unsigned long v;

	/* No sign, no blank, no octal number. */
	if (text[0] < '0' || text[0] > '9' || (text[0] == '0' && !hex && text + 1 != end))
		return false;
	v = strtoul(text, &stop, hex ? 16 : 10);
	*out = (uint32_t)v;
	return stop == end && stop - text <= 10 && v <= UINT32_MAX;
}

void read_output_mark(
	struct draft *d, struct args *a, struct policy_tags *tags, struct place *at)
{
	const struct word *w = arg_next(a, "a mark such as 0x10 or 0x10/0xff");
	uint32_t mark, mask = UINT32_MAX;

	if (w == NULL)
		return;
	const char *end = w->text + strlen(w->text), *slash = strchr(w->text, '/');
	if (!hex_parse(w->text, slash ? slash : end, &mark) ||
		(slash && !hex_parse(slash + 1, end, &mask)) || mask == 0 ||
		(mark & ~mask) != 0) {
		errors_add(d->errors, w->at,
			"\"%s\": expected a mark such as 0x10, or 0x10/0xff where only "
			"these bits are set",
			w->text);
		return;
	}
	if (!arg_end(a))
		return;
	tags->mark = mark;
	tags->mask = mask;
	*at = w->at;
}

void read_if_id(
	struct draft *d, struct args *a, struct policy_tags *tags, struct place *at)
{
	const struct word *w = arg_next(a, "the number of an XFRM interface");
	uint32_t id;

	if (w == NULL)
		return;
	if (!hex_parse(w->text, w->text + strlen(w->text), &id) || id == 0) {
		errors_add(d->errors, w->at,
			"\"%s\": expected the number of an XFRM interface, from 1",
			w->text);
		return;
	}
	if (!arg_end(a))
		return;
	tags->if_id = id;
	*at = w->at;
}
