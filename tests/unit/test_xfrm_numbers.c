/* test_xfrm_numbers.c - the kernel's form of a replay window, and ours.
 *
 * The kernel's side is played by what net/xfrm/xfrm_replay.c does with an accepted number,
 * told again in the words of a model: a ring of `window` bits in which the highest number n
 * has the place (n - 1) mod window.
 */
#include "unit.h"

#include <linux/types.h>
#include <linux/xfrm.h>

#include "xfrm/numbers.h"
#include "xfrm/request.h"

enum { WORDS = REQUEST_WINDOW_MAX / 32 };

struct ring {
	struct xfrm_replay_state_esn head;
	uint32_t words[WORDS];
};

static void accept(struct ring *k, uint64_t seq)
{
	uint64_t top = (uint64_t)k->head.seq_hi << 32 | k->head.seq;
	uint32_t window = k->head.replay_window;

	for (uint64_t n = top + 1; n < seq && n <= top + window; n++)
		k->words[(n - 1) % window / 32] &= ~(UINT32_C(1) << (n - 1) % window % 32);
	if (seq > top) {
		k->head.seq = (uint32_t)seq;
		k->head.seq_hi = (uint32_t)(seq >> 32);
	}
	k->words[(seq - 1) % window / 32] |= UINT32_C(1) << (seq - 1) % window % 32;
}

static struct request_replay bytes_of(const struct ring *k)
{
	struct request_replay r = {
		.len = sizeof(k->head) + k->head.bmp_len * sizeof(uint32_t)};

	memcpy(r.bytes, k, r.len);
	return r;
}

static struct ring ring_of(uint32_t window)
{
	struct ring k;

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
		struct ring k = ring_of(window);
		struct seeded_entropy store;
		struct entropy e = entropy_seeded(&store, window);
		/* over the end of 32 bits */
		uint64_t top = UINT64_C(0xffffffff) - window - window / 2;
		accept(&k, top);
		for (unsigned step = 0; step < 3 * window; step++) {
			uint64_t seq = entropy_below(&e, 2) == 0
					       ? top + 1 + entropy_below(&e, 3)
					       : top - entropy_below(&e, window);
			accept(&k, seq);
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
				k.words[at / 32] >> at % 32 & 1);
		}
		numbers_to_kernel(&s, &again);
		assert_int_equal(again.len, r.len);
		assert_memory_equal(again.bytes, r.bytes, r.len);
	}
}

static void what_was_sent(void **state)
{
	struct esp_replay_state s = {.seq_out = UINT64_C(0x500000007), .window = 32}, back;
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
	struct ring k = ring_of(64);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_walk_there_and_back),
		cmocka_unit_test(what_was_sent),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
