/* tests/sim/check_end.c - after the quiet time: everybody is back, nothing is left over.
 *
 * 7: each peer's secured traffic runs both ways within its worst case. 8: what is kept
 * depends on the number of peers, not on what happened. One IKE SA and one child for each
 * peer, at both ends, and nobody is shaking hands.
 */
#include "sim/sim.h"

enum {
	ANSWER_MS = 2000, /* the last answer is younger than that */
	STILL_MS = 5000, /* no handshake for so long */
	CALL_MS = 1000, /* said by a daemon that does not know its peer yet */
	/* What a node may keep, as it counts itself: records, SAs, indices. */
	KEPT_ANYHOW = 16,
	KEPT_EACH = 6,
	KEPT_EACH_REKEYED = 16
};

static bool take_worst(const struct peer_view *p, void *ctx)
{
	uint64_t *worst = ctx;

	if (p->worst_recovery_ms > *worst)
		*worst = p->worst_recovery_ms;
	return true;
}

void check_begin_quiet(struct sim *s)
{
	s->check.quiet_ms = s->world.now_ms;
	for (unsigned i = 0; i < s->sc.n_peers && !s->world.failed; i++) {
		s->check.said_ms[i] = CALL_MS;
		node_each_peer(sim_peer(s, i)->node, take_worst, &s->check.said_ms[i]);
	}
	traffic_mark(s);
}

/* What the peer's own daemon said, and what it cannot know: when its machine's next packet
 * leaves, twice (the one that starts the timer, and the one that is answered), and the way
 * there and back. */
static uint64_t allowed_ms(const struct sim *s, unsigned peer)
{
	return s->check.said_ms[peer] + 2 * traffic_longest_pause_ms(s) +
	       4 * s->sc.delay_hi_ms + 2 * s->sc.order_delay_ms;
}

uint64_t check_longest_ms(const struct sim *s)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < s->sc.n_peers; i++)
		if (allowed_ms(s, i) > most)
			most = allowed_ms(s, i);
	return most;
}

static void check_back(struct sim *s, unsigned peer)
{
	const struct talk *t = &s->traffic.talks[peer];
	const char *name = sim_peer(s, peer)->name;

	if (t->back_ms == 0) {
		violation(s, "7: %s is not back %llu ms after the last fault", name,
			(unsigned long long)(s->world.now_ms - s->check.quiet_ms));
		return;
	}
	uint64_t took = t->back_ms - s->check.quiet_ms;
	s->counts.recoveries++;
	if (took > s->counts.recovery_max_ms)
		s->counts.recovery_max_ms = took;
	if (took > allowed_ms(s, peer))
		violation(s, "7: %s was back after %llu ms, and had said %llu", name,
			(unsigned long long)took,
			(unsigned long long)s->check.said_ms[peer]);
	if (t->answered_ms + ANSWER_MS < s->world.now_ms)
		violation(s, "7: %s was back, and has no answers any more", name);
}

struct sum {
	unsigned established, half_open, other;
};

static bool add_ike(const struct ike_info *i, void *ctx)
{
	struct sum *sum = ctx;

	if (i->established)
		sum->established++;
	else if (strncmp(i->state, "half-", 5) == 0)
		sum->half_open++; /* a stranger may cause those */
	else
		sum->other++;
	return true;
}

static void check_count(struct sim *s, const struct machine *m, unsigned peers)
{
	struct sum sum = {0};

	node_each_ike(m->node, add_ike, &sum);
	if (s->sc.child_ms != 0 || s->sc.rekeys != REKEYS_NONE)
		return; /* one may be at its end just now */
	if (sum.established != peers || sum.other != 0)
		violation(s, "7: %s has %u IKE SAs and %u unfinished, for %u peers",
			m->name, sum.established, sum.other, peers);
	if (esp_dp_count(m->dp) != peers)
		violation(s, "8: %s has %zu child SAs for %u peers", m->name,
			esp_dp_count(m->dp), peers);
}

static void check_kept(struct sim *s, const struct machine *m)
{
	size_t peers = sim_is_node(s, m) ? s->sc.n_peers : 1;
	struct sum sum = {0};

	node_each_ike(m->node, add_ike, &sum);
	size_t kept = node_count_kept(m->node) - sum.half_open;
	bool rekeyed = s->sc.rekeys != REKEYS_NONE || s->sc.child_ms != 0;
	size_t each = rekeyed ? KEPT_EACH_REKEYED : KEPT_EACH;
	if (kept > KEPT_ANYHOW + each * peers)
		violation(
			s, "8: %s keeps %zu things for %zu peers", m->name, kept, peers);
}

static unsigned peers_of(const struct sim *s, const struct machine *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->sc.n_peers; i++)
		n += s->pm.vips[s->sc.vip_of[i]].home == (int)m->index;
	return n;
}

void check_end(struct sim *s)
{
	size_t heap_max = 64 * s->n_machines;
	bool renews = s->sc.child_ms != 0 || s->sc.rekeys != REKEYS_NONE;

	rekeys_end(s);
	drains_check(s);

	for (unsigned i = 0; i < s->sc.n_peers; i++)
		check_back(s, i);
	for (unsigned i = 0; i < s->n_machines && !s->world.failed; i++) {
		struct machine *m = &s->machines[i];
		if (!m->node) {
			violation(s, "7: %s has no daemon", m->name);
			return;
		}
		check_count(s, m, sim_is_node(s, m) ? peers_of(s, m) : 1);
		check_kept(s, m);
	}
	if (!renews && s->net.init_ms + STILL_MS > s->world.now_ms)
		violation(s, "7: somebody is still shaking hands");
	if (s->world.n > heap_max)
		violation(s, "8: %zu events are planned", s->world.n);
}
