/* tests/unit/test_ike_more_keys.c - keys and signed octets with several key exchanges
 * (RFC 9370 2.2.2, 2.2.4; RFC 9242 3.3.2), against a computation that shares no code.
 *
 * The numbers are of this program:
 *
 *	import hmac, hashlib
 *	prf = lambda k, d: hmac.new(k, d, hashlib.sha256).digest()
 *	def prfp(k, s, n):
 *	    out = t = b''; i = 1
 *	    while len(out) < n: t = prf(k, t + s + bytes([i])); out += t; i += 1
 *	    return out[:n]
 *	fill = lambda first, n: bytes((first + i) & 255 for i in range(n))
 *	ni, nr, mi, mr = fill(0x10, 32), fill(0x40, 32), fill(0x20, 32), fill(0x60, 16)
 *	i, r = bytes.fromhex('0102030405060708'), bytes.fromhex('1112131415161718')
 *	s = [fill(0x80, 32), fill(0x90, 48), fill(0xa0, 384)]
 *	def show(seed, ni, nr, i, r):                  # AES-128-GCM: SK_e of 20 octets
 *	    k = prfp(seed, ni + nr + i + r, 3 * 32 + 2 * 20)
 *	    print(k[:32].hex(), k[72:104].hex(), k[104:].hex()); return k[:32]
 *	d = show(prf(ni + nr, s[0]), ni, nr, i, r)
 *	for x in s[1:]: d = show(prf(d, x + ni + nr), ni, nr, i, r)
 *	seed = s[0] + mi + mr + s[1] + s[2]
 *	show(prf(d, seed), mi, mr, fill(0x21, 8), fill(0x31, 8))
 *	print(prfp(d, seed, 40).hex())
 */
#include "hex.h"
#include "ike_craft.h"

#include <stdlib.h>

#include "base/mem.h"

static const struct {
	const char *sk_d, *sk_pi, *sk_pr;
} want[] = {
	{"c722ec79f3a6f0fdf87e7d7286473ceedfc74bf31ac7839e19182a1423795f9e",
		"fea335556ec21e4b17b916775a7ae93b8b2b04a0e5d51382010462b0dd90c5a9",
		"331cde56e9c2c7bab1558566bee0337afcf43c5d50b22276856b5081172d2935"},
	{"a967f405ffff20dc8e01c24da74d96f3b346abdd710f5a61cf29d6eb6a9fdc03",
		"a4995b012446f3103e34c682383c6b00ffb9a0470ebcf679a10653c28faa3e74",
		"c76d8afa8ac322bc688781f7a7a425bfa1f5b3760f4a12b3b8162f4c400b71b2"},
	{"e1b46ee9e71e7c53f20d031a2f4916dd31addb5e44f06344b7ab741d3112af7b",
		"c1d9a4f6f5b52dba422a5312b09ed9c43a589602067ea4d0f2a0eeb6a96c4cca",
		"32afeb16c281fe9cbe95dc55870623ea69a8e360ba73a7b28e25bdacbf686796"},
};
static const char heirs_sk_d[] =
	"9e8839008e998dbd79034a19d1ffdd086586c392984a818e75f897a4be5d8e00";
static const char childs_i[] = "5dee7280189d6ec8996970e2579adaec865a7710";
static const char childs_r[] = "caa699ad8f747223055abb5b35485bda48e273c6";

static uint64_t counted(uint8_t first)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | (uint8_t)(first + i);
	return v;
}

static struct nonce nonce_from(uint8_t first, uint16_t len)
{
	struct nonce n = {.len = len};

	for (unsigned i = 0; i < len; i++)
		n.b[i] = (uint8_t)(first + i);
	return n;
}

static struct secret secret_from(uint8_t first, size_t len)
{
	struct secret s = {.len = len};

	for (unsigned i = 0; i < len; i++)
		s.b[i] = (uint8_t)(first + i);
	return s;
}

static void assert_secret(const struct secret *s, const char *text)
{
	struct hex h = hex(text);

	unit_assert_span_equal(secret_span(s), hex_span(&h));
}

static void assert_keys(const struct ike_sa *sa, unsigned n)
{
	assert_secret(&sa->sk_d, want[n].sk_d);
	assert_secret(&sa->sk_pi, want[n].sk_pi);
	assert_secret(&sa->sk_pr, want[n].sk_pr);
}

static void free_keys(struct ike_sa *sa)
{
	ike_keys_turn(sa);
	aead_free(sa->seal);
	aead_free(sa->open);
	free(sa);
}

