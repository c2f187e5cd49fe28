/* node/host.c - the answers that the IKE engine asks for (struct ike_host).
 *
 * Who may be answered: anybody, at an address that is bound. Who may prove to be whom: the
 * negotiate rules of the scope, most specific first, each with its authentications in
 * order. What he may get: one rule's selectors, and only of a rule that accepts the
 * identity with the key that it was proved with.
 *
 * Nothing here changes the node, except the hands at the end, which only pass on.
 */
#include "node/core.h"

#include "base/mem.h"

#include <stdio.h>

static const struct scope *scope_of(const struct node *n, const struct ike_path *path)
{
	return path->scope < n->n_scopes ? &n->scopes[path->scope] : NULL;
}

/* ---- IKE_SA_INIT -------------------------------------------------------------------- */

static void merge_suites(struct ike_proposals *into, const struct ike_proposals *from)
{
	for (unsigned i = 0; i < from->n_ike; i++) {
		bool there = false;
		for (unsigned k = 0; k < into->n_ike; k++)
			there |= ike_suite_equal(&into->ike[k], &from->ike[i]);
		if (!there && into->n_ike < IKE_SUITES_MAX)
			into->ike[into->n_ike++] = from->ike[i];
	}
}

/* Each CA of the scope's rules once. */
static void add_ca(struct ike_answer *out, const uint8_t hash[SHA1_LEN])
{
	for (size_t at = 0; at < out->ca_len; at += SHA1_LEN)
		if (memcmp(out->ca + at, hash, SHA1_LEN) == 0)
			return;
	if (out->ca_len + SHA1_LEN > sizeof(out->ca))
		return;
	memcpy(out->ca + out->ca_len, hash, SHA1_LEN);
	out->ca_len += SHA1_LEN;
}

static void merge_cas(
	const struct config *c, const struct scope *s, struct ike_answer *out)
{
	uint8_t hashes[IKE_CA_OCTETS];

	for (unsigned i = 0; i < s->n_uses; i++) {
		const struct config_rule *r = &c->rules[s->uses[i].rule];
		for (unsigned k = 0; k < r->n_auths; k++) {
			const struct config_auth *a = &r->auths[k];
			out->signatures |= a->own == PROOF_CERT || a->peer == PROOF_CERT;
			size_t len =
				a->trust ? trust_request(a->trust, hashes, sizeof(hashes))
					 : 0;
			for (size_t at = 0; at < len; at += SHA1_LEN)
				add_ca(out, hashes + at);
		}
	}
}

struct ike_answer *host_answer_of(const struct config *c, const struct scope *s)
{
	struct ike_answer *out = mem_new(1, sizeof(*out));

	out->childless = true;
	for (unsigned i = 0; i < s->n_uses; i++) {
		struct ike_proposals more;
		proposals_of(c, s->uses[i].rule, &more);
		merge_suites(&out->proposals, &more);
		out->ppk |= c->rules[s->uses[i].rule].ppk.key.len > 0;
		out->redirect |= c->rules[s->uses[i].rule].n_redirect > 0;
		out->childless &= c->rules[s->uses[i].rule].childless != CHILDLESS_NO;
	}
	out->proposals.esn = true;
	out->force_encap = c->dataplane.encap == ENCAP_FORCE;
	merge_cas(c, s, out);
	return out;
}

static bool host_accept(void *ctx, const struct ike_path *path, struct ike_answer *out)
{
	const struct node *n = ctx;
	const struct scope *s = scope_of(n, path);
	const struct place *p = s ? scope_place(s, &path->local.addr) : NULL;

	*out = (struct ike_answer){0};
	if (!p || p->state != VIP_BOUND || p->leaving || n->closing || s->n_uses == 0)
		return false;
	*out = *s->answer;
	out->nlbs = cluster_says_nlbs(n, s);
	return true;
}

static bool found_friend(struct peer *p, void *ctx)
{
	bool *found = ctx;

	*found = p->remote_id.type != ID_ANY || p->fixed;
	return !*found;
}

static bool host_is_friend(void *ctx, const struct ike_path *path)
{
	bool found = false;

	peers_at(ctx, path->scope, &path->remote.addr, found_friend, &found);
	return found;
}

