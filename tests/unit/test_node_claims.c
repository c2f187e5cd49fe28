/* Who owns what: the table that all members compute alike, and the messages it is fed. */
#include "unit.h"

#include "node/claim.h"

static const uint8_t both[] = {1, 2}, three[] = {1, 2, 3};

static struct cluster_msg hello_of(const struct claims *to, const struct addr *addrs,
	unsigned n, uint8_t *bytes, size_t cap)
{
	static const uint8_t hash[32] = {7};
	struct writer w = wr_over(bytes, cap);
	struct cluster_msg m;
	uint8_t set[32];

	claims_member_set(to, set);
	cluster_write_hello(&w, hash, set, addrs, n);
	assert_int_equal(cluster_msg_read(wr_span(&w), &m), CLUSTER_OK);
	return m;
}

static void say_hello(
	struct claims *c, uint8_t from, const struct addr *addrs, unsigned n)
{
	uint8_t bytes[256];
	struct cluster_msg m = hello_of(c, addrs, n, bytes, sizeof(bytes));

	assert_true(claims_on_hello(c, from, &m));
}

static void a_claim_waits_for_every_hello(void **state)
{
	static struct claims c;
	struct addr a = unit_addr("192.0.2.10");

	(void)state;
	claims_on_members(&c, both, 2);
	say_hello(&c, 1, NULL, 0);
	assert_true(claims_on_claim(&c, 2, &a));
	assert_true(claims_on_claim(&c, 1, &a));
	assert_int_equal(claims_owner(&c, &a), 0);
	say_hello(&c, 2, NULL, 0);
	assert_int_equal(claims_owner(&c, &a), 2); /* the first who asked */
}

static void who_says_hello_with_it_goes_before_who_asks(void **state)
{
	static struct claims c;
	struct addr a = unit_addr("192.0.2.10");

	(void)state;
	claims_on_members(&c, both, 2);
	say_hello(&c, 1, NULL, 0);
	assert_true(claims_on_claim(&c, 1, &a));
	say_hello(&c, 2, &a, 1);
	assert_int_equal(claims_owner(&c, &a), 2);
}

static void of_two_owners_the_first_hello_wins(void **state)
{
	static struct claims c;
	struct addr a = unit_addr("192.0.2.10");

	(void)state;
	claims_on_members(&c, three, 3);
	say_hello(&c, 3, &a, 1);
	say_hello(&c, 1, &a, 1);
	say_hello(&c, 2, NULL, 0);
	assert_int_equal(claims_owner(&c, &a), 3);
}

static void a_void_claim_is_not_kept(void **state)
{
	static struct claims c;
	struct addr a = unit_addr("192.0.2.10");

	(void)state;
	claims_on_members(&c, both, 2);
	say_hello(&c, 1, &a, 1);
	say_hello(&c, 2, NULL, 0);
	assert_true(claims_on_claim(&c, 2, &a));
	assert_true(claims_on_release(&c, 1, &a));
	assert_int_equal(claims_owner(&c, &a), 0);
	assert_int_equal(c.n, 0);
	assert_true(claims_on_claim(&c, 2, &a));
	assert_int_equal(claims_owner(&c, &a), 2);
}

static void only_the_owner_can_release(void **state)
{
	static struct claims c;
	struct addr a = unit_addr("192.0.2.10");

	(void)state;
	claims_on_members(&c, both, 2);
	say_hello(&c, 1, &a, 1);
	assert_true(claims_on_release(&c, 2, &a));
	assert_int_equal(claims_owner(&c, &a), 1);
}

static void strangers_have_no_voice(void **state)
{
	static struct claims c;
	struct addr a = unit_addr("192.0.2.10");

	(void)state;
	claims_on_members(&c, both, 2);
	assert_false(claims_on_claim(&c, 9, &a));
	assert_false(claims_on_release(&c, 9, &a));
	assert_int_equal(c.n, 0);
}

static void a_new_membership_begins_empty(void **state)
{
	static struct claims c;
	struct addr a = unit_addr("192.0.2.10");

	(void)state;
	claims_on_members(&c, both, 2);
	say_hello(&c, 1, &a, 1);
	say_hello(&c, 2, NULL, 0);
	assert_true(c.complete);
	claims_on_members(&c, both + 1, 1);
	assert_int_equal(claims_owner(&c, &a), 0);
	assert_false(c.complete);
}

/* A HELLO from the last membership names what its sender owned, not all that it owns. */
static void a_late_hello_does_not_complete(void **state)
{
	static struct claims old, c;
	struct addr a = unit_addr("192.0.2.10"), b = unit_addr("192.0.2.11");
	uint8_t bytes[256];

	(void)state;
	claims_on_members(&old, both, 2);
	struct cluster_msg late = hello_of(&old, &a, 1, bytes, sizeof(bytes));
	claims_on_members(&c, three, 3);
	assert_true(claims_on_hello(&c, 1, &late));
	assert_int_equal(claims_owner(&c, &a), 1);
	say_hello(&c, 2, NULL, 0);
	say_hello(&c, 3, NULL, 0);
	assert_false(c.complete);
	say_hello(&c, 1, &b, 1);
	assert_true(c.complete);
	assert_int_equal(claims_owner(&c, &b), 1);
}

