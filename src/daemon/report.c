/* daemon/report.c - the node's views as JSON, for `vipsec` and its --json.
 *
 * The shape is documented in vipsec(8), SCHEMA; adding members is compatible, renaming
 * one is a new schema number.
 */
#include "daemon/daemon.h"

#include <stdio.h>

#include "config.h"
#include "crypto/kex.h"
#include "policy/explain.h"
#include "port/clock.h"

static json_t *endpoint_json(const struct endpoint *e)
{
	char text[ENDPOINT_TEXT_MAX];

	return addr_is_set(&e->addr) ? json_string(endpoint_format(e, text))
				     : json_null();
}

static json_t *addr_json(const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	return json_string(addr_format(a, text));
}

static json_t *identity_json(const struct identity *id)
{
	char text[IDENTITY_TEXT_MAX];

	return json_string(identity_format(id, text));
}

/* How long ago; null for never. */
static json_t *age_json(uint64_t now_ms, uint64_t at_ms)
{
	if (at_ms == 0)
		return json_null();
	return json_integer((json_int_t)(now_ms > at_ms ? now_ms - at_ms : 0));
}

static json_t *hex_json(uint64_t value, int digits)
{
	char text[24];

	snprintf(text, sizeof(text), "%0*llx", digits, (unsigned long long)value);
	return json_string(text);
}

static json_t *ts_list_json(const struct ts_list *l)
{
	json_t *out = json_array();
	char text[TS_TEXT_MAX];

	for (unsigned i = 0; i < l->n; i++)
		json_array_append_new(out, json_string(ts_format(&l->at[i], text)));
	return out;
}

static const char *scope_name(struct daemon *d, uint16_t scope)
{
	const struct config *c = node_config(d->node);

	if (!c || scope >= c->n_vips)
		return "host";
	return c->vips[scope].name;
}

static const char *rule_name(struct daemon *d, uint32_t rule)
{
	const struct config *c = node_config(d->node);

	return c && rule < c->n_rules ? c->rules[rule].name : "?";
}

/* ---- virtual IPs --------------------------------------------------------------- */

static json_t *vip_json(const struct vip_view *v, uint64_t now_ms)
{
	json_t *addrs = json_array();

	for (unsigned i = 0; i < v->n_addrs; i++)
		json_array_append_new(
			addrs, json_pack("{s:o,s:b}", "address", addr_json(&v->addrs[i]),
				       "present", v->addr_present[i]));
	return json_pack("{s:s,s:s,s:o,s:i,s:o,s:i,s:i,s:s}", "name", v->name, "state",
		vip_state_name(v->state), "addresses", addrs, "owner", v->owner,
		"since_ms", age_json(now_ms, v->since_ms), "peers", (int)v->peers,
		"peers_up", (int)v->peers_up, "reason", v->reason);
}

json_t *report_vips(struct daemon *d)
{
	json_t *out = json_array();
	struct node_view look;
	struct vip_view vip;

	node_look(d->node, &look);
	for (unsigned scope = 0; scope < look.n_scopes; scope++)
		if (node_look_vip(d->node, (uint16_t)scope, &vip))
			json_array_append_new(out, vip_json(&vip, clock_now_ms()));
	return out;
}

/* ---- peers --------------------------------------------------------------------- */

struct peer_list {
	struct daemon *daemon;
	const char *vip; /* NULL: all */
	uint64_t now_ms;
	json_t *out;
	json_t *sas; /* what to tell of a peer's SA, by the number of its IKE SA */
};

static json_t *worst_json(uint64_t worst_ms)
{
	return worst_ms == UINT64_MAX ? json_null() : json_integer((json_int_t)worst_ms);
}