static void the_keys_are_those_of_the_rfc(void **state)
{
	struct lab *lab = lab_new(1);
	struct ike_engine *e = lab->side[A].engine;
	struct ike_sa *sa = mem_new(1, sizeof(*sa)), *heir = mem_new(1, sizeof(*heir));
	struct secret s[] = {
		secret_from(0x80, 32), secret_from(0x90, 48), secret_from(0xa0, 384)};
	struct nonce mi = nonce_from(0x20, 32), mr = nonce_from(0x60, 16);
	struct ike_child child = {.alg = AEAD_AES128_GCM16, .initiator = true};
	struct ike_seed seed;

	(void)state;
	sa->suite = lab->side[A].conn.proposals.ike[0];
	sa->initiator = true;
	sa->nonce_i = nonce_from(0x10, 32);
	sa->nonce_r = nonce_from(0x40, 32);
	sa->spi_i = counted(0x01);
	sa->spi_r = counted(0x11);
	assert_true(ike_keys_derive(e, sa, &s[0]));
	assert_keys(sa, 0);
	for (unsigned n = 1; n < 3; n++) {
		ike_keys_add(e, sa, &s[n]);
		ike_keys_turn(sa);
		assert_keys(sa, n);
	}

	ike_seed_begin(&seed, &s[0], &mi, &mr);
	ike_seed_add(&seed, &s[1]);
	ike_seed_add(&seed, &s[2]);
	ike_keys_child(sa, &child, &seed);
	assert_secret(&child.key_out, childs_i);
	assert_secret(&child.key_in, childs_r);

	heir->suite = sa->suite;
	heir->nonce_i = mi;
	heir->nonce_r = mr;
	heir->spi_i = counted(0x21);
	heir->spi_r = counted(0x31);
	assert_true(ike_keys_rekey(e, sa, heir, &seed));
	assert_secret(&heir->sk_d, heirs_sk_d);
	free_keys(heir);
	free_keys(sa);
	lab_free(lab);
}

/* ---- RFC 9242 3.3.2, written out a second time: from octets on the wire */

static void put_len(uint8_t *at, size_t len, unsigned octets)
{
	while (octets-- > 0) {
		at[octets] = (uint8_t)len;
		len >>= 8;
	}
}

/* prf(SK_p, before | the message with its lengths adjusted); of AES-GCM. */
static struct secret int_auth(struct lab *lab, const struct lab_datagram *d,
	const struct secret *key, const struct secret *before)
{
	uint8_t message[LAB_DATAGRAM];
	struct secret out = {.len = 32};
	size_t text = d->len - 32 - 8 - 16 - 1;

	(void)lab_read(lab, d); /* what was inside is in lab->opened */
	memcpy(message, d->bytes, 32);
	memcpy(message + 32, lab->opened, text);
	put_len(message + 24, 32 + text, 4);
	put_len(message + 30, 4 + text, 2);
	const struct span parts[] = {secret_span(before), span_of(message, 32 + text)};
	assert_int_equal(prf(PRF_SHA256, secret_span(key), parts, 2, out.b), CRYPTO_OK);
	return out;
}

/* The keys of B at its IKE_INTERMEDIATE number n, and its two messages. */
struct round {
	struct secret pi, pr;
};

static void the_signed_octets_are_those_of_the_rfc(void **state)
{
	struct lab *lab = lab_new(2);
	struct secret i = {0}, r = {0};

	(void)state;
	for (enum lab_side_name s = A; s <= B; s++) {
		lab->side[s].conn.proposals.ike[0].more =
			(struct ike_more){.ke = {KE_ECP_384, KE_ECP_256}};
		/* so that each message is in one datagram */
		ike_set_fragment_size(lab->side[s].engine, 2000);
	}
	lab->filter = drop_ike_auth;
	lab_call(lab, A);
	lab_run(lab, 1); /* B has answered IKE_SA_INIT */
	for (unsigned n = 0; n < 2; n++) {
		struct ike_sa *b = lab_sa(lab, B);
		struct round keys = {b->sk_pi, b->sk_pr};

		lab_run(lab, 1); /* A asks */
		unsigned asked = lab->n_log - 1;
		i = int_auth(lab, &lab->log[asked], &keys.pi, &i);
		lab_run(lab,
			1); /* B answers; A still has the keys that it is sealed with */
		r = int_auth(lab, &lab->log[asked + 1], &keys.pr, &r);
	}
	lab_run(lab, 1);
	assert_int_equal(lab_sa(lab, A)->state, STATE_AUTH_SENT);
	assert_int_equal(lab_sa(lab, B)->state, STATE_HALF_OPEN);
	for (enum lab_side_name s = A; s <= B; s++) {
		struct span got = ike_intermediate_signed(lab_sa(lab, s));
		const uint8_t id[] = {0, 0, 0, 3};

		assert_int_equal(got.len, 32 + 32 + 4);
		assert_memory_equal(got.at, i.b, 32);
		assert_memory_equal(got.at + 32, r.b, 32);
		assert_memory_equal(got.at + 64, id, 4);
	}
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_keys_are_those_of_the_rfc),
		cmocka_unit_test(the_signed_octets_are_those_of_the_rfc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
