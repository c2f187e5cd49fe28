/* tests/unit/test_xfrm_numbers.c - the kernel's form of a replay window, and ours.
 *
 * The kernel's side is played by what net/xfrm/xfrm_replay.c does with an accepted number,
 * told again in the words of a model: a ring of `window` bits in which the highest number n
 * has the place (n - 1) mod window.
 */
#include "sad_lab.h"
#include "xfrm/looking.h"
#include "xfrm/numbers.h"

enum { WORDS = REQUEST_WINDOW_MAX / 32 };

union ring {
	struct xfrm_replay_state_esn head;
	struct {
		uint8_t over_head[sizeof(struct xfrm_replay_state_esn)];
		uint32_t words[WORDS];
	} tail;
};

static void take_number(union ring *k, uint64_t seq)
{
	uint64_t top = (uint64_t)k->head.seq_hi << 32 | k->head.seq;
	uint32_t window = k->head.replay_window;

	for (uint64_t n = top + 1; n < seq && n <= top + window; n++)
		k->tail.words[(n - 1) % window / 32] &=
			~(UINT32_C(1) << (n - 1) % window % 32);
	if (seq > top) {
		k->head.seq = (uint32_t)seq;
		k->head.seq_hi = (uint32_t)(seq >> 32);
	}
	k->tail.words[(seq - 1) % window / 32] |= UINT32_C(1) << (seq - 1) % window % 32;
}

static struct request_replay bytes_of(const union ring *k)
{
	struct request_replay r = {
		.len = sizeof(k->head) + k->head.bmp_len * sizeof(uint32_t)};

	memcpy(r.bytes, k, r.len);
	return r;
}

static union ring ring_of(uint32_t window)
{
	union ring k;

	memset(&k, 0, sizeof(k));
	k.head.replay_window = window;
	k.head.bmp_len = window / 32;
	return k;
}

static void a_walk_there_and_back(void **state)
{
	static const uint32_t windows[] = {32, 64, 128, 1024, 4096};

	(void)state;
	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		uint32_t window = windows[i];
		union ring k = ring_of(window);
		struct seeded_entropy store;
		struct entropy e = entropy_seeded(&store, window);
		/* over the end of 32 bits */
		uint64_t top = UINT64_C(0xffffffff) - window - window / 2;
		take_number(&k, top);
		for (unsigned step = 0; step < 3 * window; step++) {
			uint64_t seq = entropy_below(&e, 2) == 0
					       ? top + 1 + entropy_below(&e, 3)
					       : top - entropy_below(&e, window);
			take_number(&k, seq);
			top = seq > top ? seq : top;
		}
		assert_true(top > UINT32_MAX);
		struct request_replay r = bytes_of(&k), again;
		struct esp_replay_state s;
		assert_true(numbers_from_kernel(&r, &s));
		assert_int_equal(s.seq_in, top);
		assert_int_equal(s.window, window);
		for (uint64_t seq = top - window + 1; seq <= top; seq++) {
			uint64_t at = (seq - 1) % window;
			assert_int_equal(esp_replay_state_seen(&s, seq),
				k.tail.words[at / 32] >> at % 32 & 1);
		}
		numbers_to_kernel(&s, &again);
		assert_int_equal(again.len, r.len);
		assert_memory_equal(again.bytes, r.bytes, r.len);
	}
}

static void what_was_sent(void **state)
{
	struct esp_replay_state s = {.seq_out = UINT64_C(0x500000007), .window = 32},
				back;
	struct request_replay r;

	(void)state;
	numbers_to_kernel(&s, &r);
	assert_true(numbers_from_kernel(&r, &back));
	assert_int_equal(back.seq_out, s.seq_out);
	assert_int_equal(back.seq_in, 0);
}

/* A kernel does not say such things; who believes it reads beyond the end. */
static void nonsense_is_refused(void **state)
{
	union ring k = ring_of(64);
	struct esp_replay_state s;
	struct request_replay r = bytes_of(&k);

	(void)state;
	r.len--;
	assert_false(numbers_from_kernel(&r, &s));
	r.len = 5;
	assert_false(numbers_from_kernel(&r, &s));
	k.head.replay_window = 65;
	r = bytes_of(&k);
	assert_false(numbers_from_kernel(&r, &s));
	k.head.replay_window = 8192;
	r = bytes_of(&k);
	assert_false(numbers_from_kernel(&r, &s));
}

/* ---- of a child ------------------------------------------------------------------------ */

static struct esp_replay_state read_numbers(uint32_t id)
{
	struct esp_replay_state s;

	assert_true(numbers_read(&t.sad, sad_find(&t.sad, id), &s));
	return s;
}

static void set_numbers(uint32_t id, const struct esp_replay_state *s)
{
	assert_int_equal(numbers_set(&t.sad, &t.scope, sad_find(&t.sad, id), s), 0);
}

static void ignore(const struct sad_child *c, enum esp_notice_kind what, void *ctx)
{
	(void)c, (void)what, (void)ctx;
}

