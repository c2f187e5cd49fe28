/* tests/sim/rekeys.c - 10 and 11: rekeying loses no packet, and leaves no SA over.
 *
 * Once the faults are over and everybody is back, every small question must be answered:
 * the network delivers all ESP then, only IKE messages may still be lost. Several times a
 * second each peer's SAs are compared with those of its VIP's node: seldom at once, but
 * again and again, each must be the other's, one child for each rule. The data path keeps
 * none that its node has no more.
 *
 * A brisk run leaves so little time to try again that an SA may come to its end, or wait
 * for its turn, longer than its lifetime; what is asked around such an end is not judged.
 */
#include "sim/sim.h"

enum {
	LOOK_MS = 200,
	CALM_MS = 8000, /* crossings of the last fault are sorted out by then */
	ANSWER_MS = 3000,
	SETTLED_MS = 20000,
	WANED_MS = 3000,
	BEFORE_MS = 700, /* around an expiry */
	AFTER_MS = 6000,
	CHILDREN_SEEN = 512
};

struct held { /* the children, or the IKE SAs, of a machine */
	struct sa_ends {
		uint32_t id;
		uint64_t mine, theirs; /* IKE: initiator's, responder's */
		struct addr remote;
	} at[CHILDREN_SEEN];
	unsigned n;
	bool unfinished;
};

static unsigned wanted(const struct sim *s)
{
	return s->sc.further ? 2 : 1;
}

static bool see_child(const struct child_view *v, void *ctx)
{
	struct held *h = ctx;

	if (h->n < CHILDREN_SEEN)
		h->at[h->n++] = (struct sa_ends){.id = v->child.id,
			.mine = v->child.spi_in,
			.theirs = v->child.spi_out,
			.remote = v->child.path.remote.addr};
	return true;
}

static bool see_ike(const struct ike_info *v, void *ctx)
{
	struct held *h = ctx;

	if (strncmp(v->state, "half-", 5) == 0)
		return true; /* a copy that comes late may cause those */
	h->unfinished = h->unfinished || !v->established;
	if (h->n < CHILDREN_SEEN)
		h->at[h->n++] = (struct sa_ends){.mine = v->spi_i,
			.theirs = v->spi_r,
			.remote = v->path.remote.addr};
	return true;
}

static bool has(const struct held *h, uint64_t mine, uint64_t theirs)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->at[i].mine == mine && h->at[i].theirs == theirs)
			return true;
	return false;
}

static struct machine *home_of(struct sim *s, unsigned peer)
{
	struct machine *m = pm_home(s, s->sc.vip_of[peer]);

	return m && machine_serves(m) ? m : NULL;
}

/* As the node sees it. */
static struct addr seen_addr(const struct sim *s, unsigned peer)
{
	return peer_is_behind_nat(&s->sc, peer) ? nat_addr() : peer_addr(&s->sc, peer);
}

static unsigned count_at(const struct held *h, const struct addr *remote)
{
	unsigned n = 0;

	for (unsigned i = 0; i < h->n; i++)
		n += addr_equal(&h->at[i].remote, remote);
	return n;
}

static unsigned peers_at_addr(const struct sim *s, unsigned peer)
{
	const struct addr a = seen_addr(s, peer);
	unsigned n = 0;

	for (unsigned i = 0; i < s->sc.n_peers; i++) {
		const struct addr b = seen_addr(s, i);
		n += addr_equal(&a, &b);
	}
	return n;
}

static bool is_settled(struct sim *s, unsigned peer)
{
	static struct held here, there, ikes, their_ikes;
	struct machine *m = sim_peer(s, peer), *home = home_of(s, peer);
	const struct addr a = seen_addr(s, peer);

	here.n = there.n = ikes.n = their_ikes.n = 0;
	ikes.unfinished = false;
	if (!home || !machine_serves(m))
		return false;
	node_each_child(m->node, see_child, &here);
	node_each_child(home->node, see_child, &there);
	node_each_ike(m->node, see_ike, &ikes);
	node_each_ike(home->node, see_ike, &their_ikes);
	if (here.n != wanted(s) || ikes.n == 0 || ikes.n > here.n || ikes.unfinished)
		return false;
	for (unsigned i = 0; i < here.n; i++)
		if (!has(&there, here.at[i].theirs, here.at[i].mine))
			return false;
	for (unsigned i = 0; i < ikes.n; i++)
		if (!has(&their_ikes, ikes.at[i].mine, ikes.at[i].theirs))
			return false;
	/* Several behind one NAT are counted together, so not at every moment. */
	return peers_at_addr(s, peer) > 1 || count_at(&there, &a) == here.n;
}

