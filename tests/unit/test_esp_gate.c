/* test_esp_gate.c - the gate's word, and 100,000 flips of it under traffic.
 *
 *   control thread:  open(n)  close -> turn   ... wait until turn is acknowledged
 *   data thread:     [batch out] acknowledge the gate's turn  [batch out] ...
 */
#include "unit.h"
#include "../esp_lab.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static void a_new_gate_is_closed(void **state)
{
	struct esp_gate g;

	(void)state;
	esp_gate_init(&g);
	assert_false(esp_gate_read(&g).open);
	assert_int_equal(esp_gate_read(&g).turn, 0);
}

static void every_change_is_a_turn(void **state)
{
	struct esp_gate g;

	(void)state;
	esp_gate_init(&g);
	assert_int_equal(esp_gate_open(&g, 0xffff), 1);
	assert_true(esp_gate_read(&g).open);
	assert_int_equal(esp_gate_read(&g).activation, 0xffff);
	assert_int_equal(esp_gate_read(&g).turn, 1);
	assert_int_equal(esp_gate_close(&g), 2);
	assert_false(esp_gate_read(&g).open);
	assert_int_equal(esp_gate_close(&g), 3);
	assert_int_equal(esp_gate_open(&g, 0), 4);
	assert_true(esp_gate_read(&g).open);
}

static void the_turn_wraps_alone(void **state)
{
	struct esp_gate g;

	(void)state;
	esp_gate_init(&g);
	atomic_store(&g.word, UINT32_MAX);
	assert_int_equal(esp_gate_open(&g, 3), 0);
	assert_true(esp_gate_read(&g).open);
	assert_int_equal(esp_gate_read(&g).activation, 3);
}

/* ---- under traffic -------------------------------------------------------------- */

enum { FLIPS = 100000, WAIT_EACH = 4 };

struct stage {
	struct lab lab;
	_Atomic uint32_t acknowledged;
	_Atomic uint32_t closed; /* activations up to this one: closing acknowledged */
	_Atomic bool done;
	_Atomic uint64_t handed_out;
	uint64_t last_iv, last_seq; /* of the data thread */
	const char *broken;
};

static uint64_t number_at(const uint8_t *at, size_t len)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++)
		v = v << 8 | at[i];
	return v;
}

/* What a wire would see of a packet that was handed out. */
static void look_at(struct stage *s, const struct esp_packet *p, uint32_t closed)
{
	uint64_t seq = number_at(p->at + 4, 4), iv = number_at(p->at + 8, 8);
	uint32_t activation = (uint32_t)(iv >> 40) & 0xffff;

	if (activation <= closed)
		s->broken = "sent under an activation whose closing was acknowledged";
	if (iv <= s->last_iv)
		s->broken = "an IV twice";
	if (seq <= s->last_seq)
		s->broken = "a number twice";
	s->last_iv = iv;
	s->last_seq = seq;
	atomic_fetch_add(&s->handed_out, 1);
}

static void *carry(void *arg)
{
	struct stage *s = arg;
	const struct esp_gate *gate = esp_dp_gate(s->lab.a.dp, 0);

	while (!atomic_load(&s->done)) {
		struct esp_batch b = {.n = 2};
		uint32_t closed = atomic_load(&s->closed);

		for (unsigned i = 0; i < b.n; i++)
			b.at[i] = lab_a_to_b(&s->lab, i, 10);
		esp_dp_outbound(s->lab.a.dp, &b, LAB_NOW);
		for (unsigned i = 0; i < b.n; i++) {
			if (b.at[i].verdict == ESP_SEND)
				look_at(s, &b.at[i], closed);
		}
		atomic_store(&s->acknowledged, esp_gate_read(gate).turn);
	}
	return NULL;
}

static void wait_for_traffic(struct stage *s)
{
	uint64_t before = atomic_load(&s->handed_out);

	while (atomic_load(&s->handed_out) == before)
		sched_yield();
}

static void flips_under_traffic(void **state)
{
	static struct stage s;
	struct esp_gate *gate;
	pthread_t data;

	(void)state;
	lab_init(&s.lab, (struct lab_options){.esn = true});
	gate = esp_dp_gate(s.lab.a.dp, 0);
	(void)esp_gate_close(gate);
	assert_int_equal(pthread_create(&data, NULL, carry, &s), 0);
	for (uint16_t n = 1; n <= FLIPS / 2; n++) {
		(void)esp_gate_open(gate, n);
		if (n % WAIT_EACH == 0)
			wait_for_traffic(&s);
		uint32_t turn = esp_gate_close(gate);
		if (n % WAIT_EACH != 0)
			continue;
		while (atomic_load(&s.acknowledged) != turn)
			sched_yield();
		atomic_store(&s.closed, n);
	}
	atomic_store(&s.done, true);
	assert_int_equal(pthread_join(data, NULL), 0);
	if (s.broken != NULL)
		fail_msg("%s", s.broken);
	assert_true(atomic_load(&s.handed_out) >= FLIPS / 2 / WAIT_EACH);
	print_message("%llu packets, %llu stopped by the gate\n",
		(unsigned long long)atomic_load(&s.handed_out),
		(unsigned long long)lab_count(&s.lab.a).drop_gate);
	lab_free(&s.lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_gate_is_closed),
		cmocka_unit_test(every_change_is_a_turn),
		cmocka_unit_test(the_turn_wraps_alone),
		cmocka_unit_test(flips_under_traffic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
