/* daemon/report_peers.c - peers, IKE SAs and child SAs as JSON (docs/PROTOCOL.md). */
#include "daemon/report.h"

#include <stdio.h>

#include "crypto/kex.h"
#include "daemon/values.h"
#include "os/clock.h"
#include "policy/explain.h"

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
		value_scope_name(l->daemon, p->scope), "rule", p->rule_name, "state",
		peer_state_name(p->state), "address", value_endpoint(&p->remote),
		"local_id", value_identity(&p->local_id), "remote_id",
		value_identity(&p->remote_id), "ike", (json_int_t)p->ike, "child",
		(json_int_t)p->child, "nat", p->nat, "callable", p->callable, "nlbs",
		p->peer_nlbs);

	json_object_set_new(out, "bytes_in", value_count(p->bytes_in));
	json_object_set_new(out, "bytes_out", value_count(p->bytes_out));
	json_object_set_new(out, "packets_in", value_count(p->packets_in));
	json_object_set_new(out, "packets_out", value_count(p->packets_out));
	json_object_set_new(out, "last_in_ms", value_age(l->now_ms, p->last_in_ms));
	json_object_set_new(out, "last_out_ms", value_age(l->now_ms, p->last_out_ms));
	json_object_set_new(out, "idle_timeout_ms", value_count(p->idle_timeout_ms));
	json_object_set_new(out, "worst_recovery_ms", worst_json(p->worst_recovery_ms));
	json_object_set_new(out, "reason", json_string(p->reason));
	snprintf(ike, sizeof(ike), "%u", p->ike);
	json_object_update_missing(out, json_object_get(l->sas, ike));
	return out;
}

static bool add_peer(const struct peer_view *p, void *ctx)
{
	struct peer_list *l = ctx;

	if (l->vip && strcmp(l->vip, value_scope_name(l->daemon, p->scope)) != 0)
		return true;
	json_array_append_new(l->out, peer_json(l, p));
	return true;
}

/* ---- IKE SAs and child SAs -------------------------------------------------------- */

static json_t *suite_json(const struct ike_suite *s)
{
	char text[96 + IKE_MORE_TEXT_MAX], more[IKE_MORE_TEXT_MAX];

	snprintf(text, sizeof(text), "%s-%s-%s%s", aead_name(s->encr), prf_name(s->prf),
		kex_name(s->ke), ike_more_format(&s->more, more));
	return json_string(text);
}

static json_t *pfs_json(const struct ike_child *c)
{
	char text[32 + IKE_MORE_TEXT_MAX], more[IKE_MORE_TEXT_MAX];

	if (c->pfs == KE_NONE)
		return json_null();
	snprintf(text, sizeof(text), "%s%s", kex_name(c->pfs),
		ike_more_format(&c->pfs_more, more));
	return json_string(text);
}

static bool add_ike(const struct ike_info *i, void *ctx)
{
	struct peer_list *l = ctx;
	json_t *out = json_pack("{s:I,s:o,s:o,s:s,s:s,s:s,s:b,s:o,s:o,s:o,s:o}", "id",
		(json_int_t)i->id, "spi_i", value_hex(i->spi_i, 16), "spi_r",
		value_hex(i->spi_r, 16), "state", i->state, "vip",
		value_scope_name(l->daemon, i->path.scope), "rule",
		value_rule_name(l->daemon, i->rule), "initiator", i->initiator, "local",
		value_endpoint(&i->path.local), "remote", value_endpoint(&i->path.remote),
		"local_id", value_identity(&i->local_id), "remote_id",
		value_identity(&i->remote_id));

	json_object_set_new(out, "established", json_boolean(i->established));
	json_object_set_new(out, "replaced", json_boolean(i->replaced));
	json_object_set_new(out, "suite",
		i->suite.encr == AEAD_NONE ? json_null() : suite_json(&i->suite));
	json_object_set_new(out, "nat_local", json_boolean(i->nat_local));
	json_object_set_new(out, "nat_remote", json_boolean(i->nat_remote));
	json_object_set_new(out, "ppk", json_boolean(i->ppk));
	json_object_set_new(out, "peer_not_after",
		i->chain ? json_integer(chain_until_s(i->chain)) : json_null());
	json_object_set_new(out, "peer_nlbs", json_boolean(i->peer_nlbs));
	json_object_set_new(out, "peer_is_vipsec", json_boolean(i->peer_is_vipsec));
	json_object_set_new(out, "age_ms", value_age(l->now_ms, i->since_ms));
	json_object_set_new(out, "last_in_ms", value_age(l->now_ms, i->last_in_ms));
	json_object_set_new(out, "children", value_count(i->n_children));
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
			value_age(l->now_ms, i->since_ms)));
	return true;
}