static struct cluster_msg vouch_of(const struct claims *to, uint8_t silent,
	const struct addr *owned, uint8_t *bytes, size_t cap)
{
	struct writer w = wr_over(bytes, cap);
	struct cluster_msg m;
	uint8_t set[32], bits[32] = {(uint8_t)(1u << silent)};
	struct vouched v = {.owner = silent};

	if (owned)
		v.addr = *owned;
	claims_member_set(to, set);
	cluster_write_vouch(&w, set, bits, &v, owned ? 1 : 0);
	assert_int_equal(cluster_msg_read(wr_span(&w), &m), CLUSTER_OK);
	return m;
}

/* What it owns stays its own; everything else can be claimed without it. */
static void a_silent_member_is_vouched_for(void **state)
{
	static struct claims c;
	struct addr a = unit_addr("192.0.2.10"), b = unit_addr("192.0.2.11");
	uint8_t bytes[256];

	(void)state;
	claims_on_members(&c, three, 3);
	say_hello(&c, 1, NULL, 0);
	say_hello(&c, 2, NULL, 0);
	assert_true(claims_on_claim(&c, 2, &b));
	struct cluster_msg m = vouch_of(&c, 3, &a, bytes, sizeof(bytes));
	assert_true(claims_on_vouch(&c, 1, &m));
	assert_true(c.complete);
	assert_int_equal(claims_owner(&c, &a), 3);
	assert_int_equal(claims_owner(&c, &b), 2);
	assert_true(claims_on_claim(&c, 1, &a));
	assert_int_equal(claims_owner(&c, &a), 3);
}

static void a_late_hello_replaces_what_was_vouched(void **state)
{
	static struct claims c;
	struct addr a = unit_addr("192.0.2.10"), b = unit_addr("192.0.2.11");
	uint8_t bytes[256];

	(void)state;
	claims_on_members(&c, three, 3);
	say_hello(&c, 1, NULL, 0);
	say_hello(&c, 2, NULL, 0);
	struct cluster_msg m = vouch_of(&c, 3, &a, bytes, sizeof(bytes));
	assert_true(claims_on_vouch(&c, 1, &m));
	assert_true(claims_on_claim(&c, 3, &b)); /* granted: not for the HELLO to end */
	say_hello(&c, 3, NULL, 0);
	assert_int_equal(claims_owner(&c, &a), 0);
	assert_int_equal(claims_owner(&c, &b), 3);
}

static void who_has_spoken_needs_no_vouching(void **state)
{
	static struct claims c, old;
	struct addr a = unit_addr("192.0.2.10");
	uint8_t bytes[256];

	(void)state;
	claims_on_members(&c, three, 3);
	say_hello(&c, 3, NULL, 0);
	struct cluster_msg m = vouch_of(&c, 3, &a, bytes, sizeof(bytes));
	assert_true(claims_on_vouch(&c, 1, &m));
	assert_int_equal(claims_owner(&c, &a), 0);
	/* said to another membership, or by a stranger */
	claims_on_members(&old, both, 2);
	m = vouch_of(&old, 2, &a, bytes, sizeof(bytes));
	assert_true(claims_on_vouch(&c, 1, &m));
	assert_false(claims_is_known(&c, 2));
	assert_false(claims_on_vouch(&c, 9, &m));
}

static void the_table_is_bounded(void **state)
{
	static struct claims c;

	(void)state;
	claims_on_members(&c, both + 1, 1);
	say_hello(&c, 2, NULL, 0);
	for (unsigned i = 0; i < 3 * CLUSTER_CLAIMS_MAX; i++) {
		struct addr a = addr_v4(10, 0, (uint8_t)(i >> 8), (uint8_t)i);
		assert_true(claims_on_claim(&c, 2, &a));
	}
	assert_int_equal(c.n, CLUSTER_CLAIMS_MAX);
}

/* ---- messages ------------------------------------------------------------------------ */

static void a_hello_reads_back(void **state)
{
	static struct claims c;
	struct addr addrs[] = {unit_addr("192.0.2.10"), unit_addr("2001:db8::10")};
	uint8_t bytes[256];

	(void)state;
	claims_on_members(&c, three, 3);
	struct cluster_msg m = hello_of(&c, addrs, 2, bytes, sizeof(bytes));
	assert_int_equal(m.type, CLUSTER_HELLO);
	assert_int_equal(m.config_hash[0], 7);
	assert_int_equal(m.members[0], 0x0e);
	assert_int_equal(m.n_claims, 2);
	for (unsigned i = 0; i < 2; i++) {
		struct addr a = cluster_msg_claim(&m, i);
		assert_true(addr_equal(&a, &addrs[i]));
	}
}

