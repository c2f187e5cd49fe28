/* tests/unit/test_known_states.c - messages that have made other daemons forget where they
 * stood, given to ours: the right octets at the wrong time. docs/SECURITY.md says which test
 * stands for which published failure. */
#include "ike_craft.h"

#include <stdlib.h>

#include "wire/auth_payload.h"
#include "wire/ke_payload.h"
#include "wire/notify_payload.h"
#include "wire/sa_payload.h"
#include "wire/ts_payload.h"

enum { EAP_SUCCESS = 3 };

static void write_eap_success(struct message *m)
{
	static const uint8_t success[] = {EAP_SUCCESS, 1, 0, 4};

	wr_bytes(message_payload(m, PAYLOAD_EAP), span_of(success, sizeof(success)));
}

/* SA, Ni, KE of a request that makes new keys of the IKE SA. */
static void write_rekey(struct message *m, struct kex *kex)
{
	static const uint8_t nonce[32] = {1, 2, 3};
	struct wire_ke ke = {.group = KE_CURVE25519, .public = kex_public(kex)};
	struct wire_sa offer = {.n = 0};
	struct wire_proposal *p = wire_sa_add(&offer, PROTO_IKE, 8, 0x1122334455667788);

	wire_proposal_add(p, TRANSFORM_ENCR, ENCR_AES_GCM_16, 128);
	wire_proposal_add(p, TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0);
	wire_proposal_add(p, TRANSFORM_KE, KE_CURVE25519, 0);
	sa_payload_write(message_payload(m, PAYLOAD_SA), &offer);
	nonce_payload_write(message_payload(m, PAYLOAD_NONCE), span_of(nonce, 32));
	ke_payload_write(message_payload(m, PAYLOAD_KE), &ke);
}

static void assert_nobody_is_believed(const struct lab *lab)
{
	for (int s = A; s <= B; s++) {
		assert_int_equal(lab->side[s].n_established, 0);
		assert_int_equal(lab->side[s].n_up, 0);
		assert_int_equal(lab->side[s].n_rekeyed, 0);
	}
}

/* What neither side has proved yet cannot be rekeyed into something proved.
 *
 *	A (proving)                       B (half open)
 *	SK{SA, Ni, KE}  -->               dropped, whichever side sends it
 */
static void an_sa_without_proof_is_not_rekeyed(void **state)
{
	struct seeded_entropy seed;
	struct entropy entropy = entropy_seeded(&seed, 5);

	(void)state;
	for (int by = A; by <= B; by++)
		for (uint32_t id = 0; id < 3; id++) {
			enum lab_side_name from = (enum lab_side_name)by;
			struct lab *lab = lab_new(1);
			struct kex *kex = kex_new(KE_CURVE25519, &entropy);

			half_way(lab, NULL);
			lab->filter = NULL;
			struct message m =
				lab_craft(lab, from, CREATE_CHILD_SA, false, id);
			write_rekey(&m, kex);
			unsigned sent = lab->side[1 - by].n_sent;
			lab_send_crafted(lab, from, &m);
			lab_run(lab, 2);
			assert_int_equal(lab->side[1 - by].n_sent, sent);
			assert_nobody_is_believed(lab);
			assert_int_equal(lab_sa(lab, A)->state, STATE_AUTH_SENT);
			assert_int_equal(lab_sa(lab, B)->state, STATE_HALF_OPEN);
			kex_free(kex);
			lab_run(lab, 1000); /* and the call comes through */
			assert_int_equal(lab->side[A].n_up, 1);
			lab_free(lab);
		}
}

