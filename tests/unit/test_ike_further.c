/* tests/unit/test_ike_further.c - further children, one thing at a time (RFC 7296 1.3.1, 2.17).
 */
#include "ike_rekey_lab.h"

/*	A                                B
 *	SA, Ni, TSi, TSr, N(T)  -->
 *	                        <--  SA, Nr, TSi, TSr, N(T)
 */
static void either_side_makes_a_further_child(void **state)
{
	(void)state;
	for (int by = A; by <= B; by++) {
		struct lab *lab = lab_new(1);
		struct lab_side *us = &lab->side[by], *peer = &lab->side[1 - by];
		uint32_t child;

		lab_up(lab);
		uint32_t ike = lab_sa(lab, (enum lab_side_name)by)->id;
		assert_int_equal(
			ike_create_child(us->engine, lab->now_ms, ike, &us->conn, &child),
			IKE_OK);
		assert_int_equal(us->n_up, 1);
		lab_run(lab, 1); /* it has answered: it receives already */
		assert_int_equal(peer->n_up, 2);
		assert_int_equal(us->n_up, 1);
		lab_run(lab, 1);
		assert_int_equal(us->n_up, 2);
		assert_int_equal(us->up[1].id, child);
		assert_int_equal(us->up[1].ike, ike);
		assert_int_equal(us->up[1].replaces, 0);
		assert_true(us->up[1].initiator);
		lab_assert_children_match(&us->up[1], &peer->up[1]);
		assert_memory_not_equal(
			us->up[1].key_in.b, us->up[0].key_in.b, us->up[0].key_in.len);
		assert_int_equal(lab_sa(lab, A)->n_known, 2);
		lab_free(lab);
	}
}

/* RFC 7296 2.17: KEYMAT = prf+(SK_d, Ni | Nr), the initiator's sending keys first. */
static void keys_of_a_further_child(void **state)
{
	struct lab *lab = lab_new(2);
	uint8_t nonces[2 * IKE_NONCE_OURS], keymat[40];
	uint32_t child;

	(void)state;
	uint32_t ike = lab_up(lab);
	assert_int_equal(ike_create_child(engine(lab, A), lab->now_ms, ike,
				 &lab->side[A].conn, &child),
		IKE_OK);
	lab_run(lab, 10);
	for (unsigned i = 0; i < 2; i++) {
		struct payload_set set = lab_read(lab, &lab->log[4 + i]);
		struct reader body = payload_set_first(&set, PAYLOAD_NONCE)->body;
		struct span nonce = rd_rest(&body);

		assert_int_equal(nonce.len, IKE_NONCE_OURS);
		memcpy(nonces + i * IKE_NONCE_OURS, nonce.at, nonce.len);
	}
	assert_int_equal(prf_plus(PRF_SHA256, secret_span(&lab_sa(lab, A)->sk_d),
				 span_of(nonces, sizeof(nonces)), keymat, sizeof(keymat)),
		CRYPTO_OK);
	unit_assert_span_equal(
		secret_span(&lab->side[A].up[1].key_out), span_of(keymat, 20));
	unit_assert_span_equal(
		secret_span(&lab->side[B].up[1].key_out), span_of(keymat + 20, 20));
	lab_free(lab);
}

static void children_are_asked_for_one_by_one(void **state)
{
	struct lab *lab = lab_new(3);
	uint32_t child[5];

	(void)state;
	uint32_t ike = lab_up(lab);
	for (int i = 0; i < 5; i++)
		assert_int_equal(ike_create_child(engine(lab, A), lab->now_ms, ike,
					 &lab->side[A].conn, &child[i]),
			IKE_OK);
	assert_int_equal(lab->n_log, 5); /* a window of one */
	lab_run(lab, 20);
	assert_int_equal(lab->side[A].n_up, 6);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(lab->side[A].up[1 + i].id, child[i]);
	/* The one that is deleted leaves the others, and the IKE SA, alone. */
	assert_int_equal(ike_delete_child(engine(lab, A), lab->now_ms, child[2]), IKE_OK);
	lab_run(lab, 20000);
	assert_int_equal(lab->side[A].n_down, 1);
	assert_int_equal(lab->side[A].down[0].why, IKE_CLOSE_DELETED_BY_US);
	assert_int_equal(lab->side[B].n_down, 1);
	assert_int_equal(lab->side[B].down[0].child, lab->side[B].up[3].id);
	assert_int_equal(lab->side[B].down[0].why, IKE_CLOSE_DELETED_BY_PEER);
	assert_int_equal(lab->side[A].n_closed, 0);
	lab_free(lab);
}

