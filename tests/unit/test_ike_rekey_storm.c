/* tests/unit/test_ike_rekey_storm.c - both sides rekey whatever they have, at any moment, while
 * the network loses, doubles and reorders (RFC 7296 2.8, 2.25).
 *
 * The hosts of this test send as node/ does: on the newest child that they asked for
 * themselves, or have seen the peer use, or whose predecessor is gone. What a side sends on
 * must at any moment be received on by the other. When the storm is over both have the same
 * IKE SA with the same children, one in each place, with the same keys.
 */
#include "ike_lab.h"

#include <stdlib.h>

#include "base/mem.h"

enum { SEEDS = 150, STEPS = 60, KEPT_MAX = 32, SETTLE_MS = 600000, EXCHANGE_AT = 18 };

struct kept {
	struct ike_child c; /* with its keys */
	uint32_t root; /* the first child of this place, by this side's count */
	bool active, deleting;
};

struct side_of_storm {
	struct kept at[KEPT_MAX];
	unsigned n;
	uint32_t ike; /* as the host knows it */
};

struct storm {
	struct lab *lab;
	struct entropy dice;
	struct seeded_entropy store;
	struct side_of_storm side[2];
	bool fair, deletes;
	int deleter;
	unsigned followups; /* IKE_FOLLOWUP_KE that were sent */
};

static uint32_t roll(struct storm *m, uint32_t below)
{
	return entropy_below(&m->dice, below);
}

static struct lab_fate weather(struct lab *lab, const struct lab_datagram *d)
{
	struct storm *m = lab->filter_ctx;
	uint32_t luck = roll(m, 100);

	m->followups += d->bytes[EXCHANGE_AT] == IKE_FOLLOWUP_KE;
	lab->n_log = 0;
	if (m->fair)
		return (struct lab_fate){.copies = 1, .ms = 1};
	return (struct lab_fate){.copies = luck < 25   ? 0
					   : luck < 40 ? 2
						       : 1,
		.ms = 1 + roll(m, 400)};
}

/* ---- the hosts */

static struct kept *kept_by_id(struct side_of_storm *s, uint32_t id)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->at[i].c.id == id)
			return &s->at[i];
	return NULL;
}

static void take_up(struct side_of_storm *s, const struct ike_child *c)
{
	struct kept *old = kept_by_id(s, c->replaces);
	struct kept *k = &s->at[s->n++];

	assert_true(s->n <= KEPT_MAX);
	*k = (struct kept){.c = *c, .root = old ? old->root : c->id};
	k->active = !c->receive_only && c->initiator;
}

static void take_down(struct side_of_storm *s, uint32_t id)
{
	struct kept *gone = kept_by_id(s, id);

	assert_non_null(gone);
	for (unsigned i = 0; i < s->n; i++)
		if (s->at[i].c.replaces == id && !s->at[i].c.receive_only)
			s->at[i].active = true;
	memmove(gone, gone + 1, (size_t)(&s->at[--s->n] - gone) * sizeof(*gone));
}

static void hear(struct storm *m)
{
	for (int i = A; i <= B; i++) {
		struct lab_side *side = &m->lab->side[i];
		struct side_of_storm *s = &m->side[i];

		for (unsigned k = 0; k < side->n_up; k++)
			take_up(s, &side->up[k]);
		for (unsigned k = 0; k < side->n_down; k++)
			take_down(s, side->down[k].child);
		for (unsigned k = 0; k < side->n_rekeyed; k++) {
			assert_int_equal(side->rekeyed[k].old, s->ike);
			s->ike = side->rekeyed[k].sa.id;
		}
		for (unsigned k = 0; k < side->n_closed; k++) {
			assert_int_equal(side->closed[k].why.close, IKE_CLOSE_REPLACED);
			assert_int_not_equal(side->closed[k].info.id, s->ike);
		}
		side->n_up = side->n_down = side->n_rekeyed = side->n_closed = 0;
		side->n_established = side->n_refused = 0;
		side->notes[0] = '\0';
	}
}

