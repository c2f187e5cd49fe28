/* tests/unit/test_ike_rekey_ike.c - rekeying the IKE SA, one thing at a time (RFC 7296 1.3.2, 2.8,
 * 2.18, 2.25.2).
 */
#include "ike_rekey_lab.h"

static void assert_ike_rekeyed(struct lab *lab, enum lab_side_name by, uint32_t old)
{
	const struct ike_sa *a = lab_sa(lab, A), *b = lab_sa(lab, B);

	for (int s = A; s <= B; s++) {
		const struct lab_side *side = &lab->side[s];

		assert_int_equal(side->n_rekeyed, 1);
		assert_int_equal(side->rekeyed[0].old, old);
		assert_int_equal(side->rekeyed[0].sa.n_children, 1);
		assert_true(side->rekeyed[0].sa.established);
		assert_int_equal(side->rekeyed[0].sa.initiator, s == (int)by);
		assert_int_equal(side->n_closed, 1);
		assert_int_equal(side->closed[0].info.id, old);
		assert_int_equal(side->closed[0].info.n_children, 0);
		assert_int_equal(side->closed[0].why.close, IKE_CLOSE_REPLACED);
		assert_int_equal(side->n_up, 1);
		assert_int_equal(side->n_down, 0);
		assert_int_equal(side->n_established, 1);
		assert_int_equal(lab_count(lab, (enum lab_side_name)s), 1);
	}
	assert_true(a->spi_i == b->spi_i && a->spi_r == b->spi_r);
	assert_int_equal(ike_child_first(a)->is.ike, a->id);
	unit_assert_span_equal(secret_span(&a->sk_d), secret_span(&b->sk_d));
}

/*	A                            B
 *	SA, Ni, KEi       -->
 *	                  <--  SA, Nr, KEr
 *	old: D(IKE)       -->
 *	                  <--  {}
 *	new, ID 0: {}     -->
 *	                  <--  new, ID 0: {}
 */
static void either_side_rekeys_the_ike_sa(void **state)
{
	(void)state;
	for (int by = A; by <= B; by++) {
		struct lab *lab = lab_new(30);
		struct secret old_d;

		uint32_t old = lab_up(lab);
		old_d = lab_sa(lab, A)->sk_d;
		uint64_t old_spi = lab_sa(lab, A)->spi_i;
		assert_int_equal(
			ike_rekey(lab->side[by].engine, lab->now_ms, old), IKE_OK);
		lab_run(lab, 1);
		assert_int_equal(lab->side[1 - by].n_rekeyed, 1); /* before the answer */
		lab_run(lab, 20000); /* those that linger go, too */
		assert_ike_rekeyed(lab, (enum lab_side_name)by, old);
		assert_true(lab_sa(lab, A)->spi_i != old_spi);
		assert_memory_not_equal(lab_sa(lab, A)->sk_d.b, old_d.b, old_d.len);
		for (int s = A; s <= B; s++) {
			struct ike_sa *sa = lab_sa(lab, (enum lab_side_name)s);

			assert_int_equal(sa->next_out, 0); /* RFC 7296 1.3.2 */
			assert_int_equal(
				ike_probe(lab->side[s].engine, lab->now_ms, sa->id),
				IKE_OK);
			lab_run(lab, 10);
			assert_int_equal(sa->out.bytes.len, 0);
			assert_int_equal(sa->next_out, 1);
		}
		lab_free(lab);
	}
}

static void the_new_ike_sa_does_all_that_the_old_one_did(void **state)
{
	struct lab *lab = lab_new(31);
	uint32_t child;

	(void)state;
	uint32_t old = lab_up(lab);
	assert_int_equal(ike_rekey(engine(lab, B), lab->now_ms, old), IKE_OK);
	/* waits for its turn, and goes along */
	assert_int_equal(ike_create_child(engine(lab, B), lab->now_ms, old,
				 &lab->side[B].conn, &child),
		IKE_OK);
	lab_run(lab, 5000);
	uint32_t ike = lab->side[B].rekeyed[0].sa.id;
	assert_int_equal(lab->side[B].up[1].id, child);
	assert_int_equal(lab->side[B].up[1].ike, ike);
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
		IKE_OK);
	lab_run(lab, 5000);
	assert_int_equal(lab->side[A].n_up, 3);
	assert_int_equal(ike_delete(engine(lab, A), lab->now_ms,
				 lab->side[A].rekeyed[0].sa.id, 150, 1),
		IKE_OK);
	lab_run(lab, 20000);
	assert_int_equal(lab_count(lab, A) + lab_count(lab, B), 0);
	assert_int_equal(lab->side[A].n_down, lab->side[A].n_up);
	assert_int_equal(lab->side[B].n_down, lab->side[B].n_up);
	lab_free(lab);
}

