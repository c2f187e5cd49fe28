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
	if (ctl->argc > 1)
		return refuse(ctl, EXIT_WRONG, "check [FILE]");
	json_t *lines = ctl->json ? json_array() : NULL;
	struct config_report report = {.line = print_line, .ctx = lines};
	struct config *c = files_load_config(file, NULL, &report);

	if (ctl->json) {
		json_t *out = json_pack("{s:i,s:s,s:i,s:s?,s:{s:s,s:o}}", "schema", 1,
			"verb", "check", "code", c ? EXIT_FINE : EXIT_WRONG, "error",
			c ? NULL : "the configuration has errors", "data", "file", file,
			"messages", lines);
		json_dumpf(out, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(out);
	} else if (c) {
		printf("%s: correct: %u VIP%s, %u %s, %u rule%s\n", file, c->n_vips,
			c->n_vips == 1 ? "" : "s", c->n_policies,
			c->n_policies == 1 ? "policy" : "policies", c->n_rules,
			c->n_rules == 1 ? "" : "s");
	}
	bool ok = c != NULL;
	config_free(c);
	return ok ? EXIT_FINE : EXIT_WRONG;
}
