/* tests/unit/test_ike_fragments.c - messages in fragments (RFC 7383), both ways: sizes,
 * loss, order, copies, sets of different totals, limits. */
#include "ike_seen.h"

#include <stdlib.h>

#include "wire/fragment.h"

enum { CHUNK = 300, LARGE = 2000 };

/* ---- what our engines send to one another */

/* IKE_AUTH is in fragments on both sides when datagrams may have so few octets, and names
 * are so long. */
static struct lab *lab_of_small_datagrams(uint64_t seed)
{
	struct lab *lab = lab_new(seed);

	for (int s = A; s <= B; s++) {
		struct identity *id = &lab->side[s].conn.local_id;

		ike_set_fragment_size(lab->side[s].engine, IKE_FRAGMENT_SIZE_MIN);
		*id = (struct identity){.type = ID_KEY_ID, .len = IDENTITY_MAX};
		memset(id->b, 'a' + s, id->len);
		lab->side[s == A ? B : A].conn.remote_id = *id;
	}
	return lab;
}

static bool read_fragment(const struct lab_datagram *d, struct fragment *out)
{
	struct ike_header h;
	struct reader payloads;
	struct payload_set set;

	assert_int_equal(
		ike_header_read(span_of(d->bytes, d->len), &h, &payloads), WIRE_OK);
	assert_int_equal(payload_set_read(payloads, h.next_payload, &set), WIRE_OK);
	const struct payload *skf = payload_set_first(&set, PAYLOAD_SKF);
	return skf && fragment_read(span_of(d->bytes, d->len), skf, sk_shape_aead, out) ==
			      WIRE_OK;
}

static void a_handshake_in_fragments_comes_up(void **state)
{
	struct lab *lab = lab_of_small_datagrams(1);
	struct fragment f;

	(void)state;
	lab_up(lab);
	assert_true(read_fragment(&lab->log[2], &f));
	assert_int_equal(f.number, 1);
	assert_true(f.total >= 2);
	assert_int_equal(f.sealed.inner, PAYLOAD_IDI);
	assert_true(read_fragment(&lab->log[3], &f));
	assert_int_equal(f.number, 2);
	assert_int_equal(f.sealed.inner, PAYLOAD_NONE);
	for (unsigned i = 2; i < lab->n_log; i++)
		assert_true(lab->log[i].len <= IKE_FRAGMENT_SIZE_MIN - 28);
	assert_int_equal(lab->side[A].engine->pieces[true], 0);
	assert_int_equal(lab->side[B].engine->pieces[true], 0);
	lab_free(lab);
}

/* RFC 7296 3.14: a block cipher pads each fragment for itself, and none is too large. */
static void a_block_cipher_pads_each_fragment(void **state)
{
	(void)state;
	for (enum aead_alg alg = AEAD_AES128_SHA256; alg <= AEAD_AES256_SHA512; alg++) {
		struct lab *lab = lab_of_small_datagrams(5);

		for (int s = A; s <= B; s++)
			lab->side[s].conn.proposals.ike[0].encr = alg;
		lab_up(lab);
		assert_int_equal(lab->side[A].established[0].suite.encr, alg);
		assert_true(lab->n_log > 4);
		for (unsigned i = 2; i < lab->n_log; i++)
			assert_true(lab->log[i].len <= IKE_FRAGMENT_SIZE_MIN - 28);
		lab_free(lab);
	}
}

/* What fits is one datagram, and the SK payload of RFC 7296. */
static void what_fits_is_not_cut(void **state)
{
	struct lab *lab = lab_new(3);
	struct fragment f;

	(void)state;
	lab_up(lab);
	assert_int_equal(lab->n_log, 4);
	assert_false(read_fragment(&lab->log[2], &f));
	assert_false(read_fragment(&lab->log[3], &f));
	assert_int_equal(lab_sa(lab, A)->out.whole.plain.len, 0);
	assert_int_equal(lab_sa(lab, B)->response_whole.plain.len, 0);
	lab_free(lab);
}

/* An eighth is lost, an eighth comes twice, all take between 1 and 40 ms. */
static struct lab_fate lose_some(struct lab *lab, const struct lab_datagram *d)
{
	uint64_t *dice = lab->filter_ctx;

	(void)d;
	*dice = *dice * 6364136223846793005U + 1442695040888963407U;
	unsigned roll = (unsigned)(*dice >> 40) % 8;
	return (struct lab_fate){.copies = roll == 0   ? 0
					   : roll == 1 ? 2
						       : 1,
		.ms = 1 + (*dice >> 50) % 40};
}