/* What both use for the IKE SA is tried first: one request, and not two. */
static void the_ike_sa_s_group_is_the_first_guess(void **state)
{
	struct lab *lab = lab_new(35);

	(void)state;
	set_pfs(&lab->side[A], KE_ECP_256, KE_CURVE25519, true);
	set_pfs(&lab->side[B], KE_CURVE25519, KE_NONE, true);
	lab_up(lab);
	uint32_t before = lab_sa(lab, A)->next_out;
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
		IKE_OK);
	lab_run(lab, 5000);
	assert_int_equal(lab->side[A].up[1].pfs, KE_CURVE25519);
	assert_int_equal(lab_sa(lab, A)->next_out, before + 2); /* and the Delete */
	lab_free(lab);
}

/* As if so many exchanges had been: requests of A. */
static void use_up(struct lab *lab, uint32_t next)
{
	lab_sa(lab, A)->next_out = lab_sa(lab, B)->next_in = next;
}

static void probe_from_a(struct lab *lab, uint32_t ike)
{
	assert_int_equal(ike_probe(engine(lab, A), lab->now_ms, ike), IKE_OK);
	lab_run(lab, 3000);
}

/* RFC 7296 2.2: long before the last message ID a new IKE SA begins with 0. */
static void message_ids_that_end_lead_to_rekeying(void **state)
{
	struct lab *lab = lab_new(47);

	(void)state;
	uint32_t old = lab_up(lab);
	use_up(lab, 0xeffffffe);
	probe_from_a(lab, old);
	assert_int_equal(lab->side[A].n_rekeyed, 0);
	probe_from_a(lab, old);
	assert_ike_rekeyed(lab, A, old);
	assert_int_equal(lab->side[B].n_rekeyed, 1);
	assert_int_equal(lab_sa(lab, A)->next_out, 0);
	assert_int_equal(lab_count(lab, A) + lab_count(lab, B), 2);
	assert_int_equal(lab->side[A].n_down + lab->side[B].n_down, 0);
	lab_free(lab);
}

/* A peer that will not: the SA ends while there are numbers for its Delete. */
static void an_sa_without_message_ids_is_closed(void **state)
{
	struct lab *lab = lab_new(48);

	(void)state;
	uint32_t old = lab_up(lab);
	lab_sa(lab, A)->ids_renewed = lab_sa(lab, B)->ids_renewed = true; /* in vain */
	use_up(lab, 0xfffffefe);
	probe_from_a(lab, old);
	assert_int_equal(lab->side[A].n_closed, 0);
	probe_from_a(lab, old);
	lab_assert_noted(&lab->side[A], "message IDs are used up");
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_WE_REFUSED);
	assert_int_equal(lab_count(lab, A) + lab_count(lab, B), 0);
	lab_free(lab);
}

/* The last one would be followed by those that have been. */
static void the_last_message_id_is_not_taken(void **state)
{
	struct lab *lab = lab_new(49);

	(void)state;
	lab_up(lab);
	lab_sa(lab, A)->ids_renewed = true;
	lab_sa(lab, B)->next_in = UINT32_MAX;
	unsigned sent = lab->side[B].n_sent;
	struct message m = lab_craft(lab, A, INFORMATIONAL, false, UINT32_MAX);
	lab_send_crafted(lab, A, &m);
	lab->filter = lab_drop_all;
	lab_run(lab, 1);
	assert_int_equal(lab_sa(lab, B)->next_in, UINT32_MAX);
	assert_true(lab->side[B].n_sent <= sent + 1); /* B's Delete, no answer */
	assert_int_equal(lab_counters(lab, B).wrong_message_id, 1);
	lab_free(lab);
}

static void another_group_and_prf_for_the_new_ike_sa(void **state)
{
	struct lab *lab = lab_new(32);

	(void)state;
	uint32_t old = lab_up(lab);
	struct ike_proposals *a = &lab_sa(lab, A)->conn->proposals;
	struct ike_proposals *b = &lab_sa(lab, B)->conn->proposals;
	a->ike[1] = b->ike[0] = (struct ike_suite){
		.encr = AEAD_AES256_GCM16, .prf = PRF_SHA384, .ke = KE_ECP_256};
	a->n_ike = 2; /* the first guess is wrong: INVALID_KE_PAYLOAD */
	assert_int_equal(ike_rekey(engine(lab, A), lab->now_ms, old), IKE_OK);
	lab_run(lab, 20000);
	assert_ike_rekeyed(lab, A, old);
	assert_int_equal(lab_sa(lab, A)->suite.prf, PRF_SHA384);
	/* and once more, from the new PRF */
	uint32_t next = lab->side[A].rekeyed[0].sa.id;
	assert_int_equal(ike_rekey(engine(lab, A), lab->now_ms, next), IKE_OK);
	lab_run(lab, 20000);
	assert_int_equal(lab->side[B].n_rekeyed, 2);
	unit_assert_span_equal(
		secret_span(&lab_sa(lab, A)->sk_d), secret_span(&lab_sa(lab, B)->sk_d));
	lab_free(lab);
}

