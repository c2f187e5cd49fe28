/* tests/unit/test_known_parsing.c - messages that have brought other daemons down, given to
 * ours: fields, payloads and values that are not what they should be. docs/SECURITY.md says
 * which test stands for which published failure. */
#include "ike_craft.h"

#include <stdlib.h>

#include "wire/ke_payload.h"
#include "wire/notify_payload.h"
#include "wire/sa_payload.h"

/* Nobody has been believed, and nothing was made; a proper call still comes up. */
static void assert_unharmed(struct lab *lab)
{
	assert_int_equal(lab->side[B].n_established + lab->side[B].n_up, 0);
	lab->filter = NULL;
	lab_call(lab, A);
	lab_run(lab, 100);
	assert_true(lab->side[B].n_up > 0);
}

/* IKE_AUTH as A would send it, but for the payload of that type: with that body, or
 * without it when the body is empty of memory. Returns B's error. */
static uint16_t answer_to_auth_with(uint8_t type, struct span body)
{
	struct lab *lab = lab_new(1);
	struct payload_set set;

	half_way(lab, &set);
	struct message m = lab_craft(lab, A, IKE_AUTH, false, 1);
	for (unsigned i = 0; i < set.n; i++) {
		if (set.at[i].type != type)
			copy_payload(&m, &set.at[i]);
		else if (body.at)
			wr_bytes(message_payload(&m, type), body);
	}
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 2);
	uint16_t error = error_from_b(lab);
	assert_unharmed(lab);
	lab_free(lab);
	return error;
}

/* ---- IKE_AUTH */

static void identities_of_every_type_and_length(void **state)
{
	static const size_t lengths[] = {
		0, 1, 2, 3, 4, 5, 15, 16, 17, 255, 256, 257, 1500};
	static const uint8_t fillings[] = {0x00, 0x30, 0x82, 0xff};
	uint8_t body[4 + 1500];

	(void)state;
	for (unsigned type = 0; type <= 12; type++)
		for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			memset(body, fillings[i % sizeof(fillings)], sizeof(body));
			body[0] = (uint8_t)type;
			uint16_t error = answer_to_auth_with(
				PAYLOAD_IDI, span_of(body, 4 + lengths[i]));
			assert_true(error == N_INVALID_SYNTAX ||
				    error == N_AUTHENTICATION_FAILED);
		}
	for (size_t cut = 0; cut < 4; cut++)
		assert_int_equal(answer_to_auth_with(PAYLOAD_IDI, span_of(body, cut)),
			N_INVALID_SYNTAX);
}

/* A name in DER whose inner lengths say more than there is. */
static void names_whose_lengths_lie(void **state)
{
	static const uint8_t names[][8] = {{0x30, 0x84, 0xff, 0xff, 0xff, 0xff},
		{0x30, 0x80}, {0x30, 0x03, 0x31, 0x7f, 0x30}, {0x30, 0x02, 0x31, 0x00},
		{0x31, 0x06, 0x30, 0x84, 0x7f, 0xff, 0xff, 0xff}};
	uint8_t body[4 + sizeof(names[0])] = {ID_DER_ASN1_DN};

	(void)state;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (size_t n = 1; n <= sizeof(names[0]); n++) {
			memcpy(body + 4, names[i], sizeof(names[0]));
			assert_int_equal(
				answer_to_auth_with(PAYLOAD_IDI, span_of(body, 4 + n)),
				N_AUTHENTICATION_FAILED);
		}
}

static void an_ike_auth_without_one_of_its_payloads(void **state)
{
	static const uint8_t types[] = {
		PAYLOAD_TSI, PAYLOAD_TSR, PAYLOAD_SA, PAYLOAD_IDI};

	(void)state;
	for (unsigned i = 0; i < sizeof(types); i++)
		assert_int_equal(answer_to_auth_with(types[i], span_of(NULL, 0)),
			N_INVALID_SYNTAX);
	assert_int_not_equal(answer_to_auth_with(PAYLOAD_AUTH, span_of(NULL, 0)), 0);
}

