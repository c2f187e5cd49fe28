/* tests/unit/test_ike_flood.c - strangers in numbers: what they make us keep and do is
 * bounded, friends get what they want as if nobody else were there, and afterwards nothing
 * is left (RFC 7296 2.4, 2.6, 4).
 *
 * Side B is what they fall upon, side A the friend.
 */
#include "ike_crowd.h"

#include <malloc.h>
#include <stdio.h>

enum { HALF_OPEN_MS = 31000 };
enum { SPI_AT = 0, EXCHANGE_AT = 18, FLAGS_AT = 19, RESPONSE = 0x20, SKF_NUMBER_AT = 33 };

/* How many addresses strangers write from. */
static unsigned addresses(void)
{
	return unit_rounds(10000);
}

static struct lab *lab_with_a_friend(uint64_t seed)
{
	struct lab *lab = lab_new(seed);

	lab->side[B].knows_peer = true;
	return lab;
}

static const struct ike_engine *b_of(const struct crowd *c)
{
	return c->lab->side[B].engine;
}

/* One call in quiet: 4 messages of a millisecond each. */
static void assert_friend_gets_in(struct crowd *c)
{
	struct lab_side *a = &c->lab->side[A];
	unsigned up = a->n_up, sent = a->n_sent;

	lab_call(c->lab, A);
	lab_run(c->lab, 4);
	assert_int_equal(a->n_up, up + 1);
	assert_int_equal(a->n_sent, sent + 2); /* no cookie, nothing twice */
}

/* All that strangers have made B keep is gone when their time is over. */
static void assert_nothing_left(struct crowd *c, unsigned friends)
{
	const struct ike_engine *e = b_of(c);

	c->arrives = NULL;
	crowd_forget(c);
	lab_run(c->lab, HALF_OPEN_MS);
	assert_int_equal(e->n_half_open + e->n_strangers + e->n_gone, 0);
	assert_int_equal(map_count(e->by_origin), 0);
	assert_int_equal(map_count(e->by_spi), friends);
	assert_int_equal(lab_count(c->lab, B), friends);
	for (int i = 0; i < IKE_SHARES; i++)
		assert_int_equal(e->pieces[i], 0);
}

