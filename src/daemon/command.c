/* daemon/command.c - the requests of `vipsec` and of the agents: {"verb": V, "args": {...}}.
 *
 * The table says which function answers, and whether the data thread is asked first.
 */
#include "daemon/command.h"

#include <string.h>

#include "daemon/look.h"
#include "daemon/pending.h"
#include "daemon/tell.h"
#include "daemon/verbs.h"

enum waits {
	AT_ONCE,
	COUNTS, /* waits for the data path's counters, for a second at most */
	INSISTS /* waits for the data path */
};

static const struct verb {
	const char *name;
	void (*run)(const struct request *r);
	enum waits waits;
} verbs[] = {
	{"status", verb_status, COUNTS},
	{"show", verb_show, COUNTS},
	{"events", verb_events, AT_ONCE},
	{"explain", verb_explain, AT_ONCE},
	{"vip-status", verb_vip_status, AT_ONCE},
	{"vip-bind", verb_vip_bind, AT_ONCE},
	{"vip-unbind", verb_vip_unbind, AT_ONCE},
	{"up", verb_up, AT_ONCE},
	{"down", verb_down, AT_ONCE},
	{"rekey", verb_rekey, AT_ONCE},
	{"tune", verb_tune, AT_ONCE},
	{"drain", verb_drain, AT_ONCE},
	{"undrain", verb_undrain, AT_ONCE},
	{"reload", verb_reload, AT_ONCE},
	{"log", verb_log, AT_ONCE},
	{"ping", verb_ping, INSISTS},
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* With no room to wait the counters last known must do. */
static void dispatch(const struct request *r)
{
	const struct verb *v = find_verb(r->verb);

	if (!v)
		answer(r, 1, "this vipsecd does not know the verb", NULL);
	else if (v->waits == AT_ONCE || !look_before(r, v->run, v->waits == INSISTS))
		v->run(r);
}

void command_gone(void *ctx, uint64_t client)
{
	tell_no_more(ctx, client);
	pending_gone(ctx, client);
	look_gone(ctx, client);
}

void command_request(void *ctx, uint64_t client, const char *text, size_t len)
{
	struct request r = {.d = ctx, .client = client, .verb = ""};
	json_t *whole = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const char *verb = json_string_value(json_object_get(whole, "verb"));

	if (verb) {
		r.verb = verb;
		r.args = json_object_get(whole, "args");
		dispatch(&r);
	} else {
		answer(&r, 1, "malformed request", NULL);
	}
	json_decref(whole);
}