/* A selector says how long it is, and so does the payload around it. */
static void selectors_of_the_wrong_length(void **state)
{
	static const uint16_t lengths[] = {
		0, 1, 3, 4, 7, 8, 15, 17, 24, 40, 0x7fff, 0xffff};
	uint8_t body[4 + 40] = {1};

	(void)state;
	for (uint8_t type = 6; type <= 10; type++)
		for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			body[4] = type; /* 7: IPv4 range, 8: IPv6 range */
			body[6] = (uint8_t)(lengths[i] >> 8);
			body[7] = (uint8_t)lengths[i];
			assert_int_not_equal(
				answer_to_auth_with(PAYLOAD_TSI, span_of(body, 20)), 0);
			assert_int_not_equal(answer_to_auth_with(PAYLOAD_TSR,
						     span_of(body, sizeof(body))),
				0);
		}
	body[0] = 255; /* selectors announced, one there */
	assert_int_equal(
		answer_to_auth_with(PAYLOAD_TSI, span_of(body, 20)), N_INVALID_SYNTAX);
	assert_int_equal(
		answer_to_auth_with(PAYLOAD_TSI, span_of(body, 0)), N_INVALID_SYNTAX);
}

/* ---- IKE_SA_INIT */

/* What B says to IKE_SA_INIT: 0 that it takes it, else the error; B is unharmed. Nothing
 * said: UINT16_MAX. */
static uint16_t answer_to_init(struct lab *lab, struct span datagram)
{
	struct ike_header h;
	unsigned sent = lab->side[B].n_sent;

	inject_from_a(lab, datagram);
	if (lab->side[B].n_sent == sent)
		return UINT16_MAX;
	struct payload_set set = read_clear(lab_last(lab), &h);
	assert_true(h.response);
	return ike_notify_error(&set);
}

static void write_offer(struct message *m, uint16_t group)
{
	struct wire_sa offer = {.n = 0};
	struct wire_proposal *p = wire_sa_add(&offer, PROTO_IKE, 0, 0);

	wire_proposal_add(p, TRANSFORM_ENCR, ENCR_AES_GCM_16, 128);
	wire_proposal_add(p, TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0);
	wire_proposal_add(p, TRANSFORM_KE, group, 0);
	sa_payload_write(message_payload(m, PAYLOAD_SA), &offer);
}

static uint16_t answer_to_key(uint16_t group, struct span public)
{
	struct lab *lab = lab_new(2);
	uint8_t out[LAB_DATAGRAM];
	struct ike_header h;

	lab->side[B].conn.proposals.ike[0].ke = KE_CURVE25519;
	lab->side[B].conn.proposals.ike[1] = (struct ike_suite){
		.encr = AEAD_AES128_GCM16, .prf = PRF_SHA256, .ke = KE_ECP_256};
	lab->side[B].conn.proposals.ike[2] = (struct ike_suite){
		.encr = AEAD_AES128_GCM16, .prf = PRF_SHA256, .ke = KE_MODP_2048};
	lab->side[B].conn.proposals.n_ike = 3;
	struct payload_set set = read_clear(first_message(lab), &h);
	struct message m = message_begin(out, sizeof(out), &h);
	write_offer(&m, group);
	struct writer *w = message_payload(&m, PAYLOAD_KE);
	wr_u16(w, group);
	wr_u16(w, 0);
	wr_bytes(w, public);
	copy_payload(&m, payload_set_first(&set, PAYLOAD_NONCE));
	uint16_t error = answer_to_init(lab, message_finish(&m));
	assert_unharmed(lab);
	lab_free(lab);
	return error;
}

