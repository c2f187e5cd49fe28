/* daemon/report.c - virtual IPs, rules and the whole as JSON, for `vipsec` and its --json.
 *
 * The shape is documented in docs/PROTOCOL.md; adding members is compatible, renaming one
 * is a new schema number.
 */
#include "daemon/report.h"

#include "daemon/planes.h"

#include <stdio.h>

#include "config.h"
#include "daemon/values.h"
#include "os/clock.h"
#include "policy/explain.h"
#include "port/guard.h"

/* ---- virtual IPs --------------------------------------------------------------- */

static json_t *guard_json(const struct guard_counts *c)
{
	return json_pack("{s:o,s:o,s:o,s:o}", "clear_in", value_count(c->clear_in),
		"clear_out", value_count(c->clear_out), "blocked_in",
		value_count(c->blocked_in), "blocked_out", value_count(c->blocked_out));
}

/* The cluster starts a VIP's addresses one after the other: not said before this. */
enum { PARTIAL_AFTER_MS = 15000 };

/* Bound, and not as it should be; empty: it is. */
static const char *vip_trouble(const struct daemon *d, const struct vip_view *v)
{
	const char *steering = mending_trouble(d, v->scope);

	if (v->state != VIP_BOUND)
		return "";
	if (steering)
		return steering;
	return v->partial_ms != 0 && clock_now_ms() - v->partial_ms >= PARTIAL_AFTER_MS
		       ? v->partial
		       : "";
}

/* Null unless its peers are sent elsewhere. */
static json_t *drain_json(const struct vip_view *v, uint64_t now_ms)
{
	json_t *to = json_array();

	for (unsigned i = 0; i < 2; i++)
		if (addr_is_set(&v->drain_to[i]))
			json_array_append_new(to, value_addr(&v->drain_to[i]));
	if (v->drained)
		return json_pack("{s:o,s:o,s:i,s:i,s:i,s:i}", "to", to, "since_ms",
			value_age(now_ms, v->drain_since_ms), "turned",
			(int)v->drain_turned, "told", (int)v->drain_told, "gone",
			(int)v->drain_gone, "left", (int)v->peers_up);
	json_decref(to);
	return json_null();
}

static json_t *vip_json(struct daemon *d, const struct vip_view *v,
	const struct guard_counts *dropped, uint64_t now_ms)
{
	json_t *addrs = json_array();
	const char *trouble = vip_trouble(d, v);
	char ends[256];

	if (v->state == VIP_BOUND && !trouble[0] &&
		report_identity_trouble(d, v->scope, ends, sizeof(ends)))
		trouble = ends;
	for (unsigned i = 0; i < v->n_addrs; i++)
		json_array_append_new(addrs,
			json_pack("{s:o,s:b,s:s}", "address", value_addr(&v->addrs[i]),
				"present", v->addr_present[i], "state",
				vip_state_name(v->addr_state[i])));
	return json_pack("{s:s,s:s,s:o,s:i,s:o,s:i,s:i,s:s,s:b,s:s,s:o,s:o}", "name",
		v->name, "state", vip_state_name(v->state), "addresses", addrs, "owner",
		v->owner, "since_ms", value_age(now_ms, v->since_ms), "peers",
		(int)v->peers, "peers_up", (int)v->peers_up, "reason", v->reason, "stuck",
		v->stuck, "trouble", trouble, "guard", guard_json(dropped), "drain",
		drain_json(v, now_ms));
}

json_t *report_vips(struct daemon *d)
{
	json_t *out = json_array();
	struct node_view look;
	struct vip_view vip;
	struct guard_counts dropped[SCOPE_MAX + 1];

	node_look(d->node, &look);
	guard_read_counts(dropped, SCOPE_MAX + 1);
	for (unsigned scope = 0; scope < look.n_scopes && scope <= SCOPE_MAX; scope++)
		if (node_look_vip(d->node, (uint16_t)scope, &vip))
			json_array_append_new(
				out, vip_json(d, &vip, &dropped[scope], clock_now_ms()));
	return out;
}

/* ---- rules ------------------------------------------------------------------------ */

static json_t *tunnel_json(const struct config *c, const struct spd_entry *e)
{
	const char *name = c->rules[e->rule].tunnel_name;

	if (addr_is_set(&e->tunnel_to))
		return value_addr(&e->tunnel_to);
	return e->mode == POLICY_TUNNEL && name[0] ? json_string(name) : json_null();
}

