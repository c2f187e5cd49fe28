/* tests/unit/test_crypto_etm.c - AES-CBC with HMAC-SHA2: published results, and what must
 * not be opened.
 */
#include "crypto/aead.h"
#include "crypto/prf.h"
#include "hex.h"

enum { TEXT_LEN = 48, CLEAR_LEN = 8 };

static const uint8_t KEYMAT[96] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static const enum aead_alg ALGS[] = {AEAD_AES128_SHA256, AEAD_AES128_SHA384,
	AEAD_AES128_SHA512, AEAD_AES256_SHA256, AEAD_AES256_SHA384, AEAD_AES256_SHA512};
enum { N_ALGS = sizeof ALGS / sizeof ALGS[0] };

struct packet {
	uint8_t clear[CLEAR_LEN], iv[AEAD_IV_MAX], text[TEXT_LEN + AEAD_TAG_MAX];
	size_t tag_len;
};

static struct aead *any_context(enum aead_alg alg)
{
	struct aead *a = aead_new(alg, span_of(KEYMAT, aead_keymat_len(alg)));

	assert_non_null(a);
	return a;
}

static struct span tail(void)
{
	return span_text("tail");
}

static struct packet sealed_packet(enum aead_alg alg, uint64_t n)
{
	struct packet p = {.clear = "in clear", .tag_len = aead_shape(alg).tag_len};
	struct aead *a = any_context(alg);

	for (size_t i = 0; i < TEXT_LEN; i++)
		p.text[i] = (uint8_t)i;
	assert_int_equal(aead_seal_packet(a, n, span_of(p.clear, CLEAR_LEN), tail(), p.iv,
				 p.text, TEXT_LEN),
		CRYPTO_OK);
	aead_free(a);
	return p;
}

static enum crypto_err open_packet(
	enum aead_alg alg, const struct packet *p, struct span behind, uint8_t *out)
{
	struct aead *a = any_context(alg);
	enum crypto_err err = aead_open_packet(a, span_of(p->clear, CLEAR_LEN), behind,
		p->iv, span_of(p->text, TEXT_LEN + p->tag_len), out);

	aead_free(a);
	return err;
}

/* RFC 3602 4, cases 1 and 2; the tag is RFC 4868's HMAC, cut, of which test_crypto_prf.c
 * has the vectors. */
static void published_ciphertexts_open(void **state)
{
	static const struct {
		const char *key, *iv, *text, *cipher;
	} v[] = {
		{"06a9214036b8a15b512e03d534120006", "3dafba429d9eb430b422da802c9fac41",
			"53696e676c6520626c6f636b206d7367",
			"e353779c1079aeb82708942dbe77181a"},
		{"c286696d887c9aa0611bbb3e2025a45a", "562e17996d093d28ddb3ba695a2e6f58",
			"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1"
			"f",
			"d296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab"
			"1"},
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct hex iv = hex(v[i].iv), text = hex(v[i].text),
			   sealed = hex(v[i].cipher), keymat = hex(v[i].key);
		struct span clear = span_text("SPI+seq.");
		uint8_t mac_key[32] = {7}, digest[PRF_OUT_MAX], out[64];
		const struct span parts[] = {
			clear, hex_span(&iv), hex_span(&sealed), tail()};

		assert_int_equal(prf(PRF_SHA256, span_of(mac_key, 32), parts, 4, digest),
			CRYPTO_OK);
		memcpy(sealed.b + sealed.len, digest, 16);
		sealed.len += 16;
		memcpy(keymat.b + keymat.len, mac_key, 32);
		keymat.len += 32;
		struct aead *a = aead_new(AEAD_AES128_SHA256, hex_span(&keymat));
		assert_int_equal(
			aead_open_packet(a, clear, tail(), iv.b, hex_span(&sealed), out),
			CRYPTO_OK);
		assert_memory_equal(out, text.b, text.len);
		aead_free(a);
	}
}

static void what_is_sealed_opens(void **state)
{
	uint8_t out[TEXT_LEN];

	(void)state;
	for (size_t i = 0; i < N_ALGS; i++) {
		struct packet p = sealed_packet(ALGS[i], 1 + i);

		assert_int_equal(open_packet(ALGS[i], &p, tail(), out), CRYPTO_OK);
		for (size_t k = 0; k < TEXT_LEN; k++)
			assert_int_equal(out[k], k);
		/* in place, too */
		assert_int_equal(open_packet(ALGS[i], &p, tail(), p.text), CRYPTO_OK);
		assert_memory_equal(p.text, out, TEXT_LEN);
	}
}

