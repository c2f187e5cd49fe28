/* config/block.c - statements against tables, words against what they should be.
 *
 * Every message of the kind "unknown", "expected" or "twice" is made here, with the
 * nearest word that would have been right.
 */
#include "config/block.h"

#include "base/duration.h"
#include "config/suggest.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- statements ------------------------------------------------------------- */

static void report_unknown(struct draft *d, const struct word *w, const char *where,
	const struct keyword *table, size_t n)
{
	struct suggest s = suggest_for(w->text);
	char text[SUGGEST_TEXT_MAX];

	for (size_t i = 0; i < n; i++)
		suggest_offer(&s, table[i].name);
	errors_add(d->errors, w->at, "unknown statement \"%s\" %s%s", w->text, where,
		suggest_text(&s, text));
}

/* The row for a statement, or NULL after a report. */
static const struct keyword *find_row(struct draft *d, const struct stmt *s,
	const char *where, const struct keyword *table, size_t n)
{
	const struct word *w = s->words;

	for (size_t i = 0; i < n && !w->quoted; i++) {
		if (strcmp(table[i].name, w->text) == 0)
			return &table[i];
	}
	report_unknown(d, w, where, table, n);
	return NULL;
}

/* The first word on a line of its own: most likely the beginning of the next statement. */
static const struct word *next_line(const struct stmt *s)
{
	const struct word *w = s->words;

	while (w != NULL && w->at.line == s->at.line)
		w = w->next;
	return w;
}

static void report_shape(struct draft *d, const struct stmt *s, const struct keyword *row)
{
	const struct word *next = next_line(s);

	if (row->block)
		errors_add(d->errors, s->end, "\"%s\" needs a block: expected \"{\"",
			row->name);
	else if (next != NULL)
		errors_add(d->errors, next->at,
			"unexpected \"%s\": a \";\" is missing before it", next->text);
	else
		errors_add(d->errors, s->end, "\"%s\" takes no block: expected \";\"",
			row->name);
}

static bool row_fits(struct draft *d, const struct stmt *s, const struct keyword *row,
	struct place *first)
{
	if (row->refused != NULL) {
		errors_add(d->errors, s->at, "%s", row->refused);
		return false;
	}
	if (!row->many && first->line != 0) {
		errors_add(d->errors, s->at, "\"%s\" is written twice; first at line %u",
			row->name, first->line);
		return false;
	}
	*first = s->at;
	if (row->block != s->block) {
		report_shape(d, s, row);
		return false;
	}
	return true;
}

void block_read(struct draft *d, const struct stmt *first, const char *where,
	const struct keyword *table, size_t n, void *into)
{
	struct place seen[KEYWORDS_MAX] = {{0}};

	assert(n <= KEYWORDS_MAX);
	for (const struct stmt *s = first; s != NULL; s = s->next) {
		const struct keyword *row = find_row(d, s, where, table, n);

		if (row == NULL || !row_fits(d, s, row, &seen[row - table]))
			continue;
		struct args a = {.d = d,
			.at = s->words->next,
			.end = s->end,
			.line = s->words->at.line};
		row->read(d, s, &a, into);
	}
}

/* ---- words ---------------------------------------------------------------- */

static const struct word *take(struct args *a)
{
	const struct word *w = a->at;

	a->at = w->next;
	a->line = w->at.line;
	a->comma = false;
	return w;
}

static bool stray_comma(const struct args *a)
{
	return a->at != NULL && a->at->comma && !a->comma;
}

const struct word *arg_next(struct args *a, const char *what)
{
	if (a->at == NULL || stray_comma(a)) {
		errors_add(a->d->errors, a->at != NULL ? a->at->at : a->end,
			"expected %s", what);
		return NULL;
	}
	return take(a);
}

bool arg_name(struct args *a, const char *what, char out[POLICY_NAME_MAX])
{
	const struct word *w = arg_next(a, what);

	if (w == NULL)
		return false;
	if (!w->quoted) {
		errors_add(a->d->errors, w->at, "expected %s in quotes: \"%s\"", what,
			w->text);
		return false;
	}
	if (w->text[0] == '\0' || strlen(w->text) >= POLICY_NAME_MAX) {
		errors_add(a->d->errors, w->at, "a name has 1 to %d characters",
			POLICY_NAME_MAX - 1);
		return false;
	}
	snprintf(out, POLICY_NAME_MAX, "%s", w->text);
	return true;
}

bool arg_ref(struct args *a, const char *what, struct ref *out)
{
	out->at = a->at != NULL ? a->at->at : a->end;
	return arg_name(a, what, out->text);
}

static void list_words(const char *const *words, size_t n, char *out, size_t cap)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n && len < cap; i++)
		len += (size_t)snprintf(
			out + len, cap - len, "%s%s", i > 0 ? ", " : "", words[i]);
}

static void report_choice(struct args *a, const struct word *w, const char *const *words,
	size_t n, const char *list)
{
	struct suggest s = suggest_for(w->text);
	char text[SUGGEST_TEXT_MAX];

	for (size_t i = 0; i < n; i++)
		suggest_offer(&s, words[i]);
	if (n == 1)
		errors_add(a->d->errors, w->at, "expected \"%s\", not \"%s\"", words[0],
			w->text);
	else
		errors_add(a->d->errors, w->at, "unknown \"%s\": expected one of %s%s",
			w->text, list, suggest_text(&s, text));
}

int arg_choice(struct args *a, const char *const *words, size_t n)
{
	char list[160], what[200];

	list_words(words, n, list, sizeof(list));
	snprintf(what, sizeof(what), n == 1 ? "\"%s\"" : "one of %s", list);
	const struct word *w = arg_next(a, what);
	if (w == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i], w->text) == 0 && !w->quoted)
			return (int)i;
	}
	report_choice(a, w, words, n, list);
	return -1;
}