static json_t *peer_json(const struct peer_list *l, const struct peer_view *p)
{
	char ike[16];
	json_t *out = json_pack("{s:s,s:s,s:s,s:o,s:o,s:o,s:I,s:I,s:b,s:b,s:b}", "vip",
		scope_name(l->daemon, p->scope), "rule", p->rule_name, "state",
		peer_state_name(p->state), "address", endpoint_json(&p->remote),
		"local_id", identity_json(&p->local_id), "remote_id",
		identity_json(&p->remote_id), "ike", (json_int_t)p->ike, "child",
		(json_int_t)p->child, "nat", p->nat, "callable", p->callable, "nlbs",
		p->peer_nlbs);

	json_object_set_new(out, "bytes_in", json_integer((json_int_t)p->bytes_in));
	json_object_set_new(out, "bytes_out", json_integer((json_int_t)p->bytes_out));
	json_object_set_new(out, "packets_in", json_integer((json_int_t)p->packets_in));
	json_object_set_new(out, "packets_out", json_integer((json_int_t)p->packets_out));
	json_object_set_new(out, "last_in_ms", age_json(l->now_ms, p->last_in_ms));
	json_object_set_new(out, "last_out_ms", age_json(l->now_ms, p->last_out_ms));
	json_object_set_new(
		out, "idle_timeout_ms", json_integer((json_int_t)p->idle_timeout_ms));
	json_object_set_new(out, "worst_recovery_ms", worst_json(p->worst_recovery_ms));
	json_object_set_new(out, "reason", json_string(p->reason));
	snprintf(ike, sizeof(ike), "%u", p->ike);
	json_object_update_missing(out, json_object_get(l->sas, ike));
	return out;
}

static bool add_peer(const struct peer_view *p, void *ctx)
{
	struct peer_list *l = ctx;

	if (l->vip && strcmp(l->vip, scope_name(l->daemon, p->scope)) != 0)
		return true;
	json_array_append_new(l->out, peer_json(l, p));
	return true;
}

/* ---- IKE SAs and child SAs -------------------------------------------------------- */

static json_t *suite_json(const struct ike_suite *s)
{
	char text[96];

	snprintf(text, sizeof(text), "%s-%s-%s", aead_name(s->encr), prf_name(s->prf),
		kex_name(s->ke));
	return json_string(text);
}

static bool add_ike(const struct ike_info *i, void *ctx)
{
	struct peer_list *l = ctx;
	json_t *out = json_pack("{s:I,s:o,s:o,s:s,s:s,s:s,s:b,s:o,s:o,s:o,s:o}", "id",
		(json_int_t)i->id, "spi_i", hex_json(i->spi_i, 16), "spi_r",
		hex_json(i->spi_r, 16), "state", i->state, "vip",
		scope_name(l->daemon, i->path.scope), "rule",
		rule_name(l->daemon, i->rule), "initiator", i->initiator, "local",
		endpoint_json(&i->path.local), "remote", endpoint_json(&i->path.remote),
		"local_id", identity_json(&i->local_id), "remote_id",
		identity_json(&i->remote_id));

	json_object_set_new(out, "established", json_boolean(i->established));
	json_object_set_new(out, "replaced", json_boolean(i->replaced));
	json_object_set_new(out, "suite",
		i->suite.encr == AEAD_NONE ? json_null() : suite_json(&i->suite));
	json_object_set_new(out, "nat_local", json_boolean(i->nat_local));
	json_object_set_new(out, "nat_remote", json_boolean(i->nat_remote));
	json_object_set_new(out, "peer_nlbs", json_boolean(i->peer_nlbs));
	json_object_set_new(out, "peer_is_vipsec", json_boolean(i->peer_is_vipsec));
	json_object_set_new(out, "age_ms", age_json(l->now_ms, i->since_ms));
	json_object_set_new(out, "last_in_ms", age_json(l->now_ms, i->last_in_ms));
	json_object_set_new(out, "child", json_integer((json_int_t)i->child));
	json_array_append_new(l->out, out);
	return true;
}

json_t *report_ikes(struct daemon *d)
{
	struct peer_list l = {d, NULL, clock_now_ms(), json_array(), NULL};

	node_each_ike(d->node, add_ike, &l);
	return l.out;
}

