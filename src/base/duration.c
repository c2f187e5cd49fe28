/* base/duration.c - "5m", "150ms", "1h30m" and back.
 *
 * The grammar is one or more of NUMBER UNIT, units strictly from large to small.
 */
#include "base/duration.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct unit {
	const char *name;
	uint64_t ms;
} units[] = {
	{"d", 86400000},
	{"h", 3600000},
	{"m", 60000},
	{"s", 1000},
	{"ms", 1},
};

enum { UNITS = sizeof(units) / sizeof(units[0]) };

static const uint64_t longest_ms = 10 * 365 * (uint64_t)86400000;

/* Digits only; false when there are none or they exceed every duration. */
static bool read_number(const char **at, uint64_t *out)
{
	const char *p = *at;
	uint64_t v = 0;

	while (*p >= '0' && *p <= '9') {
		v = v * 10 + (uint64_t)(*p++ - '0');
		if (v > longest_ms)
			return false;
	}
	if (p == *at)
		return false;
	*at = p;
	*out = v;
	return true;
}

/* The unit's row, or UNITS. "m" and "ms" share a letter: the whole word decides. */
static size_t read_unit(const char **at)
{
	size_t len = strspn(*at, "dhms");

	for (size_t i = 0; i < UNITS; i++) {
		if (strlen(units[i].name) == len &&
			memcmp(units[i].name, *at, len) == 0) {
			*at += len;
			return i;
		}
	}
	return UNITS;
}

bool duration_parse(const char *text, uint64_t *out_ms)
{
	uint64_t total = 0;
	size_t next = 0; /* units from this row on may still come */

	do {
		uint64_t n;
		if (!read_number(&text, &n))
			return false;
		size_t unit = read_unit(&text);
		if (unit == UNITS || unit < next)
			return false;
		if (n > longest_ms / units[unit].ms)
			return false;
		total += n * units[unit].ms;
		if (total > longest_ms)
			return false;
		next = unit + 1;
	} while (*text != '\0');

	*out_ms = total;
	return true;
}

/* ms in the units that the mask allows; false when something would remain. */
static bool format_in(uint64_t ms, unsigned mask, char out[DURATION_TEXT_MAX])
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < UNITS; i++) {
		uint64_t n = ms / units[i].ms;
		if (n == 0 || (mask & 1U << i) == 0)
			continue;
		ms %= units[i].ms;
		len += (size_t)snprintf(out + len, DURATION_TEXT_MAX - len, "%llu%s",
			(unsigned long long)n, units[i].name);
	}
	return ms == 0;
}

const char *duration_format(uint64_t ms, char out[DURATION_TEXT_MAX])
{
	char attempt[DURATION_TEXT_MAX];

	if (ms == 0)
		return strcpy(out, "0s");

	/* All units first: it always works, and wins where nothing is shorter. */
	format_in(ms, (1U << UNITS) - 1, out);
	for (unsigned mask = 1; mask < (1U << UNITS) - 1; mask++) {
		if (format_in(ms, mask, attempt) && strlen(attempt) < strlen(out))
			strcpy(out, attempt);
	}
	return out;
}