/* What a side sends on in the place of that child. */
static const struct kept *sender(const struct side_of_storm *s, uint32_t root)
{
	const struct kept *best = NULL;

	for (unsigned i = 0; i < s->n; i++)
		if (s->at[i].root == root && s->at[i].active)
			best = &s->at[i];
	return best;
}

static struct kept *receiver(struct side_of_storm *s, uint32_t spi)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->at[i].c.spi_in == spi)
			return &s->at[i];
	return NULL;
}

/* Of two that crossed, the one that goes: the node sends on the other, which is in another
 * place here. */
static bool is_surplus(struct storm *m, int side, const struct kept *s)
{
	const struct child *c = ike_child_by_id(m->lab->side[side].engine, s->c.id);

	for (unsigned i = 0; i < m->side[side].n; i++)
		if (m->side[side].at[i].c.replaces == s->c.id)
			return false;
	return c && c->state >= CHILD_REPLACED;
}

/* Each sends one packet in each place, and it arrives. */
static void send_all(struct storm *m)
{
	for (int i = A; i <= B; i++) {
		struct side_of_storm *from = &m->side[i], *to = &m->side[1 - i];

		for (unsigned k = 0; k < from->n; k++) {
			const struct kept *s = sender(from, from->at[k].root);

			if (!s) /* a further child that its maker has not used yet */
				continue;
			if (is_surplus(m, i, s))
				continue;
			struct kept *r = receiver(to, s->c.spi_out);
			if (m->deletes && !r)
				continue;
			assert_non_null(r);
			unit_assert_span_equal(
				secret_span(&s->c.key_out), secret_span(&r->c.key_in));
			if (!r->c.receive_only)
				r->active = true;
		}
	}
}

/* ---- the storm */

/* Not the surplus of a crossing, which is a place of its own here and on its way out, and the
 * peer has it, too, and has found no surplus in it. */
static bool stays(struct storm *m, int side, const struct kept *k)
{
	const struct kept *there = receiver(&m->side[1 - side], k->c.spi_out);

	return !k->deleting && !is_surplus(m, side, k) && there &&
	       !is_surplus(m, 1 - side, there);
}

/* One of them may be deleted, and another place is left. */
static bool may_delete(struct storm *m, int side, uint32_t id)
{
	const struct side_of_storm *s = &m->side[side];
	uint32_t root = 0;
	bool other = false;

	for (unsigned i = 0; i < s->n; i++)
		if (s->at[i].c.id == id)
			root = s->at[i].root;
	for (unsigned i = 0; i < s->n; i++)
		other |= s->at[i].root != root && stays(m, side, &s->at[i]);
	return other;
}

static void act(struct storm *m)
{
	int i = (int)roll(m, 2);
	struct side_of_storm *s = &m->side[i];
	struct ike_engine *e = m->lab->side[i].engine;
	uint64_t now = m->lab->now_ms;
	uint32_t some = s->n > 0 ? s->at[roll(m, s->n)].c.id : 0, fresh;
	enum ike_err err = IKE_OK;

	switch (roll(m, 8)) {
	case 0:
	case 1:
	case 2:
		err = ike_rekey_child(e, now, some);
		break;
	case 3:
	case 4:
		err = ike_rekey(e, now, s->ike);
		break;
	case 5:
		if (s->n < 4)
			err = ike_create_child(
				e, now, s->ike, &m->lab->side[i].conn, &fresh);
		break;
	case 6:
		if (!m->deletes || i != m->deleter || !may_delete(m, i, some))
			break;
		kept_by_id(s, some)->deleting = true;
		err = ike_delete_child(e, now, some);
		break;
	default:
		err = ike_probe(e, now, s->ike);
	}
	(void)err; /* not ready: its end has begun */
}

