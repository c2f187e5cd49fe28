/* tests/unit/vipsec_states.c - prints docs/STATES.md, or a drawing for dot, from the rules
 * table of ike/.
 *
 *	vipsec-states --markdown | --dot
 */
#include <stdio.h>
#include <string.h>

#include "base/iana.h"
#include "ike/rules.h"
#include "ike/sa.h"

static const char *exchange_name(const struct ike_rule *r)
{
	static const char *const commands[] = {[COMMAND_CALL] = "call",
		[COMMAND_DELETE] = "delete",
		[COMMAND_INHERIT] = "inherit",
		[COMMAND_RETIRE] = "retire"};

	if (r->on == ON_COMMAND)
		return commands[r->exchange];
	switch (r->exchange) {
	case IKE_SA_INIT:
		return "IKE_SA_INIT";
	case IKE_AUTH:
		return "IKE_AUTH";
	case CREATE_CHILD_SA:
		return "CREATE_CHILD_SA";
	case IKE_INTERMEDIATE:
		return "IKE_INTERMEDIATE";
	case IKE_FOLLOWUP_KE:
		return "IKE_FOLLOWUP_KE";
	default:
		return "INFORMATIONAL";
	}
}

static const char *trigger_name(enum ike_trigger on)
{
	static const char *const names[] = {[ON_REQUEST] = "request",
		[ON_RESPONSE] = "response",
		[ON_COMMAND] = "command"};

	return names[on];
}

static const char *payload_name(unsigned type)
{
	static const char *const names[] = {"SA", "KE", "IDi", "IDr", "CERT", "CERTREQ",
		"AUTH", "Nonce", "N", "D", "V", "TSi", "TSr", "SK", "CP", "EAP"};

	return names[type - PAYLOAD_SA];
}

static void print_payloads(uint64_t set)
{
	const char *comma = "";

	for (unsigned type = PAYLOAD_SA; type <= PAYLOAD_EAP; type++) {
		if (!(set & PAYLOAD_BIT(type)))
			continue;
		printf("%s%s", comma, payload_name(type));
		comma = " ";
	}
	if (set & RULE_ERROR)
		printf("%sN(error)", comma);
	if (set & RULE_REKEY)
		printf("%sN(REKEY_SA)", comma);
}

static bool may_detour(const struct ike_rule *r)
{
	return r->then != r->state && ike_state_before(r->then) != r->then;
}

static void print_arrow(const struct ike_rule *r, enum ike_state then)
{
	printf("\t\"%s\" -> \"%s\" [label=\"%s\\n%s %s\"];\n", ike_state_name(r->state),
		ike_state_name(then), r->story, exchange_name(r), trigger_name(r->on));
}

static void print_dot(void)
{
	size_t n;
	const struct ike_rule *rules = ike_rules(&n);

	printf("digraph ike {\n\trankdir=LR;\n\tnode [shape=box, style=rounded];\n");
	for (size_t i = 0; i < n; i++) {
		print_arrow(&rules[i], rules[i].then);
		if (may_detour(&rules[i]))
			print_arrow(&rules[i], ike_state_before(rules[i].then));
	}
	printf("}\n");
}

static void print_states(void)
{
	printf("| state | what it is |\n|---|---|\n");
	for (int s = 0; s < IKE_STATES; s++)
		printf("| %s | %s |\n", ike_state_name((enum ike_state)s),
			ike_state_story((enum ike_state)s));
}

static void print_rules(void)
{
	size_t n;
	const struct ike_rule *rules = ike_rules(&n);

	printf("| state | on | must have | may have | story | then |\n");
	printf("|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < n; i++) {
		const struct ike_rule *r = &rules[i];

		printf("| %s | %s %s | ", ike_state_name(r->state), exchange_name(r),
			trigger_name(r->on));
		print_payloads(r->must);
		printf(" | ");
		print_payloads(r->may & ~r->must);
		printf(" | %s | %s", r->story, ike_state_name(r->then));
		if (may_detour(r))
			printf(", or before it %s",
				ike_state_name(ike_state_before(r->then)));
		printf(" |\n");
	}
}

static void print_markdown(void)
{
	printf("# States of an IKE SA\n\n"
	       "Written by `tools/states-to-dot` from the table in `src/ike/rules.c`; "
	       "`make check` compares.\nDo not edit.\n\n");
	print_states();
	printf("\nWhat may happen. The first row whose payloads are there is taken; only "
	       "the "
	       "dispatcher assigns the\nstate. A handler may also leave the state as it "
	       "was, "
	       "end the SA, or end it and tell the peer\n(`deleting`). What has no row "
	       "is "
	       "dropped and counted; a request that has a row but not the\npayloads is "
	       "answered INVALID_SYNTAX, which ends the SA (RFC 7296 2.21.3).\n\n");
	print_rules();
	printf("\n```dot\n");
	print_dot();
	printf("```\n");
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--markdown") == 0) {
		print_markdown();
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--dot") == 0) {
		print_dot();
		return 0;
	}
	fprintf(stderr, "usage: vipsec-states --markdown | --dot\n");
	return 1;
}