/* INFORMATIONAL, CREATE_CHILD_SA or anything else where IKE_AUTH is due. */
static void anything_but_ike_auth_behind_ike_sa_init(void **state)
{
	(void)state;
	for (unsigned exchange = 0; exchange <= 255; exchange++) {
		struct lab *lab = lab_new(2);

		if (exchange == IKE_AUTH || exchange == IKE_SA_INIT) {
			lab_free(lab);
			continue;
		}
		half_way(lab, NULL);
		unsigned sent = lab->side[B].n_sent;
		for (uint32_t id = 0; id < 3; id++) {
			struct message m =
				lab_craft(lab, A, (uint8_t)exchange, false, id);
			ike_notify_write(&m, N_INITIAL_CONTACT, span_of(NULL, 0));
			delete_payload_write_ike(message_payload(&m, PAYLOAD_DELETE));
			lab_send_crafted(lab, A, &m);
			lab_run(lab, 1);
		}
		assert_int_equal(lab->side[B].n_sent, sent);
		assert_nobody_is_believed(lab);
		assert_int_equal(lab_sa(lab, B)->state, STATE_HALF_OPEN);
		lab->filter = NULL;
		lab_run(lab, 1000);
		assert_int_equal(lab->side[A].n_up, 1);
		lab_free(lab);
	}
}

/* A message that says "EAP has succeeded" proves nothing, with or without the rest. */
static void success_that_nobody_has_proved_to_a_responder(void **state)
{
	(void)state;
	for (unsigned rest = 0; rest <= 1; rest++) {
		struct lab *lab = lab_new(3);
		struct payload_set set;

		half_way(lab, &set);
		struct message m = lab_craft(lab, A, IKE_AUTH, false, 1);
		for (unsigned i = 0; i < set.n; i++)
			if (set.at[i].type != PAYLOAD_AUTH &&
				(rest || set.at[i].type == PAYLOAD_IDI))
				copy_payload(&m, &set.at[i]);
		write_eap_success(&m);
		lab_send_crafted(lab, A, &m);
		lab_run(lab, 2);
		assert_int_not_equal(error_from_b(lab), 0);
		assert_nobody_is_believed(lab);
		lab_free(lab);
	}
}

/*	A (proving)                       B
 *	                             <--  SK{[IDr, SA, TSi, TSr,] EAP(success)}
 */
static void success_that_nobody_has_proved_to_an_initiator(void **state)
{
	(void)state;
	for (unsigned rest = 0; rest <= 1; rest++) {
		struct lab *lab = lab_new(4);
		struct payload_set set;

		half_way(lab, &set);
		lab->filter = NULL;
		struct message m = lab_craft(lab, B, IKE_AUTH, true, 1);
		if (rest) {
			id_payload_write(message_payload(&m, PAYLOAD_IDR),
				&lab->side[B].conn.local_id);
			copy_payload(&m, payload_set_first(&set, PAYLOAD_SA));
			copy_payload(&m, payload_set_first(&set, PAYLOAD_TSI));
			copy_payload(&m, payload_set_first(&set, PAYLOAD_TSR));
		}
		write_eap_success(&m);
		lab_send_crafted(lab, B, &m);
		lab_run(lab, 5);
		assert_nobody_is_believed(lab);
		lab_free(lab);
	}
}

/* A proof of no octets, of zeros, of the wrong length, and one that is the other side's. */
static void proofs_of_nothing(void **state)
{
	static const uint8_t zeros[64];
	static const size_t lengths[] = {0, 1, 16, 31, 32, 33, 64};

	(void)state;
	for (unsigned method = 0; method <= 15; method++)
		for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			struct lab *lab = lab_new(5);
			struct payload_set set;

			half_way(lab, &set);
			struct message m = lab_craft(lab, A, IKE_AUTH, false, 1);
			for (unsigned k = 0; k < set.n; k++)
				if (set.at[k].type != PAYLOAD_AUTH)
					copy_payload(&m, &set.at[k]);
			struct writer *w = message_payload(&m, PAYLOAD_AUTH);
			wr_u8(w, (uint8_t)method);
			wr_zeros(w, 3);
			wr_bytes(w, span_of(zeros, lengths[i]));
			lab_send_crafted(lab, A, &m);
			lab_run(lab, 2);
			uint16_t error = error_from_b(lab);
			assert_true(error == N_AUTHENTICATION_FAILED ||
				    error == N_INVALID_SYNTAX);
			assert_nobody_is_believed(lab);
			lab_free(lab);
		}
}

