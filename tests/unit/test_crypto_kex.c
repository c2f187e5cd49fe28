/* test_crypto_kex.c - key exchange against published results, and public values that
 * RFC 6989 and RFC 7748 tell us to refuse.
 */
#include "crypto/kex.h"
#include "hex.h"

#include "../vectors/kex.h"

#include <stdio.h>

static const uint16_t GROUPS[] = {KE_CURVE25519, KE_ECP_256, KE_MODP_2048, KE_CURVE448,
	KE_ECP_384, KE_ECP_521, KE_MODP_3072, KE_MODP_4096};
enum { N_GROUPS = sizeof GROUPS / sizeof GROUPS[0] };

/* Entropy that is not random: hands out a script, and fails the test beyond its end. */
struct script {
	struct hex h;
	size_t used;
};

static void script_fill(void *ctx, uint8_t *out, size_t len)
{
	struct script *s = ctx;

	assert_true(len <= s->h.len - s->used);
	memcpy(out, s->h.b + s->used, len);
	s->used += len;
}

static struct kex *from_private(uint16_t group, const char *text)
{
	struct script s = {.h = hex(text)};
	struct entropy e = {script_fill, &s};
	struct kex *k = kex_new(group, &e);

	assert_non_null(k);
	assert_int_equal(s.used, s.h.len);
	return k;
}

static struct kex *from_seed(uint16_t group, uint64_t seed)
{
	struct seeded_entropy s;
	struct entropy e = entropy_seeded(&s, seed);
	struct kex *k = kex_new(group, &e);

	assert_non_null(k);
	return k;
}

static void assert_public(const struct kex *k, const char *text)
{
	struct hex want = hex(text);

	assert_int_equal(kex_public(k).len, want.len);
	assert_memory_equal(kex_public(k).at, want.b, want.len);
}

static void vectors_agree(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof kex_vectors / sizeof kex_vectors[0]; i++) {
		const struct kex_vector *v = &kex_vectors[i];
		struct kex *ki = from_private(v->group, v->private_i);
		struct kex *kr = from_private(v->group, v->private_r);
		struct hex want = hex(v->shared);
		struct secret s;

		print_message("%s\n", v->source);
		assert_public(ki, v->public_i);
		assert_public(kr, v->public_r);
		assert_int_equal(kex_derive(ki, kex_public(kr), &s), CRYPTO_OK);
		assert_int_equal(s.len, want.len);
		assert_memory_equal(s.b, want.b, want.len);
		assert_int_equal(kex_derive(kr, kex_public(ki), &s), CRYPTO_OK);
		assert_memory_equal(s.b, want.b, want.len);
		kex_free(ki);
		kex_free(kr);
	}
}

static void both_sides_agree(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_GROUPS; i++) {
		struct kex *a = from_seed(GROUPS[i], 1), *b = from_seed(GROUPS[i], 2);
		struct secret sa, sb;

		assert_int_equal(kex_group(a), GROUPS[i]);
		assert_int_equal(kex_public(a).len, kex_public_len(GROUPS[i]));
		assert_false(span_equal(kex_public(a), kex_public(b)));
		assert_int_equal(kex_derive(a, kex_public(b), &sa), CRYPTO_OK);
		assert_int_equal(kex_derive(b, kex_public(a), &sb), CRYPTO_OK);
		assert_true(secret_equal(secret_span(&sa), secret_span(&sb)));
		kex_free(a);
		kex_free(b);
	}
}

/* The responder's side in one call; with Diffie-Hellman both are alike. */
static void the_initiator_and_the_responder_agree(void **state)
{
	struct seeded_entropy store;
	struct entropy e = entropy_seeded(&store, 3);

	(void)state;
	for (size_t i = 0; i < N_GROUPS; i++) {
		struct kex *a = from_seed(GROUPS[i], 1), *b;
		struct secret sa, sb;
		uint8_t octets[KEX_PUBLIC_MAX] = {0};

		assert_int_equal(
			kex_answer(GROUPS[i], &e, kex_public(a), &sb, &b), CRYPTO_OK);
		assert_int_equal(kex_group(b), GROUPS[i]);
		assert_int_equal(kex_derive(a, kex_public(b), &sa), CRYPTO_OK);
		assert_true(secret_equal(secret_span(&sa), secret_span(&sb)));
		kex_free(b);
		assert_int_equal(
			kex_answer(GROUPS[i], &e,
				span_of(octets, kex_public_len(GROUPS[i])), &sb, &b),
			CRYPTO_FORGED);
		assert_null(b);
		assert_int_equal(sb.len, 0);
		assert_int_equal(
			kex_answer(GROUPS[i], &e,
				span_of(octets, kex_public_len(GROUPS[i]) - 1), &sb, &b),
			CRYPTO_FORGED);
		kex_free(a);
	}
	struct kex *none;
	struct secret s;
	assert_int_equal(kex_answer(2, &e, span_of(NULL, 0), &s, &none), CRYPTO_REFUSED);
	assert_null(none);
}

