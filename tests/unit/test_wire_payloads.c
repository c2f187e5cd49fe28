/* The small payloads: KE, Nonce, ID, AUTH, Notify, Delete, Vendor ID, TS. */
#include "unit.h"

#include "base/iana.h"
#include "wire/auth_payload.h"
#include "wire/cert_payload.h"
#include "wire/ke_payload.h"
#include "wire/notify_payload.h"
#include "wire/redirect.h"
#include "wire/ts_payload.h"

static uint8_t out[2048];

static struct writer pen(void)
{
	return wr_over(out, sizeof(out));
}

/* A reader over octets given in hexadecimal; good until the next call. */
static struct reader over(const char *hex)
{
	static uint8_t b[2048];
	return rd_over(unit_hex(hex, b, sizeof(b)));
}

static void assert_written(const struct writer *w, const char *hex)
{
	uint8_t want[512];

	assert_true(wr_ok(w));
	unit_assert_span_equal(wr_span(w), unit_hex(hex, want, sizeof(want)));
}

static void ke_round_trips(void **state)
{
	struct wire_ke ke = {.group = KE_CURVE25519, .public = span_text("key")}, got;
	struct writer w = pen();

	(void)state;
	ke_payload_write(&w, &ke);
	assert_written(&w, "001f 0000 6b6579");
	assert_int_equal(ke_payload_read(rd_over(wr_span(&w)), &got), WIRE_OK);
	assert_int_equal(got.group, KE_CURVE25519);
	unit_assert_span_equal(got.public, ke.public);
	assert_int_equal(ke_payload_read(over("001f 0000"), &got), WIRE_MALFORMED);
	assert_int_equal(ke_payload_read(over("001f 00"), &got), WIRE_MALFORMED);
	assert_true(ke_payload_is_empty(over("000e 0000")));
	assert_false(ke_payload_is_empty(over("000e 0000 aa")));
	assert_false(ke_payload_is_empty(over("000e 00")));
}

static void nonce_is_16_to_256_octets(void **state)
{
	static uint8_t b[257];
	struct span got;

	(void)state;
	for (size_t len = 0; len <= sizeof(b); len++) {
		enum wire_err want = len >= 16 && len <= 256 ? WIRE_OK : WIRE_MALFORMED;
		assert_int_equal(
			nonce_payload_read(rd_over(span_of(b, len)), &got), want);
	}
	struct writer w = pen();
	nonce_payload_write(&w, span_of(b, 32));
	assert_int_equal(nonce_payload_read(rd_over(wr_span(&w)), &got), WIRE_OK);
	assert_int_equal(got.len, 32);
}

static void identity_round_trips(void **state)
{
	static const char *const texts[] = {"192.0.2.1", "2001:db8::1", "mail.example",
		"user@mail.example", "@#c0ffee", "9#3000"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct identity id, got;
		struct writer w = pen();

		assert_true(identity_parse(texts[i], &id));
		id_payload_write(&w, &id);
		assert_int_equal(wr_len(&w), 4U + id.len);
		assert_int_equal(id_payload_read(rd_over(wr_span(&w)), &got), WIRE_OK);
		assert_true(identity_equal(&id, &got));
	}
}

static void malformed_identities_are_told(void **state)
{
	static uint8_t b[4 + IDENTITY_MAX + 1] = {ID_FQDN};
	struct identity got;

	(void)state;
	assert_int_equal(id_payload_read(over("01000000 c00002"), &got), WIRE_MALFORMED);
	assert_int_equal(
		id_payload_read(over("05000000 c0000201"), &got), WIRE_MALFORMED);
	assert_int_equal(id_payload_read(over("02000000"), &got), WIRE_MALFORMED);
	assert_int_equal(id_payload_read(over("00000000"), &got), WIRE_MALFORMED);
	assert_int_equal(id_payload_read(over("020000"), &got), WIRE_MALFORMED);
	assert_int_equal(
		id_payload_read(rd_over(span_of(b, sizeof(b))), &got), WIRE_MALFORMED);
	assert_int_equal(
		id_payload_read(rd_over(span_of(b, sizeof(b) - 1)), &got), WIRE_OK);
}