static void add_rules_of(struct daemon *d, uint16_t scope, json_t *out)
{
	struct spd *spd = config_spd(node_config(d->node), scope);
	char local[TS_TEXT_MAX], remote[TS_TEXT_MAX];

	for (size_t i = 0; spd && i < spd_count(spd); i++) {
		const struct spd_entry *e = spd_at(spd, i);

		json_array_append_new(out,
			json_pack("{s:s,s:s,s:s,s:s,s:s,s:b,s:s,s:o}", "vip",
				value_scope_name(d, scope), "rule", e->rule_name,
				"action", policy_action_name(e->action), "local",
				ts_format(&e->local, local), "remote",
				ts_format(&e->remote, remote), "mirrored", e->mirrored,
				"mode",
				e->action == POLICY_NEGOTIATE ? policy_mode_name(e->mode)
							      : "",
				"tunnel_to", tunnel_json(node_config(d->node), e)));
	}
	spd_free(spd);
}

json_t *report_rules(struct daemon *d)
{
	const struct config *c = node_config(d->node);
	json_t *out = json_array();

	for (uint16_t scope = 0; c && scope <= config_host_scope(c); scope++)
		add_rules_of(d, scope, out);
	return out;
}

/* ---- the whole -------------------------------------------------------------------- */

static json_t *tuning_json(const struct config_tuning *t)
{
	return json_pack("{s:i,s:b,s:I,s:I,s:I,s:I,s:i,s:i,s:s}", "nlbs_flags",
		t->nlbs_flags ? 1 : 0, "nlbs_present", t->nlbs_present, "idle_timeout_ms",
		(json_int_t)t->idle_timeout_ms, "idle_timeout_failover_ms",
		(json_int_t)t->idle_timeout_failover_ms, "idle_lifetime_ms",
		(json_int_t)t->idle_lifetime_ms, "delete_wait_ms",
		(json_int_t)t->delete_wait_ms, "replay_window", (int)t->replay_window,
		"fragment_size", (int)t->fragment_size, "on_exit",
		t->on_exit == EXIT_OPEN ? "open" : "closed");
}

static json_t *cluster_json(struct daemon *d, const struct node_view *look)
{
	json_t *members = json_array();

	for (unsigned i = 0; i < look->n_members; i++)
		json_array_append_new(members, json_integer(look->members[i]));
	return json_pack("{s:s,s:i,s:b,s:b,s:o,s:b,s:i,s:s}", "backend",
		look->clustered ? "corosync" : "none", "member", look->member, "quorate",
		look->quorate, "bus_up", look->bus_up, "members", members,
		"config_differs", look->config_differs, "failover_ms",
		(int)d->failover_ms, "trouble", d->bus ? bus_trouble(d->bus) : "");
}

static json_t *drops_json(const struct esp_counters *c)
{
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {{"no_policy", c->drop_no_policy}, {"blocked", c->drop_blocked},
		{"no_sa", c->drop_no_sa}, {"gate", c->drop_gate},
		{"malformed", c->drop_malformed}, {"unknown_spi", c->drop_unknown_spi},
		{"forged", c->drop_forged}, {"replayed", c->drop_replayed},
		{"selector", c->drop_selector}, {"refused", c->drop_refused},
		{"too_big", c->drop_too_big}, {"reassembly", c->drop_reassembly},
		{"seq_exhausted", c->drop_seq_exhausted},
		{"flow_taken", c->drop_flow_taken}, {"flow_nobody", c->drop_flow_nobody}};
	json_t *out = json_object();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		json_object_set_new(out, rows[i].name, value_count(rows[i].value));
	return out;
}

static json_t *plane_json(struct daemon *d)
{
	struct plane_totals t;

	plane_totals(d->plane, &t);
	return json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}",
		"name", planes_name(d), "note", d->plane_note, "offload",
		policy_offload_name(node_config(d->node)->dataplane.offload), "children",
		(json_int_t)t.children, "sealed", (json_int_t)t.esp.sealed, "opened",
		(json_int_t)t.esp.opened, "held", (json_int_t)t.esp.held, "released",
		(json_int_t)t.esp.released, "early", (json_int_t)t.esp.early,
		"send_errors", (json_int_t)t.send_errors, "flows",
		(json_int_t)t.esp.flows, "flows_evicted", (json_int_t)t.esp.flows_evicted,
		"refused", (json_int_t)d->refused, "drops", drops_json(&t.esp));
}