static size_t heap(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static bool to_b_only(struct crowd *c, const struct crowd_letter *l)
{
	(void)c;
	return l->to_b;
}

/* The first message of somebody, to be sent under many addresses. */
static struct crowd_letter first_message(struct crowd *c)
{
	static uint8_t bytes[LAB_DATAGRAM];
	struct addr a = crowd_addr(65000, false);

	crowd_call(c, &a);
	struct crowd_letter l = c->queue[c->first];
	assert_true(l.len <= sizeof(bytes));
	memcpy(bytes, l.bytes, l.len);
	l.bytes = bytes;
	c->arrives = to_b_only;
	crowd_throw(c, &a, span_of("", 0));
	while (c->n > 0) {
		c->n--;
		free(c->queue[c->first++].bytes);
	}
	c->first = 0;
	c->arrives = NULL;
	return l;
}

/* ---- addresses that are not theirs: nobody hears the answers */

/*	10,000 addresses      B            A
 *	SA, KE, Ni       -->
 *	                      100 are answered, then N(COOKIE)
 *	                         <--  SA, KE, Ni; IKE_AUTH: at once
 */
static void ten_thousand_addresses_that_are_not_theirs(void **state)
{
	struct lab *lab = lab_with_a_friend(1);
	struct crowd *c = crowd_new(lab);
	struct crowd_letter l = first_message(c);
	size_t before = heap();

	(void)state;
	c->arrives = to_b_only;
	for (unsigned i = 0; i < addresses(); i++) {
		struct addr from = crowd_addr(i, i % 3 == 0);

		l.bytes[SPI_AT] = (uint8_t)(i % 255 + 1);
		crowd_throw(c, &from, span_of(l.bytes, l.len));
		crowd_go(c);
		if (i == addresses() / 2)
			assert_friend_gets_in(c);
		if (i % 100 == 0)
			lab_run(lab, 1);
	}
	assert_int_equal(ike_count_half_open(b_of(c)), 100);
	assert_true(heap() - before < 3u << 20);
	assert_int_equal(lab_counters(lab, B).cookies_sent, addresses() - 100);
	assert_nothing_left(c, 1);
	crowd_free(c);
	lab_free(lab);
}

/* Known peers' addresses are no secret: those that know one without sitting there get half
 * of the friends' pool, and the friend shows a cookie. */
static void addresses_of_friends_that_are_not_theirs(void **state)
{
	struct lab *lab = lab_new(2);
	struct crowd *c = crowd_new(lab);
	struct crowd_letter l = first_message(c);

	(void)state;
	lab->side[B].friends = true;
	c->arrives = to_b_only;
	for (unsigned i = 0; i < addresses(); i++) {
		struct addr from = crowd_addr(i, false);

		l.bytes[SPI_AT] = (uint8_t)(i % 255 + 1);
		crowd_throw(c, &from, span_of(l.bytes, l.len));
		crowd_go(c);
	}
	assert_int_equal(ike_count_half_open(b_of(c)), 500);
	lab_call(lab, A);
	lab_run(lab, 6); /* two messages more */
	assert_int_equal(lab->side[A].n_up, 1);
	assert_nothing_left(c, 1);
	crowd_free(c);
	lab_free(lab);
}

/* What is no IKE_SA_INIT, or none that can be, leaves nothing at all. */
static void garbage_leaves_nothing(void **state)
{
	enum { LONGEST = 65535 };
	static uint8_t bytes[LONGEST];
	struct lab *lab = lab_with_a_friend(3);
	struct crowd *c = crowd_new(lab);
	struct crowd_letter l = first_message(c);
	struct entropy e = entropy_seeded(&c->seed, 5);

	(void)state;
	entropy_fill(&e, bytes, sizeof(bytes));
	size_t before = heap();
	for (unsigned i = 0; i < addresses(); i++) {
		struct addr from = crowd_addr(i, i % 3 == 0);
		size_t len = i % 10 == 0 ? LONGEST : entropy_below(&e, 2000);

		if (i % 2 == 0) { /* a header that is right, and the longest chain */
			memcpy(bytes, l.bytes, IKE_HEADER_LEN);
			len = len < IKE_INIT_MAX ? IKE_INIT_MAX + 1 : len;
			bytes[EXCHANGE_AT] = i % 4 == 0 ? IKE_SA_INIT : IKE_AUTH;
			bytes[24] = bytes[25] = 0;
			bytes[26] = (uint8_t)(len >> 8);
			bytes[27] = (uint8_t)len;
		} else {
			bytes[0] = (uint8_t)i;
			bytes[17] = (uint8_t)entropy_u32(&e);
		}
		crowd_throw(c, &from, span_of(bytes, len));
	}
	assert_int_equal(c->answers, 0);
	assert_int_equal(map_count(b_of(c)->by_spi) + map_count(b_of(c)->by_origin), 0);
	assert_true(heap() <= before + 4096);
	assert_friend_gets_in(c);
	assert_nothing_left(c, 1);
	crowd_free(c);
	lab_free(lab);
}

/* An answer is longer than the question: who asks in somebody's name again and again does
 * not get that much sent there. */
static void one_request_is_not_answered_for_ever(void **state)
{
	struct lab *lab = lab_with_a_friend(4);
	struct crowd *c = crowd_new(lab);
	struct crowd_letter l = first_message(c);
	struct addr from = crowd_addr(1, false);

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		crowd_throw(c, &from, span_of(l.bytes, l.len));
	assert_int_equal(c->answers, 1 + 32);
	assert_nothing_left(c, 0);
	crowd_free(c);
	lab_free(lab);
}

/* ---- addresses that are theirs: they hear the cookies */

static bool no_ike_auth(struct crowd *c, const struct crowd_letter *l)
{
	(void)c;
	return l->bytes[EXCHANGE_AT] != IKE_AUTH;
}

static void ten_thousand_addresses_that_are_theirs(void **state)
{
	struct lab *lab = lab_with_a_friend(5);
	struct crowd *c = crowd_new(lab);
	size_t before = heap();

	(void)state;
	c->arrives = no_ike_auth;
	for (unsigned i = 0; i < addresses(); i++) {
		struct addr from = crowd_addr(i, i % 3 == 0);

		crowd_call(c, &from);
		crowd_go(c);
		if (i % 50 == 0)
			crowd_forget(c);
		if (i == addresses() / 2)
			assert_friend_gets_in(c);
		if (i % 10 == 0)
			lab_run(lab, 1);
	}
	crowd_forget(c);
	assert_int_equal(ike_count_half_open(b_of(c)), 1000);
	assert_true(heap() - before < 12u << 20);
	assert_int_equal(lab_counters(lab, B).half_open_refused, addresses() - 1000);
	assert_nothing_left(c, 1);
	crowd_free(c);
	lab_free(lab);
}

static unsigned half_open_after(struct crowd *c, unsigned calls, bool v6)
{
	for (unsigned i = 0; i < calls; i++) {
		struct addr from = crowd_addr(7, v6);

		if (v6)
			from.b[15] = (uint8_t)i;
		crowd_call(c, &from);
		crowd_go(c);
	}
	return (unsigned)ike_count_half_open(b_of(c));
}

/* One address, or one /64, does not take what all strangers may have. */
static void one_address_is_not_all(void **state)
{
	(void)state;
	for (int v6 = 0; v6 <= 1; v6++) {
		struct lab *lab = lab_with_a_friend(6);
		struct crowd *c = crowd_new(lab);

		c->arrives = no_ike_auth;
		assert_int_equal(half_open_after(c, 500, v6), 16 * 8);
		struct addr other = crowd_addr(8, v6);
		crowd_call(c, &other);
		crowd_go(c);
		assert_int_equal(ike_count_half_open(b_of(c)), 16 * 8 + 1);
		assert_nothing_left(c, 0);
		crowd_free(c);
		lab_free(lab);
	}
}

/* Nor does who sits at a friend's address, behind the same NAT, take all of friends'. */
static void a_friends_neighbour_is_not_all_friends(void **state)
{
	struct lab *lab = lab_new(7);
	struct crowd *c = crowd_new(lab);

	(void)state;
	lab->side[B].friends = true;
	c->arrives = no_ike_auth;
	assert_int_equal(half_open_after(c, 1200, false), 501);
	lab_call(lab, A);
	lab_run(lab, 6);
	assert_int_equal(lab->side[A].n_up, 1);
	assert_nothing_left(c, 1);
	crowd_free(c);
	lab_free(lab);
}

/* ---- fragments that never become whole */

/* Of IKE_AUTH all fragments but the last arrive; no answer does. */
static bool half_a_set(struct crowd *c, const struct crowd_letter *l)
{
	enum { TOTAL_AT = 35 };

	(void)c;
	if (l->bytes[EXCHANGE_AT] != IKE_AUTH)
		return true;
	return l->to_b && l->bytes[SKF_NUMBER_AT] != l->bytes[TOTAL_AT];
}

static struct crowd *crowd_of_fragments(struct lab *lab)
{
	struct crowd *c = crowd_new(lab);

	ike_set_fragment_size(c->engine, IKE_FRAGMENT_SIZE_MIN);
	ike_set_fragment_size(lab->side[A].engine, IKE_FRAGMENT_SIZE_MIN);
	/* Identities that make IKE_AUTH long. */
	static char name[200];
	memset(name, 'a', sizeof(name));
	bool fits = identity_from_bytes(ID_KEY_ID, span_of(name, sizeof(name)), &c->name);
	assert_true(fits);
	lab->side[A].conn.local_id = c->name;
	lab->side[B].conn.remote_any = true;
	return c;
}

static void half_sets_of_a_thousand_strangers(void **state)
{
	struct lab *lab = lab_with_a_friend(8);
	struct crowd *c = crowd_of_fragments(lab);
	struct ike_engine *e = lab->side[B].engine;
	size_t worst = 0;

	(void)state;
	e->pieces_max[SHARE_STRANGERS] = 64 << 10;
	c->arrives = half_a_set;
	for (unsigned i = 0; i < 3000; i++) {
		struct addr from = crowd_addr(i, i % 3 == 0);

		crowd_call(c, &from);
		crowd_go(c);
		worst = e->pieces[SHARE_STRANGERS] > worst ? e->pieces[SHARE_STRANGERS]
							   : worst;
		if (i % 10 == 0)
			lab_run(lab, 1);
		if (i == 2000)
			assert_true(
				e->pieces[SHARE_PROVED] + e->pieces[SHARE_FRIENDS] == 0);
	}
	assert_in_range(worst, 60 << 10, 64 << 10);
	assert_true(lab_counters(lab, B).fragments_refused > 0);
	/* A friend's fragments find their room. */
	lab_call(lab, A);
	lab_run(lab, 4);
	assert_int_equal(lab->side[A].n_sent, 4); /* IKE_AUTH in three */
	assert_int_equal(lab->side[A].n_up, 1);
	assert_nothing_left(c, 1);
	crowd_free(c);
	lab_free(lab);
}

/* One address fills its own share of the strangers', and not more. */
static void half_sets_of_one_stranger(void **state)
{
	(void)state;
	for (int v6 = 0; v6 <= 1; v6++) {
		struct lab *lab = lab_with_a_friend(9);
		struct crowd *c = crowd_of_fragments(lab);
		struct ike_engine *e = lab->side[B].engine;

		e->pieces_of_origin_max = 4096;
		c->arrives = half_a_set;
		for (unsigned i = 0; i < 100; i++) {
			struct addr from = crowd_addr(7, v6);

			from.b[15] = (uint8_t)(v6 ? i : from.b[15]);
			crowd_call(c, &from);
			crowd_go(c);
		}
		assert_in_range(e->pieces[SHARE_STRANGERS], 3000, 4096);
		struct addr other = crowd_addr(8, v6);
		crowd_call(c, &other);
		crowd_go(c);
		assert_true(e->pieces[SHARE_STRANGERS] > 4096);
		assert_nothing_left(c, 0);
		crowd_free(c);
		lab_free(lab);
	}
}

/* ---- work */

/* IKE_SA_INIT, and an IKE_AUTH that is wrong: the place of the half-open SA is free at once,
 * and the next can come. What it costs is limited: for one address, and for all. */
static unsigned answered_in_a_second(struct crowd *c, unsigned addresses)
{
	unsigned before = c->answers;
	uint64_t cookies = lab_counters(c->lab, B).cookies_sent;

	for (unsigned i = 0; i < 6000; i++) {
		struct addr from = crowd_addr(i % addresses, false);

		crowd_call(c, &from);
		crowd_go(c);
		if (i % 50 == 0)
			crowd_forget(c);
		if (i % 6 == 0)
			lab_run(c->lab, 1);
	}
	crowd_forget(c);
	cookies = lab_counters(c->lab, B).cookies_sent - cookies;
	return c->answers - before - (unsigned)cookies;
}

static void wrong_proofs_are_limited(void **state)
{
	static const struct ike_limits limits = {.half_open = 1000,
		.half_open_per_addr = 16,
		.cookie_above = 100,
		.established = 100,
		.work_per_second = 60};
	struct lab *lab = lab_new_limited(10, &limits);
	struct crowd *c = crowd_new(lab);

	(void)state;
	lab->side[B].knows_peer = true;
	lab->side[B].conn.remote_any = true;
	lab->side[B].conn.remote_ts.at[0].lo = addr_v4(0, 0, 0, 0);
	lab->side[B].conn.remote_ts.at[0].hi = addr_v4(255, 255, 255, 255);
	assert_true(secret_set(&c->conn.psk, span_text("not the key")));
	/* One unit for the one answer, two for the other. 15 units a second and 16 at once
	 * for one address. */
	assert_in_range(answered_in_a_second(c, 1), 18, 31);
	assert_int_equal(c->up, 0);
	/* Another address is not in its way. */
	struct addr honest = crowd_addr(3000, false);
	assert_true(secret_set(&c->conn.psk, secret_span(&lab->side[B].conn.psk)));
	crowd_call(c, &honest);
	crowd_go(c);
	assert_int_equal(c->up, 1);
	/* 60 a second and 60 at once for all of them. */
	assert_true(secret_set(&c->conn.psk, span_text("not the key")));
	lab_run(lab, 2000);
	assert_in_range(answered_in_a_second(c, 1000), 70, 121);
	assert_friend_gets_in(c);
	crowd_free(c);
	lab_free(lab);
}

/* A group that costs sixty times as much is sixty times as much work. */
static void costly_groups_are_limited(void **state)
{
	struct lab *lab = lab_with_a_friend(11);
	struct crowd *c = crowd_new(lab);
	struct ike_suite heavy = {
		.encr = AEAD_AES128_GCM16, .prf = PRF_SHA256, .ke = KE_MODP_4096};

	(void)state;
	lab->side[B].conn.proposals.ike[lab->side[B].conn.proposals.n_ike++] = heavy;
	c->conn.proposals.ike[0] = heavy;
	struct crowd_letter l = first_message(c);
	for (unsigned i = 0; i < 500; i++) {
		struct addr from = crowd_addr(i, false);

		l.bytes[SPI_AT] = (uint8_t)(i % 255 + 1);
		crowd_throw(c, &from, span_of(l.bytes, l.len));
	}
	/* Without a cookie half of 4,000 units. */
	assert_in_range(ike_count_half_open(b_of(c)), 30, 35);
	assert_friend_gets_in(c);
	assert_nothing_left(c, 1);
	crowd_free(c);
	lab_free(lab);
}

/* ---- SAs that are up */

/* The same things, with and without strangers, take the same time and messages. */
static void live(struct lab *lab, unsigned round)
{
	struct ike_engine *a = lab->side[A].engine;
	unsigned sent = lab->side[A].n_sent;

	assert_int_equal(ike_probe(a, lab->now_ms, lab_sa(lab, A)->id), IKE_OK);
	lab_run(lab, 2);
	assert_int_equal(lab->side[A].n_sent, sent + 1);
	assert_int_equal(
		ike_rekey_child(a, lab->now_ms, lab->side[A].up[round].id), IKE_OK);
	lab_run(lab, 1500);
	assert_int_equal(lab->side[A].n_up, round + 2);
	assert_int_equal(lab->side[A].n_down, round + 1);
	assert_int_equal(lab->side[A].n_sent, sent + 3);
}

static void what_is_up_goes_on_undisturbed(void **state)
{
	struct lab *lab = lab_with_a_friend(12);
	struct crowd *c = crowd_new(lab);
	struct crowd_letter l = first_message(c);

	(void)state;
	lab_up(lab);
	live(lab, 0);
	c->arrives = no_ike_auth;
	for (unsigned i = 0; i < addresses(); i++) {
		struct addr from = crowd_addr(i, false);
		const struct ike_sa *sa = lab_sa(lab, B);

		/* Its own SPIs are no secret, nor is where it sits. */
		uint64_t spis[2] = {sa->spi_i, sa->spi_r};
		static uint8_t forged[200];
		memcpy(forged, l.bytes, sizeof(forged));
		for (int k = 0; k < 16; k++)
			forged[k] = (uint8_t)(spis[k / 8] >> (56 - 8 * (k % 8)));
		forged[16] = i % 2 ? PAYLOAD_SK : PAYLOAD_SKF;
		forged[EXCHANGE_AT] = i % 3 ? INFORMATIONAL : CREATE_CHILD_SA;
		forged[23] = (uint8_t)lab_sa(lab, B)->next_in;
		forged[27] = sizeof(forged);
		forged[26] = 0;
		forged[30] = 0;
		forged[31] = sizeof(forged) - IKE_HEADER_LEN;
		crowd_throw(c, i % 4 ? &lab->side[A].addr : &from,
			span_of(forged, sizeof(forged)));
		l.bytes[SPI_AT] = (uint8_t)(i % 255 + 1);
		crowd_throw(c, &from, span_of(l.bytes, l.len));
		crowd_go(c);
		if (i % 1000 == 999)
			live(lab, 1 + i / 1000);
	}
	assert_true(lab_counters(lab, B).forged > addresses() / 2);
	assert_int_equal(lab->side[B].n_closed, 0);
	assert_int_equal(lab->side[B].n_moved, 0);
	assert_nothing_left(c, 1);
	crowd_free(c);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_addresses_that_are_not_theirs),
		cmocka_unit_test(addresses_of_friends_that_are_not_theirs),
		cmocka_unit_test(garbage_leaves_nothing),
		cmocka_unit_test(one_request_is_not_answered_for_ever),
		cmocka_unit_test(ten_thousand_addresses_that_are_theirs),
		cmocka_unit_test(one_address_is_not_all),
		cmocka_unit_test(a_friends_neighbour_is_not_all_friends),
		cmocka_unit_test(half_sets_of_a_thousand_strangers),
		cmocka_unit_test(half_sets_of_one_stranger),
		cmocka_unit_test(wrong_proofs_are_limited),
		cmocka_unit_test(costly_groups_are_limited),
		cmocka_unit_test(what_is_up_goes_on_undisturbed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