/* One context for both directions, as nobody should need and nothing forbids. */
static void a_context_may_turn_round(void **state)
{
	struct aead *a = any_context(AEAD_AES256_SHA256);
	struct span none = span_of(NULL, 0);
	uint8_t iv[16], text[32 + 16], out[32];

	(void)state;
	for (uint64_t n = 1; n <= 3; n++) {
		memset(text, (int)n, 32);
		assert_int_equal(
			aead_seal_packet(a, n, none, none, iv, text, 32), CRYPTO_OK);
		assert_int_equal(
			aead_open_packet(a, none, none, iv, span_of(text, 48), out),
			CRYPTO_OK);
		assert_int_equal(out[31], n);
	}
	aead_free(a);
}

/* Header, IV, ciphertext, tag, what is behind: a bit of each, and nothing is decrypted. */
static void every_bit_is_authenticated(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ALGS; i++) {
		const struct packet good = sealed_packet(ALGS[i], 9);
		size_t len = CLEAR_LEN + AEAD_IV_MAX + TEXT_LEN + good.tag_len;

		for (size_t at = 0; at < len; at++) {
			struct packet p = good;
			uint8_t out[TEXT_LEN] = {0}, zero[TEXT_LEN] = {0};

			((uint8_t *)&p)[at] ^= 0x40;
			assert_int_equal(
				open_packet(ALGS[i], &p, tail(), out), CRYPTO_FORGED);
			assert_memory_equal(out, zero, TEXT_LEN);
		}
		uint8_t out[TEXT_LEN];
		assert_int_equal(open_packet(ALGS[i], &good, span_text("tbil"), out),
			CRYPTO_FORGED);
	}
}

static void wrong_lengths_are_forged(void **state)
{
	struct packet p = sealed_packet(AEAD_AES128_SHA256, 3);
	struct aead *a = any_context(AEAD_AES128_SHA256);
	uint8_t out[TEXT_LEN];

	(void)state;
	for (size_t len = 0; len < TEXT_LEN + 16; len++)
		assert_int_equal(aead_open_packet(a, span_of(p.clear, CLEAR_LEN), tail(),
					 p.iv, span_of(p.text, len), out),
			CRYPTO_FORGED);
	aead_free(a);
}

/* RFC 3602 3: neither a counter nor with few bits changed from one packet to the next. */
static void an_iv_is_not_like_the_last(void **state)
{
	(void)state;
	for (uint64_t n = 0; n < 64; n++) {
		struct packet a = sealed_packet(AEAD_AES128_SHA256, n);
		struct packet b = sealed_packet(AEAD_AES128_SHA256, n + 1);
		unsigned differ = 0;

		for (size_t i = 0; i < AEAD_IV_MAX; i++)
			differ += a.iv[i] != b.iv[i];
		assert_true(differ >= 12);
	}
}

static void shapes_and_names(void **state)
{
	struct aead_shape s = aead_shape(AEAD_AES256_SHA512);

	(void)state;
	assert_int_equal(s.iv_len, 16);
	assert_int_equal(s.tag_len, 32);
	assert_int_equal(s.block_len, 16);
	assert_int_equal(aead_shape(AEAD_AES128_SHA384).tag_len, 24);
	assert_int_equal(aead_shape(AEAD_AES128_GCM16).block_len, 1);
	assert_int_equal(aead_keymat_len(AEAD_AES128_SHA256), 16 + 32);
	assert_int_equal(aead_keymat_len(AEAD_AES256_SHA384), 32 + 48);
	assert_int_equal(aead_mac_key_len(AEAD_AES256_SHA512), 64);
	assert_int_equal(aead_mac_key_len(AEAD_AES256_GCM16), 0);
	assert_string_equal(aead_name(AEAD_AES256_SHA256), "aes256-sha256");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_ciphertexts_open),
		cmocka_unit_test(what_is_sealed_opens),
		cmocka_unit_test(a_context_may_turn_round),
		cmocka_unit_test(every_bit_is_authenticated),
		cmocka_unit_test(wrong_lengths_are_forged),
		cmocka_unit_test(an_iv_is_not_like_the_last),
		cmocka_unit_test(shapes_and_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
