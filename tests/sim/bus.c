/* tests/sim/bus.c - corosync as the daemons see it.
 *
 * A ring is whole while all its members are up and reach each other; only then are
 * messages ordered. Order is that of sending; all members get a message in the same
 * order, each in its own time. Who leaves between two rings is told before who joins, and
 * who joins as a process is told apart from who came with its node (CPG_REASON_JOIN).
 */
#include "sim/sim.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum { LATENCY_MAX_MS = 3, JOIN_MIN_MS = 50, JOIN_MAX_MS = 300 };
enum { HEARD_MS = 10 }; /* of a ring, and a message of each in it */
enum { CLAIM_TYPE_AT = 3 }; /* behind 'V' 'S' and the version */
enum { FRESH_SHIFT = 16 }; /* the upper half of an action's number */
_Static_assert((int)NODES_MAX <= (int)FRESH_SHIFT, "both fit");

static struct bus_end *end_of(struct sim *s, unsigned i)
{
	return &s->bus.ends[i];
}

void bus_init(struct sim *s)
{
	unsigned all = (1u << s->sc.n_nodes) - 1;

	stream_init(&s->bus.dice, s->world.seed, 2);
	s->bus.last_ring = 1;
	for (unsigned i = 0; i < s->sc.n_nodes; i++)
		*end_of(s, i) = (struct bus_end){
			.up = true, .seen_all = true, .ring = all, .ring_id = 1};
}

static void drop_queue(struct bus_end *e)
{
	for (unsigned i = 0; i < e->n_queue; i++)
		free(e->queue[i].bytes);
	e->n_queue = 0;
}

void bus_free(struct sim *s)
{
	for (unsigned i = 0; i < s->sc.n_nodes; i++)
		drop_queue(end_of(s, i));
}

/* ---- what is true ----------------------------------------------------------------------- */

static bool reach(const struct sim *s, unsigned a, unsigned b)
{
	return a == b || !s->net.cut[a][b];
}

/* Those who are up and reach each other, over others too. */
static unsigned component(const struct sim *s, unsigned node)
{
	unsigned set = 1u << node, before;

	do {
		before = set;
		for (unsigned a = 0; a < s->sc.n_nodes; a++)
			for (unsigned b = 0; b < s->sc.n_nodes; b++)
				if ((set & 1u << a) && s->bus.ends[b].up &&
					reach(s, a, b))
					set |= 1u << b;
	} while (set != before);
	return set;
}

static bool is_whole(const struct sim *s, unsigned node)
{
	const struct bus_end *e = &s->bus.ends[node];

	for (unsigned a = 0; a < s->sc.n_nodes; a++) {
		if (!(e->ring & 1u << a))
			continue;
		if (!s->bus.ends[a].up || s->bus.ends[a].ring_id != e->ring_id)
			return false;
		for (unsigned b = 0; b < a; b++)
			if ((e->ring & 1u << b) && !reach(s, a, b))
				return false;
	}
	return true;
}

bool bus_is_quorate(const struct sim *s, unsigned node)
{
	const struct bus_end *e = &s->bus.ends[node];
	unsigned n = (unsigned)__builtin_popcount(e->ring);

	if (!e->up)
		return false;
	return s->sc.n_nodes == 2 ? n == 2 || e->seen_all : n * 2 > s->sc.n_nodes;
}

bool bus_sees(const struct sim *s, unsigned node, unsigned other)
{
	const struct bus_end *e = &s->bus.ends[node];

	return e->up && (e->ring & 1u << other) != 0 &&
	       e->ring_ms + HEARD_MS <= s->world.now_ms;
}

/* ---- telling the daemons ---------------------------------------------------------------- */

/* When the daemon of this node hears of what happens now: in order. */
static uint64_t in_turn(struct sim *s, unsigned node, uint64_t in_ms)
{
	struct bus_end *e = end_of(s, node);
	uint64_t at = world_later(&s->world, in_ms);

	if (at < e->clear_ms)
		at = e->clear_ms;
	return e->clear_ms = at;
}

static void on_group(struct sim *s, struct action *a)
{
	struct node_event ev = {.kind = NODE_MEMBERS};
	uint8_t members[NODES_MAX], fresh[NODES_MAX];

	if (machine_defers(s, &s->machines[a->who], a))
		return;
	for (unsigned i = 0; i < s->sc.n_nodes; i++) {
		if (a->n & 1u << i)
			members[ev.u.members.n++] = s->machines[i].member;
		if (a->n & 1u << (i + FRESH_SHIFT))
			fresh[ev.u.members.n_fresh++] = s->machines[i].member;
	}
	ev.u.members.members = members;
	ev.u.members.fresh = fresh;
	trace(s, "%s: group is now %x", s->machines[a->who].name, a->n);
	machine_feed(s, &s->machines[a->who], &ev);
}

