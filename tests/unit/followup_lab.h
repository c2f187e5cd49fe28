/* tests/unit/followup_lab.h - two sides with additional key exchanges behind CREATE_CHILD_SA (RFC
 * 9370 2.2.4).
 */
#ifndef VIPSEC_TESTS_FOLLOWUP_LAB_H
#define VIPSEC_TESTS_FOLLOWUP_LAB_H

#include "ike_craft.h"

enum { EXCHANGE_AT = 18, RESPONSE = 0x20, FLAGS_AT = 19 };

static const struct ike_more two = {.ke = {KE_ECP_384, 0, KE_MODP_2048}};

static inline void give(struct lab_side *s, const struct ike_more *more)
{
	struct ike_proposals *p = &s->conn.proposals;

	p->ike[0].more = *more;
	p->pfs[0] = KE_CURVE25519;
	p->pfs_more[0] = *more;
	p->n_pfs = 1;
	p->pfs_required = true;
}

/* Up with two additional key exchanges everywhere, and each side knows that the other one has
 * its answers. */
static inline struct lab *lab_ready(uint64_t seed)
{
	struct lab *lab = lab_new(seed);

	give(&lab->side[A], &two);
	give(&lab->side[B], &two);
	lab_up(lab);
	assert_int_equal(
		ike_probe(lab->side[A].engine, lab->now_ms, lab_sa(lab, A)->id), IKE_OK);
	lab_run(lab, 10);
	lab->n_log = 0;
	return lab;
}

static inline uint32_t child_of(struct lab *lab, enum lab_side_name s)
{
	return ike_child_first(lab_sa(lab, s))->is.id;
}

static inline void rekey_child(struct lab *lab, enum lab_side_name s)
{
	assert_int_equal(
		ike_rekey_child(lab->side[s].engine, lab->now_ms, child_of(lab, s)),
		IKE_OK);
}

static inline void rekey_ike(struct lab *lab, enum lab_side_name s)
{
	const struct lab_side *side = &lab->side[s];
	uint32_t id = side->n_rekeyed > 0 ? side->rekeyed[side->n_rekeyed - 1].sa.id
					  : side->established[0].id;

	assert_int_equal(ike_rekey(side->engine, lab->now_ms, id), IKE_OK);
}

/* What is renewed by CREATE_CHILD_SA. */
static void (*const rekeys[])(struct lab *lab, enum lab_side_name s) = {
	rekey_child, rekey_ike};

static inline unsigned sent(const struct lab *lab, uint8_t exchange)
{
	unsigned n = 0;

	for (unsigned i = 0; i < lab->n_log; i++)
		n += lab->log[i].bytes[EXCHANGE_AT] == exchange;
	return n;
}

static inline const struct ike_child *up_by_id(
	const struct lab *lab, enum lab_side_name s, uint32_t id)
{
	for (unsigned i = 0; i < lab->side[s].n_up; i++)
		if (lab->side[s].up[i].id == id)
			return &lab->side[s].up[i];
	fail_msg("no such child was up");
	return NULL;
}

/* Both sides: one IKE SA, the same, with n children up, nothing to do and nothing kept. */
static inline void assert_settled(struct lab *lab, unsigned n)
{
	const struct ike_sa *sa[2];

	for (enum lab_side_name s = A; s <= B; s++) {
		assert_int_equal(lab_count(lab, s), 1);
		sa[s] = lab_sa(lab, s);
		assert_int_equal(sa[s]->n_children, n);
		assert_int_equal(sa[s]->n_known, n);
		assert_true(list_empty(&sa[s]->tasks) && !sa[s]->task && !sa[s]->follow);
		assert_int_equal(sa[s]->state, STATE_UP);
	}
	assert_true(sa[A]->spi_i == sa[B]->spi_i && sa[A]->spi_r == sa[B]->spi_r);
	unit_assert_span_equal(secret_span(&sa[A]->sk_d), secret_span(&sa[B]->sk_d));
	if (n == 1)
		lab_assert_children_match(up_by_id(lab, A, child_of(lab, A)),
			up_by_id(lab, B, child_of(lab, B)));
}

static bool lost_now;

/* IKE_FOLLOWUP_KE does not arrive while it is so. */
static inline struct lab_fate lose_followups(
	struct lab *lab, const struct lab_datagram *d)
{
	(void)lab;
	return (struct lab_fate){
		.copies = !(lost_now && d->bytes[EXCHANGE_AT] == IKE_FOLLOWUP_KE),
		.ms = 1};
}

static inline uint16_t last_error_of(struct lab *lab, enum lab_side_name s)
{
	for (unsigned i = lab->n_log; i-- > 0;) {
		const struct lab_datagram *d = &lab->log[i];

		if (d->from == s && (d->bytes[FLAGS_AT] & RESPONSE)) {
			struct payload_set set = lab_read(lab, d);
			return ike_notify_error(&set);
		}
	}
	return 0;
}

#endif