static void a_seed_repeats_a_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_GROUPS; i++) {
		struct kex *a = from_seed(GROUPS[i], 7), *b = from_seed(GROUPS[i], 7);

		assert_true(span_equal(kex_public(a), kex_public(b)));
		kex_free(a);
		kex_free(b);
	}
}

static void wrong_lengths_are_forged(void **state)
{
	static const uint8_t octets[KEX_PUBLIC_MAX + 1] = {9};
	struct secret s;

	(void)state;
	for (size_t i = 0; i < N_GROUPS; i++) {
		struct kex *k = from_seed(GROUPS[i], 1);
		size_t len = kex_public_len(GROUPS[i]);

		assert_int_equal(kex_derive(k, span_of(octets, 0), &s), CRYPTO_FORGED);
		assert_int_equal(
			kex_derive(k, span_of(octets, len - 1), &s), CRYPTO_FORGED);
		assert_int_equal(
			kex_derive(k, span_of(octets, len + 1), &s), CRYPTO_FORGED);
		assert_int_equal(s.len, 0);
		kex_free(k);
	}
}

/* RFC 7748 6.1: an all-zero result means that the peer chose it for us. */
static void x25519_refuses_low_order(void **state)
{
	struct kex *k = from_seed(KE_CURVE25519, 1);
	struct secret s;

	(void)state;
	for (size_t i = 0; i < sizeof x25519_low_order / sizeof x25519_low_order[0];
		i++) {
		struct hex h = hex(x25519_low_order[i]);
		assert_int_equal(kex_derive(k, hex_span(&h), &s), CRYPTO_FORGED);
		assert_int_equal(s.len, 0);
		h.b[31] |= 0x80; /* RFC 7748 5: the top bit is ignored */
		assert_int_equal(kex_derive(k, hex_span(&h), &s), CRYPTO_FORGED);
	}
	kex_free(k);
}

/* RFC 6989 2.3: on the curve, within the field, not infinity. */
static void ecp256_refuses_what_is_no_point(void **state)
{
	struct kex *k = from_seed(KE_ECP_256, 1);
	struct hex zero =
		hex("0000000000000000000000000000000000000000000000000000000000000000"
		    "0000000000000000000000000000000000000000000000000000000000000000");
	/* x = p + 5, with the y that belongs to x = 5: valid only after a reduction */
	struct hex beyond =
		hex("ffffffff00000001000000000000000000000001000000000000000000000004"
		    "459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc");
	struct hex off = hex(kex_vectors[1].public_i);
	struct secret s;

	(void)state;
	assert_int_equal(kex_derive(k, hex_span(&off), &s), CRYPTO_OK);
	off.b[63] ^= 1;
	assert_int_equal(kex_derive(k, hex_span(&off), &s), CRYPTO_FORGED);
	assert_int_equal(kex_derive(k, hex_span(&zero), &s), CRYPTO_FORGED);
	assert_int_equal(kex_derive(k, hex_span(&beyond), &s), CRYPTO_FORGED);
	kex_free(k);
}

/* A scalar must lie in [1, n-1]; what does not is drawn again. */
static void ecp256_rejects_scalars(void **state)
{
	const char *draws =
		"0000000000000000000000000000000000000000000000000000000000000000"
		"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551" /* n */
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433";
	struct kex *k = from_private(KE_ECP_256, draws);

	(void)state;
	assert_public(k, kex_vectors[1].public_i);
	kex_free(k);
}

/* RFC 6989 2.1: 0, 1, p-1, p and above are no public values; 2 and p-2 are. */
static void modp2048_refuses_the_ends(void **state)
{
	/* p of RFC 3526 3: only its last octets matter here */
	struct hex p = hex("ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd1"
			   "29024e088a67cc74020bbea63b139b22514a08798e3404dd"
			   "ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245"
			   "e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed"
			   "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3d"
			   "c2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f"
			   "83655d23dca3ad961c62f356208552bb9ed529077096966d"
			   "670c354e4abc9804f1746c08ca18217c32905e462e36ce3b"
			   "e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9"
			   "de2bcbf6955817183995497cea956ae515d2261898fa0510"
			   "15728e5a8aacaa68ffffffffffffffff");
	static const struct {
		int minus;
		enum crypto_err want;
	} ends[] = {{0, CRYPTO_FORGED}, {1, CRYPTO_FORGED}, {2, CRYPTO_OK}};
	struct kex *k = from_seed(KE_MODP_2048, 1);
	struct secret s;
	uint8_t y[256];

	(void)state;
	assert_int_equal(p.len, sizeof y);
	for (size_t i = 0; i < 3; i++) {
		memcpy(y, p.b, sizeof y);
		y[255] = (uint8_t)(y[255] - ends[i].minus);
		assert_int_equal(kex_derive(k, span_of(y, sizeof y), &s), ends[i].want);
		memset(y, 0, sizeof y);
		y[255] = (uint8_t)i;
		assert_int_equal(kex_derive(k, span_of(y, sizeof y), &s), ends[i].want);
	}
	memset(y, 0xff, sizeof y);
	assert_int_equal(kex_derive(k, span_of(y, sizeof y), &s), CRYPTO_FORGED);
	kex_free(k);
}

