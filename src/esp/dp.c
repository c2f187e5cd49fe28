/* esp/dp.c - a dataplane's SAs, scopes and gates: everything but the packets.
 *
 * RFC 4301 4.4.2 (the SAD) with what esp.h promises. Who may own a scope, and when an SA
 * is too old, is the node's to decide.
 */
#include "esp/dp.h"

#include "base/iana.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

void esp_child_wipe(struct esp_child *c)
{
	wipe(c, sizeof *c);
}

struct esp_dp *esp_dp_new(const struct entropy *e)
{
	struct esp_dp *dp = mem_new(1, sizeof *dp);

	for (size_t i = 0; i < SCOPE_MAX; i++) {
		list_init(&dp->scopes[i].sas);
		esp_gate_init(&dp->gates[i]);
	}
	dp->by_id = map_new(e);
	dp->by_spi = map_new(e);
	dp->memo_seed = entropy_u64(e) | 1;
	dp->generation = 1;
	reassembly_init(&dp->reassembly);
	hold_init(&dp->hold);
	early_init(&dp->early);
	nat_init(&dp->nat, e);
	list_init(&dp->watching.quiet);
	list_init(&dp->watching.rung);
	return dp;
}

static struct span key_of(const uint32_t *number)
{
	return span_of(number, sizeof *number);
}

static void changed(struct esp_dp *dp)
{
	if (++dp->generation == 0) {
		memset(dp->memos, 0, sizeof dp->memos);
		dp->generation = 1;
	}
}

static void remove_sa(struct esp_dp *dp, struct esp_sa *sa)
{
	changed(dp);
	map_take(dp->by_id, key_of(&sa->id));
	map_take(dp->by_spi, key_of(&sa->spi_in));
	nat_leave(&dp->nat, sa);
	sa_free(sa);
}

static void scope_end(struct esp_dp *dp, struct esp_scope *s)
{
	list_each_safe(item, &s->sas)
		remove_sa(dp, list_entry(item, struct esp_sa, in_scope));
}

static void scope_policy(
	struct esp_scope *s, struct spd *spd, const struct addr *addrs, size_t n_addrs)
{
	spd_free(s->spd);
	free(s->addrs);
	s->spd = spd;
	s->addrs = NULL;
	s->n_addrs = spd == NULL ? 0 : n_addrs;
	s->in_use = spd != NULL;
	if (s->n_addrs == 0)
		return;
	s->addrs = mem_new(s->n_addrs, sizeof *s->addrs);
	memcpy(s->addrs, addrs, s->n_addrs * sizeof *s->addrs);
}

void esp_dp_free(struct esp_dp *dp)
{
	if (dp == NULL)
		return;
	for (size_t i = 0; i < SCOPE_MAX; i++) {
		scope_end(dp, &dp->scopes[i]);
		scope_policy(&dp->scopes[i], NULL, NULL, 0);
	}
	nat_wipe(&dp->nat);
	map_free(dp->by_id);
	map_free(dp->by_spi);
	reassembly_wipe(&dp->reassembly);
	hold_wipe(&dp->hold);
	early_wipe(&dp->early);
	free(dp);
}

void esp_dp_policy(struct esp_dp *dp, uint16_t scope, struct spd *spd,
	const struct addr *addrs, size_t n_addrs)
{
	assert(scope < SCOPE_MAX);
	changed(dp);
	dp->hold.due = true;
	if (spd == NULL) {
		scope_end(dp, &dp->scopes[scope]);
		hold_drop_scope(&dp->hold, scope);
		nat_forget_scope(&dp->nat, scope);
	}
	scope_policy(&dp->scopes[scope], spd, addrs, n_addrs);
}

struct esp_gate *esp_dp_gate(struct esp_dp *dp, uint16_t scope)
{
	assert(scope < SCOPE_MAX);
	return &dp->gates[scope];
}

unsigned dp_scope_of(const struct esp_dp *dp, const struct addr *local)
{
	unsigned host = SCOPE_MAX;

	for (unsigned i = 0; i < SCOPE_MAX; i++) {
		const struct esp_scope *s = &dp->scopes[i];
		for (size_t k = 0; k < s->n_addrs; k++) {
			if (addr_equal(&s->addrs[k], local))
				return i;
		}
		if (s->in_use && s->n_addrs == 0)
			host = i;
	}
	return host;
}

/* ---- SAs ---------------------------------------------------------------- */

static struct esp_sa *by_id(const struct esp_dp *dp, uint32_t id)
{
	return map_get(dp->by_id, key_of(&id));
}

