/* ctl/tune.c - `vipsec tune nlbs-flags 1`, ping, reload and log level: one question, or
 * one change while running. */
#include <string.h>

#include "ctl/ctl.h"

int verb_tune(const struct ctl *ctl)
{
	if (ctl->argc != 2)
		return refuse(
			ctl, EXIT_WRONG, "tune SETTING VALUE, e.g. tune nlbs-flags 1");
	return ask_and_say(ctl, "tune",
		json_pack("{s:s,s:s}", "key", ctl->argv[0], "value", ctl->argv[1]));
}

int verb_reload(const struct ctl *ctl)
{
	json_t *reply, *data, *line;
	size_t i;
	int code = ask(ctl, "reload", NULL, &reply, &data);

	json_array_foreach(json_object_get(data, "messages"), i, line)
		fprintf(stderr, "%s\n", json_string_value(line));
	json_decref(reply);
	return code;
}

int verb_ping(const struct ctl *ctl)
{
	return ask_and_say(ctl, "ping", NULL);
}

int verb_log(const struct ctl *ctl)
{
	if (ctl->argc != 2 || strcmp(ctl->argv[0], "level") != 0)
		return refuse(
			ctl, EXIT_WRONG, "log level error|warning|notice|info|debug");
	return ask_and_say(ctl, "log", json_pack("{s:s}", "level", ctl->argv[1]));
}