/* 2^x mod p and y^x mod p for an exponent of which Python's pow() said the same. */
static void modp2048_is_exponentiation(void **state)
{
	struct kex *k =
		from_private(KE_MODP_2048, "000000000000000000000000000000000000000000000"
					   "00000000000000000000000000000000000");
	struct hex first =
		hex("e01e3a4cb0e04b645f3c9a9a196444b81045c037ccd435b83a2d836116c2a34f");
	struct secret s;
	uint8_t y[256] = {0};

	(void)state;
	/* the top bit is set for us: x = 2^319 */
	assert_memory_equal(kex_public(k).at, first.b, first.len);
	y[255] = 2;
	assert_int_equal(kex_derive(k, span_of(y, sizeof y), &s), CRYPTO_OK);
	assert_true(span_equal(secret_span(&s), kex_public(k)));
	kex_free(k);
}

/* RFC 5903 3.3: the numbers of the 521-bit group fill 66 octets, of which 7 bits are none. */
static void ecp521_draws_what_is_in_range(void **state)
{
	char draw[2 * 66 + 1];
	struct hex v = hex(kex_vectors[3].private_i);

	(void)state;
	v.b[0] |= 0xfe; /* not looked at */
	for (size_t i = 0; i < v.len; i++)
		sprintf(draw + 2 * i, "%02x", v.b[i]);
	struct kex *k = from_private(KE_ECP_521, draw);
	assert_public(k, kex_vectors[3].public_i);
	kex_free(k);
}

/* As for 2048 bits: 2^x mod p for the least exponent, said by Python's pow(). */
static void modp_of_more_bits_is_exponentiation(void **state)
{
	static const struct {
		uint16_t group;
		size_t drawn;
		const char *last;
	} cases[] = {
		{KE_MODP_3072, 53,
			"f54265380d34cb6d4edfa6b82737814936112d0e4e22799868157b1b68fb592"
			"e"},
		{KE_MODP_4096, 60,
			"1d7800d6db68398d562ace51726a9f7aaf9bee832b0e233a4bb124485ab7376"
			"d"},
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char zeros[2 * 60 + 1];
		struct hex last = hex(cases[i].last);

		memset(zeros, '0', sizeof zeros - 1);
		zeros[2 * cases[i].drawn] = '\0';
		struct kex *k = from_private(cases[i].group, zeros);
		struct span public = kex_public(k);
		assert_memory_equal(public.at + public.len - last.len, last.b, last.len);
		kex_free(k);
	}
}

static void unknown_groups_are_not_supported(void **state)
{
	struct seeded_entropy seed;
	struct entropy e = entropy_seeded(&seed, 1);

	(void)state;
	assert_true(kex_supported(KE_CURVE25519));
	assert_false(kex_supported(KE_NONE));
	assert_int_equal(kex_work(KE_CURVE25519), 1);
	assert_int_equal(kex_work(KE_NONE), 1);
	assert_true(kex_work(KE_MODP_4096) > kex_work(KE_MODP_2048));
	assert_false(kex_supported(2));
	assert_int_equal(kex_public_len(2), 0);
	assert_null(kex_new(2, &e));
	assert_string_equal(kex_name(KE_MODP_2048), "modp2048");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_agree),
		cmocka_unit_test(both_sides_agree),
		cmocka_unit_test(the_initiator_and_the_responder_agree),
		cmocka_unit_test(a_seed_repeats_a_key),
		cmocka_unit_test(wrong_lengths_are_forged),
		cmocka_unit_test(x25519_refuses_low_order),
		cmocka_unit_test(ecp256_refuses_what_is_no_point),
		cmocka_unit_test(ecp256_rejects_scalars),
		cmocka_unit_test(modp2048_refuses_the_ends),
		cmocka_unit_test(modp2048_is_exponentiation),
		cmocka_unit_test(ecp521_draws_what_is_in_range),
		cmocka_unit_test(modp_of_more_bits_is_exponentiation),
		cmocka_unit_test(unknown_groups_are_not_supported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
