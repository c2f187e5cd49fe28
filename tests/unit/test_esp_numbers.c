/* tests/unit/test_esp_numbers.c - how far an SA's numbers have come: out of one data path, into another
 * that goes on with it, and told in time to whoever wants to know.
 *
 *   A ---- 1 2 3 . 5 ----> B        state of B: highest 5, all but 4
 *                          C <-- state        decides as B would have
 */
#include "esp_pair.h"

static struct esp_replay_state state_of(struct lab_end *e)
{
	struct esp_replay_state s;

	assert_int_equal(esp_dp_replay(e->dp, LAB_ID, &s), ESP_OK);
	return s;
}

static void set_state(struct lab_end *e, const struct esp_replay_state *s)
{
	assert_int_equal(esp_dp_replay_set(e->dp, LAB_ID, s), ESP_OK);
}

/* B as it was at first: another data path that has the SA and has seen nothing. */
static void replace_b(void)
{
	struct esp_child c = lab_child(&l, false);

	assert_int_equal(esp_dp_delete(l.b.dp, LAB_ID), ESP_OK);
	lab_add(&l.b, &c);
}

/* ---- out and in ---------------------------------------------------------------------- */

static void a_fresh_sa_has_seen_nothing(void **state)
{
	(void)state;
	open_lab((struct lab_options){.window = 128});
	struct esp_replay_state s = state_of(&l.b);
	assert_int_equal(s.seq_out, 0);
	assert_int_equal(s.seq_in, 0);
	assert_int_equal(s.window, 128);
	assert_false(esp_replay_state_seen(&s, 1));
	assert_int_equal(esp_dp_replay(l.b.dp, 99, &s), ESP_NOT_FOUND);
	assert_int_equal(esp_dp_replay_set(l.b.dp, 99, &s), ESP_NOT_FOUND);
	assert_int_equal(esp_dp_watch(l.b.dp, 99, 1, 0), ESP_NOT_FOUND);
}

static void one_that_goes_on_decides_alike(void **state)
{
	enum { PACKETS = 60, LATER = 8 };
	const uint64_t first = UINT64_C(0xffffffff) - 40; /* over the end of 32 bits */
	struct esp_packet sent[PACKETS];
	uint8_t kept[PACKETS][200];
	bool seen[PACKETS];
	uint64_t top = 0;
	struct seeded_entropy store;
	struct entropy e = entropy_seeded(&store, 7);

	(void)state;
	open_lab((struct lab_options){.window = 32, .esn = true});
	set_state(&l.a, &(struct esp_replay_state){.seq_out = first - 1});
	for (unsigned i = 0; i < PACKETS; i++) {
		sent[i] = from_a(i, 10);
		memcpy(kept[i], sent[i].at, sent[i].len);
		seen[i] = i < PACKETS - LATER && (i == 30 || entropy_below(&e, 3) > 0);
		if (!seen[i])
			continue;
		assert_int_equal(into_b(sent[i]), ESP_INJECT);
		top = first + i;
	}
	assert_true(top > UINT32_MAX);
	struct esp_replay_state s = state_of(&l.b);
	assert_int_equal(s.seq_in, top);
	replace_b();
	set_state(&l.b, &s);
	for (unsigned i = 0; i < PACKETS; i++) {
		bool fresh = !seen[i] && top < first + i + 32;
		memcpy(sent[i].at, kept[i], sent[i].len);
		assert_int_equal(into_b(sent[i]), fresh ? ESP_INJECT : ESP_DROP);
		top = fresh && top < first + i ? first + i : top;
	}
}

static void what_was_seen_stays_seen(void **state)
{
	struct esp_packet first, second;

	(void)state;
	open_lab((struct lab_options){.window = 64});
	first = from_a(0, 10);
	second = from_a(1, 10);
	struct esp_replay_state none = state_of(&l.b);
	uint8_t kept[200];
	memcpy(kept, first.at, first.len);
	assert_int_equal(into_b(first), ESP_INJECT);
	/* The state of before does not undo it. */
	set_state(&l.b, &none);
	memcpy(first.at, kept, first.len);
	assert_int_equal(into_b(first), ESP_DROP);
	assert_int_equal(into_b(second), ESP_INJECT);
	/* What another has received counts as received here. */
	struct esp_packet third = from_a(2, 10);
	struct esp_replay_state other = {.seq_in = 3, .window = 64, .seen = {1}};
	set_state(&l.b, &other);
	assert_int_equal(into_b(third), ESP_DROP);
	assert_int_equal(state_of(&l.b).seq_in, 3);
	assert_int_equal(state_of(&l.b).seen[0], 7);
}

