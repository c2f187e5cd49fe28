/* ctl/updown.c - `vipsec up`, `vipsec down` and `vipsec rekey`: call peers, let them go, or
 * have new keys with them. */
#include "ctl/ctl.h"

#include <string.h>

static int usage(const struct ctl *ctl)
{
	return refuse(ctl, EXIT_WRONG,
		"up or down [VIP [RULE [PEER]]]; rekey ike|child [VIP [RULE [PEER]]]");
}

/* skip: how many words stand before the VIP's. Takes args. */
static int order(const struct ctl *ctl, const char *verb, int skip, json_t *args)
{
	static const char *const names[] = {"vip", "rule", "peer"};

	if (ctl->argc > skip + 3) {
		json_decref(args);
		return usage(ctl);
	}
	for (int i = skip; i < ctl->argc; i++)
		json_object_set_new(args, names[i - skip], json_string(ctl->argv[i]));
	return ask_and_say(ctl, verb, args);
}

int verb_up(const struct ctl *ctl)
{
	return order(ctl, "up", 0, json_object());
}

int verb_down(const struct ctl *ctl)
{
	return order(ctl, "down", 0, json_object());
}

int verb_rekey(const struct ctl *ctl)
{
	if (ctl->argc < 1 ||
		(strcmp(ctl->argv[0], "ike") != 0 && strcmp(ctl->argv[0], "child") != 0))
		return usage(ctl);
	return order(ctl, "rekey", 1, json_pack("{s:s}", "key", ctl->argv[0]));
}