/* ---- an SA that is up */

/* REKEY_SA that names a protocol or an SPI that there is not. The answer must be one that
 * can be written. */
static void rekeying_of_what_is_not_there(void **state)
{
	static const uint8_t spi[16] = {0xaa, 0xbb, 0xcc, 0xdd};

	(void)state;
	for (unsigned protocol = 0; protocol <= 255; protocol += protocol < 8 ? 1 : 13)
		for (size_t len = 0; len <= sizeof(spi); len += 4) {
			struct lab *lab = lab_new(6);
			struct wire_notify n = {.protocol = (uint8_t)protocol,
				.type = N_REKEY_SA,
				.spi = span_of(spi, len)};

			lab_up(lab);
			uint32_t ike = lab_sa(lab, A)->id, child;
			lab->filter = lab_drop_all;
			enum ike_err err = ike_create_child(lab->side[A].engine,
				lab->now_ms, ike, &lab->side[A].conn, &child);
			assert_int_equal(err, IKE_OK);
			struct payload_set set = lab_read(lab, lab_last(lab));
			lab->filter = drop_from_b;
			struct message m = lab_craft(lab, A, CREATE_CHILD_SA, false, 2);
			notify_payload_write(message_payload(&m, PAYLOAD_NOTIFY), &n);
			for (unsigned i = 0; i < set.n; i++)
				copy_payload(&m, &set.at[i]);
			lab_send_crafted(lab, A, &m);
			lab_run(lab, 2);
			uint16_t error = error_from_b(lab);
			assert_int_not_equal(error, 0);
			assert_int_equal(lab->side[B].n_up, 1);
			/* RFC 7296 2.21.3: what is malformed ends the SA. 2.25: what is not
			 * there does not. */
			bool malformed =
				(protocol == PROTO_ESP || protocol == PROTO_AH) &&
				len != 4;
			assert_int_equal(error,
				malformed ? N_INVALID_SYNTAX : N_CHILD_SA_NOT_FOUND);
			assert_int_equal(lab->side[B].n_down, malformed);
			lab_free(lab);
		}
}

/* Each payload of a CREATE_CHILD_SA is needed; without one nothing is made. */
static void a_create_child_sa_without_one_of_its_payloads(void **state)
{
	static const uint8_t types[] = {
		PAYLOAD_SA, PAYLOAD_NONCE, PAYLOAD_TSI, PAYLOAD_TSR};

	(void)state;
	for (unsigned without = 0; without < sizeof(types); without++) {
		struct lab *lab = lab_new(7);
		uint32_t child;

		lab_up(lab);
		uint32_t ike = lab_sa(lab, A)->id;
		lab->filter = lab_drop_all;
		enum ike_err err = ike_create_child(lab->side[A].engine, lab->now_ms, ike,
			&lab->side[A].conn, &child);
		assert_int_equal(err, IKE_OK);
		struct payload_set set = lab_read(lab, lab_last(lab));
		lab->filter = drop_from_b;
		struct message m = lab_craft(lab, A, CREATE_CHILD_SA, false, 2);
		for (unsigned i = 0; i < set.n; i++)
			if (set.at[i].type != types[without])
				copy_payload(&m, &set.at[i]);
		lab_send_crafted(lab, A, &m);
		lab_run(lab, 2);
		assert_int_not_equal(error_from_b(lab), 0);
		assert_int_equal(lab->side[B].n_up, 1);
		assert_int_equal(lab->side[B].n_rekeyed, 0);
		lab_free(lab);
	}
}