/* ---- IKE_AUTH ------------------------------------------------------------------------ */

static bool rule_covers(const struct rule_use *use, const struct addr *a)
{
	for (size_t i = 0; i < spd_count(use->spd); i++)
		if (spd_at(use->spd, i)->rule == use->rule &&
			ts_has_addr(&spd_at(use->spd, i)->remote, a))
			return true;
	return false;
}

/* Without remote-id the identity is the peer's address: the one we see, or, behind a NAT,
 * one that the rule names or covers. */
static bool is_own_address(const struct config_rule *r, const struct rule_use *use,
	const struct ike_path *path, const struct identity *idi)
{
	struct addr a;

	if (idi->type != ID_IPV4_ADDR && idi->type != ID_IPV6_ADDR)
		return false;
	a = addr_from_bytes(idi->b, idi->len);
	return addr_equal(&a, &path->remote.addr) || addr_equal(&a, &r->tunnel_to) ||
	       rule_covers(use, &a);
}

static struct identity local_identity(
	const struct config_auth *a, const struct ike_path *path)
{
	return a->local_id.type != ID_ANY ? a->local_id
					  : identity_from_addr(&path->local.addr);
}

static bool auth_knows(const struct config_rule *r, const struct rule_use *use,
	const struct config_auth *a, const struct ike_path *path,
	const struct identity *idi, const struct identity *idr)
{
	struct identity own = local_identity(a, path);

	if (addr_is_set(&r->tunnel_to) && !redirect_names(r, &path->remote.addr))
		return false;
	if (r->mode == POLICY_TRANSPORT && !rule_covers(use, &path->remote.addr))
		return false;
	if (idr->type != ID_ANY && !identity_equal(idr, &own) && !dn_equal(idr, &own))
		return false;
	return way_accepts(a, idi, is_own_address(r, use, path, idi));
}

/* A rule that says where its peer is means it. */
static bool host_may_move(void *ctx, uint32_t rule, const struct ike_path *to)
{
	const struct node *n = ctx;
	const struct config_rule *r = &n->config->rules[rule];

	return r->mode == POLICY_TUNNEL &&
	       (!addr_is_set(&r->tunnel_to) ||
		       addr_equal(&r->tunnel_to, &to->remote.addr));
}

static bool host_authenticate(void *ctx, const struct ike_path *path,
	const struct identity *idi, const struct identity *idr, unsigned nth,
	struct ike_conn *out)
{
	const struct node *n = ctx;
	const struct scope *s = scope_of(n, path);

	for (unsigned i = 0; s && i < s->n_uses; i++) {
		const struct config_rule *r = &n->config->rules[s->uses[i].rule];
		for (unsigned k = 0; k < r->n_auths; k++) {
			const struct config_auth *a = &r->auths[k];
			if (!auth_knows(r, &s->uses[i], a, path, idi, idr) || nth-- > 0)
				continue;
			*out = (struct ike_conn){.path = *path, .rule = s->uses[i].rule};
			out->local_id = local_identity(a, path);
			out->remote_id = *idi;
			way_of_auth(a, out);
			out->auth = k;
			ppk_of(n->config, out->rule, &out->ppk);
			proposals_of(n->config, out->rule, &out->proposals);
			out->mode = r->mode;
			out->childless = childless_of(n->config, out->rule);
			out->mobike = n->config->tuning.mobike;
			out->nlbs = cluster_says_nlbs(n, s);
			out->no_contact = contact_elsewhere(n, s);
			return true;
		}
	}
	return false;
}

/* The key that the identity was proved with: in IKE_AUTH it is there; later the engine has
 * wiped it, and knows by which rule's authentication it was. */
static struct span proved_with(const struct node *n, const struct ike_conn *conn)
{
	const struct config_rule *r = &n->config->rules[conn->rule];

	if (conn->psk.len > 0)
		return secret_span(&conn->psk);
	return conn->auth < r->n_auths ? secret_span(&r->auths[conn->auth].psk)
				       : span_of(NULL, 0);
}

