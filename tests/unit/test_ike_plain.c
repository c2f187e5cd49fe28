/* test_ike_plain.c - child SAs with integrity only: what is offered, chosen and derived (RFC
 * 7296 3.3.2, 3.3.3; RFC 4543 5.3), and that no IKE SA is ever without encryption.
 */
#include "ike_lab.h"

#include "base/iana.h"
#include "config_files.h"
#include "ike/suites.h"

static const enum aead_alg PLAIN[] = {AEAD_NULL_SHA256, AEAD_NULL_SHA384,
	AEAD_NULL_SHA512, AEAD_AES128_GMAC, AEAD_AES256_GMAC};
enum { N_PLAIN = sizeof(PLAIN) / sizeof(PLAIN[0]) };

static void assert_transform(const struct wire_proposal *p, unsigned n, uint8_t type,
	uint16_t id, uint16_t bits)
{
	assert_true(n < p->n);
	assert_int_equal(p->at[n].type, type);
	assert_int_equal(p->at[n].id, id);
	assert_int_equal(p->at[n].key_bits, bits);
}

static void what_is_offered(void **state)
{
	static struct ike_proposals ours;
	static struct wire_sa offer;

	(void)state;
	memcpy(ours.esp, PLAIN, sizeof(PLAIN));
	ours.n_esp = N_PLAIN;
	ike_suites_offer_esp(&ours, 0x4711, true, &offer);
	assert_int_equal(offer.n, N_PLAIN);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(offer.at[i].n, 3);
		assert_transform(&offer.at[i], 0, TRANSFORM_ENCR, 11, 0);
		assert_transform(&offer.at[i], 1, TRANSFORM_INTEG, (uint16_t)(12 + i), 0);
		assert_transform(&offer.at[i], 2, TRANSFORM_ESN, ESN_NO, 0);
	}
	for (unsigned i = 3; i < 5; i++) {
		assert_int_equal(offer.at[i].n, 2);
		assert_transform(&offer.at[i], 0, TRANSFORM_ENCR, 21, i == 3 ? 128 : 256);
		assert_transform(&offer.at[i], 1, TRANSFORM_ESN, ESN_NO, 0);
	}
}

static void only_this(struct lab *lab, enum aead_alg a, enum aead_alg b)
{
	lab->side[A].conn.proposals.esp[0] = a;
	lab->side[B].conn.proposals.esp[0] = b;
}

/* RFC 7296 2.17: the keys of one direction, then those of the other, and nothing for the
 * cipher that is none. */
static void each_of_them_comes_to_be(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_PLAIN; i++) {
		struct lab *lab = lab_new(1);

		only_this(lab, PLAIN[i], PLAIN[i]);
		lab_up(lab);
		const struct ike_child *a = &lab->side[A].up[0], *b = &lab->side[B].up[0];
		assert_int_equal(a->alg, PLAIN[i]);
		assert_int_equal(b->alg, PLAIN[i]);
		assert_int_equal(a->key_in.len, aead_keymat_len(PLAIN[i]));
		assert_true(
			secret_equal(secret_span(&a->key_in), secret_span(&b->key_out)));
		assert_true(
			secret_equal(secret_span(&a->key_out), secret_span(&b->key_in)));
		assert_false(
			secret_equal(secret_span(&a->key_in), secret_span(&a->key_out)));
		lab_free(lab);
	}
}

/* Who wants encryption is not talked into doing without, and the other way round. */
static void it_is_not_taken_for_encryption(void **state)
{
	static const enum aead_alg pairs[][2] = {{AEAD_NULL_SHA256, AEAD_AES128_GCM16},
		{AEAD_AES128_GCM16, AEAD_AES128_GMAC},
		{AEAD_AES256_SHA256, AEAD_NULL_SHA256},
		{AEAD_NULL_SHA256, AEAD_AES256_SHA256},
		{AEAD_NULL_SHA256, AEAD_NULL_SHA512},
		{AEAD_AES128_GMAC, AEAD_AES256_GMAC}};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct lab *lab = lab_new(2);

		only_this(lab, pairs[i][0], pairs[i][1]);
		lab_call(lab, A);
		lab_run(lab, 10);
		assert_int_equal(lab->side[A].n_up, 0);
		assert_int_equal(lab->side[A].closed[0].why.why, IKE_WHY_PROPOSAL);
		lab_free(lab);
	}
}

/* RFC 4301 4.2, RFC 4303 5: never NULL for both. */
static void null_without_integrity_is_refused(void **state)
{
	static struct ike_proposals ours = {.esp = {AEAD_NULL_SHA256}, .n_esp = 1};
	static struct wire_sa offer, answer;
	struct esp_choice choice;

	(void)state;
	for (int with = 0; with <= 2; with++) {
		offer.n = 0;
		struct wire_proposal *p = wire_sa_add(&offer, PROTO_ESP, 4, 0x4711);

		wire_proposal_add(p, TRANSFORM_ENCR, ENCR_NULL, 0);
		if (with > 0)
			wire_proposal_add(p, TRANSFORM_INTEG,
				with == 2 ? INTEG_HMAC_SHA2_256_128 : INTEG_NONE, 0);
		wire_proposal_add(p, TRANSFORM_ESN, ESN_NO, 0);
		assert_int_equal(ike_suites_choose_esp(&ours, &offer, KE_NONE, true,
					 0x815, &choice, &answer),
			with == 2);
	}
	assert_int_equal(choice.alg, AEAD_NULL_SHA256);
}

/* RFC 7296 5, RFC 8247 2.1: MUST NOT, whatever anybody configures or asks for. */
static void no_ike_sa_without_encryption(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_PLAIN; i++) {
		struct lab *lab = lab_new(3);

		for (int s = A; s <= B; s++)
			lab->side[s].conn.proposals.ike[0].encr = PLAIN[i];
		lab_call(lab, A);
		lab_run(lab, 10);
		assert_int_equal(lab->side[A].n_established, 0);
		assert_int_equal(lab->side[B].n_established, 0);
		lab_assert_noted(&lab->side[B], "none of the caller's IKE proposals");
		lab_free(lab);
	}
}

static const struct config_proposal *builtin(struct config **c)
{
	static struct reported r;

	*c = parse_as("test", span_text(""), &r);
	assert_non_null(*c);
	return &(*c)->proposals[0];
}

/* RFC 8221 5: NULL is there, and nobody gets it who has not asked. */
static void nothing_that_is_built_in_has_it(void **state)
{
	struct config *c;
	const struct config_proposal *p = builtin(&c);

	(void)state;
	assert_true(p->n_esp > 0);
	for (unsigned i = 0; i < p->n_esp; i++)
		assert_true(aead_encrypts(p->esp[i].encr));
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_offered),
		cmocka_unit_test(each_of_them_comes_to_be),
		cmocka_unit_test(it_is_not_taken_for_encryption),
		cmocka_unit_test(null_without_integrity_is_refused),
		cmocka_unit_test(no_ike_sa_without_encryption),
		cmocka_unit_test(nothing_that_is_built_in_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
