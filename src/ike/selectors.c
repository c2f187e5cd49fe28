/* ike/selectors.c - which traffic a child carries: asking, narrowing, keeping (RFC 7296 2.9,
 * 2.9.2, 2.23.1).
 *
 * In transport mode behind a NAT each side puts the addresses that it sees in place of
 * those that the other side knows. The policy itself is the host's.
 */
#include "ike/sa.h"

static void substitute(struct ts_list *l, const struct addr *seen)
{
	for (unsigned i = 0; i < l->n; i++)
		l->at[i].lo = l->at[i].hi = *seen;
}

/* Of the side that has the list: what it is called by us. */
static void see_local(
	const struct ike_sa *sa, const struct ike_path *p, struct ts_list *l)
{
	if (sa->nat_local)
		substitute(l, &p->local.addr);
}

static void see_remote(
	const struct ike_sa *sa, const struct ike_path *p, struct ts_list *l)
{
	if (sa->nat_remote)
		substitute(l, &p->remote.addr);
}

void ike_selectors_see(const struct ike_sa *sa, struct ike_conn *c)
{
	if (c->mode == POLICY_TRANSPORT) {
		see_local(sa, &sa->path, &c->local_ts);
		see_remote(sa, &sa->path, &c->remote_ts);
	}
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
bool ike_selectors_restrict(struct ike_conn *c)
{
	if (c->mode == POLICY_TRANSPORT) {
		restrict_list(&c->local_ts, &c->path.local.addr);
		restrict_list(&c->remote_ts, &c->path.remote.addr);
	}
	return c->local_ts.n > 0 && c->remote_ts.n > 0;
}

/* Each of inner is within one of outer. */
static bool covers(const struct ts_list *outer, const struct ts_list *inner)
{
	for (unsigned i = 0; i < inner->n; i++) {
		bool inside = false;

		for (unsigned k = 0; k < outer->n && !inside; k++)
			inside = ts_contains(&outer->at[k], &inner->at[i]);
		if (!inside)
			return false;
	}
	return inner->n > 0;
}

/* RFC 7296 2.23.1, the client's side. */
bool ike_selectors_take(struct child *c, struct ts_list *tsi, struct ts_list *tsr)
{
	if (c->is.mode == POLICY_TRANSPORT) {
		see_local(c->sa, &c->sa->path, tsi);
		see_remote(c->sa, &c->sa->path, tsr);
	}
	if (!covers(&c->is.local_ts, tsi) || !covers(&c->is.remote_ts, tsr))
		return false;
	c->is.local_ts = *tsi;
	c->is.remote_ts = *tsr;
	return true;
}

static bool narrow(struct exchange *x, struct ike_conn *conn, enum policy_mode mode,
	const struct ts_list *ours, const struct ts_list *theirs)
{
	struct ike_host *host = &x->e->host;

	conn->nat_remote = x->sa->nat_remote;
	if (!host->narrow(host->ctx, conn, mode, ours, theirs) || conn->local_ts.n == 0 ||
		conn->remote_ts.n == 0)
		return false;
	conn->mode = mode;
	return true;
}

/* RFC 7296 2.23.1, the server's side: in transport mode selectors are those that we see;
 * where the policy does not have them, tunnel mode with the caller's own. */
enum ike_why ike_selectors_choose(struct exchange *x, struct ike_conn *conn,
	const struct ts_list *tsi, const struct ts_list *tsr, bool transport)
{
	struct ts_list ours = *tsr, theirs = *tsi;

	if (transport) {
		see_remote(x->sa, x->from, &theirs);
		see_local(x->sa, x->from, &ours);
	}
	if (transport && narrow(x, conn, POLICY_TRANSPORT, &ours, &theirs))
		return IKE_WHY_NONE;
	if (narrow(x, conn, POLICY_TUNNEL, tsr, tsi)) {
		if (transport)
			ike_note(x->e, x->from, x->sa->id,
				"the caller asks for transport mode, the rule has tunnel "
				"mode: answered with tunnel mode, which it may refuse");
		return IKE_WHY_NONE;
	}
	if (!transport && narrow(x, conn, POLICY_TRANSPORT, &ours, &theirs))
		return IKE_WHY_MODE;
	return IKE_WHY_SELECTORS;
}

/* The peer may have moved behind its NAT since the old child was made: both lists are
 * compared as they look from here, now. */
bool ike_selectors_keep(const struct child *old, const struct ike_path *seen,
	const struct ts_list *tsi, const struct ts_list *tsr)
{
	struct ts_list ours = *tsr, theirs = *tsi;
	struct ts_list local = old->is.local_ts, remote = old->is.remote_ts;

	if (old->is.mode == POLICY_TRANSPORT) {
		see_local(old->sa, seen, &ours);
		see_local(old->sa, seen, &local);
		see_remote(old->sa, seen, &theirs);
		see_remote(old->sa, seen, &remote);
	}
	return covers(&ours, &local) && covers(&theirs, &remote);
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

bool ike_selectors_overlap(const struct ts_list *local, const struct ts_list *remote,
	const struct ts_list *local2, const struct ts_list *remote2)
{
	return lists_overlap(local, local2) && lists_overlap(remote, remote2);
}
