/* doctor/firewall.c - three-valued: a rule that may match leaves both ways open. */
#include "doctor/firewall.h"

#include <stdio.h>
#include <string.h>

#include "base/iana.h"
#include "doctor/firewall_match.h"
#include "port/guard.h"

enum { DEPTH_MAX = 16 };

/* ---- what a rule does ---------------------------------------------------------------- */

enum fate {
	GOES_ON,
	ENDS_WELL,
	MAY_END_WELL, /* else it goes on */
	ENDS_BADLY,
	REWRITTEN,
	DEPENDS /* it may end badly, for nobody in particular */
};

struct walk {
	const json_t *objects; /* of the ruleset */
	const struct packet *packet;
	const char *family, *table;
};

static enum fate walk_chain(const struct walk *w, const char *chain, int depth);

static bool is_any_of(const json_t *expression, const char *const *words)
{
	for (; *words; words++)
		if (json_object_get(expression, *words))
			return true;
	return false;
}

/* What comes of a packet that has got so far in a rule. *leaves: this chain's walk ends. */
static enum fate statement_fate(
	const struct walk *w, const json_t *e, int depth, bool *leaves)
{
	static const char *const bad[] = {"drop", "reject", NULL};
	static const char *const other[] = {"snat", "masquerade", NULL};
	const json_t *jump = json_object_get(e, "jump"),
		     *jump_to = json_object_get(e, "goto");

	*leaves = true;
	if (json_object_get(e, "accept"))
		return ENDS_WELL;
	if (is_any_of(e, bad))
		return ENDS_BADLY;
	if (is_any_of(e, other))
		return REWRITTEN;
	if (json_object_get(e, "return"))
		return GOES_ON;
	if (jump_to)
		return walk_chain(w, match_text(jump_to, "target"), depth + 1);
	*leaves = false;
	return jump ? walk_chain(w, match_text(jump, "target"), depth + 1) : GOES_ON;
}

/* Nothing else leaves open whether the packet is still meant. */
static enum answer condition(const json_t *e, const struct packet *p)
{
	static const char *const plain[] = {"counter", "log", "accept", "drop", "reject",
		"jump", "goto", "return", "snat", "masquerade", "mangle", "notrack",
		NULL};
	const json_t *match = json_object_get(e, "match");

	if (match)
		return match_answer(match, p);
	return is_any_of(e, plain) ? YES : PERHAPS;
}

static enum fate rule_fate(const struct walk *w, const json_t *rule, int depth,
	enum answer *matched, bool *leaves)
{
	const json_t *e;
	enum fate fate = GOES_ON;
	size_t i;

	*matched = YES;
	*leaves = false;
	json_array_foreach(json_object_get(rule, "expr"), i, e)
	{
		enum answer a = condition(e, w->packet);
		*matched = a < *matched ? a : *matched;
		if (*matched == NO)
			return GOES_ON;
		fate = statement_fate(w, e, depth, leaves);
		if (*leaves || fate != GOES_ON)
			return fate;
	}
	return GOES_ON;
}

static bool is_of(const struct walk *w, const json_t *rule, const char *chain)
{
	return strcmp(match_text(rule, "family"), w->family) == 0 &&
	       strcmp(match_text(rule, "table"), w->table) == 0 &&
	       strcmp(match_text(rule, "chain"), chain) == 0;
}

struct doubts {
	bool may_pass, may_leave, may_change;
};

static enum fate end_of_chain(const struct doubts *d)
{
	if (d->may_change)
		return DEPENDS;
	return d->may_pass ? MAY_END_WELL : GOES_ON;
}

/* A rule that perhaps matches. Blocklists may drop some peers: that is what they are for,
 * where the rest passes. A chain that shuts everybody out but for some must be told. */
static void doubt(struct doubts *d, enum fate fate, bool leaves)
{
	d->may_pass |= fate == ENDS_WELL || fate == MAY_END_WELL || fate == DEPENDS;
	d->may_leave |= leaves && fate == GOES_ON;
	d->may_change |= fate == REWRITTEN;
}

static enum fate sure_fate(const struct doubts *d, enum fate fate)
{
	if (fate == ENDS_BADLY && (d->may_pass || d->may_leave))
		return DEPENDS;
	return fate == ENDS_WELL && d->may_change ? DEPENDS : fate;
}

static enum fate walk_chain(const struct walk *w, const char *chain, int depth)
{
	struct doubts d = {.may_pass = false};
	const json_t *object;
	size_t i;

	if (depth > DEPTH_MAX)
		return DEPENDS;
	json_array_foreach(w->objects, i, object)
	{
		const json_t *rule = json_object_get(object, "rule");
		enum answer matched;
		bool leaves;

		if (!rule || !is_of(w, rule, chain))
			continue;
		enum fate fate = rule_fate(w, rule, depth, &matched, &leaves);
		if (matched == NO)
			continue;
		if (matched == PERHAPS || fate == MAY_END_WELL)
			doubt(&d, fate, leaves);
		else if (fate != GOES_ON)
			return sure_fate(&d, fate);
		if (matched == YES && leaves)
			break;
	}
	return end_of_chain(&d);
}