static void assert_same(struct storm *m)
{
	struct side_of_storm *a = &m->side[A], *b = &m->side[B];

	assert_int_equal(lab_count(m->lab, A), 1);
	assert_int_equal(lab_count(m->lab, B), 1);
	assert_true(lab_sa(m->lab, A)->spi_i == lab_sa(m->lab, B)->spi_i);
	assert_true(lab_sa(m->lab, A)->spi_r == lab_sa(m->lab, B)->spi_r);
	assert_int_equal(a->n, b->n);
	for (unsigned i = 0; i < a->n; i++) {
		struct kept *there = receiver(b, a->at[i].c.spi_out);

		assert_non_null(there);
		lab_assert_children_match(&a->at[i].c, &there->c);
		for (unsigned k = 0; k < i && !m->deletes; k++)
			assert_int_not_equal(a->at[i].root, a->at[k].root);
	}
	for (int i = A; i <= B; i++) {
		const struct ike_sa *sa = lab_sa(m->lab, (enum lab_side_name)i);

		assert_int_equal(sa->n_children, a->n);
		assert_true(list_empty(&sa->tasks));
		assert_null(sa->task);
		list_each(item, &sa->children) assert_int_equal(
			list_entry(item, struct child, link)->state, CHILD_UP);
	}
}

/* Additional key exchanges (RFC 9370 2.2.4): none, one or two, by seed and by suite. */
static void add_more(struct ike_proposals *p, uint64_t seed)
{
	static const struct ike_more sets[] = {
		{{0}}, {{KE_ECP_384}}, {{KE_ECP_384, 0, KE_ECP_521}}};

	p->ike[1] = p->ike[0];
	p->ike[1].more = sets[seed % 2];
	p->ike[0].more = sets[1 + seed % 2];
	p->n_ike = 2;
	p->pfs_more[0] = sets[seed % 3];
	p->pfs_more[1] = sets[(seed / 3) % 3];
}

static unsigned one_storm(uint64_t seed, bool deletes, bool more)
{
	struct storm *m = mem_new(1, sizeof(*m));

	m->lab = lab_new(seed);
	m->dice = entropy_seeded(&m->store, seed * 104729);
	m->deletes = deletes;
	m->deleter = seed % 2 ? A : B;
	for (int i = A; i <= B; i++) {
		struct ike_proposals *p = &m->lab->side[i].conn.proposals;

		p->n_pfs = (unsigned)seed % 3;
		p->pfs[0] = i == A ? KE_CURVE25519 : KE_ECP_256;
		p->pfs[1] = i == A ? KE_ECP_256 : KE_CURVE25519;
		if (more)
			add_more(p, seed + (seed % 5 == 0 && i == A));
	}
	lab_up(m->lab);
	m->side[A].ike = lab_sa(m->lab, A)->id;
	m->side[B].ike = lab_sa(m->lab, B)->id;
	hear(m);
	m->lab->filter = weather;
	m->lab->filter_ctx = m;
	for (int i = 0; i < STEPS; i++) {
		act(m);
		for (uint64_t until = m->lab->now_ms + (roll(m, 4) ? roll(m, 60) : 3000);
			m->lab->now_ms < until;) {
			lab_run(m->lab, 1);
			hear(m);
			send_all(m);
		}
	}
	m->fair = true;
	lab_run(m->lab, SETTLE_MS);
	hear(m);
	assert_same(m);
	unsigned followups = m->followups;
	lab_free(m->lab);
	free(m);
	return followups;
}

static void rekeying_never_leaves_a_gap(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= unit_rounds(SEEDS); seed++)
		one_storm(seed, false, false);
}

static void deletes_among_it_leave_both_sides_alike(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= unit_rounds(SEEDS); seed++)
		one_storm(seed + 1000, true, false);
}

static void key_exchanges_that_follow_leave_no_gap_either(void **state)
{
	(void)state;
	unsigned followups = 0;

	for (uint64_t seed = 1; seed <= unit_rounds(SEEDS); seed++)
		followups += one_storm(seed + 2000, seed % 3 == 0, true);
	assert_true(followups > 20 * unit_rounds(SEEDS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rekeying_never_leaves_a_gap),
		cmocka_unit_test(deletes_among_it_leave_both_sides_alike),
		cmocka_unit_test(key_exchanges_that_follow_leave_no_gap_either),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