static void refused(struct lab *lab, uint16_t notify, enum ike_why why)
{
	uint32_t child;

	assert_int_equal(ike_create_child(engine(lab, A), lab->now_ms, lab_sa(lab, A)->id,
				 &lab->side[A].conn, &child),
		IKE_OK);
	lab_run(lab, 10);
	assert_int_equal(lab->side[A].n_refused, 1);
	assert_int_equal(lab->side[A].refused[0].child, child);
	assert_int_equal(lab->side[A].refused[0].why.close, IKE_CLOSE_REFUSED);
	assert_int_equal(lab->side[A].refused[0].why.notify, notify);
	assert_int_equal(lab->side[A].refused[0].why.why, why);
	/* RFC 7296 1.3.1: the IKE SA and its child stay. */
	for (int s = A; s <= B; s++) {
		assert_int_equal(lab->side[s].n_up, 1);
		assert_int_equal(lab->side[s].n_down + lab->side[s].n_closed, 0);
		assert_int_equal(lab_sa(lab, (enum lab_side_name)s)->n_children, 1);
	}
	lab_free(lab);
}

static void further_children_that_are_refused(void **state)
{
	struct ts other =
		ts_host(&(struct addr){.family = ADDR_V4, .b = {192, 0, 2, 99}});
	struct lab *lab = lab_new(4);

	(void)state;
	lab_up(lab);
	lab->side[A].conn.proposals.esp[0] = AEAD_CHACHA20_POLY1305;
	refused(lab, N_NO_PROPOSAL_CHOSEN, IKE_WHY_PROPOSAL);

	lab = lab_new(5);
	lab_set_mode(&lab->side[A], POLICY_TUNNEL);
	lab_set_mode(&lab->side[B], POLICY_TUNNEL);
	lab_up(lab);
	lab->side[A].conn.local_ts.at[0] = other;
	refused(lab, N_TS_UNACCEPTABLE, IKE_WHY_SELECTORS);

	lab = lab_new(6);
	lab->side[B].conn.proposals.master_pfs = true;
	lab_up(lab);
	refused(lab, N_NO_ADDITIONAL_SAS, IKE_WHY_BUSY);

	lab = lab_new(7);
	set_pfs(&lab->side[B], KE_CURVE25519, KE_NONE, true);
	lab_up(lab);
	refused(lab, N_NO_PROPOSAL_CHOSEN, IKE_WHY_PROPOSAL);
}

/* RFC 7296 1.3.1: the peer has it already, so it is deleted. */
static void an_answer_that_we_cannot_take_is_given_back(void **state)
{
	struct lab *lab = lab_new(8);
	uint32_t child;

	(void)state;
	lab_set_mode(&lab->side[A], POLICY_TUNNEL);
	lab_set_mode(&lab->side[B], POLICY_TUNNEL);
	uint32_t ike = lab_up(lab);
	lab_set_mode(&lab->side[A], POLICY_TRANSPORT); /* B answers with tunnel mode */
	assert_int_equal(ike_create_child(engine(lab, A), lab->now_ms, ike,
				 &lab->side[A].conn, &child),
		IKE_OK);
	lab_run(lab, 100);
	assert_int_equal(lab->side[A].n_refused, 1);
	assert_int_equal(lab->side[A].refused[0].why.close, IKE_CLOSE_WE_REFUSED);
	assert_int_equal(lab->side[A].refused[0].why.why, IKE_WHY_MODE);
	assert_int_equal(lab->side[A].n_up, 1);
	assert_int_equal(lab->side[B].n_up, 2);
	assert_int_equal(lab->side[B].n_down, 1);
	assert_int_equal(lab->side[B].down[0].child, lab->side[B].up[1].id);
	lab_free(lab);
}

static void no_more_children_than_the_limit(void **state)
{
	static const struct ike_limits limits = {.half_open = 10,
		.half_open_per_addr = 10,
		.cookie_above = 10,
		.established = 10,
		.children = 3,
		.creates = 100,
		.creates_per_second = 1};
	struct lab *lab = lab_new_limited(9, &limits);
	uint32_t child;

	(void)state;
	uint32_t ike = lab_up(lab);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ike_create_child(engine(lab, A), lab->now_ms, ike,
					 &lab->side[A].conn, &child),
			IKE_OK);
		lab_run(lab, 10);
	}
	assert_int_equal(ike_create_child(engine(lab, A), lab->now_ms, ike,
				 &lab->side[A].conn, &child),
		IKE_NOT_ALLOWED);
	engine(lab, A)->limits.children = 64;
	assert_int_equal(ike_create_child(engine(lab, A), lab->now_ms, ike,
				 &lab->side[A].conn, &child),
		IKE_OK);
	lab_run(lab, 10);
	assert_int_equal(lab->side[A].refused[0].why.notify, N_NO_ADDITIONAL_SAS);
	/* and rekeying one of them is possible as ever */
	assert_int_equal(
		ike_rekey_child(engine(lab, A), lab->now_ms, first_child(lab, A)),
		IKE_OK);
	lab_run(lab, 10);
	assert_int_equal(lab->side[A].n_up, 4);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(either_side_makes_a_further_child),
		cmocka_unit_test(keys_of_a_further_child),
		cmocka_unit_test(children_are_asked_for_one_by_one),
		cmocka_unit_test(further_children_that_are_refused),
		cmocka_unit_test(an_answer_that_we_cannot_take_is_given_back),
		cmocka_unit_test(no_more_children_than_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