/* fresh: processes that have just joined. */
static void tell_group(struct sim *s, unsigned node, unsigned group, unsigned fresh)
{
	struct bus_end *e = end_of(s, node);

	if (!e->joined || e->group == group)
		return;
	e->group = group;
	world_at(s, in_turn(s, node, 1),
		(struct action){.run = on_group,
			.who = node,
			.n = group | (group & fresh) << FRESH_SHIFT,
			.tag = s->machines[node].lives});
}

static void on_quorum(struct sim *s, struct action *a)
{
	struct node_event ev = {.kind = NODE_QUORUM};

	if (machine_defers(s, &s->machines[a->who], a))
		return;
	bool truth = bus_is_quorate(s, a->who);
	end_of(s, a->who)->told_quorate = truth;
	ev.u.quorate = truth || s->sc.sabotage == BREAK_QUORUM;
	trace(s, "%s: %s", s->machines[a->who].name, truth ? "quorate" : "no quorum");
	machine_feed(s, &s->machines[a->who], &ev);
}

/* Another service than the group: its word may come before or after. */
static void tell_quorum(struct sim *s, unsigned node)
{
	if (!end_of(s, node)->joined)
		return;
	world_at(s, world_later(&s->world, roll(&s->bus.dice, LATENCY_MAX_MS + 1)),
		(struct action){
			.run = on_quorum, .who = node, .tag = s->machines[node].lives});
}

/* ---- messages ----------------------------------------------------------------------------- */

static void on_message(struct sim *s, struct action *a)
{
	struct node_event ev = {.kind = NODE_MESSAGE};

	if (machine_defers(s, &s->machines[a->who], a))
		return;
	const struct bus_message *m = a->own;
	ev.u.message.from = s->machines[a->n].member;
	ev.u.message.bytes = span_of(m + 1, m->len);
	world_note(s, a->who, 'm', ev.u.message.bytes);
	machine_feed(s, &s->machines[a->who], &ev);
}

static bool is_claim(struct span bytes)
{
	return bytes.len > CLAIM_TYPE_AT && bytes.at[CLAIM_TYPE_AT] == 2;
}

static void order_message(struct sim *s, unsigned from, struct span bytes)
{
	bool alone = s->sc.sabotage == BREAK_CLAIM && is_claim(bytes);

	if (is_claim(bytes))
		s->counts.claims++;
	for (unsigned i = 0; i < s->sc.n_nodes; i++) {
		struct bus_end *e = end_of(s, i);
		if (!e->joined || !(end_of(s, from)->ring & 1u << i) ||
			(alone && i != from))
			continue;
		struct bus_message *m = mem_new(1, sizeof(*m) + bytes.len);
		m->len = bytes.len;
		memcpy(m + 1, bytes.at, bytes.len);
		world_at(s, in_turn(s, i, roll_between(&s->bus.dice, 0, LATENCY_MAX_MS)),
			(struct action){.run = on_message,
				.who = i,
				.n = from,
				.tag = s->machines[i].lives,
				.own = m});
	}
}

static void flush(struct sim *s, unsigned node)
{
	struct bus_end *e = end_of(s, node);

	if (!is_whole(s, node))
		return;
	for (unsigned i = 0; i < e->n_queue; i++)
		order_message(s, node, span_of(e->queue[i].bytes, e->queue[i].len));
	drop_queue(e);
}

void bus_send(struct sim *s, struct machine *m, struct span bytes)
{
	struct bus_end *e = end_of(s, m->index);

	if (!e->joined || e->n_queue == BUS_QUEUE)
		return;
	struct bus_message *q = &e->queue[e->n_queue++];
	q->bytes = mem_new(1, bytes.len);
	q->len = bytes.len;
	memcpy(q->bytes, bytes.at, bytes.len);
	flush(s, m->index);
}

/* ---- rings ---------------------------------------------------------------------------------- */

static unsigned joined_in(const struct sim *s, unsigned ring)
{
	unsigned group = 0;

	for (unsigned i = 0; i < s->sc.n_nodes; i++)
		if ((ring & 1u << i) && s->bus.ends[i].joined)
			group |= 1u << i;
	return group;
}

/* Who came along from the same ring: the others have left, even if they are back. */
static void tell_leavers(struct sim *s, unsigned ring)
{
	for (unsigned i = 0; i < s->sc.n_nodes; i++) {
		unsigned along = 0;
		if (!(ring & 1u << i))
			continue;
		for (unsigned k = 0; k < s->sc.n_nodes; k++)
			if ((ring & 1u << k) &&
				end_of(s, k)->ring_id == end_of(s, i)->ring_id)
				along |= 1u << k;
		if (end_of(s, i)->group & ~along)
			tell_group(s, i, end_of(s, i)->group & along, 0);
	}
}

/* Daemons that have ended, told or not, are out before they come in again. */
static void tell_ended(struct sim *s, unsigned ring)
{
	unsigned ended = 0;

	for (unsigned i = 0; i < s->sc.n_nodes; i++) {
		if (!(ring & 1u << i) || !end_of(s, i)->ended)
			continue;
		ended |= 1u << i;
		end_of(s, i)->ended = false;
	}
	for (unsigned i = 0; i < s->sc.n_nodes; i++)
		if ((ring & 1u << i) && (end_of(s, i)->group & ended))
			tell_group(s, i, end_of(s, i)->group & ~ended, 0);
}

