/* test_ike_ah.c - child SAs of AH: proposals of protocol 2, their names in Notify and Delete
 * (RFC 7296 3.3.1, 3.10, 3.11), either protocol in one rule, and NATs, which AH cannot pass.
 */
#include "ike_lab.h"

#include "base/iana.h"
#include "ike/suites.h"
#include "wire/notify_payload.h"

static void propose_ah(struct lab_side *side, enum aead_alg alg)
{
	side->conn.proposals.ah[0] = true;
	side->conn.proposals.esp[0] = alg;
}

/* ESP with AES-GCM stays first. */
static void also_propose_ah(struct lab_side *side)
{
	struct ike_proposals *p = &side->conn.proposals;

	p->ah[p->n_esp] = true;
	p->esp[p->n_esp++] = AEAD_NULL_SHA256;
}

static struct lab *lab_of_ah(uint64_t seed)
{
	struct lab *lab = lab_new(seed);

	propose_ah(&lab->side[A], AEAD_NULL_SHA256);
	propose_ah(&lab->side[B], AEAD_NULL_SHA256);
	return lab;
}

static uint32_t first_child(const struct lab *lab, enum lab_side_name s)
{
	return lab->side[s].up[0].id;
}

/* ---- proposals */

static void assert_transform(
	const struct wire_proposal *p, unsigned n, uint8_t type, uint16_t id)
{
	assert_true(n < p->n);
	assert_int_equal(p->at[n].type, type);
	assert_int_equal(p->at[n].id, id);
	assert_int_equal(p->at[n].key_bits, 0);
}

/* RFC 7296 3.3: one protocol each; 3.3.3: of AH integrity and ESN, nothing else. */
static void what_is_offered(void **state)
{
	static struct ike_proposals ours = {
		.esp = {AEAD_NULL_SHA256, AEAD_NULL_SHA512, AEAD_NULL_SHA512},
		.ah = {true, false, true},
		.n_esp = 3,
		.esn = true};
	static struct wire_sa offer;

	(void)state;
	ike_suites_offer_esp(&ours, 0x4711, true, &offer);
	assert_int_equal(offer.n, 3);
	assert_int_equal(offer.at[0].protocol, 2);
	assert_int_equal(offer.at[0].spi_len, 4);
	assert_int_equal(offer.at[0].spi, 0x4711);
	assert_int_equal(offer.at[0].n, 3);
	assert_transform(&offer.at[0], 0, TRANSFORM_INTEG, 12);
	assert_transform(&offer.at[0], 1, TRANSFORM_ESN, ESN_YES);
	assert_transform(&offer.at[0], 2, TRANSFORM_ESN, ESN_NO);
	assert_int_equal(offer.at[1].protocol, 3);
	assert_transform(&offer.at[1], 0, TRANSFORM_ENCR, ENCR_NULL);
	assert_int_equal(offer.at[2].protocol, 2);
	assert_transform(&offer.at[2], 0, TRANSFORM_INTEG, 14);
}

static bool is_chosen(uint8_t protocol, uint8_t type, uint16_t id, uint16_t bits)
{
	static struct ike_proposals ours = {
		.esp = {AEAD_NULL_SHA256}, .ah = {true}, .n_esp = 1};
	static struct wire_sa offer, answer;
	struct esp_choice choice;

	offer.n = answer.n = 0;
	struct wire_proposal *p = wire_sa_add(&offer, protocol, 4, 0x4711);
	wire_proposal_add(p, TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0);
	wire_proposal_add(p, TRANSFORM_ESN, ESN_NO, 0);
	wire_proposal_add(p, type, id, bits);
	if (!ike_suites_choose_esp(&ours, &offer, KE_NONE, true, 0x815, &choice, &answer))
		return false;
	assert_true(choice.ah);
	assert_int_equal(answer.n, 1);
	assert_int_equal(answer.at[0].protocol, PROTO_AH);
	assert_int_equal(answer.at[0].n, type == TRANSFORM_KE ? 3 : 2);
	assert_transform(&answer.at[0], 0, TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128);
	return true;
}

static void what_may_stand_in_a_proposal(void **state)
{
	(void)state;
	assert_true(is_chosen(PROTO_AH, TRANSFORM_INTEG, 2, 0));
	assert_true(is_chosen(PROTO_AH, TRANSFORM_KE, KE_NONE, 0));
	assert_false(is_chosen(PROTO_ESP, TRANSFORM_INTEG, 2, 0));
	assert_false(is_chosen(PROTO_AH, TRANSFORM_ENCR, ENCR_NULL, 0));
	assert_false(is_chosen(PROTO_AH, TRANSFORM_ENCR, ENCR_AES_GCM_16, 128));
	assert_false(is_chosen(PROTO_AH, TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0));
}

