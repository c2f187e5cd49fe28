/* daemon/command.c - the requests of `vipsec` and of the agents.
 *
 * A request is {"verb": V, "args": {...}}; the reply is {"schema": 1, "verb": V,
 * "code": C, "error": TEXT or null, "data": ...}. Verbs that change the node are answered
 * when the node says that the work is done (FX_REPLY); the rest at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/look.h"
#include "policy/explain.h"

enum { SCHEMA = 1 };

struct request {
	struct daemon *d;
	uint64_t client;
	const char *verb;
	json_t *args;
};

static void send_text(struct daemon *d, uint64_t client, json_t *whole, bool event)
{
	static const char sorry[] =
		"{\"schema\":1,\"verb\":\"\",\"code\":1,"
		"\"error\":\"no answer could be made\",\"data\":null}";
	char *text = json_dumps(whole, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;

	if (event && text)
		(void)control_event(d->control, client, text, len);
	else if (!event && (!text || !control_reply(d->control, client, text, len)))
		(void)control_reply(d->control, client, sorry, sizeof(sorry) - 1);
	free(text);
	json_decref(whole);
}

/* Takes data over. */
static json_t *reply_of(
	const struct request *r, int code, const char *error, json_t *data)
{
	return json_pack("{s:i,s:s,s:i,s:o,s:o}", "schema", SCHEMA, "verb", r->verb,
		"code", code, "error", error ? json_string(error) : json_null(), "data",
		data ? data : json_null());
}

static void answer(const struct request *r, int code, const char *error, json_t *data)
{
	send_text(r->d, r->client, reply_of(r, code, error, data), false);
}

void command_send(struct daemon *d, uint64_t client, json_t *whole)
{
	send_text(d, client, whole, false);
}

static const char *arg(const struct request *r, const char *name)
{
	return json_string_value(json_object_get(r->args, name));
}

/* ---- looking ---------------------------------------------------------------------- */

static void on_status(const struct request *r)
{
	json_t *status = report_status(r->d);
	bool well = json_array_size(json_object_get(status, "problems")) == 0;

	answer(r, well ? 0 : 3, NULL, status);
}

static void on_show(const struct request *r)
{
	const char *what = arg(r, "what");

	if (!what)
		answer(r, 1, "show what? ike, child, vip, peers or rule", NULL);
	else if (strcmp(what, "ike") == 0)
		answer(r, 0, NULL, report_ikes(r->d));
	else if (strcmp(what, "child") == 0)
		answer(r, 0, NULL, report_children(r->d));
	else if (strcmp(what, "vip") == 0)
		answer(r, 0, NULL, report_vips(r->d));
	else if (strcmp(what, "peers") == 0)
		answer(r, 0, NULL, report_peers(r->d, arg(r, "vip")));
	else if (strcmp(what, "rule") == 0)
		answer(r, 0, NULL, report_rules(r->d));
	else
		answer(r, 1, "show knows ike, child, vip, peers and rule", NULL);
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

static void on_vip_status(const struct request *r)
{
	const char *name = arg(r, "vip");
	json_t *vip = name ? find_vip(r->d, name) : NULL;

	if (!vip) {
		answer(r, 1, "no such VIP in the configuration", NULL);
		return;
	}
	const char *state = json_string_value(json_object_get(vip, "state"));
	/* Not bound, and not clean either: the agent must not take it for stopped. */
	if (json_is_true(json_object_get(vip, "stuck")))
		answer(r, 1, json_string_value(json_object_get(vip, "reason")), vip);
	else
		answer(r, strcmp(state, vip_state_name(VIP_BOUND)) == 0 ? 0 : 7, NULL,
			vip);
}

/* ---- events ------------------------------------------------------------------------ */

static void add_event(void *ctx, const struct journal_entry *e)
{
	json_array_append_new(ctx, journal_json(e));
}

/* As many followers as there are clients, each once. */
static void follow(struct daemon *d, uint64_t client)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (d->followers[i] && d->followers[i] != client)
			continue;
		d->followers[i] = client;
		return;
	}
}

