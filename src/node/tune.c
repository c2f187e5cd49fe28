/* node/tune.c - the knobs while the daemon runs: `vipsec tune KEY VALUE`.
 *
 * What was tuned stands over the file, also over a reload, until `tune KEY default`.
 * Sessions are judged anew at once: a shorter timer may find somebody dead.
 */
#include "node/core.h"

#include "base/duration.h"

enum { SHORTEST_MS = 1000 };

struct knob {
	const char *key;
	size_t value; /* offset in struct config_tuning */
	bool flag; /* 0 or 1; else a duration */
	uint64_t least_ms;
};

#define KNOB(field) offsetof(struct config_tuning, field)
static const struct knob knobs[] = {
	{"nlbs-flags", KNOB(nlbs_flags), true, 0},
	{"idle-timeout", KNOB(idle_timeout_ms), false, SHORTEST_MS},
	{"idle-timeout-failover", KNOB(idle_timeout_failover_ms), false, SHORTEST_MS},
	{"idle-lifetime", KNOB(idle_lifetime_ms), false, SHORTEST_MS},
	{"delete-wait", KNOB(delete_wait_ms), false, 0},
};

enum { KNOBS = sizeof(knobs) / sizeof(knobs[0]) };
_Static_assert((int)KNOBS <= (int)KNOBS_MAX, "struct tuned is too small");

static void copy_value(
	const struct knob *k, struct config_tuning *to, const struct config_tuning *from)
{
	size_t len = k->flag ? sizeof(bool) : sizeof(uint64_t);

	memcpy((char *)to + k->value, (const char *)from + k->value, len);
}

void tuning_refresh(struct node *n)
{
	n->tuning = n->config->tuning;
	for (unsigned i = 0; i < KNOBS; i++)
		if (n->tuned.set[i])
			copy_value(&knobs[i], &n->tuning, &n->tuned.value);
	ike_set_fragment_size(n->ike, (uint16_t)n->tuning.fragment_size);
	list_each(item, &n->sessions)
		idle_touch(n, list_entry(item, struct session, link));
	if (n->n_sessions > 0)
		idle_query_soon(n, 0);
}

static bool parse_value(
	const struct knob *k, const char *text, struct config_tuning *into)
{
	uint64_t ms;

	if (k->flag) {
		bool on = strcmp(text, "1") == 0;
		memcpy((char *)into + k->value, &on, sizeof(on));
		return on || strcmp(text, "0") == 0;
	}
	if (!duration_parse(text, &ms) || ms < k->least_ms)
		return false;
	memcpy((char *)into + k->value, &ms, sizeof(ms));
	return true;
}

static void warn_if_short(struct node *n)
{
	uint64_t t = idle_timeout_of(n, NULL);

	if (n->params.failover_ms != 0 && t < n->params.failover_ms)
		node_tell(n, EVENT_WARNING, "tune", NULL, NULL, 0,
			"the idle timeout is shorter than the cluster's own failover "
			"time of "
			"%u ms: peers will be called dead while the cluster still moves",
			n->params.failover_ms);
}

void on_tune(struct node *n, const struct node_event *ev)
{
	const char *key = ev->u.command.key, *value = ev->u.command.value;
	uint64_t token = ev->u.command.token;
	unsigned i = 0;

	while (i < KNOBS && strcmp(knobs[i].key, key) != 0)
		i++;
	if (i == KNOBS || !n->config) {
		node_reply(n, token, 1, "no such setting: %s", key);
		return;
	}
	bool usual = strcmp(value, "default") == 0;
	if (!usual && !parse_value(&knobs[i], value, &n->tuned.value)) {
		node_reply(n, token, 1, "%s: %s is not %s", key, value,
			knobs[i].flag ? "0 or 1" : "a duration like 90s, or too short");
		return;
	}
	n->tuned.set[i] = !usual;
	tuning_refresh(n);
	node_tell(n, EVENT_NOTICE, "tune", NULL, NULL, 0, "%s %s", key, value);
	warn_if_short(n);
	node_reply(n, token, 0, "%s %s", key, value);
}
