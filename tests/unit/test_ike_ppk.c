/* tests/unit/test_ike_ppk.c - postquantum preshared keys (RFC 8784): who has one, who must
 * have one, and what comes of each.
 */
#include "ike_lab.h"

enum need { WITHOUT, OPTIONAL, REQUIRED };

static void give(struct lab_side *s, enum need need, const char *id, const char *key)
{
	struct ike_ppk *p = &s->conn.ppk;

	*p = (struct ike_ppk){0};
	if (need == WITHOUT)
		return;
	p->required = need == REQUIRED;
	p->id_len = (uint8_t)strlen(id);
	memcpy(p->id, id, p->id_len);
	p->len = (uint8_t)strlen(key);
	memcpy(p->key, key, p->len);
}

static struct lab *lab_with(
	enum need a, enum need b, const char *id_of_b, const char *key_of_b)
{
	struct lab *lab = lab_new(11);

	give(&lab->side[A], a, "quantum", "a key of which no computer knows");
	give(&lab->side[B], b, id_of_b, key_of_b);
	lab_call(lab, A);
	lab_run(lab, 20);
	return lab;
}

static struct lab *lab_same(enum need a, enum need b)
{
	return lab_with(a, b, "quantum", "a key of which no computer knows");
}

static void assert_up(struct lab *lab, bool with)
{
	for (enum lab_side_name s = A; s <= B; s++) {
		assert_int_equal(lab->side[s].n_up, 1);
		assert_int_equal(lab->side[s].established[0].ppk, with);
		assert_null(lab_sa(lab, s)->plain);
	}
	lab_assert_children_match(&lab->side[A].up[0], &lab->side[B].up[0]);
	lab_free(lab);
}

static void assert_none(struct lab *lab, enum lab_side_name noted, const char *text)
{
	lab_assert_noted(&lab->side[noted], text);
	assert_int_equal(lab->side[A].n_up, 0);
	assert_int_equal(lab->side[B].n_up, 0);
	assert_int_equal(lab_count(lab, A), 0);
	assert_int_equal(lab_count(lab, B), 0);
	lab_free(lab);
}

static void who_has_the_same_uses_it(void **state)
{
	(void)state;
	for (enum need a = OPTIONAL; a <= REQUIRED; a++)
		for (enum need b = OPTIONAL; b <= REQUIRED; b++)
			assert_up(lab_same(a, b), true);
}

/* RFC 8784 3, table 1, the rows that end in the standard protocol. */
static void who_may_does_without(void **state)
{
	(void)state;
	assert_up(lab_same(OPTIONAL, WITHOUT), false);
	assert_up(lab_same(WITHOUT, OPTIONAL), false);
	assert_up(
		lab_with(OPTIONAL, OPTIONAL, "other", "another key, unknown to A......."),
		false);
}

static void who_must_does_not(void **state)
{
	(void)state;
	assert_none(lab_same(WITHOUT, REQUIRED), B, "does not use the PPK");
	assert_none(lab_with(OPTIONAL, REQUIRED, "other", "another key"), B,
		"does not use the PPK");
	assert_none(lab_with(REQUIRED, OPTIONAL, "other", "another key"), B,
		"requires a PPK that is not ours");
}

/* RFC 8784 3: MUST abort; no IKE_AUTH is sent. */
static void the_caller_ends_it_without_the_peers_word(void **state)
{
	struct lab *lab = lab_same(REQUIRED, WITHOUT);

	(void)state;
	lab_assert_noted(&lab->side[A], "the peer does not use a PPK");
	assert_int_equal(lab->n_log, 2);
	assert_int_equal(lab_count(lab, A), 0);
	assert_int_equal(lab->side[A].closed[0].why.close, IKE_CLOSE_WE_REFUSED);
	lab_free(lab);
}

/* The same name for another key: nobody is believed, for the keys do not agree. */
static void another_key_is_no_proof(void **state)
{
	(void)state;
	assert_none(lab_with(REQUIRED, REQUIRED, "quantum", "another key"), B,
		"AUTHENTICATION_FAILED");
}

/* RFC 8784 3: an heir's keys are made of the old SK_d, and the PPK is not mixed in again. */
static void an_heir_has_it_in_its_keys(void **state)
{
	struct lab *lab = lab_same(REQUIRED, REQUIRED);
	uint32_t id = lab->side[A].established[0].id;

	(void)state;
	assert_int_equal(ike_rekey(lab->side[A].engine, lab->now_ms, id), IKE_OK);
	lab_run(lab, 100);
	for (enum lab_side_name s = A; s <= B; s++) {
		assert_int_equal(lab_count(lab, s), 1);
		assert_int_equal(lab->side[s].n_rekeyed, 1);
		assert_true(lab_sa(lab, s)->ppk);
	}
	assert_int_equal(
		ike_probe(lab->side[A].engine, lab->now_ms, lab_sa(lab, A)->id), IKE_OK);
	lab_run(lab, 100);
	assert_int_equal(lab_sa(lab, A)->out.bytes.len, 0);
	lab_free(lab);
}

/* RFC 8784 3 written out a second time: SK_d = prf(PPK, SK_d' | 0x01). */
static void the_keys_are_those_of_the_rfc(void **state)
{
	struct lab *with = lab_same(REQUIRED, REQUIRED);
	struct lab *without = lab_same(WITHOUT, WITHOUT);
	struct secret *plain = &lab_sa(without, A)->sk_d;
	struct span ppk = span_text("a key of which no computer knows");
	uint8_t one = 1, want[PRF_OUT_MAX];
	const struct span parts[] = {secret_span(plain), span_of(&one, 1)};

	(void)state;
	assert_int_equal(prf(PRF_SHA256, ppk, parts, 2, want), CRYPTO_OK);
	assert_true(span_equal(
		secret_span(&lab_sa(with, A)->sk_d), span_of(want, prf_len(PRF_SHA256))));
	lab_free(with);
	lab_free(without);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_the_same_uses_it),
		cmocka_unit_test(who_may_does_without),
		cmocka_unit_test(who_must_does_not),
		cmocka_unit_test(the_caller_ends_it_without_the_peers_word),
		cmocka_unit_test(another_key_is_no_proof),
		cmocka_unit_test(an_heir_has_it_in_its_keys),
		cmocka_unit_test(the_keys_are_those_of_the_rfc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
