/* ctl/events.c - `vipsec events [--follow]`. */
#include <string.h>

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

static int follow(const struct ctl *ctl, struct client *c)
{
	for (json_t *event; (event = client_event(c)) != NULL;) {
		print_one(ctl, event);
		json_decref(event);
	}
	fprintf(stderr, "vipsec: vipsecd went away\n");
	return EXIT_ABSENT;
}

/* With --json one event a line, so that a follower can be piped. */
int verb_events(const struct ctl *ctl)
{
	bool following = ctl->argc == 1 && strcmp(ctl->argv[0], "--follow") == 0;
	const json_t *list, *event;
	size_t i;

	if (ctl->argc > (following ? 1 : 0)) {
		fprintf(stderr, "vipsec: events takes only --follow\n");
		return EXIT_WRONG;
	}
	struct client *c = client_connect(ctl->timeout_ms);
	if (!c)
		return EXIT_ABSENT;
	json_t *reply = client_ask(
		c, "events", json_pack("{s:b}", "follow", following), ctl->timeout_ms);
	list = json_object_get(reply, "data");
	json_array_foreach(list, i, event) print_one(ctl, event);
	int code = !reply ? EXIT_ABSENT : following ? follow(ctl, c) : EXIT_FINE;
	json_decref(reply);
	client_close(c);
	return code;
}
