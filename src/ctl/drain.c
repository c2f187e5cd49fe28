/* ctl/drain.c - `vipsec drain` and `vipsec undrain`: a VIP's peers are sent to another
 * gateway, or served here again. */
#include "ctl/ctl.h"

#include <string.h>

int verb_drain(const struct ctl *ctl)
{
	bool to = ctl->argc == 3 && strcmp(ctl->argv[1], "to") == 0;

	if (ctl->argc != 1 && !to)
		return refuse(ctl, EXIT_WRONG, "drain VIP [to ADDRESS[,ADDRESS]]");
	json_t *args = json_pack("{s:s}", "vip", ctl->argv[0]);
	if (to)
		json_object_set_new(args, "value", json_string(ctl->argv[2]));
	return ask_and_say(ctl, "drain", args);
}

int verb_undrain(const struct ctl *ctl)
{
	if (ctl->argc != 1)
		return refuse(ctl, EXIT_WRONG, "undrain VIP");
	return ask_and_say(ctl, "undrain", json_pack("{s:s}", "vip", ctl->argv[0]));
}
