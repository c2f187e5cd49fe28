/* test_crypto_plain.c - integrity without encryption: HMAC-SHA2 beside NULL, and AES-GMAC,
 * against published results and those of other hands; and what must not be opened.
 */
#include "crypto/aead.h"
#include "hex.h"

#include <stddef.h>

enum { TEXT_LEN = 32, CLEAR_LEN = 8 };

static const uint8_t KEYMAT[64] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static const enum aead_alg ALGS[] = {AEAD_NULL_SHA256, AEAD_NULL_SHA384, AEAD_NULL_SHA512,
	AEAD_AES128_GMAC, AEAD_AES256_GMAC};
enum { N_ALGS = sizeof ALGS / sizeof ALGS[0] };

/* One packet as a whole: SPI and number in front; IV, text and tag behind each other. */
struct published {
	const char *source;
	enum aead_alg alg;
	const char *keymat, *clear, *iv, *text, *tag;
};

#define PING                                                                       \
	"45000030da3a00008001df3bc0a80005c0a800010800c6cd020007006162636465666768" \
	"696a6b6c6d6e6f707172737401020201"

static const struct published published[] = {
	{
		.source = "McGrew, GCM test vectors for ESP: GMAC, no encryption",
		.alg = AEAD_AES128_GMAC,
		.keymat = "4c80cdefbb5d10da906ac73c3613a63422433c64",
		.clear = "0000432100000007",
		.iv = "0000000000000000",
		.text = PING,
		.tag = "f2a9a836e155106aa8dcd618e4099aaa",
	},
	{
		.source = "the same with 256 bits and ESN, by python3-cryptography",
		.alg = AEAD_AES256_GMAC,
		.keymat =
			"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
			"20212223",
		.clear = "deadbeef0000000100000002",
		.iv = "a1a2a3a4a5a6a7a8",
		.text = PING,
		.tag = "c3c349adb3f45b958344edc776c3b96e",
	},
	{
		.source = "scapy 2.5: NULL with SHA2-256-128",
		.alg = AEAD_NULL_SHA256,
		.keymat =
			"404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5"
			"f",
		.clear = "0102030400000005",
		.iv = "",
		.text = "1388008f0010c6217265616461626c6501020211",
		.tag = "31d24a8726fc38a7c1296d0b1c14e6d4",
	},
	{
		.source = "scapy 2.5: NULL with SHA2-384-192",
		.alg = AEAD_NULL_SHA384,
		.keymat =
			"404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
			"606162636465666768696a6b6c6d6e6f",
		.clear = "0102030400000005",
		.iv = "",
		.text = "1388008f0010c6217265616461626c6501020211",
		.tag = "060f4369c8b26a2ff2e34459670ee540ed86164ac843beab",
	},
	{
		.source = "scapy 2.5: NULL with SHA2-512-256",
		.alg = AEAD_NULL_SHA512,
		.keymat =
			"404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
			"606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7"
			"f",
		.clear = "0102030400000005",
		.iv = "",
		.text = "1388008f0010c6217265616461626c6501020211",
		.tag = "c8bcea42a65a9de908aa9b8be8e2e78099eb3b5d1e1b51872599e9038c714ee5",
	},
};

static struct aead *context(enum aead_alg alg)
{
	struct aead *a = aead_new(alg, span_of(KEYMAT, aead_keymat_len(alg)));

	assert_non_null(a);
	return a;
}

static uint64_t number_in(const struct hex *iv)
{
	uint64_t n = 0;

	for (size_t i = 0; i < iv->len; i++)
		n = n << 8 | iv->b[i];
	return n;
}

static void published_packets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
		const struct published *v = &published[i];
		struct hex keymat = hex(v->keymat), clear = hex(v->clear),
			   iv = hex(v->iv);
		struct hex text = hex(v->text), tag = hex(v->tag), packet = text;
		struct aead *a = aead_new(v->alg, hex_span(&keymat));
		uint8_t iv_made[AEAD_IV_MAX], out[HEX_MAX];

		print_message("%s\n", v->source);
		assert_non_null(a);
		assert_int_equal(aead_seal_packet(a, number_in(&iv), hex_span(&clear),
					 span_of(NULL, 0), iv_made, packet.b, text.len),
			CRYPTO_OK);
		assert_memory_equal(iv_made, iv.b, iv.len);
		assert_memory_equal(packet.b, text.b, text.len);
		assert_memory_equal(packet.b + text.len, tag.b, tag.len);
		assert_int_equal(
			aead_open_packet(a, hex_span(&clear), span_of(NULL, 0), iv.b,
				span_of(packet.b, text.len + tag.len), out),
			CRYPTO_OK);
		assert_memory_equal(out, text.b, text.len);
		aead_free(a);
	}
}

struct packet {
	uint8_t clear[CLEAR_LEN], iv[AEAD_IV_LEN], text[TEXT_LEN + AEAD_TAG_MAX];
};