static bool add_sa(const struct ike_info *i, void *ctx)
{
	struct peer_list *l = ctx;
	char key[16];

	if (!i->established)
		return true;
	snprintf(key, sizeof(key), "%u", i->id);
	json_object_set_new(l->sas, key,
		json_pack("{s:o,s:o}", "suite", suite_json(&i->suite), "age_ms",
			age_json(l->now_ms, i->since_ms)));
	return true;
}

static bool add_algorithm(const struct child_view *v, void *ctx)
{
	struct peer_list *l = ctx;
	char key[16];

	snprintf(key, sizeof(key), "%u", v->child.ike);
	json_t *sa = json_object_get(l->sas, key);
	if (sa)
		json_object_set_new(sa, "esp", json_string(aead_name(v->child.alg)));
	return true;
}

json_t *report_peers(struct daemon *d, const char *vip)
{
	struct peer_list l = {d, vip, clock_now_ms(), json_array(), json_object()};

	node_each_ike(d->node, add_sa, &l);
	node_each_child(d->node, add_algorithm, &l);
	node_each_peer(d->node, add_peer, &l);
	json_decref(l.sas);
	return l.out;
}

static void add_usage(json_t *out, const struct esp_usage *u, uint64_t now_ms)
{
	json_object_set_new(out, "packets_in", json_integer((json_int_t)u->packets_in));
	json_object_set_new(out, "packets_out", json_integer((json_int_t)u->packets_out));
	json_object_set_new(out, "bytes_in", json_integer((json_int_t)u->bytes_in));
	json_object_set_new(out, "bytes_out", json_integer((json_int_t)u->bytes_out));
	json_object_set_new(out, "last_in_ms", age_json(now_ms, u->last_in_ms));
	json_object_set_new(out, "last_out_ms", age_json(now_ms, u->last_out_ms));
	json_object_set_new(out, "seq_out", json_integer((json_int_t)u->seq_out));
	json_object_set_new(out, "replayed", json_integer((json_int_t)u->replayed));
	json_object_set_new(out, "forged", json_integer((json_int_t)u->forged));
	json_object_set_new(
		out, "wrong_selector", json_integer((json_int_t)u->wrong_selector));
}

static bool add_child(const struct child_view *v, void *ctx)
{
	struct peer_list *l = ctx;
	const struct ike_child *c = &v->child;
	json_t *out = json_pack(
		"{s:I,s:I,s:s,s:s,s:o,s:o,s:s,s:s,s:b,s:b,s:o,s:o,s:o,s:o}", "id",
		(json_int_t)c->id, "ike", (json_int_t)c->ike, "vip",
		scope_name(l->daemon, c->path.scope), "rule",
		rule_name(l->daemon, c->rule), "spi_in", hex_json(c->spi_in, 8),
		"spi_out", hex_json(c->spi_out, 8), "algorithm", aead_name(c->alg),
		"mode", policy_mode_name(c->mode), "encap", c->encap, "esn", c->esn,
		"local", endpoint_json(&c->path.local), "remote",
		endpoint_json(&c->path.remote), "local_ts", ts_list_json(&c->local_ts),
		"remote_ts", ts_list_json(&c->remote_ts));

	json_object_set_new(out, "age_ms", age_json(l->now_ms, v->since_ms));
	json_object_set_new(out, "expires_in_ms",
		v->expires_ms > l->now_ms
			? json_integer((json_int_t)(v->expires_ms - l->now_ms))
			: json_integer(0));
	add_usage(out, &v->usage, l->now_ms);
	json_array_append_new(l->out, out);
	return true;
}

json_t *report_children(struct daemon *d)
{
	struct peer_list l = {d, NULL, clock_now_ms(), json_array(), NULL};

	node_each_child(d->node, add_child, &l);
	return l.out;
}

/* ---- rules ------------------------------------------------------------------------ */

