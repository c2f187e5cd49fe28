/* tests/unit/ike_seen.h - what was seen on the wire, and that nothing came of it. */
#ifndef VIPSEC_TESTS_IKE_SEEN_H
#define VIPSEC_TESTS_IKE_SEEN_H

#include "ike_lab.h"

static inline struct span bytes_of(const struct lab_datagram *d)
{
	return span_of(d->bytes, d->len);
}

/* When each copy of one datagram left; a filter with this as its context. */
struct seen {
	uint64_t at[64];
	unsigned n;
};

static inline struct lab_fate note_and_drop(struct lab *lab, const struct lab_datagram *d)
{
	struct seen *seen = lab->filter_ctx;

	if (seen->n > 0)
		unit_assert_span_equal(bytes_of(d), bytes_of(&lab->log[lab->n_log - 2]));
	assert_true(seen->n < 64);
	seen->at[seen->n++] = lab->now_ms;
	return (struct lab_fate){.copies = 0};
}

/* Both have one SA, as it was; B has sent so many datagrams in all. */
static inline void assert_untouched(struct lab *lab, unsigned sent_b)
{
	for (int s = A; s <= B; s++) {
		assert_int_equal(lab_count(lab, (enum lab_side_name)s), 1);
		assert_int_equal(lab->side[s].n_up, 1);
		assert_int_equal(lab->side[s].n_closed, 0);
		assert_int_equal(lab->side[s].n_moved, 0);
		assert_int_equal(lab_sa(lab, (enum lab_side_name)s)->state, STATE_UP);
	}
	assert_int_equal(lab->side[B].n_sent, sent_b);
}

#endif