static enum crypto_err open_packet(enum aead_alg alg, const struct packet *p,
	size_t text_len, struct span tail, uint8_t *out)
{
	struct aead *a = context(alg);
	enum crypto_err err = aead_open_packet(a, span_of(p->clear, CLEAR_LEN), tail,
		p->iv, span_of(p->text, text_len), out);

	aead_free(a);
	return err;
}

static struct packet seal_packet(enum aead_alg alg, struct span tail)
{
	struct packet p = {.clear = "in clear", .text = "everybody can read this text"};
	struct packet before = p;
	struct aead *a = context(alg);

	assert_int_equal(aead_seal_packet(a, 9, span_of(p.clear, CLEAR_LEN), tail, p.iv,
				 p.text, TEXT_LEN),
		CRYPTO_OK);
	assert_memory_equal(p.text, before.text, TEXT_LEN);
	aead_free(a);
	return p;
}

/* Header, IV where there is one, text and tag: a bit of each, and it is a forgery. */
static void every_bit_is_authenticated(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ALGS; i++) {
		struct aead_shape s = aead_shape(ALGS[i]);
		const struct packet good = seal_packet(ALGS[i], span_of(NULL, 0));
		size_t text_len = TEXT_LEN + (size_t)s.tag_len;
		uint8_t out[TEXT_LEN];

		for (size_t at = 0; at < offsetof(struct packet, text) + text_len; at++) {
			struct packet p = good;

			((uint8_t *)&p)[at] ^= 0x10;
			bool counts = at < CLEAR_LEN || at >= CLEAR_LEN + AEAD_IV_LEN ||
				      s.iv_len != 0;
			assert_int_equal(
				open_packet(ALGS[i], &p, text_len, span_of(NULL, 0), out),
				counts ? CRYPTO_FORGED : CRYPTO_OK);
		}
		for (size_t len = 0; len < text_len; len++)
			assert_int_equal(
				open_packet(ALGS[i], &good, len, span_of(NULL, 0), out),
				CRYPTO_FORGED);
	}
}

/* RFC 4303 2.2.1: of HMAC the number's upper half stands behind the text. */
static void what_stands_behind_is_authenticated(void **state)
{
	(void)state;
	for (enum aead_alg alg = AEAD_NULL_SHA256; alg <= AEAD_NULL_SHA512; alg++) {
		const struct packet p = seal_packet(alg, span_text("tail"));
		size_t len = TEXT_LEN + (size_t)aead_shape(alg).tag_len;
		uint8_t out[TEXT_LEN];

		assert_int_equal(
			open_packet(alg, &p, len, span_text("tail"), out), CRYPTO_OK);
		assert_memory_equal(out, p.text, TEXT_LEN);
		assert_int_equal(
			open_packet(alg, &p, len, span_text("tbil"), out), CRYPTO_FORGED);
		assert_int_equal(
			open_packet(alg, &p, len, span_of(NULL, 0), out), CRYPTO_FORGED);
	}
}

/* RFC 2410 3: no key of the cipher, no IV, no padding; RFC 4868 2.6; RFC 4543 5.4. */
static void shapes_and_names(void **state)
{
	(void)state;
	assert_int_equal(aead_keymat_len(AEAD_NULL_SHA256), 32);
	assert_int_equal(aead_mac_key_len(AEAD_NULL_SHA256), 32);
	assert_int_equal(aead_keymat_len(AEAD_NULL_SHA384), 48);
	assert_int_equal(aead_keymat_len(AEAD_NULL_SHA512), 64);
	assert_int_equal(aead_keymat_len(AEAD_AES128_GMAC), 20);
	assert_int_equal(aead_keymat_len(AEAD_AES256_GMAC), 36);
	assert_int_equal(aead_mac_key_len(AEAD_AES256_GMAC), 0);
	assert_int_equal(aead_shape(AEAD_NULL_SHA384).iv_len, 0);
	assert_int_equal(aead_shape(AEAD_NULL_SHA384).block_len, 1);
	assert_int_equal(aead_shape(AEAD_NULL_SHA384).tag_len, 24);
	assert_int_equal(aead_shape(AEAD_AES128_GMAC).iv_len, 8);
	assert_string_equal(aead_name(AEAD_NULL_SHA512), "null-sha512");
	assert_string_equal(aead_name(AEAD_AES128_GMAC), "aes128gmac");
}

static void who_encrypts_says_so(void **state)
{
	(void)state;
	for (enum aead_alg alg = AEAD_AES128_GCM16; alg < AEAD_ALGS; alg++)
		assert_int_equal(aead_encrypts(alg), alg < AEAD_NULL_SHA256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_packets),
		cmocka_unit_test(every_bit_is_authenticated),
		cmocka_unit_test(what_stands_behind_is_authenticated),
		cmocka_unit_test(shapes_and_names),
		cmocka_unit_test(who_encrypts_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