/* ---- expiry ------------------------------------------------------------------------------- */

static void note_expiry(struct sim *s, unsigned peer, uint64_t at_ms)
{
	struct tie *t = &s->rekeys.ties[peer];

	t->expired_ms[t->n_expired++ % EXPIRIES_MAX] = at_ms;
}

static void note_expiry_at(struct sim *s, const struct addr *remote, uint64_t at_ms)
{
	for (unsigned i = 0; i < s->sc.n_peers; i++) {
		const struct addr a = seen_addr(s, i);
		if (addr_equal(&a, remote))
			note_expiry(s, i, at_ms);
	}
}

void rekeys_note(struct sim *s, const struct effect *event)
{
	if (s->rekeys.from_ms == 0 || strcmp(event->u.event.kind, "ike-down") != 0 ||
		strcmp(event->u.event.text, "its lifetime is over") != 0)
		return;
	for (unsigned i = 0; i < s->sc.n_peers; i++) {
		const struct addr vip = vip_addr(s->sc.vip_of[i], peer_is_v6(&s->sc, i));
		if (addr_equal(&event->u.event.peer.addr, &vip))
			note_expiry(s, i, s->world.now_ms);
	}
	note_expiry_at(s, &event->u.event.peer.addr, s->world.now_ms);
}

struct at_machine {
	struct sim *s;
	const struct machine *m;
};

static bool is_at_end(
	const struct sim *s, const struct machine *m, const struct child_view *v)
{
	const struct ages *a = sim_is_node(s, m)
				       ? &s->sc.node_ages
				       : &s->sc.peer_ages[m->index - s->sc.n_nodes];
	uint64_t packets = v->usage.packets_in + v->usage.packets_out;
	uint64_t bytes = v->usage.bytes_in + v->usage.bytes_out;

	return v->expires_ms <= s->world.now_ms + LOOK_MS ||
	       (a->packets != 0 && packets >= a->packets * 11 / 10) ||
	       (a->bytes != 0 && bytes >= a->bytes * 11 / 10);
}

static bool look_at_child(const struct child_view *v, void *ctx)
{
	struct at_machine *at = ctx;

	if (!is_at_end(at->s, at->m, v))
		return true;
	if (sim_is_node(at->s, at->m))
		note_expiry_at(at->s, &v->child.path.remote.addr, at->s->world.now_ms);
	else
		note_expiry(at->s, at->m->index - at->s->sc.n_nodes, at->s->world.now_ms);
	return true;
}

static bool is_excused(const struct sim *s, unsigned peer, uint64_t sent_ms)
{
	const struct tie *t = &s->rekeys.ties[peer];

	for (unsigned i = 0; i < t->n_expired && i < EXPIRIES_MAX; i++)
		if (sent_ms + BEFORE_MS >= t->expired_ms[i] &&
			sent_ms <= t->expired_ms[i] + AFTER_MS)
			return true;
	return s->sc.rekeys == REKEYS_BRISK && t->n_expired > EXPIRIES_MAX;
}

/* ---- what is over ------------------------------------------------------------------------- */

static bool has_id(const struct held *h, uint32_t id)
{
	for (unsigned i = 0; i < h->n; i++)
		if (h->at[i].id == id)
			return true;
	return false;
}

/* What was replaced is received on for a moment longer, and then no more. */
static void look_for_leftovers(struct sim *s, struct machine *m)
{
	static struct held h;

	h.n = 0;
	node_each_child(m->node, see_child, &h);
	for (unsigned i = 0; i < m->n_installed; i++) {
		struct installed *in = &m->installed[i];
		if (has_id(&h, in->id))
			in->waning_ms = 0;
		else if (in->waning_ms == 0)
			in->waning_ms = s->world.now_ms;
		else if (in->waning_ms + WANED_MS < s->world.now_ms)
			violation(s, "11: %s still has child %u, which is over", m->name,
				in->id);
	}
}

/* ---- again and again ---------------------------------------------------------------------- */

static void on_look(struct sim *s, struct action *a)
{
	for (unsigned i = 0; i < s->sc.n_peers; i++)
		if (is_settled(s, i))
			s->rekeys.ties[i].settled_ms = s->world.now_ms;
	for (unsigned i = 0; i < s->n_machines; i++) {
		struct machine *m = &s->machines[i];
		struct at_machine at = {s, m};
		if (!machine_serves(m))
			continue;
		if (s->sc.rekeys == REKEYS_BRISK)
			node_each_child(m->node, look_at_child, &at);
		look_for_leftovers(s, m);
	}
	world_at(s, world_later(&s->world, LOOK_MS), *a);
}