/* ---- it comes to be */

static void each_algorithm_in_both_roles(void **state)
{
	(void)state;
	for (enum aead_alg alg = AEAD_NULL_SHA256; alg <= AEAD_NULL_SHA512; alg++)
		for (int caller = A; caller <= B; caller++) {
			struct lab *lab = lab_new(1);

			propose_ah(&lab->side[A], alg);
			propose_ah(&lab->side[B], alg);
			lab_call(lab, (enum lab_side_name)caller);
			lab_run(lab, 10);
			assert_int_equal(lab->side[A].n_up, 1);
			const struct ike_child *a = &lab->side[A].up[0],
					       *b = &lab->side[B].up[0];
			assert_true(a->ah && b->ah);
			assert_int_equal(a->alg, alg);
			assert_int_equal(a->key_in.len, aead_mac_key_len(alg));
			assert_true(secret_equal(
				secret_span(&a->key_in), secret_span(&b->key_out)));
			assert_true(secret_equal(
				secret_span(&a->key_out), secret_span(&b->key_in)));
			assert_int_equal(a->spi_in, b->spi_out);
			assert_false(a->encap);
			lab_free(lab);
		}
}

/* A rule with both: the responder's order decides, and either is enough. */
static void either_protocol_does(void **state)
{
	struct lab *lab = lab_new(2);

	(void)state;
	also_propose_ah(&lab->side[A]);
	also_propose_ah(&lab->side[B]);
	lab_up(lab);
	assert_false(lab->side[A].up[0].ah);
	assert_int_equal(lab->side[A].up[0].alg, AEAD_AES128_GCM16);
	lab_free(lab);

	lab = lab_new(3);
	also_propose_ah(&lab->side[A]);
	propose_ah(&lab->side[B], AEAD_NULL_SHA256);
	lab_up(lab);
	assert_true(lab->side[A].up[0].ah && lab->side[B].up[0].ah);
	lab_free(lab);
}

/* Neither for encryption, nor for ESP without it. */
static void it_is_not_taken_for_esp(void **state)
{
	static const enum aead_alg others[] = {
		AEAD_AES128_GCM16, AEAD_NULL_SHA256, AEAD_NULL_SHA512, AEAD_AES128_GMAC};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		for (int caller = A; caller <= B; caller++) {
			struct lab *lab = lab_new(4);

			propose_ah(&lab->side[A], AEAD_NULL_SHA256);
			lab->side[B].conn.proposals.esp[0] = others[i];
			lab_call(lab, (enum lab_side_name)caller);
			lab_run(lab, 10);
			assert_int_equal(lab->side[A].n_up, 0);
			assert_int_equal(
				lab->side[caller].closed[0].why.why, IKE_WHY_PROPOSAL);
			lab_free(lab);
		}
}

/* ---- its name */

/* RFC 7296 3.10: a Notify about it has protocol 2. */
static void it_is_rekeyed_by_its_name(void **state)
{
	struct lab *lab = lab_of_ah(5);
	uint8_t protocol;
	uint32_t spi;

	(void)state;
	lab_up(lab);
	assert_int_equal(
		ike_rekey_child(lab->side[A].engine, lab->now_ms, first_child(lab, A)),
		IKE_OK);
	struct payload_set set = lab_read(lab, lab_last(lab));
	assert_true(ike_notify_find_child(&set, N_REKEY_SA, &protocol, &spi));
	assert_int_equal(protocol, 2);
	assert_int_equal(spi, lab->side[A].up[0].spi_in);
	lab_run(lab, 1500); /* the old one parts a second later */
	for (int s = A; s <= B; s++) {
		assert_int_equal(lab->side[s].n_up, 2);
		assert_true(lab->side[s].up[1].ah);
		assert_int_equal(lab->side[s].up[1].replaces, lab->side[s].up[0].id);
		assert_int_equal(lab->side[s].n_down, 1);
	}
	lab_free(lab);
}

static struct wire_delete delete_in(struct lab *lab, unsigned at)
{
	struct payload_set set = lab_read(lab, &lab->log[at]);
	struct wire_delete d;

	assert_true(payload_set_has(&set, PAYLOAD_DELETE));
	assert_int_equal(
		delete_payload_read(payload_set_first(&set, PAYLOAD_DELETE)->body, &d),
		WIRE_OK);
	return d;
}

