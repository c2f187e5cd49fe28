/* ctl/refuse.c - what is wrong before a daemon has answered: on stderr for people, and
 * with --json as the same object that a daemon would have sent (docs/PROTOCOL.md). */
#include "ctl/ctl.h"

int refuse(const struct ctl *ctl, int code, const char *text)
{
	fprintf(stderr, "vipsec: %s\n", text);
	if (!ctl->json)
		return code;
	json_t *reply = json_pack("{s:i,s:s,s:i,s:s,s:n}", "schema", 1, "verb", ctl->verb,
		"code", code, "error", text, "data");
	json_dumpf(reply, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(reply);
	return code;
}