static void loss_order_and_copies_do_not_matter(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct lab *lab = lab_of_small_datagrams(100 + seed);

		uint64_t dice = seed;

		lab->filter = lose_some;
		lab->filter_ctx = &dice;
		lab_call(lab, A);
		lab_run(lab, 14000);
		assert_int_equal(lab->side[A].n_up, 1);
		assert_int_equal(lab->side[B].n_up, 1);
		lab_assert_children_match(&lab->side[A].up[0], &lab->side[B].up[0]);
		lab_free(lab);
	}
}

/* ---- large messages, and paths that carry less */

static void send_large(struct lab *lab, enum lab_side_name s, size_t octets)
{
	struct ike_engine *e = lab->side[s].engine;
	struct ike_sa *sa = lab_sa(lab, s);

	e->now_ms = lab->now_ms;
	struct message m = ike_request_begin(e, sa, INFORMATIONAL);
	wr_zeros(message_payload(&m, PAYLOAD_VENDOR), octets);
	ike_request_send(e, sa, &m, INFORMATIONAL, false);
	ike_timer_update(e, sa);
}

static struct lab_fate path_of_576(struct lab *lab, const struct lab_datagram *d)
{
	(void)lab;
	return (struct lab_fate){.copies = d->len <= 548, .ms = 1};
}

/* RFC 7383 2.5.2: nothing comes back, so it goes in more and smaller fragments. */
static void a_narrow_path_is_found(void **state)
{
	struct lab *lab = lab_new(4);
	struct fragment f;

	(void)state;
	lab_up(lab);
	lab->filter = path_of_576;
	unsigned before = lab->n_log;
	send_large(lab, A, LARGE);
	assert_true(read_fragment(&lab->log[before], &f));
	assert_int_equal(f.total, 2);
	assert_true(lab->log[before].len <= 1280 - 28);
	lab_run(lab, 10000);
	assert_int_equal(lab_sa(lab, A)->out.bytes.len, 0);
	assert_int_equal(lab_sa(lab, A)->fragment_size, 576);
	/* And the next one begins with what was found. */
	before = lab->n_log;
	send_large(lab, A, LARGE);
	assert_true(read_fragment(&lab->log[before], &f));
	assert_int_equal(f.total, 5);
	lab_run(lab, 100);
	assert_int_equal(lab_sa(lab, A)->out.bytes.len, 0);
	lab_free(lab);
}

/* One that fits 1280 but not the path is cut, too. */
static void a_single_datagram_is_cut_when_it_does_not_arrive(void **state)
{
	struct lab *lab = lab_new(5);

	(void)state;
	lab_up(lab);
	lab->filter = path_of_576;
	send_large(lab, A, 1000);
	lab_run(lab, 10000);
	assert_int_equal(lab_sa(lab, A)->out.bytes.len, 0);
	lab_free(lab);
}

static void ipv6_fragments_leave_room_for_its_header(void **state)
{
	struct lab *lab = lab_new(6);

	(void)state;
	lab_use_v6(lab);
	lab_up(lab);
	unsigned before = lab->n_log;
	send_large(lab, A, 3000);
	for (unsigned i = before; i < lab->n_log; i++)
		assert_true(lab->log[i].len <= 1280 - 48);
	lab_run(lab, 100);
	assert_int_equal(lab_sa(lab, A)->out.bytes.len, 0);
	lab_free(lab);
}

/* RFC 7383 2.3: not to somebody who has not said that it knows them. */
static void fragments_are_for_those_who_know_them(void **state)
{
	struct lab *lab = lab_new(2);
	struct fragment f;

	(void)state;
	lab_up(lab);
	lab_sa(lab, A)->fragments = false;
	lab_sa(lab, B)->fragments = false;
	unsigned before = lab->n_log;
	send_large(lab, A, LARGE);
	assert_int_equal(lab->n_log, before + 1);
	assert_false(read_fragment(&lab->log[before], &f));
	lab_run(lab, 100);
	assert_int_equal(lab_sa(lab, A)->out.bytes.len, 0);
	lab_free(lab);
}

/* RFC 7383 2.3 speaks of IKE_SA_INIT only: what was agreed there holds for what comes by
 * rekeying. */
static void an_heir_knows_fragments_too(void **state)
{
	struct lab *lab = lab_new(15);

	(void)state;
	uint32_t id = lab_up(lab);
	lab_sa(lab, A)->fragment_size = 576;
	assert_int_equal(ike_rekey(lab->side[A].engine, lab->now_ms, id), IKE_OK);
	lab_run(lab, 100);
	assert_true(lab_sa(lab, A)->is_heir && lab_sa(lab, A)->fragments);
	assert_int_equal(lab_sa(lab, A)->fragment_size, 576);
	assert_true(lab_sa(lab, B)->is_heir && lab_sa(lab, B)->fragments);
	lab_free(lab);
}

