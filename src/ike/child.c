/* ike/child.c - the child SA of an IKE SA: hand it over, take it back, and the traffic
 * selectors behind a NAT (RFC 7296 2.9, 2.17, 2.23.1).
 *
 * Keys are in memory here only until the host has taken them.
 */
#include "ike/sa.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "ike/suites.h"

struct ike_child *ike_child_new(struct ike_engine *e, struct ike_sa *sa)
{
	struct ike_child *c = mem_new(1, sizeof(*c));

	assert(!sa->child);
	if (++e->last_child == 0)
		e->last_child = 1;
	c->ike = sa->id;
	c->id = e->last_child;
	c->spi_in = e->host.new_spi(e->host.ctx);
	c->initiator = sa->initiator;
	sa->child = c;
	return c;
}

void ike_child_free(struct ike_sa *sa)
{
	if (!sa->child)
		return;
	secret_wipe(&sa->child->key_in);
	secret_wipe(&sa->child->key_out);
	free(sa->child);
	sa->child = NULL;
	sa->child_is_up = false;
}

/* Everything is agreed: fill in what the SA knows, and the keys. */
void ike_child_complete(struct ike_sa *sa, const struct esp_choice *choice)
{
	struct ike_child *c = sa->child;

	c->path = sa->path;
	c->rule = sa->conn->rule;
	c->spi_out = choice->spi;
	c->alg = choice->alg;
	c->esn = choice->esn;
	c->mode = sa->conn->mode;
	c->encap = ike_natd_encap(sa);
	c->nat_local = sa->nat_local;
	c->nat_remote = sa->nat_remote;
	c->local_ts = sa->conn->local_ts;
	c->remote_ts = sa->conn->remote_ts;
	ike_keys_child(sa, c);
}

void ike_child_up(struct ike_engine *e, struct ike_sa *sa)
{
	assert(sa->child && sa->child->alg != AEAD_NONE);
	sa->child_is_up = true;
	e->host.child_up(e->host.ctx, sa->child);
	secret_wipe(&sa->child->key_in);
	secret_wipe(&sa->child->key_out);
}

void ike_child_down(struct ike_engine *e, struct ike_sa *sa, enum ike_close why)
{
	if (sa->child && sa->child_is_up)
		e->host.child_down(e->host.ctx, sa->id, sa->child->id, why);
	ike_child_free(sa);
}

/* ---- traffic selectors */

static void substitute(struct ts_list *l, const struct addr *seen)
{
	for (unsigned i = 0; i < l->n; i++)
		l->at[i].lo = l->at[i].hi = *seen;
}

static void restrict_list(struct ts_list *l, const struct addr *a)
{
	struct ts_list kept = {.n = 0};

	for (unsigned i = 0; i < l->n; i++) {
		struct ts t = l->at[i];

		if (!ts_has_addr(&t, a))
			continue;
		t.lo = t.hi = *a;
		kept.at[kept.n++] = t;
	}
	*l = kept;
}

/* RFC 7296 2.23.1: transport mode means the addresses of the IKE SA and no others. */
bool ike_child_restrict(struct ike_conn *c)
{
	if (c->mode == POLICY_TRANSPORT) {
		restrict_list(&c->local_ts, &c->path.local.addr);
		restrict_list(&c->remote_ts, &c->path.remote.addr);
	}
	return c->local_ts.n > 0 && c->remote_ts.n > 0;
}

static bool is_narrowed(const struct ts_list *got, const struct ts_list *sent)
{
	for (unsigned i = 0; i < got->n; i++) {
		bool inside = false;

		for (unsigned k = 0; k < sent->n && !inside; k++)
			inside = ts_contains(&sent->at[k], &got->at[i]);
		if (!inside)
			return false;
	}
	return got->n > 0;
}

/* RFC 7296 2.23.1, the client's side. */
bool ike_child_take(struct ike_sa *sa, struct ts_list *tsi, struct ts_list *tsr)
{
	struct ike_conn *c = sa->conn;

	if (c->mode == POLICY_TRANSPORT && sa->nat_local)
		substitute(tsi, &sa->path.local.addr);
	if (c->mode == POLICY_TRANSPORT && sa->nat_remote)
		substitute(tsr, &sa->path.remote.addr);
	if (!is_narrowed(tsi, &c->local_ts) || !is_narrowed(tsr, &c->remote_ts))
		return false;
	c->local_ts = *tsi;
	c->remote_ts = *tsr;
	return true;
}

static bool narrow(struct exchange *x, enum policy_mode mode, const struct ts_list *ours,
	const struct ts_list *theirs)
{
	struct ike_host *host = &x->e->host;
	struct ike_conn *c = x->sa->conn;

	if (!host->narrow(host->ctx, c, mode, ours, theirs) || c->local_ts.n == 0 ||
		c->remote_ts.n == 0)
		return false;
	c->mode = mode;
	return true;
}

/* RFC 7296 2.23.1, the server's side: in transport mode selectors are those that we see;
 * where the policy does not have them, tunnel mode with the caller's own. */
enum ike_why ike_child_choose(struct exchange *x, const struct ts_list *tsi,
	const struct ts_list *tsr, bool transport)
{
	struct ts_list ours = *tsr, theirs = *tsi;

	if (transport && x->sa->nat_remote)
		substitute(&theirs, &x->from->remote.addr);
	if (transport && x->sa->nat_local)
		substitute(&ours, &x->from->local.addr);
	if (transport && narrow(x, POLICY_TRANSPORT, &ours, &theirs))
		return IKE_WHY_NONE;
	if (narrow(x, POLICY_TUNNEL, tsr, tsi)) {
		if (transport)
			ike_note(x->e, x->from, x->sa->id,
				"the caller asks for transport mode, the rule has tunnel "
				"mode: answered with tunnel mode, which it may refuse");
		return IKE_WHY_NONE;
	}
	if (!transport && narrow(x, POLICY_TRANSPORT, &ours, &theirs))
		return IKE_WHY_MODE;
	return IKE_WHY_SELECTORS;
}

static bool lists_overlap(const struct ts_list *a, const struct ts_list *b)
{
	struct ts common;

	for (unsigned i = 0; i < a->n; i++)
		for (unsigned k = 0; k < b->n; k++)
			if (ts_intersect(&a->at[i], &b->at[k], &common))
				return true;
	return false;
}

bool ike_child_selectors_overlap(const struct ike_conn *a, const struct ike_conn *b)
{
	return lists_overlap(&a->local_ts, &b->local_ts) &&
	       lists_overlap(&a->remote_ts, &b->remote_ts);
}