/* Zero, the group's ends, and every length but the right one. */
static void public_values_that_are_none(void **state)
{
	static const struct {
		uint16_t group;
		size_t len;
	} groups[] = {{KE_CURVE25519, 32}, {KE_ECP_256, 64}, {KE_MODP_2048, 256}};
	static const int off[] = {-256, -33, -2, -1, 1, 2, 32, 1000};
	uint8_t public[1300];

	(void)state;
	for (unsigned g = 0; g < 3; g++)
		for (int fill = 0; fill <= 0xff; fill += 0xff) {
			size_t len = groups[g].len;

			memset(public, fill, sizeof(public));
			if (fill == 0 || groups[g].group != KE_CURVE25519)
				assert_int_equal(answer_to_key(groups[g].group,
							 span_of(public, len)),
					UINT16_MAX);
			for (unsigned i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
				int n = (int)len + off[i];

				assert_int_equal(
					answer_to_key(groups[g].group,
						span_of(public, n > 0 ? (size_t)n : 0)),
					UINT16_MAX);
			}
		}
}

/* 1025 was once a private number for "a group of the sender's own making". */
static void groups_that_nobody_has_offered(void **state)
{
	static const uint16_t groups[] = {0, 1, 2, 5, 22, 1024, 1025, 1030, 65535};
	uint8_t public[256];

	(void)state;
	memset(public, 2, sizeof(public));
	for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		assert_int_equal(
			answer_to_key(groups[i], span_of(public, sizeof(public))),
			N_NO_PROPOSAL_CHOSEN);
}

/* The same from a peer that we call: ignored, and the call goes on. */
static void a_called_peer_with_such_a_key(void **state)
{
	static const uint8_t zeros[300];
	struct lab *lab = lab_new(3);
	uint8_t out[LAB_DATAGRAM];
	struct ike_header h;

	(void)state;
	lab->filter = drop_from_b;
	lab_call(lab, A);
	lab_run(lab, 5);
	struct payload_set set = read_clear(lab_last(lab), &h);
	for (size_t len = 0; len < sizeof(zeros); len += 4) {
		lab->filter = NULL;
		struct message m = message_begin(out, sizeof(out), &h);
		copy_payload(&m, payload_set_first(&set, PAYLOAD_SA));
		struct writer *w = message_payload(&m, PAYLOAD_KE);
		wr_u16(w, KE_CURVE25519);
		wr_u16(w, 0);
		wr_bytes(w, span_of(zeros, len));
		copy_payload(&m, payload_set_first(&set, PAYLOAD_NONCE));
		lab_inject(lab, B, &lab_sa(lab, B)->path, message_finish(&m));
		lab->filter = lab_drop_from_a;
		lab_run(lab, 1);
		assert_int_equal(lab_sa(lab, A)->state, STATE_INIT_SENT);
	}
	lab->filter = NULL;
	lab_run(lab, 1000); /* A asks again, and gets the right answer */
	assert_int_equal(lab->side[A].n_up, 1);
	lab_free(lab);
}

static void an_init_without_one_of_its_payloads(void **state)
{
	static const uint8_t types[] = {PAYLOAD_SA, PAYLOAD_KE, PAYLOAD_NONCE};

	(void)state;
	for (unsigned without = 1; without < 8; without++) {
		struct lab *lab = lab_new(4);
		uint8_t out[LAB_DATAGRAM];
		struct ike_header h;
		struct payload_set set = read_clear(first_message(lab), &h);
		struct message m = message_begin(out, sizeof(out), &h);

		for (unsigned i = 0; i < 3; i++)
			if ((without >> i & 1) == 0)
				copy_payload(&m, payload_set_first(&set, types[i]));
		ike_notify_write(&m, 16388, span_of(NULL, 0));
		assert_int_equal(answer_to_init(lab, message_finish(&m)), UINT16_MAX);
		assert_unharmed(lab);
		lab_free(lab);
	}
}

/* The first message of a call that is then given up: it is not repeated. */
static struct lab_datagram message_of_nobody(struct lab *lab)
{
	struct lab_datagram d = *first_message(lab);
	enum ike_err err =
		ike_forget(lab->side[A].engine, lab->now_ms, lab_sa(lab, A)->id);

	assert_int_equal(err, IKE_OK);
	return d;
}