static void auth_round_trips(void **state)
{
	struct wire_auth a = {.method = AUTH_SHARED_KEY_MIC, .data = span_text("mac")},
			 got;
	struct writer w = pen();

	(void)state;
	auth_payload_write(&w, &a);
	assert_written(&w, "02000000 6d6163");
	assert_int_equal(auth_payload_read(rd_over(wr_span(&w)), &got), WIRE_OK);
	assert_int_equal(got.method, a.method);
	unit_assert_span_equal(got.data, a.data);
	assert_int_equal(auth_payload_read(over("02000000"), &got), WIRE_MALFORMED);
}

static void notify_round_trips(void **state)
{
	struct wire_notify n = {.protocol = PROTO_ESP,
		.type = N_REKEY_SA,
		.spi = span_of("\1\2\3\4", 4),
		.data = span_text("data")};
	struct wire_notify got;
	struct writer w = pen();

	(void)state;
	notify_payload_write(&w, &n);
	assert_written(&w, "03 04 4009 01020304 64617461");
	assert_int_equal(notify_payload_read(rd_over(wr_span(&w)), &got), WIRE_OK);
	assert_int_equal(got.protocol, PROTO_ESP);
	assert_int_equal(got.type, N_REKEY_SA);
	unit_assert_span_equal(got.spi, n.spi);
	unit_assert_span_equal(got.data, n.data);
}

static void a_notify_too_short_for_its_spi_is_malformed(void **state)
{
	struct wire_notify got;

	(void)state;
	assert_int_equal(
		notify_payload_read(over("03 04 4009 010203"), &got), WIRE_MALFORMED);
	assert_int_equal(notify_payload_read(over("00 00 40"), &got), WIRE_MALFORMED);
	assert_int_equal(notify_payload_read(over("00 00 4000"), &got), WIRE_OK);
	assert_int_equal(got.spi.len + got.data.len, 0);
}

static void delete_of_children_round_trips(void **state)
{
	static const uint32_t spis[] = {0x100, 0xffffffff};
	struct wire_delete got;
	struct writer w = pen();

	(void)state;
	delete_payload_write_child(&w, PROTO_ESP, spis, 2);
	assert_written(&w, "03 04 0002 00000100 ffffffff");
	assert_int_equal(delete_payload_read(rd_over(wr_span(&w)), &got), WIRE_OK);
	assert_int_equal(got.protocol, PROTO_ESP);
	assert_int_equal(got.n, 2);
	for (uint16_t i = 0; i < 2; i++)
		assert_true(wire_delete_spi(&got, i) == spis[i]);
}

static void delete_of_the_ike_sa_round_trips(void **state)
{
	struct wire_delete got;
	struct writer w = pen();

	(void)state;
	delete_payload_write_ike(&w);
	assert_written(&w, "01 00 0000");
	assert_int_equal(delete_payload_read(rd_over(wr_span(&w)), &got), WIRE_OK);
	assert_int_equal(got.protocol, PROTO_IKE);
	assert_int_equal(got.n, 0);
}

static void malformed_deletes_are_told(void **state)
{
	static const char *const rows[] = {"01 00 0001", "01 08 0001 0000000000000001",
		"03 04 0002 00000100", "03 04 0001 00000100 00", "03 02 0001 0001",
		"03 04 00", "03 00 ffff"};
	struct wire_delete got;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
			delete_payload_read(over(rows[i]), &got), WIRE_MALFORMED);
	assert_int_equal(delete_payload_read(over("03 04 0000"), &got), WIRE_OK);
}

static void vendor_id_is_any_octets(void **state)
{
	struct writer w = pen();

	(void)state;
	vendor_payload_write(&w, span_text("vid"));
	unit_assert_span_equal(
		vendor_payload_read(rd_over(wr_span(&w))), span_text("vid"));
	assert_int_equal(vendor_payload_read(rd_over(span_of(NULL, 0))).len, 0);
}