/* Does this rule accept the identity, by that key? *auth: by which of its ways. */
/* Where a rule requires a PPK, it is that one which is in the IKE SA's keys. */
static bool ppk_suffices(const struct config_ppk *p, const struct ike_conn *conn)
{
	return !p->required ||
	       (conn->ppk_used && span_equal(span_of(conn->ppk.id, conn->ppk.id_len),
					  span_text(p->id)));
}

static bool rule_accepts(const struct node *n, const struct rule_use *use,
	const struct ike_conn *conn, uint32_t *auth)
{
	const struct config_rule *r = &n->config->rules[use->rule];
	struct span key = proved_with(n, conn);

	for (unsigned k = 0; ppk_suffices(&r->ppk, conn) && k < r->n_auths; k++) {
		const struct config_auth *a = &r->auths[k];
		if (auth_knows(
			    r, use, a, &conn->path, &conn->remote_id, &conn->local_id) &&
			way_is(a, conn, key)) {
			*auth = k;
			return true;
		}
	}
	return false;
}

/* In transport mode only the two hosts themselves can be meant (RFC 7296 2.23.1: behind a
 * NAT the addresses are those that we see). */
static void clamp(struct ts_list *l, const struct addr *a)
{
	struct ts host = ts_host(a);
	struct ts_list out = {0};

	for (unsigned i = 0; i < l->n; i++) {
		struct ts t;
		if (ts_intersect(&l->at[i], &host, &t))
			(void)ts_list_add(&out, &t);
	}
	*l = out;
}

static void take_rule(const struct node *n, uint32_t rule, uint32_t auth,
	enum policy_mode mode, struct ike_conn *conn)
{
	conn->rule = rule;
	conn->auth = auth;
	conn->mode = mode;
	conn->childless = childless_of(n->config, rule);
	proposals_of(n->config, rule, &conn->proposals);
}

/* Rule and selectors into conn. False: none of our rules fits. */
static bool narrow(const struct node *n, struct ike_conn *conn, enum policy_mode asked,
	const struct ts_list *ours, const struct ts_list *theirs)
{
	const struct scope *s = scope_of(n, &conn->path);
	struct ts_list local = *ours, remote = *theirs;

	if (asked == POLICY_TRANSPORT) {
		clamp(&local, &conn->path.local.addr);
		clamp(&remote, &conn->path.remote.addr);
	}
	/* The rule that the peer's first packet belongs to, if it may; else any. */
	const struct spd_entry *e = s && s->spd
					    ? spd_narrow(s->spd, asked, &local, &remote,
						      &conn->local_ts, &conn->remote_ts)
					    : NULL;
	uint32_t auth;
	if (e && rule_accepts(n, scope_use(s, e->rule), conn, &auth)) {
		take_rule(n, e->rule, auth, asked, conn);
		return true;
	}
	for (unsigned i = 0; s && i < s->n_uses; i++) {
		const struct rule_use *use = &s->uses[i];
		if (!rule_accepts(n, use, conn, &auth) ||
			!spd_narrow(use->spd, asked, &local, &remote, &conn->local_ts,
				&conn->remote_ts))
			continue;
		take_rule(n, use->rule, auth, asked, conn);
		return true;
	}
	return false;
}

static bool host_narrow(void *ctx, struct ike_conn *conn, enum policy_mode asked,
	const struct ts_list *ours, const struct ts_list *theirs)
{
	return narrow(ctx, conn, asked, ours, theirs) && !overlap_refuses(ctx, conn);
}

static bool host_redirect(void *ctx, const struct ike_path *path, struct addr *to)
{
	struct node *n = ctx;
	const struct scope *s = scope_of(n, path);

	return s && drain_target(n, s, path->local.addr.family, to);
}

static void host_sent_away(void *ctx, const struct ike_path *path)
{
	struct node *n = ctx;

	drain_turned(n, &n->scopes[path->scope]);
}

static const char *host_may_redirect(
	void *ctx, const struct ike_info *sa, const struct ike_gateway *to)
{
	return redirect_refusal(ctx, sa, to);
}