/* ---- chains that the kernel hands packets to ------------------------------------------ */

static bool is_asked(const json_t *chain, const struct packet *p)
{
	const char *hook = match_text(chain, "hook"),
		   *family = match_text(chain, "family");
	bool ours = strcmp(match_text(chain, "table"), GUARD_TABLE) == 0 &&
		    strcmp(family, "inet") == 0;
	const char *own_family = p->own.family == ADDR_V4 ? "ip" : "ip6";

	if (ours || (strcmp(family, "inet") != 0 && strcmp(family, own_family) != 0))
		return false;
	if (p->out)
		return strcmp(hook, "output") == 0 || strcmp(hook, "postrouting") == 0;
	return strcmp(hook, "prerouting") == 0 || strcmp(hook, "input") == 0;
}

static enum passage chain_passage(
	const json_t *objects, const json_t *chain, const struct packet *p)
{
	struct walk w = {.objects = objects,
		.packet = p,
		.family = match_text(chain, "family"),
		.table = match_text(chain, "table")};
	bool shut = strcmp(match_text(chain, "policy"), "drop") == 0;

	switch (walk_chain(&w, match_text(chain, "name"), 0)) {
	case ENDS_WELL:
		return PASSAGE_FREE;
	case ENDS_BADLY:
		return PASSAGE_SHUT;
	case REWRITTEN:
		return PASSAGE_REWRITTEN;
	case DEPENDS:
		return PASSAGE_DEPENDS;
	case MAY_END_WELL:
		return shut ? PASSAGE_DEPENDS : PASSAGE_FREE;
	case GOES_ON:
		break;
	}
	return shut ? PASSAGE_SHUT : PASSAGE_FREE;
}

enum passage firewall_passage(
	const json_t *ruleset, const struct packet *p, char where[WHERE_MAX])
{
	const json_t *objects = json_object_get(ruleset, "nftables"), *object;
	enum passage worst = PASSAGE_FREE;
	size_t i;

	where[0] = '\0';
	json_array_foreach(objects, i, object)
	{
		const json_t *chain = json_object_get(object, "chain");
		if (!chain || !is_asked(chain, p))
			continue;
		enum passage one = chain_passage(objects, chain, p);
		if (one <= worst)
			continue;
		worst = one;
		snprintf(where, WHERE_MAX, "%.16s %.60s %.60s",
			match_text(chain, "family"), match_text(chain, "table"),
			match_text(chain, "name"));
	}
	return worst;
}

/* ---- the judgement ---------------------------------------------------------------------- */

static void judge_packet(const json_t *ruleset, const struct packet *p, const char *what,
	struct findings *f)
{
	char where[WHERE_MAX], address[ADDR_TEXT_MAX];
	const char *way = p->out ? "from" : "to";

	addr_format(&p->own, address);
	switch (firewall_passage(ruleset, p, where)) {
	case PASSAGE_FREE:
		return;
	case PASSAGE_SHUT:
		find(f, GRADE_BAD, "%s %s %s is dropped by chain \"%s\"", what, way,
			address, where);
		break;
	case PASSAGE_DEPENDS:
		find(f, GRADE_WARN,
			"whether %s %s %s passes chain \"%s\" depends on what cannot be "
			"judged here",
			what, way, address, where);
		break;
	case PASSAGE_REWRITTEN:
		find(f, GRADE_BAD,
			"%s %s %s gets another source address in chain \"%s\": peers do "
			"not know it",
			what, way, address, where);
		find_advise(f,
			"exempt UDP 500, UDP 4500 and %s there: nft insert rule "
			"%s ip saddr %s accept",
			p->proto == IP_AH ? "AH" : "ESP", where, address);
		return;
	}
	if (p->proto == IP_UDP)
		find_advise(f, "nft insert rule %s udp %s %u accept", where,
			p->out ? "sport" : "dport", p->port);
	else
		find_advise(f, "nft insert rule %s meta l4proto %s accept", where,
			p->proto == IP_AH ? "ah" : "esp");
}

void firewall_judge(const json_t *ruleset, const struct addr *own, size_t n, bool ah,
	struct findings *f)
{
	static const struct {
		uint8_t proto;
		uint16_t port;
		const char *what;
	} kinds[] = {{IP_UDP, IKE_PORT, "UDP 500"}, {IP_UDP, IKE_NATT_PORT, "UDP 4500"},
		{IP_ESP, 0, "ESP"}, {IP_AH, 0, "AH"}};
	size_t before = f->count[GRADE_WARN] + f->count[GRADE_BAD];
	size_t n_kinds = sizeof(kinds) / sizeof(kinds[0]) - (ah ? 0 : 1);

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n_kinds; k++)
			for (int out = 0; out < 2; out++) {
				struct packet p = {.out = out != 0,
					.own = own[i],
					.proto = kinds[k].proto,
					.port = kinds[k].port};
				judge_packet(ruleset, &p, kinds[k].what, f);
			}
	if (before == f->count[GRADE_WARN] + f->count[GRADE_BAD])
		find_ok(f, "no rule of others stops IKE or ESP%s", ah ? " or AH" : "");
}
