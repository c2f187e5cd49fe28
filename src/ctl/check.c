/* ctl/check.c - `vipsec check [FILE]`: is this configuration right? Needs no daemon. */
#include "ctl/ctl.h"
#include "port/files.h"

static void print_line(void *ctx, const char *text)
{
	json_t *list = ctx;

	if (list)
		json_array_append_new(list, json_string(text));
	else
		fprintf(stderr, "%s\n", text);
}

int verb_check(const struct ctl *ctl)
{
	const char *file =
		ctl->argc > 0 ? ctl->argv[0] : SYSCONFDIR "/vipsec/vipsec.conf";
	json_t *lines = ctl->json ? json_array() : NULL;
	struct config_report report = {.line = print_line, .ctx = lines};
	struct config *c = files_load_config(file, &report);

	if (ctl->json) {
		json_t *out = json_pack("{s:i,s:s,s:i,s:n,s:{s:s,s:o}}", "schema", 1,
			"verb", "check", "code", c ? EXIT_FINE : EXIT_WRONG, "error",
			"data", "file", file, "messages", lines);
		json_dumpf(out, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(out);
	} else if (c) {
		printf("%s: correct: %u VIPs, %u policies, %u rules\n", file, c->n_vips,
			c->n_policies, c->n_rules);
	}
	bool ok = c != NULL;
	config_free(c);
	return ok ? EXIT_FINE : EXIT_WRONG;
}