static uint32_t host_new_spi(void *ctx, bool asked)
{
	struct node *n = ctx;
	uint32_t spi = spi_new(n);

	if (asked)
		effects_add(n->out, FX_SA_AWAIT, 0)->u.id = spi;
	return spi;
}

/* ---- hands ------------------------------------------------------------------------------ */

/* The gate of IKE: asked for every datagram, whoever made it. */
static bool may_send(const struct node *n, const struct ike_path *path)
{
	const struct scope *s = scope_of(n, path);
	const struct place *p = s ? scope_place(s, &path->local.addr) : NULL;

	return p && !p->mute && p->sockets && (place_serves(p) || p->leaving);
}

static void host_send(void *ctx, const struct ike_path *path, struct span datagram)
{
	struct node *n = ctx;

	if (!may_send(n, path))
		return;
	struct effect *f = effects_add(n->out, FX_SEND, path->scope);
	f->u.send.path = *path;
	f->u.send.bytes = mem_new(1, datagram.len);
	f->u.send.len = datagram.len;
	memcpy(f->u.send.bytes, datagram.at, datagram.len);
}

static void host_established(void *ctx, const struct ike_info *sa)
{
	session_established(ctx, sa);
}

static void host_child_up(void *ctx, const struct ike_child *child)
{
	child_up(ctx, child);
}

static void host_child_down(void *ctx, uint32_t ike, uint32_t child, enum ike_close why)
{
	(void)ike;
	child_down(ctx, child, why);
}

static void host_child_refused(
	void *ctx, uint32_t ike, uint32_t child, const struct ike_failure *why)
{
	struct node *n = ctx;
	struct session *s = session_by_ike(n, ike);

	if (child != 0)
		child_refused(n, ike, child, why);
	else if (s)
		dial_renew(n, s->peer);
}

static void host_rekeyed(void *ctx, uint32_t old_ike, const struct ike_info *sa)
{
	session_rekeyed(ctx, old_ike, sa);
}

static void host_closed(
	void *ctx, const struct ike_info *sa, const struct ike_failure *why)
{
	session_closed(ctx, sa, why);
}

static void host_redirected(
	void *ctx, const struct ike_info *sa, const struct ike_gateway *to)
{
	redirect_follow(ctx, sa, to);
}

static void host_moved(void *ctx, const struct ike_info *sa)
{
	struct node *n = ctx;
	struct session *s = session_by_ike(n, sa->id);

	if (s)
		session_moved(n, s, &sa->path.remote, sa);
}

static void host_fetch(void *ctx, const struct fetch_wish *wish)
{
	fetch_begin(ctx, wish);
}

static bool peer_may_tell(struct peer *p, void *ctx)
{
	struct peer **found = ctx;

	*found = p;
	return false;
}

/* Each peer that we know has a bucket of its own; strangers share one. The same is told
 * once a minute. */
static void host_note(
	void *ctx, const struct ike_path *path, uint32_t ike, const char *text)
{
	struct node *n = ctx;
	struct peer *p = NULL;
	char again[SAID_TEXT_MAX];

	peers_at(n, path->scope, &path->remote.addr, peer_may_tell, &p);
	if (node_may_say(n, p ? &p->tell : &n->strangers, path->scope, &path->remote.addr,
		    text, again))
		node_tell(n, EVENT_NOTICE, "ike-note", scope_of(n, path), &path->remote,
			ike, "%s%s", text, again);
}

struct ike_host host_of(struct node *n)
{
	return (struct ike_host){
		.ctx = n,
		.accept = host_accept,
		.is_friend = host_is_friend,
		.authenticate = host_authenticate,
		.narrow = host_narrow,
		.redirect = host_redirect,
		.sent_away = host_sent_away,
		.may_redirect = host_may_redirect,
		.redirected = host_redirected,
		.new_spi = host_new_spi,
		.send = host_send,
		.established = host_established,
		.child_up = host_child_up,
		.child_down = host_child_down,
		.child_refused = host_child_refused,
		.rekeyed = host_rekeyed,
		.closed = host_closed,
		.moved = host_moved,
		.may_move = host_may_move,
		.fetch = host_fetch,
		.note = host_note,
	};
}