static void on_events(const struct request *r)
{
	json_t *list = json_array();
	json_int_t from = json_integer_value(json_object_get(r->args, "from"));

	journal_each(r->d->journal, from > 0 ? (uint64_t)from : 1, add_event, list);
	if (json_is_true(json_object_get(r->args, "follow")))
		follow(r->d, r->client);
	answer(r, 0, NULL, list);
}

void command_event(struct daemon *d, const struct journal_entry *e)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (d->followers[i])
			send_text(d, d->followers[i], journal_json(e), true);
}

void command_gone(void *ctx, uint64_t client)
{
	struct daemon *d = ctx;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (d->followers[i] == client)
			d->followers[i] = 0;
	for (size_t i = 0; i < PENDING_MAX; i++)
		if (d->pending[i].client == client)
			d->pending[i].token = 0;
	look_gone(d, client);
}

/* ---- changing ---------------------------------------------------------------------- */

static struct pending *pend(const struct request *r)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &r->d->pending[i];

		if (p->token)
			continue;
		*p = (struct pending){.token = ++r->d->last_token, .client = r->client};
		snprintf(p->verb, sizeof(p->verb), "%s", r->verb);
		return p;
	}
	return NULL;
}

static void order(const struct request *r, enum node_event_kind kind)
{
	struct pending *p = pend(r);

	if (!p) {
		answer(r, 1, "too many commands wait for an answer: try again", NULL);
		return;
	}
	struct node_event ev = {.kind = kind};
	ev.u.command.token = p->token;
	ev.u.command.vip = arg(r, "vip");
	ev.u.command.rule = arg(r, "rule");
	ev.u.command.peer = arg(r, "peer");
	ev.u.command.key = arg(r, "key");
	ev.u.command.value = arg(r, "value");
	feed(r->d, &ev);
}

void command_reply(struct daemon *d, uint64_t token, int code, const char *text)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &d->pending[i];

		if (p->token != token || token == 0)
			continue;
		struct request r = {.d = d, .client = p->client, .verb = p->verb};
		json_t *reply = reply_of(&r, code, code == 0 ? NULL : text,
			json_pack("{s:s}", "text", text));
		/* A release is worth nothing with a data thread that hangs: the agent's stop
		 * waits for its word, and kills a daemon that does not give it. */
		if (strcmp(p->verb, "vip-unbind") != 0 || !look_hold(d, p->client, reply))
			command_send(d, p->client, reply);
		p->token = 0;
	}
}

static void on_vip_bind(const struct request *r)
{
	if (arg(r, "vip"))
		order(r, NODE_BIND);
	else
		answer(r, 1, "bind which VIP?", NULL);
}

static void on_vip_unbind(const struct request *r)
{
	if (arg(r, "vip"))
		order(r, NODE_UNBIND);
	else
		answer(r, 1, "unbind which VIP?", NULL);
}

static void on_up(const struct request *r)
{
	order(r, NODE_UP);
}

static void on_down(const struct request *r)
{
	order(r, NODE_DOWN);
}

static void on_tune(const struct request *r)
{
	if (arg(r, "key") && arg(r, "value"))
		order(r, NODE_TUNE);
	else
		answer(r, 1, "tune takes a setting and a value, e.g. nlbs-flags 1", NULL);
}

static void collect_line(void *ctx, const char *text)
{
	json_array_append_new(ctx, json_string(text));
}

static void on_reload(const struct request *r)
{
	json_t *lines = json_array();
	struct config_report report = {.line = collect_line, .ctx = lines};
	bool ok = feed_config(r->d, &report);

	answer(r, ok ? 0 : 1, ok ? NULL : "the running configuration stays in force",
		json_pack("{s:o}", "messages", lines));
}

/* The agents' question: is somebody at work? Answered when the data thread has answered
 * us: one that hangs must not pass for serving. */
static void on_ping(const struct request *r)
{
	answer(r, 0, NULL, NULL);
}

static void on_log(const struct request *r)
{
	const char *name = arg(r, "level");
	int level = name ? journal_level_of(name) : -1;

	if (level < 0) {
		answer(r, 1, "log levels are error, warning, notice, info and debug",
			NULL);
		return;
	}
	journal_set_level(level);
	answer(r, 0, NULL, NULL);
}