static void selectors_round_trip(void **state)
{
	struct addr host = unit_addr("192.0.2.10");
	struct ts_list l = {.n = 0}, got;
	struct ts t = ts_host(&host), six = ts_any(ADDR_V6), opaque = ts_host(&host);
	struct writer w = pen();

	(void)state;
	t.proto = IP_TCP;
	t.port_lo = t.port_hi = 143;
	opaque.proto = IP_UDP;
	opaque.port_lo = 65535;
	opaque.port_hi = 0;
	ts_list_add(&l, &t);
	ts_list_add(&l, &six);
	ts_list_add(&l, &opaque);
	ts_payload_write(&w, &l);
	assert_written(&w, "03000000"
			   "07 06 0010 008f 008f c000020a c000020a"
			   "08 00 0028 0000 ffff 00000000000000000000000000000000"
			   "ffffffffffffffffffffffffffffffff"
			   "07 11 0010 ffff 0000 c000020a c000020a");
	assert_int_equal(ts_payload_read(rd_over(wr_span(&w)), &got), WIRE_OK);
	assert_true(ts_list_equal(&l, &got));
}

static void unusable_selectors_are_left_out(void **state)
{
	struct ts_list got;

	(void)state;
	/* an unknown type; a range that is empty; one that is good */
	assert_int_equal(ts_payload_read(over("03000000 09 00 0008 00000001"
					      "07 00 0010 0000 ffff c000020b c000020a"
					      "07 00 0010 0000 ffff c000020a c000020a"),
				 &got),
		WIRE_OK);
	assert_int_equal(got.n, 1);
	assert_int_equal(
		ts_payload_read(over("01000000 09 00 0008 00000001"), &got), WIRE_OK);
	assert_int_equal(got.n, 0);
}

static void malformed_selectors_are_told(void **state)
{
	/* none at all; one too few; one octet too many; a length too short, too long, that
	 * of the other family, below its own field, and beyond the end */
	static const char *const rows[] = {
		"00000000",
		"02000000 07000010 0000ffff c000020a c000020a",
		"01000000 07000010 0000ffff c000020a c000020a 00",
		"01000000 0700000f 0000ffff c000020a c00002",
		"01000000 07000011 0000ffff c000020a c000020a 00",
		"01000000 08000010 0000ffff c000020a c000020a",
		"01000000 09000003",
		"01000000 09000005",
		"010000",
	};
	struct ts_list got;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(ts_payload_read(over(rows[i]), &got), WIRE_MALFORMED);
}

static void selectors_beyond_the_limit_are_ignored(void **state)
{
	struct ts_list got;
	struct writer w = pen();

	(void)state;
	wr_u32(&w, 0x28000000);
	for (uint32_t i = 0; i < 40; i++) {
		wr_u64(&w, 0x070000100000ffff);
		wr_u32(&w, 0x0a000000 + i);
		wr_u32(&w, 0x0a000000 + i);
	}
	assert_int_equal(ts_payload_read(rd_over(wr_span(&w)), &got), WIRE_OK);
	assert_int_equal(got.n, TS_LIST_MAX);
	assert_int_equal(got.at[TS_LIST_MAX - 1].lo.b[3], TS_LIST_MAX - 1);
}

static void cert_and_certreq_round_trip(void **state)
{
	struct wire_cert cert = {
		.encoding = CERT_X509_SIGNATURE, .data = span_text("der")};
	struct wire_cert got;
	struct wire_certreq req;
	struct writer w = pen();

	(void)state;
	cert_payload_write(&w, &cert);
	assert_written(&w, "04 646572");
	assert_int_equal(cert_payload_read(rd_over(wr_span(&w)), &got), WIRE_OK);
	assert_int_equal(got.encoding, CERT_X509_SIGNATURE);
	unit_assert_span_equal(got.data, cert.data);
	assert_int_equal(cert_payload_read(over("04"), &got), WIRE_MALFORMED);
	assert_int_equal(cert_payload_read(over(""), &got), WIRE_MALFORMED);

	assert_int_equal(certreq_payload_read(over("04"), &req), WIRE_OK);
	assert_int_equal(req.hashes.len, 0);
	assert_int_equal(
		certreq_payload_read(
			over("04 0102030405060708090a0b0c0d0e0f1011121314"), &req),
		WIRE_OK);
	assert_int_equal(req.hashes.len, CERTREQ_HASH_LEN);
	w = pen();
	certreq_payload_write(&w, &req);
	assert_written(&w, "04 0102030405060708090a0b0c0d0e0f1011121314");
	assert_int_equal(certreq_payload_read(over("04 01"), &req), WIRE_MALFORMED);
	assert_int_equal(
		certreq_payload_read(over("0c 01"), &req), WIRE_OK); /* not ours */
	assert_int_equal(certreq_payload_read(over(""), &req), WIRE_MALFORMED);
}

