/* tests/unit/test_ike_init.c - strangers: cookies, limits, groups, versions, forged answers
 * and garbage (RFC 7296 2.1, 2.5, 2.6, 2.7, 2.21.1).
 */
#include "ike_lab.h"

static const struct ike_limits always_cookie = {
	.half_open = 4, .half_open_per_addr = 4, .cookie_above = 0, .established = 100};

static struct lab_fate drop_auth_from_a(struct lab *lab, const struct lab_datagram *d)
{
	(void)lab;
	return (struct lab_fate){
		.copies = !(d->from == A && d->bytes[18] == IKE_AUTH), .ms = 1};
}

static uint16_t notify_in_clear(const struct lab_datagram *d, struct span *data)
{
	struct payload_set set;
	struct ike_header h;
	struct reader payloads;
	static const uint16_t types[] = {N_COOKIE, N_INVALID_KE_PAYLOAD,
		N_NO_PROPOSAL_CHOSEN, N_UNSUPPORTED_CRITICAL_PAYLOAD,
		N_INVALID_MAJOR_VERSION};

	assert_int_equal(
		ike_header_read(span_of(d->bytes, d->len), &h, &payloads), WIRE_OK);
	assert_int_equal(payload_set_read(payloads, h.next_payload, &set), WIRE_OK);
	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (ike_notify_find(&set, types[i], data))
			return types[i];
	return 0;
}

/* ---- cookies */

/*	A                        B
 *	SA, KE, Ni           -->
 *	                     <--  N(COOKIE)
 *	N(COOKIE), SA, KE, Ni -->
 *	                     <--  SA, KE, Nr
 *	IKE_AUTH             <-->
 */
static void a_cookie_is_asked_under_load(void **state)
{
	struct lab *lab = lab_new_limited(1, &always_cookie);
	struct span cookie;

	(void)state;
	lab_call(lab, A);
	lab_run(lab, 2);
	assert_int_equal(ike_count_half_open(lab->side[B].engine), 0);
	assert_true(list_empty(&lab->side[B].engine->sas));
	lab_run(lab, 10);
	assert_int_equal(lab->side[A].n_up, 1);
	assert_int_equal(lab->n_log, 6);
	assert_int_equal(notify_in_clear(&lab->log[1], &cookie), N_COOKIE);
	assert_in_range(cookie.len, 1, 64);
	assert_int_equal(lab->log[2].bytes[16], PAYLOAD_NOTIFY); /* it comes first */
	/* and all else is as it was */
	size_t more = lab->log[2].len - lab->log[0].len;
	assert_memory_equal(lab->log[2].bytes + 28 + more, lab->log[0].bytes + 28,
		lab->log[0].len - 28);
	assert_int_equal(lab_counters(lab, B).cookies_sent, 1);
	lab_free(lab);
}

static void a_friend_needs_no_cookie(void **state)
{
	struct lab *lab = lab_new_limited(2, &always_cookie);

	(void)state;
	lab->side[B].friends = true;
	lab_call(lab, A);
	lab_run(lab, 10);
	assert_int_equal(lab->side[A].n_up, 1);
	assert_int_equal(lab->n_log, 4);
	lab_free(lab);
}

/* Replays log[2], which carries a good cookie; returns whether B made state of it. */
static bool cookie_is_good(
	struct lab *lab, const struct endpoint *from, uint64_t after_ms)
{
	struct lab_datagram *d = &lab->log[2];
	struct ike_path path = d->path;

	lab_run(lab, after_ms);
	path.remote = *from;
	size_t before = ike_count_half_open(lab->side[B].engine);
	ike_receive(lab->side[B].engine, lab->now_ms, &path, span_of(d->bytes, d->len));
	return ike_count_half_open(lab->side[B].engine) > before;
}

static struct lab *lab_with_cookie(uint64_t seed)
{
	struct lab *lab = lab_new_limited(seed, &always_cookie);

	lab_call(lab, A);
	lab_run(lab, 10);
	assert_int_equal(lab->n_log, 6);
	assert_int_equal(
		ike_forget(lab->side[B].engine, lab->now_ms, lab_sa(lab, B)->id), IKE_OK);
	return lab;
}

