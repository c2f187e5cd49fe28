/* ctl/updown.c - `vipsec up` and `vipsec down`: call peers, or let them go. */
#include "ctl/ctl.h"

static int order(const struct ctl *ctl, const char *verb)
{
	static const char *const names[] = {"vip", "rule", "peer"};
	json_t *args = json_object();

	if (ctl->argc > 3) {
		json_decref(args);
		return refuse(ctl, EXIT_WRONG, "up or down [VIP [RULE [PEER]]]");
	}
	for (int i = 0; i < ctl->argc; i++)
		json_object_set_new(args, names[i], json_string(ctl->argv[i]));
	return ask_and_say(ctl, verb, args);
}

int verb_up(const struct ctl *ctl)
{
	return order(ctl, "up");
}

int verb_down(const struct ctl *ctl)
{
	return order(ctl, "down");
}
