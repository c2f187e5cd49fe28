/* tests/unit/test_ike_letter.c - rules of RFC 7296 that no ordinary exchange touches: what
 * may be sent otherwise, and must be taken (docs/RFC.md). */
#include "ike_craft.h"

#include <stdlib.h>

#include "wire/ke_payload.h"
#include "wire/notify_payload.h"
#include "wire/sa_payload.h"

/* B has answered, and not with an error. */
static void assert_answered(struct lab *lab)
{
	struct ike_header h;
	struct payload_set set = read_clear(lab_last(lab), &h);

	assert_int_equal(lab_last(lab)->from, B);
	assert_true(h.response);
	assert_true(payload_set_has(&set, PAYLOAD_SA));
}

/* RFC 7296 2.5, 3.1, 3.2: bits that mean nothing yet may be anything. */
static void reserved_fields_are_not_looked_at(void **state)
{
	enum { FLAGS_AT = 19, RESERVED_FLAGS = 0xc7, FIRST_AT = IKE_HEADER_LEN };
	struct lab *lab = lab_new(1);
	static struct lab_datagram d;
	size_t at = FIRST_AT;

	(void)state;
	d = *first_message(lab);
	d.bytes[FLAGS_AT] |= RESERVED_FLAGS;
	while (at < d.len) {
		d.bytes[at + 1] |= 0x7f;
		at += (size_t)(d.bytes[at + 2] << 8 | d.bytes[at + 3]);
	}
	d.bytes[FIRST_AT + 5] = 0xff; /* of the first proposal */
	inject_from_a(lab, bytes_of(&d));
	assert_answered(lab);
	lab_free(lab);
}

/* RFC 7296 2.5: the order of the figures is a custom, not a rule. */
static void payloads_in_any_order(void **state)
{
	struct lab *lab = lab_new(2);
	uint8_t out[LAB_DATAGRAM];
	struct ike_header h;

	(void)state;
	struct payload_set set = read_clear(first_message(lab), &h);
	struct message m = message_begin(out, sizeof(out), &h);
	for (unsigned i = set.n; i-- > 0;)
		copy_payload(&m, &set.at[i]);
	inject_from_a(lab, message_finish(&m));
	assert_answered(lab);
	lab_free(lab);
}

static void payloads_in_any_order_in_ike_auth(void **state)
{
	struct lab *lab = lab_new(3);
	struct payload_set set;

	(void)state;
	half_way(lab, &set);
	lab->filter = NULL;
	struct message m = lab_craft(lab, A, IKE_AUTH, false, 1);
	for (unsigned i = set.n; i-- > 0;)
		copy_payload(&m, &set.at[i]);
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 2);
	assert_int_equal(lab->side[B].n_up, 1);
	assert_int_equal(lab->side[A].n_up, 1);
	lab_free(lab);
}

/* RFC 7296 3.2: who knows the payload does not look at the flag. */
static void a_known_payload_marked_critical_is_taken(void **state)
{
	struct lab *lab = lab_new(4);
	struct wire_notify n = {.type = 40000};

	(void)state;
	lab_up(lab);
	struct message m = lab_craft(lab, A, INFORMATIONAL, false, 2);
	notify_payload_write(message_payload_critical(&m, PAYLOAD_NOTIFY), &n);
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 1);
	assert_int_equal(lab_read(lab, lab_last(lab)).n, 0);
	assert_untouched(lab, 3);
	lab_free(lab);
}

/* RFC 7296 2: 1280 octets must be possible, 3000 should be. */
static void the_longest_message_is_taken(void **state)
{
	static const uint8_t filling[3000];
	struct lab *lab = lab_new(5);

	(void)state;
	lab_up(lab);
	struct message m = lab_craft(lab, A, INFORMATIONAL, false, 2);
	ike_notify_write(&m, 40000, span_of(filling, sizeof(filling)));
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 1);
	assert_int_equal(lab_last(lab)->from, B);
	assert_untouched(lab, 3);
	lab_free(lab);
}

/* RFC 7296 2.10, 3.9. */
static void nonces_are_new_and_long_enough(void **state)
{
	enum { CALLS = 8 };
	uint8_t seen[2 * CALLS][NONCE_MAX];
	size_t prf_key = prf_len(PRF_SHA384);
	unsigned n = 0;

	(void)state;
	for (uint64_t seed = 0; seed < CALLS; seed++) {
		struct lab *lab = lab_new(100 + 10 * seed);

		lab_up(lab);
		for (unsigned i = 0; i < 2; i++) {
			struct ike_header h;
			struct payload_set set = read_clear(&lab->log[i], &h);
			struct span nonce;

			assert_int_equal(
				nonce_payload_read(
					payload_set_first(&set, PAYLOAD_NONCE)->body,
					&nonce),
				WIRE_OK);
			assert_true(nonce.len >= NONCE_MIN && nonce.len >= prf_key / 2);
			memcpy(seen[n], nonce.at, nonce.len);
			for (unsigned k = 0; k < n; k++)
				assert_memory_not_equal(seen[k], nonce.at, NONCE_MIN);
			n++;
		}
		lab_free(lab);
	}
}