static void a_cookie_belongs_to_an_address_and_a_time(void **state)
{
	struct lab *lab = lab_with_cookie(3);
	struct endpoint there = lab->log[2].path.remote;

	(void)state;
	assert_true(cookie_is_good(lab, &there, 0));
	lab_free(lab);

	lab = lab_with_cookie(3);
	there.addr = addr_v4(198, 51, 100, 66);
	assert_false(cookie_is_good(lab, &there, 0));
	lab_free(lab);

	lab = lab_with_cookie(3);
	there = lab->log[2].path.remote;
	assert_true(cookie_is_good(lab, &there, 59000)); /* the one before counts */
	lab_free(lab);

	lab = lab_with_cookie(3);
	assert_false(cookie_is_good(lab, &there, 121000));
	lab_free(lab);
}

static void members_share_a_cookie_secret(void **state)
{
	struct lab *lab = lab_with_cookie(4);
	struct lab_datagram d = lab->log[2];
	struct seeded_entropy seed;
	struct ike_params params = {.entropy = entropy_seeded(&seed, 99),
		.limits = always_cookie,
		.member = 3,
		.cookie_secret = lab->side[B].engine->cookie_secret};
	struct ike_engine *other = ike_new(&params, &lab->side[B].engine->host);

	(void)state;
	ike_receive(other, lab->now_ms, &d.path, span_of(d.bytes, d.len));
	assert_int_equal(ike_count_half_open(other), 1);
	ike_free(other);
	lab_free(lab);
}

/* ---- limits */

static void strangers_are_limited(void **state)
{
	static const struct ike_limits limits = {.half_open = 20,
		.half_open_per_addr = 4,
		.cookie_above = 10,
		.established = 100};
	struct lab *lab = lab_new_limited(5, &limits);

	(void)state;
	lab->filter = drop_auth_from_a;
	for (int i = 0; i < 60; i++) {
		lab_call(lab, A);
		lab_run(lab, 5);
	}
	/* From the fifth on, this one address had to show cookies; at twenty it ends. */
	assert_int_equal(ike_count_half_open(lab->side[B].engine), 20);
	assert_true(lab_counters(lab, B).cookies_sent >= 16);
	assert_true(lab_counters(lab, B).half_open_refused >= 40);
	/* They are forgotten without a word. */
	lab->filter = lab_drop_all;
	lab_run(lab, 31000);
	assert_int_equal(ike_count_half_open(lab->side[B].engine), 0);
	assert_true(list_empty(&lab->side[B].engine->sas));
	assert_int_equal(lab->side[B].n_closed, 0);
	lab_free(lab);
}

/* Who has one IPv6 address of a /64 has all of them. */
static void a_prefix_of_ipv6_is_one_stranger(void **state)
{
	static const struct ike_limits limits = {.half_open = 100,
		.half_open_per_addr = 4,
		.cookie_above = 90,
		.established = 100};
	struct lab *lab = lab_new_limited(17, &limits);
	struct ike_path path;

	(void)state;
	lab_use_v6(lab);
	lab->filter = drop_auth_from_a;
	lab_call(lab, A);
	lab_run(lab, 5);
	struct lab_datagram first = lab->log[0];
	path = first.path;
	for (uint8_t i = 1; i <= 20; i++) {
		first.bytes[7] = i; /* another SPI, from another address beside */
		path.remote.addr.b[15] = (uint8_t)(100 + i);
		ike_receive(lab->side[B].engine, lab->now_ms, &path,
			span_of(first.bytes, first.len));
	}
	assert_int_equal(ike_count_half_open(lab->side[B].engine), 4);
	path.remote.addr.b[7] ^= 1; /* another network */
	ike_receive(
		lab->side[B].engine, lab->now_ms, &path, span_of(first.bytes, first.len));
	assert_int_equal(ike_count_half_open(lab->side[B].engine), 5);
	lab_free(lab);
}

