/* test_crypto_aead.c - the AEAD algorithms against published results, and what happens
 * to a forgery.
 */
#include "crypto/aead.h"
#include "base/secret.h"
#include "hex.h"

#include "../vectors/aead.h"

static const uint8_t KEYMAT[36] = {1, 2, 3, 4};

static struct aead *any_context(enum aead_alg alg)
{
	struct aead *a = aead_new(alg, span_of(KEYMAT, aead_keymat_len(alg)));

	assert_non_null(a);
	return a;
}

static void vectors_seal(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof aead_vectors / sizeof aead_vectors[0]; i++) {
		const struct aead_vector *v = &aead_vectors[i];
		struct hex keymat = hex(v->keymat), aad = hex(v->aad),
			   text = hex(v->text);
		struct hex want = hex(v->sealed);
		uint8_t got[HEX_MAX];
		struct aead *a = aead_new(v->alg, hex_span(&keymat));

		print_message("%s\n", v->source);
		assert_non_null(a);
		assert_int_equal(want.len, text.len + AEAD_TAG_LEN);
		assert_int_equal(
			aead_seal(a, v->iv, hex_span(&aad), hex_span(&text), got),
			CRYPTO_OK);
		assert_memory_equal(got, want.b, want.len);
		aead_free(a);
	}
}

static void vectors_open(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof aead_vectors / sizeof aead_vectors[0]; i++) {
		const struct aead_vector *v = &aead_vectors[i];
		struct hex keymat = hex(v->keymat), aad = hex(v->aad),
			   want = hex(v->text);
		struct hex sealed = hex(v->sealed);
		uint8_t got[HEX_MAX];
		struct aead *a = aead_new(v->alg, hex_span(&keymat));

		assert_int_equal(
			aead_open(a, v->iv, hex_span(&aad), hex_span(&sealed), got),
			CRYPTO_OK);
		assert_memory_equal(got, want.b, want.len);
		aead_free(a);
	}
}

/* One context both ways, many packets, in place: nothing of one packet may stay for the
 * next but the key. */
static void context_is_reused_in_place(void **state)
{
	(void)state;
	for (enum aead_alg alg = AEAD_AES128_GCM16; alg <= AEAD_CHACHA20_POLY1305;
		alg++) {
		struct aead *a = any_context(alg);
		struct aead *fresh = any_context(alg);
		uint8_t text[64], buf[64 + AEAD_TAG_LEN], other[64 + AEAD_TAG_LEN];

		for (uint64_t iv = 1; iv < 50; iv++) {
			struct span aad = span_of(&iv, iv % 2 ? 8 : 0);
			memset(text, (int)iv, sizeof text);
			memcpy(buf, text, sizeof text);
			assert_int_equal(
				aead_seal(a, iv, aad, span_of(buf, 64), buf), CRYPTO_OK);
			assert_memory_not_equal(buf, text, sizeof text);
			assert_int_equal(
				aead_seal(fresh, iv, aad, span_of(text, 64), other),
				CRYPTO_OK);
			assert_memory_equal(buf, other, sizeof buf);
			assert_int_equal(
				aead_open(a, iv, aad, span_of(buf, sizeof buf), buf),
				CRYPTO_OK);
			assert_memory_equal(buf, text, sizeof text);
		}
		aead_free(fresh);
		aead_free(a);
	}
}

static void empty_text_has_a_tag(void **state)
{
	uint8_t out[AEAD_TAG_LEN];
	struct aead *a = any_context(AEAD_AES128_GCM16);

	(void)state;
	assert_int_equal(
		aead_seal(a, 1, span_text("header"), span_of(NULL, 0), out), CRYPTO_OK);
	assert_int_equal(
		aead_open(a, 1, span_text("header"), span_of(out, 16), out), CRYPTO_OK);
	assert_int_equal(aead_open(a, 1, span_text("Header"), span_of(out, 16), out),
		CRYPTO_FORGED);
	aead_free(a);
}

/* Each single changed octet of IV, additional data, ciphertext and tag is noticed, and
 * what was decrypted meanwhile does not stay in the buffer. */
static void forgery_is_wiped(void **state)
{
	static const uint8_t zeros[32];
	(void)state;
	for (enum aead_alg alg = AEAD_AES128_GCM16; alg <= AEAD_CHACHA20_POLY1305;
		alg++) {
		struct aead *a = any_context(alg);
		uint8_t aad[8] = "headers", sealed[32 + AEAD_TAG_LEN], out[32];
		uint8_t text[32];

		memset(text, 'x', sizeof text);
		assert_int_equal(
			aead_seal(a, 7, span_of(aad, 8), span_of(text, 32), sealed),
			CRYPTO_OK);
		for (size_t i = 0; i < sizeof sealed; i++) {
			sealed[i] ^= 1;
			memset(out, 'y', sizeof out);
			assert_int_equal(aead_open(a, 7, span_of(aad, 8),
						 span_of(sealed, sizeof sealed), out),
				CRYPTO_FORGED);
			assert_memory_equal(out, zeros, sizeof out);
			sealed[i] ^= 1;
		}
		aad[3] ^= 1;
		assert_int_equal(aead_open(a, 7, span_of(aad, 8),
					 span_of(sealed, sizeof sealed), out),
			CRYPTO_FORGED);
		aad[3] ^= 1;
		assert_int_equal(aead_open(a, 8, span_of(aad, 8),
					 span_of(sealed, sizeof sealed), out),
			CRYPTO_FORGED);
		assert_int_equal(aead_open(a, 7, span_of(aad, 8),
					 span_of(sealed, sizeof sealed), out),
			CRYPTO_OK);
		aead_free(a);
	}
}

static void shorter_than_a_tag_is_forged(void **state)
{
	uint8_t buf[AEAD_TAG_LEN] = {0};
	struct aead *a = any_context(AEAD_AES256_GCM16);

	(void)state;
	for (size_t len = 0; len < AEAD_TAG_LEN; len++)
		assert_int_equal(
			aead_open(a, 1, span_of(NULL, 0), span_of(buf, len), buf),
			CRYPTO_FORGED);
	aead_free(a);
}

/* Lengths of KEYMAT: RFC 4106 8.1, RFC 7634 2. */
static void keymat_has_key_and_salt(void **state)
{
	(void)state;
	assert_int_equal(aead_keymat_len(AEAD_NONE), 0);
	assert_int_equal(aead_keymat_len(AEAD_AES128_GCM16), 20);
	assert_int_equal(aead_keymat_len(AEAD_AES256_GCM16), 36);
	assert_int_equal(aead_keymat_len(AEAD_CHACHA20_POLY1305), 36);
	assert_string_equal(aead_name(AEAD_AES256_GCM16), "aes256gcm16");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_seal),
		cmocka_unit_test(vectors_open),
		cmocka_unit_test(context_is_reused_in_place),
		cmocka_unit_test(empty_text_has_a_tag),
		cmocka_unit_test(forgery_is_wiped),
		cmocka_unit_test(shorter_than_a_tag_is_forged),
		cmocka_unit_test(keymat_has_key_and_salt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
