/* tests/unit/esp_pair.h - one pair of dataplanes for all tests of a program, and what they
 * do all the time: send, receive, read numbers and notices.
 */
#ifndef VIPSEC_TESTS_ESP_PAIR_H
#define VIPSEC_TESTS_ESP_PAIR_H

#include "unit.h"
#include "../esp_lab.h"
#include "esp/dp.h"

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

static struct lab l;

static inline void open_lab(struct lab_options o)
{
	lab_init(&l, o);
}

static inline int teardown(void **state)
{
	(void)state;
	lab_free(&l);
	return 0;
}

static inline enum esp_verdict send_at(struct esp_packet *p, size_t len, uint64_t now_ms)
{
	*p = lab_a_to_b(&l, 0, len);
	return lab_out(&l.a, p, now_ms);
}

static inline enum esp_verdict send_one(struct esp_packet *p)
{
	return send_at(p, 10, LAB_NOW);
}

static inline uint64_t number_at(const uint8_t *at, size_t len)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++)
		v = v << 8 | at[i];
	return v;
}

static inline uint64_t seq_of(const struct esp_packet *p)
{
	return number_at(p->at + 4, 4);
}

static inline uint64_t iv_of(const struct esp_packet *p)
{
	return number_at(p->at + 8, 8);
}

static inline unsigned count_notices(enum esp_notice_kind kind, struct esp_notice *last)
{
	struct esp_notice n;
	unsigned count = 0;

	while (esp_dp_notice(l.a.dp, &n)) {
		if (n.kind != kind)
			continue;
		*last = n;
		count++;
	}
	return count;
}

/* A second SA beside the lab's, made by changing its description. */
static inline struct esp_child another(uint32_t id)
{
	struct esp_child c = lab_child(&l, true);

	c.id = id;
	c.spi_in = 0xa0000000 + id;
	c.spi_out = 0xb0000000 + id;
	return c;
}

/* A to B; what comes out of A, about to enter B. */
static inline struct esp_packet from_a(unsigned i, size_t len)
{
	struct esp_packet p = lab_a_to_b(&l, i, len);

	assert_int_equal(lab_out(&l.a, &p, LAB_NOW), ESP_SEND);
	lab_cross(&p);
	return p;
}

static inline enum esp_verdict into_b(struct esp_packet p)
{
	return lab_in(&l.b, &p, LAB_NOW);
}

static inline bool next_notice(
	struct lab_end *e, enum esp_notice_kind kind, struct esp_notice *n)
{
	while (esp_dp_notice(e->dp, n)) {
		if (n->kind == kind)
			return true;
	}
	return false;
}

#endif