static void friends_have_a_pool_of_their_own(void **state)
{
	static const struct ike_limits limits = {.half_open = 10,
		.half_open_per_addr = 100,
		.cookie_above = 100,
		.established = 100};
	struct lab *lab = lab_new_limited(6, &limits);

	(void)state;
	lab->filter = drop_auth_from_a;
	for (int i = 0; i < 12; i++)
		lab_call(lab, A);
	lab_run(lab, 5);
	assert_int_equal(ike_count_half_open(lab->side[B].engine), 10);
	lab->filter = NULL;
	lab->side[B].friends = true;
	lab->side[A].conn.rule = 8; /* another relation than those that hang */
	lab_call(lab, A);
	lab_run(lab, 20);
	assert_true(lab->side[B].n_up >= 1);
	lab_free(lab);
}

static void established_sas_are_limited(void **state)
{
	static const struct ike_limits limits = {.half_open = 100,
		.half_open_per_addr = 100,
		.cookie_above = 100,
		.established = 1};
	struct lab *lab = lab_new_limited(7, &limits);

	(void)state;
	lab_up(lab);
	lab_call(lab, A);
	lab_run(lab, 1000);
	assert_int_equal(lab->side[B].n_up, 1);
	assert_true(lab_counters(lab, B).half_open_refused > 0);
	lab_free(lab);
}

/* RFC 7296 2.1 */
static void the_same_request_gets_the_same_answer(void **state)
{
	struct lab *lab = lab_new(8);

	(void)state;
	lab->filter = drop_auth_from_a;
	lab_call(lab, A);
	lab_run(lab, 5);
	struct lab_datagram request = lab->log[0], answer = lab->log[1];
	lab_inject(lab, A, &lab_sa(lab, A)->path, span_of(request.bytes, request.len));
	lab_run(lab, 5);
	assert_int_equal(ike_count_half_open(lab->side[B].engine), 1);
	assert_int_equal(lab_counters(lab, B).replayed_request, 1);
	unit_assert_span_equal(span_of(lab_last(lab)->bytes, lab_last(lab)->len),
		span_of(answer.bytes, answer.len));
	lab_free(lab);
}

/* ---- groups */

/*	A                        B
 *	SA, KE(19), Ni    -->
 *	                  <--  N(INVALID_KE_PAYLOAD, 31)
 *	SA, KE(31), Ni    -->
 *	                  <--  SA, KE, Nr
 */
static void the_group_that_is_wanted(void **state)
{
	struct lab *lab = lab_new(9);
	struct ike_proposals *p = &lab->side[A].conn.proposals;
	struct span data;

	(void)state;
	p->n_ike = 2;
	p->ike[1] = p->ike[0];
	p->ike[0].ke = KE_ECP_256;
	lab_call(lab, A);
	lab_run(lab, 10);
	assert_int_equal(lab->side[A].n_up, 1);
	assert_int_equal(lab->n_log, 6);
	assert_int_equal(notify_in_clear(&lab->log[1], &data), N_INVALID_KE_PAYLOAD);
	assert_int_equal(data.at[1], KE_CURVE25519);
	assert_int_equal(lab->side[A].established[0].suite.ke, KE_CURVE25519);
	lab_free(lab);
}

static void cookie_and_group_one_after_the_other(void **state)
{
	struct lab *lab = lab_new_limited(10, &always_cookie);
	struct ike_proposals *p = &lab->side[A].conn.proposals;

	(void)state;
	p->n_ike = 2;
	p->ike[1] = p->ike[0];
	p->ike[0].ke = KE_MODP_2048;
	lab_call(lab, A);
	lab_run(lab, 20);
	assert_int_equal(lab->side[A].n_up, 1);
	assert_int_equal(lab->n_log, 8); /* RFC 7296 2.6.1: the shorter way */
	lab_free(lab);
}

/* ---- answers that anybody could have sent */

static void answer_init(struct lab *lab, uint16_t type, struct span data)
{
	struct ike_sa *a = lab_sa(lab, A);
	struct ike_header h = {
		.spi_i = a->spi_i, .major = 2, .exchange = IKE_SA_INIT, .response = true};
	struct message m = message_begin(lab->crafted, sizeof(lab->crafted), &h);

	ike_notify_write(&m, type, data);
	struct span bytes = message_finish(&m);
	ike_receive(lab->side[A].engine, lab->now_ms, &a->path, bytes);
}