/* RFC 7427 4: two octets each, in any order; those of tomorrow are passed over. */
static void hash_algorithms_round_trip(void **state)
{
	uint8_t list[32], b[8];
	uint16_t hashes = 0;

	(void)state;
	assert_int_equal(hash_algorithms_read(
				 unit_hex("0005 0002 0100 0002", b, sizeof(b)), &hashes),
		WIRE_OK);
	assert_int_equal(hashes, 1 << 5 | 1 << 2);
	assert_int_equal(hash_algorithms_write(hashes, list), 4);
	assert_memory_equal(list, "\0\2\0\5", 4);
	assert_int_equal(hash_algorithms_read(unit_hex("0002 00", b, sizeof(b)), &hashes),
		WIRE_MALFORMED);
}

static void assert_redirect(
	const char *hex, const char *addr, const char *name, size_t nonce)
{
	static uint8_t b[512];
	struct span data = unit_hex(hex, b, sizeof(b));
	struct wire_redirect r;
	struct writer w = pen();

	assert_int_equal(redirect_read(data, &r), WIRE_OK);
	if (addr) {
		const struct addr want = unit_addr(addr);
		assert_true(addr_equal(&r.addr, &want));
	}
	unit_assert_span_equal(r.name, span_text(name));
	assert_int_equal(r.nonce.len, nonce);
	redirect_write(&w, &r);
	unit_assert_span_equal(wr_span(&w), data);
}

/* RFC 5685 9.2, 9.3. */
static void redirect_round_trips(void **state)
{
	(void)state;
	assert_redirect("01 04 c000024d", "192.0.2.77", "", 0);
	assert_redirect(
		"01 04 c000024d 00112233445566778899aabbccddeeff", "192.0.2.77", "", 16);
	assert_redirect("02 10 20010db8000000000000000000000077", "2001:db8::77", "", 0);
	assert_redirect("03 0a 67772e6578616d706c65", NULL, "gw.example", 0);
}

static void malformed_redirects_are_told(void **state)
{
	static const char *const bad[] = {"", "01", "01 04 c00002", "01 10 c000024d",
		"01 00", "02 04 c000024d", "03 00", "03 0a 67772e", "00 04 c000024d",
		"04 04 c000024d", "03 03 670067", "03 03 670a67", "03 03 672067",
		"03 03 67ff67", /* and nonces that are none */
		"01 04 c000024d 00", "01 04 c000024d 00112233445566778899aabbccddee"};
	static uint8_t b[512], long_nonce[6 + 257] = {1, 4, 192, 0, 2, 77};
	struct wire_redirect r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(redirect_read(unit_hex(bad[i], b, sizeof(b)), &r),
			WIRE_MALFORMED);
	assert_int_equal(redirect_read(span_of(long_nonce, sizeof(long_nonce)), &r),
		WIRE_MALFORMED);
	assert_int_equal(
		redirect_read(span_of(long_nonce, sizeof(long_nonce) - 1), &r), WIRE_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cert_and_certreq_round_trip),
		cmocka_unit_test(hash_algorithms_round_trip),
		cmocka_unit_test(ke_round_trips),
		cmocka_unit_test(nonce_is_16_to_256_octets),
		cmocka_unit_test(identity_round_trips),
		cmocka_unit_test(malformed_identities_are_told),
		cmocka_unit_test(auth_round_trips),
		cmocka_unit_test(notify_round_trips),
		cmocka_unit_test(a_notify_too_short_for_its_spi_is_malformed),
		cmocka_unit_test(delete_of_children_round_trips),
		cmocka_unit_test(delete_of_the_ike_sa_round_trips),
		cmocka_unit_test(malformed_deletes_are_told),
		cmocka_unit_test(vendor_id_is_any_octets),
		cmocka_unit_test(selectors_round_trip),
		cmocka_unit_test(unusable_selectors_are_left_out),
		cmocka_unit_test(malformed_selectors_are_told),
		cmocka_unit_test(selectors_beyond_the_limit_are_ignored),
		cmocka_unit_test(redirect_round_trips),
		cmocka_unit_test(malformed_redirects_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