/* The Delete of an IKE SA, and the same request again under the next number. */
static void an_ike_sa_is_deleted_once(void **state)
{
	struct lab *lab = lab_new(8);

	(void)state;
	lab_up(lab);
	lab->filter = drop_from_b;
	for (uint32_t id = 2; id < 6; id++) {
		struct message m = lab_craft(lab, A, INFORMATIONAL, false, id);
		delete_payload_write_ike(message_payload(&m, PAYLOAD_DELETE));
		lab_send_crafted(lab, A, &m);
		lab_run(lab, 1);
	}
	assert_int_equal(lab->side[B].n_closed, 1);
	assert_int_equal(lab->side[B].n_down, 1);
	assert_int_equal(lab_count(lab, B), 0);
	lab_free(lab);
}

/* One Delete that names a child a hundred times, and others that are not there. */
static void a_child_is_deleted_once(void **state)
{
	struct lab *lab = lab_new(9);
	uint32_t spis[200];

	(void)state;
	lab_up(lab);
	uint32_t child;
	enum ike_err err = ike_create_child(lab->side[A].engine, lab->now_ms,
		lab_sa(lab, A)->id, &lab->side[A].conn, &child);
	assert_int_equal(err, IKE_OK);
	lab_run(lab, 10);
	for (unsigned i = 0; i < 200; i++)
		spis[i] = i % 2 ? lab->side[A].up[0].spi_in : 0xdead0000U + i;
	lab->filter = drop_from_b;
	for (uint32_t id = 3; id < 6; id++) {
		struct message m = lab_craft(lab, A, INFORMATIONAL, false, id);
		delete_payload_write_child(
			message_payload(&m, PAYLOAD_DELETE), PROTO_ESP, spis, 200);
		lab_send_crafted(lab, A, &m);
		lab_run(lab, 1);
	}
	assert_int_equal(lab->side[B].n_down, 1);
	assert_int_equal(lab_count(lab, B), 1);
	lab_free(lab);
}

/* ---- what a stranger makes us send */

/* To whom nobody has proved himself, nothing is repeated by itself: one answer a request,
 * whatever the time. */
static void an_answer_is_not_repeated_by_itself(void **state)
{
	struct lab *lab = lab_new(10);

	(void)state;
	static struct lab_datagram d;
	d = *first_message(lab);
	enum ike_err err =
		ike_forget(lab->side[A].engine, lab->now_ms, lab_sa(lab, A)->id);
	assert_int_equal(err, IKE_OK);
	inject_from_a(lab, bytes_of(&d));
	lab_run(lab, 60000);
	assert_int_equal(lab->side[B].n_sent, 1);
	lab_free(lab);
}

/* A caller whose identity has no secret here, and who asks again and again. */
static void a_caller_without_a_secret_repeats_itself(void **state)
{
	struct lab *lab = lab_new(11);

	(void)state;
	lab->side[B].conn.remote_id = identity_from_addr(&lab->side[B].addr);
	half_way(lab, NULL);
	for (unsigned i = 0; i < 50; i++)
		lab_inject(lab, A, &lab_sa(lab, A)->path,
			octets_span(&lab_sa(lab, A)->out.bytes));
	lab_run(lab, 5);
	assert_int_equal(error_from_b(lab), N_AUTHENTICATION_FAILED);
	assert_nobody_is_believed(lab);
	assert_true(lab->side[B].n_closed <= 1);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_sa_without_proof_is_not_rekeyed),
		cmocka_unit_test(anything_but_ike_auth_behind_ike_sa_init),
		cmocka_unit_test(success_that_nobody_has_proved_to_a_responder),
		cmocka_unit_test(success_that_nobody_has_proved_to_an_initiator),
		cmocka_unit_test(proofs_of_nothing),
		cmocka_unit_test(rekeying_of_what_is_not_there),
		cmocka_unit_test(a_create_child_sa_without_one_of_its_payloads),
		cmocka_unit_test(an_ike_sa_is_deleted_once),
		cmocka_unit_test(a_child_is_deleted_once),
		cmocka_unit_test(an_answer_is_not_repeated_by_itself),
		cmocka_unit_test(a_caller_without_a_secret_repeats_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