static void a_forged_refusal_does_not_end_the_call(void **state)
{
	struct lab *lab = lab_new(11);
	const uint8_t group[2] = {0, KE_MODP_2048};

	(void)state;
	lab_call(lab, A);
	answer_init(lab, N_NO_PROPOSAL_CHOSEN, span_of(NULL, 0));
	answer_init(lab, N_INVALID_SYNTAX, span_of(NULL, 0));
	answer_init(lab, N_INVALID_KE_PAYLOAD, span_of(group, 2));
	answer_init(lab, N_INVALID_KE_PAYLOAD, span_of(group, 1));
	assert_int_equal(lab->side[A].n_closed, 0);
	lab_assert_noted(&lab->side[A], "still trying");
	lab_assert_noted(&lab->side[A], "wants key exchange group 14");
	lab_run(lab, 10);
	assert_int_equal(lab->side[A].n_up, 1);
	lab_free(lab);
}

static void forged_cookies_cost_few_messages(void **state)
{
	struct lab *lab = lab_new(12);

	(void)state;
	lab_call(lab, A);
	lab->filter = lab_drop_all;
	for (uint8_t i = 0; i < 100; i++)
		answer_init(lab, N_COOKIE, span_of(&i, 1));
	assert_in_range(lab->side[A].n_sent, 2, 10);
	answer_init(lab, N_COOKIE, span_of(NULL, 0));
	lab_free(lab);
}

/* An answer from an address that we did not call, or with another SPI. */
static void answers_from_elsewhere_are_ignored(void **state)
{
	struct lab *lab = lab_new(13);

	(void)state;
	lab->filter = drop_auth_from_a;
	lab_call(lab, A);
	lab_run(lab, 2);
	struct lab_datagram answer = lab->log[1];
	lab_free(lab);

	lab = lab_new(13); /* the same run */
	lab->filter = lab_drop_all;
	lab_call(lab, A);
	struct ike_path path = answer.path;
	path.remote.addr = addr_v4(198, 51, 100, 66);
	ike_receive(lab->side[A].engine, lab->now_ms, &path,
		span_of(answer.bytes, answer.len));
	path = answer.path;
	path.scope = 5;
	ike_receive(lab->side[A].engine, lab->now_ms, &path,
		span_of(answer.bytes, answer.len));
	answer.bytes[0] ^= 1;
	ike_receive(lab->side[A].engine, lab->now_ms, &answer.path,
		span_of(answer.bytes, answer.len));
	assert_int_equal(lab_counters(lab, A).unknown_spi, 3);
	assert_int_equal(lab_sa(lab, A)->state, STATE_INIT_SENT);
	answer.bytes[0] ^= 1;
	ike_receive(lab->side[A].engine, lab->now_ms, &answer.path,
		span_of(answer.bytes, answer.len));
	assert_int_equal(lab_sa(lab, A)->state, STATE_AUTH_SENT);
	lab_free(lab);
}

/* ---- what we do not speak */

static struct ike_path path_to_b(const struct lab *lab)
{
	return (struct ike_path){.local = {.addr = lab->side[B].addr, .port = IKE_PORT},
		.remote = {.addr = lab->side[A].addr, .port = IKE_PORT}};
}

static void stranger(
	struct lab *lab, const struct ike_header *h, uint8_t payload, bool critical)
{
	struct message m = message_begin(lab->crafted, sizeof(lab->crafted), h);
	struct ike_path path = path_to_b(lab);

	if (critical)
		wr_bytes(message_payload_critical(&m, payload), span_text("odd"));
	else
		wr_bytes(message_payload(&m, payload), span_text("odd"));
	ike_receive(lab->side[B].engine, lab->now_ms, &path, message_finish(&m));
}