static void trace_ages(struct sim *s, const char *who, const struct ages *a)
{
	trace(s,
		"%s: child %llu ms, IKE %llu ms, reauthentication %llu ms, %llu packets, "
		"%llu octets, PFS %s",
		who, (unsigned long long)a->child_ms, (unsigned long long)a->ike_ms,
		(unsigned long long)a->reauth_ms, (unsigned long long)a->packets,
		(unsigned long long)a->bytes, a->pfs ? a->pfs : "as it comes");
}

void rekeys_trace(struct sim *s)
{
	if (s->sc.rekeys == REKEYS_NONE)
		return;
	trace(s, "rekeys: %s, %s; IKE messages lost or doubled: %u in 10000",
		s->sc.rekeys == REKEYS_BRISK ? "brisk" : "steady",
		s->sc.further ? "two rules" : "one rule", s->sc.rough);
	trace_ages(s, "nodes", &s->sc.node_ages);
	for (unsigned i = 0; i < s->sc.n_peers; i++)
		trace_ages(s, sim_peer(s, i)->name, &s->sc.peer_ages[i]);
}

void rekeys_begin(struct sim *s)
{
	if (s->sc.rekeys == REKEYS_NONE)
		return;
	s->rekeys.from_ms = world_later(&s->world, CALM_MS);
	s->net.rough = s->sc.rough;
	world_at(s, s->world.now_ms, (struct action){.run = on_look});
}

/* From the answer on: what was asked with it may have waited for the same, first SA, and more
 * of it than are held (esp/hold.h). */
void rekeys_answered(struct sim *s, unsigned peer, unsigned port, uint64_t sent_ms)
{
	uint64_t *whole = &s->rekeys.ties[peer].whole_ms[port];

	if (s->rekeys.from_ms != 0 && sent_ms >= s->rekeys.from_ms && *whole == 0)
		*whole = s->world.now_ms;
}

void rekeys_judge(struct sim *s, const struct app *app)
{
	const struct tie *t = &s->rekeys.ties[app->peer];

	if (app->kind != APP_SECURED || app->large || t->whole_ms[app->port] == 0 ||
		app->sent_ms < t->whole_ms[app->port] ||
		app->sent_ms + ANSWER_MS > s->world.now_ms)
		return;
	s->counts.judged++;
	if (app->answered)
		return;
	if (is_excused(s, app->peer, app->sent_ms))
		s->counts.lost_at_expiry++;
	else
		violation(s, "10: what peer%u %s at %llu.%03u was lost to a rekey",
			app->peer, app->asked ? "was answered" : "asked",
			(unsigned long long)(app->sent_ms / 1000),
			(unsigned)(app->sent_ms % 1000));
}

void rekeys_end(struct sim *s)
{
	if (s->sc.rekeys == REKEYS_NONE)
		return;

	size_t kept = s->traffic.n < s->traffic.cap ? s->traffic.n : s->traffic.cap;

	for (size_t i = 0; i < kept && !s->world.failed; i++)
		rekeys_judge(s, &s->traffic.apps[i]);
	for (unsigned i = 0; i < s->sc.n_peers && !s->world.failed; i++) {
		const struct tie *t = &s->rekeys.ties[i];
		if (t->settled_ms + SETTLED_MS < s->world.now_ms)
			violation(s,
				"11: the SAs of peer%u and its node do not come to pair "
				"up "
				"(last at %llu.%03u)",
				i, (unsigned long long)(t->settled_ms / 1000),
				(unsigned)(t->settled_ms % 1000));
		for (unsigned k = 0; k < wanted(s); k++)
			if (t->whole_ms[k] == 0)
				violation(
					s, "7: peer%u has no answers from port %u", i, k);
	}
}

void rekeys_count(struct sim *s, const struct machine *m)
{
	struct ike_counters c;

	if (!m->node)
		return;
	node_ike_counters(m->node, &c);
	s->counts.rekeyed_children += c.rekeyed_children;
	s->counts.rekeyed_ikes += c.rekeyed_ikes;
	s->counts.crossed_children += c.crossed_children;
	s->counts.crossed_ikes += c.crossed_ikes;
	s->counts.crossed_further += c.crossed_further;
	s->counts.said_busy += c.said_temporary_failure;
	s->counts.said_not_found += c.said_child_not_found;
}
