/* tests/unit/test_esp_nat.c - behind NAT: checksums and mappings (RFC 3948). */
#include "esp_pair.h"

/* RFC 3948 3.1.2: the sums that A made are of an address that B never sees. */
static void checksums_are_mended_behind_nat(void **state)
{
	static const uint8_t protos[] = {IP_UDP, IP_TCP};
	struct addr private = lab_addr(false, 201);

	(void)state;
	open_lab((struct lab_options){.encap = true});
	for (size_t i = 0; i < 2; i++) {
		struct esp_packet p = lab_ip(1, &private, &l.b.inner, protos[i], 40);
		static uint8_t plain[64];
		struct ip_packet ip;

		p.at[24] = 0;
		p.at[25] = 40; /* UDP's length */
		assert_int_equal(ip_packet_read(span_of(p.at, p.len), &ip), WIRE_OK);
		l4_checksum_set(p.at, &ip);
		memcpy(plain, p.at + 20, 40);
		memcpy(plain + 40, "\x01\x02\x02", 3);
		plain[43] = protos[i];
		struct esp_packet e = lab_craft(&l, 0, i + 1, span_of(plain, 44));
		assert_int_equal(lab_in(&l.b, &e, LAB_NOW), ESP_INJECT);
		assert_int_equal(ip_packet_read(span_of(e.at, e.len), &ip), WIRE_OK);
		assert_true(addr_equal(&ip.src, &l.a.outer));
		assert_true(l4_checksum_ok(e.at, &ip));
	}
}

/* Without UDP there is no NAT, and a wrong sum is the sender's own. */
static void checksums_are_not_touched_without_nat(void **state)
{
	static uint8_t plain[] = {0, 1, 0, 2, 0, 8, 0xba, 0xad, 1, 2, 2, IP_UDP};

	(void)state;
	open_lab((struct lab_options){0});
	struct esp_packet e = lab_craft(&l, 0, 1, span_of(plain, sizeof plain));
	assert_int_equal(lab_in(&l.b, &e, LAB_NOW), ESP_INJECT);
	assert_memory_equal(e.at + 26, "\xba\xad", 2);
}

/* RFC 7296 2.23: the newest authentic packet shows where the peer is now. */
static void a_moved_mapping_is_told_once(void **state)
{
	struct esp_notice n;
	struct esp_packet old, p;

	(void)state;
	open_lab((struct lab_options){.encap = true, .mode = POLICY_TUNNEL});
	old = from_a(0, 10);
	p = from_a(1, 10);
	p.remote.port = 40000;
	assert_int_equal(into_b(p), ESP_INJECT);
	assert_true(next_notice(&l.b, ESP_MAPPING, &n));
	assert_int_equal(n.remote.port, 40000);
	assert_int_equal(n.id, LAB_ID);
	/* a second of the same, and a straggler from the old place */
	p = from_a(1, 10);
	p.remote.port = 40000;
	assert_int_equal(into_b(p), ESP_INJECT);
	assert_int_equal(into_b(old), ESP_INJECT);
	p = from_a(1, 10);
	p.remote.port = 40000;
	assert_int_equal(into_b(p), ESP_INJECT);
	assert_false(next_notice(&l.b, ESP_MAPPING, &n));

	/* nothing is sent there before the node says so */
	struct esp_packet back = lab_udp(2, &l.b.inner, 143, &l.a.inner, 5, 4);
	assert_int_equal(lab_out(&l.b, &back, LAB_NOW), ESP_SEND);
	assert_int_equal(back.remote.port, 4500);
	struct endpoint to = {l.a.outer, 40000};
	assert_int_equal(esp_dp_move(l.b.dp, LAB_ID, &to, true), ESP_OK);
	back = lab_udp(2, &l.b.inner, 143, &l.a.inner, 5, 4);
	assert_int_equal(lab_out(&l.b, &back, LAB_NOW), ESP_SEND);
	assert_int_equal(back.remote.port, 40000);
	p = from_a(1, 10);
	p.remote.port = 40000;
	assert_int_equal(into_b(p), ESP_INJECT);
	assert_false(next_notice(&l.b, ESP_MAPPING, &n));
}

/* The node may learn of a third place from IKE: what was told before is told again. */
static void a_move_elsewhere_forgets_what_was_told(void **state)
{
	struct endpoint third;
	struct esp_notice n;
	struct esp_packet p;

	(void)state;
	open_lab((struct lab_options){.encap = true});
	third = (struct endpoint){l.a.outer, 50000};
	for (int i = 0; i < 2; i++) {
		p = from_a(1, 10);
		p.remote.port = 40000;
		assert_int_equal(into_b(p), ESP_INJECT);
		assert_true(next_notice(&l.b, ESP_MAPPING, &n));
		assert_int_equal(n.remote.port, 40000);
		assert_int_equal(esp_dp_move(l.b.dp, LAB_ID, &third, true), ESP_OK);
	}
}

static void a_forged_mapping_is_not_told(void **state)
{
	struct esp_notice n;

	(void)state;
	open_lab((struct lab_options){.encap = true});
	struct esp_packet p = from_a(0, 10);
	p.remote.port = 40000;
	p.at[20] ^= 1;
	assert_int_equal(into_b(p), ESP_DROP);
	assert_false(next_notice(&l.b, ESP_MAPPING, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(checksums_are_mended_behind_nat),
		TEST(checksums_are_not_touched_without_nat),
		TEST(a_moved_mapping_is_told_once),
		TEST(a_move_elsewhere_forgets_what_was_told),
		TEST(a_forged_mapping_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