/* ---- fragments that no engine would send */

/* Fragment number of total of a message of LARGE octets, cut into chunks of that size. */
static void send_fragment(struct lab *lab, enum lab_side_name s, struct message *m,
	size_t chunk, uint16_t number, uint16_t total)
{
	static uint8_t out[LAB_DATAGRAM];
	struct ike_sa *sa = lab_sa(lab, s);
	struct fragments cut;
	struct sk_frame frame;

	assert_true(fragments_cut(message_plain(m), chunk + 61, sk_shape_aead, &cut));
	if (total != 0)
		cut.total = total;
	assert_true(fragment_write(&cut, number, out, sizeof(out), &frame));
	ike_sk_seal_frame(sa, &frame);
	lab_inject(lab, s, &sa->path, frame.datagram);
}

static struct message large_request(struct lab *lab)
{
	struct message m =
		lab_craft(lab, A, INFORMATIONAL, false, lab_sa(lab, B)->next_in);

	wr_zeros(message_payload(&m, PAYLOAD_VENDOR), LARGE);
	return m;
}

/* Answers that B has sent since the last call of this. */
static unsigned answers(struct lab *lab)
{
	unsigned n = lab->side[B].n_sent;

	lab_run(lab, 5);
	n = lab->side[B].n_sent - n;
	return n;
}

static void a_larger_total_replaces_the_set(void **state)
{
	struct lab *lab = lab_new(7);

	(void)state;
	lab_up(lab);
	struct message m = large_request(lab); /* 2,004 octets: 7 of 300, 21 of 100 */
	for (uint16_t n = 1; n < 7; n++)
		send_fragment(lab, A, &m, 300, n, 0);
	send_fragment(lab, A, &m, 100, 21, 0);
	assert_int_equal(answers(lab), 0);
	size_t kept = lab->side[B].engine->pieces[false];
	assert_true(kept > 0 && kept < 900); /* one small fragment */
	/* RFC 7383 2.6: the older set is not mixed in. */
	send_fragment(lab, A, &m, 300, 7, 0);
	assert_int_equal(answers(lab), 0);
	assert_int_equal(lab->side[B].engine->pieces[false], kept);
	for (uint16_t n = 1; n < 21; n++)
		send_fragment(lab, A, &m, 100, n, 0);
	assert_int_equal(answers(lab), 1);
	assert_int_equal(lab->side[B].engine->pieces[false], 0);
	lab_free(lab);
}

static void the_same_fragment_counts_once(void **state)
{
	struct lab *lab = lab_new(8);

	(void)state;
	lab_up(lab);
	struct message m = large_request(lab);
	for (unsigned i = 0; i < 20; i++)
		send_fragment(lab, A, &m, CHUNK, 1, 0);
	assert_int_equal(answers(lab), 0);
	assert_true(lab->side[B].engine->pieces[false] < 700);
	for (uint16_t n = 2; n <= 7; n++)
		send_fragment(lab, A, &m, CHUNK, n, 0);
	assert_int_equal(answers(lab), 1);
	lab_free(lab);
}

/* RFC 7383 2.6.1: of a request that is done, only fragment 1 asks for the answer again. */
static void the_answer_is_repeated_for_the_first_fragment_only(void **state)
{
	struct lab *lab = lab_new(9);

	(void)state;
	lab_up(lab);
	struct message m = large_request(lab);
	for (uint16_t n = 1; n <= 7; n++)
		send_fragment(lab, A, &m, CHUNK, n, 0);
	assert_int_equal(answers(lab), 1);
	for (uint16_t n = 2; n <= 7; n++)
		send_fragment(lab, A, &m, CHUNK, n, 0);
	assert_int_equal(answers(lab), 0);
	send_fragment(lab, A, &m, CHUNK, 1, 0);
	assert_int_equal(answers(lab), 1);
	assert_int_equal(lab_counters(lab, B).forged, 0);
	lab_free(lab);
}

static void a_forged_fragment_changes_nothing(void **state)
{
	struct lab *lab = lab_new(10);

	(void)state;
	lab_up(lab);
	struct message m = large_request(lab);
	for (uint16_t n = 1; n < 7; n++)
		send_fragment(lab, A, &m, CHUNK, n, 0);
	size_t kept = 0;
	assert_int_equal(answers(lab), 0);
	kept = lab->side[B].engine->pieces[false];
	static struct lab_datagram d;
	d = *lab_last(lab);
	d.bytes[35] = 40; /* the total, which the tag covers */
	lab_inject(lab, A, &lab_sa(lab, A)->path, span_of(d.bytes, d.len));
	assert_int_equal(answers(lab), 0);
	assert_int_equal(lab_counters(lab, B).forged, 1);
	assert_int_equal(lab->side[B].engine->pieces[false], kept);
	send_fragment(lab, A, &m, CHUNK, 7, 0);
	assert_int_equal(answers(lab), 1);
	lab_free(lab);
}