static void form_ring(struct sim *s, unsigned ring)
{
	unsigned all = (1u << s->sc.n_nodes) - 1;
	uint64_t id = ++s->bus.last_ring;

	tell_leavers(s, ring);
	tell_ended(s, ring);
	for (unsigned i = 0; i < s->sc.n_nodes; i++) {
		struct bus_end *e = end_of(s, i);
		if (!(ring & 1u << i))
			continue;
		e->ring = ring;
		e->ring_id = id;
		e->ring_ms = s->world.now_ms;
		e->fresh = false; /* comes with its node */
		e->seen_all = e->seen_all || ring == all;
	}
	for (unsigned i = 0; i < s->sc.n_nodes; i++) {
		if (!(ring & 1u << i))
			continue;
		tell_group(s, i, joined_in(s, ring), 0);
		tell_quorum(s, i);
	}
	for (unsigned i = 0; i < s->sc.n_nodes; i++)
		if (ring & 1u << i)
			flush(s, i);
	trace(s, "a ring of %x", ring);
}

static void on_reform(struct sim *s, struct action *a)
{
	unsigned done = 0;

	if (s->bus.reform_ms != s->world.now_ms || a->tag != s->bus.reforms)
		return;
	s->bus.reform_ms = 0;
	s->counts.memberships++;
	for (unsigned i = 0; i < s->sc.n_nodes; i++) {
		if (!end_of(s, i)->up || (done & 1u << i))
			continue;
		unsigned ring = component(s, i);
		done |= ring;
		if (end_of(s, i)->ring != ring || !is_whole(s, i))
			form_ring(s, ring);
	}
	pm_on_ring(s);
}

/* Who has joined since; told once. */
static unsigned fresh_in(struct sim *s, unsigned ring)
{
	unsigned fresh = 0;

	for (unsigned i = 0; i < s->sc.n_nodes; i++) {
		if ((ring & 1u << i) && end_of(s, i)->joined && end_of(s, i)->fresh)
			fresh |= 1u << i;
		if (ring & 1u << i)
			end_of(s, i)->fresh = false;
	}
	return fresh;
}

static void regroup(struct sim *s, unsigned node)
{
	struct bus_end *e = end_of(s, node);

	if (!is_whole(s, node))
		return; /* the next ring tells */
	tell_ended(s, e->ring);
	unsigned fresh = fresh_in(s, e->ring);
	for (unsigned i = 0; i < s->sc.n_nodes; i++)
		if (e->ring & 1u << i)
			tell_group(s, i, joined_in(s, e->ring), fresh);
}

/* Rings are broken, or could be joined: a new one forms when the time is over. */
void bus_changed(struct sim *s)
{
	bool broken = false, split = false;

	for (unsigned i = 0; i < s->sc.n_nodes; i++) {
		if (!end_of(s, i)->up)
			continue;
		broken = broken || !is_whole(s, i);
		split = split || component(s, i) != end_of(s, i)->ring;
	}
	if (!broken && !split) {
		s->bus.reform_ms = 0;
	} else if (s->bus.reform_ms == 0) {
		uint64_t in =
			broken ? s->sc.token_ms
			       : roll_between(&s->bus.dice, JOIN_MIN_MS, JOIN_MAX_MS);
		s->bus.reform_ms = world_later(&s->world, in);
		world_at(s, s->bus.reform_ms,
			(struct action){.run = on_reform, .tag = ++s->bus.reforms});
	}
	for (unsigned i = 0; i < s->sc.n_nodes; i++) {
		if (!end_of(s, i)->up)
			continue;
		regroup(s, i);
		flush(s, i);
	}
}

void bus_up(struct sim *s, struct machine *m, bool up)
{
	struct bus_end *e = end_of(s, m->index);

	if (e->up == up)
		return;
	e->up = up;
	if (!m->powered) { /* a crash: it begins anew, alone */
		drop_queue(e);
		*e = (struct bus_end){
			.ring = 1u << m->index, .ring_id = ++s->bus.last_ring};
	}
	bus_changed(s);
}

/* ---- the group -------------------------------------------------------------------------------- */

void bus_join(struct sim *s, struct machine *m)
{
	struct bus_end *e = end_of(s, m->index);

	e->joined = e->fresh = true;
	e->group = 0;
	e->told_quorate = false;
	regroup(s, m->index);
	tell_quorum(s, m->index);
}

void bus_leave(struct sim *s, struct machine *m)
{
	struct bus_end *e = end_of(s, m->index);

	e->joined = e->fresh = e->told_quorate = false;
	e->ended = true;
	e->group = 0;
	drop_queue(e);
	if (e->up)
		regroup(s, m->index);
}