static void add_rules_of(struct daemon *d, uint16_t scope, json_t *out)
{
	struct spd *spd = config_spd(node_config(d->node), scope);
	char local[TS_TEXT_MAX], remote[TS_TEXT_MAX];

	for (size_t i = 0; spd && i < spd_count(spd); i++) {
		const struct spd_entry *e = spd_at(spd, i);

		json_array_append_new(out,
			json_pack("{s:s,s:s,s:s,s:s,s:s,s:b,s:s,s:o}", "vip",
				scope_name(d, scope), "rule", e->rule_name, "action",
				policy_action_name(e->action), "local",
				ts_format(&e->local, local), "remote",
				ts_format(&e->remote, remote), "mirrored", e->mirrored,
				"mode",
				e->action == POLICY_NEGOTIATE ? policy_mode_name(e->mode)
							      : "",
				"tunnel_to",
				addr_is_set(&e->tunnel_to) ? addr_json(&e->tunnel_to)
							   : json_null()));
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
	return json_pack("{s:i,s:I,s:I,s:I,s:I,s:i,s:s}", "nlbs_flags",
		t->nlbs_flags ? 1 : 0, "idle_timeout_ms", (json_int_t)t->idle_timeout_ms,
		"idle_timeout_failover_ms", (json_int_t)t->idle_timeout_failover_ms,
		"idle_lifetime_ms", (json_int_t)t->idle_lifetime_ms, "delete_wait_ms",
		(json_int_t)t->delete_wait_ms, "replay_window", (int)t->replay_window,
		"on_exit", t->on_exit == EXIT_OPEN ? "open" : "closed");
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
		{"selector", c->drop_selector}, {"clear", c->drop_clear},
		{"too_big", c->drop_too_big}, {"reassembly", c->drop_reassembly},
		{"seq_exhausted", c->drop_seq_exhausted}};
	json_t *out = json_object();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		json_object_set_new(
			out, rows[i].name, json_integer((json_int_t)rows[i].value));
	return out;
}

static json_t *plane_json(struct daemon *d)
{
	struct plane_totals t;

	plane_totals(d->plane, &t);
	return json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:o}", "name", "userspace", "note",
		d->plane_note, "children", (json_int_t)t.children, "sealed",
		(json_int_t)t.esp.sealed, "opened", (json_int_t)t.esp.opened,
		"send_errors", (json_int_t)t.send_errors, "drops", drops_json(&t.esp));
}

static json_t *ike_counters_json(struct daemon *d)
{
	struct ike_counters c;

	node_ike_counters(d->node, &c);
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "received",
		(json_int_t)c.received, "malformed", (json_int_t)c.malformed,
		"unknown_spi", (json_int_t)c.unknown_spi, "forged", (json_int_t)c.forged,
		"replayed_request", (json_int_t)c.replayed_request, "cookies_sent",
		(json_int_t)c.cookies_sent, "half_open_refused",
		(json_int_t)c.half_open_refused, "retransmits", (json_int_t)c.retransmits,
		"established", (json_int_t)c.established);
}

json_t *report_status(struct daemon *d)
{
	struct node_view look;

	node_look(d->node, &look);
	json_t *out = json_pack("{s:s,s:I,s:o,s:o,s:o,s:o,s:o,s:o}", "version",
		PACKAGE_VERSION, "uptime_ms",
		(json_int_t)(clock_now_ms() - d->started_ms), "cluster",
		cluster_json(d, &look), "tuning", tuning_json(&look.tuning), "vips",
		report_vips(d), "peers", report_peers(d, NULL), "dataplane",
		plane_json(d), "ike", ike_counters_json(d));
	json_object_set_new(out, "config",
		json_pack("{s:s,s:I}", "file", d->options.config, "loaded_ms",
			(json_int_t)d->config_wall_ms));
	return out;
}

static bool count_lost(const struct peer_view *p, void *ctx)
{
	if (p->state == PEER_LOST || p->state == PEER_BACKOFF)
		++*(unsigned *)ctx;
	return true;
}

int report_health(struct daemon *d)
{
	struct node_view look;
	unsigned lost = 0;

	node_look(d->node, &look);
	node_each_peer(d->node, count_lost, &lost);
	return lost > 0 || look.config_differs ||
			       (look.clustered && !(look.bus_up && look.quorate))
		       ? 3
		       : 0;
}
