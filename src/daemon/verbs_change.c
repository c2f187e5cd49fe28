/* daemon/verbs_change.c - the verbs that change something.
 *
 * What the node has to do is answered when it says that the work is done (FX_REPLY).
 */
#include "daemon/verbs.h"

#include "daemon/pending.h"
#include "daemon/reload.h"
#include "daemon/step.h"

static void order(const struct request *r, enum node_event_kind kind)
{
	uint64_t token = pending_add(r);

	if (!token) {
		answer(r, 1, "too many commands wait for an answer: try again", NULL);
		return;
	}
	struct node_event ev = {.kind = kind};
	ev.u.command.token = token;
	ev.u.command.vip = request_arg(r, "vip");
	ev.u.command.rule = request_arg(r, "rule");
	ev.u.command.peer = request_arg(r, "peer");
	ev.u.command.key = request_arg(r, "key");
	ev.u.command.value = request_arg(r, "value");
	step_node(r->d, &ev);
}

void verb_vip_bind(const struct request *r)
{
	if (request_arg(r, "vip"))
		order(r, NODE_BIND);
	else
		answer(r, 1, "bind which VIP?", NULL);
}

void verb_vip_unbind(const struct request *r)
{
	if (request_arg(r, "vip"))
		order(r, NODE_UNBIND);
	else
		answer(r, 1, "unbind which VIP?", NULL);
}

void verb_up(const struct request *r)
{
	order(r, NODE_UP);
}

void verb_down(const struct request *r)
{
	order(r, NODE_DOWN);
}

void verb_rekey(const struct request *r)
{
	order(r, NODE_REKEY);
}

void verb_tune(const struct request *r)
{
	if (request_arg(r, "key") && request_arg(r, "value"))
		order(r, NODE_TUNE);
	else
		answer(r, 1, "tune takes a setting and a value, e.g. nlbs-flags 1", NULL);
}

void verb_drain(const struct request *r)
{
	if (request_arg(r, "vip"))
		order(r, NODE_DRAIN);
	else
		answer(r, 1, "drain which VIP?", NULL);
}

void verb_undrain(const struct request *r)
{
	if (request_arg(r, "vip"))
		order(r, NODE_UNDRAIN);
	else
		answer(r, 1, "undrain which VIP?", NULL);
}

static void collect_line(void *ctx, const char *text)
{
	json_array_append_new(ctx, json_string(text));
}

void verb_reload(const struct request *r)
{
	json_t *lines = json_array();
	struct config_report report = {.line = collect_line, .ctx = lines};
	bool ok = reload_config(r->d, &report);

	answer(r, ok ? 0 : 1, ok ? NULL : "the running configuration stays in force",
		json_pack("{s:o}", "messages", lines));
}

void verb_log(const struct request *r)
{
	const char *name = request_arg(r, "level");
	int level = name ? journal_level_of(name) : -1;

	if (level < 0) {
		answer(r, 1, "log levels are error, warning, notice, info and debug",
			NULL);
		return;
	}
	journal_set_level(level);
	answer(r, 0, NULL, NULL);
}
