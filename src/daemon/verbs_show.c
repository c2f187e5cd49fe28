/* daemon/verbs_show.c - the verbs that only look. */
#include "daemon/verbs.h"

#include <string.h>

#include "daemon/report.h"
#include "daemon/tell.h"

void verb_status(const struct request *r)
{
	json_t *status = report_status(r->d);
	bool well = json_array_size(json_object_get(status, "problems")) == 0;

	answer(r, well ? 0 : 3, NULL, status);
}

void verb_show(const struct request *r)
{
	const char *what = request_arg(r, "what");

	if (!what)
		answer(r, 1, "show what? ike, child, vip, peers, rule or names", NULL);
	else if (strcmp(what, "ike") == 0)
		answer(r, 0, NULL, report_ikes(r->d));
	else if (strcmp(what, "child") == 0)
		answer(r, 0, NULL, report_children(r->d));
	else if (strcmp(what, "vip") == 0)
		answer(r, 0, NULL, report_vips(r->d));
	else if (strcmp(what, "peers") == 0)
		answer(r, 0, NULL, report_peers(r->d, request_arg(r, "vip")));
	else if (strcmp(what, "rule") == 0)
		answer(r, 0, NULL, report_rules(r->d));
	else if (strcmp(what, "names") == 0)
		answer(r, 0, NULL, report_names(r->d));
	else
		answer(r, 1, "show knows ike, child, vip, peers, rule and names", NULL);
}

static json_t *find_vip(struct daemon *d, const char *name)
{
	json_t *vips = report_vips(d), *vip, *found = NULL;
	size_t i;

	json_array_foreach(vips, i, vip)
	{
		if (strcmp(json_string_value(json_object_get(vip, "name")), name) == 0)
			found = json_incref(vip);
	}
	json_decref(vips);
	return found;
}

void verb_vip_status(const struct request *r)
{
	const char *name = request_arg(r, "vip");
	json_t *vip = name ? find_vip(r->d, name) : NULL;

	if (!vip) {
		answer(r, 1, "no such VIP in the configuration", NULL);
		return;
	}
	const char *state = json_string_value(json_object_get(vip, "state"));
	/* Not bound, and not clean either: the agent must not take it for stopped. */
	const char *trouble = json_string_value(json_object_get(vip, "trouble"));
	if (json_is_true(json_object_get(vip, "stuck")))
		answer(r, 1, json_string_value(json_object_get(vip, "reason")), vip);
	else if (trouble[0])
		answer(r, 3, NULL, vip);
	else
		answer(r, strcmp(state, vip_state_name(VIP_BOUND)) == 0 ? 0 : 7, NULL,
			vip);
}

static void add_event(void *ctx, const struct journal_entry *e)
{
	json_array_append_new(ctx, journal_json(e));
}

void verb_events(const struct request *r)
{
	json_t *list = json_array();
	json_int_t from = json_integer_value(json_object_get(r->args, "from"));

	journal_each(r->d->journal, from > 0 ? (uint64_t)from : 1, add_event, list);
	if (json_is_true(json_object_get(r->args, "follow")))
		tell_follower(r->d, r->client);
	answer(r, 0, NULL, list);
}

/* The agents' question: is somebody at work? Answered when the data thread has answered
 * us: one that hangs must not pass for serving. */
void verb_ping(const struct request *r)
{
	answer(r, 0, NULL, NULL);
}