struct esp_sa *dp_by_spi(const struct esp_dp *dp, uint32_t spi)
{
	return map_get(dp->by_spi, key_of(&spi));
}

static void activate(struct esp_dp *dp, struct esp_sa *sa)
{
	struct list *head = &dp->scopes[sa->scope].sas;

	changed(dp);
	dp->hold.due = true;
	sa->active = true;
	/* To the front: list_add() puts an item before the one it is given. */
	list_del(&sa->in_scope);
	list_add(head->next, &sa->in_scope);
	nat_activated(sa);
}

enum esp_err esp_dp_add(struct esp_dp *dp, const struct esp_child *c)
{
	assert(c->scope < SCOPE_MAX && c->spi_in != 0 && c->spi_out != 0);
	assert(c->key_in.len == aead_keymat_len(c->alg));
	assert(c->key_out.len == aead_keymat_len(c->alg));
	assert(!c->ah ||
		(!c->encap && !aead_encrypts(c->alg) && aead_mac_key_len(c->alg)));
	/* Without rules there would be nothing to judge what comes out of it. */
	if (!dp->scopes[c->scope].in_use)
		return ESP_NOT_FOUND;
	if (by_id(dp, c->id) != NULL || dp_by_spi(dp, c->spi_in) != NULL)
		return ESP_EXISTS;

	struct esp_sa *sa = sa_new(c);
	if (sa == NULL)
		return ESP_REFUSED;
	map_put(dp->by_id, key_of(&sa->id), sa);
	map_put(dp->by_spi, key_of(&sa->spi_in), sa);
	list_add(&dp->scopes[sa->scope].sas, &sa->in_scope);
	nat_join(&dp->nat, sa, c->owner);
	changed(dp);
	dp->early.due = dp->early.n > 0;
	if (c->outbound_ready)
		activate(dp, sa);
	return ESP_OK;
}

enum esp_err esp_dp_delete(struct esp_dp *dp, uint32_t id)
{
	struct esp_sa *sa = by_id(dp, id);

	if (sa == NULL)
		return ESP_NOT_FOUND;
	remove_sa(dp, sa);
	return ESP_OK;
}

enum esp_err esp_dp_activate(struct esp_dp *dp, uint32_t id)
{
	struct esp_sa *sa = by_id(dp, id);

	if (sa == NULL)
		return ESP_NOT_FOUND;
	activate(dp, sa);
	return ESP_OK;
}

/* What is inside has the new address, too. */
static void move_address(struct esp_dp *dp, struct esp_sa *sa, const struct addr *remote)
{
	uint64_t owner = sa->peer == NULL ? 0 : sa->peer->owner;

	nat_leave(&dp->nat, sa);
	sa->remote.addr = *remote;
	nat_join(&dp->nat, sa, owner);
	if (sa->active)
		nat_activated(sa);
}

enum esp_err esp_dp_move(
	struct esp_dp *dp, uint32_t id, const struct endpoint *remote, bool encap)
{
	struct esp_sa *sa = by_id(dp, id);

	if (sa == NULL)
		return ESP_NOT_FOUND;
	if (!addr_equal(&sa->remote.addr, &remote->addr))
		move_address(dp, sa, &remote->addr);
	sa->remote = sa->told_remote = *remote;
	sa->encap = encap && !sa->ah;
	changed(dp);
	return ESP_OK;
}

enum esp_err esp_dp_path_mtu(struct esp_dp *dp, uint32_t id, uint32_t octets)
{
	struct esp_sa *sa = by_id(dp, id);

	if (sa == NULL)
		return ESP_NOT_FOUND;
	sa->path_mtu = octets;
	return ESP_OK;
}

enum esp_err esp_dp_usage(
	const struct esp_dp *dp, uint32_t id, uint64_t now_ms, struct esp_usage *out)
{
	const struct esp_sa *sa = by_id(dp, id);

	if (sa == NULL)
		return ESP_NOT_FOUND;
	*out = sa->usage;
	out->as_of_ms = now_ms;
	if (sa->peer != NULL) {
		out->flows = sa->peer->n_flows;
		out->flows_moved = sa->peer->n_moved;
	}
	return ESP_OK;
}

enum esp_err esp_dp_replay(
	const struct esp_dp *dp, uint32_t id, struct esp_replay_state *out)
{
	const struct esp_sa *sa = by_id(dp, id);

	if (sa == NULL)
		return ESP_NOT_FOUND;
	esp_replay_export(&sa->replay, out);
	out->seq_out = sa->usage.seq_out;
	return ESP_OK;
}