static json_t *ike_counters_json(struct daemon *d)
{
	struct ike_counters c;

	node_ike_counters(d->node, &c);
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "received",
		(json_int_t)c.received, "malformed", (json_int_t)c.malformed,
		"unknown_spi", (json_int_t)c.unknown_spi, "forged", (json_int_t)c.forged,
		"replayed_request", (json_int_t)c.replayed_request, "cookies_sent",
		(json_int_t)c.cookies_sent, "half_open_refused",
		(json_int_t)c.half_open_refused, "retransmits", (json_int_t)c.retransmits,
		"established", (json_int_t)c.established, "fragments",
		(json_int_t)c.fragments, "fragments_refused",
		(json_int_t)c.fragments_refused, "redirected", (json_int_t)c.redirected);
}

/* ---- is all well? ----------------------------------------------------------------- */

static void add_problem(json_t *list, const char *text)
{
	json_array_append_new(list, json_string(text));
}

static bool count_lost(const struct peer_view *p, void *ctx)
{
	bool again = p->state == PEER_CALLING && p->reason[0]; /* after a failure */

	if (p->state == PEER_LOST || p->state == PEER_BACKOFF || again)
		++*(unsigned *)ctx;
	return true;
}

static void cluster_problems(const struct node_view *look, json_t *list)
{
	if (!look->clustered)
		return;
	if (!look->bus_up)
		add_problem(list, "corosync does not answer: every VIP is mute here");
	else if (!look->quorate)
		add_problem(list, "no quorum: every VIP is mute here");
	if (look->config_differs)
		add_problem(list, "another member has a different configuration");
}

static void vip_problems(struct daemon *d, const struct node_view *look, json_t *list)
{
	struct vip_view v;
	char text[256];

	for (unsigned scope = 0; scope < look->n_scopes; scope++) {
		if (!node_look_vip(d->node, (uint16_t)scope, &v))
			continue;
		const char *trouble = vip_trouble(d, &v);
		if (trouble == mending_trouble(d, v.scope))
			trouble = ""; /* said already */
		if (v.stuck || v.state == VIP_MUTE)
			snprintf(text, sizeof(text), "%s is %s: %s", v.name,
				v.stuck ? "not released" : "mute", v.reason);
		else if (trouble[0])
			snprintf(text, sizeof(text), "%s: %s", v.name, trouble);
		else
			continue;
		add_problem(list, text);
	}
}

static json_t *problems_json(struct daemon *d, const struct node_view *look)
{
	json_t *list = json_array();
	unsigned lost = 0;
	char text[128];

	cluster_problems(look, list);
	if (d->stalled)
		add_problem(list, "the data thread does not answer: kill vipsecd");
	mending_problems(d, list);
	vip_problems(d, look, list);
	node_each_peer(d->node, count_lost, &lost);
	if (lost > 0) {
		snprintf(text, sizeof(text), "%u peer%s lost, and tried again", lost,
			lost == 1 ? "" : "s");
		add_problem(list, text);
	}
	report_identity_problems(d, list);
	report_name_problems(d, list);
	if (!guard_present())
		add_problem(list, "the guard's nftables table is not there");
	return list;
}

json_t *report_status(struct daemon *d)
{
	struct node_view look;

	node_look(d->node, &look);
	json_t *out = json_pack("{s:s,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "version",
		PACKAGE_VERSION, "uptime_ms",
		(json_int_t)(clock_now_ms() - d->started_ms), "problems",
		problems_json(d, &look), "cluster", cluster_json(d, &look), "tuning",
		tuning_json(&look.tuning), "vips", report_vips(d), "peers",
		report_peers(d, NULL), "dataplane", plane_json(d), "ike",
		ike_counters_json(d));
	json_object_set_new(out, "identities", report_identities(d));
	json_object_set_new(out, "names", report_names(d));
	json_object_set_new(out, "config",
		json_pack("{s:s,s:I}", "file", d->options.config, "loaded_ms",
			(json_int_t)d->config_wall_ms));
	return out;
}