/* The header says how long the message is, and which version; neither is believed. */
static void headers_that_lie(void **state)
{
	enum { VERSION_AT = 17, LENGTH_AT = 24 };
	static const uint8_t versions[] = {0x00, 0x10, 0x20, 0x2f, 0x30, 0xf0, 0xff};
	static const uint32_t lengths[] = {0, 1, 27, 28, 29, 32, 0x7fffffff, 0xffffffff};
	struct lab *lab = lab_new(5);
	static struct lab_datagram d;

	(void)state;
	d = message_of_nobody(lab);
	for (unsigned v = 0; v < sizeof(versions); v++)
		for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
			for (size_t len = 0; len <= 40; len++) {
				unsigned sent = lab->side[B].n_sent;

				d.bytes[VERSION_AT] = versions[v];
				for (unsigned k = 0; k < 4; k++)
					d.bytes[LENGTH_AT + k] =
						(uint8_t)(lengths[i] >> (24 - 8 * k));
				inject_from_a(lab, span_of(d.bytes, len));
				bool told = len >= IKE_HEADER_LEN && lengths[i] == len &&
					    versions[v] >> 4 > 2;
				assert_int_equal(lab->side[B].n_sent - sent, told);
			}
	assert_unharmed(lab);
	lab_free(lab);
}

/* IKEv1, whatever it says: a daemon that does not speak it has no business reading it. */
static void ikev1_is_not_read(void **state)
{
	enum { VERSION_AT = 17, EXCHANGE_AT = 18 };
	struct lab *lab = lab_new(6);
	static struct lab_datagram d;

	(void)state;
	d = message_of_nobody(lab);
	d.bytes[VERSION_AT] = 0x10;
	for (unsigned exchange = 0; exchange <= 255; exchange++)
		for (uint8_t first = 0; first < 24; first++) {
			d.bytes[EXCHANGE_AT] = (uint8_t)exchange;
			d.bytes[16] = first;
			inject_from_a(lab, bytes_of(&d));
		}
	assert_int_equal(lab->side[B].n_sent, 0);
	assert_unharmed(lab);
	lab_free(lab);
}

/* Any number may stand where the type of the next payload does, with any exchange. */
static void every_type_of_payload_first(void **state)
{
	struct lab *lab = lab_new(7);
	static struct lab_datagram d;

	(void)state;
	d = message_of_nobody(lab);
	for (unsigned first = 0; first <= 255; first++) {
		if (first == PAYLOAD_SA)
			continue;
		d.bytes[16] = (uint8_t)first;
		inject_from_a(lab, bytes_of(&d));
	}
	assert_int_equal(lab_count(lab, B), 0);
	assert_unharmed(lab);
	lab_free(lab);
}

/* ---- inside an SA that is up */

