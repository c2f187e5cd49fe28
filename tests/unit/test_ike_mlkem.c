/* tests/unit/test_ike_mlkem.c - a key encapsulation as an additional key exchange: the glue to
 * OpenSSL (crypto/kex_mlkem.c), its sizes, and its way through IKE (RFC 9370).
 *
 * The program brings kex_mlkem.c along, and a provider in the place of ML-KEM (toy_kem.h):
 * this is not a test of ML-KEM itself.
 */
#include "ike_craft.h"
#include "toy_kem.h"

static const struct {
	uint16_t id;
	const char *name;
	size_t key_len, ciphertext_len;
} kems[] = {{KE_ML_KEM_512, "mlkem512", 800, 768},
	{KE_ML_KEM_768, "mlkem768", 1184, 1088},
	{KE_ML_KEM_1024, "mlkem1024", 1568, 1568}};
enum { N_KEMS = sizeof(kems) / sizeof(kems[0]) };

static void both_sides_agree(void **state)
{
	struct seeded_entropy store;
	struct entropy e = entropy_seeded(&store, 1);

	(void)state;
	for (unsigned i = 0; i < N_KEMS; i++) {
		struct kex *a = kex_new(kems[i].id, &e), *b;
		struct secret sa, sb;

		assert_non_null(a);
		assert_true(kex_supported(kems[i].id));
		assert_string_equal(kex_name(kems[i].id), kems[i].name);
		assert_int_equal(kex_public(a).len, kems[i].key_len);
		assert_int_equal(kex_public_len(kems[i].id), kems[i].key_len);
		assert_int_equal(
			kex_answer(kems[i].id, &e, kex_public(a), &sb, &b), CRYPTO_OK);
		assert_int_equal(kex_group(b), kems[i].id);
		assert_int_equal(kex_public(b).len, kems[i].ciphertext_len);
		assert_int_equal(kex_derive(a, kex_public(b), &sa), CRYPTO_OK);
		assert_int_equal(sa.len, 32);
		assert_true(secret_equal(secret_span(&sa), secret_span(&sb)));
		kex_free(a);
		kex_free(b);
	}
}

/* One seed twice gives one run, on both sides. */
static void a_seed_repeats_both_sides(void **state)
{
	uint8_t first[2 * KEX_PUBLIC_MAX];
	size_t len = 0;

	(void)state;
	for (int round = 0; round < 2; round++) {
		struct seeded_entropy store;
		struct entropy e = entropy_seeded(&store, 7);
		struct kex *a = kex_new(KE_ML_KEM_768, &e), *b;
		struct secret s;

		assert_int_equal(
			kex_answer(KE_ML_KEM_768, &e, kex_public(a), &s, &b), CRYPTO_OK);
		if (round == 0) {
			memcpy(first, kex_public(a).at, kex_public(a).len);
			len = kex_public(a).len;
			memcpy(first + len, kex_public(b).at, kex_public(b).len);
		} else {
			assert_memory_equal(first, kex_public(a).at, len);
			assert_memory_equal(
				first + len, kex_public(b).at, kex_public(b).len);
		}
		kex_free(a);
		kex_free(b);
	}
}

static void wrong_lengths_and_keys_are_forged(void **state)
{
	struct seeded_entropy store;
	struct entropy e = entropy_seeded(&store, 2);

	(void)state;
	for (unsigned i = 0; i < N_KEMS; i++) {
		struct kex *a = kex_new(kems[i].id, &e), *b;
		struct span key = kex_public(a);
		uint8_t octets[KEX_PUBLIC_MAX + 1] = {0};
		struct secret s;

		for (int more = -1; more <= 1; more += 2) {
			assert_int_equal(
				kex_answer(kems[i].id, &e,
					span_of(octets, (size_t)((int)key.len + more)),
					&s, &b),
				CRYPTO_FORGED);
			assert_null(b);
			assert_int_equal(
				kex_derive(a,
					span_of(octets,
						(size_t)((int)kems[i].ciphertext_len +
							 more)),
					&s),
				CRYPTO_FORGED);
			assert_int_equal(s.len, 0);
		}
		/* FIPS 203 7.2: not a key. The library says so. */
		memcpy(octets, key.at, key.len);
		octets[key.len - 1] ^= 1;
		assert_int_equal(
			kex_answer(kems[i].id, &e, span_of(octets, key.len), &s, &b),
			CRYPTO_FORGED);
		assert_null(b);
		kex_free(a);
	}
}

