/* config/read_filter.c - filter lists: which packets a rule is about.
 *
 *   from SIDE [port LIST] to SIDE [port LIST] [proto P] [mirrored];
 *   SIDE: any | me | vip "name" | ADDRESS[/BITS], ...
 *
 * A line is written as a packet goes, and kept as seen from our side: the end that is
 * `me` or a vip becomes local, else the source. Left to expand.c: what a line means for
 * one scope.
 */
#include "config/block.h"

#include "base/iana.h"

#include <stdlib.h>
#include <string.h>

/* One line as it is read: where each thing stood. */
struct line {
	struct config_side from, to;
	struct ref from_vip, to_vip;
	struct place proto_at, ports_at;
	uint8_t proto;
	bool mirrored;
};

static const char side_words[] = "any, me, vip \"name\" or an address";

static bool read_prefixes(struct draft *d, struct args *a, struct config_side *side)
{
	do {
		const struct word *w = arg_next(a, side_words);
		struct prefix p;

		if (w == NULL)
			return false;
		char name[HOSTNAME_MAX];

		/* Unknown until it is resolved, what it protects would be in clear. */
		if (!prefix_parse(w->text, &p) && !w->quoted &&
			strchr(w->text, '.') != NULL && hostname_parse(w->text, name)) {
			errors_add(d->errors, w->at,
				"\"%s\": a filter has no names of hosts, for it must "
				"hold "
				"before they are known: write the addresses",
				w->text);
			return false;
		}
		if (!prefix_parse(w->text, &p)) {
			errors_add(d->errors, w->at,
				"\"%s\": expected %s; a network has no host bits set",
				w->text, side_words);
			return false;
		}
		if (side->n_prefixes == CONFIG_SIDE_PREFIXES) {
			errors_add(d->errors, w->at, "more than %d addresses in one list",
				CONFIG_SIDE_PREFIXES);
			return false;
		}
		side->prefixes[side->n_prefixes++] = p;
	} while (arg_more(a));
	side->kind = SIDE_PREFIX;
	return true;
}

/* A port number, and where it ends. */
static bool port_parse(const char *text, const char **end, uint16_t *out)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long v;

	if (digits == 0 || digits > 5)
		return false;
	v = strtoul(text, NULL, 10);
	if (v == 0 || v > UINT16_MAX)
		return false;
	*end = text + digits;
	*out = (uint16_t)v;
	return true;
}

static bool ports_parse(const char *text, struct config_ports *out)
{
	if (!port_parse(text, &text, &out->lo))
		return false;
	out->hi = out->lo;
	if (*text == '-' && !port_parse(text + 1, &text, &out->hi))
		return false;
	return *text == '\0' && out->lo <= out->hi;
}

static bool read_ports(struct draft *d, struct args *a, struct config_side *side)
{
	do {
		const struct word *w = arg_next(a, "a port or a range such as 1024-2047");
		struct config_ports p;

		if (w == NULL)
			return false;
		if (!ports_parse(w->text, &p)) {
			errors_add(d->errors, w->at,
				"\"%s\" is not a port (1 to 65535) or a range such as "
				"1024-2047",
				w->text);
			return false;
		}
		if (side->n_ports == CONFIG_SIDE_PORTS) {
			errors_add(d->errors, w->at, "more than %d ports in one list",
				CONFIG_SIDE_PORTS);
			return false;
		}
		side->ports[side->n_ports++] = p;
	} while (arg_more(a));
	return true;
}

static bool read_side(struct draft *d, struct args *a, struct config_side *side,
	struct ref *vip, struct place *ports_at)
{
	if (arg_skip(a, "any")) {
		side->kind = SIDE_ANY;
	} else if (arg_skip(a, "me")) {
		side->kind = SIDE_ME;
	} else if (arg_skip(a, "vip")) {
		side->kind = SIDE_VIP;
		if (!arg_ref(a, "the vip's name", vip))
			return false;
	} else if (!read_prefixes(d, a, side)) {
		return false;
	}

	struct place here = a->at != NULL ? a->at->at : a->end;
	if (!arg_skip(a, "port"))
		return true;
	*ports_at = here;
	return read_ports(d, a, side);
}

/* ---- protocol ------------------------------------------------------------------ */

static bool proto_parse(const char *text, uint8_t *out)
{
	static const struct {
		const char *name;
		uint8_t number;
	} known[] = {
		{"any", IP_ANY},
		{"tcp", IP_TCP},
		{"udp", IP_UDP},
		{"icmp", IP_ICMP},
		{"icmpv6", IP_ICMPV6},
	};

	for (size_t i = 0; i < COUNT_OF(known); i++) {
		if (strcmp(known[i].name, text) == 0) {
			*out = known[i].number;
			return true;
		}
	}
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 3 || text[digits] != '\0')
		return false;
	unsigned long v = strtoul(text, NULL, 10);
	*out = (uint8_t)v;
	return v > 0 && v <= UINT8_MAX;
}

