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
	{"mmsas", verb_sas, "", "the IKE SAs, in the historic word: show ike"},
	{"qmsas", verb_sas, "", "the child SAs: show child"},
	{"events", verb_events, "[--follow]", "what happened last, and what happens"},
	{"vip", verb_vip, "bind|unbind|status NAME", "the life of a virtual IP"},
	{"up", verb_up, "[VIP [RULE [PEER]]]", "call peers now"},
	{"down", verb_down, "[VIP [RULE [PEER]]]", "delete SAs politely"},
	{"rekey", verb_rekey, "ike|child [VIP [RULE [PEER]]]", "new keys now"},
	{"drain", verb_drain, "VIP [to ADDRESS[,ADDRESS]]",
		"send its peers to another gateway"},
	{"undrain", verb_undrain, "VIP", "serve them here again"},
	{"tune", verb_tune, "SETTING VALUE", "change a timer while running"},
	{"reload", verb_reload, "", "read the configuration anew"},
	{"check", verb_check, "[FILE]", "is this configuration right?"},
	{"doctor", verb_doctor, "[FILE]",
		"what is wrong on this machine, and what to do"},
	{"explain", verb_explain, "SRC DST PROTO [SPORT] DPORT",
		"which rule decides, and why"},
	{"flush", verb_flush, "[open]",
		"delete what a dead daemon left in the kernel's IPsec"},
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

static int run(const struct ctl *ctl)
{
	char text[128];

	for (int i = 0; i < VERBS; i++) {
		if (strcmp(verbs[i].name, ctl->verb) != 0)
			continue;
		if (ctl->follow && verbs[i].run != verb_events)
			return refuse(ctl, EXIT_WRONG, "only events takes --follow");
		return verbs[i].run(ctl);
	}
	snprintf(text, sizeof(text), "no verb '%.60s'; vipsec --help lists them",
		ctl->verb);
	return refuse(ctl, EXIT_WRONG, text);
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

/* Options may stand before the verb or behind it. False: *code is what to exit with. */
static bool take_options(struct ctl *ctl, int argc, char **argv, int *code)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"follow", no_argument, NULL, 'f'},
		{"timeout", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};

	*code = EXIT_WRONG;
	for (int c; (c = getopt_long(argc, argv, "jft:hV", options, NULL)) != -1;) {
		if (c == 'j') {
			ctl->json = true;
		} else if (c == 'f') {
			ctl->follow = true;
		} else if (c == 't') {
			if (!take_timeout(ctl, optarg))
				return false;
		} else if (c == 'V') {
			puts(PACKAGE_STRING);
			*code = EXIT_FINE;
			return false;
		} else {
			usage(c == 'h' ? stdout : stderr);
			*code = c == 'h' ? EXIT_FINE : EXIT_WRONG;
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	struct ctl ctl = {.timeout_ms = TIMEOUT_MS, .verb = ""};
	int code;

	if (!take_options(&ctl, argc, argv, &code))
		return code;
	if (optind == argc) {
		usage(stderr);
		return refuse(&ctl, EXIT_WRONG, "which verb?");
	}
	ctl.verb = argv[optind];
	ctl.argc = argc - optind - 1;
	ctl.argv = argv + optind + 1;
	return run(&ctl);
}
