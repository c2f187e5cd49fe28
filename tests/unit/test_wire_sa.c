/* The SA payload: proposals, transforms, attributes. */
#include "unit.h"

#include "wire/sa_payload.h"

static struct span written(const struct wire_sa *sa, uint8_t *out, size_t cap)
{
	struct writer w = wr_over(out, cap);

	sa_payload_write(&w, sa);
	assert_true(wr_ok(&w));
	return wr_span(&w);
}

static enum wire_err read_hex(const char *hex, struct wire_sa *out)
{
	static uint8_t b[4096];
	return sa_payload_read(rd_over(unit_hex(hex, b, sizeof(b))), out);
}

static void offer(struct wire_sa *sa)
{
	sa->n = 0;
	struct wire_proposal *ike = wire_sa_add(sa, PROTO_IKE, 0, 0);
	wire_proposal_add(ike, TRANSFORM_ENCR, ENCR_AES_GCM_16, 256);
	wire_proposal_add(ike, TRANSFORM_PRF, PRF_HMAC_SHA2_384, 0);
	wire_proposal_add(ike, TRANSFORM_KE, KE_CURVE25519, 0);
	struct wire_proposal *esp = wire_sa_add(sa, PROTO_ESP, 4, 0xc0ffee01);
	wire_proposal_add(esp, TRANSFORM_ENCR, ENCR_CHACHA20_POLY1305, 0);
	wire_proposal_add(esp, TRANSFORM_ESN, ESN_NO, 0);
	struct wire_proposal *rekey = wire_sa_add(sa, PROTO_IKE, 8, 0x1122334455667788);
	wire_proposal_add(rekey, TRANSFORM_ENCR, ENCR_AES_GCM_16, 128);
}

static void octets_are_those_of_the_rfc(void **state)
{
	uint8_t b[256], want[256];
	static struct wire_sa sa;

	(void)state;
	offer(&sa);
	unit_assert_span_equal(written(&sa, b, sizeof(b)),
		unit_hex("02000024 01 01 00 03"
			 "0300000c 01000014 800e0100 03000008 02000006 00000008 0400001f"
			 "0200001c 02 03 04 02 c0ffee01"
			 "03000008 0100001c 00000008 05000000"
			 "0000001c 03 01 08 01 1122334455667788"
			 "0000000c 01000014 800e0080",
			want, sizeof(want)));
}

static void offer_round_trips(void **state)
{
	uint8_t b[256];
	static struct wire_sa sa, got;

	(void)state;
	offer(&sa);
	assert_int_equal(
		sa_payload_read(rd_over(written(&sa, b, sizeof(b))), &got), WIRE_OK);
	assert_int_equal(got.n, 3);
	assert_int_equal(got.at[0].n, 3);
	assert_int_equal(got.at[0].at[0].key_bits, 256);
	assert_int_equal(got.at[0].at[2].id, KE_CURVE25519);
	assert_true(got.at[1].spi == 0xc0ffee01);
	assert_int_equal(got.at[1].protocol, PROTO_ESP);
	assert_int_equal(got.at[1].number, 2);
	assert_true(got.at[2].spi == 0x1122334455667788);
}

static void wrong_lengths_are_malformed(void **state)
{
	static const char *const rows[] = {
		"", /* no proposal at all */
		"00000007 01 01 00", /* shorter than its header */
		"00000009 01 01 00 00", /* beyond the end */
		"02000008 01 01 00 00", /* says more, none comes */
		"00000008 01 01 00 00 00", /* says last, more comes */
		"00000008 01 03 04 00", /* no room for its SPI */
		"00000008 01 01 00 01", /* no room for its transform */
		"00000010 01 01 00 00 00000008 01000014", /* a transform it does not count */
		"00000010 01 01 00 01 00000007 01000014", /* transform below its header */
		"00000010 01 01 00 01 00000009 01000014", /* transform beyond the end */
		"00000010 01 01 00 01 03000008 01000014", /* more transforms, none comes */
		"00000012 01 01 00 01 0000000a 01000014 800e", /* half an attribute */
		"00000014 01 01 00 01 0000000c 01000014 000e0001", /* long one, cut */
	};
	static struct wire_sa got;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(read_hex(rows[i], &got), WIRE_MALFORMED);
	assert_int_equal(read_hex("00000008 01 01 00 00", &got), WIRE_OK);
}

static void an_unknown_attribute_makes_the_transform_match_nothing(void **state)
{
	static struct wire_sa got;

	(void)state;
	/* short form, long form, key length twice, key length of zero */
	assert_int_equal(
		read_hex("00000014 01 01 00 01 0000000c 01000014 800f0100", &got),
		WIRE_OK);
	assert_int_equal(got.at[0].at[0].id, WIRE_TRANSFORM_UNKNOWN);
	assert_int_equal(
		read_hex("00000016 01 01 00 01 0000000e 01000014 000e0002 0100", &got),
		WIRE_OK);
	assert_int_equal(got.at[0].at[0].id, WIRE_TRANSFORM_UNKNOWN);
	assert_int_equal(
		read_hex(
			"00000018 01 01 00 01 00000010 01000014 800e0100 800e0080", &got),
		WIRE_OK);
	assert_int_equal(got.at[0].at[0].id, WIRE_TRANSFORM_UNKNOWN);
	assert_int_equal(
		read_hex("00000014 01 01 00 01 0000000c 01000014 800e0000", &got),
		WIRE_OK);
	assert_int_equal(got.at[0].at[0].id, WIRE_TRANSFORM_UNKNOWN);
}

static void a_proposal_with_an_odd_spi_is_ignored(void **state)
{
	static struct wire_sa got;

	(void)state;
	assert_int_equal(
		read_hex("0200000a 01 02 02 00 aabb 0000000c 02 03 04 00 00000100", &got),
		WIRE_OK);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.at[0].number, 2);
	assert_true(got.at[0].spi == 0x100);
}

static void what_exceeds_the_limits_is_ignored(void **state)
{
	static uint8_t b[65536];
	static struct wire_sa got;
	struct writer w = wr_over(b, sizeof(b));

	(void)state;
	for (unsigned p = 0; p < 40; p++) {
		wr_u8(&w, p < 39 ? 2 : 0);
		wr_u8(&w, 0);
		wr_u16(&w, 8 + 8 * 100);
		wr_bytes(&w, span_of("\1\1\0\144", 4));
		for (unsigned t = 0; t < 100; t++) {
			wr_u32(&w, t < 99 ? 0x03000008 : 0x00000008);
			wr_u16(&w, 0x0200);
			wr_u16(&w, (uint16_t)t);
		}
	}
	assert_int_equal(sa_payload_read(rd_over(wr_span(&w)), &got), WIRE_OK);
	assert_int_equal(got.n, WIRE_PROPOSALS_MAX);
	assert_int_equal(got.at[15].n, WIRE_TRANSFORMS_MAX);
	assert_int_equal(got.at[15].at[31].id, 31);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(octets_are_those_of_the_rfc),
		cmocka_unit_test(offer_round_trips),
		cmocka_unit_test(wrong_lengths_are_malformed),
		cmocka_unit_test(an_unknown_attribute_makes_the_transform_match_nothing),
		cmocka_unit_test(a_proposal_with_an_odd_spi_is_ignored),
		cmocka_unit_test(what_exceeds_the_limits_is_ignored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