static void each_half_goes_on_with_its_own(void **state)
{
	const struct esp_replay_state s = {
		.seq_out = 500, .seq_in = 90, .window = 64, .seen = {0x5}};
	struct esp_child c = child(1);

	(void)state;
	c.outbound_ready = false;
	add(&c);
	set_numbers(1, &s);
	for (int active = 0; active <= 1; active++) {
		struct esp_replay_state is = read_numbers(1);
		assert_int_equal(is.seq_out, 500);
		assert_int_equal(is.seq_in, 90);
		assert_int_equal(is.window, 64);
		assert_int_equal(is.seen[0], 0x5);
		looking_round(&t.sad, NOW + 1, ignore, NULL);
		assert_int_equal(sad_find(&t.sad, 1)->usage.seq_out, 500);
		assert_int_equal(sad_activate(&t.sad, &t.scope, 1), 0);
	}
	assert_int_equal(outgoing(1)->sa.seq_out, 500);
}

/* What sends already may have sent more since it was asked: numbers are left out rather than
 * used twice. */
static void none_goes_back(void **state)
{
	const struct esp_replay_state high = {
		.seq_out = 500, .seq_in = 90, .window = 64, .seen = {0x5}};
	const struct esp_replay_state low = {
		.seq_out = 20, .seq_in = 88, .window = 64, .seen = {0x2}};
	struct esp_child c = child(1);

	(void)state;
	add(&c);
	set_numbers(1, &high);
	uint64_t sent = outgoing(1)->sa.seq_out;
	assert_true(sent >= 500);
	set_numbers(1, &low);
	assert_int_equal(outgoing(1)->sa.seq_out, sent);
	struct esp_replay_state is = read_numbers(1);
	assert_int_equal(is.seq_out, sent);
	assert_int_equal(is.seq_in, 90);
	assert_int_equal(is.seen[0], 0xd); /* 90, 88, and 87 */
	set_numbers(
		1, &(struct esp_replay_state){.seq_out = sent + 1000000, .window = 64});
	assert_true(outgoing(1)->sa.seq_out >= sent + 1000000);
}

static void one_that_is_gone_has_none(void **state)
{
	struct esp_replay_state s = {.seq_out = 500, .window = 64};
	struct esp_child c = child(1);
	const struct request_name in = sad_name_in(&c);

	(void)state;
	add(&c);
	assert_int_equal(request_sa_delete(t.line, &in), 0);
	set_numbers(1, &s);
	assert_false(numbers_read(&t.sad, sad_find(&t.sad, 1), &s));
	assert_int_equal(outgoing(1)->sa.seq_out, 0);
}

static void whoever_takes_a_half_s_place_tells_as_well(void **state)
{
	const struct endpoint there = {.addr = addr_v4(192, 0, 2, 3)};
	struct esp_child c = child(1);

	(void)state;
	add(&c);
	numbers_watch(&t.sad, sad_find(&t.sad, 1), 100, 250);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(incoming(1)->sa.watch.packets, 100);
		assert_int_equal(outgoing(1)->sa.watch.packets, 100);
		assert_int_equal(sad_move(&t.sad, &t.scope, 1, &there, false), 0);
	}
	assert_true(sad_is_watched(sad_find(&t.sad, 1)));
	numbers_watch(&t.sad, sad_find(&t.sad, 1), 0, 0);
	assert_false(sad_is_watched(sad_find(&t.sad, 1)));
	assert_int_equal(outgoing(1)->sa.watch.packets, 0);
}

/* The kernel would tell by time from its first telling on only. */
static void after_so_long_a_look_tells(void **state)
{
	const struct esp_replay_state s = {.seq_out = 7, .window = 64};
	struct esp_child one = child(1);

	(void)state;
	add(&one);
	struct sad_child *c = sad_find(&t.sad, 1);
	numbers_watch(&t.sad, c, 0, 250);
	assert_true(sad_is_watched(c));
	assert_false(numbers_are_due(c, NOW));
	outgoing(1)->counts.seq_out = 7;
	looking_round(&t.sad, NOW, ignore, NULL);
	assert_true(numbers_are_due(c, NOW));
	numbers_told(c, &s, NOW);
	assert_false(numbers_are_due(c, NOW + 1000)); /* nothing new */
	incoming(1)->counts.seq_in = 3;
	looking_round(&t.sad, NOW + 100, ignore, NULL);
	assert_false(numbers_are_due(c, NOW + 249));
	assert_true(numbers_are_due(c, NOW + 250));
	numbers_watch(&t.sad, c, 0, 0);
	outgoing(1)->counts.seq_out = 8;
	looking_round(&t.sad, NOW + 300, ignore, NULL);
	assert_false(numbers_are_due(c, NOW + 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_walk_there_and_back),
		cmocka_unit_test(what_was_sent),
		cmocka_unit_test(nonsense_is_refused),
		SAD_TEST(each_half_goes_on_with_its_own),
		SAD_TEST(none_goes_back),
		SAD_TEST(one_that_is_gone_has_none),
		SAD_TEST(whoever_takes_a_half_s_place_tells_as_well),
		SAD_TEST(after_so_long_a_look_tells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