/* It is made, and what it is to replace is to go meanwhile: its Delete names AH, too. */
static void one_that_is_not_wanted_any_more_is_given_back(void **state)
{
	struct lab *lab = lab_of_ah(16);
	struct ike_engine *a = lab->side[A].engine;

	(void)state;
	lab_up(lab);
	assert_int_equal(ike_rekey_child(a, lab->now_ms, first_child(lab, A)), IKE_OK);
	assert_int_equal(ike_delete_child(a, lab->now_ms, first_child(lab, A)), IKE_OK);
	lab_run(lab, 50);
	assert_int_equal(lab->side[A].n_up, 1);
	assert_int_equal(lab->side[B].n_up, 2);
	assert_int_equal(lab->side[B].n_down, 2);
	for (int s = A; s <= B; s++)
		assert_int_equal(lab_sa(lab, (enum lab_side_name)s)->n_children, 0);
	lab_free(lab);
}

/* RFC 7296 3.11, 1.4.1: in the request and in the answer. */
static void it_is_deleted_by_its_name(void **state)
{
	struct lab *lab = lab_of_ah(6);
	struct wire_delete d;

	(void)state;
	lab_up(lab);
	unsigned mark = lab->n_log;
	assert_int_equal(
		ike_delete_child(lab->side[A].engine, lab->now_ms, first_child(lab, A)),
		IKE_OK);
	lab_run(lab, 5);
	d = delete_in(lab, mark);
	assert_int_equal(d.protocol, 2);
	assert_int_equal(wire_delete_spi(&d, 0), lab->side[A].up[0].spi_in);
	d = delete_in(lab, mark + 1);
	assert_int_equal(d.protocol, 2);
	assert_int_equal(wire_delete_spi(&d, 0), lab->side[B].up[0].spi_in);
	assert_int_equal(lab->side[B].n_down, 1);
	lab_free(lab);
}

/* RFC 4302 2.4: the number alone is no name. */
static void the_name_of_an_esp_sa_is_another(void **state)
{
	struct lab *lab = lab_of_ah(7);

	(void)state;
	lab_up(lab);
	uint32_t spi = lab->side[A].up[0].spi_in;
	struct message m = lab_craft(lab, A, INFORMATIONAL, false, 2);
	delete_payload_write_child(
		message_payload(&m, PAYLOAD_DELETE), PROTO_ESP, &spi, 1);
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 1);
	assert_int_equal(lab_read(lab, lab_last(lab)).n, 0);
	assert_int_equal(lab->side[B].n_down, 0);
	lab_free(lab);
}

/* Two Deletes in one message, a payload for each protocol, and so the answer. */
static void both_protocols_in_one_message(void **state)
{
	struct lab *lab = lab_new(8);
	struct ike_conn further = lab->side[A].conn;
	uint32_t child;

	(void)state;
	propose_ah(&lab->side[A], AEAD_NULL_SHA256);
	also_propose_ah(&lab->side[B]);
	lab_up(lab);
	assert_int_equal(ike_create_child(lab->side[A].engine, lab->now_ms,
				 lab->side[A].up[0].ike, &further, &child),
		IKE_OK);
	lab_run(lab, 10);
	assert_int_equal(lab->side[B].n_up, 2);
	assert_true(lab->side[B].up[0].ah && !lab->side[B].up[1].ah);
	struct message m = lab_craft(lab, A, INFORMATIONAL, false, 3);
	for (unsigned i = 0; i < 2; i++)
		delete_payload_write_child(message_payload(&m, PAYLOAD_DELETE),
			i == 0 ? PROTO_AH : PROTO_ESP, &lab->side[A].up[i].spi_in, 1);
	unsigned mark = lab->n_log;
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 1);
	assert_int_equal(lab->side[B].n_down, 2);
	struct payload_set set = lab_read(lab, &lab->log[mark + 1]);
	unsigned n = 0;
	const struct payload *p = NULL;
	while ((p = payload_set_next(&set, PAYLOAD_DELETE, p))) {
		struct wire_delete d;

		assert_int_equal(delete_payload_read(p->body, &d), WIRE_OK);
		assert_int_equal(d.n, 1);
		assert_int_equal(wire_delete_spi(&d, 0),
			lab->side[B].up[d.protocol == PROTO_AH ? 0 : 1].spi_in);
		n++;
	}
	assert_int_equal(n, 2);
	lab_free(lab);
}

/* ---- NATs: RFC 4302 3.3.3.1.1.1 has the addresses under the ICV */

