/* ctl/main.c - `vipsec VERB`: one table of subcommands. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "ctl/ctl.h"

static const struct verb {
	const char *name;
	int (*run)(const struct ctl *ctl);
	const char *args, *story;
} verbs[] = {
	{"status", verb_status, "", "all there is to know, and whether it is well"},
	{"show", verb_show, "ike|child|vip|peers|rule", "one table (also mmsas, qmsas)"},
	{"events", verb_events, "[--follow]", "what happened last, and what happens"},
	{"vip", verb_vip, "bind|unbind|status NAME", "the life of a virtual IP"},
	{"up", verb_up, "[VIP [RULE [PEER]]]", "call peers now"},
	{"down", verb_down, "[VIP [RULE [PEER]]]", "delete SAs politely"},
	{"tune", verb_tune, "SETTING VALUE", "change a timer while running"},
	{"reload", verb_reload, "", "read the configuration anew"},
	{"check", verb_check, "[FILE]", "is this configuration right?"},
	{"explain", verb_explain, "SRC DST PROTO [SPORT] DPORT",
		"which rule decides, and why"},
	{"ping", verb_ping, "", "do the daemon and its data path answer?"},
	{"log", verb_log, "level LEVEL", "error, warning, notice, info or debug"},
};
enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static void usage(FILE *to)
{
	fprintf(to, "usage: vipsec [--json] [--timeout SECONDS] VERB ...\n");
	for (int i = 0; i < VERBS; i++)
		fprintf(to, "  %-8s %-30s %s\n", verbs[i].name, verbs[i].args,
			verbs[i].story);
	fprintf(to, "exit codes: 0 ok, 1 error, 3 degraded, 7 not bound, 69 no daemon\n");
}

static int run(struct ctl *ctl, const char *name)
{
	for (int i = 0; i < VERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return verbs[i].run(ctl);
	fprintf(stderr, "vipsec: no verb '%s'\n", name);
	usage(stderr);
	return EXIT_WRONG;
}

/* Binding a VIP may take as long as duplicate address detection and the cluster do. */
enum { TIMEOUT_MS = 20000, TIMEOUT_LONGEST_S = 3600 };

static bool take_timeout(struct ctl *ctl, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds >= 0.001) || seconds > TIMEOUT_LONGEST_S) {
		fprintf(stderr, "vipsec: --timeout takes seconds, at most %d\n",
			TIMEOUT_LONGEST_S);
		return false;
	}
	ctl->timeout_ms = (unsigned)(seconds * 1000);
	return true;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"timeout", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	struct ctl ctl = {.timeout_ms = TIMEOUT_MS};

	for (int c; (c = getopt_long(argc, argv, "+jt:hV", options, NULL)) != -1;) {
		if (c == 'j') {
			ctl.json = true;
		} else if (c == 't') {
			if (!take_timeout(&ctl, optarg))
				return EXIT_WRONG;
		} else if (c == 'V') {
			puts(PACKAGE_STRING);
			return EXIT_FINE;
		} else {
			usage(c == 'h' ? stdout : stderr);
			return c == 'h' ? EXIT_FINE : EXIT_WRONG;
		}
	}
	if (optind == argc) {
		usage(stderr);
		return EXIT_WRONG;
	}
	ctl.argc = argc - optind - 1;
	ctl.argv = argv + optind + 1;
	return run(&ctl, argv[optind]);
}