static void every_type_of_payload_inside(void **state)
{
	static const uint8_t bodies[][12] = {{0}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	static const uint8_t exchanges[] = {CREATE_CHILD_SA, INFORMATIONAL};

	(void)state;
	for (unsigned type = 1; type <= 255; type++)
		for (unsigned i = 0; i < 6; i++) {
			struct lab *lab = lab_new(8);
			uint8_t exchange = exchanges[i % 2];

			if (type == PAYLOAD_SK || type == PAYLOAD_SKF) {
				lab_free(lab);
				continue;
			}
			lab_up(lab);
			struct message m = lab_craft(lab, A, exchange, false, 2);
			wr_bytes(message_payload(&m, (uint8_t)type),
				span_of(bodies[i / 2], sizeof(bodies[0])));
			lab_send_crafted(lab, A, &m);
			lab_run(lab, 2);
			assert_int_equal(lab_last(lab)->from, B);
			assert_int_equal(lab->side[B].n_up, 1);
			lab_free(lab);
		}
}

/* A payload inside that is itself an encrypted one, and so on: RFC 7296 3.1 has one level. */
static void encrypted_inside_encrypted(void **state)
{
	struct lab *lab = lab_new(9);
	static const uint8_t body[64];

	(void)state;
	lab_up(lab);
	struct message m = lab_craft(lab, A, INFORMATIONAL, false, 2);
	wr_bytes(message_payload(&m, PAYLOAD_SK), span_of(body, sizeof(body)));
	lab_send_crafted(lab, A, &m);
	lab->filter = drop_from_b;
	lab_run(lab, 2);
	assert_int_equal(error_from_b(lab), N_INVALID_SYNTAX);
	assert_int_equal(lab->side[B].n_up, 1);
	lab_free(lab);
}

/* ---- algorithms */

static uint16_t answer_to_transform(uint8_t type, uint16_t id, uint16_t key_bits)
{
	struct lab *lab = lab_new(10);
	struct wire_sa offer = {.n = 0};
	struct wire_proposal *p = wire_sa_add(&offer, PROTO_IKE, 0, 0);
	uint8_t out[LAB_DATAGRAM];
	struct ike_header h;

	struct payload_set set = read_clear(first_message(lab), &h);
	if (type != TRANSFORM_ENCR)
		wire_proposal_add(p, TRANSFORM_ENCR, ENCR_AES_GCM_16, 128);
	if (type != TRANSFORM_PRF)
		wire_proposal_add(p, TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0);
	wire_proposal_add(p, TRANSFORM_KE, KE_CURVE25519, 0);
	wire_proposal_add(p, type, id, key_bits);
	struct message m = message_begin(out, sizeof(out), &h);
	sa_payload_write(message_payload(&m, PAYLOAD_SA), &offer);
	copy_payload(&m, payload_set_first(&set, PAYLOAD_KE));
	copy_payload(&m, payload_set_first(&set, PAYLOAD_NONCE));
	uint16_t error = answer_to_init(lab, message_finish(&m));
	assert_unharmed(lab);
	lab_free(lab);
	return error;
}

/* Old hashes, XCBC, and numbers that have no algorithm. */
static void algorithms_that_we_do_not_have(void **state)
{
	(void)state;
	for (uint16_t id = 0; id <= 40; id++) {
		if (id != PRF_HMAC_SHA2_256)
			assert_int_equal(answer_to_transform(TRANSFORM_PRF, id, 0),
				N_NO_PROPOSAL_CHOSEN);
		if (id != INTEG_NONE)
			assert_int_equal(answer_to_transform(TRANSFORM_INTEG, id, 0),
				N_NO_PROPOSAL_CHOSEN);
		if (id != ENCR_AES_GCM_16)
			assert_int_equal(answer_to_transform(TRANSFORM_ENCR, id, 128),
				N_NO_PROPOSAL_CHOSEN);
	}
}

static void key_lengths_that_no_cipher_has(void **state)
{
	static const uint16_t bits[] = {
		1, 8, 64, 127, 129, 192, 255, 256, 257, 512, 65535};

	(void)state;
	for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		assert_int_equal(
			answer_to_transform(TRANSFORM_ENCR, ENCR_AES_GCM_16, bits[i]),
			N_NO_PROPOSAL_CHOSEN);
	assert_int_equal(answer_to_transform(TRANSFORM_ENCR, ENCR_AES_GCM_16, 128), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identities_of_every_type_and_length),
		cmocka_unit_test(names_whose_lengths_lie),
		cmocka_unit_test(an_ike_auth_without_one_of_its_payloads),
		cmocka_unit_test(selectors_of_the_wrong_length),
		cmocka_unit_test(public_values_that_are_none),
		cmocka_unit_test(groups_that_nobody_has_offered),
		cmocka_unit_test(a_called_peer_with_such_a_key),
		cmocka_unit_test(an_init_without_one_of_its_payloads),
		cmocka_unit_test(headers_that_lie),
		cmocka_unit_test(ikev1_is_not_read),
		cmocka_unit_test(every_type_of_payload_first),
		cmocka_unit_test(every_type_of_payload_inside),
		cmocka_unit_test(encrypted_inside_encrypted),
		cmocka_unit_test(algorithms_that_we_do_not_have),
		cmocka_unit_test(key_lengths_that_no_cipher_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