static void behind_a_nat_nobody_is_called(void **state)
{
	(void)state;
	for (int nat = 0; nat < 2; nat++) {
		struct lab *lab = lab_of_ah(9);

		if (nat)
			lab_put_behind_nat(lab, A);
		else
			lab->side[A].conn.force_encap = true;
		lab_call(lab, A);
		lab_run(lab, 10);
		assert_int_equal(lab->side[A].n_up, 0);
		assert_int_equal(lab->side[A].n_closed, 1);
		assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_WE_REFUSED);
		assert_int_equal(lab->side[A].closed[0].why.why, IKE_WHY_NAT);
		lab_assert_noted(&lab->side[A], "a NAT is on the way");
		/* IKE_AUTH was never sent: the peer has not heard who we are */
		assert_int_equal(lab->side[B].n_established, 0);
		lab_free(lab);
	}
}

/* What is left goes through it. */
static void behind_a_nat_it_is_esp(void **state)
{
	struct lab *lab = lab_new(10);
	struct ike_proposals *p = &lab->side[B].conn.proposals;

	(void)state;
	lab_put_behind_nat(lab, A);
	also_propose_ah(&lab->side[A]);
	/* B would rather have AH */
	p->n_esp = 2;
	p->ah[0] = true;
	p->esp[0] = AEAD_NULL_SHA256;
	p->esp[1] = AEAD_AES128_GCM16;
	lab_up(lab);
	assert_false(lab->side[A].up[0].ah);
	assert_true(lab->side[A].up[0].encap);
	lab_free(lab);
}

/* A caller that does not know better is told so. */
static void who_asks_for_it_through_a_nat_is_refused(void **state)
{
	struct lab *lab = lab_new(11);

	(void)state;
	lab_put_behind_nat(lab, A);
	propose_ah(&lab->side[B], AEAD_NULL_SHA256);
	lab_call(lab, A);
	lab_run(lab, 10);
	assert_int_equal(lab->side[B].closed[0].why.why, IKE_WHY_NAT);
	lab_assert_noted(&lab->side[B], "NO_PROPOSAL_CHOSEN: a NAT is on the way");
	assert_int_equal(lab->side[A].closed[0].why.notify, N_NO_PROPOSAL_CHOSEN);
	lab_free(lab);
}

static void no_further_child_through_a_nat(void **state)
{
	struct lab *lab = lab_new(12);
	struct ike_conn further;
	uint32_t child;

	(void)state;
	lab->side[A].conn.force_encap = true;
	lab_up(lab);
	further = lab->side[A].conn;
	further.proposals.ah[0] = true;
	further.proposals.esp[0] = AEAD_NULL_SHA256;
	assert_int_equal(ike_create_child(lab->side[A].engine, lab->now_ms,
				 lab->side[A].up[0].ike, &further, &child),
		IKE_NOT_ALLOWED);
	/* and the peer that asks for one, since it does not know of the NAT */
	struct ike_proposals *p = &lab_sa(lab, A)->conn->proposals;
	*p = further.proposals;
	further = lab->side[B].conn;
	further.proposals = *p;
	lab_sa(lab, B)->natd = false;
	assert_int_equal(ike_create_child(lab->side[B].engine, lab->now_ms,
				 lab->side[B].up[0].ike, &further, &child),
		IKE_OK);
	lab_run(lab, 10);
	assert_int_equal(lab->side[B].n_refused, 1);
	assert_int_equal(lab->side[B].refused[0].why.notify, N_NO_PROPOSAL_CHOSEN);
	lab_assert_noted(&lab->side[A], "NO_PROPOSAL_CHOSEN: a NAT is on the way");
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_offered),
		cmocka_unit_test(what_may_stand_in_a_proposal),
		cmocka_unit_test(each_algorithm_in_both_roles),
		cmocka_unit_test(either_protocol_does),
		cmocka_unit_test(it_is_not_taken_for_esp),
		cmocka_unit_test(it_is_rekeyed_by_its_name),
		cmocka_unit_test(one_that_is_not_wanted_any_more_is_given_back),
		cmocka_unit_test(it_is_deleted_by_its_name),
		cmocka_unit_test(the_name_of_an_esp_sa_is_another),
		cmocka_unit_test(both_protocols_in_one_message),
		cmocka_unit_test(behind_a_nat_nobody_is_called),
		cmocka_unit_test(behind_a_nat_it_is_esp),
		cmocka_unit_test(who_asks_for_it_through_a_nat_is_refused),
		cmocka_unit_test(no_further_child_through_a_nat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