/* ---- offers */

/* What B says to an offer: 0 that it takes it, else the error. */
static uint16_t answer_to_offer(const struct wire_sa *offer)
{
	struct lab *lab = lab_new(6);
	uint8_t out[LAB_DATAGRAM];
	struct ike_header h;

	struct payload_set set = read_clear(first_message(lab), &h);
	struct message m = message_begin(out, sizeof(out), &h);
	sa_payload_write(message_payload(&m, PAYLOAD_SA), offer);
	copy_payload(&m, payload_set_first(&set, PAYLOAD_KE));
	copy_payload(&m, payload_set_first(&set, PAYLOAD_NONCE));
	inject_from_a(lab, message_finish(&m));
	set = read_clear(lab_last(lab), &h);
	assert_true(h.response);
	uint16_t error = ike_notify_error(&set);
	lab_free(lab);
	return error;
}

static void add_transforms(struct wire_proposal *p, uint16_t key_bits)
{
	wire_proposal_add(p, TRANSFORM_ENCR, ENCR_AES_GCM_16, key_bits);
	wire_proposal_add(p, TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0);
	wire_proposal_add(p, TRANSFORM_KE, KE_CURVE25519, 0);
}

/* RFC 7296 3.3.5, RFC 5282 7.3: "AES" alone is no cipher. */
static void a_cipher_without_its_key_length_is_not_chosen(void **state)
{
	struct wire_sa offer = {.n = 0};

	(void)state;
	add_transforms(wire_sa_add(&offer, PROTO_IKE, 0, 0), 0);
	assert_int_equal(answer_to_offer(&offer), N_NO_PROPOSAL_CHOSEN);
	add_transforms(wire_sa_add(&offer, PROTO_IKE, 0, 0), 128);
	assert_int_equal(answer_to_offer(&offer), 0);
}

/* RFC 7296 3.3.1: the SPI of an initial IKE SA stands in the header alone. */
static void an_ike_proposal_with_an_spi_is_not_chosen(void **state)
{
	struct wire_sa offer = {.n = 0};

	(void)state;
	add_transforms(wire_sa_add(&offer, PROTO_IKE, 8, 0x1234), 128);
	assert_int_equal(answer_to_offer(&offer), N_NO_PROPOSAL_CHOSEN);
	add_transforms(wire_sa_add(&offer, PROTO_IKE, 0, 0), 128);
	assert_int_equal(answer_to_offer(&offer), 0);
}

/* RFC 7296 1.3.2, 2.18: new keys out of a new secret, never out of the old ones alone. */
static void rekey_without_a_key_exchange(bool with_none)
{
	static const uint8_t nonce[32] = {1};
	struct lab *lab = lab_new(7);
	struct wire_sa offer = {.n = 0};
	struct wire_proposal *p = wire_sa_add(&offer, PROTO_IKE, 8, 0x1234);

	lab_up(lab);
	struct message m = lab_craft(lab, A, CREATE_CHILD_SA, false, 2);
	wire_proposal_add(p, TRANSFORM_ENCR, ENCR_AES_GCM_16, 128);
	wire_proposal_add(p, TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0);
	if (with_none)
		wire_proposal_add(p, TRANSFORM_KE, KE_NONE, 0);
	sa_payload_write(message_payload(&m, PAYLOAD_SA), &offer);
	nonce_payload_write(
		message_payload(&m, PAYLOAD_NONCE), span_of(nonce, sizeof(nonce)));
	lab_send_crafted(lab, A, &m);
	lab_run(lab, 1);
	assert_int_equal(lab_last(lab)->from, B);
	struct payload_set set = lab_read(lab, lab_last(lab));
	assert_int_not_equal(ike_notify_error(&set), 0);
	assert_int_equal(lab->side[B].n_rekeyed, 0);
	lab_free(lab);
}

static void an_ike_sa_is_not_rekeyed_without_a_key_exchange(void **state)
{
	(void)state;
	rekey_without_a_key_exchange(false);
	rekey_without_a_key_exchange(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reserved_fields_are_not_looked_at),
		cmocka_unit_test(payloads_in_any_order),
		cmocka_unit_test(payloads_in_any_order_in_ike_auth),
		cmocka_unit_test(a_known_payload_marked_critical_is_taken),
		cmocka_unit_test(the_longest_message_is_taken),
		cmocka_unit_test(nonces_are_new_and_long_enough),
		cmocka_unit_test(a_cipher_without_its_key_length_is_not_chosen),
		cmocka_unit_test(an_ike_proposal_with_an_spi_is_not_chosen),
		cmocka_unit_test(an_ike_sa_is_not_rekeyed_without_a_key_exchange),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