static void give(struct lab *lab, uint16_t first, uint16_t second)
{
	for (enum lab_side_name s = A; s <= B; s++) {
		struct ike_proposals *p = &lab->side[s].conn.proposals;

		p->ike[0].more =
			(struct ike_more){.ke = {(uint8_t)first, (uint8_t)second}};
		p->pfs[0] = KE_CURVE25519;
		p->pfs_more[0] = p->ike[0].more;
		p->n_pfs = 1;
		p->pfs_required = true;
	}
}

static struct lab_fate lose_a_third(struct lab *lab, const struct lab_datagram *d)
{
	unsigned *n = lab->filter_ctx;

	(void)d;
	return (struct lab_fate){.copies = ++*n % 3 != 0, .ms = 1};
}

/* 1568 octets and their headers do not pass in one datagram: IKE_INTERMEDIATE goes in
 * fragments (RFC 7383), some of which are lost. */
static void through_ike_and_its_fragments(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_KEMS; i++)
		for (unsigned lossy = 0; lossy < 2; lossy++) {
			struct lab *lab = lab_new(70 + i);
			unsigned n = 0;

			give(lab, kems[i].id, KE_ECP_384);
			if (lossy) {
				lab->filter = lose_a_third;
				lab->filter_ctx = &n;
			}
			lab_call(lab, A);
			lab_run(lab, 19000);
			assert_int_equal(lab->side[A].n_up, 1);
			assert_int_equal(lab->side[B].n_up, 1);
			lab_assert_children_match(
				&lab->side[A].up[0], &lab->side[B].up[0]);
			unsigned largest = 0;
			for (unsigned k = 0; k < lab->n_log; k++)
				if (lab->log[k].len > largest)
					largest = (unsigned)lab->log[k].len;
			assert_true(largest <= IKE_FRAGMENT_SIZE);
			lab_free(lab);
		}
}

static void both_kinds_are_rekeyed_with_it(void **state)
{
	(void)state;
	for (enum lab_side_name s = A; s <= B; s++) {
		struct lab *lab = lab_new(80);

		give(lab, KE_ML_KEM_1024, KE_ML_KEM_512);
		lab_up(lab);
		lab_run(lab, 10000);
		assert_int_equal(ike_rekey_child(lab->side[s].engine, lab->now_ms,
					 ike_child_first(lab_sa(lab, s))->is.id),
			IKE_OK);
		lab_run(lab, 10000);
		assert_int_equal(lab->side[A].n_up, 2);
		lab_assert_children_match(&lab->side[A].up[1], &lab->side[B].up[1]);
		assert_int_equal(ike_rekey(lab->side[s].engine, lab->now_ms,
					 lab->side[s].established[0].id),
			IKE_OK);
		lab_run(lab, 10000);
		assert_int_equal(lab->side[A].n_rekeyed, 1);
		unit_assert_span_equal(secret_span(&lab_sa(lab, A)->sk_d),
			secret_span(&lab_sa(lab, B)->sk_d));
		lab_free(lab);
	}
}

/* The wrong ciphertext is no error, but another secret: the next message is not understood,
 * and nobody is up. */
static void another_ciphertext_is_another_secret(void **state)
{
	struct lab *lab = lab_new(81);
	struct seeded_entropy store;
	struct entropy e = entropy_seeded(&store, 9);
	struct secret s;
	struct kex *b;

	(void)state;
	give(lab, KE_ML_KEM_768, KE_NONE);
	for (enum lab_side_name i = A; i <= B; i++)
		ike_set_fragment_size(lab->side[i].engine, 2000);
	lab_call(lab, A);
	lab_run(lab, 2);
	lab->n_queue = 0; /* A's IKE_INTERMEDIATE; answered by somebody else */
	struct ike_sa *a = lab_sa(lab, A);
	assert_int_equal(
		kex_answer(KE_ML_KEM_768, &e, kex_public(a->kex), &s, &b), CRYPTO_OK);
	struct message m = lab_craft(lab, B, IKE_INTERMEDIATE, true, 1);
	struct wire_ke ke = {.group = KE_ML_KEM_768, .public = kex_public(b)};
	ke_payload_write(message_payload(&m, PAYLOAD_KE), &ke);
	lab_send_crafted(lab, B, &m);
	kex_free(b);
	lab_run(lab, 60000);
	assert_int_equal(lab->side[A].n_up + lab->side[B].n_up, 0);
	assert_int_equal(lab_count(lab, A) + lab_count(lab, B), 0);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_agree),
		cmocka_unit_test(a_seed_repeats_both_sides),
		cmocka_unit_test(wrong_lengths_and_keys_are_forged),
		cmocka_unit_test(through_ike_and_its_fragments),
		cmocka_unit_test(both_kinds_are_rekeyed_with_it),
		cmocka_unit_test(another_ciphertext_is_another_secret),
	};

	toy_kem_load();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	toy_kem_unload();
	return failed;
}