static bool next_is(const struct args *a, const char *word)
{
	return a->at != NULL && !a->at->quoted && !stray_comma(a) &&
	       strcmp(a->at->text, word) == 0;
}

bool arg_later(struct args *a, const struct later *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!next_is(a, list[i].word))
			continue;
		errors_add(
			a->d->errors, a->at->at, "\"%s\" %s", list[i].word, list[i].why);
		return true;
	}
	return false;
}

bool arg_skip(struct args *a, const char *word)
{
	if (!next_is(a, word))
		return false;
	take(a);
	return true;
}

bool arg_expect(struct args *a, const char *word)
{
	return arg_choice(a, &word, 1) == 0;
}

bool arg_more(struct args *a)
{
	a->comma = a->at != NULL && a->at->comma;
	return a->comma;
}

bool arg_duration(struct args *a, uint64_t min_ms, uint64_t max_ms, uint64_t *out_ms)
{
	const struct word *w = arg_next(a, "a duration such as 5m, 90s or 150ms");
	char low[DURATION_TEXT_MAX], high[DURATION_TEXT_MAX];
	uint64_t ms;

	if (w == NULL)
		return false;
	if (!duration_parse(w->text, &ms)) {
		errors_add(a->d->errors, w->at,
			"\"%s\" is not a duration: a number with a unit, such as 5m, 90s "
			"or 150ms",
			w->text);
		return false;
	}
	if (ms < min_ms || ms > max_ms) {
		errors_add(a->d->errors, w->at, "%s is out of range: %s to %s", w->text,
			duration_format(min_ms, low), duration_format(max_ms, high));
		return false;
	}
	*out_ms = ms;
	return true;
}

/* Decimal digits without sign; at most nine of them. */
static bool number_parse(const char *text, uint32_t *out)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 9 || text[digits] != '\0')
		return false;
	*out = (uint32_t)strtoul(text, NULL, 10);
	return true;
}

bool arg_number(struct args *a, uint32_t min, uint32_t max, uint32_t *out)
{
	const struct word *w = arg_next(a, "a number");
	uint32_t v;

	if (w == NULL)
		return false;
	if (!number_parse(w->text, &v) || v < min || v > max) {
		errors_add(a->d->errors, w->at, "\"%s\": expected a number from %u to %u",
			w->text, min, max);
		return false;
	}
	*out = v;
	return true;
}

/* An address with a slash and something behind it. */
static bool is_network(const char *text)
{
	size_t len = strcspn(text, "/");
	char host[ADDR_TEXT_MAX];
	struct addr ignored;

	if (text[len] == '\0' || len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	return addr_parse(host, &ignored);
}

/* No amount overflows: 19 digits would, and a unit has at most 12 more. */
static bool amount_parse(const char *text, uint64_t *out)
{
	static const char units[] = "kmgt";
	size_t digits = strspn(text, "0123456789");
	const char *unit = text[digits] != '\0' ? strchr(units, text[digits]) : NULL;

	if (digits == 0 || digits > 6 + (unit ? 0U : 12U) ||
		(text[digits] != '\0' && (!unit || text[digits + 1] != '\0')))
		return false;
	*out = 0;
	for (size_t i = 0; i < digits; i++)
		*out = *out * 10 + (uint64_t)(text[i] - '0');
	for (const char *u = units; unit && u <= unit; u++)
		*out *= 1000;
	return true;
}

bool arg_amount(struct args *a, uint64_t min, uint64_t *out)
{
	const struct word *w = arg_next(a, "an amount such as 500m or 100g");
	uint64_t v;

	if (w == NULL)
		return false;
	if (!amount_parse(w->text, &v) || v < min) {
		errors_add(a->d->errors, w->at,
			"\"%s\": expected an amount such as 500m or 100g (k, m, g, t: "
			"thousands, millions, ...), at least %llu",
			w->text, (unsigned long long)min);
		return false;
	}
	*out = v;
	return true;
}

bool arg_addr(struct args *a, struct addr *out)
{
	const struct word *w = arg_next(a, "an IPv4 or IPv6 address");

	if (w == NULL)
		return false;
	if (addr_parse(w->text, out))
		return true;
	if (is_network(w->text))
		errors_add(a->d->errors, w->at,
			"\"%s\" is a network: expected one address, without \"%s\"",
			w->text, strchr(w->text, '/'));
	else
		errors_add(a->d->errors, w->at, "\"%s\" is not an IPv4 or IPv6 address",
			w->text);
	return false;
}

bool arg_host(struct args *a, struct addr *out, char name[HOSTNAME_MAX])
{
	static const char *const words[] = {"any", "me", "vip"}; /* of a filter's sides */
	const struct word *w = a->at;
	bool is_word = false;

	for (size_t i = 0; w != NULL && i < COUNT_OF(words); i++)
		is_word |= strcmp(w->text, words[i]) == 0;
	if (w == NULL || is_word || is_network(w->text) || addr_parse(w->text, out))
		return arg_addr(a, out);
	(void)arg_next(a, "an address or the name of a host");
	if (hostname_parse(w->text, name))
		return true;
	errors_add(a->d->errors, w->at,
		"\"%s\" is neither an IPv4 or IPv6 address nor the name of a host",
		w->text);
	return false;
}

bool arg_end(struct args *a)
{
	if (a->at == NULL)
		return true;
	if (stray_comma(a))
		errors_add(a->d->errors, a->at->at, "no list here: unexpected \",\"");
	else
		errors_add(a->d->errors, a->at->at, "unexpected \"%s\"%s", a->at->text,
			a->at->at.line > a->line ? ": a \";\" is missing before it" : "");
	return false;
}