static void a_critical_payload_from_a_stranger(void **state)
{
	struct lab *lab = lab_new(14);
	struct ike_header h = {
		.spi_i = 77, .major = 2, .exchange = IKE_SA_INIT, .initiator = true};
	struct span data;

	(void)state;
	stranger(lab, &h, 201, true);
	assert_int_equal(lab->n_log, 1);
	assert_int_equal(
		notify_in_clear(&lab->log[0], &data), N_UNSUPPORTED_CRITICAL_PAYLOAD);
	assert_int_equal(data.at[0], 201);
	assert_true(list_empty(&lab->side[B].engine->sas));
	stranger(lab, &h, 201, false);
	assert_int_equal(lab->n_log, 1);
	lab_free(lab);
}

static void versions_that_we_do_not_speak(void **state)
{
	struct lab *lab = lab_new(15);
	struct ike_header h = {.spi_i = 77,
		.major = 3,
		.exchange = IKE_SA_INIT,
		.initiator = true,
		.message_id = 5};
	struct span data;

	(void)state;
	stranger(lab, &h, 201, false);
	assert_int_equal(lab->n_log, 1);
	assert_int_equal(notify_in_clear(&lab->log[0], &data), N_INVALID_MAJOR_VERSION);
	assert_int_equal(data.at[0], 2);
	assert_int_equal(lab->log[0].bytes[17], 0x20);
	assert_int_equal(lab->log[0].bytes[23], 5); /* the message ID is copied */
	h.major = 1; /* older: dropped (RFC 7296 2.5) */
	stranger(lab, &h, 201, false);
	h.major = 3;
	h.response = true; /* never an answer to an answer */
	stranger(lab, &h, 201, false);
	h.response = false;
	lab->side[B].bound = false; /* and none from a scope that is not ours */
	stranger(lab, &h, 201, false);
	assert_int_equal(lab->n_log, 1);
	assert_int_equal(lab_counters(lab, B).unsupported_version, 4);
	lab_free(lab);
}

static void garbage_is_not_answered(void **state)
{
	struct lab *lab = lab_new(16);
	struct ike_path path = path_to_b(lab);
	struct seeded_entropy store;
	struct entropy noise = unit_entropy(&store);
	uint8_t bytes[256];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t len = entropy_below(&noise, sizeof(bytes));

		entropy_fill(&noise, bytes, sizeof(bytes));
		if (i % 2 && len >= 28) { /* a header that could be one */
			bytes[17] = 0x20;
			bytes[18] = (uint8_t)(34 + i % 5);
			bytes[24] = bytes[25] = bytes[26] = 0;
			bytes[27] = (uint8_t)len;
		}
		ike_receive(lab->side[B].engine, lab->now_ms, &path, span_of(bytes, len));
	}
	struct ike_counters c = lab_counters(lab, B);
	/* Half of it names a version that may be answered, by its first octets alone. */
	for (unsigned i = 0; i < lab->n_log; i++)
		assert_int_equal(
			notify_in_clear(&lab->log[i], NULL), N_INVALID_MAJOR_VERSION);
	assert_int_equal(c.received, 20000);
	assert_true(c.malformed > 1000);
	assert_true(list_empty(&lab->side[B].engine->sas));
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cookie_is_asked_under_load),
		cmocka_unit_test(a_friend_needs_no_cookie),
		cmocka_unit_test(a_cookie_belongs_to_an_address_and_a_time),
		cmocka_unit_test(members_share_a_cookie_secret),
		cmocka_unit_test(strangers_are_limited),
		cmocka_unit_test(a_prefix_of_ipv6_is_one_stranger),
		cmocka_unit_test(friends_have_a_pool_of_their_own),
		cmocka_unit_test(established_sas_are_limited),
		cmocka_unit_test(the_same_request_gets_the_same_answer),
		cmocka_unit_test(the_group_that_is_wanted),
		cmocka_unit_test(cookie_and_group_one_after_the_other),
		cmocka_unit_test(a_forged_refusal_does_not_end_the_call),
		cmocka_unit_test(forged_cookies_cost_few_messages),
		cmocka_unit_test(answers_from_elsewhere_are_ignored),
		cmocka_unit_test(a_critical_payload_from_a_stranger),
		cmocka_unit_test(versions_that_we_do_not_speak),
		cmocka_unit_test(garbage_is_not_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