/* Others do not agree on whose PRF expands the keys: it stays, whoever asks, and whatever
 * either side would like better. */
static void the_prf_stays_with_other_makes(void **state)
{
	(void)state;
	for (int by = A; by <= B; by++) {
		struct lab *lab = lab_new(34);
		uint32_t old = lab_up(lab);

		for (int s = A; s <= B; s++) {
			struct ike_sa *sa = lab_sa(lab, (enum lab_side_name)s);
			struct ike_proposals *p = &sa->conn->proposals;

			p->ike[1] = p->ike[0];
			p->ike[0].prf = PRF_SHA384;
			p->n_ike = 2;
			sa->peer_is_vipsec = s == by; /* who asks offers all */
		}
		assert_int_equal(
			ike_rekey(lab->side[by].engine, lab->now_ms, old), IKE_OK);
		lab_run(lab, 20000);
		assert_ike_rekeyed(lab, (enum lab_side_name)by, old);
		assert_int_equal(lab_sa(lab, A)->suite.prf, PRF_SHA256);
		lab_free(lab);
	}
}

static void rekeying_the_ike_sa_that_is_refused(void **state)
{
	struct lab *lab = lab_new(33);

	(void)state;
	uint32_t old = lab_up(lab);
	lab_sa(lab, B)->conn->proposals.ike[0].prf = PRF_SHA384;
	assert_int_equal(ike_rekey(engine(lab, A), lab->now_ms, old), IKE_OK);
	lab_run(lab, 100);
	assert_int_equal(lab->side[A].n_refused, 1);
	assert_int_equal(lab->side[A].refused[0].child, 0);
	assert_int_equal(lab->side[A].refused[0].why.notify, N_NO_PROPOSAL_CHOSEN);
	assert_int_equal(lab->side[A].n_rekeyed + lab->side[A].n_closed, 0);
	lab_free(lab);
}

/* Our Delete waits for the answer; the answer makes an SA that nobody wants. */
static void the_end_overtakes_rekeying(void **state)
{
	struct lab *lab = lab_new(34);

	(void)state;
	uint32_t old = lab_up(lab);
	assert_int_equal(ike_rekey(engine(lab, A), lab->now_ms, old), IKE_OK);
	assert_int_equal(ike_delete(engine(lab, A), lab->now_ms, old, 2000, 1), IKE_OK);
	lab_run(lab, 30000);
	assert_int_equal(lab_count(lab, A) + lab_count(lab, B), 0);
	for (int s = A; s <= B; s++) {
		assert_int_equal(lab->side[s].n_down, 1);
		assert_int_equal(
			ike_next_due_ms(engine(lab, (enum lab_side_name)s)), IKE_NEVER);
	}
	lab_free(lab);
}

static void behind_a_nat(void **state)
{
	struct lab *lab = lab_new(35);

	(void)state;
	lab_put_behind_nat(lab, B);
	lab_call(lab, B);
	lab_run(lab, 20);
	uint32_t old = lab_sa(lab, A)->id;
	assert_int_equal(ike_rekey(engine(lab, A), lab->now_ms, old), IKE_OK);
	lab_run(lab, 20);
	lab->side[B].mapped = 20000;
	uint32_t ike = lab->side[B].rekeyed[0].sa.id;
	assert_int_equal(ike_probe(engine(lab, B), lab->now_ms, ike), IKE_OK);
	lab_run(lab, 20);
	assert_int_equal(lab->side[A].n_moved, 1);
	assert_int_equal(lab->side[A].moved[0].id, lab->side[A].rekeyed[0].sa.id);
	for (int by = A; by <= B; by++) {
		assert_int_equal(ike_rekey_child(lab->side[by].engine, lab->now_ms,
					 first_child(lab, (enum lab_side_name)by)),
			IKE_OK);
		lab_run(lab, 2000);
	}
	assert_int_equal(lab->side[A].n_up, 3);
	assert_true(lab->side[A].up[2].encap && lab->side[A].up[2].nat_remote);
	assert_int_equal(lab->side[A].up[2].path.remote.port, IKE_NATT_PORT + 20000);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(either_side_rekeys_the_ike_sa),
		cmocka_unit_test(the_new_ike_sa_does_all_that_the_old_one_did),
		cmocka_unit_test(the_ike_sa_s_group_is_the_first_guess),
		cmocka_unit_test(message_ids_that_end_lead_to_rekeying),
		cmocka_unit_test(an_sa_without_message_ids_is_closed),
		cmocka_unit_test(the_last_message_id_is_not_taken),
		cmocka_unit_test(another_group_and_prf_for_the_new_ike_sa),
		cmocka_unit_test(the_prf_stays_with_other_makes),
		cmocka_unit_test(rekeying_the_ike_sa_that_is_refused),
		cmocka_unit_test(the_end_overtakes_rekeying),
		cmocka_unit_test(behind_a_nat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