static void assert_drain(const struct drain_words *d)
{
	uint8_t bytes[CLUSTER_DRAIN_MAX];
	struct writer w = wr_over(bytes, sizeof(bytes));
	struct cluster_msg m;

	cluster_write_drain(&w, d);
	assert_true(wr_ok(&w));
	assert_int_equal(cluster_msg_read(wr_span(&w), &m), CLUSTER_OK);
	assert_int_equal(m.type, CLUSTER_DRAIN);
	assert_string_equal(m.drain.vip, d->vip);
	assert_int_equal(m.drain.version, d->version);
	assert_int_equal(m.drain.on, d->on);
	for (unsigned i = 0; i < 2; i++)
		assert_true(addr_equal(&m.drain.to[i], &d->to[i]));
	for (size_t len = 0; len < wr_len(&w); len++)
		assert_int_equal(
			cluster_msg_read(span_of(bytes, len), &m), CLUSTER_MALFORMED);
}

static void words_about_a_drained_vip_round_trip(void **state)
{
	struct drain_words d = {.vip = "mail", .version = 7};
	uint8_t bytes[CLUSTER_DRAIN_MAX];
	struct cluster_msg m;

	(void)state;
	assert_drain(&d);
	d.on = true;
	d.to[1] = unit_addr("2001:db8::20");
	assert_drain(&d);
	d.to[0] = unit_addr("192.0.2.20");
	memset(d.vip, 'v', POLICY_NAME_MAX - 1);
	assert_drain(&d);
	d.on = false; /* off, and somewhere */
	struct writer w = wr_over(bytes, sizeof(bytes));
	cluster_write_drain(&w, &d);
	assert_int_equal(cluster_msg_read(wr_span(&w), &m), CLUSTER_MALFORMED);
	d = (struct drain_words){.version = 1}; /* of no VIP */
	w = wr_over(bytes, sizeof(bytes));
	cluster_write_drain(&w, &d);
	assert_int_equal(cluster_msg_read(wr_span(&w), &m), CLUSTER_MALFORMED);
}

static void every_message_cut_short_is_malformed(void **state)
{
	static struct claims c;
	struct addr a = unit_addr("2001:db8::10");
	uint8_t bytes[256];
	struct cluster_msg m;

	(void)state;
	claims_on_members(&c, both, 2);
	(void)hello_of(&c, &a, 1, bytes, sizeof(bytes));
	for (size_t len = 0; len < 4 + 32 + 32 + 2 + 17; len++)
		assert_int_equal(
			cluster_msg_read(span_of(bytes, len), &m), CLUSTER_MALFORMED);
	struct writer w = wr_over(bytes, sizeof(bytes));
	cluster_write_addr(&w, CLUSTER_RELEASE, &a);
	for (size_t len = 0; len < wr_len(&w); len++)
		assert_int_equal(
			cluster_msg_read(span_of(bytes, len), &m), CLUSTER_MALFORMED);
	assert_int_equal(cluster_msg_read(wr_span(&w), &m), CLUSTER_OK);
	assert_int_equal(m.type, CLUSTER_RELEASE);
	assert_true(addr_equal(&m.addr, &a));
}

static void another_version_is_not_read(void **state)
{
	struct cluster_msg m;

	(void)state;
	assert_int_equal(
		cluster_msg_read(span_text("VS\x02\x01"), &m), CLUSTER_OTHER_VERSION);
	assert_int_equal(
		cluster_msg_read(span_text("XS\x01\x01"), &m), CLUSTER_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_claim_waits_for_every_hello),
		cmocka_unit_test(who_says_hello_with_it_goes_before_who_asks),
		cmocka_unit_test(of_two_owners_the_first_hello_wins),
		cmocka_unit_test(a_void_claim_is_not_kept),
		cmocka_unit_test(only_the_owner_can_release),
		cmocka_unit_test(strangers_have_no_voice),
		cmocka_unit_test(a_new_membership_begins_empty),
		cmocka_unit_test(a_late_hello_does_not_complete),
		cmocka_unit_test(a_silent_member_is_vouched_for),
		cmocka_unit_test(a_late_hello_replaces_what_was_vouched),
		cmocka_unit_test(who_has_spoken_needs_no_vouching),
		cmocka_unit_test(the_table_is_bounded),
		cmocka_unit_test(a_hello_reads_back),
		cmocka_unit_test(every_message_cut_short_is_malformed),
		cmocka_unit_test(words_about_a_drained_vip_round_trip),
		cmocka_unit_test(another_version_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