static void add_offload(json_t *out, const struct esp_usage *u)
{
	json_object_set_new(
		out, "offload_in", json_string(policy_offload_name(u->offload_in)));
	json_object_set_new(
		out, "offload_out", json_string(policy_offload_name(u->offload_out)));
}

static const char *protocol_of(const struct ike_child *c)
{
	return c->ah ? "AH" : "ESP";
}

static const char *algorithm_of_child(const struct ike_child *c)
{
	return c->ah ? aead_mac_name(c->alg) : aead_name(c->alg);
}

static bool add_algorithm(const struct child_view *v, void *ctx)
{
	struct peer_list *l = ctx;
	char key[16];

	snprintf(key, sizeof(key), "%u", v->child.ike);
	json_t *sa = json_object_get(l->sas, key);
	if (!sa)
		return true;
	json_object_set_new(sa, "protocol", json_string(protocol_of(&v->child)));
	json_object_set_new(sa, "esp", json_string(algorithm_of_child(&v->child)));
	/* of several children: each of them */
	if (!json_is_false(json_object_get(sa, "encrypted")))
		json_object_set_new(
			sa, "encrypted", json_boolean(aead_encrypts(v->child.alg)));
	add_offload(sa, &v->usage);
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
	json_object_set_new(out, "packets_in", value_count(u->packets_in));
	json_object_set_new(out, "packets_out", value_count(u->packets_out));
	json_object_set_new(out, "bytes_in", value_count(u->bytes_in));
	json_object_set_new(out, "bytes_out", value_count(u->bytes_out));
	json_object_set_new(out, "last_in_ms", value_age(now_ms, u->last_in_ms));
	json_object_set_new(out, "last_out_ms", value_age(now_ms, u->last_out_ms));
	json_object_set_new(out, "seq_out", value_count(u->seq_out));
	json_object_set_new(out, "replayed", value_count(u->replayed));
	json_object_set_new(out, "forged", value_count(u->forged));
	json_object_set_new(out, "wrong_selector", value_count(u->wrong_selector));
	json_object_set_new(out, "flow_taken", value_count(u->flow_taken));
	json_object_set_new(out, "flows", value_count(u->flows));
	json_object_set_new(out, "flows_moved", value_count(u->flows_moved));
}

static void add_tags(json_t *out, const struct policy_tags *t)
{
	json_object_set_new(out, "output_mark",
		t->mask ? json_sprintf("0x%x/0x%x", t->mark, t->mask) : json_null());
	json_object_set_new(out, "if_id", json_integer(t->if_id));
}

static json_t *until_json(uint64_t at_ms, uint64_t now_ms)
{
	if (at_ms == UINT64_MAX)
		return json_null();
	return json_integer(at_ms > now_ms ? (json_int_t)(at_ms - now_ms) : 0);
}

static bool add_child(const struct child_view *v, void *ctx)
{
	struct peer_list *l = ctx;
	const struct ike_child *c = &v->child;
	json_t *out = json_pack(
		"{s:I,s:I,s:s,s:s,s:o,s:o,s:s,s:s,s:b,s:b,s:o,s:o,s:o,s:o}", "id",
		(json_int_t)c->id, "ike", (json_int_t)c->ike, "vip",
		value_scope_name(l->daemon, c->path.scope), "rule",
		value_rule_name(l->daemon, c->rule), "spi_in", value_hex(c->spi_in, 8),
		"spi_out", value_hex(c->spi_out, 8), "algorithm", algorithm_of_child(c),
		"mode", policy_mode_name(c->mode), "encap", c->encap, "esn", c->esn,
		"local", value_endpoint(&c->path.local), "remote",
		value_endpoint(&c->path.remote), "local_ts", value_ts_list(&c->local_ts),
		"remote_ts", value_ts_list(&c->remote_ts));

	json_object_set_new(out, "protocol", json_string(protocol_of(c)));
	json_object_set_new(out, "encrypted", json_boolean(aead_encrypts(c->alg)));
	json_object_set_new(out, "age_ms", value_age(l->now_ms, v->since_ms));
	json_object_set_new(out, "pfs", pfs_json(c));
	json_object_set_new(out, "sends", json_boolean(v->active));
	json_object_set_new(out, "rekey_in_ms", until_json(v->rekey_ms, l->now_ms));
	json_object_set_new(out, "expires_in_ms", until_json(v->expires_ms, l->now_ms));
	add_usage(out, &v->usage, l->now_ms);
	add_offload(out, &v->usage);
	const struct policy_tags tags =
		config_tags(node_config(l->daemon->node), c->path.scope, c->rule);
	add_tags(out, &tags);
	json_array_append_new(l->out, out);
	return true;
}

json_t *report_children(struct daemon *d)
{
	struct peer_list l = {d, NULL, clock_now_ms(), json_array(), NULL};

	node_each_child(d->node, add_child, &l);
	return l.out;
}
