/* test_crypto_prf.c - HMAC-SHA2, prf+ and the digests against published results. */
#include "crypto/prf.h"
#include "hex.h"

#include "../vectors/prf.h"

static void hmac_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof prf_vectors / sizeof prf_vectors[0]; i++) {
		const struct prf_vector *v = &prf_vectors[i];
		struct hex key = hex(v->key), data = hex(v->data), want = hex(v->out);
		struct span whole = hex_span(&data);
		uint8_t got[PRF_OUT_MAX];

		print_message("%s, %s\n", v->source, prf_name(v->alg));
		assert_int_equal(want.len, prf_len(v->alg));
		assert_int_equal(prf(v->alg, hex_span(&key), &whole, 1, got), CRYPTO_OK);
		assert_memory_equal(got, want.b, want.len);
	}
}

static void parts_are_concatenated(void **state)
{
	struct span parts[] = {span_text("ab"), span_of(NULL, 0), span_text("cde")};
	struct span whole = span_text("abcde");
	uint8_t a[PRF_OUT_MAX], b[PRF_OUT_MAX];

	(void)state;
	assert_int_equal(prf(PRF_SHA256, span_text("k"), parts, 3, a), CRYPTO_OK);
	assert_int_equal(prf(PRF_SHA256, span_text("k"), &whole, 1, b), CRYPTO_OK);
	assert_memory_equal(a, b, 32);
}

static void empty_key_and_empty_data(void **state)
{
	/* HMAC-SHA256 of nothing under nothing, e.g. from RFC 2104's definition. */
	struct hex want =
		hex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
	uint8_t got[PRF_OUT_MAX];

	(void)state;
	assert_int_equal(prf(PRF_SHA256, span_of(NULL, 0), NULL, 0, got), CRYPTO_OK);
	assert_memory_equal(got, want.b, 32);
}

static void prf_plus_vectors_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof prf_plus_vectors / sizeof prf_plus_vectors[0];
		i++) {
		const struct prf_plus_vector *v = &prf_plus_vectors[i];
		struct hex key = hex(v->key), seed = hex(v->seed), want = hex(v->out);
		uint8_t got[HEX_MAX];

		print_message("%s\n", v->source);
		assert_int_equal(
			prf_plus(v->alg, hex_span(&key), hex_span(&seed), got, want.len),
			CRYPTO_OK);
		assert_memory_equal(got, want.b, want.len);
	}
}

/* RFC 7296 2.13 written out a second time, block by block, over prf(). */
static void by_hand(
	enum prf_alg alg, struct span key, struct span seed, uint8_t *out, size_t blocks)
{
	struct span last = span_of(NULL, 0);

	for (size_t n = 1; n <= blocks; n++) {
		uint8_t count = (uint8_t)n;
		struct span parts[] = {last, seed, span_of(&count, 1)};

		assert_int_equal(prf(alg, key, parts, 3, out), CRYPTO_OK);
		last = span_of(out, prf_len(alg));
		out += last.len;
	}
}

static void prf_plus_is_the_chain(void **state)
{
	uint8_t want[255 * PRF_OUT_MAX], got[255 * PRF_OUT_MAX];
	struct span key = span_text("key of some length"),
		    seed = span_text("Ni | Nr | SPIs");

	(void)state;
	for (enum prf_alg alg = PRF_SHA256; alg <= PRF_SHA384; alg++) {
		size_t whole = 255 * prf_len(alg);
		by_hand(alg, key, seed, want, 255);
		assert_int_equal(prf_plus(alg, key, seed, got, whole), CRYPTO_OK);
		assert_memory_equal(got, want, whole);
	}
}

static void prf_plus_stops_inside_a_block(void **state)
{
	uint8_t whole[96], part[96];

	(void)state;
	assert_int_equal(prf_plus(PRF_SHA256, span_text("k"), span_text("s"), whole, 96),
		CRYPTO_OK);
	for (size_t len = 0; len <= 65; len++) {
		memset(part, 0xee, sizeof part);
		assert_int_equal(
			prf_plus(PRF_SHA256, span_text("k"), span_text("s"), part, len),
			CRYPTO_OK);
		assert_memory_equal(part, whole, len);
		assert_int_equal(part[len], 0xee);
	}
}

/* FIPS 180: "abc", given in parts. */
static void digests_of_abc(void **state)
{
	struct span parts[] = {span_text("a"), span_of(NULL, 0), span_text("bc")};
	struct hex one = hex("a9993e364706816aba3e25717850c26c9cd0d89d");
	struct hex two =
		hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	uint8_t out[SHA256_LEN];

	(void)state;
	assert_int_equal(sha1(parts, 3, out), CRYPTO_OK);
	assert_memory_equal(out, one.b, SHA1_LEN);
	assert_int_equal(sha256(parts, 3, out), CRYPTO_OK);
	assert_memory_equal(out, two.b, SHA256_LEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hmac_vectors),
		cmocka_unit_test(parts_are_concatenated),
		cmocka_unit_test(empty_key_and_empty_data),
		cmocka_unit_test(prf_plus_vectors_hold),
		cmocka_unit_test(prf_plus_is_the_chain),
		cmocka_unit_test(prf_plus_stops_inside_a_block),
		cmocka_unit_test(digests_of_abc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