enum esp_err esp_dp_replay_set(
	struct esp_dp *dp, uint32_t id, const struct esp_replay_state *from)
{
	struct esp_sa *sa = by_id(dp, id);

	if (sa == NULL)
		return ESP_NOT_FOUND;
	esp_replay_import(&sa->replay, from);
	if (from->seq_out > sa->usage.seq_out)
		sa->usage.seq_out = from->seq_out;
	return ESP_OK;
}

enum esp_err esp_dp_watch(struct esp_dp *dp, uint32_t id, uint32_t packets, uint32_t ms)
{
	struct esp_sa *sa = by_id(dp, id);

	if (sa == NULL)
		return ESP_NOT_FOUND;
	watching_begin(dp, sa, packets, ms);
	return ESP_OK;
}

size_t esp_dp_count(const struct esp_dp *dp)
{
	return map_count(dp->by_id);
}

size_t esp_dp_count_scope(const struct esp_dp *dp, uint16_t scope)
{
	size_t n = 0;

	assert(scope < SCOPE_MAX);
	list_each(item, &dp->scopes[scope].sas) n++;
	return n;
}

void esp_dp_counters(const struct esp_dp *dp, struct esp_counters *out)
{
	*out = dp->count;
	out->drop_reassembly = dp->reassembly.abandoned;
	out->drop_no_sa += dp->hold.dropped;
	out->drop_unknown_spi += dp->early.dropped;
	out->flows = dp->nat.n_flows;
	out->flows_evicted = dp->nat.evicted;
}

size_t esp_dp_held(const struct esp_dp *dp)
{
	return dp->hold.n + dp->early.n;
}

/* ---- notices -------------------------------------------------------------- */

struct esp_notice dp_notice_of(const struct esp_sa *sa, enum esp_notice_kind kind)
{
	return (struct esp_notice){
		.kind = kind,
		.scope = sa->scope,
		.rule = sa->rule,
		.id = sa->id,
		.spi = sa->spi_in,
		.local = sa->local,
		.remote = sa->remote,
	};
}

bool dp_push(struct esp_dp *dp, const struct esp_notice *n)
{
	if (notice_push(&dp->notices, n))
		return true;
	dp->count.notices_lost++;
	return false;
}

void dp_tell(
	struct esp_dp *dp, const struct esp_sa *sa, enum esp_notice_kind kind, bool *told)
{
	const struct esp_notice n = dp_notice_of(sa, kind);

	if (!*told)
		*told = dp_push(dp, &n);
}

bool esp_dp_notice(struct esp_dp *dp, struct esp_notice *out)
{
	return notice_pop(&dp->notices, out);
}

/* ---- clear traffic ---------------------------------------------------------- */

enum { ICMP_TOO_BIG_V4 = 3 << 8 | 4, ICMP_TOO_BIG_V6 = 2 << 8 };
enum { ND_FIRST = 133, ND_LAST = 137 };

/* The design's exemptions, those of the guard. */
static bool is_exempt(const struct flow *f, enum policy_direction d)
{
	unsigned type = f->local_port >> 8;

	switch (f->proto) {
	case IP_ESP:
	case IP_AH:
		return true;
	case IP_UDP:
		return f->local_port == IKE_PORT || f->local_port == IKE_NATT_PORT;
	case IP_ICMP:
		return d == POLICY_IN && f->local_port == ICMP_TOO_BIG_V4;
	case IP_ICMPV6:
		return (type >= ND_FIRST && type <= ND_LAST) ||
		       (d == POLICY_IN && f->local_port == ICMP_TOO_BIG_V6);
	default:
		return false;
	}
}

enum policy_action esp_dp_clear_verdict(const struct esp_dp *dp, enum policy_direction d,
	const struct addr *src, const struct addr *dst, uint8_t proto, uint16_t src_port,
	uint16_t dst_port)
{
	bool out = d == POLICY_OUT;
	const struct flow f = {
		.local = out ? *src : *dst,
		.remote = out ? *dst : *src,
		.proto = proto,
		.ports_known = ip_proto_has_ports(proto),
		.local_port = out ? src_port : dst_port,
		.remote_port = out ? dst_port : src_port,
	};
	unsigned scope = dp_scope_of(dp, &f.local);

	if (scope == SCOPE_MAX || is_exempt(&f, d))
		return POLICY_PERMIT;
	const struct spd_entry *e = spd_lookup(dp->scopes[scope].spd, d, &f);
	return e == NULL ? POLICY_PERMIT : e->action;
}