static bool read_proto(struct draft *d, struct args *a, struct line *line)
{
	const struct word *w = arg_next(a, "a protocol");

	if (w == NULL)
		return false;
	if (line->proto_at.line != 0) {
		errors_add(d->errors, w->at, "\"proto\" is written twice");
		return false;
	}
	line->proto_at = w->at;
	if (proto_parse(w->text, &line->proto))
		return true;
	errors_add(d->errors, w->at,
		"unknown protocol \"%s\": expected tcp, udp, icmp, icmpv6, any or a "
		"number "
		"from 1 to 255",
		w->text);
	return false;
}

/* ---- what the parts of a line must have in common ------------------------------- */

/* ADDR_NONE: nothing is said; false: both families are. */
static bool family_of(const struct line *line, uint8_t *out)
{
	const struct config_side *sides[] = {&line->from, &line->to};

	*out = ADDR_NONE;
	for (size_t i = 0; i < COUNT_OF(sides); i++) {
		for (unsigned k = 0; k < sides[i]->n_prefixes; k++) {
			uint8_t family = sides[i]->prefixes[k].addr.family;

			if (*out != ADDR_NONE && *out != family)
				return false;
			*out = family;
		}
	}
	return true;
}

static bool line_is_sound(struct draft *d, const struct stmt *s, const struct line *line)
{
	bool has_ports = line->from.n_ports > 0 || line->to.n_ports > 0;
	uint8_t family;

	if (!family_of(line, &family)) {
		errors_add(d->errors, s->at,
			"IPv4 and IPv6 addresses in one line: write one line for each");
		return false;
	}
	if (has_ports && line->proto != IP_TCP && line->proto != IP_UDP) {
		errors_add(d->errors, line->ports_at,
			"a port needs \"proto tcp\" or \"proto udp\"");
		return false;
	}
	if ((line->proto == IP_ICMP && family == ADDR_V6) ||
		(line->proto == IP_ICMPV6 && family == ADDR_V4)) {
		errors_add(d->errors, line->proto_at, "%s does not run over %s",
			family == ADDR_V6 ? "icmp" : "icmpv6",
			family == ADDR_V6 ? "IPv6: did you mean icmpv6?"
					  : "IPv4: did you mean icmp?");
		return false;
	}
	return true;
}

static bool is_ours(const struct config_side *side)
{
	return side->kind == SIDE_ME || side->kind == SIDE_VIP;
}

/* Turns the line to our side. */
static bool orient(struct draft *d, const struct stmt *s, const struct line *line,
	struct config_filter *out)
{
	bool inward = is_ours(&line->to) && !is_ours(&line->from);

	if (is_ours(&line->to) && is_ours(&line->from)) {
		errors_add(d->errors, s->at, "both ends are this host");
		return false;
	}
	if (inward && !line->mirrored) {
		errors_add(d->errors, s->at,
			"a filter for one direction is written from our side: exchange "
			"the ends, or add \"mirrored\"");
		return false;
	}
	*out = (struct config_filter){
		.local = inward ? line->to : line->from,
		.remote = inward ? line->from : line->to,
		.proto = line->proto,
		.mirrored = line->mirrored,
	};
	return true;
}

/* ---- statements ------------------------------------------------------------------ */

static bool read_trailer(struct draft *d, struct args *a, struct line *line)
{
	static const char *const words[] = {"proto", "mirrored"};

	while (a->at != NULL) {
		int which = arg_choice(a, words, COUNT_OF(words));

		if (which < 0 || (which == 0 && !read_proto(d, a, line)))
			return false;
		line->mirrored |= which == 1;
	}
	return true;
}

static void read_from(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	struct config_filter_list *list = into;
	size_t index = (size_t)(list - d->c->filter_lists);
	struct config_filter *filter = &list->filters[list->n_filters];
	struct line line = {.mirrored = false};
	struct place *at = &line.ports_at;

	if (!read_side(d, a, &line.from, &line.from_vip, at) || !arg_expect(a, "to") ||
		!read_side(d, a, &line.to, &line.to_vip, at) ||
		!read_trailer(d, a, &line))
		return;
	if (!line_is_sound(d, s, &line) || !orient(d, s, &line, filter))
		return;
	d->filters[index][list->n_filters++] = (struct draft_filter){
		.at = s->at,
		.vip = line.from.kind == SIDE_VIP ? line.from_vip : line.to_vip,
	};
}

void read_filter_list(struct draft *d, const struct stmt *s, struct args *a, void *into)
{
	static const struct keyword table[] = {
		{"from", .read = read_from, .many = true},
	};
	struct config_filter_list *list = &d->c->filter_lists[d->c->n_filter_lists];
	struct names names = names_filter_lists(d);
	unsigned lines = stmt_count(s->body);
	unsigned before = d->errors->n_errors;

	(void)into;
	if (!arg_name(a, "the filter list's name", list->name) || !arg_end(a) ||
		!names_claim(d, &names, list->name, s->at))
		return;
	d->filter_list_at[d->c->n_filter_lists] = s->at;
	list->filters = draft_room(lines, sizeof(*list->filters));
	d->filters[d->c->n_filter_lists++] = draft_room(lines, sizeof(**d->filters));
	block_read(d, s->body, "in filter-list", table, COUNT_OF(table), list);
	if (list->n_filters == 0 && d->errors->n_errors == before && !d->damaged)
		errors_add(d->errors, s->at, "filter-list \"%s\" is empty", list->name);
}