/* ---- explain ----------------------------------------------------------------------- */

static json_t *explain_scope(struct daemon *d, uint16_t scope, const struct addr *src,
	const struct addr *dst, const unsigned numbers[3])
{
	const struct config *c = node_config(d->node);
	bool host = scope == config_host_scope(c);
	struct spd *spd = config_spd(c, scope);
	struct policy_explanation e;
	enum policy_direction dir;
	char why[POLICY_WHY_MAX];
	json_t *out = NULL;
	struct flow f;

	if (spd && policy_orient(host ? NULL : c->vips[scope].addrs,
			   host ? 0 : c->vips[scope].n_addrs, src, (uint16_t)numbers[1],
			   dst, (uint16_t)numbers[2], (uint8_t)numbers[0], &dir, &f)) {
		policy_explain(spd, dir, &f, &e);
		out = json_pack("{s:s,s:s,s:s,s:s}", "vip",
			host ? "host" : c->vips[scope].name, "action",
			policy_action_name(e.action), "rule",
			e.entry ? e.entry->rule_name : "", "why", policy_why(&e, why));
	}
	spd_free(spd);
	return out;
}

static void on_explain(const struct request *r)
{
	const struct config *c = node_config(r->d->node);
	const char *src = arg(r, "src"), *dst = arg(r, "dst");
	const char *names[3] = {"proto", "src_port", "dst_port"};
	unsigned numbers[3];
	struct addr from, to;

	for (int i = 0; i < 3; i++)
		numbers[i] =
			(unsigned)json_integer_value(json_object_get(r->args, names[i]));
	if (!src || !dst || !addr_parse(src, &from) || !addr_parse(dst, &to) ||
		from.family != to.family) {
		answer(r, 1, "explain takes two addresses of one family", NULL);
		return;
	}
	json_t *list = json_array();
	for (uint16_t scope = 0; c && scope <= config_host_scope(c); scope++) {
		json_t *one = explain_scope(r->d, scope, &from, &to, numbers);

		if (one)
			json_array_append_new(list, one);
	}
	answer(r, 0, NULL, list);
}

/* ---- the table --------------------------------------------------------------------- */

enum waits {
	AT_ONCE,
	COUNTS, /* waits for the data path's counters, for a second at most */
	INSISTS /* waits for the data path */
};

static const struct {
	const char *name;
	void (*run)(const struct request *r);
	enum waits waits;
} verbs[] = {
	{"status", on_status, COUNTS},
	{"show", on_show, COUNTS},
	{"events", on_events, AT_ONCE},
	{"explain", on_explain, AT_ONCE},
	{"vip-status", on_vip_status, AT_ONCE},
	{"vip-bind", on_vip_bind, AT_ONCE},
	{"vip-unbind", on_vip_unbind, AT_ONCE},
	{"up", on_up, AT_ONCE},
	{"down", on_down, AT_ONCE},
	{"tune", on_tune, AT_ONCE},
	{"reload", on_reload, AT_ONCE},
	{"log", on_log, AT_ONCE},
	{"ping", on_ping, INSISTS},
};

enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static size_t find_verb(const char *name)
{
	size_t i = 0;

	while (i < VERBS && strcmp(verbs[i].name, name) != 0)
		i++;
	return i;
}

void command_run(struct daemon *d, uint64_t client, const char *verb, json_t *args)
{
	struct request r = {.d = d, .client = client, .verb = verb, .args = args};
	size_t i = find_verb(verb);

	if (i < VERBS)
		verbs[i].run(&r);
}

/* With no room to wait the counters last known must do. */
static void dispatch(const struct request *r)
{
	size_t i = find_verb(r->verb);

	if (i == VERBS)
		answer(r, 1, "this vipsecd does not know the verb", NULL);
	else if (verbs[i].waits == AT_ONCE || !look_before(r->d, r->client, r->verb,
						      r->args, verbs[i].waits == INSISTS))
		verbs[i].run(r);
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