/* ---- limits */

static void what_is_not_whole_in_time_is_forgotten(void **state)
{
	struct lab *lab = lab_new(11);

	(void)state;
	lab_up(lab);
	struct message m = large_request(lab);
	for (uint16_t n = 1; n < 7; n++)
		send_fragment(lab, A, &m, CHUNK, n, 0);
	lab_run(lab, 29000);
	assert_true(lab->side[B].engine->pieces[false] > 0);
	lab_run(lab, 2000);
	assert_int_equal(lab->side[B].engine->pieces[false], 0);
	/* The SA stands, and takes the request when it comes as a whole. */
	for (uint16_t n = 1; n <= 7; n++)
		send_fragment(lab, A, &m, CHUNK, n, 0);
	assert_int_equal(answers(lab), 1);
	lab_free(lab);
}

static void too_many_fragments_are_not_kept(void **state)
{
	struct lab *lab = lab_new(12);

	(void)state;
	lab_up(lab);
	struct message m = large_request(lab);
	send_fragment(lab, A, &m, CHUNK, 1, 129);
	send_fragment(lab, A, &m, CHUNK, 2, UINT16_MAX);
	assert_int_equal(answers(lab), 0);
	assert_int_equal(lab_counters(lab, B).fragments_refused, 2);
	assert_int_equal(lab->side[B].engine->pieces[false], 0);
	lab_free(lab);
}

/* A message of 128 times 2,000 octets: no more than a message may have. */
static void a_message_is_limited_in_octets(void **state)
{
	struct lab *lab = lab_new(13);

	(void)state;
	lab_up(lab);
	struct message m = large_request(lab);
	for (uint16_t n = 2; n <= 128; n++) {
		static uint8_t out[LAB_DATAGRAM];
		struct fragments cut;
		struct sk_frame frame;

		assert_true(fragments_cut(message_plain(&m), 3000, sk_shape_aead, &cut));
		cut.total = 128;
		assert_true(fragment_write(&cut, 1, out, sizeof(out), &frame));
		out[33] = (uint8_t)n;
		ike_sk_seal_frame(lab_sa(lab, A), &frame);
		lab_inject(lab, A, &lab_sa(lab, A)->path, frame.datagram);
		lab_run(lab, 2);
	}
	assert_true(lab->side[B].engine->pieces[false] < 65536 + 4096);
	assert_true(lab_counters(lab, B).fragments_refused > 90);
	lab_free(lab);
}

/* What strangers keep us from keeping, they keep from strangers. */
static void strangers_share_a_limit_of_their_own(void **state)
{
	struct lab *lab = lab_of_small_datagrams(14);

	(void)state;
	lab->side[B].engine->pieces_max[true] = 100;
	lab_call(lab, A);
	lab_run(lab, 2000);
	assert_int_equal(lab->side[B].n_up, 0);
	assert_true(lab_counters(lab, B).fragments_refused > 0);
	assert_int_equal(lab->side[B].engine->pieces[true], 0);
	lab_run(lab, 60000);
	lab->side[B].friends = true;
	lab_call(lab, A);
	lab_run(lab, 2000);
	assert_int_equal(lab->side[B].n_up, 1);
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handshake_in_fragments_comes_up),
		cmocka_unit_test(fragments_are_for_those_who_know_them),
		cmocka_unit_test(a_block_cipher_pads_each_fragment),
		cmocka_unit_test(what_fits_is_not_cut),
		cmocka_unit_test(loss_order_and_copies_do_not_matter),
		cmocka_unit_test(a_narrow_path_is_found),
		cmocka_unit_test(a_single_datagram_is_cut_when_it_does_not_arrive),
		cmocka_unit_test(ipv6_fragments_leave_room_for_its_header),
		cmocka_unit_test(an_heir_knows_fragments_too),
		cmocka_unit_test(a_larger_total_replaces_the_set),
		cmocka_unit_test(the_same_fragment_counts_once),
		cmocka_unit_test(the_answer_is_repeated_for_the_first_fragment_only),
		cmocka_unit_test(a_forged_fragment_changes_nothing),
		cmocka_unit_test(what_is_not_whole_in_time_is_forgotten),
		cmocka_unit_test(too_many_fragments_are_not_kept),
		cmocka_unit_test(a_message_is_limited_in_octets),
		cmocka_unit_test(strangers_share_a_limit_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
