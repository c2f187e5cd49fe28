/* ctl/vip.c - `vipsec vip bind|unbind|status NAME`, what the agents call. */
#include <string.h>

#include "ctl/ctl.h"

int verb_vip(const struct ctl *ctl)
{
	static const struct {
		const char *name, *verb;
	} words[] = {{"bind", "vip-bind"}, {"unbind", "vip-unbind"}};

	if (ctl->argc != 2)
		return refuse(ctl, EXIT_WRONG, "vip bind|unbind|status NAME");
	json_t *args = json_pack("{s:s}", "vip", ctl->argv[1]);
	for (size_t i = 0; i < 2; i++)
		if (strcmp(ctl->argv[0], words[i].name) == 0)
			return ask_and_say(ctl, words[i].verb, args);
	if (strcmp(ctl->argv[0], "status") != 0) {
		json_decref(args);
		return refuse(ctl, EXIT_WRONG, "vip bind, unbind or status");
	}
	json_t *reply, *data;
	int code = ask(ctl, "vip-status", args, &reply, &data);
	if (json_is_object(data))
		print_vip(data);
	json_decref(reply);
	return code;
}