static void a_narrow_window_cannot_tell_of_old_numbers(void **state)
{
	(void)state;
	open_lab((struct lab_options){.window = 128});
	set_state(&l.b,
		&(struct esp_replay_state){.seq_in = 1000, .window = 32, .seen = {1}});
	struct esp_replay_state s = state_of(&l.b);
	assert_true(esp_replay_state_seen(&s, 1000));
	assert_false(esp_replay_state_seen(&s, 1000 - 31));
	assert_true(esp_replay_state_seen(&s, 1000 - 32));
	assert_true(esp_replay_state_seen(&s, 1000 - 127));
}

static void numbers_sent_never_go_back(void **state)
{
	struct esp_packet p;

	(void)state;
	open_lab((struct lab_options){.window = 64});
	set_state(&l.a, &(struct esp_replay_state){.seq_out = 500});
	assert_int_equal(send_one(&p), ESP_SEND);
	assert_int_equal(seq_of(&p), 501);
	set_state(&l.a, &(struct esp_replay_state){.seq_out = 100});
	assert_int_equal(send_one(&p), ESP_SEND);
	assert_int_equal(seq_of(&p), 502);
	assert_int_equal(state_of(&l.a).seq_out, 502);
}

/* Whatever it is told, it does not begin anew. */
static void numbers_that_are_used_up_send_nothing(void **state)
{
	struct esp_packet p;

	(void)state;
	open_lab((struct lab_options){.window = 64});
	set_state(&l.a, &(struct esp_replay_state){.seq_out = UINT64_MAX - 1});
	assert_int_equal(send_one(&p), ESP_DROP);
	assert_int_equal(send_one(&p), ESP_DROP);
}

/* Of what somebody says no more is believed than there is room for. */
static void a_window_that_cannot_be_is_as_large_as_can_be(void **state)
{
	struct esp_replay_state s = {.seq_in = 100000, .window = 60000};

	(void)state;
	assert_false(esp_replay_state_seen(&s, 100000 - 4095));
	assert_true(esp_replay_state_seen(&s, 100000 - 4096));
	assert_true(esp_replay_state_seen(&s, 100000 - 50000));
}

/* ---- told in time ---------------------------------------------------------------------- */

static bool rung(struct lab_end *e, uint64_t now_ms)
{
	uint32_t id = 0;
	bool any = esp_dp_rung(e->dp, now_ms, &id);

	assert_int_equal(id, any ? LAB_ID : 0);
	return any;
}

static void send_n(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(into_b(from_a(0, 10)), ESP_INJECT);
}

static void told_after_so_many_packets(void **state)
{
	(void)state;
	open_lab((struct lab_options){.window = 64});
	assert_false(esp_dp_is_watched(l.a.dp));
	send_n(20);
	assert_false(rung(&l.a, LAB_NOW));
	assert_int_equal(esp_dp_watch(l.a.dp, LAB_ID, 10, 0), ESP_OK);
	assert_int_equal(esp_dp_watch(l.b.dp, LAB_ID, 10, 0), ESP_OK);
	assert_true(esp_dp_is_watched(l.a.dp));
	send_n(9);
	assert_false(rung(&l.a, LAB_NOW + 100000));
	send_n(1);
	assert_true(rung(&l.a, LAB_NOW)); /* sent */
	assert_false(rung(&l.a, LAB_NOW));
	assert_true(rung(&l.b, LAB_NOW)); /* received */
	send_n(25);
	assert_true(rung(&l.a, LAB_NOW));
	assert_false(rung(&l.a, LAB_NOW));
	assert_int_equal(esp_dp_watch(l.a.dp, LAB_ID, 0, 0), ESP_OK);
	assert_false(esp_dp_is_watched(l.a.dp));
	send_n(25);
	assert_false(rung(&l.a, LAB_NOW));
	assert_int_equal(esp_dp_delete(l.b.dp, LAB_ID), ESP_OK);
	assert_false(rung(&l.b, LAB_NOW));
	assert_false(esp_dp_is_watched(l.b.dp));
}

static void told_after_so_long(void **state)
{
	uint64_t now_ms = LAB_NOW + 1000;

	(void)state;
	open_lab((struct lab_options){.window = 64});
	assert_int_equal(esp_dp_watch(l.b.dp, LAB_ID, 0, 500), ESP_OK);
	assert_false(rung(&l.b, now_ms));
	send_n(1);
	assert_true(rung(&l.b, now_ms + 100)); /* never told before */
	send_n(1);
	assert_false(rung(&l.b, now_ms + 500));
	assert_true(rung(&l.b, now_ms + 600));
	assert_false(rung(&l.b, now_ms + 5000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_fresh_sa_has_seen_nothing),
		TEST(one_that_goes_on_decides_alike),
		TEST(what_was_seen_stays_seen),
		TEST(a_narrow_window_cannot_tell_of_old_numbers),
		TEST(numbers_sent_never_go_back),
		TEST(numbers_that_are_used_up_send_nothing),
		cmocka_unit_test(a_window_that_cannot_be_is_as_large_as_can_be),
		TEST(told_after_so_many_packets),
		TEST(told_after_so_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
