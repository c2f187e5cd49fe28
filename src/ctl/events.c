/* ctl/events.c - `vipsec events [--follow]`. */
#include "ctl/ctl.h"

static void print_one(const struct ctl *ctl, const json_t *event)
{
	if (!ctl->json) {
		print_event(event);
		return;
	}
	json_dumpf(event, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
}

/* A reader that is too slow loses events: their numbers tell. */
static int follow(const struct ctl *ctl, struct client *c, json_int_t last)
{
	for (json_t *event; (event = client_event(c)) != NULL;) {
		json_int_t number = number_of(event, "number");

		if (number > last + 1)
			fprintf(stderr, "vipsec: %lld events were lost\n",
				(long long)(number - last - 1));
		last = number;
		print_one(ctl, event);
		json_decref(event);
	}
	fprintf(stderr, "vipsec: vipsecd went away\n");
	return EXIT_ABSENT;
}

/* With --json one event a line, so that a follower can be piped. */
int verb_events(const struct ctl *ctl)
{
	const json_t *list, *event;
	size_t i;

	if (ctl->argc > 0)
		return refuse(ctl, EXIT_WRONG, "events takes only --follow");
	struct client *c = client_connect(ctl);
	if (!c)
		return EXIT_ABSENT;
	json_t *reply =
		client_ask(ctl, c, "events", json_pack("{s:b}", "follow", ctl->follow));
	json_int_t last = 0;
	int code = reply ? (int)number_of(reply, "code") : EXIT_ABSENT;
	list = json_object_get(reply, "data");
	json_array_foreach(list, i, event)
	{
		print_one(ctl, event);
		last = number_of(event, "number");
	}
	if (code != EXIT_FINE && reply)
		fprintf(stderr, "vipsec: %s\n", text_of(reply, "error"));
	else if (code == EXIT_FINE && ctl->follow)
		code = follow(ctl, c, last);
	json_decref(reply);
	client_close(c);
	return code;
}
